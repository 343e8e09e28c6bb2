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

describe('the bundled library', function () {
  this.timeout(20_000);

  it('is two files, and loads no package at the start', () => {
    assert.deepEqual(listLoadedFiles("require('./dist/index.js')"), ['dist/index.js', 'dist/policies.js']);
  });

  it('loads the package yaml with the first policy', () => {
    const files = listLoadedFiles("require('./dist/index.js').validatePolicy('')");
    assert.deepEqual(files, ['dist/index.js', 'dist/policies.js', 'dist/yaml.js']);
  });

  it('has each module of the policies once: the classes of both files are the same', () => {
    const code = `
      const [library, policies] = [require('./dist/index.js'), require('./dist/policies.js')];
      const { shared, ...names } = policies;
      const others = Object.keys(names).filter((name) => library[name] !== policies[name]);
      const classes = ['PolytraceError', 'PolicyError', 'KernelError'];
      const copies = ['index', 'policies', 'cli/main', 'cli/program'].flatMap((file) =>
        require('node:fs').readFileSync('./dist/' + file + '.js', 'utf8').match(/class( \\w+)? extends (\\w+\\.)*PolytraceError/g) ?? []);
      console.log(JSON.stringify({
        others,
        isInternalPublic: 'shared' in library,
        copies: copies.length,
        same: classes.every((name) => library[name] === shared.errors[name]),
        thrown: [() => library.parsePolicy(''), () => library.parseLock(': {')].map((run) => {
          try { run() } catch (error) { return error instanceof policies.PolytraceError }
        }),
      }));`;
    const { stdout, stderr } = runNode('--eval', code);
    assert.equal(stderr, '');
    // PolicyError and KernelError
    assert.deepEqual(JSON.parse(stdout), {
      others: [],
      isInternalPublic: false,
      copies: 2,
      same: true,
      thrown: [true, true],
    });
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
    assert.match(runNode('--eval', code).stderr, /at (Object\.)?parsePolicy .*dist\/policies\.js:\d+/);
  });
});

describe('the parts of the package that few programs use', function () {
  this.timeout(20_000);

  const listPackageFiles = (statement: string): readonly string[] =>
    listLoadedFiles(statement).filter((file) => !file.startsWith('node_modules/'));

  it('load no other copy of the library', () => {
    assert.deepEqual(listPackageFiles("require('./dist/report/index.js')"), [
      'dist/report/index.js',
      'dist/index.js',
      'dist/policies.js',
    ]);
    assert.deepEqual(listPackageFiles("require('./dist/grpc/client.js')"), [
      'dist/grpc/client.js',
      'dist/protocol/index.js',
    ]);
  });

  it('contain packages that are listed with their licences', () => {
    const listed = JSON.parse(readProjectFile('dist/bundled-packages.json')) as readonly {
      readonly name: string;
      readonly license: string;
      readonly files: readonly string[];
    }[];
    const { dependencies } = JSON.parse(readProjectFile('package.json')) as { readonly dependencies: object };
    // see scripts/bundle.mjs
    assert.deepEqual(
      listed.filter(({ name }) => Object.hasOwn(dependencies, name)).map(({ name, files }) => [name, files]),
      [
        ['commander', ['dist/cli/main.js', 'dist/cli/program.js']],
        ['yaml', ['dist/yaml.js']],
      ],
    );
    assert.deepEqual(
      listed.filter(({ license }) => !['Apache-2.0', 'MIT', 'BSD-3-Clause', 'ISC'].includes(license)),
      [],
    );
    assert.deepEqual(listed.find(({ name }) => name === '@grpc/grpc-js')?.files, ['dist/grpc/client.js']);
  });
});

describe('the bundled command', function () {
  this.timeout(20_000);

  const listCommandFiles = (...args: readonly string[]): readonly string[] =>
    listLoadedFiles(`
      process.argv = [process.argv[0], 'polytrace', ...${JSON.stringify(args)}];
      process.stdout.write = () => true;
      require('./dist/cli/main.js');
      delete process.stdout.write`).filter((file) => !file.startsWith('node_modules/'));

  it('uses the library of the package, and no other copy of it', () => {
    const command = `process.argv.splice(1, 0, 'polytrace'); require('./dist/cli/main.js');
      process.on('exit', () => console.log(Object.keys(require.cache).filter((file) => !file.includes('node_modules'))))`;
    const { stdout } = runNode('--eval', command, '--', 'preflight');
    const files = [...stdout.matchAll(/dist\/[\w/]+\.js/g)].map(([file]) => file).sort();
    // as root, it also loads a policy
    const code = files.filter((file) => file !== 'dist/yaml.js');
    assert.deepEqual(code, ['dist/cli/main.js', 'dist/cli/program.js', 'dist/index.js', 'dist/policies.js']);
  });

  it('loads only its policies for commands that open no tracer', () => {
    assert.deepEqual(listCommandFiles('policies', 'list'), [
      'dist/cli/main.js',
      'dist/cli/program.js',
      'dist/policies.js',
    ]);
    for (const command of ['validate', 'explain']) {
      assert.deepEqual(listCommandFiles(command, '--kernel', 'none', 'policies/kernel.yaml'), [
        'dist/cli/main.js',
        'dist/policies.js',
        'dist/yaml.js',
      ]);
    }
  });

  it('loads no library for its help', () => {
    assert.deepEqual(listCommandFiles('--version'), ['dist/cli/main.js', 'dist/cli/program.js']);
    assert.deepEqual(listCommandFiles('getevents', '--help'), ['dist/cli/main.js', 'dist/cli/program.js']);
    assert.deepEqual(listCommandFiles('validate', '--help'), ['dist/cli/main.js']);
  });

  it('prints the same help of a command with and without the other commands', () => {
    for (const command of ['validate', 'explain']) {
      const help = runNode('dist/cli/main.js', command, '--help').stdout;
      assert.equal(runNode('dist/cli/main.js', 'help', command).stdout, help);
      assert.match(help, /--btf <file>/);
    }
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
