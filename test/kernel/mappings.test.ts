/**
 * A process with very many mappings: user stack traces never block the event loop. Before Linux 6.11, the addon has to
 * read the list of all mappings, on a thread of its own.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ProcessUprobeEvent, TracerEvent } from '../../types/index.js';
import { copyProgram, kernel, Recording } from './support.js';

const PROGRAM = '/tmp/mappings';
const MAPPINGS = 64_000;
const EVENTS = 5;
const DELAY_MS = 200;

const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: mappings }
spec:
  uprobes: [{ path: ${PROGRAM}, symbols: [probed], selectors: [{ matchActions: [{ action: Post, userStackTrace: true }] }] }]
`;

const isProbed = (event: TracerEvent): event is ProcessUprobeEvent => event.type === 'process_uprobe';

/** The time in which this thread had the processor, or did not want it: the guest has one processor for all threads. */
function ownTime(): number {
  const [, waited] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return performance.now() - Number(waited) / 1e6;
}

/** Resolves to the longest delay of the event loop, in milliseconds, while `run` runs. */
async function longestDelay(run: () => Promise<void>): Promise<number> {
  let worst = 0;
  let last = ownTime();
  const timer = setInterval(() => {
    const now = ownTime();
    worst = Math.max(worst, now - last);
    last = now;
  }, 1);
  await run();
  clearInterval(timer);
  return worst;
}

/** Another process may have the processor of the guest, which the guest does not see. Blocking is in every round. */
const ROUNDS = 3;

describe(`a process with ${MAPPINGS} mappings`, () => {
  let recording: Recording;
  before(async () => {
    copyProgram('mappings', PROGRAM);
    recording = await Recording.open(POLICY, { stackAddresses: true });
  });
  after(() => recording.close());

  /** Starts a process, and resolves to the longest delay while the events of its calls are read. */
  async function readStacks(): Promise<number> {
    const child = spawn(PROGRAM, [String(MAPPINGS)], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const from = recording.events.length;
      const delay = await longestDelay(async () => {
        const arrived = recording.waitForMore(EVENTS, isProbed);
        child.stdin.write('go\n'.repeat(EVENTS));
        await arrived;
      });
      const frames = recording.events.slice(from).filter(isProbed).map(({ userStack }) => userStack?.[0]); // prettier-ignore
      assert.equal(frames.length, EVENTS);
      assert.ok(frames.every((frame) => (frame?.address ?? 0n) > 0n));
      // the list of all mappings may take too long; single ones never do
      if (kernel === 'newest') assert.deepEqual([...new Set(frames.map((frame) => frame?.symbol))], ['probed']);
      return delay;
    } finally {
      child.kill();
    }
  }

  it('its stack traces do not block the event loop', async () => {
    const delays: number[] = [];
    while (delays.length < ROUNDS && delays.every((delay) => delay >= DELAY_MS)) delays.push(await readStacks());
    assert.ok(Math.min(...delays) < DELAY_MS, `${delays.map((delay) => delay.toFixed()).join(', ')} ms`);
  });
});
