/** Every command on a machine where the package has no addon: a coded error with a remedy that is possible there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../project.js';

const PARTS = [
  'dist/index.js',
  'dist/policies.js',
  'dist/yaml.js',
  'dist/cli/main.js',
  'dist/cli/program.js',
  'dist/protocol',
  'dist/grpc',
  'dist/report',
  'dist/page',
  'policies',
];
const POLICY = 'policies/file-monitoring.yaml';

describe('a package without an addon', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-bare-'));
    for (const part of [...PARTS, 'package.json']) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function run(args: readonly string[], arch?: string): { status: number | null; text: string } {
    const code = `Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} });`;
    const preload = arch === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
    const env = { ...process.env, POLYTRACE_SOCKET: join(folder, 'no.sock') };
    const { status, stdout, stderr } = spawnSync(process.execPath, [...preload, 'dist/cli/main.js', ...args], {
      cwd: folder,
      encoding: 'utf8',
      env,
    });
    const text = stdout + stderr;
    assert.doesNotMatch(text, /internal error|^ {4}at /m, args.join(' '));
    return { status, text };
  }

  it('commands that need the kernel say what to install, with status 3', () => {
    const events = ['getevents', '--policy', POLICY, '--duration', '1'];
    const commands = [
      events,
      ['preflight'],
      ['cleanup', '/sys/fs/bpf/none'],
      ['validate', '--kernel', 'running', POLICY],
    ];
    for (const args of [...commands, ['test', POLICY], ['explain', '--btf', '/nowhere', POLICY]]) {
      const { status, text } = run(args);
      assert.equal(status, 3, args.join(' '));
      // the sources are not here, so nothing can be built
      if (process.platform === 'linux') assert.match(text, /install it again(?!.*rebuild)/, args.join(' '));
    }
  }).timeout(60_000);

  it('preflight says it once, and JSON has every answer', () => {
    assert.equal(run(['preflight']).text.split('cannot be loaded').length, 2);
    const { problem, canTrace, features } = JSON.parse(run(['preflight', '-o', 'json']).text) as Record<
      string,
      unknown
    >;
    assert.match(String(problem), /the native addon cannot be loaded/);
    assert.deepEqual([canTrace, Array.isArray(features)], [false, true]);
  }).timeout(60_000);

  it('names `rebuild` only where the sources are, and the folder can be written', () => {
    if (process.platform !== 'linux') return;
    const hint = (): string => run(['cleanup', '/none']).text;
    writeFileSync(join(folder, 'CMakeLists.txt'), '');
    assert.match(hint(), /polytrace rebuild/);
    rmSync(join(folder, 'CMakeLists.txt'));
    assert.doesNotMatch(hint(), /rebuild/);
  }).timeout(60_000);

  it('an architecture without an addon: the remedy is another machine', () => {
    if (process.platform !== 'linux') return;
    const { status, text } = run(['getevents', '--policy', POLICY], 'riscv64');
    assert.deepEqual(
      [status, /tracing needs x64 or arm64.*--server/.test(text), /rebuild/.test(text)],
      [3, true, false],
    );
    const rebuilt = run(['rebuild'], 'riscv64');
    assert.deepEqual([rebuilt.status, /the addon needs x64 or arm64/.test(rebuilt.text)], [3, true]);
  }).timeout(60_000);

  it('commands of an agent say how to start one, with status 5', () => {
    for (const args of [['status'], ['info'], ['top', '--once'], ['policy', 'list']]) {
      const { status, text } = run(args);
      assert.deepEqual([status, /hint: start an agent/.test(text)], [5, true], args.join(' '));
    }
  }).timeout(60_000);

  it('tryTracing() and openTracer() give the same reason', () => {
    const code = `
      const polytrace = require('./dist/index.js');
      void (async () => {
        const { canTrace, problems, hooks } = await polytrace.tryTracing();
        const error = await polytrace.openTracer().catch((error) => error);
        console.log(JSON.stringify({ canTrace, problems, hooks, code: error.code, name: error.name }));
      })();`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--eval', code], { cwd: folder, encoding: 'utf8' });
    assert.equal(stderr, '');
    const { problems, hooks, ...rest } = JSON.parse(stdout) as { problems: string[]; hooks: Record<string, boolean> };
    assert.deepEqual(rest, { canTrace: false, code: 'ADDON_MISSING', name: 'KernelError' });
    assert.match(problems.join(), /^base sensor: the native addon cannot be loaded/);
    assert.ok(Object.values(hooks).every((works) => !works));
  }).timeout(60_000);
});
