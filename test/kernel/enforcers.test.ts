/**
 * Enforcers: one hook of a policy decides, and another function performs the action in the same system call of the same
 * thread.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { PerformedAction, PolicyStatus, TracerEvent } from '../../types/index.js';
import { prepareWorkload, kprobePolicy, Recording, WORKLOAD } from './support.js';

/** Programs that only these tests start, so that actions cannot affect other processes. */
const CAT = '/tmp/enforced-cat';
const DUP = '/tmp/enforced-dup';
const TARGET = '/tmp/enforced.txt';
const OTHER = '/tmp/enforced-other.txt';
const EPERM = 1;

interface ProgramResult {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runProgram(program: string, ...args: string[]): ProgramResult {
  const { status, signal, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return { status, signal, stdout, stderr };
}

const runDup = (program = DUP): ProgramResult => runProgram(program, 'dup');
const SUCCESS = { status: 0, signal: null, stderr: '' };
const READ: ProgramResult = { ...SUCCESS, stdout: 'text\n' };
const RETURNED: ProgramResult = { ...SUCCESS, stdout: 'returned\n' };
const KILLED: ProgramResult = { ...SUCCESS, status: null, signal: 'SIGKILL', stdout: '' };

function withEnforcer(yaml: string, calls: string, lists = ''): string {
  return `${yaml}  enforcers:\n  - calls: ${calls}\n${lists}`;
}

/** A policy for every system call of the list that DUP makes. */
function dupPolicy(name: string, action: string, calls = '["list:dups"]'): string {
  return withEnforcer(
    `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: ${name}}
spec:
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    args: [{index: 4, type: syscall64}]
    selectors:
    - matchArgs: [{index: 0, operator: InMap, values: ["list:dups"]}]
      matchBinaries: [{operator: In, values: [${DUP}]}]
      matchActions: [{action: NotifyEnforcer, ${action}}]
`,
    calls,
    '  lists:\n  - {name: dups, type: syscalls, values: [sys_dup, sys_dup2]}\n',
  );
}

/** A policy that decides at the system call with which CAT opens the file, and acts where the kernel opens it. */
function openPolicy(name: string, file: string, action: string, ...more: string[]): string {
  const hook = `call: sys_openat
args: [{index: 1, type: string}]
selectors:
- matchArgs: [{index: 1, operator: Equal, values: [${file}]}]
  matchBinaries: [{operator: In, values: [${CAT}]}]
  matchActions: [{action: NotifyEnforcer, ${action}}]`;
  return withEnforcer(kprobePolicy(name, hook, ...more), '[security_file_open]');
}

function policyActions(events: readonly TracerEvent[], name: string): (readonly PerformedAction[])[] {
  return events.flatMap((event) => ('policyName' in event && 'actions' in event && event.policyName === name ? [event.actions] : [])); // prettier-ignore
}

const notifyActions = (what: object, outcome = 'done'): unknown[] => [
  { action: 'notifyEnforcer', ...what, outcome },
  { action: 'post' },
];

describe('enforcers', function () {
  let recording: Recording;

  before(async () => {
    prepareWorkload();
    copyFileSync('/bin/cat', CAT);
    copyFileSync(WORKLOAD, DUP);
    for (const file of [TARGET, OTHER]) writeFileSync(file, 'text\n');
    recording = await Recording.open(undefined, { enforcement: true });
  });
  after(() => recording.close());

  /** Runs with the policies loaded. Their status at the end shows what they did. */
  async function recordEnforcement(
    policies: readonly string[],
    what: () => void | Promise<void>,
  ): Promise<{ events: TracerEvent[]; status: PolicyStatus[] }> {
    const { tracer } = recording;
    const names: string[] = [];
    for (const yaml of policies) names.push(...(await tracer.addPolicy({ yaml })).map(({ name }) => name));
    try {
      const events = await recording.eventsDuring(what);
      return { events, status: tracer.policies() };
    } finally {
      for (const name of names) await tracer.removePolicy(name);
    }
  }

  it('a signal ends the process at the matching call, and no other process', async () => {
    const { events, status } = await recordEnforcement([dupPolicy('kill', 'argSig: 9')], () => {
      assert.deepEqual(runDup(), KILLED);
      assert.deepEqual(runDup(WORKLOAD), RETURNED);
    });
    assert.deepEqual(policyActions(events, 'kill'), [notifyActions({ signal: 9 })]);
    const [event] = events.filter(({ type }) => type === 'process_tracepoint');
    assert.ok(event?.type === 'process_tracepoint');
    assert.deepEqual([event.policyMode, event.action], ['enforce', 'notifyEnforcer']);
    assert.deepEqual([status[0]?.enforcing, status[0]?.matched, status[0]?.enforced], [true, 1, 1]);
    assert.deepEqual(
      status[0]?.hooks.map(({ functionName, attach }) => [functionName, attach]),
      [
        ['__x64_sys_dup', 'fentry'],
        ['__x64_sys_dup2', 'fentry'],
        ['raw_syscalls/sys_enter', 'tracepoint'],
      ],
    );
  });

  it('an override of an LSM function: the function does not run, and the call returns the value', async () => {
    const { events, status } = await recordEnforcement([openPolicy('deny', TARGET, 'argError: -13')], () => {
      assert.match(runProgram(CAT, TARGET).stderr, /Permission denied/);
      assert.deepEqual(runProgram(CAT, OTHER), READ);
      assert.deepEqual(runProgram('/bin/cat', TARGET), READ);
    });
    assert.deepEqual(policyActions(events, 'deny'), [notifyActions({ value: -13 })]);
    assert.deepEqual(
      status[0]?.hooks.map(({ functionName, attach }) => [functionName, attach]),
      [
        ['security_file_open', 'fmod_ret'],
        ['__x64_sys_openat', 'fentry'],
      ],
    );
  });

  it('a signal and an override at once', async () => {
    const { events, status } = await recordEnforcement(
      [openPolicy('both', TARGET, 'argError: -13, argSig: 15')],
      () => {
        assert.equal(runProgram(CAT, TARGET).signal, 'SIGTERM');
      },
    );
    assert.deepEqual(policyActions(events, 'both'), [notifyActions({ signal: 15, value: -13 })]);
    assert.equal(status[0]?.enforced, 1);
  });

  it('monitor mode reports the actions without performing them; the mode changes while the policy runs', async () => {
    const { tracer } = recording;
    const { events, status } = await recordEnforcement([openPolicy('mode', TARGET, 'argError: -13')], async () => {
      await tracer.setPolicyMode('mode', 'monitor');
      assert.deepEqual(runProgram(CAT, TARGET), READ);
      await tracer.setPolicyMode('mode', 'enforce');
      assert.match(runProgram(CAT, TARGET).stderr, /Permission denied/);
    });
    assert.deepEqual(policyActions(events, 'mode'), [
      notifyActions({ value: -13 }, 'monitored'),
      notifyActions({ value: -13 }),
    ]);
    assert.deepEqual([status[0]?.matched, status[0]?.enforced], [2, 1]);
  });

  it('a notification that is not used within its system call expires before the next one', async () => {
    const missing = '/tmp/enforced-missing.txt';
    const { events, status } = await recordEnforcement(
      [openPolicy('stale', missing, 'argError: -13, argSig: 9')],
      () => {
        const { signal, stdout, stderr } = runProgram(CAT, missing, TARGET);
        assert.deepEqual([signal, stdout], [null, 'text\n']);
        assert.match(stderr, /No such file or directory/);
      },
    );
    assert.deepEqual(policyActions(events, 'stale'), [notifyActions({ signal: 9, value: -13 })]);
    assert.deepEqual([status[0]?.matched, status[0]?.enforced], [1, 0]);
  });

  it('CleanupEnforcerNotification withdraws a notification', async () => {
    const withdraws = `call: security_inode_permission
syscall: false
selectors:
- matchBinaries: [{operator: In, values: [${CAT}]}]
  matchActions: [{action: CleanupEnforcerNotification}, {action: Post, rateLimit: 1m, rateLimitScope: global}]`;
    const { events } = await recordEnforcement([openPolicy('clean', TARGET, 'argError: -13', withdraws)], () => {
      assert.deepEqual(runProgram(CAT, TARGET), READ);
    });
    assert.deepEqual(policyActions(events, 'clean').filter(([first]) => first?.action === 'notifyEnforcer').length, 1);
    assert.deepEqual(policyActions(events, 'clean')[0], [
      { action: 'cleanupEnforcerNotification' },
      { action: 'post' },
    ]);
  });

  it('enforcers of one policy do not act on notifications of another policy', async () => {
    const both = [openPolicy('one', TARGET, 'argError: -13'), openPolicy('two', OTHER, 'argError: -1')];
    const { status } = await recordEnforcement(both, () => {
      assert.match(runProgram(CAT, TARGET).stderr, /Permission denied/);
      assert.match(runProgram(CAT, OTHER).stderr, /Operation not permitted/);
    });
    assert.deepEqual(
      status.map(({ name, matched, enforced }) => [name, matched, enforced]),
      [
        ['one', 1, 1],
        ['two', 1, 1],
      ],
    );
  });

  it('an override of a system call is performed, or refused with the missing kernel option', async () => {
    const isPossible = existsSync('/sys/kernel/debug/error_injection/list');
    const yaml = dupPolicy('call', 'argError: -1, argSig: 9');
    if (!isPossible) {
      await assert.rejects(recording.tracer.addPolicy({ yaml }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'OVERRIDE_NOT_POSSIBLE');
        assert.match(error.message, /^<policy>:\d+:\d+: sys_dup .*CONFIG_FUNCTION_ERROR_INJECTION/);
        return true;
      });
      assert.deepEqual(recording.tracer.policies(), []);
      assert.deepEqual(runDup(), RETURNED);
      return;
    }
    const { events } = await recordEnforcement([yaml], () => assert.deepEqual(runDup(), KILLED));
    assert.deepEqual(policyActions(events, 'call'), [notifyActions({ signal: 9, value: -1 })]);
    const { status } = await recordEnforcement([dupPolicy('call', 'argError: -1')], () => {
      assert.deepEqual(runDup(), { ...RETURNED, status: EPERM });
    });
    assert.deepEqual([status[0]?.hooks[0]?.attach, status[0]?.enforced], ['fmod_ret', 1]);
  });

  it('a function that does not exist', async () => {
    await assert.rejects(
      recording.tracer.addPolicy({ yaml: dupPolicy('gone', 'argSig: 9', '[no_such_function]') }),
      (error: Error & { code?: string }) => error.code === 'HOOK_NOT_FOUND' && /no_such_function/.test(error.message),
    );
  });
});

describe('enforcers by kprobe', function () {
  it('send a signal; do not affect the tracer itself; override a system call if the kernel supports it', async () => {
    const options = { enforcement: true, attach: 'kprobe', includeSelf: true } as const;
    const recording = await Recording.open(dupPolicy('probe', 'argSig: 9'), options);
    const { tracer } = recording;
    await tracer.addPolicy({ yaml: openPolicy('spare', TARGET, 'argSig: 9').replaceAll(CAT, process.execPath) });
    const events = await recording.eventsDuring(() => {
      assert.deepEqual(runDup(), KILLED);
      assert.equal(readFileSync(TARGET, 'utf8'), 'text\n');
    });
    assert.deepEqual(policyActions(events, 'probe'), [notifyActions({ signal: 9 })]);
    assert.deepEqual(policyActions(events, 'spare'), [notifyActions({ signal: 9 }, 'protected')]);
    assert.deepEqual(
      tracer.policies().map(({ hooks, matched, enforced }) => [hooks.map(({ attach }) => attach), matched, enforced]),
      [
        [['kprobe', 'kprobe', 'tracepoint'], 1, 1],
        [['kprobe', 'kprobe'], 1, 0],
      ],
    );
    await tracer.removePolicy('probe');

    const yaml = dupPolicy('over', 'argError: -1');
    if (existsSync('/sys/kernel/debug/error_injection/list')) {
      await tracer.addPolicy({ yaml });
      assert.deepEqual(runDup(), { ...RETURNED, status: EPERM });
    } else {
      await assert.rejects(
        tracer.addPolicy({ yaml }),
        /CONFIG_FUNCTION_ERROR_INJECTION and CONFIG_BPF_KPROBE_OVERRIDE/,
      );
    }
    await recording.close();
  });
});
