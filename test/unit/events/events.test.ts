import assert from 'node:assert/strict';
import type { CompiledHook, CompiledValue } from '../../../lib/compiled/compiled-policy.js';
import type { ProcessView } from '../../../lib/process/view.js';
import { createHookEvent } from '../../../lib/events/events.js';
import { newTally, type LoadedHook } from '../../../lib/events/hook.js';
import { KprobeEvent } from '../../../lib/events/hook-events.js';
import { EventHook } from '../../../lib/wire/layout.gen.js';
import type { ArgumentType } from '../../../types/policy-language.js';
import { recordOf, slabOf, type MadeValue } from '../wire/decode/values.js';

const valueOf = (type: ArgumentType, index: number): CompiledValue => ({
  index,
  type,
  ints: [],
  texts: {},
  net: {},
  position: { line: 1, column: 1 },
});

function eventOf(image: Pick<CompiledHook, 'args' | 'data' | 'returnArg'>, values: readonly MadeValue[]): KprobeEvent {
  const { slab, at } = slabOf(recordOf(values));
  const hook = { id: 8, policyName: 'p', functionName: 'f', compiled: image as CompiledHook, tally: newTally() };
  return new KprobeEvent(slab, at, {} as ProcessView, hook, []);
}

describe('the values of a hook event', () => {
  const args = [valueOf('string', 1), valueOf('nop', 2), valueOf('int', 3)];
  const values = [{ text: 'a' }, { value: 9n }, { value: -3n }];
  const told = [
    { type: 'string', index: 1, value: 'a', truncated: false },
    { type: 'int', index: 3, value: -3 },
  ];

  it('are args, then data, then the return value; a nop has a slot and is omitted', () => {
    const image = { args, data: [valueOf('nop', 0), valueOf('uint64', 0)], returnArg: valueOf('file', 0) };
    const event = eventOf(image, [...values, {}, { value: 7n }, { text: '/x', value: 5n }]);
    assert.deepEqual(event.args, told);
    assert.deepEqual(event.data, [{ type: 'uint64', index: 0, value: 7n }]);
    assert.equal(event.return?.type, 'file');
    assert.equal('path' in event.return && event.return.path, '/x');
    assert.equal(event.returnAction, 'post');
  });

  it('data is empty and the return value absent if the policy has none', () => {
    const event = eventOf({ args, data: [] }, values);
    assert.deepEqual([event.args, event.data, event.return], [told, [], undefined]);
    assert.equal(event.returnAction, undefined);
  });

  it('are decoded once', () => {
    const event = eventOf({ args, data: [valueOf('int', 0)] }, [...values, { value: 1n }]);
    assert.equal(event.args, event.args);
    assert.equal(event.data, event.data);
  });
});

describe('the kind of an event', () => {
  const made = (image: Partial<CompiledHook>): Record<string, unknown> => {
    const { slab, at } = slabOf(recordOf([]));
    const hook = {
      id: 8,
      policyName: 'p',
      functionName: 'f',
      compiled: { args: [], data: [], ...image } as unknown as CompiledHook,
      tally: newTally(),
    };
    return createHookEvent(slab, at, {} as ProcessView, hook) as unknown as Record<string, unknown>;
  };
  const tracepoint = { subsystem: 'sched', event: 'sched_switch' };

  it('is that of its hook', () => {
    const kinds = ['kprobe', 'fentry', 'tracepoint', 'raw_tracepoint', 'lsm', 'uprobe', 'usdt'] as const;
    assert.deepEqual(
      kinds.map((kind) => made({ kind })['type']),
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
    const point = made({ kind: 'tracepoint', tracepoint });
    assert.deepEqual([point['subsystem'], point['event']], ['sched', 'sched_switch']);
    assert.equal(made({ kind: 'lsm' })['functionName'], 'f');
    const { path, provider, name } = made({ kind: 'usdt', usdt: { path: '/a', provider: 'p', name: 'n' } });
    assert.deepEqual([path, provider, name], ['/a', 'p', 'n']);
    const places = [
      [{ path: '/a', symbol: 's', symbolOffset: 8n, refCtrOffset: 3n }, ['/a', 's', 8n, undefined, 3n]],
      [{ path: '/a', fileOffset: 16n }, ['/a', '', 16n, undefined, 0n]],
      [{ path: '/a', address: 24n }, ['/a', '', 0n, 24n, 0n]],
    ] as const;
    for (const [program, told] of places) {
      const { path, symbol, offset, address, refCtrOffset } = made({ kind: 'uprobe', program });
      assert.deepEqual([path, symbol, offset, address, refCtrOffset], told);
    }
  });

  it('names the function or place, if several share one program', () => {
    const at = (place: number, more: Partial<LoadedHook>): Record<string, unknown> => {
      const record = recordOf([]);
      record.writeUInt16LE(place, EventHook.attachPoint);
      const { slab, at: start } = slabOf(record);
      const loaded = { id: 8, policyName: 'p', functionName: 'list:a', tally: newTally(), ...more } as LoadedHook;
      return createHookEvent(slab, start, {} as ProcessView, loaded) as unknown as Record<string, unknown>;
    };
    const kprobe = { functions: ['f', 'g'], compiled: { kind: 'kprobe', args: [], data: [] } as unknown as CompiledHook };
    // The last place does not exist.
    assert.deepEqual([0, 1, 2].map((place) => at(place, kprobe)['functionName']), ['f', 'g', 'list:a']); // prettier-ignore
    const places = [{ path: '/a', symbol: 's' }, { path: '/a', fileOffset: 16n }]; // prettier-ignore
    const image = { kind: 'uprobe', args: [], data: [], program: places[0], places } as unknown as CompiledHook;
    assert.deepEqual([0, 1].map((place) => at(place, { compiled: image })['symbol']), ['s', '']); // prettier-ignore
    assert.equal(at(1, { compiled: image })['offset'], 16n);
  });
});
