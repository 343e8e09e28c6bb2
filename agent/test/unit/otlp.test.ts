/** The export to an OpenTelemetry collector: the records, and the behaviour without a collector. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { toJson, type PlainEvent, type TracerEvent } from 'polytrace';
import { execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from '../../../test/unit/output/events.js';
import { countEvents, ExportLines, reportedLoss } from '../../lib/export/lines.js';
import { openLog } from '../../lib/log/log.js';
import { createCollector, toPlainAttributes, type Collector, type LogRecord, type Protocol } from '../collector.js';
import { Delivery } from '../../lib/delivery/delivery.js';
import { openSender } from '../../lib/otlp/sender.js';
import { Spool } from '../../lib/delivery/spool.js';

const log = openLog({ level: 'fatal', format: 'json' }, new PassThrough());

for (const protocol of ['http/protobuf', 'grpc'] as const) {
  describe(`the export to a collector, ${protocol}`, function () {
    this.timeout(30_000);
    defineTests(protocol);
  });
}

function defineTests(protocol: Protocol): void {
  let collector: Collector;
  let folder: string;
  const open: Delivery[] = [];

  beforeEach(async () => {
    collector = createCollector(protocol);
    await collector.start();
    folder = mkdtempSync(join(tmpdir(), 'polytrace-otlp-'));
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close(1);
    await collector.kill();
    rmSync(folder, { recursive: true });
  });

  /** `timeoutMs`: how long the exporter waits for a collector that does not answer. */
  async function openExport(spoolBytes?: number, maxBytes = 10_000_000, timeoutMs = 500): Promise<Delivery> {
    const resource = { 'host.name': 'node', 'k8s.cluster.name': 'c' };
    const settings = {
      protocol,
      endpoint: collector.url,
      headers: { authorization: 'Bearer x' },
      timeoutMs,
      resource,
      version: '1',
    };
    const sender = await openSender(settings, log);
    const spool = spoolBytes === undefined ? undefined : await Spool.open(folder, spoolBytes, sumEvents);
    const formatLoss = (count: number): string => toJson(lostEvent({ hook: 'otlp', count }));
    const otlp = new Delivery({ sender, spool, maxBytes, countEvents, reportedLoss, formatLoss, log, speedup: 50 });
    open.push(otlp);
    return otlp;
  }

  const sumEvents = (lines: readonly string[]): number =>
    lines.reduce((sum, line) => sum + (reportedLoss(line) === undefined ? countEvents(line) : 0), 0);

  /** The number of events is a part of the name of a file. */
  const spooledEvents = (): number =>
    readdirSync(folder).reduce((sum, name) => sum + Number(/-(\d+)\.jsonl$/.exec(name)?.[1] ?? 0), 0);

  const addEvents = (otlp: Delivery, ...events: readonly PlainEvent[]): void =>
    new ExportLines({ isExported: undefined, formatLine: (event) => toJson(event) }, [otlp]).add(
      events as unknown as TracerEvent[],
    );
  const createEvents = (from: number, to: number): PlainEvent[] =>
    Array.from({ length: to - from }, (_, i) => execEvent({ arguments: `n${from + i}` }));
  const receivedNumbers = (): number[] =>
    collector.lines.map((line) => Number(/"arguments":"n(\d+)"/.exec(line)?.[1] ?? -1)).filter((n) => n >= 0);
  const reportedLosses = (): number =>
    collector.records.reduce(
      (sum, { attributes }) => sum + Number(toPlainAttributes(attributes)['polytrace.lost.count'] ?? 0),
      0,
    );
  const createRange = (to: number): number[] => Array.from({ length: to }, (_, i) => i);
  /** Polls until the condition holds. */
  const waitUntil = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('has attributes with the names of the semantic conventions', async () => {
    const otlp = await openExport();
    const pod = {
      namespace: 'shop',
      name: 'web-1',
      uid: 'u-1',
      workload: 'web',
      workloadKind: 'Deployment',
      container: { id: 'c1', name: 'nginx', image: { id: 'i', name: 'nginx:1' } },
    };
    const process = { pid: 7, binary: '/usr/sbin/nginx', arguments: '-g x', cwd: '/srv', pod } as never;
    addEvents(
      otlp,
      execEvent(process, { parent: plainProcess({ pid: 6 }) }),
      exitEvent({}, { status: 3 }),
      kprobeEvent('sys_read', []),
      lostEvent(),
    );
    await collector.waitUntil(() => collector.records.length === 4);
    const [exec, exit, hook, loss] = collector.records as [LogRecord, LogRecord, LogRecord, LogRecord];
    const {
      'process.creation.time': created,
      'polytrace.exec_id': id,
      ...attributes
    } = toPlainAttributes(exec.attributes);
    assert.ok(created !== undefined && id !== undefined);
    assert.deepEqual(attributes, {
      'container.id': 'c1',
      'container.image.name': 'nginx:1',
      'k8s.namespace.name': 'shop',
      'k8s.pod.name': 'web-1',
      'k8s.pod.uid': 'u-1',
      'k8s.container.name': 'nginx',
      'k8s.deployment.name': 'web',
      'process.pid': 7,
      'process.parent_pid': 6,
      'process.executable.path': '/usr/sbin/nginx',
      'process.executable.name': 'nginx',
      'process.command_line': '/usr/sbin/nginx -g x',
      'process.working_directory': '/srv',
      'process.user.id': 0,
    });
    const event = execEvent();
    assert.equal(exec.timeUnixNano.toString(), event.timeNs.toString());
    assert.equal(exec.body.stringValue, toJson(execEvent(process, { parent: plainProcess({ pid: 6 }) })));
    assert.equal(toPlainAttributes(exit.attributes)['process.exit.code'], 3);
    const { 'polytrace.policy.name': policy, 'polytrace.hook': name } = toPlainAttributes(hook.attributes);
    assert.deepEqual([policy, name], ['files', 'sys_read']);
    assert.deepEqual([loss.severityText, reportedLosses()], ['WARN', 12]);
    const [{ resourceLogs: [first] = [] } = { resourceLogs: [] }] = collector.requests;
    assert.deepEqual(toPlainAttributes(first?.resource.attributes ?? []), {
      'service.name': 'polytrace-agent',
      'service.version': '1',
      'host.name': 'node',
      'k8s.cluster.name': 'c',
    });
    assert.equal(collector.authorizations[0], 'Bearer x');
    const known = new Set<unknown>(Object.values(conventions));
    const used = [
      ...collector.records.flatMap((record) => Object.keys(toPlainAttributes(record.attributes))),
      ...Object.keys(toPlainAttributes(first?.resource.attributes ?? [])),
    ];
    const unknown = used.filter((each) => !each.startsWith('polytrace.') && !known.has(each));
    assert.deepEqual(unknown, []);
  });

  it('a collector that is killed and started again gets every event, in order and once', async () => {
    // a request without an answer within this time is sent again
    const otlp = await openExport(10_000_000, undefined, 3000);
    addEvents(otlp, ...createEvents(0, 700));
    await collector.waitUntil(() => collector.lines.length === 700);
    await collector.kill();
    addEvents(otlp, ...createEvents(700, 1000));
    await waitUntil(() => otlp.stats.isFailing);
    addEvents(otlp, ...createEvents(1000, 2500));
    await waitUntil(() => otlp.stats.waiting === 0);
    assert.ok(otlp.stats.spooled > 0);
    const segments = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
    for (const name of segments) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    await collector.start();
    await collector.waitUntil(() => collector.lines.length >= 2500);
    addEvents(otlp, ...createEvents(2500, 2600));
    await collector.waitUntil(() => collector.lines.length >= 2600);
    assert.deepEqual(receivedNumbers(), createRange(2600));
    await waitUntil(() => readdirSync(folder).length === 0 && otlp.stats.sent === 2600);
    assert.deepEqual(
      [otlp.stats.sent, otlp.stats.lost, otlp.stats.isFailing, readdirSync(folder)],
      [2600, 0, false, []],
    );
  });

  it('what waits on the disk outlives the agent', async () => {
    await collector.kill();
    const first = await openExport(10_000_000);
    addEvents(first, ...createEvents(0, 10));
    await waitUntil(() => first.stats.isFailing);
    addEvents(first, ...createEvents(10, 20));
    await first.close(200);
    assert.equal(first.stats.lost, 0);
    writeFileSync(join(folder, '0000000000000099.jsonl.part'), 'half');
    await collector.start();
    await openExport(10_000_000);
    await collector.waitUntil(() => collector.lines.length >= 20);
    assert.deepEqual(receivedNumbers(), createRange(20));
  });

  for (const [title, change] of [
    ['removes', (file: string) => rmSync(file)],
    ['empties', (file: string) => truncateSync(file)],
  ] as const) {
    for (const isRunning of [true, false]) {
      it(`spooled files that somebody ${title} ${isRunning ? '' : 'between two agents '}are counted`, async () => {
        await collector.kill();
        const first = await openExport(10_000_000);
        addEvents(first, ...createEvents(0, 1024));
        await waitUntil(() => spooledEvents() === 1024);
        if (!isRunning) await first.close(10_000);
        const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
        for (const file of files) change(join(folder, file));
        await collector.start();
        const last = isRunning ? first : await openExport(10_000_000);
        await waitUntil(() => last.stats.lost === 1024);
        addEvents(last, ...createEvents(1024, 1025));
        await collector.waitUntil(() => receivedNumbers().includes(1024) && reportedLosses() === 1024);
        assert.deepEqual(receivedNumbers(), [1024]);
      });
    }
  }

  it('the spool is bounded: received and lost are what was produced', async () => {
    await collector.kill();
    const otlp = await openExport(64 * 1024);
    addEvents(otlp, ...createEvents(0, 100));
    await waitUntil(() => otlp.stats.isFailing);
    for (let i = 100; i < 2000; i += 100) {
      addEvents(otlp, ...createEvents(i, i + 100));
      await waitUntil(() => otlp.stats.waiting === 0);
    }
    assert.ok(otlp.stats.spooled <= 64 * 1024 && otlp.stats.lost > 0, JSON.stringify(otlp.stats));
    await collector.start();
    addEvents(otlp, ...createEvents(2000, 2001));
    await collector.waitUntil(() => receivedNumbers().includes(2000));
    assert.equal(receivedNumbers().length + otlp.stats.lost, 2001);
    await collector.waitUntil(() => reportedLosses() === otlp.stats.lost);
  });

  it('without a spool, events wait in memory, which is bounded, too', async () => {
    await collector.kill();
    const otlp = await openExport(undefined, 100_000);
    addEvents(otlp, ...createEvents(0, 5));
    await waitUntil(() => otlp.stats.isFailing);
    addEvents(otlp, ...createEvents(5, 1005));
    assert.ok(otlp.stats.lost > 0 && otlp.stats.waiting <= 100_000);
    await collector.start();
    await waitUntil(() => otlp.stats.waiting === 0 && !otlp.stats.isFailing);
    addEvents(otlp, ...createEvents(1005, 1006));
    await collector.waitUntil(() => receivedNumbers().includes(1005));
    assert.equal(receivedNumbers().length + reportedLosses(), 1006);
  });

  it('what the collector refuses is lost and counted, and does not stop the rest', async () => {
    collector.errors.push('refused');
    const otlp = await openExport(10_000_000);
    addEvents(otlp, ...createEvents(0, 3));
    await waitUntil(() => otlp.stats.lost === 3);
    addEvents(otlp, ...createEvents(3, 4));
    await collector.waitUntil(() => receivedNumbers().includes(3));
    assert.deepEqual([otlp.stats.lost, reportedLosses()], [3, 3]);
  });

  it('a server error is tried again', async () => {
    collector.errors.push('unavailable', 'unavailable');
    const otlp = await openExport();
    addEvents(otlp, ...createEvents(0, 3));
    await collector.waitUntil(() => collector.lines.length >= 3);
    assert.deepEqual(receivedNumbers(), createRange(3));
    await waitUntil(() => otlp.stats.sent === 3);
  });

  it('a damaged file of the spool costs its damaged lines, and no more', async () => {
    const lines = [toJson(execEvent({ arguments: 'n0' })), '{"process_ex', toJson(execEvent({ arguments: 'n1' }))];
    writeFileSync(join(folder, '0000000000000001.jsonl'), lines.join('\n'));
    writeFileSync(join(folder, 'notes.txt'), 'of somebody else');
    const otlp = await openExport(10_000_000);
    await collector.waitUntil(() => collector.lines.length >= 2);
    assert.deepEqual(receivedNumbers(), [0, 1]);
    await waitUntil(() => otlp.stats.lost === 1 && readdirSync(folder).length === 1);
    assert.deepEqual(readdirSync(folder), ['notes.txt']);
  });
}
