/** The export as JSON lines: content, rotation, loss, and files that fail. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { toJson, type PlainEvent, type TracerEvent } from 'polytrace';
import { stringArgument } from '../../../test/unit/output/arguments.js';
import { changeEvent, execEvent, exitEvent, kprobeEvent, lostEvent } from '../../../test/unit/output/events.js';
import { loadConfiguration } from '../../lib/config/load.js';
import { ConfigError } from '../../lib/config/problems.js';
import { JsonExport } from '../../lib/export/export.js';
import { FileSink, type Clocks, type FileOptions } from '../../lib/export/file-sink.js';
import { countEvents, ExportLines, type LineConsumer } from '../../lib/export/lines.js';
import { LineQueue } from '../../lib/export/line-queue.js';
import { RateLimit } from '../../lib/export/rate-limit.js';
import { createRedactor, createExportFormat } from '../../lib/export/format.js';
import type { Sink, WriteResult } from '../../lib/export/sink.js';
import { StreamSink } from '../../lib/export/stream-sink.js';
import { Exports } from '../../lib/main/exports.js';
import { EventHub } from '../../lib/streams/hub.js';
import { openLog, type Log } from '../../lib/log/log.js';

/** Creates a log and a function that returns its text. */
function createTestLog(): { readonly log: Log; readonly text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { log: openLog({ level: 'info', format: 'json' }, stream), text: () => text };
}

const quiet = createTestLog().log;
const formatLoss = (count: number): string => `{"lost":{"count":${count}}}`;

