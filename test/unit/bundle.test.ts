/** `npm run build:ts` makes one file of each entry point, which starts fast. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

function node(...args: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
}

/** The files that a statement makes Node.js load, without those of Node.js itself. */
function filesOf(statement: string): readonly string[] {
  const code = `${statement}; console.log(JSON.stringify(Object.keys(require.cache)))`;
  const { stdout, stderr } = node('--eval', code);
  assert.equal(stderr, '');
  return (JSON.parse(stdout) as string[]).map((file) => file.slice(ROOT.length + 1));
}

describe('the bundled library', () => {
  it('is one file, which loads no package at the start', () => {
    assert.deepEqual(filesOf("require('./dist/index.js')"), ['dist/index.js']);
  });

  it('loads the package yaml with the first policy', () => {
    const files = filesOf("require('./dist/index.js').validatePolicy('')");
    assert.ok(files.some((file) => file.includes('node_modules/yaml/')));
  });

  it('has the stack traces of its sources, where Node.js reads source maps', () => {
    const code = "require('./dist/index.js').parsePolicy('')";
    assert.match(
      node('--enable-source-maps', '--eval', code).stderr,
      /at (Object\.)?parsePolicy .*lib\/policy\/index\.ts:\d+/,
    );
    assert.match(node('--eval', code).stderr, /at (Object\.)?parsePolicy .*dist\/index\.js:\d+/);
  });
});

describe('the bundled command', () => {
  it('uses the library of the package, and no other copy of it', () => {
    const files = filesOf(`
      process.argv = [process.argv[0], 'polytrace', '--version'];
      process.stdout.write = () => true;
      require('./dist/cli/main.js');
      delete process.stdout.write`);
    const own = files.filter((file) => !file.startsWith('node_modules/'));
    assert.deepEqual(own, ['dist/cli/main.js', 'dist/index.js']);
  });

  it('knows the errors of the library', () => {
    const { stdout, stderr } = node('dist/cli/main.js', 'explain', 'package.json');
    assert.match(stdout + stderr, /package\.json:\d+:\d+: error/);
    assert.doesNotMatch(stderr, /internal error/);
  });
});
