/** `npm run build:ts` bundles each entry point into one file, which starts fast. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readProjectFile, ROOT } from '../project.js';

function runNode(...args: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
}

/** Lists the files that Node.js loads for a statement, without its own. */
function listLoadedFiles(statement: string): readonly string[] {
  const code = `${statement}; console.log(JSON.stringify(Object.keys(require.cache)))`;
  const { stdout, stderr } = runNode('--eval', code);
  assert.equal(stderr, '');
  return (JSON.parse(stdout) as string[]).map((file) => file.slice(ROOT.length + 1));
}

describe('the bundled library', () => {
  it('is one file, and loads no package at the start', () => {
    assert.deepEqual(listLoadedFiles("require('./dist/index.js')"), ['dist/index.js']);
  });

  it('loads the package yaml with the first policy', () => {
    const files = listLoadedFiles("require('./dist/index.js').validatePolicy('')");
    assert.ok(files.some((file) => file.includes('node_modules/yaml/')));
  });

  it('loads the network modules of Node.js only when they are used', () => {
    const isHttp2Loaded = (statement: string): boolean =>
      runNode('--eval', `${statement}; console.log(process.moduleLoadList.includes('NativeModule http2'))`).stdout ===
      'true\n';
    assert.equal(isHttp2Loaded("require('./dist/index.js')"), false);
    assert.equal(isHttp2Loaded("require('node:http2')"), true);
  });

  it('has stack traces of its sources if Node.js reads source maps', () => {
    const code = "require('./dist/index.js').parsePolicy('')";
    assert.match(
      runNode('--enable-source-maps', '--eval', code).stderr,
      /at (Object\.)?parsePolicy .*lib\/policy\/index\.ts:\d+/,
    );
    assert.match(runNode('--eval', code).stderr, /at (Object\.)?parsePolicy .*dist\/index\.js:\d+/);
  });
});

describe('the parts of the package that few programs use', () => {
  const listPackageFiles = (statement: string): readonly string[] =>
    listLoadedFiles(statement).filter((file) => !file.startsWith('node_modules/'));

  it('load no other copy of the library', () => {
    assert.deepEqual(listPackageFiles("require('./dist/report/index.js')"), ['dist/report/index.js', 'dist/index.js']);
    assert.deepEqual(listPackageFiles("require('./dist/grpc/client.js')"), [
      'dist/grpc/client.js',
      'dist/protocol/index.js',
    ]);
  });

  it('contain packages that are not dependencies of the package, and are listed with their licences', () => {
    const listed = JSON.parse(readProjectFile('dist/bundled-packages.json')) as readonly {
      readonly name: string;
      readonly license: string;
      readonly files: readonly string[];
    }[];
    const { dependencies } = JSON.parse(readProjectFile('package.json')) as { readonly dependencies: object };
    assert.deepEqual(
      listed.filter(({ name }) => Object.hasOwn(dependencies, name)),
      [],
    );
    assert.deepEqual(
      listed.filter(({ license }) => !['Apache-2.0', 'MIT', 'BSD-3-Clause', 'ISC'].includes(license)),
      [],
    );
    assert.deepEqual(listed.find(({ name }) => name === '@grpc/grpc-js')?.files, ['dist/grpc/client.js']);
  });
});

describe('the bundled command', () => {
  const listCommandFiles = (...args: readonly string[]): readonly string[] =>
    listLoadedFiles(`
      process.argv = [process.argv[0], 'polytrace', ...${JSON.stringify(args)}];
      process.stdout.write = () => true;
      require('./dist/cli/main.js');
      delete process.stdout.write`).filter((file) => !file.startsWith('node_modules/'));

  it('uses the library of the package, and no other copy of it', () => {
    assert.deepEqual(listCommandFiles('policies', 'list'), ['dist/cli/main.js', 'dist/index.js']);
  });

  it('loads no library for its help', () => {
    assert.deepEqual(listCommandFiles('--version'), ['dist/cli/main.js']);
    assert.deepEqual(listCommandFiles('getevents', '--help'), ['dist/cli/main.js']);
  });

  it('loads the client of an agent only for commands that ask one', () => {
    const loaded = (...args: readonly string[]): boolean => {
      const command =
        "require('./dist/cli/main.js'); process.on('exit', () => console.log(Object.keys(require.cache)))";
      return runNode('--eval', `process.argv.splice(1, 0, 'polytrace'); ${command}`, '--', ...args).stdout.includes(
        'dist/grpc/client.js',
      );
    };
    assert.equal(loaded('policies', 'list'), false);
    assert.equal(loaded('status', '--server', 'unix:///nowhere'), true);
  });

  it('knows the errors of the library', () => {
    const { stdout, stderr } = runNode('dist/cli/main.js', 'explain', 'package.json');
    assert.match(stdout + stderr, /package\.json:\d+:\d+: error/);
    assert.doesNotMatch(stderr, /internal error/);
  });
});
