/** The optimizer preserves the meaning of programs: runs random programs and their specialized versions in an interpreter. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NIGHTLY } from '../nightly.js';

const ROOT = join(__dirname, '../..');
const SOURCES = readdirSync(join(ROOT, 'native/optimizer'))
  .filter((name) => name.endsWith('.cc'))
  .map((name) => `native/optimizer/${name}`);
const COUNT = NIGHTLY ? 100_000 : 1000;

describe('programs for one configuration', function () {
  this.timeout(NIGHTLY ? 1_800_000 : 180_000);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-optimizer-'));
  const compile = (name: string): string => {
    const program = join(folder, name);
    const flags = ['-std=c++20', '-iquote', 'native', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
    execFileSync('c++', [...flags, '-o', program, `test/native/programs/${name}.cc`, ...SOURCES], {
      cwd: ROOT,
      stdio: 'inherit',
    });
    return program;
  };
  let program = '';

  before(() => {
    program = compile('optimizer');
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const seed of [1, Date.now() % 2 ** 31]) {
    it(`do what the generic ones do, from seed ${seed}`, () => {
      const output = execFileSync(program, [String(seed), String(COUNT)], { encoding: 'utf8' });
      const [before = 0, after = 0] = output.split(' ').map(Number);
      assert.ok(after > 0 && after < before / 2, `${before} instructions became ${after}`);
    });
  }

  it('stay generic where a jump would need more than 16 bits; a store of the frame pointer is kept', () => {
    assert.deepEqual(execFileSync(compile('optimizer-limits'), { encoding: 'utf8' }).trim().split('\n'), [
      'longest jump: is the same',
      'longer jump: stays generic',
      'much longer jump: stays generic',
      'store of r10: is the same',
    ]);
  });
});
