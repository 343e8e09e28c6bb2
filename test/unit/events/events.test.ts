import assert from 'node:assert/strict';
import type { CompiledHook, CompiledValue } from '../../../lib/compiled/compiled-policy.js';
import type { ProcessView } from '../../../lib/process/view.js';
import { createHookEvent } from '../../../lib/events/events.js';
import type { LoadedHook } from '../../../lib/events/hook.js';
import { KprobeEvent } from '../../../lib/events/hook-events.js';
import { EventHook } from '../../../lib/wire/layout.gen.js';
import type { ArgumentType } from '../../../types/policy-language.js';
import { compiledHook, compiledValue, loadedHook } from '../compiled-hooks.js';
import { valuesRecord, placeInChunk, type RecordValue } from '../wire/decode/values.js';

const valueAt = (type: ArgumentType, index: number): CompiledValue => compiledValue(type, { index });

function createKprobeEvent(compiled: Partial<CompiledHook>, values: readonly RecordValue[]): KprobeEvent {
  const { chunk, at } = placeInChunk(valuesRecord(values));
  return new KprobeEvent(chunk, at, {} as ProcessView, loadedHook(compiledHook(compiled)), []);
}

describe('the values of a hook event', () => {
  const args = [valueAt('string', 1), valueAt('nop', 2), valueAt('int', 3)];
  const values = [{ text: 'a' }, { value: 9n }, { value: -3n }];
  const expected = [
    { type: 'string', index: 1, value: 'a', truncated: false },
    { type: 'int', index: 3, value: -3 },
  ];

  it('are args, then data, then the return value; a nop has a slot and is omitted', () => {
    const compiled = { args, data: [valueAt('nop', 0), valueAt('uint64', 0)], returnArg: valueAt('file', 0) };
    const event = createKprobeEvent(compiled, [...values, {}, { value: 7n }, { text: '/x', value: 5n }]);
    assert.deepEqual(event.args, expected);
    assert.deepEqual(event.data, [{ type: 'uint64', index: 0, value: 7n }]);
    assert.equal(event.return?.type, 'file');
    assert.equal('path' in event.return && event.return.path, '/x');
    assert.equal(event.returnAction, 'post');
  });

  it('data is empty and the return value absent if the policy has none', () => {
    const event = createKprobeEvent({ args, data: [] }, values);
    assert.deepEqual([event.args, event.data, event.return], [expected, [], undefined]);
    assert.equal(event.returnAction, undefined);
  });

  it('are decoded once', () => {
    const event = createKprobeEvent({ args, data: [valueAt('int', 0)] }, [...values, { value: 1n }]);
    assert.equal(event.args, event.args);
    assert.equal(event.data, event.data);
  });
});

describe('the kind of an event', () => {
  const createEvent = (
    compiled: Partial<CompiledHook>,
    loaded: Partial<LoadedHook> = {},
    attachPoint = 0,
  ): Record<string, unknown> => {
    const record = valuesRecord([]);
    record.writeUInt16LE(attachPoint, EventHook.attachPoint);
    const { chunk, at } = placeInChunk(record);
    const hook = loadedHook(compiledHook(compiled), loaded);
    return createHookEvent(chunk, at, {} as ProcessView, hook) as unknown as Record<string, unknown>;
  };
  const tracepoint = { subsystem: 'sched', event: 'sched_switch' };

  it('is the kind of its hook', () => {
    const kinds = ['kprobe', 'fentry', 'tracepoint', 'raw_tracepoint', 'lsm', 'uprobe', 'usdt'] as const;
    assert.deepEqual(
      kinds.map((kind) => createEvent({ kind })['type']),
      [
        'process_kprobe',
        'process_kprobe',
        'process_tracepoint',
        'process_tracepoint',
        'process_lsm',
        'process_uprobe',
        'process_usdt',
      ],
    );
  });

  it('has the names of its hook', () => {
    const point = createEvent({ kind: 'tracepoint', tracepoint });
    assert.deepEqual([point['subsystem'], point['event']], ['sched', 'sched_switch']);
    assert.equal(createEvent({ kind: 'lsm' })['functionName'], 'f');
    const { path, provider, name } = createEvent({ kind: 'usdt', usdt: { path: '/a', provider: 'p', name: 'n' } });
    assert.deepEqual([path, provider, name], ['/a', 'p', 'n']);
    const uprobes = [
      [{ path: '/a', symbol: 's', symbolOffset: 8n, refCtrOffset: 3n }, ['/a', 's', 8n, undefined, 3n]],
      [{ path: '/a', fileOffset: 16n }, ['/a', '', 16n, undefined, 0n]],
      [{ path: '/a', address: 24n }, ['/a', '', 0n, 24n, 0n]],
    ] as const;
    for (const [program, expected] of uprobes) {
      const { path, symbol, offset, address, refCtrOffset } = createEvent({ kind: 'uprobe', program });
      assert.deepEqual([path, symbol, offset, address, refCtrOffset], expected);
    }
  });

  it('names the function or attach point, if several share one program', () => {
    // The last attach point does not exist.
    const names = [0, 1, 2].map((attachPoint) => {
      const loaded = { functionName: 'list:a', functions: ['f', 'g'] };
      return createEvent({ kind: 'kprobe' }, loaded, attachPoint)['functionName'];
    });
    assert.deepEqual(names, ['f', 'g', 'list:a']);
    const places = [{ path: '/a', symbol: 's' }, { path: '/a', fileOffset: 16n }] as const; // prettier-ignore
    const uprobes = [0, 1].map((i) => createEvent({ kind: 'uprobe', program: places[0], places }, {}, i));
    assert.deepEqual(uprobes.map(({ symbol }) => symbol), ['s', '']); // prettier-ignore
    assert.equal(uprobes[1]?.['offset'], 16n);
  });
});
