/** Compiled and loaded hooks, made without a policy. */
import { makeEmptyHook } from '../../lib/compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../../lib/compiled/compiled-policy.js';
import { newTally, type LoadedHook } from '../../lib/events/hook.js';
import type { EncodeContext } from '../../lib/wire/encode/hook.js';

export function compiledValue(type: CompiledValue['type'], more: Partial<CompiledValue> = {}): CompiledValue {
  return { index: 0, type, ints: [], texts: {}, net: {}, position: { line: 1, column: 1 }, ...more };
}

export function compiledHook(more: Partial<CompiledHook> = {}): CompiledHook {
  return {
    ...makeEmptyHook('kprobe', 'made_up', { file: 'made-up.yaml', line: 1, column: 1 }),
    ...more,
  };
}

export function loadedHook(compiled: CompiledHook, more: Partial<LoadedHook> = {}): LoadedHook {
  return { id: 8, policyName: 'p', functionName: 'f', compiled, tally: newTally(), ...more };
}

export function encodeContext(more: Partial<EncodeContext> = {}): EncodeContext {
  return {
    id: 12,
    selfTgid: 99,
    pair: false,
    multiplePoints: false,
    ia32: false,
    params: 2,
    processBits: [],
    scopeBits: [],
    onDemand: true,
    countHits: false,
    cpus: 2,
    countSeed: [1n, 2n],
    guard: 0,
    resolved: new Map(),
    registers: new Map(),
    fields: new Map(),
    helperSlots: new Set(),
    sizes: new Map(),
    inodes: new Map(),
    hostNamespaces: {
      Uts: [1],
      Ipc: [2],
      Mnt: [3, 33],
      Pid: [4],
      PidForChildren: [4],
      Net: [5],
      Time: [6],
      TimeForChildren: [6],
      Cgroup: [7],
      User: [8],
    },
    ...more,
  };
}
