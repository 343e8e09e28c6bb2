/**
 * No call is missed while the kernel suspends programs: an unprivileged process with many threads on one CPU calls hooked
 * functions. On a preemptible kernel, programs on trampolines would be skipped, and LSM programs and uprobes would share
 * their memory.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { openTracer, preflight } from '../../lib/index.js';
import { loadBinding } from '../../lib/native/binding.js';
import { readSwitch } from '../../lib/native/preemption.js';
import type { HookEvent, LostEvent, PolicyStatus, TracerEvent } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { copyProgram, assertRefused, Recording } from './support.js';

const PROGRAM = '/tmp/preemption';
const FOLDER = '/tmp/preempted';
/** The guest has it; the file list of the suite is read outside of the guest. */
const MODEL_FILE = '/sys/kernel/debug/sched/preempt';
const MODEL = existsSync(MODEL_FILE) ? (/\((\w+)\)/.exec(readFileSync(MODEL_FILE, 'utf8'))?.[1] ?? '') : '';
const IS_PREEMPTIBLE = !['none', 'voluntary'].includes(MODEL);

/**
 * With a depth of 1,200, a path has about 2,400 bytes: a walk takes long, and the whole path is recorded. Other kernels
 * never suspend a program, so a short attack is enough there.
 */
const { DEPTH, THREADS, ROUNDS, EXECS } = IS_PREEMPTIBLE
  ? { DEPTH: 1200, THREADS: 24, ROUNDS: NIGHTLY ? 100 : 32, EXECS: NIGHTLY ? 60 : 20 }
  : { DEPTH: 50, THREADS: 4, ROUNDS: 16, EXECS: 10 };
/** Half of the threads read the file that the policies are about. */
const READS = (THREADS / 2) * ROUNDS;

type Outcome = Readonly<Record<'succeeded' | 'refused' | 'plainSucceeded' | 'plainRefused', number>>;

async function readFiles(mode: 'read' | 'ring' = 'read', rounds = ROUNDS): Promise<Outcome> {
  const words = [mode, FOLDER, DEPTH, THREADS, rounds].map(String);
  const { stdout } = await promisify(execFile)(PROGRAM, words);
  const [succeeded = 0, refused = 0, plainSucceeded = 0, plainRefused = 0] = stdout.split(' ').map(Number);
  return { succeeded, refused, plainSucceeded, plainRefused };
}

/** A batch of io_uring has eight reads. */
const readBatches = (): Promise<Outcome> => readFiles('ring', Math.ceil(ROUNDS / 8));

const ALL_READ: Outcome = { succeeded: READS, refused: 0, plainSucceeded: READS, plainRefused: 0 };
const SECRET_REFUSED: Outcome = { succeeded: 0, refused: READS, plainSucceeded: READS, plainRefused: 0 };

function readPolicy(kind: 'kprobes' | 'lsmhooks' | 'fentries', action = ''): string {
  const hook = kind === 'lsmhooks' ? 'hook: file_permission' : 'call: security_file_permission\n    syscall: false';
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: preemption}
spec:
  ${kind}:
  - ${hook}
    args: [{index: 0, type: file}, {index: 1, type: int}]
    selectors:
    - matchArgs:
      - {index: 0, operator: Postfix, values: [/secret]}
      - {index: 1, operator: Equal, values: ['4']}
      ${action === '' ? '' : `matchActions: [{${action}}]`}
`;
}

const UPROBE = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: preemption}
spec:
  uprobes:
  - path: ${PROGRAM}
    symbols: [probed]
    args: [{index: 0, type: string}]
`;

const OVERRIDE = 'action: Override, argError: -13';

const isHookEvent = (event: TracerEvent): event is HookEvent & TracerEvent => 'policyName' in event && 'args' in event;

const isMissedByBaseSensor = ({ hook, policyName, reason }: LostEvent): boolean =>
  policyName === '' && reason === 'missed' && hook.startsWith('process_');

