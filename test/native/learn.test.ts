/** Learning from events of this kernel: exceptions for sshd and passwd, and what a service may do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessTracepointEvent } from '../../types/index.js';
import { isTracepoint, needsRoot, openTracer, polytrace } from './support.js';

const { checkExceptions, learnExceptions, learnService, recorder, servicePolicy, validatePolicy } = polytrace;

/** Reads of password hashes and keys, by raw tracepoints, which every kernel has. */
const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: secrets-opened }
spec:
  tracepoints:
    - subsystem: raw_syscalls
      event: sys_exit
      raw: true
      message: A secret was opened
      args:
        - { index: 0, source: pt_regs, resolve: orig_rax, type: syscall64 }
        - { index: 1, type: fd }
      selectors:
        - matchArgs:
            - { args: [0], operator: InMap, values: [sys_openat] }
            - { args: [1], operator: Prefix, values: [/etc/shadow, /etc/gshadow, /etc/ssh/ssh_host_] }
`;

const run = (program: string, ...args: readonly string[]): void => void spawnSync(program, args, { stdio: 'ignore' });

describe('learning', function () {
  this.timeout(60_000);
  before(needsRoot);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-learn-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Records while `work` runs, and returns the events of the policy and the file. */
  const record = async (
    yaml: string,
    work: () => void,
  ): Promise<{ readonly events: readonly ProcessTracepointEvent[]; readonly file: string }> => {
    const tracer = await openTracer({ policies: [{ yaml }] });
    const { header, lines } = recorder();
    const events: ProcessTracepointEvent[] = [];
    let text = header;
    const reading = (async () => {
      for await (const event of tracer) {
        text += lines(event);
        if (isTracepoint(event)) events.push(event);
      }
    })();
    work();
    await tracer.close();
    await reading;
    const file = join(folder, `${text.length}.jsonl`);
    writeFileSync(file, text);
    return { events, file };
  };
  const ordinary = (): void => {
    mkdirSync('/run/sshd', { recursive: true });
    run('/usr/sbin/sshd', '-t');
    run('/usr/bin/passwd', '-S', 'root');
    run('/usr/bin/chage', '-l', 'root');
  };
  const attack = (): void => {
    run('/usr/bin/cat', '/etc/shadow');
    run('/usr/bin/perl', '-e', 'open F, "<", "/etc/shadow"; <F>');
    run('/bin/sh', '-c', 'read x < /etc/gshadow');
  };
  const own = (events: readonly ProcessTracepointEvent[]): string[] =>
    events.map(({ process }) => process.executable).filter((path) => /\/(sshd|passwd|chage|cat|perl|dash|sh)$/.test(path));

  it('exceptions silence ordinary work in the kernel, and hide no attack', async () => {
    const quiet = await record(POLICY, ordinary);
    assert.ok(own(quiet.events).includes('/usr/bin/passwd'));
    const attacked = await record(POLICY, attack);
    assert.equal(own(attacked.events).length, 3);
    const learned = await learnExceptions([quiet.file], { policy: POLICY });
    const checked = await checkExceptions(learned, [quiet.file], [attacked.file]);
    assert.deepEqual([checked.passed, checked.problems, checked.attacksAfter], [true, [], checked.attacksBefore]);
    assert.deepEqual(validatePolicy(learned.yaml).filter(({ severity }) => severity === 'error'), []); // prettier-ignore
    // the kernel decides as the evaluator does
    const silent = await record(learned.yaml, ordinary);
    assert.deepEqual(own(silent.events), []);
    const found = await record(learned.yaml, attack);
    assert.equal(own(found.events).length, 3);
  });

  it('an attack while learning is not learned', async () => {
    const mixed = await record(POLICY, () => {
      ordinary();
      attack();
    });
    const learned = await learnExceptions([mixed.file], { policy: POLICY });
    const found = await record(learned.yaml, attack);
    assert.equal(own(found.events).length, 3);
    const stays = learned.remaining.map(({ program }) => program);
    for (const program of ['/usr/bin/cat', '/usr/bin/perl']) assert.ok(stays.includes(program), program);
  });

  it('a service: its programs, files, system calls and capabilities', async function () {
    if (!existsSync('/usr/bin/perl')) this.skip();
    const programs = ['/usr/bin/perl'];
    const target = join(folder, 'written-by-the-service');
    const script = `open F, ">", "${target}"; print F "x"; close F; system "/bin/true"; use IO::Socket::INET;
      my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 47113);
      my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => 47113); chown 1, 1, "${target}"`;
    const { file } = await record(servicePolicy({ programs }), () => run('/usr/bin/perl', '-e', script));
    const learned = await learnService([file], { name: 'perl', programs });
    const has = (kind: string, subject: string): boolean =>
      learned.allowed.some((each) => each.kind === kind && each.subject.endsWith(subject));
    assert.ok(has('exec', '/true') && has('write', target), JSON.stringify(learned.allowed));
    assert.ok(has('connect', '127.0.0.1:47113') && has('listen', '127.0.0.1:47113'));
    const { syscalls } = learned.seccomp as { syscalls: readonly { names: readonly string[] }[] };
    for (const name of ['openat', 'connect', 'listen', 'execve']) assert.ok(syscalls[0]?.names.includes(name), name);
    assert.ok(!syscalls[0]?.names.includes('mount'));
    assert.deepEqual(validatePolicy(learned.yaml).filter(({ severity }) => severity === 'error'), []); // prettier-ignore
    if (existsSync('/sys/kernel/tracing/events/capability')) assert.ok(has('capability', 'CAP_CHOWN'));
    await assert.rejects(learnService([(await record(POLICY, ordinary)).file], { name: 'x' }), { code: 'LEARN_RECORDING' });
  });
});
