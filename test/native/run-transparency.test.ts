/** `polytrace run -- COMMAND`: output, exit status and signals of a command are the same with and without it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needsRoot, ROOT } from './support.js';

const COMMAND = join(ROOT, 'dist', 'cli', 'main.js');
const RUN = [process.execPath, COMMAND, 'run', '--quiet', '--'];

describe('run, as the command sees it', function () {
  this.timeout(60_000);
  before(needsRoot);
  before(function () {
    if (process.arch !== 'x64') this.skip();
  });
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'polytrace-transparency-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Shell commands. Each runs in a shell of its own, with and without `run`. */
  const commands = [
    'true',
    'false',
    'exit 77',
    'echo out; echo error >&2',
    'cat',
    'cat <&-; echo $?',
    'kill -TERM $$',
    'kill -KILL $$',
    'kill -SEGV $$',
    'trap "echo caught; exit 5" TERM; kill -TERM $$',
    'ulimit -n; ulimit -c; umask',
    'env | grep -v ^_= | sort',
    'ls /proc/self/fd | wc -l',
    'id',
    'pwd',
    'ps -o pgid= -p $$ | tr -d " " > group; ps -o pgid= -p $(cat parent) | tr -d " " | cmp - group && echo same group',
    'printf "%s|" "$0" "$@"',
    'head -c 300000 /dev/zero | tr "\\0" x',
    'grep -E "^(SigBlk|SigIgn|SigCgt)" /proc/self/status',
    'sh -c "exit 9" & wait $!; exit $?',
    'exec 1>&-; echo lost; exit 3',
    'cat /dev/fd/9',
  ];

  function runShell(script: string, before: readonly string[]): Pick<SpawnSyncReturns<string>, 'status' | 'signal' | 'stdout' | 'stderr'> {
    // the shell gives the command descriptor 9, and its own group
    const [program = '', ...args] = ['sh', '-c', 'echo $$ > parent; "$@" 9< nine; s=$?; exit $s', 'sh', ...before, 'sh', '-c', script, 'name', 'a b', ''];
    writeFileSync(join(folder, 'nine'), 'ninth\n');
    const { status, signal, stdout, stderr } = spawnSync(program, args, { cwd: folder, input: 'input\n', encoding: 'utf8' });
    return { status, signal, stdout, stderr: stderr.replace(/^sh: \d+: |Terminated|Killed|Segmentation fault/gm, '').trim() };
  }

  for (const script of commands) {
    it(script, () => assert.deepEqual(runShell(script, RUN), runShell(script, [])));
  }

  it('a command that is not found, and one that may not be executed', () => {
    writeFileSync(join(folder, 'plain'), '');
    for (const [name, status] of [['no-such-program', 127], [join(folder, 'plain'), 126]] as const) {
      const result = spawnSync(RUN[0] ?? '', [...RUN.slice(1), name], { encoding: 'utf8' });
      assert.deepEqual([result.status, result.stdout], [status, '']);
      assert.match(result.stderr, new RegExp(`^polytrace: ${name}: (not found|permission denied)\n$`));
    }
  });

  it('a run within a run: its status is that of the command, and both see what it does', () => {
    const table: readonly (readonly [readonly string[], number | null, NodeJS.Signals | null])[] = [
      [['sh', '-c', 'exit 77'], 77, null],
      [['sh', '-c', 'kill -TERM $$'], null, 'SIGTERM'],
      [['no-such-program'], 127, null],
    ];
    for (const [command, status, signal] of table) {
      const result = spawnSync(RUN[0] ?? '', [...RUN.slice(1), ...RUN, ...command], { encoding: 'utf8' });
      assert.deepEqual([result.status, result.signal, result.stdout], [status, signal, ''], command.join(' '));
    }
    const outside = `${folder}-nested`;
    const inner = [...RUN.filter((word) => word !== '--quiet'), 'sh', '-c', `echo x > ${outside}`];
    const nested = spawnSync(RUN[0] ?? '', [...RUN.slice(1).filter((word) => word !== '--quiet'), ...inner], { cwd: folder, encoding: 'utf8' });
    rmSync(outside, { force: true });
    assert.equal(nested.status, 0, nested.stderr);
    assert.equal([...nested.stderr.matchAll(new RegExp(`^ {4}${outside}$`, 'gm'))].length, 2, nested.stderr);
    assert.match(nested.stderr, /^ {4}load a BPF program/m);
  });

  it('under sudo, the command runs as the user that called it; it may not trace, and says so', () => {
    const env = { ...process.env, SUDO_UID: '65534', SUDO_GID: '65533', SUDO_USER: 'nobody' };
    const script = 'id -u; id -g; echo $HOME; grep CapEff /proc/self/status';
    const { stdout, status } = spawnSync(RUN[0] ?? '', [...RUN.slice(1), 'sh', '-c', script], { env, cwd: '/', encoding: 'utf8' });
    const home = /^nobody:.*:([^:]*):[^:]*$/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1] ?? '';
    assert.deepEqual([status, stdout.split('\n')], [0, ['65534', '65533', home, 'CapEff:\t0000000000000000', '']]);
    const asRoot = spawnSync(process.execPath, [COMMAND, 'run', '--quiet', '--user', 'root', '--', 'id', '-u'], { env, cwd: '/', encoding: 'utf8' });
    assert.deepEqual([asRoot.status, asRoot.stdout], [0, '0\n']);
    const unknown = spawnSync(process.execPath, [COMMAND, 'run', '--user', 'no-such-user', '--', 'true'], { encoding: 'utf8' });
    assert.deepEqual([unknown.status, /RUN_FAILED: there is no user "no-such-user"/.test(unknown.stderr)], [1, true], unknown.stderr);
  });

  it('a signal to polytrace goes to the command, and its end is that of the command', async () => {
    const script = 'trap "echo got TERM; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
    const child = spawn(RUN[0] ?? '', [...RUN.slice(1), 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output === 'ready\n') child.kill('SIGTERM');
    });
    const [status] = (await once(child, 'close')) as [number];
    assert.deepEqual([status, output], [5, 'ready\ngot TERM\n']);
  });

  it('a summary on standard error, files for others, and the exit status of a lock file', () => {
    const run = (...args: readonly string[]): SpawnSyncReturns<string> =>
      spawnSync(process.execPath, [COMMAND, 'run', ...args], { cwd: folder, encoding: 'utf8' });
    const first = run('--lock', 'lock.yaml', '--', 'true');
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stderr, /lock\.yaml was written\npolytrace: true: exit status 0, .* 1 programs executed/);
    const second = run('--lock', 'lock.yaml', '--summary', 'sarif', 'out.sarif', '--report', 'out.html', '--record', 'out.jsonl', '-o', 'compact', '--', 'sh', '-c', `echo x > ${folder}-outside`);
    rmSync(`${folder}-outside`, { force: true });
    assert.equal(second.status, 7, second.stderr);
    assert.match(second.stderr, /process .*sh[^]*\+ write \$TMP\//);
    assert.match(readFileSync(join(folder, 'out.sarif'), 'utf8'), /run-write/);
    assert.match(readFileSync(join(folder, 'out.html'), 'utf8'), /^<!doctype html>/);
    const read = spawnSync(process.execPath, [COMMAND, 'read', 'out.jsonl'], { cwd: folder, encoding: 'utf8' });
    assert.match(read.stdout, /process .*\/sh/);
    assert.equal(run('--lock', 'lock.yaml', '--', 'sh', '-c', `echo x > ${folder}-outside; exit 4`).status, 4);
    writeFileSync(join(folder, 'lock.yaml'), 'version: 2\n');
    const wrong = run('--lock', 'lock.yaml', '--', 'true');
    assert.deepEqual([wrong.status, /LOCK_INVALID: lock\.yaml:1:10/.test(wrong.stderr)], [1, true]);
  });

  it('a file that has no room is named, and is an error', () => {
    const write = (...options: string[]): Pick<SpawnSyncReturns<string>, 'status' | 'stderr'> =>
      spawnSync(process.execPath, [COMMAND, 'run', '--quiet', ...options, '--', 'true'], { cwd: folder, encoding: 'utf8' });
    const recorded = write('--record', '/dev/full');
    assert.deepEqual([recorded.status, recorded.stderr], [4, 'polytrace: the recording in /dev/full ends here: ENOSPC: no space left on device, write\n']);
    const page = write('--report', '/dev/full');
    assert.deepEqual([page.status, page.stderr.split('\n')[0]], [2, 'polytrace: cannot write /dev/full: ENOSPC']);
    symlinkSync('/dev/full', join(folder, 'lock'));
    const locked = write('--update-lock', '--lock', 'lock');
    assert.deepEqual([locked.status, locked.stderr.split('\n')[0]], [1, 'polytrace: error RUN_FAILED: cannot write lock: ENOSPC']);
  });
});
