import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPrograms } from '../../../lib/run/programs';

describe('programs of a lock file', () => {
  let folder: string;
  before(() => (folder = realpathSync(mkdtempSync(join(tmpdir(), 'polytrace-programs-')))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const find = async (...names: readonly string[]): Promise<string[]> => {
    const patterns = names.map((name) => ({ path: join(folder, name), isPrefix: false }));
    return (await findPrograms(patterns)).slice(names.length).map(({ path }) => path);
  };

  it('a link stands for its target, and a script for its interpreters', async () => {
    for (const [name, text] of [
      ['program', '\x7fELF'],
      ['script', `#! ${folder}/program -x\n`],
      ['second', `#!${folder}/script\n`],
      ['loop', `#!${folder}/loop\n`],
    ] as const)
      writeFileSync(join(folder, name), text);
    symlinkSync('second', join(folder, 'link'));
    assert.deepEqual(await find('program'), []);
    assert.deepEqual(
      await find('link'),
      ['second', 'script', 'program'].map((name) => join(folder, name)),
    );
    assert.deepEqual(await find('loop'), []);
  });

  it('what is not there or no file adds nothing, and nobody waits for it', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    assert.deepEqual(await find('missing', '.', 'pipe'), []);
    const prefix = [{ path: `${folder}/`, isPrefix: true }];
    assert.deepEqual(await findPrograms(prefix), prefix);
  });
});
