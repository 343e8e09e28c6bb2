/** Loads the messages of CRI and NRI, with the package @bufbuild/protobuf. */
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';

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

/** An import declaration would load the package in every program. */
export function loadProtobuf(): Protobuf {
  if (loaded !== undefined) return loaded;
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
}
