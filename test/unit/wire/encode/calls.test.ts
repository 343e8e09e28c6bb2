import assert from 'node:assert/strict';
import type { CompiledHook, CompiledValue } from '../../../../lib/compiled/compiled-policy.js';
import { selectedCalls } from '../../../../lib/wire/encode/calls.js';
import { compiledHook, compiledValue, encodeContext } from '../../compiled-hooks.js';

const OFFSET = 120;
const context = {
  ...encodeContext({ registers: new Map([[0, { offset: OFFSET, bytes: 8 }]]) }),
  preemption: { suspendsTracepoints: false },
};
const test = (op: 'equal' | 'range', value: bigint, ...selectors: number[]) => ({
  op,
  signed: false,
  value,
  selectors,
});

function hook(value: Partial<CompiledValue>, more: Partial<CompiledHook> = {}): CompiledHook {
  const number = compiledValue('syscall64', { source: 'pt_regs', resolve: 'orig_rax', ...value });
  const tracepoint = { subsystem: 'raw_syscalls', event: 'sys_exit' };
  return compiledHook({ kind: 'raw_tracepoint', tracepoint, selectors: 2, args: [number], ...more });
}
const group = { negate: false, selectors: [0, 1], tests: [test('equal', 2n, 0), test('equal', 257n, 1)] };
const entry = (value: bigint, ...match: number[]) => ({ value, match, reject: [] });
const intTable = { positive: [0, 1], used: [0, 1], entries: [entry(82n, 0), entry(0x8000_0052n, 1), entry(9n)] };

describe('the system calls that a hook selects', () => {
  it('comparisons and tables; a 32-bit call has the same number', () => {
    assert.deepEqual(selectedCalls(hook({ ints: [group] }), context), { registerOffset: OFFSET, numbers: [2, 257] });
    assert.deepEqual(selectedCalls(hook({ intTable }), context), { registerOffset: OFFSET, numbers: [82] });
    const both = hook({ intTable: { ...intTable, positive: [1] }, ints: [{ ...group, selectors: [0] }] });
    assert.deepEqual(selectedCalls(both, context)?.numbers, [82, 2, 257]);
  });

  const all: readonly (readonly [string, CompiledHook, Partial<typeof context>?])[] = [
    ['a selector without a filter', hook({ ints: [group] }, { selectors: 3 })],
    ['no selector', hook({ ints: [group] }, { selectors: 0 })],
    ['other numbers', hook({ ints: [{ ...group, negate: true }] })],
    ['a range', hook({ ints: [{ ...group, tests: [test('range', 2n, 0, 1)] }] })],
    ['a number that no call has', hook({ ints: [{ ...group, tests: [test('equal', 512n, 0, 1)] }] })],
    ['another register', hook({ ints: [group], resolve: 'rdi' })],
    ['another value', hook({ ints: [group], type: 'uint64' })],
    ['another tracepoint', hook({ ints: [group] }, { tracepoint: { subsystem: 'sched', event: 'sched_switch' } })],
    ['formatted fields', hook({ ints: [group] }, { kind: 'tracepoint' })],
    ['every call is counted', hook({ ints: [group] }), { countHits: true }],
    ['programs can be suspended', hook({ ints: [group] }), { preemption: { suspendsTracepoints: true } }],
  ];
  for (const [name, each, more = {}] of all)
    it(`undefined: ${name}`, () => assert.equal(selectedCalls(each, { ...context, ...more }), undefined));
});
