/**
 * Answers server reflection, which tools such as grpcurl use. The package that does it is loaded with the first call: most
 * agents never get one, and it takes several megabytes.
 */
import { EventEmitter } from 'node:events';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { toBinary, type DescFile } from '@bufbuild/protobuf';
import {
  status as Code,
  type MethodDefinition,
  type Server,
  type ServerDuplexStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type * as Package from '@grpc/reflection';
import {
  file_polytrace_alerts,
  file_polytrace_metrics,
  file_tetragon_eventlog,
  file_tetragon_sensors,
} from 'polytrace/protocol';

const FILES = [file_tetragon_sensors, file_tetragon_eventlog, file_polytrace_alerts, file_polytrace_metrics];
const SERVICES = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];
const METHOD = 'ServerReflectionInfo';

type Stream = ServerDuplexStream<Buffer, Buffer>;

/** The method of one service, as the package has it. */
interface Method {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly handle: (stream: unknown) => void;
}

/** All servers share what is loaded. */
let loaded: ReadonlyMap<string, Method> | undefined;

export function addReflection(server: Server): void {
  for (const service of SERVICES) {
    const path = `/${service}/${METHOD}`;
    const definition: MethodDefinition<Buffer, Buffer> = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: keep,
      requestDeserialize: keep,
      responseSerialize: keep,
      responseDeserialize: keep,
    };
    server.addService({ [METHOD]: definition }, { [METHOD]: (stream: Stream) => answer(stream, path) });
  }
}

const keep = (bytes: Buffer): Buffer => bytes;

function answer(stream: Stream, path: string): void {
  const method = (loaded ??= loadMethods()).get(path);
  if (method === undefined) throw new Error(`the package has no ${path}`);
  const { definition, handle } = method;
  const messages = Object.assign(new EventEmitter(), {
    write: (message: unknown) => stream.write(definition.responseSerialize(message)),
    end: () => void stream.end(),
  });
  handle(messages);
  stream.on('data', (bytes: Buffer) => {
    let message;
    try {
      message = definition.requestDeserialize(bytes);
    } catch {
      stream.emit('error', { code: Code.INVALID_ARGUMENT, details: 'the request cannot be decoded' });
      return;
    }
    messages.emit('data', message);
  });
  stream.on('end', () => messages.emit('end'));
}

function loadMethods(): ReadonlyMap<string, Method> {
  // An import statement would load the package with this module.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { ReflectionService } = require('@grpc/reflection') as typeof Package;
  const methods = new Map<string, Method>();
  const collector = {
    addService(service: ServiceDefinition, handlers: UntypedServiceImplementation) {
      for (const [name, definition] of Object.entries(service))
        methods.set(definition.path, { definition, handle: handlers[name] as Method['handle'] });
    },
  };
  new ReflectionService(toPackage(FILES)).addToServer(collector);
  return methods;
}

/** Returns the protocol files with all their imports, in the form that the package needs. */
function toPackage(files: readonly DescFile[]): Record<string, never> {
  const all = new Map<string, Buffer>();
  const add = (file: DescFile): void => {
    if (all.has(file.proto.name)) return;
    file.dependencies.forEach(add);
    all.set(file.proto.name, Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  };
  files.forEach(add);
  return { protocol: { fileDescriptorProtos: [...all.values()] } as never };
}
