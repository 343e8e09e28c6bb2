/**
 * Static probes of programs on full kernels: arguments, stack traces, signals. test/native/usdts.test.ts tests the
 * encodings.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { ProcessUsdtEvent, TracerEvent } from '../../types/index.js';
import { copyProgram, argumentValue, kprobePolicy, Recording } from './support.js';

const isUsdt = (event: TracerEvent): event is ProcessUsdtEvent => event.type === 'process_usdt';

/** A program that only these tests start. */
const PROGRAM = '/tmp/probes';

function probe(name: string, more: string): string {
  return `path: ${PROGRAM}\nprovider: app\nname: ${name}\n${more}`;
}

const HOOKS = [
  probe('numbers', 'args:\n- {index: 0, type: int8}\n- {index: 4, type: int32}\n- {index: 7, type: int32}'),
  probe(
    'text',
    `args:
- {index: 0, type: string}
selectors:
- matchArgs:
  - {index: 0, operator: Equal, values: [ended]}
  matchActions:
  - {action: Signal, argSig: 15}`,
  ),
  probe(
    'places',
    `args:
- {index: 0, type: int32}
selectors:
- matchActions:
  - {action: Post, rateLimit: 1h, rateLimitScope: global, kernelStackTrace: true, userStackTrace: true}`,
  ),
];

describe('static probes', () => {
  let recording: Recording;
  before(async () => {
    copyProgram('probes', PROGRAM);
    const yaml = kprobePolicy('probes', ...HOOKS).replace('kprobes:', 'usdts:');
    recording = await Recording.open(yaml, { enforcement: true });
  });
  after(() => recording?.close());

  it('arguments in registers, memory and constants; a rate limit, with stack traces', async () => {
    const events = await recording.eventsDuring(() => {
      for (let i = 0; i < 2; i++) assert.equal(spawnSync(PROGRAM, ['somebody']).status, 0);
    });
    const reported = events.filter(isUsdt);
    const values = [[-5, -140000, -9], [1], [2], [3], [-5, -140000, -9]];
    assert.deepEqual(
      reported.map((e) => e.args.map(argumentValue)),
      values,
    );
    const stacks = reported.filter((e) => e.name === 'places');
    for (const { kernelStack = [], userStack = [] } of stacks) {
      // The program was stopped in its own code.
      assert.deepEqual(kernelStack, []);
      assert.ok(userStack.length > 1, 'user stack');
    }
    const [status] = recording.tracer.policies();
    assert.equal(status?.suppressed, 3);
  });

  it('a signal to the program if the argument matches', async () => {
    const events = await recording.eventsDuring(() => assert.equal(spawnSync(PROGRAM, ['ended']).signal, 'SIGTERM'));
    const [event] = events.filter((e): e is ProcessUsdtEvent => isUsdt(e) && e.name === 'text');
    assert.deepEqual(event?.actions, [{ action: 'signal', signal: 15, outcome: 'done' }, { action: 'post' }]);
  });
});
