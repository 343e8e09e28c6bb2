/** The list of attachable functions is read again only when modules were loaded or unloaded. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttachableFunctions, type FunctionNames } from '../../../lib/native/attachable.js';

describe('list of the functions that can be probed', () => {
  let folder: string;
  let path: string;
  let modules: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-functions-'));
    [path, modules] = [join(folder, 'functions'), join(folder, 'modules')];
    writeFileSync(path, 'vfs_read\nvfs_write\next4_sync [ext4]\n');
    writeFileSync(modules, 'ext4 100 1 - Live 0x0000000000000000\n');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const sortNames = (names: FunctionNames): string[] => [...(names ?? [])].sort();

  it('has the names of functions without the names of modules', async () => {
    const expected = ['ext4_sync', 'vfs_read', 'vfs_write'];
    assert.deepEqual(sortNames(await new AttachableFunctions(path, modules).readNames()), expected);
    assert.deepEqual(sortNames(new AttachableFunctions(path, modules).readNamesSync()), expected);
  });

  it('is cached while the same modules are loaded, whatever uses them', async () => {
    const list = new AttachableFunctions(path, modules);
    const first = await list.readNames();
    writeFileSync(path, 'never_read\n');
    writeFileSync(modules, 'ext4 100 7 other, Live 0x0000000000000000\n');
    assert.equal(await list.readNames(), first);
  });

  for (const [what, text] of [
    ['comes', 'nfs 20 0 - Live 0x0\next4 100 1 - Live 0x0\n'],
    ['goes', ''],
    ['is replaced', 'ext4 101 1 - Live 0x0\n'],
  ] as const) {
    it(`is read again when a module ${what}`, async () => {
      const list = new AttachableFunctions(path, modules);
      await list.readNames();
      writeFileSync(path, 'nfs_read [nfs]\n');
      writeFileSync(modules, text);
      assert.deepEqual(sortNames(await list.readNames()), ['nfs_read']);
    });
  }

  it('is unknown if the file is missing or empty', async () => {
    writeFileSync(path, '');
    for (const file of [path, join(folder, 'missing')]) {
      assert.equal(await new AttachableFunctions(file, modules).readNames(), null);
      assert.equal(new AttachableFunctions(file, modules).readNamesSync(), null);
    }
  });
});
