// User space's part: events a second through `for await` on one core, from records that no kernel made, and memory.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { checkout } from '../test/vm/vm.mjs';
import { compilePolicy, formatCompact, loadPolicyFile, toJson } from '../lib/index.mjs';

const require = createRequire(import.meta.url);
const dist = (path) => require(join(checkout, 'dist', path));
const { loadBinding } = dist('native/binding.js');
const { Hub } = dist('tracer/hub.js');
const { BatchIterator, EventIterator } = dist('tracer/consumer.js');
const { ProcessCache } = dist('process/cache.js');
const { Clock } = dist('process/clock.js');
const { EventExec, EventHook, EventType, ArgValue, TextRef, ProcessKey, EventHeader } = dist('wire/layout.gen.js');

const HOOK = 8;
const PID = 4_000_001;

class Record {
  constructor(type, fixed) {
    this.bytes = Buffer.alloc(1024);
    this.end = fixed;
    this.bytes.writeUInt16LE(type, EventHeader.type);
    this.bytes.writeBigUInt64LE(1_000_000_000n, EventHeader.time);
    this.key();
  }

  key() {
    this.bytes.writeUInt32LE(PID, EventExec.key + ProcessKey.tgid);
    this.bytes.writeUInt32LE(PID, EventExec.key + ProcessKey.tid);
    this.bytes.writeBigUInt64LE(999_999_999n, EventExec.key + ProcessKey.startTime);
    this.bytes.writeBigUInt64LE(1n, EventExec.key + ProcessKey.execCount);
  }

  text(at, value) {
    this.bytes.writeUInt32LE(this.end, at + TextRef.offset);
    this.bytes.writeUInt16LE(value.length, at + TextRef.length);
    this.end += this.bytes.write(value, this.end);
  }

  finish() {
    this.bytes.writeUInt32LE(this.end, EventHeader.size);
    return this.bytes.subarray(0, (this.end + 7) & ~7);
  }
}

function execRecord() {
  const record = new Record(EventType.EVENT_EXEC, EventExec.sizeof);
  record.text(EventExec.filename, '/usr/bin/cat');
  record.text(EventExec.executable, '/usr/bin/cat');
  record.text(EventExec.cwd, '/root');
  record.bytes.writeUInt32LE(record.end, EventExec.argvOffset);
  record.bytes.writeUInt32LE(16, EventExec.argvLength);
  record.end += record.bytes.write('cat\0/etc/shadow\0', record.end);
  return record.finish();
}

/** A read of /etc/shadow, as the file-monitoring policy's first hook reports it. */
function hookRecord(args) {
  const record = new Record(EventType.EVENT_HOOK, EventHook.sizeof + args * ArgValue.sizeof);
  record.bytes.writeUInt32LE(HOOK, EventHook.hook);
  record.bytes.writeBigUInt64LE(1n, EventHook.matched);
  record.bytes.writeUInt32LE(args, EventHook.argsCount);
  record.text(EventHook.sizeof + ArgValue.text, '/etc/shadow');
  record.bytes.writeBigUInt64LE(4n, EventHook.sizeof + ArgValue.sizeof + ArgValue.value);
  return record.finish();
}

/** A hub over records that were made up: what a tracer is without its kernel side. */
function openHub(total) {
  const binding = loadBinding();
  const [image] = compilePolicy(loadPolicyFile(join(checkout, 'examples/file-monitoring.yaml'))).hooks;
  const hook = { id: HOOK, policyName: 'file-monitoring', functionName: image.call, image };
  const records = Buffer.concat([execRecord(), ...Array.from({ length: 63 }, () => hookRecord(image.args.length))]);
  const source = new binding.SyntheticSource(records, total);
  const session = {
    drain: (slab, offset) => source.drain(slab, offset),
    used: () => source.left(),
    start: () => undefined,
    arm: () => undefined,
    setActive: () => undefined,
    takeLosses: () => [],
    takeMissed: () => [],
  };
  const clock = new Clock(() => binding.bootOffset());
  const cache = new ProcessCache({ nodeName: 'bench', clock });
  const hooks = new Map([[HOOK, hook]]);
  return new Hub({
    session,
    cache,
    clock,
    hooks,
    nodeName: 'bench',
    coalesceMs: 1,
    maxQueued: 65_536,
    onEmpty: () => undefined,
  });
}

const loops = {
  async 'item by item, counted'(hub, total) {
    let seen = 0;
    for await (const event of new EventIterator(hub.join({}))) if (++seen === total) return event;
  },
  async 'in batches, counted'(hub, total) {
    let seen = 0;
    for await (const batch of new BatchIterator(hub.join({}))) if ((seen += batch.length) === total) return batch;
  },
  async 'item by item, type, binary and path read'(hub, total) {
    let seen = 0;
    let length = 0;
    for await (const event of new EventIterator(hub.join({}))) {
      length += event.process.binary.length;
      if (event.type === 'process_kprobe') length += event.args[0].path.length;
      if (++seen === total) return length;
    }
  },
  async 'in batches, compact lines'(hub, total) {
    let seen = 0;
    let length = 0;
    for await (const batch of new BatchIterator(hub.join({}))) {
      for (const event of batch) length += formatCompact(event).length;
      if ((seen += batch.length) === total) return length;
    }
  },
  async 'in batches, JSON lines'(hub, total) {
    let seen = 0;
    let length = 0;
    for await (const batch of new BatchIterator(hub.join({}))) {
      for (const event of batch) length += toJson(event).length;
      if ((seen += batch.length) === total) return length;
    }
  },
};

async function measure(loop, total) {
  await loop(openHub(total / 10), total / 10); // the compiler's warm-up
  const hub = openHub(total);
  const before = process.memoryUsage().rss;
  const started = process.hrtime.bigint();
  await loop(hub, total);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  return { rate: total / seconds, growth: process.memoryUsage().rss - before };
}

/** Rows of text; the first is the head. */
export async function hostTable() {
  const rows = [['for await', 'events a second', 'memory grown by', 'target']];
  for (const [name, loop] of Object.entries(loops)) {
    const counted = name.endsWith('counted');
    const { rate, growth } = await measure(loop, counted ? 4_000_000 : 400_000);
    const million = (rate / 1e6).toFixed(2);
    rows.push([
      name,
      `${million} million`,
      `${Math.max(0, growth / 2 ** 20).toFixed(0)} MiB`,
      counted ? '≥ 0.50 million' : '',
    ]);
  }
  return rows;
}
