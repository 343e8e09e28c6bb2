/** Makes raw BTF, little-endian: Documentation/bpf/btf.rst of the kernel. */

export interface BtfType {
  readonly kind: number;
  readonly name?: string;
  /** The type that it refers to, or the size of a struct. */
  readonly ref?: number;
  /** Words after the type. A struct has [name, type, bits] for each member. */
  readonly rest?: readonly (number | string)[];
  readonly members?: number;
  /** `kind_flag`: the members of a struct can be bit fields. */
  readonly flag?: boolean;
}

export function encodeBtf(types: readonly BtfType[]): Buffer {
  const words: number[] = [];
  let strings = '\0';
  const offsets = new Map([['', 0]]);
  const stringOffset = (text: string): number => {
    const known = offsets.get(text);
    if (known !== undefined) return known;
    const at = Buffer.byteLength(strings);
    offsets.set(text, at);
    strings += `${text}\0`;
    return at;
  };
  for (const { kind, name = '', ref = 0, rest = [], members = 0, flag = false } of types) {
    words.push(stringOffset(name), ((flag ? 0x8000_0000 : 0) | (kind << 24) | members) >>> 0, ref);
    words.push(...rest.map((word) => (typeof word === 'string' ? stringOffset(word) : word)));
  }
  const body = Buffer.from(Uint32Array.from(words).buffer);
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  const bytes = Buffer.from(strings);
  [24, 0, body.length, body.length, bytes.length].forEach((word, i) => header.writeUInt32LE(word, 4 + 4 * i));
  return Buffer.concat([header, body, bytes]);
}
