/** The addon trusts no offset of a record, a pattern or a process: random ones run under AddressSanitizer. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NIGHTLY } from '../nightly.js';

const ROOT = join(__dirname, '../..');
const ROUNDS = NIGHTLY ? 2_000_000 : 20_000;

describe('lines of the addon', function () {
  this.timeout(NIGHTLY ? 1_800_000 : 180_000);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-lines-'));
  const program = join(folder, 'lines');

  before(() => {
    const flags = ['-std=c++20', '-iquote', 'native', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
    const sources = ['test/native/programs/lines.cc', 'native/lines/line_writer.cc'];
    execFileSync('c++', [...flags, '-o', program, ...sources], { cwd: ROOT, stdio: 'inherit' });
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const seed of [1, Date.now() % 2 ** 31]) {
    it(`stay within the bytes that they are given, from seed ${seed}`, () => {
      const output = execFileSync(program, [String(seed), String(ROUNDS)], { encoding: 'utf8' });
      const [written = 0, gaps = 0] = output.split(' ').map(Number);
      assert.ok(written > ROUNDS / 10 && gaps > ROUNDS / 10, output);
    });
  }
});
