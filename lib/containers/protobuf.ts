/** Loads the messages of CRI and NRI. They need the package @bufbuild/protobuf, which is an optional peer dependency. */
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { PolytraceError } from '../errors.js';

interface Protobuf {
  readonly nri: typeof import('./proto/nri.gen.js');
  readonly ttrpc: typeof import('./proto/ttrpc.gen.js');
  readonly cri: typeof import('./proto/cri.gen.js');
  readonly encode: <T extends DescMessage>(schema: T, message: MessageInitShape<T>) => Uint8Array;
  /** Throws an error if the bytes are no message. */
  readonly decode: <T extends DescMessage>(schema: T, bytes: Uint8Array) => MessageShape<T>;
}

export type { Protobuf };

let loaded: Protobuf | undefined;

/** Throws PACKAGE_MISSING. `what` names what needs the package. */
export function loadProtobuf(what: string): Protobuf {
  if (loaded !== undefined) return loaded;
  try {
    // an import declaration would always need the package
    /* eslint-disable @typescript-eslint/no-require-imports */
    const { create, fromBinary, toBinary } = require('@bufbuild/protobuf') as typeof import('@bufbuild/protobuf');
    loaded = {
      nri: require('./proto/nri.gen.js') as Protobuf['nri'],
      ttrpc: require('./proto/ttrpc.gen.js') as Protobuf['ttrpc'],
      cri: require('./proto/cri.gen.js') as Protobuf['cri'],
      encode: (schema, message) => toBinary(schema, create(schema, message)),
      decode: (schema, bytes) => fromBinary(schema, bytes, { readUnknownFields: false }),
    };
    /* eslint-enable @typescript-eslint/no-require-imports */
    return loaded;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    const hint = 'run `npm install @bufbuild/protobuf`';
    throw new PolytraceError('PACKAGE_MISSING', `${what} needs the package @bufbuild/protobuf`, hint);
  }
}
