/** Build ids of mapped files: the build id of exactly that file, or none. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileArgument } from '../../../types/index.js';
import { FakeFileReader } from '../fake-file-reader.js';
import { findFileBuildId } from '../../../lib/events/build-ids.js';

const BUILD_ID = '00112233445566778899aabbccddeeff';

/** Builds an ELF file that contains only a note. */
function elfWithNote(noteBytes = 32): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const program = Buffer.alloc(56);
  program.writeUInt32LE(4, 0);
  program.writeBigUInt64LE(120n, 8);
  program.writeBigUInt64LE(BigInt(noteBytes), 32);
  const note = Buffer.alloc(16);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(BUILD_ID.length / 2, 4);
  note.writeUInt32LE(3, 8);
  note.write('GNU', 12);
  return Buffer.concat([header, program, note, Buffer.from(BUILD_ID, 'hex')]);
}

const READER = new FakeFileReader();

describe('build ids', () => {
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'build-ids-'))));
  after(() => rmSync(folder, { recursive: true }));

  function writeMappedFile(name: string, content: Buffer): FileArgument {
    const path = join(folder, name);
    writeFileSync(path, content);
    const { dev, ino } = statSync(path, { bigint: true });
    const number = Number(dev);
    const device = { major: (number >>> 8) & 0xfff, minor: (number & 0xff) | ((number / 2 ** 12) & 0xfff00) };
    return { type: 'file', index: 0, path, flags: [], permission: '', inode: ino, device, links: 1 };
  }

  it('come from the file that was mapped', async () => {
    const file = writeMappedFile('a', elfWithNote());
    assert.equal(await findFileBuildId(process.pid, file, READER), BUILD_ID);
    // The process has ended, so the path on the host is used.
    assert.equal(await findFileBuildId(0x7fffffff, file, READER), BUILD_ID);
  });

  it('do not come from another file', async () => {
    const file = writeMappedFile('b', elfWithNote());
    assert.equal(await findFileBuildId(process.pid, { ...file, inode: file.inode + 1n }, READER), undefined);
    assert.equal(await findFileBuildId(process.pid, { ...file, device: { major: 4000, minor: 1 } }), undefined);
    const other = writeMappedFile('c', elfWithNote());
    renameSync(other.path, file.path);
    assert.equal(await findFileBuildId(process.pid, file, READER), undefined);
    assert.equal(await findFileBuildId(process.pid, { ...file, path: folder }, READER), undefined);
    assert.equal(await findFileBuildId(process.pid, { ...file, path: '' }, READER), undefined);
  });

  it('are missing if the file has none or is damaged', async () => {
    assert.equal(await findFileBuildId(process.pid, writeMappedFile('d', Buffer.from('text')), READER), undefined);
    const whole = elfWithNote();
    for (let length = 0; length < whole.length; length += 4) {
      assert.equal(
        await findFileBuildId(process.pid, writeMappedFile(`e${length}`, whole.subarray(0, length)), READER),
        undefined,
      );
    }
    assert.equal(await findFileBuildId(process.pid, writeMappedFile('f', elfWithNote(2 ** 40)), READER), BUILD_ID);
  });
});