describe('the form of exported events', () => {
  function exportEvents(
    events: readonly PlainEvent[],
    flags: Parameters<typeof loadConfiguration>[0]['flags'],
  ): Record<string, unknown>[] {
    const { options, sources } = loadConfiguration({ env: {}, flags });
    const { isExported, formatLine } = createExportFormat(options, sources, createRedactor(options, sources));
    return events
      .filter((event) => event.type === 'lost' || isExported === undefined || isExported(event as never))
      .map((event) => JSON.parse(formatLine(event)) as Record<string, unknown>);
  }

  const events = [
    execEvent({ binary: '/usr/bin/curl', arguments: '--token s3cret https://x' }),
    exitEvent(),
    kprobeEvent('sys_read', [stringArgument('a', 0)]),
    lostEvent(),
  ];
  const lineKinds = (lines: readonly Record<string, unknown>[]): string[] =>
    lines.map((line) => Object.keys(line)[0] ?? '');

  it('is that of the library, with the name of the cluster', () => {
    assert.deepEqual(
      exportEvents(events, {}),
      events.map((event) => JSON.parse(toJson(event)) as unknown),
    );
    const [named] = exportEvents(events, { clusterName: 'a"b' });
    assert.equal(named?.['cluster_name'], 'a"b');
  });

  it('allow and deny lists have the fields of Tetragon; losses are always exported', () => {
    const allow = '{"event_set":["PROCESS_EXEC"]}\n{"binary_regex":["^/never$"]}\n{"event_set":["PROCESS_EXIT"]}';
    assert.deepEqual(lineKinds(exportEvents(events, { exportAllowlist: allow })), [
      'process_exec',
      'process_exit',
      'lost',
    ]);
    const deny = '{"event_set":["PROCESS_EXEC"],"binary_regex":["curl$"]}';
    assert.deepEqual(lineKinds(exportEvents(events, { exportAllowlist: allow, exportDenylist: deny })), [
      'process_exit',
      'lost',
    ]);
    const cel = { cel_expression: ['process_exec.process.binary == "/usr/bin/curl"'] };
    assert.deepEqual(lineKinds(exportEvents(events, { exportAllowlist: [cel] })), ['process_exec', 'lost']);
  });

  it('field filters leave fields out, for some types of events', () => {
    const include = '{"fields":"process.binary,parent.pid","event_set":["PROCESS_EXEC"],"action":"INCLUDE"}';
    const exclude = { fields: ['process'], event_set: ['PROCESS_EXEC'], invert_event_set: true, action: 'EXCLUDE' };
    const [exec, exit] = exportEvents(events, { fieldFilters: [include, exclude] });
    assert.deepEqual(Object.keys((exec?.['process_exec'] as { process: object }).process), ['binary']);
    assert.equal('process' in (exit?.['process_exit'] as object), false);
  });

  it('redaction hides what the groups match, for binaries that fit', () => {
    const filters = ['{"binary_regex":["curl$"],"redact":["--token (\\\\S+)"]}', '{"redact":["never(.)"]}'].join('\n');
    const text = JSON.stringify(exportEvents(events, { redactionFilters: filters }));
    assert.ok(text.includes('--token ***** https://x') && !text.includes('s3cret'));
    const others = JSON.stringify(exportEvents(events, { redactionFilters: filters.replace('curl$', 'wget$') }));
    assert.ok(others.includes('s3cret'));
  });

  const invalidFlags: readonly (readonly [string, object, RegExp])[] = [
    ['no JSON', { exportAllowlist: '{"event_set"' }, /--export-allowlist: CONFIG_VALUE: .*JSON objects/],
    ['an unknown field', { exportAllowlist: '{"binary":["x"]}' }, /--export-allowlist: CONFIG_VALUE: .*binary/],
    ['a wrong type', { exportDenylist: '{"pid":["x"]}' }, /--export-denylist: CONFIG_VALUE/],
    [
      'a wrong pattern',
      { exportDenylist: '{"binary_regex":["("]}' },
      /--export-denylist: CONFIG_VALUE: .*deny_list\[0\]\.binary_regex/,
    ],
    [
      'an unknown path',
      { fieldFilters: '{"fields":"no.such","action":"INCLUDE"}' },
      /--field-filters: CONFIG_VALUE: .*no\.such/,
    ],
    ['no action', { fieldFilters: '{"fields":"process"}' }, /INCLUDE or EXCLUDE/],
    [
      'an unknown type',
      { fieldFilters: '{"fields":"process","action":"INCLUDE","event_set":["EXEC"]}' },
      /no type 'EXEC'/,
    ],
    [
      'a pattern without a group',
      { redactionFilters: '{"redact":["x"]}' },
      /--redaction-filters: CONFIG_VALUE: .*group/,
    ],
    ['an unknown field of redaction', { redactionFilters: '{"redacted":["(x)"]}' }, /no field 'redacted'/],
    ['rights', { exportFilePerm: '888' }, /--export-file-perm: CONFIG_VALUE: .*octal/],
    ['a time', { exportFileRotationInterval: '1 day' }, /--export-file-rotation-interval: CONFIG_VALUE: .*24h/],
  ];
  for (const [title, flags, message] of invalidFlags) {
    it(`a mistake: ${title}`, () => {
      assert.throws(
        () => exportEvents(events, flags),
        (error: Error) => error instanceof ConfigError && message.test(error.message),
      );
    });
  }

  it('a rate limit counts what it leaves out, and says so at its place', async () => {
    const { options, sources } = loadConfiguration({ env: {}, flags: { exportRateLimit: 2 } });
    const stdout = new PassThrough();
    const format = createExportFormat(options, sources, undefined);
    const json = new JsonExport(options, format, new StreamSink(stdout), quiet, 'node');
    const lines = new ExportLines(format, [json]);
    lines.add(Array.from({ length: 5 }, () => execEvent()) as unknown as TracerEvent[]);
    lines.add([lostEvent()] as unknown as TracerEvent[]);
    await json.close();
    const written = (stdout.read() as Buffer)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, { count: number }>);
    assert.deepEqual(lineKinds(written), ['process_exec', 'process_exec', 'lost', 'lost']);
    assert.equal(written[2]?.['lost']?.count, 3);
    assert.deepEqual([json.stats.limited, json.stats.lost], [3, 0]);
  });

  it('the limit holds for each minute', () => {
    let now = 0;
    const limit = new RateLimit(1, () => now);
    assert.deepEqual([limit.tryAcquire(), limit.tryAcquire()], [true, false]);
    now = 60_000;
    assert.deepEqual([limit.tryAcquire(), limit.tryAcquire()], [true, false]);
  });

  it('a step of the clock, in either direction, does not end the minute', () => {
    const { now } = Date;
    const limit = new RateLimit(1);
    try {
      assert.equal(limit.tryAcquire(), true);
      for (const step of [3_600_000, -3_600_000]) {
        Date.now = () => now() + step;
        assert.equal(limit.tryAcquire(), false);
      }
    } finally {
      Date.now = now;
    }
  });
});

