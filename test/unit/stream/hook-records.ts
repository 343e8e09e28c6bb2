/** Records of one hook, with different values in each record. */
import { EventHeader, EventHook, EventType } from '../../../lib/wire/layout.gen.js';
import { valuesRecord } from '../wire/decode/values.js';
import { compiledHook, compiledValue, loadedHook } from '../compiled-hooks.js';
import { testProcess } from '../wire/records.js';

const HOOK = 8;
const compiled = compiledHook({
  args: (['file', 'string', 'char_buf', 'cred', 'int16'] as const).map((type, index) => compiledValue(type, { index })),
  data: [compiledValue('sock')],
  returnArg: compiledValue('int64'),
});
export const HOOKS = new Map([[HOOK, loadedHook(compiled, { id: HOOK })]]);

/** Makes a record whose values depend on `n`. Its second string has `length` characters of one or two bytes. */
export function numberedHookRecord(n: number, length: number): Buffer {
  const text = String(n).padStart(length, 'é');
  const bytes = valuesRecord([
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
  const { pid, start } = testProcess(0);
  record.writeUInt32LE(pid, EventHook.key);
  record.writeUInt32LE(pid + (n % 7), EventHook.key + 4);
  record.writeBigUInt64LE(start, EventHook.key + 8);
  record.writeBigUInt64LE(1n, EventHook.key + 16);
  return record;
}
