/** The export as JSON lines: what is written, rotation, loss, and files that fail. */
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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { toJson, type PlainEvent, type TracerEvent } from 'polytrace';
import { execOf, exitOf, hookOf, lostOf, textOf } from '../../../test/unit/output/events.js';
import { loadConfiguration } from '../../lib/config/load.js';
import { BadOption } from '../../lib/config/problems.js';
import { JsonExport } from '../../lib/export/export.js';
import { FileSink, type Clocks, type FileOptions } from '../../lib/export/file-sink.js';
import { eventsIn, ExportLines, type LineConsumer } from '../../lib/export/lines.js';
import { LineQueue } from '../../lib/export/line-queue.js';
import { RateLimit } from '../../lib/export/rate-limit.js';
import { redactorOf, shapeOf } from '../../lib/export/shape.js';
import type { Sink, Written } from '../../lib/export/sink.js';
import { StreamSink } from '../../lib/export/stream-sink.js';
import { Exports } from '../../lib/main/exports.js';
import { EventHub } from '../../lib/streams/hub.js';
import { openLog, type Log } from '../../lib/log/log.js';

/** A log that tests can read. */
function gatheredLog(): { readonly log: Log; readonly text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { log: openLog({ level: 'info', format: 'json' }, stream), text: () => text };
}

const quiet = gatheredLog().log;
const lossLine = (count: number): string => `{"lost":{"count":${count}}}`;

describe('the shape of exported events', () => {
  function exported(
    events: readonly PlainEvent[],
    flags: Parameters<typeof loadConfiguration>[0]['flags'],
  ): Record<string, unknown>[] {
    const { options, sources } = loadConfiguration({ env: {}, flags });
    const { wants, lineOf } = shapeOf(options, sources, redactorOf(options, sources));
    return events
      .filter((event) => event.type === 'lost' || wants === undefined || wants(event as never))
      .map((event) => JSON.parse(lineOf(event)) as Record<string, unknown>);
  }

  const events = [
    execOf({ binary: '/usr/bin/curl', arguments: '--token s3cret https://x' }),
    exitOf(),
    hookOf('sys_read', [textOf('a', 0)]),
    lostOf(),
  ];
  const kinds = (lines: readonly Record<string, unknown>[]): string[] =>
    lines.map((line) => Object.keys(line)[0] ?? '');

  it('is that of the library, with the name of the cluster', () => {
    assert.deepEqual(
      exported(events, {}),
      events.map((event) => JSON.parse(toJson(event)) as unknown),
    );
    const [named] = exported(events, { clusterName: 'a"b' });
    assert.equal(named?.['cluster_name'], 'a"b');
  });

  it('allow and deny lists have the fields of Tetragon; losses are always exported', () => {
    const allow = '{"event_set":["PROCESS_EXEC"]}\n{"binary_regex":["^/never$"]}\n{"event_set":["PROCESS_EXIT"]}';
    assert.deepEqual(kinds(exported(events, { exportAllowlist: allow })), ['process_exec', 'process_exit', 'lost']);
    const deny = '{"event_set":["PROCESS_EXEC"],"binary_regex":["curl$"]}';
    assert.deepEqual(kinds(exported(events, { exportAllowlist: allow, exportDenylist: deny })), [
      'process_exit',
      'lost',
    ]);
    const cel = { cel_expression: ['process_exec.process.binary == "/usr/bin/curl"'] };
    assert.deepEqual(kinds(exported(events, { exportAllowlist: [cel] })), ['process_exec', 'lost']);
  });

  it('field filters leave fields out, for some types of events', () => {
    const include = '{"fields":"process.binary,parent.pid","event_set":["PROCESS_EXEC"],"action":"INCLUDE"}';
    const exclude = { fields: ['process'], event_set: ['PROCESS_EXEC'], invert_event_set: true, action: 'EXCLUDE' };
    const [exec, exit] = exported(events, { fieldFilters: [include, exclude] });
    assert.deepEqual(Object.keys((exec?.['process_exec'] as { process: object }).process), ['binary']);
    assert.equal('process' in (exit?.['process_exit'] as object), false);
  });

  it('redaction hides what the groups match, for binaries that fit', () => {
    const filters = ['{"binary_regex":["curl$"],"redact":["--token (\\\\S+)"]}', '{"redact":["never(.)"]}'].join('\n');
    const text = JSON.stringify(exported(events, { redactionFilters: filters }));
    assert.ok(text.includes('--token ***** https://x') && !text.includes('s3cret'));
    const others = JSON.stringify(exported(events, { redactionFilters: filters.replace('curl$', 'wget$') }));
    assert.ok(others.includes('s3cret'));
  });

  const mistakes: readonly (readonly [string, object, RegExp])[] = [
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
  for (const [title, flags, message] of mistakes) {
    it(`a mistake: ${title}`, () => {
      assert.throws(
        () => exported(events, flags),
        (error: Error) => error instanceof BadOption && message.test(error.message),
      );
    });
  }

  it('a rate limit counts what it leaves out, and says so at its place', async () => {
    const { options, sources } = loadConfiguration({ env: {}, flags: { exportRateLimit: 2 } });
    const stdout = new PassThrough();
    const shape = shapeOf(options, sources, undefined);
    const json = new JsonExport(options, shape, new StreamSink(stdout), quiet, 'node');
    const lines = new ExportLines(shape, [json]);
    lines.give(Array.from({ length: 5 }, () => execOf()) as unknown as TracerEvent[]);
    lines.give([lostOf()] as unknown as TracerEvent[]);
    await json.close();
    const written = (stdout.read() as Buffer)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, { count: number }>);
    assert.deepEqual(kinds(written), ['process_exec', 'process_exec', 'lost', 'lost']);
    assert.equal(written[2]?.['lost']?.count, 3);
    assert.deepEqual([json.stats.limited, json.stats.lost], [3, 0]);
  });

  it('the limit holds for each minute', () => {
    let now = 0;
    const limit = new RateLimit(1, () => now);
    assert.deepEqual([limit.allows(), limit.allows()], [true, false]);
    now = 60_000;
    assert.deepEqual([limit.allows(), limit.allows()], [true, false]);
  });

  it('a step of the clock, in either direction, does not end the minute', () => {
    const { now } = Date;
    const limit = new RateLimit(1);
    try {
      assert.equal(limit.allows(), true);
      for (const step of [3_600_000, -3_600_000]) {
        Date.now = () => now() + step;
        assert.equal(limit.allows(), false);
      }
    } finally {
      Date.now = now;
    }
  });
});

