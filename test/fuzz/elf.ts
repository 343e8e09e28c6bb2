/** ELF files that are damaged or malicious, for the readers of probes, functions and build ids. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { runToCompletion } from '../../lib/cooperative.js';
import { readFunctions } from '../../lib/elf/elf-functions.js';
import { fileOffset, virtualAddress } from '../../lib/elf/elf-info.js';
import { readMappedBuildId, readElf } from '../../lib/elf/elf.js';
import type { FileBytes } from '../../lib/elf/file-bytes.js';
import { applyChanges, changes, oddLong, oddNumber, rarely } from './mutations.js';
import type { Target } from './target.js';

const HEADER = 64;
const SYMBOL = 24;

/** Bytes that are repeated, so that tables become long. */
const times = fc.constantFrom(1, 1, 1, 2, 50, 3000);
const word = fc.oneof(
  fc.constantFrom('', 'main', 'GNU', 'stapsdt', '-4@%eax', ' ', '8@16(%rsp)'),
  fc.string({ maxLength: 8 }),
);

function encodeSymbol([name, info, section, value, size]: readonly [number, number, number, bigint, bigint]): Buffer {
  const bytes = Buffer.alloc(SYMBOL);
  bytes.writeUInt32LE(name, 0);
  bytes[4] = info;
  bytes.writeUInt16LE(section, 6);
  bytes.writeBigUInt64LE(value, 8);
  bytes.writeBigUInt64LE(size, 16);
  return bytes;
}
const symbol = fc
  .tuple(oddNumber, fc.constantFrom(2, 0x12, 0x22, 10, 1, 0), fc.constantFrom(1, 0), oddLong, oddLong)
  .map(encodeSymbol);

/** Symbols that differ only in their names. */
const numbered = fc.tuple(symbol, times).map(([one, count]) =>
  Buffer.concat(
    Array.from({ length: count }, (_, i) => {
      const bytes = Buffer.from(one);
      bytes.writeUInt32LE((one.readUInt32LE(0) + i) % 2 ** 32, 0);
      return bytes;
    }),
  ),
);

function encodeNote([owner, type, content, lie]: readonly [string, number, Buffer, number | null]): Buffer {
  const head = Buffer.alloc(12);
  const name = Buffer.from(`${owner}\0`);
  head.writeUInt32LE(lie ?? name.length, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(type, 8);
  const padTo4 = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  return Buffer.concat([head, padTo4(name), padTo4(content)]);
}
const probe = fc
  .array(fc.tuple(word, times), { maxLength: 4 })
  .map((words) => Buffer.concat([Buffer.alloc(24), Buffer.from(words.map(([text, n]) => text.repeat(n)).join('\0'))]));
const note = fc
  .tuple(word, fc.constantFrom(3, 3, 1), fc.oneof(probe, fc.uint8Array({ maxLength: 20 }).map((b) => Buffer.from(b))), rarely(oddNumber))
  .map(encodeNote); // prettier-ignore

const repeatPiece = (piece: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc.tuple(piece, times).map(([bytes, n]) => Buffer.concat(Array<Buffer>(n).fill(bytes)).subarray(0, 200_000));

const names = fc.oneof(
  repeatPiece(word.map((text) => Buffer.from(`${text}\0`))),
  repeatPiece(word.map((text) => Buffer.from(text))),
);
const notes = repeatPiece(note);

interface Section {
  readonly type: number;
  readonly content: Buffer;
  /** The number of the section with the names of a table of symbols; `next` for the one behind it. */
  readonly link: number | 'next';
  readonly entry: bigint;
  /** A wrong value that the file contains in place of the correct one. */
  readonly offset: bigint | null;
  readonly size: bigint | null;
}

const details = {
  entry: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(24n, 0n) }, oddLong),
  offset: rarely(oddLong),
  size: rarely(oddLong),
};
const lone = (type: fc.Arbitrary<number>, content: fc.Arbitrary<Buffer>): fc.Arbitrary<Section> =>
  fc.record({ type, content, link: fc.nat(6), ...details });
const withNames = fc.record({
  type: fc.constantFrom(2, 11),
  content: numbered,
  link: fc.constant('next' as const),
  ...details,
});

