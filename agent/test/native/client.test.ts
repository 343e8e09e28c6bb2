/** The command as a client of the agent: events, policies, and what it prints. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, renameSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { COMMAND, command, Gathered, Machine, needsRoot, needsTracefs, openatPolicy, ran, type Running } from './support.js';

const NODE = process.env['NODE_NAME'] ?? hostname();

describe('the command as a client of the agent', function () {
  // a busy machine starts a command in five seconds
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

  async function follow(...args: readonly string[]): Promise<Running> {
    const running = command('getevents', '--server', machine.address, ...args);
    await running.stderr.has('ready: events of the agent');
    return running;
  }

  /** The command on a pseudo-terminal; then what the terminal does with keys. */
  function onTerminal(...args: readonly string[]): ChildProcessWithoutNullStreams {
    const words = [process.execPath, COMMAND, ...args].map((word) => `'${word}'`).join(' ');
    const script = `${words}; status=$?; stty -a | tr ' ;' '\\n' | grep -x -e icanon -e echo | sort -r | xargs; exit $status`;
    return spawn('script', ['--quiet', '--return', '--flush', '--command', script, '/dev/null'], { stdio: 'pipe' });
  }

  async function ended({ child }: Running): Promise<number | null> {
    const end = once(child, 'exit');
    child.kill('SIGINT');
    return ((await end) as [number | null])[0];
  }

  it('two clients with different filters see what a policy of the folder reports', async () => {
    const file = join(machine.folder, 'secret');
    writeFileSync(file, 'x');
    writeFileSync(join(machine.policies, 'a.yaml'), openatPolicy('secrets', file));
    await machine.start();
    const lines = await follow('-o', 'compact', '--process', `^${program}$`);
    const json = await follow('-o', 'json', '-e', 'process_tracepoint', '-f', 'policy_name,args', '--policy-names', 'secrets');
    execFileSync(program, [file]);
    await lines.stdout.has('exit');
    await json.stdout.has('\n');
    assert.deepEqual(lines.stdout.lines(), [
      `🚀 process ${NODE} ${program} ${file}`,
      `📍 tracepoint ${NODE} ${program} syscalls/sys_enter_openat ${file} # secrets`,
      `💥 exit    ${NODE} ${program} ${file} 0`,
    ]);
    const [first = ''] = json.stdout.lines();
    const { process_tracepoint: event, ...outer } = JSON.parse(first) as Record<string, unknown>;
    assert.deepEqual(event, { args: [{ string_arg: file }], policy_name: 'secrets' });
    assert.deepEqual(Object.keys(outer), ['node_name', 'time']);
    assert.equal(await ended(lines), 0);
    assert.equal(await ended(json), 0);
  });

  it('policies by file: added, replaced without a gap, broken, renamed, removed', async () => {
    const { agent } = { agent: await machine.start() };
    const [one, two] = ['one', 'two'].map((name) => join(machine.folder, name)) as [string, string];
    for (const path of [one, two]) writeFileSync(path, '');
    const lines = await follow('-o', 'compact', '--process', `^${program}$`, '-e', 'process_tracepoint');
    const policy = join(machine.policies, 'p.yaml');
    writeFileSync(policy, openatPolicy('files', one));
    await agent.stderr.has('"msg":"a policy was loaded"');
    execFileSync(program, [one]);
    await lines.stdout.has(`openat ${one}`);
    writeFileSync(policy, openatPolicy('files', two));
    await agent.stderr.has('"msg":"a policy was replaced"');
    execFileSync(program, [two]);
    await lines.stdout.has(`openat ${two}`);
    writeFileSync(policy, 'kind: [');
    await agent.stderr.has('"msg":"a policy file was not loaded"');
    const { status, stdout } = await ran('policy', 'list', '--server', machine.address, '-o', 'json');
    assert.equal(status, 1);
    const [entry] = JSON.parse(stdout) as { name: string; state: string; error: string }[];
    assert.deepEqual([entry?.name, entry?.state], ['files', 'enabled']);
    assert.match(entry?.error ?? '', /p\.yaml:1:\d+: YAML_/);
    const health = await ran('status', '--server', machine.address);
    assert.match(health.stdout, /1 policy has errors/);
    rmSync(policy);
    await agent.stderr.has('"msg":"a policy was removed"');
    assert.deepEqual(JSON.parse((await ran('policy', 'list', '--server', machine.address, '-o', 'json')).stdout), []);
    await ended(lines);
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
    await agent.stderr.has('"msg":"a policy was replaced"');
  });

  it('policies over the socket, and the end of the agent', async () => {
    await machine.start();
    const file = join(machine.folder, 'p.yaml');
    writeFileSync(file, openatPolicy('asked', '/never'));
    const at = ['--server', machine.address];
    assert.equal((await ran('policy', 'add', file, ...at)).stdout, `${file}: loaded\n`);
    const again = await ran('policy', 'add', file, ...at);
    assert.deepEqual([again.status, again.stderr.includes('is loaded already')], [1, true]);
    for (const words of [['disable', 'asked'], ['set-mode', 'monitor', 'asked']]) {
      assert.equal((await ran('policy', ...words, ...at)).status, 0);
    }
    assert.match((await ran('policy', 'list', ...at)).stdout, /asked +disabled +monitor/);
    assert.match((await ran('policy', 'status', 'asked', ...at)).stdout, /mode +monitor/);
    assert.match((await ran('info', ...at)).stdout, /tracing-policy-dir/);
    assert.match((await ran('top', '--once', '--interval', '0.1', ...at)).stdout, /^RATE\/S.*POLICIES\n.*asked/);
    assert.equal((await ran('policy', 'delete', 'asked', ...at)).status, 0);
    assert.equal((await ran('policy', 'delete', 'asked', ...at)).status, 1);
    assert.equal(await machine.stop(), 0);
    const gone = await ran('status', ...at);
    assert.deepEqual([gone.status, gone.stderr.includes('no agent answers')], [5, true]);
  });

  it('patterns are RE2, and fields that a client does not want are left out of compact lines', async () => {
    await machine.start();
    const lines = await follow('--process', `(?i)^${program.toUpperCase()}$`, '-e', 'process_exec', '-F', 'process.arguments');
    execFileSync(program, ['/dev/null']);
    await lines.stdout.has('\n');
    assert.deepEqual(lines.stdout.lines(), [`🚀 process ${NODE} ${program}`]);
    assert.equal(await ended(lines), 0);
    for (const [words, reason] of [
      [['--process', '(?=x)'], /allow_list\[0\]\.binary_regex\[0\]: /],
      [['-f', 'process.binari'], /no event has the field 'process\.binari'/],
    ] as const) {
      const { status, stderr } = await ran('getevents', '--server', machine.address, ...words);
      assert.ok(status !== 0, words.join(' '));
      assert.match(stderr, reason);
    }
  });

  it('top on a terminal: draws, sorts and changes its view by keys, and leaves the terminal as it was', async () => {
    await machine.start();
    writeFileSync(join(machine.policies, 'a.yaml'), openatPolicy('watched', join(machine.folder, 'x')));
    await machine.agent.stderr.has('"msg":"a policy was loaded"');
    const top = onTerminal('top', '--server', machine.address, '--interval', '0.2');
    const shown = new Gathered(top.stdout);
    await shown.has('\u001b[H\u001b[2JRATE/S');
    await shown.has('watched');
    await shown.has('keys: r m p l n sort, v view, q quit');
    top.stdin.write('v');
    await shown.has('HOOKS');
    await shown.has('watched: ');
    top.stdin.write('vn');
    await shown.has('PROCESSES');
    execFileSync(program, ['/dev/null']);
    await shown.has(program);
    assert.ok(!shown.text.includes('vn'), 'the terminal does not echo keys');
    top.stdin.write('q');
    const [status] = (await once(top, 'exit')) as [number | null];
    assert.equal(status, 0);
    await shown.has('icanon echo');
  });

  it('a client connects again to an agent that was killed and started again', async () => {
    await machine.start();
    const lines = await follow('-o', 'compact', '--reconnect', '--process', `^${program}$`);
    await machine.stop('SIGKILL');
    await lines.stderr.has('trying again');
    await machine.start();
    const ready = /ready.*ready/s;
    while (!ready.test(lines.stderr.text)) await once(lines.child.stderr, 'data');
    execFileSync(program, ['/dev/null']);
    await lines.stdout.has(`${program} /dev/null 0`);
    await ended(lines);
  });
});