describe('aggregation of exported events', () => {
  const DAY = 24 * 3_600_000;
  const shape = { wants: undefined, lineOf: (event: PlainEvent) => toJson(event) };
  const at = (second: number): { readonly time: string } => ({ time: `2026-01-01T00:00:0${second}.000000000Z` });
  const give = (lines: ExportLines, ...events: readonly PlainEvent[]): void =>
    lines.give(events as unknown as TracerEvent[]);

  class Gathered implements LineConsumer {
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
    const [first, second] = [new Gathered(), new Gathered()];
    const lines = new ExportLines(shape, [first, second], { windowMs: DAY, most: 10, mostBytes: 1_000_000 });
    const read = (second: number): PlainEvent => ({ ...hookOf('sys_read', [textOf('a', 0)]), ...at(second) });
    give(lines, read(1), { ...hookOf('sys_read', [textOf('b', 0)]), ...at(1) }, lostOf(), read(2));
    give(lines, read(3));
    assert.deepEqual(first.lines, [toJson(lostOf())], 'a loss is reported at once');
    lines.close();
    assert.deepEqual(first.lines.slice(1).map(eventsIn), [3, 1]);
    const [, three = ''] = first.lines;
    assert.deepEqual(JSON.parse(three), { ...JSON.parse(toJson(read(1))), aggregation_info: { count: '3' } });
    assert.deepEqual([second.lines, first.losses], [first.lines, [true, false, false]]);
  });

  it('a window ends after its time', async () => {
    const consumer = new Gathered();
    const lines = new ExportLines(shape, [consumer], { windowMs: 5, most: 10, mostBytes: 1_000_000 });
    give(lines, execOf(), execOf());
    const first = new Promise<void>((resolve) => {
      consumer.flushed = () => {
        if (consumer.lines.length > 0) resolve();
      };
    });
    await first;
    assert.deepEqual(consumer.lines.map(eventsIn), [2]);
    lines.close();
    assert.equal(consumer.lines.length, 1);
  });

  for (const limits of [
    { most: 3, mostBytes: 1_000_000 },
    { most: 1000, mostBytes: 6 * toJson(execOf()).length + 100 },
  ]) {
    it(`with too many different events, a window ends early: ${JSON.stringify(limits)}`, () => {
      const consumer = new Gathered();
      const lines = new ExportLines(shape, [consumer], { windowMs: DAY, ...limits });
      for (let i = 0; i < 4; i++) give(lines, execOf({ pid: 1 + i }));
      assert.equal(consumer.lines.length, 3);
      lines.close();
      assert.equal(consumer.lines.length, 4);
    });
  }

  it('a line that is lost counts as its events', async () => {
    const { options, sources } = loadConfiguration({ env: {}, flags: { exportRateLimit: 0 } });
    const own = shapeOf(options, sources, undefined);
    const json = new JsonExport(options, own, new StreamSink(new PassThrough()), quiet, 'node');
    const lines = new ExportLines(own, [json], { windowMs: DAY, most: 10, mostBytes: 1_000_000 });
    give(lines, execOf(), execOf(), execOf());
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
    hub.give([execOf(), execOf()] as unknown as TracerEvent[]);
    await exports.close();
    assert.equal(eventsIn((stdout.read() as Buffer).toString().trimEnd()), 2);
  });
});

