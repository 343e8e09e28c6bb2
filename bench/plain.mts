// The yardstick of the short benchmark: the least code that makes an object of each record's file, on the same machine and Node.js.
import { layout } from './dist.mjs';
import { execRecord, fileRecord, RecordSource } from './records.mjs';

const { EventHeader, EventHook, EventType, RecordRoom, Value } = layout;

/** The source stops after 64 KiB: as many records as the reader makes events of at once. */
const SLAB_BYTES = 64 * 1024 + RecordRoom.RECORD_MAX;

interface PlainFile {
  readonly type: string;
  readonly path: string;
  readonly mode: number;
  readonly inode: bigint;
  readonly device: { readonly major: number; readonly minor: number };
}

function plainFile(bytes: Buffer, view: DataView, record: number): PlainFile {
  const at = record + EventHook.sizeof;
  const text = record + view.getUint32(at + Value.textOffset, true);
  const device = view.getUint32(at + Value.device, true);
  return {
    type: 'file',
    path: bytes.toString('utf8', text, text + view.getUint16(at + Value.textLength, true)),
    mode: view.getUint32(at + Value.mode, true),
    inode: view.getBigUint64(at + Value.value, true),
    device: { major: device >>> 20, minor: device & 0xfffff },
  };
}

/** Reads so many records; returns what depends on each of them. */
export async function readPlainly(total: number): Promise<number> {
  const source = new RecordSource([execRecord(), ...Array.from({ length: 63 }, () => fileRecord(8, 2))], total);
  const bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let length = 0;
  while (source.left() > 0) {
    const end = source.drain(bytes, 0);
    // as long as a batch of events lives
    const files: PlainFile[] = [];
    for (let at = 0; at < end; at += (view.getUint32(at + EventHeader.size, true) + 7) & ~7) {
      if (view.getUint16(at + EventHeader.type, true) !== EventType.EVENT_HOOK) continue;
      files.push(plainFile(bytes, view, at));
    }
    for (const { path, device } of files) length += path.length + device.minor;
  }
  return length;
}