describe('aggregation of exported events', () => {
  const DAY = 24 * 3_600_000;
  const format = { isExported: undefined, formatLine: (event: PlainEvent) => toJson(event) };
  const atSecond = (second: number): { readonly time: string } => ({ time: `2026-01-01T00:00:0${second}.000000000Z` });
  const addEvents = (lines: ExportLines, ...events: readonly PlainEvent[]): void =>
    lines.add(events as unknown as TracerEvent[]);

  class LineCollector implements LineConsumer {
    readonly lines: string[] = [];
    readonly losses: boolean[] = [];
    flushed: () => void = () => undefined;

    add(line: string, isLoss: boolean): void {
      this.lines.push(line);
      this.losses.push(isLoss);
    }

    flush(): void {
      this.flushed();
    }
  }

  it('events that are equal but for their time are one line with their number, at the end of the window', () => {
    const [first, second] = [new LineCollector(), new LineCollector()];
    const lines = new ExportLines(format, [first, second], { windowMs: DAY, maxMessages: 10, maxBytes: 1_000_000 });
    const createRead = (second: number): PlainEvent => ({
      ...kprobeEvent('sys_read', [stringArgument('a', 0)]),
      ...atSecond(second),
    });
    addEvents(
      lines,
      createRead(1),
      { ...kprobeEvent('sys_read', [stringArgument('b', 0)]), ...atSecond(1) },
      lostEvent(),
      changeEvent(),
      createRead(2),
    );
    addEvents(lines, createRead(3));
    const atOnce = [toJson(lostEvent()), toJson(changeEvent())];
    assert.deepEqual(first.lines, atOnce, 'losses and changes are reported at once');
    lines.close();
    assert.deepEqual(first.lines.slice(2).map(countEvents), [3, 1]);
    const [, , three = ''] = first.lines;
    assert.deepEqual(JSON.parse(three), { ...JSON.parse(toJson(createRead(1))), aggregation_info: { count: '3' } });
    assert.deepEqual([second.lines, first.losses], [first.lines, [true, true, false, false]]);
  });

  it('a window ends after its time', async () => {
    const consumer = new LineCollector();
    const lines = new ExportLines(format, [consumer], { windowMs: 5, maxMessages: 10, maxBytes: 1_000_000 });
    addEvents(lines, execEvent(), execEvent());
    const first = new Promise<void>((resolve) => {
      consumer.flushed = () => {
        if (consumer.lines.length > 0) resolve();
      };
    });
    await first;
    assert.deepEqual(consumer.lines.map(countEvents), [2]);
    lines.close();
    assert.equal(consumer.lines.length, 1);
  });

  for (const limits of [
    { maxMessages: 3, maxBytes: 1_000_000 },
    { maxMessages: 1000, maxBytes: 6 * toJson(execEvent()).length + 100 },
  ]) {
    it(`with too many different events, a window ends early: ${JSON.stringify(limits)}`, () => {
      const consumer = new LineCollector();
      const lines = new ExportLines(format, [consumer], { windowMs: DAY, ...limits });
      for (let i = 0; i < 4; i++) addEvents(lines, execEvent({ pid: 1 + i }));
      assert.equal(consumer.lines.length, 3);
      lines.close();
      assert.equal(consumer.lines.length, 4);
    });
  }

  it('a line that is lost counts as its events', async () => {
    const { options, sources } = loadConfiguration({ env: {}, flags: { exportRateLimit: 0 } });
    const ownFormat = createExportFormat(options, sources, undefined);
    const json = new JsonExport(options, ownFormat, new StreamSink(new PassThrough()), quiet, 'node');
    const lines = new ExportLines(ownFormat, [json], { windowMs: DAY, maxMessages: 10, maxBytes: 1_000_000 });
    addEvents(lines, execEvent(), execEvent(), execEvent());
    lines.close();
    assert.equal(json.stats.limited, 3);
    await json.close();
  });

  it('is switched on by its settings', async () => {
    const stdout = new PassThrough();
    const flags = { exportFilename: '-', enableExportAggregation: true, exportAggregationWindowSize: '10m' };
    const exports = await Exports.open(loadConfiguration({ env: {}, flags }), {
      log: quiet,
      stdout,
      nodeName: 'node',
      version: '1',
    });
    const hub = new EventHub({ nodeName: 'node' });
    exports.start(hub);
    hub.dispatch([execEvent(), execEvent()] as unknown as TracerEvent[]);
    await exports.close();
    assert.equal(countEvents((stdout.read() as Buffer).toString().trimEnd()), 2);
  });
});

