/** ELF files that an attacker made to take time or memory. A small file is read in a short time, whatever its headers claim. */
import assert from 'node:assert/strict';
import { runToCompletion } from '../../../lib/cooperative.js';
import { readFunctions } from '../../../lib/elf/elf-functions.js';
import { readMappedBuildId, readElf } from '../../../lib/elf/elf.js';
import type { ElfInfo } from '../../../lib/elf/elf-info.js';
import type { FileBytes } from '../../../lib/elf/file-bytes.js';
import { toFileBytes } from './elf-builder.js';

const KIB = 1024;
const SYMTAB = 2;
const NOTE = 7;

interface Section {
  readonly type: number;
  readonly content: Buffer;
  readonly link?: number;
  /** The size in the header, if it differs from the real size. */
  readonly size?: bigint;
}

/** `entry` and `count` are the entry size and the length of the section table. */
function buildSections(sections: readonly Section[], { entry = 64, count = sections.length } = {}): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const table = Buffer.alloc(64 * sections.length);
  let offset = 64;
  sections.forEach(({ type, content, link = 0, size = BigInt(content.length) }, i) => {
    table.writeUInt32LE(type, 64 * i + 4);
    table.writeBigUInt64LE(BigInt(offset), 64 * i + 24);
    table.writeBigUInt64LE(size, 64 * i + 32);
    table.writeUInt32LE(link, 64 * i + 40);
    offset += content.length;
  });
  header.writeBigUInt64LE(BigInt(offset), 40);
  header.writeUInt16LE(entry, 58);
  header.writeUInt16LE(count, 60);
  return Buffer.concat([header, ...sections.map(({ content }) => content), table]);
}

function symbolTable(count: number): Buffer {
  const table = Buffer.alloc(24 * count);
  for (let i = 0; i < count; i++) {
    table.writeUInt32LE(i, 24 * i);
    table[24 * i + 4] = 2;
    table[24 * i + 6] = 1;
  }
  return table;
}

function noteBytes(owner: string, content: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(owner.length, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(3, 8);
  const padToFour = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  return Buffer.concat([head, padToFour(Buffer.from(owner)), padToFour(content)]);
}
const probeNote = (text: string): Buffer =>
  noteBytes('stapsdt\0', Buffer.concat([Buffer.alloc(24), Buffer.from(text)]));
const repeatBytes = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array<Buffer>(count).fill(bytes));

/** Reads a file with every reader. Counts the bytes that are read, and checks that the time is limited. */
function readAll(file: Buffer): { readonly elf: ElfInfo | null; readonly bytes: number } {
  let bytes = 0;
  const counted: FileBytes = {
    size: file.length,
    readAt(offset, length) {
      bytes += length;
      return toFileBytes(file).readAt(offset, length);
    },
  };
  const begin = process.cpuUsage();
  const elf = readElf(counted);
  const bytesRead = bytes;
  runToCompletion(readFunctions(counted));
  runToCompletion(readMappedBuildId(counted));
  const { user, system } = process.cpuUsage(begin);
  assert.ok((user + system) / 1000 < 3000, `${(user + system) / 1000} ms`);
  return { elf, bytes: bytesRead };
}

describe('hostile ELF files', function () {
  this.timeout(20_000);

  it('symbols whose names are not terminated', () => {
    const strings = Buffer.alloc(600 * KIB, 'x');
    assert.equal(
      readAll(
        buildSections([
          { type: SYMTAB, content: symbolTable(50_000), link: 1 },
          { type: 3, content: strings },
        ]),
      ).elf,
      null,
    );
  });

  it('one static probe with many locations', () => {
    const { elf } = readAll(buildSections([{ type: NOTE, content: repeatBytes(100_000, probeNote('p\0n\0')) }]));
    assert.equal(elf?.probes.get('p:n')?.length, 100_000);
  });

  it('a static probe whose arguments have many blanks', () => {
    const blanks = ' '.repeat(500 * KIB);
    const { elf } = readAll(buildSections([{ type: NOTE, content: probeNote(`p\0n\0-4@%eax${blanks}8@(%rdi, 1)\0`) }]));
    assert.deepEqual(elf?.probes.get('p:n'), [{ args: ['-4@%eax', '8@(%rdi, 1)'] }]);
  });

  it('65,535 equal sections', () => {
    const content = repeatBytes(1000, probeNote('p\0n\0'));
    assert.equal(readAll(buildSections([{ type: NOTE, content }], { entry: 0, count: 0xffff })).elf, null);
  });

  it('a section larger than the file takes no memory', () => {
    const size = 200n * 1024n * 1024n;
    const file = buildSections([{ type: NOTE, content: probeNote('p\0n\0'), size }]);
    assert.ok(readAll(file).bytes <= 2 * file.length);
  });
});
