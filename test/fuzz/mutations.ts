/** Random changes to inputs that are mostly correct. */
import fc from 'fast-check';

/** Numbers that programs often get wrong. */
export const oddNumber = fc.oneof(
  fc.nat(64),
  fc.constantFrom(0x7f, 0x80, 0xff, 0x100, 0xfff, 0x7fff, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
);
export const oddLong = fc.oneof(
  oddNumber.map(BigInt),
  fc.constantFrom(2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 8n, 2n ** 64n - 1n),
);

/** Usually null. */
export function rarely<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, value);
}

interface Change {
  /** Position as a share of the length. */
  readonly at: number;
  readonly kind: 'byte' | 'word' | 'long' | 'cut' | 'repeat' | 'end';
  readonly value: bigint;
}

// fast-check prefers small numbers; here all are equally likely
const share = fc.noBias(fc.nat(0xffff)).map((n) => n / 0xffff);
const change: fc.Arbitrary<Change> = fc.record({
  at: share,
  kind: fc.constantFrom('byte', 'byte', 'word', 'long', 'cut', 'repeat', 'end'),
  value: oddLong,
});

/** Some changes, usually none. */
export const changes = fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(change, { maxLength: 6 }));

/** Files with changes. */
export function changedFiles(files: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const some = fc.array(change, { minLength: 1, maxLength: 6 });
  return fc.tuple(fc.constantFrom(...files), some).map(([bytes, list]) => applyChanges(bytes, list));
}

export function applyChanges(bytes: Buffer, list: readonly Change[]): Buffer {
  return list.reduce(applyChange, Buffer.from(bytes));
}

function applyChange(bytes: Buffer, { at, kind, value }: Change): Buffer {
  const from = Math.floor(at * bytes.length);
  const length = Math.min(Number(value & 0xffn) + 1, bytes.length - from);
  switch (kind) {
    case 'byte':
      if (from < bytes.length) bytes[from] = Number(value & 0xffn);
      return bytes;
    case 'word':
      if (from + 4 <= bytes.length) bytes.writeUInt32LE(Number(value & 0xffff_ffffn), from & ~3);
      return bytes;
    case 'long':
      if (from + 8 <= bytes.length) bytes.writeBigUInt64LE(value, from & ~7);
      return bytes;
    case 'cut':
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)]);
    case 'repeat':
      return Buffer.concat([bytes.subarray(0, from + length), bytes.subarray(from)]);
    case 'end':
      return bytes.subarray(0, from);
  }
}
