// The yardstick of the short benchmark: minimal code that creates an object for the file of each record.
import { layout } from './dist.mjs';
import { execRecord, fileRecord, RecordSource } from './records.mjs';

const { EventHeader, EventHook, EventType, RecordLimit, Value } = layout;

/** The source stops after 64 KiB, which is the amount that the reader decodes in one step. */
const CHUNK_BYTES = 64 * 1024 + RecordLimit.RECORD_SIZE_MAX;

interface PlainFile {
  readonly type: string;
  readonly path: string;
  readonly mode: number;
  readonly inode: bigint;
  readonly device: { readonly major: number; readonly minor: number };
}

function readPlainFile(bytes: Buffer, view: DataView, record: number): PlainFile {
  const at = record + EventHook.sizeof;
  const text = record + view.getUint32(at + Value.stringOffset, true);
  const device = view.getUint32(at + Value.device, true);
  return {
    type: 'file',
    path: bytes.toString('utf8', text, text + view.getUint16(at + Value.stringLength, true)),
    mode: view.getUint32(at + Value.mode, true),
    inode: view.getBigUint64(at + Value.value, true),
    device: { major: device >>> 20, minor: device & 0xfffff },
  };
}

const records = [execRecord(), ...Array.from({ length: 63 }, () => fileRecord(8, 2))];

/** Reads `total` records. The result depends on each record, so that the compiler cannot remove a read. */
export function readPlainly(total: number): Promise<number> {
  const source = new RecordSource(records, total);
  const bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let length = 0;
  while (source.unreadRecords() > 0) {
    const end = source.drain(bytes, 0);
    // the objects live as long as a batch of events
    const files: PlainFile[] = [];
    for (let at = 0; at < end; at += (view.getUint32(at + EventHeader.size, true) + 7) & ~7) {
      if (view.getUint16(at + EventHeader.type, true) !== EventType.EVENT_HOOK) continue;
      files.push(readPlainFile(bytes, view, at));
    }
    for (const { path, device } of files) length += path.length + device.minor;
  }
  return Promise.resolve(length);
}