describe('events that an earlier agent has left', () => {
  const COUNT = 2000;

  /** Hands out events of `timeNs` at once, as the ring buffer of an earlier agent does. Resolves with the export's counts. */
  async function exportAll(timeNs: bigint, stdout: Writable): Promise<JsonExport['stats']> {
    const flags = { exportFilename: '-', eventQueueBytes: '65536' };
    const host = { log: quiet, stdout, nodeName: 'node', version: '1' };
    const exports = await Exports.open(loadConfiguration({ env: {}, flags }), host);
    const hub = new EventHub({ nodeName: 'node', startedAt: 1000, pace: () => exports.waitForRoom() });
    exports.start(hub);
    const batch = Array.from({ length: COUNT / 2 }, () => ({ ...execEvent(), timeNs })) as unknown as TracerEvent[];
    await hub.run({ batches: () => [batch, batch] as never });
    await exports.close();
    assert.ok(exports.json !== undefined);
    return exports.json.stats;
  }
  const slow = (): Writable => new Writable({ write: (_chunk, _encoding, done) => void setImmediate(done) });

  it('wait for the file, so that none is lost', async () => {
    const { lost, lines } = await exportAll(1n, slow());
    assert.deepEqual([lost, lines], [0, COUNT]);
    // new events wait for nobody
    const now = await exportAll(2n ** 62n, slow());
    assert.ok(now.lost > 0);
  });

  it('do not wait for a reader that does not read', async function () {
    this.timeout(20_000);
    const hanging = new Writable({ write: () => undefined });
    const { lost, lines } = await exportAll(1n, hanging);
    assert.deepEqual([lost, lines], [COUNT, 0]);
  });
});

