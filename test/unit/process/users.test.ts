/** Names of users. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INITIAL_INODES } from '../../../lib/process/host-namespaces.js';
import { parsePasswd, findUserName, UserNames } from '../../../lib/process/users.js';

describe('names of users', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'users-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('the first name of an id counts; lines that are not valid in passwd(5) are ignored', () => {
    const text =
      'root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n\n#\nname:x\nbad:x:1x:1::/:\n+::::::\nuser:x:1000:1000::/:\n';
    assert.deepEqual(
      [...parsePasswd(text)],
      [
        [0, 'root'],
        [1000, 'user'],
      ],
    );
  });

  it('a changed file is read again after ten seconds', () => {
    const file = join(folder, 'passwd');
    writeFileSync(file, 'a:x:1:1::/:\n');
    const users = new UserNames(file);
    assert.deepEqual([users.find(1, 0), users.find(2, 0)], ['a', undefined]);
    writeFileSync(file, 'b:x:1:1::/:\nc:x:2:2::/:\n');
    utimesSync(file, 1, 1);
    assert.deepEqual([users.find(1, 9_999), users.find(2, 9_999)], ['a', undefined]);
    assert.deepEqual([users.find(1, 10_000), users.find(2, 10_000)], ['b', 'c']);
    rmSync(file);
    assert.equal(users.find(1, 20_000), undefined);
  });

  it('a folder, a missing file and an undefined path have no names', () => {
    for (const path of [folder, join(folder, 'none'), undefined])
      assert.equal(new UserNames(path).find(0, 0), undefined);
  });

  it('a process in another user namespace has no name', () => {
    const inodes = Object.entries(INITIAL_INODES).map(([name, [inode = 0]]) => [name, inode] as const);
    const host = Object.fromEntries(inodes) as Record<keyof typeof INITIAL_INODES, number>;
    assert.equal(findUserName(0, { ...host, user: 7 }), undefined);
    assert.equal(findUserName(0, { ...host, mnt: 7 }), undefined);
  });
});
