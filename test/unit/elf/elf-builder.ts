/** Builds small ELF files with function symbols and static probes. */
import type { FileBytes } from '../../../lib/elf/file-bytes.js';

/** Makes a readable file of the bytes. */
export function toFileBytes(bytes: Buffer): FileBytes {
  return { size: bytes.length, readAt: (offset, length) => bytes.subarray(offset, offset + length) };
}

export interface ElfContents {
  readonly symbols: readonly string[];
  /** The addresses of the symbols. By default, they are consecutive from 0x1000, without a size. */
  readonly addresses?: readonly number[];
  readonly sizes?: readonly number[];
  /** `PROVIDER:NAME` */
  readonly probes: readonly string[];
  readonly bigEndian?: boolean;
  /** The build id in hexadecimal. */
  readonly buildId?: string;
  /** [address, offset, size] of each mapped segment. */
  readonly segments?: readonly (readonly [number, number, number])[];
}

export function buildElf(wanted: ElfContents): Buffer {
  const { symbols, probes, bigEndian = false, buildId, segments = [], addresses, sizes } = wanted;
  const writeU16 = (buffer: Buffer, at: number, value: number): void =>
    void (bigEndian ? buffer.writeUInt16BE(value, at) : buffer.writeUInt16LE(value, at));
  const writeU32 = (buffer: Buffer, at: number, value: number): void =>
    void (bigEndian ? buffer.writeUInt32BE(value, at) : buffer.writeUInt32LE(value, at));
  const writeU64 = (buffer: Buffer, at: number, value: number): void =>
    void (bigEndian ? buffer.writeBigUInt64BE(BigInt(value), at) : buffer.writeBigUInt64LE(BigInt(value), at));

  const names = ['', ...symbols, 'imported', 'variable'];
  const strings = Buffer.from(`${names.join('\0')}\0`);
  const table = Buffer.alloc(24 * names.length);
  let nameAt = 0;
  names.forEach((name, i) => {
    writeU32(table, 24 * i, nameAt);
    nameAt += Buffer.byteLength(name) + 1;
    table[24 * i + 4] = name === '' ? 0 : name === 'variable' ? 1 : 2;
    writeU16(table, 24 * i + 6, name === '' || name === 'imported' ? 0 : 1);
    writeU64(table, 24 * i + 8, addresses?.[i - 1] ?? 0x1000 + i - 1);
    writeU64(table, 24 * i + 16, sizes?.[i - 1] ?? 0);
  });
  const notes = Buffer.concat([
    noteBytes('GNU', 1, Buffer.alloc(20), writeU32),
    ...(buildId === undefined ? [] : [noteBytes('GNU', 3, Buffer.from(buildId, 'hex'), writeU32)]),
    ...probes.map((probe) =>
      noteBytes(
        'stapsdt',
        3,
        Buffer.concat([Buffer.alloc(24), Buffer.from(`${probe.replace(':', '\0')}\0-4@%eax\0`)]),
        writeU32,
      ),
    ),
  ]);

  const contents = [Buffer.alloc(0), table, strings, notes];
  const kinds = [0, 2, 3, 7];
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, bigEndian ? 2 : 1, 1]);
  const sections = Buffer.alloc(64 * contents.length);
  let offset = 64;
  contents.forEach((content, i) => {
    writeU32(sections, 64 * i + 4, kinds[i] ?? 0);
    writeU64(sections, 64 * i + 24, offset);
    writeU64(sections, 64 * i + 32, content.length);
    writeU32(sections, 64 * i + 40, kinds[i] === 2 ? 2 : 0);
    writeU64(sections, 64 * i + 56, kinds[i] === 2 ? 24 : 0);
    offset += content.length;
  });
  writeU64(header, 40, offset);
  writeU16(header, 58, 64);
  writeU16(header, 60, contents.length);
  const programs = Buffer.alloc(56 * (segments.length + 1));
  segments.forEach(([address, at, size], i) => {
    writeU32(programs, 56 * i, 1);
    writeU64(programs, 56 * i + 8, at);
    writeU64(programs, 56 * i + 16, address);
    writeU64(programs, 56 * i + 32, size);
  });
  writeU64(header, 32, offset + sections.length);
  writeU16(header, 54, 56);
  writeU16(header, 56, segments.length + 1);
  return Buffer.concat([header, ...contents, sections, programs]);
}

function noteBytes(
  owner: string,
  type: number,
  content: Buffer,
  writeU32: (buffer: Buffer, at: number, value: number) => void,
): Buffer {
  const head = Buffer.alloc(12);
  const name = Buffer.from(`${owner}\0`);
  writeU32(head, 0, name.length);
  writeU32(head, 4, content.length);
  writeU32(head, 8, type);
  const padToFour = (buffer: Buffer): Buffer => Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4)]);
  return Buffer.concat([head, padToFour(name), padToFour(content)]);
}
