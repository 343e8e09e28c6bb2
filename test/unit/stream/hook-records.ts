/** Records of a hook whose values are all different. */
import { newTally, type LoadedHook } from '../../../lib/events/hook.js';
import type { CompiledHook, CompiledValue } from '../../../lib/compiled/compiled-policy.js';
import { EventHeader, EventHook, EventType } from '../../../lib/wire/layout.gen.js';
import { recordOf } from '../wire/decode/values.js';
import type { Who } from '../wire/records.js';

const HOOK = 8;
const value = (type: CompiledValue['type'], index: number): CompiledValue => {
  return { index, type, ints: [], texts: {}, net: {}, position: { line: 1, column: 1 } };
};
const image = {
  kind: 'kprobe',
  args: [value('file', 0), value('string', 1), value('char_buf', 2), value('cred', 3), value('int16', 4)],
  data: [value('sock', 0)],
  returnArg: value('int64', 0),
  tags: [],
} as unknown as CompiledHook;
const loaded = { id: HOOK, policyName: 'p', functionName: 'f', compiled: image, tally: newTally() } as LoadedHook;
export const HOOKS = new Map([[HOOK, loaded]]);

export const who = (n: number): Who => ({ pid: 30_000_000 + n, start: BigInt(n), count: 1 });

/** A record whose values depend on `n`; the text has `length` bytes. */
export function hookRecord(n: number, length: number): Buffer {
  const text = String(n).padStart(length, 'é');
  const bytes = recordOf([
    { text: `/srv/${n}`, value: BigInt(n), mode: 0o100644, device: n },
    { text },
    { text: Buffer.alloc(20, n), size: 20 },
    { text: Buffer.alloc(120, n) },
    { value: BigInt(n % 1000) },
    { text: Buffer.alloc(200, n) },
    { value: BigInt(-n) },
  ]);
  const record = Buffer.alloc((bytes.length + 7) & ~7);
  bytes.copy(record);
  record.writeUInt16LE(EventType.EVENT_HOOK, EventHeader.type);
  record.writeBigUInt64LE(BigInt(n), EventHeader.time);
  record.writeUInt32LE(HOOK, EventHook.hook);
  record.writeUInt32LE(1 << (n % 20), EventHook.matched);
  const { pid, start } = who(0);
  record.writeUInt32LE(pid, EventHook.key);
  record.writeUInt32LE(pid + (n % 7), EventHook.key + 4);
  record.writeBigUInt64LE(start, EventHook.key + 8);
  record.writeBigUInt64LE(1n, EventHook.key + 16);
  return record;
}