describe('the queue of the export', () => {
  /** A sink that takes what it is told to. */
  class Valve implements Sink {
    taken = '';
    /** What the next writes do; after these, everything is taken. */
    readonly next: (Written | undefined)[] = [];

    write(lines: Buffer): Promise<Written> {
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
    const sink = new Valve();
    sink.next.push({ bytes: 4, error: full }, { bytes: 0, error: full });
    const { log, text } = gatheredLog();
    const queue = new LineQueue({ sink, mostBytes: 1000, log, lossLine, retryMs: 1 });
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
    const sink = new Valve();
    const queue = new LineQueue({ sink, mostBytes: 8, log: quiet, lossLine });
    for (const line of ['aaa', 'bbb', 'ccc', 'ddd']) queue.add(line);
    assert.equal(queue.lost, 2);
    queue.flush();
    await queue.close(1000);
    assert.equal(sink.taken, 'aaa\nbbb\n{"lost":{"count":2}}\n');
  });

  it('a report of a loss that finds it full is made again, with all its events', async () => {
    const sink = new Valve();
    const queue = new LineQueue({ sink, mostBytes: 8, log: quiet, lossLine });
    for (const line of ['aaa', 'bbb', lossLine(1000), 'ccc']) queue.add(line);
    assert.equal(queue.lost, 1);
    queue.flush();
    await queue.close(1000);
    assert.equal(sink.taken, 'aaa\nbbb\n{"lost":{"count":1001}}\n');
  });

  it('what is not written at the end is lost, and counted', async () => {
    const sink = new Valve();
    sink.next.push({ bytes: 2, error: full }, { bytes: 0, error: full });
    const { log, text } = gatheredLog();
    const queue = new LineQueue({ sink, mostBytes: 1000, log, lossLine });
    for (const line of ['a', 'b', 'c']) queue.add(line);
    await queue.close(1000);
    assert.deepEqual([sink.taken, queue.writtenLines, queue.lost], ['a\n', 1, 2]);
    assert.match(text(), /"lost":2/);
  });

  it('a reader that does not read holds up nothing else, and one that has gone is an error', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const { log, text } = gatheredLog();
    const queue = new LineQueue({ sink: new StreamSink(stream), mostBytes: 10, log, lossLine });
    for (let i = 0; i < 3; i++) {
      queue.add('12345678');
      queue.flush();
    }
    await queue.close(1);
    assert.ok(queue.bytes <= 40 && queue.lost === 3, String(queue.lost));
    stream.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }));
    await new Promise((resolve) => stream.once('close', resolve));
    const late = new LineQueue({ sink: new StreamSink(stream), mostBytes: 10, log, lossLine });
    late.add('x');
    await late.close(100);
    assert.equal(late.lost, 1);
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

  const open = (more: Partial<FileOptions> = {}, clocks?: Clocks): FileSink =>
    new FileSink(
      {
        path,
        mode: 0o600,
        mostBytes: 1_000_000,
        intervalMs: 0,
        backups: 100,
        compress: false,
        fsync: 'never',
        ...more,
      },
      quiet,
      clocks,
    );

  /** The content of a file of the folder, also of a compressed one. */
  function read(name: string): string {
    const bytes = readFileSync(join(folder, 'new', name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  }

  /** The rotated files, oldest first, and the current one. */
  function names(): string[] {
    return readdirSync(join(folder, 'new')).sort(
      (a, b) => Number(a === 'events.json') - Number(b === 'events.json') || (a < b ? -1 : 1),
    );
  }

  it('is for its owner only, also when it exists', async () => {
    mkdirSync(join(folder, 'new'));
    writeFileSync(path, 'old\n', { mode: 0o666 });
    const sink = open();
    await sink.write(Buffer.from('new\n'));
    await sink.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(read('events.json'), 'old\nnew\n');
  });

  it('a line that a killed agent has left unfinished gets its end', async () => {
    mkdirSync(join(folder, 'new'));
    writeFileSync(path, 'whole\ntor');
    const sink = open();
    await sink.write(Buffer.from('next\n'));
    await sink.close();
    assert.equal(read('events.json'), 'whole\ntor\nnext\n');
  });

  it('under load, rotation loses and tears no line, and old files are compressed', async () => {
    const sink = open({ mostBytes: 20_000, compress: true, fsync: 'always' });
    const queue = new LineQueue({ sink, mostBytes: 64 * 1024 * 1024, log: quiet, lossLine });
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
    assert.ok(names().map(read).join('') === lines.map((line) => `${line}\n`).join(''));
    assert.equal(queue.lost, 0);
  });

  it('keeps the newest files', async () => {
    let now = Date.UTC(2026, 0, 1);
    const sink = open({ mostBytes: 4, backups: 2 }, { ofDay: () => (now += 10_000), steady: () => 0 });
    for (let i = 0; i < 5; i++) await sink.write(Buffer.from(`${i}\n\n\n`));
    await sink.close();
    assert.deepEqual(names().map(read), ['2\n\n\n', '3\n\n\n', '4\n\n\n']);
    assert.match(names()[0] ?? '', /^events-2026-01-01T00-\d\d-\d\d\.000Z\.json$/);
  });

  it('is rotated after a time', async () => {
    let now = 0;
    const sink = open({ intervalMs: 60_000 }, { ofDay: () => Date.UTC(2026, 0, 1), steady: () => now });
    for (let i = 0; i < 4; i++) {
      await sink.write(Buffer.from(`${i}\n`));
      now += 30_000;
    }
    await sink.close();
    assert.deepEqual(names().map(read), ['0\n1\n', '2\n3\n']);
  });

  it('the time of day that is set changes no duration, and the newest files are kept', async () => {
    const hour = 3_600_000;
    let [day, now] = [Date.UTC(2026, 0, 1), 0];
    const sink = open({ intervalMs: 60_000, backups: 2 }, { ofDay: () => day, steady: () => now });
    for (const [i, step] of [hour, -hour, -24 * hour, 0, hour].entries()) {
      await sink.write(Buffer.from(`${i}a\n`));
      day += step;
      await sink.write(Buffer.from(`${i}b\n`));
      now += 60_000;
      day += 60_000;
    }
    await sink.close();
    assert.equal(sink.rotations, 4);
    assert.deepEqual(names().map(read), ['2a\n2b\n', '3a\n3b\n', '4a\n4b\n']);
  });

  it('what an interrupted compression has left is removed, and compressed again', async () => {
    mkdirSync(join(folder, 'new'));
    const old = 'events-2026-01-01T00-00-00.000Z.json';
    writeFileSync(join(folder, 'new', old), 'old\n');
    writeFileSync(join(folder, 'new', `${old}.gz.part`), 'half');
    writeFileSync(join(folder, 'new', 'events-other.json'), 'of somebody else');
    await open({ compress: true }).close();
    assert.deepEqual(names(), [`${old}.gz`, 'events-other.json']);
    assert.equal(read(`${old}.gz`), 'old\n');
  });

  it('a file that somebody moves or removes is made again', async () => {
    let now = 0;
    const sink = open({}, { ofDay: () => 0, steady: () => now });
    await sink.write(Buffer.from('1\n'));
    renameSync(path, `${path}.1`);
    now += 2000;
    await sink.write(Buffer.from('2\n'));
    renameSync(path, `${path}.2`);
    // a signal comes before the next check
    sink.reopen();
    await sink.write(Buffer.from('3\n'));
    await sink.close();
    assert.deepEqual([read('events.json.1'), read('events.json.2'), read('events.json')], ['1\n', '2\n', '3\n']);
  });

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
    assert.equal(read('events.json'), '1\nof somebody else\n2\n');
  });
});