describe('the queue of the export', () => {
  /** A sink whose results the test controls. */
  class FakeSink implements Sink {
    listen(): void {
      // nobody removes lines
    }
    taken = '';
    /** The results of the next writes. Later writes succeed. */
    readonly next: (WriteResult | undefined)[] = [];

    write(lines: Buffer): Promise<WriteResult> {
      const { bytes, error } = this.next.shift() ?? { bytes: lines.length };
      this.taken += lines.toString('utf8', 0, bytes);
      return Promise.resolve(error === undefined ? { bytes } : { bytes, error });
    }

    reopen(): void {
      // nothing is open
    }

    close(): Promise<void> {
      return Promise.resolve();
    }
  }

  const full: NodeJS.ErrnoException = Object.assign(new Error('no space left'), { code: 'ENOSPC' });

  it('tries again after a failure, without a line lost or twice', async () => {
    const sink = new FakeSink();
    sink.next.push({ bytes: 4, error: full }, { bytes: 0, error: full });
    const { log, text } = createTestLog();
    const queue = new LineQueue({ sink, maxBytes: 1000, log, formatLoss, retryMs: 1 });
    for (const line of ['a', 'b', 'c']) queue.add(line);
    queue.flush();
    while (sink.taken.length < 6) await new Promise(setImmediate);
    await queue.close(1000);
    assert.equal(sink.taken, 'a\nb\nc\n');
    assert.deepEqual([queue.writtenLines, queue.lost, queue.failures, queue.bytes], [3, 0, 2, 0]);
    assert.equal(text().match(/ENOSPC/g)?.length, 1, 'a failure that goes on is reported once');
    assert.match(text(), /events are exported again/);
  });

  it('what finds it full is counted, and reported at its place', async () => {
    const sink = new FakeSink();
    const queue = new LineQueue({ sink, maxBytes: 8, log: quiet, formatLoss });
    for (const line of ['aaa', 'bbb', 'ccc', 'ddd']) queue.add(line);
    assert.equal(queue.lost, 2);
    queue.flush();
    await queue.close(1000);
    assert.equal(sink.taken, 'aaa\nbbb\n{"lost":{"count":2}}\n');
  });

  it('a report of a loss that finds it full is made again, with all its events', async () => {
    const sink = new FakeSink();
    const queue = new LineQueue({ sink, maxBytes: 8, log: quiet, formatLoss });
    for (const line of ['aaa', 'bbb', formatLoss(1000), 'ccc']) queue.add(line);
    assert.equal(queue.lost, 1);
    queue.flush();
    await queue.close(1000);
    assert.equal(sink.taken, 'aaa\nbbb\n{"lost":{"count":1001}}\n');
  });

  it('what is not written at the end is lost, and counted', async () => {
    const sink = new FakeSink();
    sink.next.push({ bytes: 2, error: full }, { bytes: 0, error: full });
    const { log, text } = createTestLog();
    const queue = new LineQueue({ sink, maxBytes: 1000, log, formatLoss });
    for (const line of ['a', 'b', 'c']) queue.add(line);
    await queue.close(1000);
    assert.deepEqual([sink.taken, queue.writtenLines, queue.lost], ['a\n', 1, 2]);
    assert.match(text(), /"lost":2/);
  });

  it('a reader that does not read holds up nothing else, and one that has gone is an error', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const { log, text } = createTestLog();
    const queue = new LineQueue({ sink: new StreamSink(stream), maxBytes: 10, log, formatLoss });
    for (let i = 0; i < 3; i++) {
      queue.add('12345678');
      queue.flush();
    }
    await queue.close(1);
    assert.ok(queue.bytes <= 40 && queue.lost === 3, String(queue.lost));
    stream.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }));
    await new Promise((resolve) => stream.once('close', resolve));
    const closedQueue = new LineQueue({ sink: new StreamSink(stream), maxBytes: 10, log, formatLoss });
    closedQueue.add('x');
    await closedQueue.close(100);
    assert.equal(closedQueue.lost, 1);
    assert.match(text(), /events cannot be exported/);
  });
});

