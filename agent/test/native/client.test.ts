/** The command as a client of the agent: events, policies, and its output. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, renameSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { COMMAND, spawnCommand, OutputReader, Machine, needsRoot, needsTracefs, openatPolicy, runCommand, type RunningCommand } from './support.js';

const NODE = process.env['NODE_NAME'] ?? hostname();

describe('the command as a client of the agent', function () {
  // a busy machine needs five seconds to start a command
  this.timeout(300_000);
  let machine: Machine;
  let program: string;

  before(needsRoot);
  before(needsTracefs);
  beforeEach(() => {
    machine = new Machine();
    program = join(machine.folder, 'cat');
    copyFileSync('/bin/cat', program);
  });
  afterEach(() => machine?.remove());

  async function followEvents(...args: readonly string[]): Promise<RunningCommand> {
    const running = spawnCommand('getevents', '--server', machine.address, ...args);
    await running.stderr.waitFor('ready: events of the agent');
    return running;
  }

  /** Runs the command on a pseudo-terminal, then prints the terminal's settings for keys. */
  function runOnTerminal(...args: readonly string[]): ChildProcessWithoutNullStreams {
    const quoted = [process.execPath, COMMAND, ...args].map((word) => `'${word}'`).join(' ');
    // each process of the machine has a row
    const script = `stty rows 2000 columns 300; ${quoted}; status=$?; stty -a | tr ' ;' '\\n' | grep -x -e icanon -e echo | sort -r | xargs; exit $status`;
    return spawn('script', ['--quiet', '--return', '--flush', '--command', script, '/dev/null'], { stdio: 'pipe' });
  }

  async function interrupt({ child }: RunningCommand): Promise<number | null> {
    const end = once(child, 'exit');
    child.kill('SIGINT');
    return ((await end) as [number | null])[0];
  }

  it('two clients with different filters see what a policy of the folder reports', async () => {
    const file = join(machine.folder, 'secret');
    writeFileSync(file, 'x');
    writeFileSync(join(machine.policies, 'a.yaml'), openatPolicy('secrets', file));
    await machine.start();
    const lines = await followEvents('-o', 'compact', '--process', `^${program}$`);
    const json = await followEvents('-o', 'json', '-e', 'process_tracepoint', '-f', 'policy_name,args', '--policy-names', 'secrets');
    execFileSync(program, [file]);
    await lines.stdout.waitFor('exit');
    await json.stdout.waitFor('\n');
    assert.deepEqual(lines.stdout.lines(), [
      `🚀 process ${NODE} ${program} ${file}`,
      `📍 tracepoint ${NODE} ${program} syscalls/sys_enter_openat ${file} # secrets`,
      `💥 exit    ${NODE} ${program} ${file} 0`,
    ]);
    const [first = ''] = json.stdout.lines();
    const { process_tracepoint: event, ...outer } = JSON.parse(first) as Record<string, unknown>;
    assert.deepEqual(event, { args: [{ string_arg: file }], policy_name: 'secrets' });
    assert.deepEqual(Object.keys(outer), ['node_name', 'time']);
    assert.equal(await interrupt(lines), 0);
    assert.equal(await interrupt(json), 0);
  });

  it('policies by file: added, replaced without a gap, broken, renamed, removed', async () => {
    const { agent } = { agent: await machine.start() };
    const [one, two] = ['one', 'two'].map((name) => join(machine.folder, name)) as [string, string];
    for (const path of [one, two]) writeFileSync(path, '');
    const lines = await followEvents('-o', 'compact', '--process', `^${program}$`, '-e', 'process_tracepoint');
    const policy = join(machine.policies, 'p.yaml');
    writeFileSync(policy, openatPolicy('files', one));
    await agent.stderr.waitFor('"msg":"a policy was loaded"');
    execFileSync(program, [one]);
    await lines.stdout.waitFor(`openat ${one}`);
    writeFileSync(policy, openatPolicy('files', two));
    await agent.stderr.waitFor('"msg":"a policy was replaced"');
    execFileSync(program, [two]);
    await lines.stdout.waitFor(`openat ${two}`);
    writeFileSync(policy, 'kind: [');
    await agent.stderr.waitFor('"msg":"a policy file was not loaded"');
    const { status, stdout } = await runCommand('policy', 'list', '--server', machine.address, '-o', 'json');
    assert.equal(status, 1);
    const [entry] = JSON.parse(stdout) as { name: string; state: string; error: string }[];
    assert.deepEqual([entry?.name, entry?.state], ['files', 'enabled']);
    assert.match(entry?.error ?? '', /p\.yaml:1:\d+: YAML_/);
    const health = await runCommand('status', '--server', machine.address);
    assert.match(health.stdout, /1 policy has errors/);
    rmSync(policy);
    await agent.stderr.waitFor('"msg":"a policy was removed"');
    assert.deepEqual(JSON.parse((await runCommand('policy', 'list', '--server', machine.address, '-o', 'json')).stdout), []);
    await interrupt(lines);
  });

  it('policies from the folder of a ConfigMap, whose links are swapped', async () => {
    const versions = ['..one', '..two'].map((name) => join(machine.policies, name)) as [string, string];
    for (const [i, folder] of versions.entries()) {
      mkdirSync(folder);
      writeFileSync(join(folder, 'p.yaml'), openatPolicy('mapped', `/version/${i}`));
    }
    const data = join(machine.policies, '..data');
    symlinkSync('..one', data);
    symlinkSync('..data/p.yaml', join(machine.policies, 'p.yaml'));
    const agent = await machine.start();
    assert.match(agent.stderr.text, /"policy":"mapped".*"msg":"a policy was loaded"/);
    symlinkSync('..two', `${data}_tmp`);
    renameSync(`${data}_tmp`, data);
    await agent.stderr.waitFor('"msg":"a policy was replaced"');
  });

  it('every command whose reader has gone ends quietly: | head', async () => {
    const recorded = join(machine.folder, 'recorded.jsonl');
    await machine.start('--export-filename', recorded);
    execFileSync(program, ['/dev/null']);
    const policy = join(machine.folder, 'p.yaml');
    writeFileSync(policy, openatPolicy('quiet', '/never'));
    const at = ['--server', machine.address];
    const commands = [
      ['--help'], ['--version'], ['help', 'read'], ['schema'], ['completion', 'bash'], ['preflight'], ['policies', 'list'],
      ['validate', policy, policy], ['explain', policy], ['explain', '--bypass', policy],
      ['read', recorded], ['read', recorded, '-o', 'json'], ['getevents', '--input', recorded], ['report', recorded, '-o', '-'],
      ['agent', '--help'], ['agent', '--check'],
      ['status', ...at], ['info', ...at], ['policy', 'list', ...at], ['top', '--once', ...at], ['policy', 'add', policy, ...at],
    ]; // prettier-ignore
    for (const args of commands) {
      const { child, stderr } = spawnCommand(...args);
      child.stdout.destroy();
      const [status] = (await once(child, 'close')) as [number | null];
      assert.equal(status, 141, `${args.join(' ')}: ${stderr.text}`);
      assert.doesNotMatch(stderr.text, /Error|EPIPE|\n {4}at /, args.join(' '));
    }
  });

  it('policies over the socket, and the end of the agent', async () => {
    await machine.start();
    const file = join(machine.folder, 'p.yaml');
    writeFileSync(file, openatPolicy('asked', '/never'));
    const at = ['--server', machine.address];
    assert.equal((await runCommand('policy', 'add', file, ...at)).stdout, `${file}: loaded\n`);
    const again = await runCommand('policy', 'add', file, ...at);
    assert.deepEqual([again.status, again.stderr.includes('is loaded already')], [1, true]);
    assert.equal((await runCommand('policy', 'disable', 'asked', ...at)).status, 0);
    const refused = await runCommand('policy', 'set-mode', 'monitor', 'asked', ...at);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /POLICY_MONITOR_ONLY: .*asked cannot be changed: it only reports/);
    assert.match((await runCommand('policy', 'list', ...at)).stdout, /asked +disabled +monitor_only/);
    assert.match((await runCommand('policy', 'status', 'asked', ...at)).stdout, /mode +monitor_only/);
    assert.match((await runCommand('info', ...at)).stdout, /tracing-policy-dir/);
    assert.match((await runCommand('top', '--once', '--interval', '0.1', ...at)).stdout, /^RATE\/S.*POLICIES\n.*asked/);
    assert.equal((await runCommand('policy', 'delete', 'asked', ...at)).status, 0);
    assert.equal((await runCommand('policy', 'delete', 'asked', ...at)).status, 1);
    assert.equal(await machine.stop(), 0);
    const failed = await runCommand('status', ...at);
    assert.deepEqual([failed.status, failed.stderr.includes('no agent answers')], [5, true]);
  });

  it('patterns are RE2, and fields that a client does not want are left out of compact lines', async () => {
    await machine.start();
    const lines = await followEvents('--process', `(?i)^${program.toUpperCase()}$`, '-e', 'process_exec', '-F', 'process.arguments');
    execFileSync(program, ['/dev/null']);
    await lines.stdout.waitFor('\n');
    assert.deepEqual(lines.stdout.lines(), [`🚀 process ${NODE} ${program}`]);
    assert.equal(await interrupt(lines), 0);
    for (const [flags, reason] of [
      [['--process', '(?=x)'], /allow_list\[0\]\.binary_regex\[0\]: /],
      [['-f', 'process.binari'], /no event has the field 'process\.binari'/],
    ] as const) {
      const { status, stderr } = await runCommand('getevents', '--server', machine.address, ...flags);
      assert.ok(status !== 0, flags.join(' '));
      assert.match(stderr, reason);
    }
  });

  it('top on a terminal: draws, sorts and changes its view by keys, and leaves the terminal as it was', async () => {
    await machine.start();
    writeFileSync(join(machine.policies, 'a.yaml'), openatPolicy('watched', join(machine.folder, 'x')));
    await machine.agent.stderr.waitFor('"msg":"a policy was loaded"');
    const top = runOnTerminal('top', '--server', machine.address, '--interval', '0.2');
    const shown = new OutputReader(top.stdout);
    await shown.waitFor('\u001b[H\u001b[2JRATE/S');
    await shown.waitFor('watched');
    await shown.waitFor('keys: r m p l n sort, v view, q quit');
    top.stdin.write('v');
    await shown.waitFor('HOOKS');
    await shown.waitFor('watched: ');
    top.stdin.write('vn');
    await shown.waitFor('PROCESSES');
    execFileSync(program, ['/dev/null']);
    await shown.waitFor(program);
    assert.ok(!shown.text.includes('vn'), 'the terminal does not echo keys');
    top.stdin.write('q');
    const [status] = (await once(top, 'exit')) as [number | null];
    assert.equal(status, 0);
    await shown.waitFor('icanon echo');
  });

  it('a client connects again to an agent that was killed and started again', async () => {
    await machine.start();
    const lines = await followEvents('-o', 'compact', '--reconnect', '--process', `^${program}$`);
    await machine.stop('SIGKILL');
    await lines.stderr.waitFor('trying again');
    await machine.start();
    const ready = /ready.*ready/s;
    while (!ready.test(lines.stderr.text)) await once(lines.child.stderr, 'data');
    execFileSync(program, ['/dev/null']);
    await lines.stdout.waitFor(`${program} /dev/null 0`);
    await interrupt(lines);
  });
});
