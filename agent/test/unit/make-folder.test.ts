/** Folders that the agent makes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../../lib/make-folder.js';

describe('a folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'polytrace-folder-'));
  after(() => rmSync(root, { recursive: true }));

  it('is made with those above it, and an existing one stays as it is', async () => {
    const path = join(root, 'a/b/c');
    await Promise.all([makeFolder(path, 0o700), makeFolder(path, 0o700)]);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    await makeFolder(path, 0o777);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    symlinkSync(path, join(root, 'link'));
    await makeFolder(join(root, 'link/d'));
  });

  it('that cannot be made is an error, and nothing hangs', async () => {
    writeFileSync(join(root, 'file'), '');
    symlinkSync('/no/such/folder', join(root, 'nowhere'));
    await assert.rejects(makeFolder(join(root, 'file')), { code: 'EEXIST' });
    await assert.rejects(makeFolder(join(root, 'file/a')), { code: 'ENOTDIR' });
    await assert.rejects(makeFolder(join(root, 'nowhere/a')), { code: 'ENOENT' });
    await assert.rejects(makeFolder('/proc/none/a'), { code: 'ENOENT' });
  });
});