describe('the file of the export', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-export-'));
    path = join(folder, 'new', 'events.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (more: Partial<FileOptions> = {}, clocks?: Clocks, log = quiet): FileSink =>
    new FileSink(
      {
        path,
        mode: 0o600,
        maxBytes: 1_000_000,
        intervalMs: 0,
        backups: 100,
        compress: false,
        fsync: 'never',
        ...more,
      },
      log,
      clocks,
    );

  /** Returns the content of a file in the folder. A compressed file is decompressed. */
  function readBackup(name: string): string {
    const bytes = readFileSync(join(folder, 'new', name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  }

  /** Returns the names of the rotated files, oldest first, and of the current one. */
  function names(): string[] {
    return readdirSync(join(folder, 'new')).sort(
      (a, b) => Number(a === 'events.json') - Number(b === 'events.json') || (a < b ? -1 : 1),
    );
  }

  it('its folder is made when it is missing, at the start and later, without an error in the log', async () => {
    const { log, text } = createTestLog();
    let now = 0;
    const sink = open({}, { wall: () => 0, monotonic: () => now }, log);
    await sink.write(Buffer.from('1\n'));
    rmSync(join(folder, 'new'), { recursive: true });
    now += 2000;
    await sink.write(Buffer.from('2\n'));
    await sink.close();
    assert.equal(readBackup('events.json'), '2\n');
    assert.equal(text(), '');
  });

  it('a change of the rotation counts from the next lines on, and surplus files are removed', async () => {
    let now = 0;
    const sink = open({ maxBytes: 4 }, { wall: () => now, monotonic: () => now });
    for (const line of ['a\n', 'b\n', 'c\n', 'd\n', 'e\n']) await sink.write(Buffer.from(line));
    assert.equal(names().length, 3);
    sink.setRotation({ maxBytes: 100, intervalMs: 5000, backups: 1 });
    for (const line of ['f\n', 'g\n', 'h\n']) await sink.write(Buffer.from(line));
    now += 6000;
    await sink.write(Buffer.from('i\n'));
    await sink.close();
    assert.deepEqual(names().map(readBackup), ['e\nf\ng\nh\n', 'i\n']);
  });

  it('is for its owner only, also when it exists', async () => {
    mkdirSync(join(folder, 'new'));
    writeFileSync(path, 'old\n', { mode: 0o666 });
    const sink = open();
    await sink.write(Buffer.from('new\n'));
    await sink.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(readBackup('events.json'), 'old\nnew\n');
  });

  it('a line that a killed agent has left unfinished gets its end', async () => {
    mkdirSync(join(folder, 'new'));
    writeFileSync(path, 'whole\ntor');
    const sink = open();
    await sink.write(Buffer.from('next\n'));
    await sink.close();
    assert.equal(readBackup('events.json'), 'whole\ntor\nnext\n');
  });

  it('under load, rotation loses and tears no line, and old files are compressed', async () => {
    const sink = open({ maxBytes: 20_000, compress: true, fsync: 'always' });
    const queue = new LineQueue({ sink, maxBytes: 64 * 1024 * 1024, log: quiet, formatLoss });
    const lines = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ i, text: 'x'.repeat(i % 50) }));
    for (const [i, line] of lines.entries()) {
      queue.add(line);
      if (i % 200 === 0) {
        queue.flush();
        await new Promise(setImmediate);
      }
    }
    await queue.close(60_000);
    await sink.close();
    assert.ok(sink.rotations > 3, String(sink.rotations));
    assert.equal(names().filter((name) => name.endsWith('.gz')).length, sink.rotations);
    for (const name of names()) assert.equal(statSync(join(folder, 'new', name)).mode & 0o777, 0o600, name);
    assert.ok(names().map(readBackup).join('') === lines.map((line) => `${line}\n`).join(''));
    assert.equal(queue.lost, 0);
  });

  it('makes a folder that is missing without an error in the log', async () => {
    const errors: unknown[] = [];
    const log = { error: (...args: unknown[]) => errors.push(args) } as unknown as typeof quiet;
    const options = { path, mode: 0o600, maxBytes: 10, intervalMs: 0, backups: 2, compress: false } as const;
    const sink = new FileSink({ ...options, fsync: 'never' }, log);
    await sink.write(Buffer.from('a\n'));
    await sink.close();
    assert.deepEqual([names(), errors], [['events.json'], []]);
  });

  it('keeps the newest files', async () => {
    let now = Date.UTC(2026, 0, 1);
    const sink = open({ maxBytes: 4, backups: 2 }, { wall: () => (now += 10_000), monotonic: () => 0 });
    for (let i = 0; i < 5; i++) await sink.write(Buffer.from(`${i}\n\n\n`));
    await sink.close();
    assert.deepEqual(names().map(readBackup), ['2\n\n\n', '3\n\n\n', '4\n\n\n']);
    assert.match(names()[0] ?? '', /^events-2026-01-01T00-\d\d-\d\d\.000Z\.json$/);
  });

  it('is rotated after a time', async () => {
    let now = 0;
    const sink = open({ intervalMs: 60_000 }, { wall: () => Date.UTC(2026, 0, 1), monotonic: () => now });
    for (let i = 0; i < 4; i++) {
      await sink.write(Buffer.from(`${i}\n`));
      now += 30_000;
    }
    await sink.close();
    assert.deepEqual(names().map(readBackup), ['0\n1\n', '2\n3\n']);
  });

  it('the time of day that is set changes no duration, and the newest files are kept', async () => {
    const hour = 3_600_000;
    let [day, now] = [Date.UTC(2026, 0, 1), 0];
    const sink = open({ intervalMs: 60_000, backups: 2 }, { wall: () => day, monotonic: () => now });
    for (const [i, step] of [hour, -hour, -24 * hour, 0, hour].entries()) {
      await sink.write(Buffer.from(`${i}a\n`));
      day += step;
      await sink.write(Buffer.from(`${i}b\n`));
      now += 60_000;
      day += 60_000;
    }
    await sink.close();
    assert.equal(sink.rotations, 4);
    assert.deepEqual(names().map(readBackup), ['2a\n2b\n', '3a\n3b\n', '4a\n4b\n']);
  });

  it('what an interrupted compression has left is removed, and compressed again', async () => {
    mkdirSync(join(folder, 'new'));
    const old = 'events-2026-01-01T00-00-00.000Z.json';
    writeFileSync(join(folder, 'new', old), 'old\n');
    writeFileSync(join(folder, 'new', `${old}.gz.part`), 'half');
    writeFileSync(join(folder, 'new', 'events-other.json'), 'of somebody else');
    await open({ compress: true }).close();
    assert.deepEqual(names(), [`${old}.gz`, 'events-other.json']);
    assert.equal(readBackup(`${old}.gz`), 'old\n');
  });

  it('a file that somebody moves or removes is made again', async () => {
    let now = 0;
    const sink = open({}, { wall: () => 0, monotonic: () => now });
    await sink.write(Buffer.from('1\n'));
    renameSync(path, `${path}.1`);
    now += 2000;
    await sink.write(Buffer.from('2\n'));
    renameSync(path, `${path}.2`);
    // the signal arrives before the next check
    sink.reopen();
    await sink.write(Buffer.from('3\n'));
    await sink.close();
    assert.deepEqual(
      [readBackup('events.json.1'), readBackup('events.json.2'), readBackup('events.json')],
      ['1\n', '2\n', '3\n'],
    );
  });

  for (const [title, change, lost, left] of [
    ['removes', () => rmSync(path), 3, 'd\n'],
    ['empties', () => truncateSync(path), 3, 'd\n'],
    ['cuts at the end of a line', () => truncateSync(path, 2), 2, 'a\nd\n'],
    ['moves', () => renameSync(path, `${path}.1`), 0, 'd\n'],
  ] as const) {
    it(`the lines of a file that somebody ${title} are counted: ${lost} of 3`, async () => {
      let now = 0;
      let counted = 0;
      const sink = open({}, { wall: () => 0, monotonic: () => now });
      sink.listen((lines) => (counted += lines));
      await sink.write(Buffer.from('a\nb\n'));
      await sink.write(Buffer.from('c\n'));
      change();
      now += 2000;
      await sink.write(Buffer.from('d\n'));
      await sink.close();
      assert.deepEqual([counted, readBackup('events.json')], [lost, left]);
    });
  }

  it('a link, a folder and a missing right are errors, and no line is lost', async () => {
    mkdirSync(join(folder, 'new'));
    symlinkSync('/dev/null', path);
    const sink = open();
    const refused = await sink.write(Buffer.from('1\n'));
    assert.deepEqual([refused.bytes, refused.error?.code], [0, 'ELOOP']);
    rmSync(path);
    mkdirSync(path);
    assert.equal((await sink.write(Buffer.from('1\n'))).error?.code, 'EISDIR');
    rmSync(path, { recursive: true });
    assert.deepEqual(await sink.write(Buffer.from('1\n')), { bytes: 2 });
    appendFileSync(path, 'of somebody else\n');
    await sink.write(Buffer.from('2\n'));
    await sink.close();
    assert.equal(readBackup('events.json'), '1\nof somebody else\n2\n');
  });
});
