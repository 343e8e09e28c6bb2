/**
 * Policies with followChildren are added and removed while 200 processes fork and exec. A second policy without a
 * filter on the process reports every call. The events of the base sensor alone decide which calls a followed process
 * made.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import type { ProcessKprobeEvent, TracerEvent } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { copyProgram, argumentValue, describeOn, kprobeEvents, kprobePolicy, Recording } from './support.js';

const DRIVER = '/tmp/storm';
const IN = '/tmp/storm-in';
const OUT = '/tmp/storm-out';
const LEAF = '/tmp/storm-leaf';
/** Number of roots of each kind. A root and its descendants are ten processes. */
const ROOTS = 13;
const CYCLES = NIGHTLY ? 10 : 1;
/** Number of other sets. With 40, the bits of removed sets are reused from the seventh policy on. */
const OTHERS = 40;
/** Calls to wait for after a policy was added or removed, so that calls which were running before have ended. */
const MARGIN = 100;
const COMPARED = 600;

/** A hook on the calls of the storm program. `selectors` are given without matchArgs. */
function stormHook(selectors: readonly string[]): string {
  const args = '{index: 0, operator: Equal, values: ["5001", "5002"]}';
  return `call: sys_lseek
syscall: true
args:
- {index: 0, type: int}
- {index: 1, type: int64}
selectors:
${selectors.map((selector) => `- matchArgs: [${args}]\n${selector}`).join('\n')}`;
}

/** A policy that follows one program. Its other programs are never executed. The position of the program changes. */
function followPolicy(cycle: number): string {
  const programs = Array.from({ length: OTHERS }, (_, i) => `/nowhere/${cycle}/${i}`);
  programs.splice((cycle * 7) % OTHERS, 0, followedBinary(cycle));
  const selectors = programs.map(
    (program) => `  matchBinaries: [{operator: In, values: ["${program}"], followChildren: true}]`,
  );
  return kprobePolicy(`followed-${cycle}`, stormHook(selectors));
}

function followedBinary(cycle: number): string {
  return cycle % 2 === 0 ? IN : OUT;
}

/** Identifies a call: all calls of a process have different numbers. */
function callId(event: ProcessKprobeEvent): string {
  const offset = event.args[1];
  assert.ok(offset !== undefined && 'value' in offset);
  return `${event.process.pid} ${String(offset.value)}`;
}

function callTag(event: ProcessKprobeEvent): unknown {
  return argumentValue(event.args[0]);
}

interface Cycle {
  readonly policyName: string;
  readonly binary: string;
  /** Numbers of events at the call of addPolicy, at its return, and at the limits of the compared calls. */
  readonly called: number;
  readonly added: number;
  readonly from: number;
  readonly to: number;
}

/** The event at which a process executed another program. */
interface Hop {
  readonly before: string;
  readonly at: number;
}

type Membership = 'in' | 'out' | 'either';

/**
 * Decides by the events of the base sensor. A process is followed if it executes the program, or descends from a
 * process that does. If it has executed another program since, it is followed only if that happened after the policy
 * was added.
 */
function membership(event: ProcessKprobeEvent, hop: Hop | undefined, cycle: Cycle): Membership {
  const lineage = [event.process, event.parent, ...event.ancestors];
  if (lineage.some((process) => process?.binary === cycle.binary)) return 'in';
  if (hop?.before !== cycle.binary || hop.at < cycle.called) return 'out';
  return hop.at > cycle.added ? 'in' : 'either';
}

describeOn('6.12', 'policies with followChildren are added and removed while 200 processes fork and exec', function () {
  let driver: ChildProcess;
  let recording: Recording;

  before(async () => {
    copyProgram('storm', DRIVER);
    for (const copy of [IN, OUT, LEAF]) copyFileSync(DRIVER, copy);
    recording = await Recording.open(kprobePolicy('all', stormHook([''])));
    driver = spawn(DRIVER, ['drive', IN, OUT, LEAF, String(ROOTS)], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => driver.stdout?.once('data', resolve));
  });
  after(async () => {
    driver?.kill('SIGKILL');
    await recording?.close();
  });

  async function runCycle(i: number): Promise<Cycle> {
    const { events, tracer } = recording;
    await recording.settle();
    const called = events.length;
    const [status] = await tracer.addPolicy({ yaml: followPolicy(i) });
    assert.ok(status);
    await recording.settle();
    const added = events.length;
    await waitForCalls(MARGIN);
    const from = events.length;
    await waitForCalls(COMPARED);
    const to = events.length;
    await waitForCalls(MARGIN);
    await tracer.removePolicy(status.name);
    await recording.settle();
    return { policyName: status.name, binary: followedBinary(i), called, added, from, to };
  }

  /** Waits until the storm program has made `count` more calls. */
  async function waitForCalls(count: number): Promise<void> {
    await recording.waitForMore(count, (event) => event.type === 'process_kprobe' && event.policyName === 'all');
  }

  for (let i = 0; i < CYCLES; i++) {
    it(`policy ${i + 1}: every call of a followed process, and no other`, async () => {
      const cycle = await runCycle(i);
      const result = compareCalls(recording.events, cycle);
      assert.deepEqual(result.missing, [], 'missing');
      assert.deepEqual(result.extra, [], 'extra');
      assert.equal(result.twice, 0, 'reported twice');
      assert.ok(result.matched > COMPARED / 4, `${result.matched} calls of followed processes`);
    });
  }

  it('nothing was lost, and the storm program made the calls that it reports', () => {
    assert.deepEqual(
      recording.events.filter((event) => event.type === 'lost'),
      [],
    );
    const all = kprobeEvents(recording.events).filter((event) => event.policyName === 'all');
    assert.equal(new Set(all.map(callId)).size, all.length);
    assert.deepEqual(new Set(all.map(callTag)), new Set([5001, 5002]));
  });
});

function compareCalls(
  events: readonly TracerEvent[],
  cycle: Cycle,
): { missing: string[]; extra: string[]; twice: number; matched: number } {
  const programs = new Map<number, string>();
  const hops = new Map<number, Hop>();
  const due = new Map<string, string>();
  const reported = new Set<string>();
  const extra: string[] = [];
  let twice = 0;
  events.forEach((event, index) => {
    if (event.type === 'process_exec') {
      const { pid, binary } = event.process;
      const before = programs.get(pid);
      if (before === undefined) hops.delete(pid);
      else hops.set(pid, { before, at: index });
      programs.set(pid, binary);
    } else if (event.type === 'process_exit') {
      programs.delete(event.process.pid);
      hops.delete(event.process.pid);
    } else if (event.type === 'process_kprobe') {
      const expected = membership(event, hops.get(event.process.pid), cycle);
      const call = callId(event);
      const text = `${call}: ${expected}, tag ${String(callTag(event))}, ${describeLineage(event)}`;
      if (event.policyName === cycle.policyName) {
        if (reported.has(call)) twice++;
        reported.add(call);
        if (expected === 'out') extra.push(text);
      } else if (event.policyName === 'all' && index >= cycle.from && index < cycle.to && expected === 'in') {
        due.set(call, text);
      }
    }
  });
  const missing = [...due].flatMap(([call, text]) => (reported.has(call) ? [] : [text]));
  return { missing, extra, twice, matched: due.size };
}

function describeLineage(event: ProcessKprobeEvent): string {
  return [event.process, event.parent, ...event.ancestors].map((each) => `${each?.pid} ${each?.binary}`).join(' < ');
}
