/** A restart of the agent with --persist: the policies of its folder see every call. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutputReader, Machine, needsRoot } from './support.js';

/** A system call number that no kernel has and no other test uses. */
const CALL = 7273;

const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: kills }
spec:
  tracepoints:
    - subsystem: raw_syscalls
      event: sys_enter
      raw: true
      args: [{ index: 1, type: int64 }]
      selectors:
        - matchArgs: [{ index: 1, operator: Equal, values: ["${CALL}"] }]
          matchActions: [{ action: Sigkill }]
`;

/** Starts children one after the other that make the call. Those that are not killed are counted. */
const CALLERS = `$| = 1; $SIG{TERM} = sub { print "$calls calls, $survived survived\\n"; exit };
($calls, $survived) = (0, 0); print "ready\\n";
while (1) { my $child = fork; if (!$child) { $SIG{TERM} = "DEFAULT"; syscall(${CALL}); require POSIX; POSIX::_exit(7) } waitpid($child, 0); $calls++; $survived++ if $? >> 8 == 7 }`;

/** The lines that contain all of these texts. */
function countLines(file: string, ...texts: readonly string[]): number {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  return lines.filter((line) => texts.every((text) => line.includes(text))).length;
}

describe('a restart of the agent', function () {
  this.timeout(120_000);
  let machine: Machine;
  let bpf: string;

  before(needsRoot);
  beforeEach(() => {
    machine = new Machine();
    bpf = join(machine.folder, 'bpf');
    mkdirSync(bpf);
    execFileSync('mount', ['-t', 'bpf', 'bpf', bpf]);
  });
  afterEach(async () => {
    if (machine === undefined) return;
    await machine.stop('SIGKILL');
    execFileSync('umount', ['--lazy', bpf]);
    await machine.remove();
  });

  it('with --persist leaves no gap, in order and after SIGKILL', async () => {
    writeFileSync(join(machine.policies, 'kills.yaml'), POLICY);
    const flags = ['--enforcement', '--persist', join(bpf, 'agent'), '--keep-sensors-on-exit'];
    await machine.start(...flags);
    const callers = spawn('perl', ['-e', CALLERS], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const output = new OutputReader(callers.stdout);
      await output.waitFor('ready');
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await machine.stop(signal);
        await machine.start(...flags);
      }
      const ended = once(callers, 'close');
      callers.kill('SIGTERM');
      await ended;
      const [, calls, survived] = /(\d+) calls, (\d+) survived/.exec(output.text) ?? [];
      assert.ok(Number(calls) > 10, output.text);
      assert.equal(Number(survived), 0, output.text);
    } finally {
      callers.kill('SIGKILL');
    }
  });

  it('with --persist loses no event, in order and after SIGKILL', async () => {
    writeFileSync(join(machine.policies, 'calls.yaml'), POLICY.replace('kills', 'calls').replace('action: Sigkill', 'action: Post'));
    const file = join(machine.folder, 'events.log');
    const flags = ['--persist', join(bpf, 'agent'), '--keep-sensors-on-exit', '--export-filename', file];
    // what came meanwhile is more than the queue of the export can have
    flags.push('--event-queue-bytes', '262144');
    const call = (count: number): unknown =>
      execFileSync('perl', ['-e', `syscall(${CALL}) for 1..${count}`, `number-${count}`]);
    await machine.start(...flags);
    call(10);
    for (const [signal, count] of [['SIGTERM', 1000], ['SIGKILL', 2000]] as const) {
      // what the agent has read is in the file
      while (countLines(file, 'process_tracepoint') < (count === 1000 ? 10 : 1010)) await sleep(50);
      await machine.stop(signal);
      call(count);
      await machine.start(...flags);
    }
    while (countLines(file, 'number-2000', 'process_exit') === 0) await sleep(50);
    await machine.stop('SIGTERM');
    for (const count of [10, 1000, 2000]) {
      const name = `number-${count}"`;
      assert.equal(countLines(file, name, 'process_tracepoint'), count);
      assert.equal(countLines(file, name, '{"process_exec"'), 1);
    }
    assert.equal(countLines(file, '"lost"', 'no_reader'), 0);
  });

  it('while the folder of policies is away, those of the agent before stay active', async () => {
    writeFileSync(join(machine.policies, 'kills.yaml'), POLICY);
    const flags = ['--enforcement', '--persist', join(bpf, 'agent'), '--keep-sensors-on-exit'];
    await machine.start(...flags);
    await machine.stop('SIGTERM');
    renameSync(machine.policies, `${machine.policies}-away`);
    await machine.start(...flags);
    const call = ['-e', `syscall(${CALL}); exit 7`];
    assert.equal(spawnSync('perl', call).signal, 'SIGKILL');
    renameSync(`${machine.policies}-away`, machine.policies);
    // only the generation of this agent is left when it has the policies
    while (readdirSync(join(bpf, 'agent')).length > 1) await sleep(50);
    assert.equal(spawnSync('perl', call).signal, 'SIGKILL');
  });

  const KEPT = (): string[] => ['--enforcement', '--persist', join(bpf, 'agent'), '--keep-sensors-on-exit'];
  const isKilled = (): boolean => spawnSync('perl', ['-e', `syscall(${CALL}); exit 7`]).signal === 'SIGKILL';

  it('a folder of policies that was never there keeps no policy that is loaded from elsewhere', async () => {
    rmSync(machine.policies, { recursive: true });
    const file = join(machine.folder, 'kills.yaml');
    writeFileSync(file, POLICY);
    for (const generation of ['1', '2', '3']) {
      await machine.start(...KEPT(), '--policy', file);
      assert.ok(isKilled());
      assert.deepEqual(readdirSync(join(bpf, 'agent')), [generation]);
      await machine.stop('SIGTERM');
    }
  });

  it('an agent that cannot start ends no policy of the one before', async () => {
    writeFileSync(join(machine.policies, 'kills.yaml'), POLICY);
    await machine.start(...KEPT());
    for (const [signal, ...wrong] of [
      ['SIGTERM', '--group', 'no-such-group'],
      ['SIGKILL', '--metrics-server', 'no-such-host.invalid:1'],
    ] as const) {
      await machine.stop(signal);
      await assert.rejects(machine.start(...KEPT(), ...wrong), /the agent ended/);
      assert.ok(isKilled(), wrong.join(' '));
      await machine.start(...KEPT());
      assert.ok(isKilled());
    }
  });

  it('a policy whose file is damaged at a restart stays active until it is mended, or removed', async () => {
    const [file, other] = [join(machine.policies, 'kills.yaml'), join(machine.policies, 'other.yaml')];
    writeFileSync(file, POLICY);
    writeFileSync(other, POLICY.replace('kills', 'other').replace('action: Sigkill', 'action: Post'));
    await machine.start(...KEPT());
    const links = (generation: number): string[] =>
      readdirSync(join(bpf, 'agent', String(generation))).filter((name) => name.startsWith('hook-'));
    assert.equal(links(1).length, 2);
    for (const [generation, damaged] of [[2, 'kind: [TracingPolicy'], [3, POLICY.replace('sys_enter', 'no_such_event')]] as const) {
      await machine.stop('SIGTERM');
      writeFileSync(file, damaged);
      const { stderr } = await machine.start(...KEPT());
      assert.match(stderr.text, /"policies":\["kills"\],"msg":"policies of an earlier agent stay active/);
      assert.ok(isKilled(), damaged);
      // the earlier version of the other policy has ended
      assert.equal(links(1).length, 1);
      assert.deepEqual(readdirSync(join(bpf, 'agent')), ['1', String(generation)]);
    }
    writeFileSync(file, POLICY);
    while (existsSync(join(bpf, 'agent', '1'))) await sleep(50);
    assert.ok(isKilled());

    await machine.stop('SIGTERM');
    writeFileSync(file, 'kind: [TracingPolicy');
    await machine.start(...KEPT());
    assert.ok(isKilled());
    rmSync(file);
    while (existsSync(join(bpf, 'agent', '3'))) await sleep(50);
    assert.ok(!isKilled());
  });

  it('an orderly end without --keep-sensors-on-exit ends the policies of earlier agents, too', async () => {
    writeFileSync(join(machine.policies, 'kills.yaml'), POLICY);
    await machine.start(...KEPT());
    await machine.stop('SIGKILL');
    writeFileSync(join(machine.policies, 'kills.yaml'), 'kind: [TracingPolicy');
    await machine.start(...KEPT().slice(0, -1));
    assert.ok(isKilled());
    assert.equal(await machine.stop('SIGTERM'), 0);
    assert.ok(!isKilled());
    assert.ok(!existsSync(join(bpf, 'agent')));
  });

  it('a policy whose file was removed before the restart ends, and the journal says so', async () => {
    writeFileSync(join(machine.policies, 'kills.yaml'), POLICY);
    await machine.start(...KEPT());
    await machine.stop('SIGTERM');
    rmSync(join(machine.policies, 'kills.yaml'));
    const { stderr } = await machine.start(...KEPT());
    assert.ok(!isKilled());
    const lines = stderr.lines().filter((line) => line.includes('"msg":"a policy of an earlier agent has ended"'));
    assert.equal(lines.length, 1);
    assert.match(lines.join(), /"policy":"kills"/);
  });

  it('an agent without --enforcement ends what an earlier one has enforced', async () => {
    writeFileSync(join(machine.policies, 'kills.yaml'), POLICY);
    await machine.start(...KEPT());
    await machine.stop('SIGTERM');
    await machine.start(...KEPT().slice(1));
    assert.ok(!isKilled());
  });
});