describe('programs that the kernel suspends', function () {
  let recording: Recording;

  before(async () => {
    copyProgram('preemption', PROGRAM);
    recording = await Recording.open(undefined, { enforcement: true });
  });
  after(() => recording.close());

  /**
   * Loads the policy, runs the body, and asserts that no call was missed. On a preemptible kernel, the base sensor may
   * miss an exec or exit and count it; its own test is below.
   */
  async function record<T>(
    yaml: string,
    body: () => Promise<T>,
  ): Promise<{ result: T; events: HookEvent[]; status: PolicyStatus }> {
    await recording.tracer.addPolicy({ yaml });
    let result: T | undefined;
    const events = await recording.eventsDuring(async () => {
      result = await body();
    });
    const status = recording.tracer.policies()[0] as PolicyStatus;
    await recording.tracer.removePolicy('preemption');
    assert.deepEqual(
      events.filter((event) => event.type === 'lost' && !(IS_PREEMPTIBLE && isMissedByBaseSensor(event))),
      [],
    );
    assert.equal(status.hooks[0]?.lost, 0);
    return { result: result as T, events: events.filter(isHookEvent), status };
  }

  const paths = (events: readonly HookEvent[]): string[] => [
    ...new Set(events.map(({ args: [file] }) => (file !== undefined && 'path' in file ? file.path.slice(-9) : ''))),
  ];

  it('a function of the kernel: every call is reported', async () => {
    const { result, events, status } = await record(readPolicy('kprobes'), () => readFiles());
    assert.deepEqual(result, ALL_READ);
    assert.equal(events.length, READS);
    assert.deepEqual(paths(events), ['/d/secret']);
    assert.equal(status.hooks[0]?.attach, IS_PREEMPTIBLE ? 'kprobe' : 'fentry');
  });

  it('Override of a function: no call passes, and no other file is refused', async () => {
    const { result, events, status } = await record(readPolicy('kprobes', OVERRIDE), () => readFiles());
    assert.deepEqual(result, SECRET_REFUSED);
    assert.equal(events.length, READS);
    assert.deepEqual(paths(events), ['/d/secret']);
    assert.equal(status.hooks[0]?.attach, IS_PREEMPTIBLE ? 'lsm' : 'fmod_ret');
  });

  it('an LSM hook: every call is reported with its own path', async () => {
    const { result, events } = await record(readPolicy('lsmhooks'), () => readFiles());
    assert.deepEqual(result, ALL_READ);
    assert.equal(events.length, READS);
    assert.deepEqual(paths(events), ['/d/secret']);
  });

  it('Override of an LSM hook: no call passes, and no other file is refused', async () => {
    const { result, events } = await record(readPolicy('lsmhooks', OVERRIDE), () => readFiles());
    assert.deepEqual(result, SECRET_REFUSED);
    assert.equal(events.length, READS);
    assert.deepEqual(paths(events), ['/d/secret']);
  });

  it('batches of io_uring: every read is reported, and Override lets none pass', async () => {
    const reads = (THREADS / 2) * Math.ceil(ROUNDS / 8) * 8;
    const reported = await record(readPolicy('kprobes'), readBatches);
    assert.deepEqual(reported.result, { succeeded: reads, refused: 0, plainSucceeded: reads, plainRefused: 0 });
    assert.equal(reported.events.length, reads);
    assert.deepEqual(paths(reported.events), ['/d/secret']);
    const { result, events } = await record(readPolicy('lsmhooks', OVERRIDE), readBatches);
    assert.deepEqual(result, { succeeded: 0, refused: reads, plainSucceeded: reads, plainRefused: 0 });
    assert.equal(events.length, reads);
  });

  it('a uprobe: every call is reported with the string of its own thread', async () => {
    const { result, events } = await record(UPROBE, async () => {
      const { stdout } = await promisify(execFile)(PROGRAM, ['call', String(THREADS), String(ROUNDS)]);
      return Number(stdout);
    });
    assert.equal(result, THREADS * ROUNDS);
    assert.equal(events.length, result);
    const strings = new Map<number, Set<string>>();
    for (const { args, tid } of events) {
      const value = args[0] !== undefined && 'value' in args[0] ? String(args[0].value) : '';
      strings.set(tid, (strings.get(tid) ?? new Set()).add(value));
    }
    const expected = Array.from({ length: THREADS }, (_, i) => [String.fromCharCode(97 + i).repeat(3000)]);
    assert.deepEqual([...strings.values()].map((own) => [...own]).sort(), expected);
  });

  it('the base sensor: each exec is reported with its own arguments, or counted, and each exit', async () => {
    const shells = IS_PREEMPTIBLE ? 8 : 2;
    const padding = 'x'.repeat(2000);
    const script = `for s in $(seq ${shells}); do
      for i in $(seq ${EXECS}); do /bin/true storm-$s-$i-${padding}; done &
    done; wait`;
    const events = await recording.eventsDuring(async () => void (await promisify(execFile)('bash', ['-c', script])));
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
    const expected = numbers(shells).flatMap((s) => numbers(EXECS).map((i) => `storm-${s}-${i}-${padding}`));
    for (const type of ['process_exec', 'process_exit'] as const) {
      const own = events.flatMap((event) => (event.type === type ? [event.process.arguments] : []));
      const found = own.filter((text) => text.startsWith('storm-'));
      const lost = recording.tracer.stats().lostByHook.filter(({ hook }) => hook.startsWith('process_'));
      const count = lost.reduce((sum, each) => sum + each.count, 0);
      assert.ok(expected.length - found.length <= count, `${type}: ${found.length}, ${JSON.stringify(lost)}`);
      assert.ok(count === 0 || IS_PREEMPTIBLE, JSON.stringify(lost));
      assert.deepEqual(found.filter((text) => !expected.includes(text)), []); // prettier-ignore
      assert.equal(new Set(found).size, found.length);
    }
  });

  it('enforcement on a trampoline is refused where calls can be missed, unless the tracer allows it', async function () {
    if (!IS_PREEMPTIBLE) return;
    const yaml = readPolicy('fentries', 'action: Sigkill');
    await assertRefused(recording.tracer.addPolicy({ yaml }), 'CALLS_MAY_BE_MISSED', /preemption model (full|lazy)/);
    const tracer = await openTracer({ enforcement: true, allowMissedCalls: true, policies: [{ yaml }] });
    assert.equal(tracer.policies()[0]?.hooks[0]?.attach, 'fentry');
    await tracer.close();
  });

  it('the model can be read from the jumps of the kernel, too', function () {
    const models = existsSync(MODEL_FILE) ? readFileSync(MODEL_FILE, 'utf8').trim().split(' ') : [];
    // other processors than x86 choose the model without jumps
    if (process.arch !== 'x64' || models.length < 2) this.skip();
    const names = models.map((model) => model.replaceAll(/[()]/g, ''));
    try {
      for (const name of names) {
        writeFileSync(MODEL_FILE, name);
        const expected = name === 'none' || name === 'voluntary' ? 'voluntary' : undefined;
        assert.equal(readSwitch(loadBinding()), expected, name);
      }
    } finally {
      writeFileSync(MODEL_FILE, MODEL);
    }
  });

  it('preflight has the preemption model', () => {
    assert.equal(preflight().preemption, MODEL);
  });
});
