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
  Metadata,
  status as Code,
  type handleServerStreamingCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** An error that is the answer of a call. */
export class CallError extends Error {
  readonly code: Code;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(code: Code, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

type Unary<M extends DescMethod> = (
  request: MessageShape<M['input']>,
) => MessageInitShape<M['output']> | Promise<MessageInitShape<M['output']>>;

type Methods<S extends DescService> = {
  readonly [K in keyof S['method']]: S['method'][K]['methodKind'] extends 'server_streaming'
    ? handleServerStreamingCall<MessageShape<S['method'][K]['input']>, never>
    : Unary<S['method'][K]>;
};

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** Responses of streaming methods are encoded already. */
export function createService<S extends DescService>(desc: S, methods: Methods<S>): Service {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const method of desc.methods) {
    const isStream = method.methodKind === 'server_streaming';
    definition[method.localName] = {
      path: `/${desc.typeName}/${method.name}`,
      requestStream: false,
      responseStream: isStream,
      requestDeserialize: (bytes) => fromBinary(method.input, bytes),
      requestSerialize: () => Buffer.alloc(0),
      responseSerialize: isStream
        ? (bytes) => bytes as Buffer
        : (message) => Buffer.from(toBinary(method.output, create(method.output, message as never))),
      responseDeserialize: (bytes) => bytes,
    };
    const handler = methods[method.localName as keyof S['method']];
    implementation[method.localName] = isStream
      ? (handler as never)
      : toUnaryHandler(handler as unknown as Unary<DescMethod>);
  }
  return { definition, implementation };
}

function toUnaryHandler(handler: Unary<DescMethod>): UntypedServiceImplementation[string] {
  const call = async (
    { request }: { readonly request: MessageShape<DescMethod['input']> },
    done: (error: CallError | null, response?: unknown) => void,
  ): Promise<void> => {
    try {
      done(null, await handler(request));
    } catch (error) {
      done(error instanceof CallError ? error : new CallError(Code.INTERNAL, String(error)));
    }
  };
  return call as never;
}
