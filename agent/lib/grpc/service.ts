/** Creates services of @grpc/grpc-js from generated descriptors. */
import {
  create,
  fromBinary,
  toBinary,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import {
  status as Code,
  type handleServerStreamingCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { CallError } from './call-error.js';
import type { Call } from './caller.js';
import { RequestBudget } from './request-budget.js';

type Unary<M extends DescMethod> = (
  request: MessageShape<M['input']>,
  call: Call,
) => MessageInitShape<M['output']> | Promise<MessageInitShape<M['output']>>;

export type Methods<S extends DescService> = {
  readonly [K in keyof S['method']]: S['method'][K]['methodKind'] extends 'server_streaming'
    ? handleServerStreamingCall<MessageShape<S['method'][K]['input']>, never>
    : Unary<S['method'][K]>;
};

export interface Service {
  readonly definition: ServiceDefinition;
  /** `isSocket`: the server listens on Unix sockets only. All servers share the limits of the service. */
  implement(isSocket: boolean): UntypedServiceImplementation;
}

/** The sizes of requests. */
const sizes = new WeakMap<object, number>();

/**
 * Checks whether a client may make a call. Throws CallError. The server knows that the client has a Unix socket: a call does
 * not say so, and has no address any more when a client has gone.
 */
export type CheckCall = (method: string, call: Call, isSocket: boolean) => void;

/** Responses of streaming methods are encoded already. `check` runs before each unary call. */
export function createService<S extends DescService>(desc: S, methods: Methods<S>, check?: CheckCall): Service {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const handlers: Record<string, (isSocket: boolean) => UntypedServiceImplementation[string]> = {};
  const budget = new RequestBudget();
  for (const method of desc.methods) {
    const isStream = method.methodKind === 'server_streaming';
    definition[method.localName] = {
      path: `/${desc.typeName}/${method.name}`,
      requestStream: false,
      responseStream: isStream,
      requestDeserialize: (bytes) => {
        const message = fromBinary(method.input, bytes);
        sizes.set(message, bytes.length);
        return message;
      },
      requestSerialize: () => Buffer.alloc(0),
      responseSerialize: isStream
        ? (bytes) => bytes as Buffer
        : (message) => Buffer.from(toBinary(method.output, create(method.output, message as never))),
      responseDeserialize: (bytes) => bytes,
    };
    const handler = methods[method.localName as keyof S['method']];
    handlers[method.localName] = (isSocket) =>
      isStream
        ? (handler as never)
        : toUnaryHandler(handler as unknown as Unary<DescMethod>, budget, (call) =>
            check?.(method.localName, call, isSocket),
          );
  }
  const implement = (isSocket: boolean): UntypedServiceImplementation =>
    Object.fromEntries(Object.entries(handlers).map(([name, make]) => [name, make(isSocket)]));
  return { definition, implement };
}

function toUnaryHandler(
  handler: Unary<DescMethod>,
  budget: RequestBudget,
  check: (call: Call) => void,
): UntypedServiceImplementation[string] {
  const call = async (
    unary: Call & { readonly request: MessageShape<DescMethod['input']> },
    done: (error: CallError | null, response?: unknown) => void,
  ): Promise<void> => {
    try {
      check(unary);
      const { request } = unary;
      done(null, await budget.run(sizes.get(request) ?? 0, async () => handler(request, unary)));
    } catch (error) {
      done(error instanceof CallError ? error : new CallError(Code.INTERNAL, String(error)));
    }
  };
  return call as never;
}