/** Sections that belong together. */
const group: fc.Arbitrary<readonly Section[]> = fc.oneof(
  fc.tuple(withNames, lone(fc.constant(3), names)),
  fc.tuple(lone(fc.constant(7), notes)),
  fc.tuple(lone(fc.constantFrom(2, 3, 7, 11, 0), fc.oneof(numbered, notes, names))),
);
const segment = fc.record({ type: fc.constantFrom(1, 4), offset: oddLong, address: oddLong, size: oddLong });

const model = fc.record({
  sections: fc.array(group, { maxLength: 4 }).map((groups) => groups.flat()),
  segments: fc.array(segment, { maxLength: 4 }),
  sectionBytes: rarely(oddNumber),
  sectionCount: rarely(fc.constantFrom(0, 1, 0xffff)),
  segmentBytes: rarely(oddNumber),
  segmentCount: rarely(fc.constantFrom(0, 1, 0xffff)),
});

type Model = typeof model extends fc.Arbitrary<infer T> ? T : never;

function encodeFile({ sections, segments, ...lies }: Model): Buffer {
  const header = Buffer.alloc(HEADER);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const table = Buffer.alloc(64 * sections.length);
  let offset = HEADER;
  sections.forEach(({ type, content, link, entry, ...own }, i) => {
    table.writeUInt32LE(type, 64 * i + 4);
    table.writeBigUInt64LE(own.offset ?? BigInt(offset), 64 * i + 24);
    table.writeBigUInt64LE(own.size ?? BigInt(content.length), 64 * i + 32);
    table.writeUInt32LE(link === 'next' ? i + 1 : link, 64 * i + 40);
    table.writeBigUInt64LE(entry, 64 * i + 56);
    offset += content.length;
  });
  const programs = Buffer.alloc(56 * segments.length);
  segments.forEach(({ type, offset: at, address, size }, i) => {
    programs.writeUInt32LE(type, 56 * i);
    programs.writeBigUInt64LE(at, 56 * i + 8);
    programs.writeBigUInt64LE(address, 56 * i + 16);
    programs.writeBigUInt64LE(size, 56 * i + 32);
  });
  header.writeBigUInt64LE(BigInt(offset), 40);
  header.writeUInt16LE((lies.sectionBytes ?? 64) & 0xffff, 58);
  header.writeUInt16LE(lies.sectionCount ?? sections.length, 60);
  header.writeBigUInt64LE(BigInt(offset + table.length), 32);
  header.writeUInt16LE((lies.segmentBytes ?? 56) & 0xffff, 54);
  header.writeUInt16LE(lies.segmentCount ?? segments.length, 56);
  return Buffer.concat([header, ...sections.map(({ content }) => content), table, programs]);
}

/** A file that counts the bytes that are read, which become buffers. */
class CountedFile implements FileBytes {
  readonly size: number;
  #asked = 0;

  constructor(private readonly bytes: Buffer) {
    this.size = bytes.length;
  }

  readAt(offset: number, length: number): Buffer {
    assert.ok(
      Number.isSafeInteger(offset) && offset >= 0 && offset + length <= this.size,
      'it reads inside of the file',
    );
    this.#asked += length;
    assert.ok(this.#asked <= 6 * this.size, `it reads ${this.#asked} bytes of a file of ${this.size}`);
    return this.bytes.subarray(offset, offset + length);
  }
}

function check(input: Buffer): void {
  const elf = readElf(new CountedFile(input));
  let kept = 0;
  for (const name of elf?.symbols.keys() ?? []) kept += name.length;
  for (const [name, places] of elf?.probes ?? []) {
    kept += name.length;
    for (const { args } of places) kept += args.join('').length;
  }
  assert.ok(kept <= 20 * input.length, `${kept} characters of a file of ${input.length} bytes`);
  const functions = runToCompletion(readFunctions(new CountedFile(input)));
  for (const at of [0n, 1n, 64n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) {
    if (elf !== null) {
      const offset = fileOffset(elf, at);
      if (offset !== undefined) virtualAddress(elf, offset);
    }
    const found = functions?.find(at);
    assert.ok(found === undefined || (found.symbol.length <= 1024 && typeof found.offset === 'bigint'));
  }
  assert.match(runToCompletion(readMappedBuildId(new CountedFile(input))) ?? '', /^[0-9a-f]{0,128}$/);
}

export const elf: Target = {
  name: 'elf',
  extension: 'elf',
  inputs: fc.tuple(model, changes).map(([file, list]) => applyChanges(encodeFile(file), list)),
  check,
};
