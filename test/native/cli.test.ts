/** The command as users run it, on the running kernel. The base sensor needs no kprobes. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcessWithoutNullStreams, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OutputReader } from '../../agent/test/native/support.js';

const ROOT = join(__dirname, '../..');
const COMMAND = ['--require', require.resolve('tsx/cjs'), join(ROOT, 'lib/cli/main.ts')];
const EXAMPLE = join(ROOT, 'policies/file-monitoring.yaml');
const NODE = process.env['NODE_NAME'] ?? hostname();

type Json = Record<string, Record<string, unknown>>;

describe('polytrace on this kernel', function () {
  this.timeout(60_000);

  let folder: string;
  /** A program that nothing else on this machine runs. */
  let program: string;
  let child: ChildProcessWithoutNullStreams;
  let stdout: OutputReader;
  let stderr: OutputReader;

  before(function () {
    if (process.platform === 'linux' && process.getuid?.() === 0) return;
    if (process.env['REQUIRE_ALL'] === '1') throw new Error('these tests need root on Linux');
    console.warn('    skipped: these tests need root on Linux');
    this.skip();
  });

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'polytrace-native-')));
    chmodSync(folder, 0o755);
    program = join(folder, 'true');
    copyFileSync('/bin/true', program);
  });

  afterEach(() => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, maxRetries: 10 });
  });

  function startCommand(args: readonly string[], options: SpawnOptions = {}): void {
    const env = { ...process.env, NO_COLOR: '1' };
    child = spawn(process.execPath, [...COMMAND, ...args], { env, ...options, stdio: 'pipe' });
    stdout = new OutputReader(child.stdout);
    stderr = new OutputReader(child.stderr);
  }

  async function startAndWait(...args: string[]): Promise<void> {
    startCommand(['getevents', ...args]);
    await stderr.waitFor('ready');
  }

  async function stopCommand(signal: NodeJS.Signals = 'SIGINT'): Promise<unknown[]> {
    const closed = once(child, 'close');
    child.kill(signal);
    return closed;
  }

  const ownLines = (): string[] => stdout.lines().filter((line) => line.includes(program));

  it('says ready in one line, then shows an exec and its exit', async () => {
    await startAndWait();
    spawnSync(program, ['a', 'b c', '\u001b[2J\n', '']);
    await stdout.waitFor(`exit    ${NODE} ${program}`);
    assert.deepEqual(await stopCommand(), [0, null]);
    assert.equal(stderr.text, 'ready: base sensor: exec, exit, fork\n');
    const shown = `${NODE} ${program} a "b c" "\\x1b[2J\\n" ""`;
    assert.deepEqual(ownLines(), [`🚀 process ${shown}`, `💥 exit    ${shown} 0`]);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`${signal} still prints all events before it`, async () => {
      await startAndWait();
      for (let i = 0; i < 100; i += 1) spawnSync(program, [`run-${i}`]);
      assert.deepEqual(await stopCommand(signal), [0, null]);
      const expected = Array.from({ length: 100 }, (_, i) => [
        `🚀 process ${NODE} ${program} run-${i}`,
        `💥 exit    ${NODE} ${program} run-${i} 0`,
      ]);
      assert.deepEqual(ownLines(), expected.flat());
    });
  }

  it('shows the exit status, and the signal that ended a process', async () => {
    copyFileSync('/bin/sh', program);
    await startAndWait('--process', `^${program}$`, '--event-types', 'process_exit');
    spawnSync(program, ['-c', 'exit 7']);
    spawnSync(program, ['-c', 'kill -KILL $$']);
    spawnSync(program, ['-c', 'kill -ABRT $$']);
    assert.deepEqual(await stopCommand(), [0, null]);
    assert.deepEqual(stdout.lines(), [
      `💥 exit    ${NODE} ${program} -c "exit 7" 7`,
      `💥 exit    ${NODE} ${program} -c "kill -KILL $$" SIGKILL`,
      `💥 exit    ${NODE} ${program} -c "kill -ABRT $$" SIGABRT`,
    ]);
  });

  it('-o json prints valid lines with the process, its parent and its working folder', async () => {
    await startAndWait('-o', 'json');
    const { pid } = spawnSync(program, ['x'], { cwd: folder });
    assert.deepEqual(await stopCommand(), [0, null]);
    const events = stdout.lines().map((line) => JSON.parse(line) as Json);
    const times = events.map(({ time }) => time as unknown as string);
    assert.ok(times.every((time) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$/.test(time)));
    const own = events.filter((event) => JSON.stringify(event).includes(`"binary":"${program}"`));
    assert.deepEqual(
      own.map((event) => Object.keys(event)[0]),
      ['process_exec', 'process_exit'],
    );
    const exec = own[0]?.['process_exec'] as { process: Record<string, unknown>; parent: Record<string, unknown> };
    const exit = own[1]?.['process_exit'] as { process: Record<string, unknown>; status?: number };
    const { exec_id, parent_exec_id, cwd, uid, arguments: words, start_time } = exec.process;
    assert.deepEqual([exec.process['pid'], cwd, uid, words], [pid, folder, process.getuid?.(), 'x']);
    assert.match(String(start_time), /^\d{4}-/);
    assert.match(Buffer.from(String(exec_id), 'base64').toString(), new RegExp(`^${NODE}:\\d+:${pid}$`));
    assert.deepEqual([exec.parent['pid'], exec.parent['exec_id']], [process.pid, parent_exec_id]);
    assert.equal(exit.process['exec_id'], exec_id);
    assert.equal(exit.status, undefined);
  });

  it('a closed pipe ends it quietly: | head', async () => {
    const line = [process.execPath, ...COMMAND, 'getevents'].join(' ');
    child = spawn('bash', ['-o', 'pipefail', '-c', `${line} | head -n 1`], { stdio: 'pipe' });
    stdout = new OutputReader(child.stdout);
    stderr = new OutputReader(child.stderr);
    const closed = once(child, 'close');
    let running = true;
    void closed.then(() => (running = false));
    await stderr.waitFor('ready');
    while (running) await once(spawn(program), 'exit');
    // as a program that SIGPIPE has ended
    assert.deepEqual(await closed, [141, null]);
    assert.equal(stdout.lines().length, 1);
    assert.equal(stderr.lines().length, 1);
  });

  it('--duration ends it, and the events until then are printed', async () => {
    await startAndWait('--duration', '1');
    const closed = once(child, 'close');
    spawnSync(program, ['once']);
    assert.deepEqual(await closed, [0, null]);
    assert.deepEqual(ownLines(), [`🚀 process ${NODE} ${program} once`, `💥 exit    ${NODE} ${program} once 0`]);
  });

  it('without privileges: status 3, with the missing capability named', () => {
    const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--bounding-set', '-all'];
    const {
      status,
      stdout: out,
      stderr: err,
    } = spawnSync('setpriv', [...nobody, process.execPath, ...COMMAND, 'getevents'], {
      encoding: 'utf8',
    });
    assert.equal(status, 3, err);
    assert.equal(out, '');
    assert.match(err, /^polytrace: error [A-Z_]+: .*CAP_(BPF|SYS_ADMIN|PERFMON)/m);
  });

  it('a policy runs if the kernel supports it; otherwise status 3, with the missing feature named', async () => {
    const { stdout: table } = spawnSync(process.execPath, [...COMMAND, 'preflight'], { encoding: 'utf8' });
    startCommand(['getevents', '--policy', EXAMPLE]);
    const closed = once(child, 'close');
    if (table.includes('Policies with kprobes can run here')) {
      await stderr.waitFor('ready');
      assert.match(stderr.text, /^ready: .*file-monitoring: security_file_permission \((fentry|fexit|kprobe)/);
      assert.deepEqual(await stopCommand(), [0, null]);
    } else {
      assert.deepEqual(await closed, [3, null]);
      assert.match(stderr.text, /^polytrace: error [A-Z_]+: .*(kprobe|fentry)/);
    }
  });

  it('a full disk: events are counted as not written, and written again when there is room', async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', disk]).status, 0);
    try {
      writeFileSync(join(disk, 'filler'), Buffer.alloc(48 * 1024));
      const file = openSync(join(disk, 'events'), 'a');
      const command = spawn(process.execPath, [...COMMAND, 'getevents', '-o', 'json'], {
        stdio: ['ignore', file, 'pipe'],
      });
      const said = new OutputReader(command.stderr as NodeJS.ReadableStream);
      await said.waitFor('ready');
      while (!said.text.includes('ENOSPC')) {
        for (let i = 0; i < 20; i++) spawnSync(program);
        await new Promise((resolve) => setImmediate(resolve));
      }
      rmSync(join(disk, 'filler'));
      spawnSync(program, ['again']);
      await said.waitFor('the output works again');
      command.kill('SIGHUP');
      assert.deepEqual(await once(command, 'close'), [4, null]);
      const lines = readFileSync(join(disk, 'events'), 'utf8').trimEnd().split('\n');
      const whole = lines.filter((line) => line.endsWith('}'));
      assert.ok(lines.length - whole.length <= 1, 'at most the line at which the disk was full is torn');
      assert.ok(whole.some((line) => line.includes('"again"')));
      for (const line of whole) JSON.parse(line);
      closeSync(file);
    } finally {
      spawnSync('umount', ['-l', disk]);
    }
  });

  it('preflight shows what this kernel supports', () => {
    const { status, stdout: table } = spawnSync(process.execPath, [...COMMAND, 'preflight'], { encoding: 'utf8' });
    assert.equal(status, 0);
    for (const feature of ['btf', 'ring_buffer', 'tp_btf', 'fentry', 'kprobe', 'lsm', 'uprobe', 'privileges']) {
      assert.match(table, new RegExp(`^${feature} +(yes|no) +\\S`, 'm'));
    }
    assert.match(table, /^The base sensor \(exec, exit, fork\) can run here\.$/m);
  });
});
