/** The metrics, and the HTTP server for them. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { PlainEvent, PolicyStatus, TracerEvent, TracerStats } from 'polytrace';
import { execEvent, exitEvent, kprobeEvent, lostEvent } from '../../../test/unit/output/events.js';
import type { ExportStats } from '../../lib/export/export.js';
import { openLog } from '../../lib/log/log.js';
import { EventCounts } from '../../lib/metrics/event-counts.js';
import { HttpServer } from '../../lib/metrics/http.js';
import { Metrics } from '../../lib/metrics/metrics.js';
import { MetricFormatter, type Sample } from '../../lib/metrics/live-metrics.js';
import { healthPage, metricsPage } from '../../lib/metrics/pages.js';
import { PolicyStore } from '../../lib/policies/store.js';
import { EventHub } from '../../lib/streams/hub.js';
import { waitUntil } from './grpc/server.js';

const log = openLog({ level: 'fatal', format: 'json' }, new PassThrough());

const STATS: TracerStats = {
  events: 30,
  lost: 7,
  lostByHook: [
    { hook: 'sys_read', policyName: 'p', reason: 'ring_full', count: 5 },
    { hook: 'process_exec', policyName: '', reason: 'ring_full', count: 2 },
  ],
  processes: 12,
  shortenedArguments: 4,
  iterators: 1,
  bufferSize: 4096,
  bufferUsed: 64,
  optimize: true,
  cachePaths: true,
  containers: { known: 3, waited: 2, unknown: 1 },
};

const YAML = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: p
spec:
  kprobes:
    - call: sys_read
      syscall: true
`;

function createStatus(): PolicyStatus {
  const counts = { matched: 9, posted: 8, suppressed: 3, enforced: 2, lost: 1, memory: 100 };
  const hook = {
    call: 'sys_read',
    functionName: '__x64_sys_read',
    functions: [],
    attach: 'kprobe' as const,
    ...counts,
  };
  return { ...({} as PolicyStatus), ...counts, name: 'p', state: 'enabled', mode: 'monitor', hooks: [hook, hook] };
}

const EXPORT: ExportStats = {
  lines: 4,
  bytes: 400,
  lost: 3,
  limited: 2,
  waiting: 50,
  failures: 1,
  isFailing: true,
  lastAt: 1500,
};

const OTLP = { sent: 5, lost: 6, failures: 7, waiting: 8, spooled: 9, isFailing: false, reason: '' };

const NO_COUNTS = { read: () => Promise.resolve([]) };

const ALERTS = {
  counts: new Map([['high', 3]]),
  events: 14,
  stats: [{ ...OTLP, name: 'r', isFailing: true, reason: 'x' }],
};

describe('the metrics of the agent', () => {
  async function readMetrics(filter: readonly string[], events: readonly PlainEvent[]): Promise<string[]> {
    const hub = new EventHub({ nodeName: 'node' });
    const tracer = { stats: () => STATS, policies: () => [createStatus()], addPolicy: () => Promise.resolve() };
    const store = new PolicyStore(tracer as never, log);
    await store.add(YAML);
    await store.setFiles({ files: new Map([['/etc/broken.yaml', 'a: [']]), problems: new Map() });
    const context = {
      tracer,
      store,
      hub,
      version: '1.2.3',
      exports: { json: { stats: EXPORT }, otlp: { stats: OTLP }, metrics: undefined },
      counts: NO_COUNTS,
      alerts: ALERTS,
    };
    const metrics = new Metrics({ metricsLabelFilter: filter }, context);
    hub.dispatch(events as unknown as TracerEvent[]);
    const [first, second] = await Promise.all([metrics.read(), metrics.read()]);
    assert.equal(first, second);
    // a second read does not add to the values of the first
    return Buffer.concat(await metrics.read())
      .toString()
      .split('\n')
      .filter((line) => /^(tetragon|polytrace)_/.test(line));
  }

  it('are all that the alerts and the dashboard of the chart ask for', async () => {
    const lines = await readMetrics(['pod'], [execEvent(), kprobeEvent('sys_read', [])]);
    const names = new Set(lines.map((line) => /^\w+/.exec(line)?.[0]));
    const chart = join(__dirname, '../../../deploy/helm/polytrace');
    const texts = ['alerts/polytrace.yaml', 'dashboards/polytrace.json'].map((each) =>
      readFileSync(join(chart, each), 'utf8'),
    );
    const asked = texts.flatMap((text) =>
      [...text.matchAll(/\b(?:tetragon|polytrace)_[a-z_]+/g)].map(([name]) => name),
    );
    assert.ok(new Set(asked).size > 12);
    for (const name of asked) assert.ok(names.has(name), name);
  });

  const pod = { namespace: 'shop', name: 'web-1', workload: 'web' };

  it('have what was counted and what the tracer, the policies, clients and the export say', async () => {
    const events = [
      execEvent({ pod }),
      execEvent({ pod }),
      execEvent(),
      exitEvent(),
      kprobeEvent('sys_read', []),
      lostEvent(),
    ];
    const labels = (namespace: string, workload: string, pod: string): string =>
      `namespace="${namespace}",workload="${workload}",pod="${pod}",binary="/usr/bin/cat"`;
    const lines = await readMetrics(['namespace', 'workload', 'pod', 'binary'], events);
    for (const line of [
      `tetragon_events_total{type="PROCESS_EXEC",${labels('shop', 'web', 'web-1')}} 2`,
      `tetragon_events_total{type="PROCESS_EXEC",${labels('', '', '')}} 1`,
      `tetragon_events_total{type="PROCESS_EXIT",${labels('', '', '')}} 1`,
      `tetragon_policy_events_total{policy="files",hook="kprobe:sys_read",${labels('', '', '')}} 1`,
      'tetragon_observer_ringbuf_events_received_total 30',
      'tetragon_observer_ringbuf_events_lost_total 7',
      'polytrace_lost_records_total{hook="sys_read",policy="p",reason="ring_full"} 5',
      'polytrace_ring_buffer_size_bytes 4096',
      'polytrace_ring_buffer_used_bytes 64',
      'tetragon_process_cache_size 12',
      'polytrace_containers{state="known"} 3',
      'polytrace_build_info{version="1.2.3"} 1',
      'tetragon_tracingpolicy_loaded{state="enabled"} 1',
      'tetragon_tracingpolicy_loaded{state="load_error"} 1',
      'tetragon_tracingpolicy_kernel_memory_bytes{policy="p",policy_namespace=""} 100',
      'polytrace_policy_state{policy="p",policy_namespace="",state="enabled",mode="monitor"} 1',
      'polytrace_policy_errors 1',
      'polytrace_unreadable_policy_paths 0',
      'polytrace_degraded 1',
      'polytrace_hook_matched_total{policy="p",policy_namespace="",hook="__x64_sys_read"} 18',
      'polytrace_hook_posted_total{policy="p",policy_namespace="",hook="__x64_sys_read"} 16',
      'polytrace_hook_enforced_total{policy="p",policy_namespace="",hook="__x64_sys_read"} 4',
      'polytrace_clients 0',
      'polytrace_client_queue_bytes 0',
      'tetragon_notify_overflowed_events_total 0',
      'tetragon_events_exported_total 4',
      'tetragon_export_ratelimit_events_dropped_total 2',
      'polytrace_export_lost_events_total 3',
      'tetragon_events_last_exported_timestamp 1.5',
      'polytrace_otlp_sent_total 5',
      'polytrace_otlp_lost_events_total 6',
      'polytrace_otlp_spool_bytes 9',
      'polytrace_alerts_total{severity="high"} 3',
      'polytrace_alert_events_total 14',
      'polytrace_alerts_sent_total{receiver="r"} 5',
      'polytrace_alerts_lost_total{receiver="r"} 6',
      'polytrace_alerts_failures_total{receiver="r"} 7',
      'polytrace_alerts_queue_bytes{receiver="r"} 8',
      'polytrace_alerts_spool_bytes{receiver="r"} 9',
      'polytrace_alerts_failing{receiver="r"} 1',
    ]) {
      assert.ok(lines.includes(line), `${line}\nin\n${lines.join('\n')}`);
    }
  });

  it('leave out the values of labels that are not wanted', async () => {
    const lines = await readMetrics(['namespace'], [execEvent({ pod }), execEvent({ pod: { ...pod, name: 'web-2' } })]);
    const line = 'tetragon_events_total{type="PROCESS_EXEC",namespace="shop",workload="",pod="",binary=""} 2';
    assert.deepEqual(
      lines.filter((each) => each.startsWith('tetragon_events_total')),
      [line],
    );
  });

  it('are bounded, and lose no event: further labels are counted together', async () => {
    const events = Array.from({ length: 1500 }, (_, i) => execEvent({ binary: `/bin/${i}"\n` }));
    const lines = (await readMetrics(['binary'], events)).filter((line) => line.startsWith('tetragon_events_total'));
    assert.equal(lines.length, 1000);
    const sum = lines.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
    assert.equal(sum, 1500);
    assert.ok(lines.some((line) => line.includes('binary="(others)"') && line.endsWith(' 501')));
    assert.ok(
      lines.some((line) => line.includes(String.raw`binary="/bin/7\"\n"`)),
      'values are escaped',
    );
  });
});

describe('the metrics of 1,000 policies', () => {
  const COUNT = 1000;
  const nameOf = (i: number): string => `p-${String(i).padStart(4, '0')}`;
  const statuses = Array.from({ length: COUNT }, (_, i) => ({ ...createStatus(), name: nameOf(i) }));
  const tracer = { stats: () => STATS, policies: () => [...statuses], addPolicy: () => Promise.resolve() };
  let store: PolicyStore;
  let metrics: Metrics;
  let before: ReadonlySet<Buffer>;
  const createMetrics = (): Metrics => {
    const context = { tracer, store, hub: new EventHub({ nodeName: 'node' }), version: '1.2.3' };
    return new Metrics(
      { metricsLabelFilter: [] },
      {
        ...context,
        exports: { json: undefined, otlp: undefined, metrics: undefined },
        counts: NO_COUNTS,
        alerts: ALERTS,
      },
    );
  };
  /** Returns the text, and the number of bytes that were formatted for it. */
  const read = async (): Promise<{ text: string; fresh: number }> => {
    const parts = await metrics.read();
    const fresh = parts.filter((part) => !before.has(part)).reduce((sum, { length }) => sum + length, 0);
    before = new Set(parts);
    return { text: Buffer.concat(parts).toString(), fresh };
  };
  /** Returns the lines about policies. */
  const policyLines = (text: string): string[] => text.split('\n').filter((line) => line.includes('policy_namespace='));

  beforeEach(async () => {
    store = new PolicyStore(tracer as never, log);
    const files = statuses.map(({ name }) => [`/etc/${name}.yaml`, YAML.replace('name: p', `name: ${name}`)] as const);
    await store.setFiles({ files: new Map(files), problems: new Map() });
    metrics = createMetrics();
    before = new Set();
  });

  it('are formatted once: the next text has the same lines, and hardly any of it is new', async () => {
    const first = await read();
    const second = await read();
    assert.equal(policyLines(second.text).length, 7 * COUNT);
    assert.deepEqual(policyLines(second.text), policyLines(first.text));
    assert.ok(second.fresh < first.fresh / 50, `${second.fresh} of ${first.fresh} bytes`);
  });

  it('only the metrics with a changed value are formatted again', async () => {
    const first = await read();
    statuses[7] = { ...statuses[7], hooks: createStatus().hooks.map((hook) => ({ ...hook, posted: 80 })) } as never;
    const second = await read();
    const isPosted = (line: string): boolean => line.startsWith('polytrace_hook_posted_total{policy="p-0007"');
    assert.equal(policyLines(second.text).find(isPosted)?.split(' ').at(-1), '160');
    const isOther = (line: string): boolean => !isPosted(line);
    assert.deepEqual(policyLines(second.text).filter(isOther), policyLines(first.text).filter(isOther));
    assert.ok(second.fresh < first.fresh / 4, `${second.fresh} of ${first.fresh} bytes`);
  });

  it('follow policies that come, go, fail, and change their state', async () => {
    const files = new Map([['/etc/p-0001.yaml', YAML.replace('name: p', 'name: p-0001')]]);
    Object.assign(tracer, { removePolicy: () => Promise.resolve() });
    const check = async (change: () => unknown): Promise<string[]> => {
      await read();
      await change();
      const lines = policyLines((await read()).text);
      assert.deepEqual(lines, policyLines(Buffer.concat(await createMetrics().read()).toString()));
      assert.equal(new Set(lines).size, lines.length, 'each series is there once');
      return lines;
    };
    assert.equal((await check(() => store.setFiles({ files, problems: new Map() }))).length, 7);
    files.set('/etc/a.yaml', YAML.replace('name: p', 'name: p-0001'));
    assert.equal((await check(() => store.setFiles({ files, problems: new Map() }))).length, 8);
    files.set('/etc/b.yaml', YAML.replace('name: p', 'name: p-0001'));
    assert.equal((await check(() => store.setFiles({ files, problems: new Map() }))).length, 8);
    const lines = await check(() => (statuses[1] = { ...statuses[1], state: 'disabled', memory: 5 } as never));
    assert.ok(lines.some((line) => line.includes('policy="p-0001"') && line.includes('state="disabled"')));
    assert.ok(
      lines.some((line) => line.startsWith('tetragon_tracingpolicy_kernel_memory_bytes') && line.endsWith(' 5')),
    );
  });
});

describe('a metric', () => {
  it('has the values of each request, and only the labels of that request', () => {
    let samples: Sample[] = [];
    const metric = new MetricFormatter({ type: 'gauge', name: 'm', help: 'Help.', samples: () => samples });
    const read = (...next: Sample[]): string[] => {
      samples = next;
      return metric.format().split('\n').slice(2, -1);
    };
    assert.deepEqual(read(['{a="1"}', 1], ['{a="2"}', 2]), ['m{a="1"} 1', 'm{a="2"} 2']);
    assert.deepEqual(read(['{a="1"}', 3], ['{a="2"}', 2]), ['m{a="1"} 3', 'm{a="2"} 2']);
    assert.deepEqual(read(['{a="2"}', 0]), ['m{a="2"} 0']);
    for (let i = 0; i < 100; i += 1) assert.deepEqual(read([`{a="${i}"}`, i]), [`m{a="${i}"} ${i}`]);
    assert.deepEqual(read(['{a="1"}', 5]), ['m{a="1"} 5']);
  });
});

describe('the series of events', () => {
  const names = (from: number, to: number, more: object = {}): TracerEvent[] =>
    Array.from({ length: to - from }, (_, i) => execEvent({ binary: `/tmp/${from + i}`, ...more })) as never;
  const sum = (lines: readonly string[]): number =>
    lines.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
  let now = 0;
  let counts: EventCounts;
  const readLines = (): string[] => counts.readByType().map(([labels, count]) => `${labels} ${count}`);

  beforeEach(() => {
    now = 0;
    counts = new EventCounts(['namespace', 'workload', 'pod', 'binary'], () => now);
  });

  it('are shared fairly: a pod with 5,000 names takes no place from other pods', () => {
    const noisy = { pod: { namespace: 'a', name: 'noisy' } };
    counts.add(names(0, 5000, noisy));
    for (let i = 0; i < 300; i++) counts.add([execEvent({ pod: { namespace: 'b', name: `pod-${i}` } }) as never]);
    counts.add(names(5000, 10_000, noisy));
    const lines = readLines();
    assert.equal(lines.filter((line) => line.includes('namespace="b"')).length, 300);
    assert.ok(lines.length <= 1002, String(lines.length));
    assert.equal(sum(lines), 10_300);
    const rest = lines.find((line) => line.includes('pod="noisy",binary="(others)"'));
    assert.ok(sum([rest ?? '']) > 9000, rest);
  });

  it('age: a name that nobody used for a minute gives way in a full table, and one of an hour is removed', () => {
    counts.add(names(0, 2000));
    assert.ok(!readLines().some((line) => line.includes('/usr/bin/cat')));
    now += 30_000;
    counts.add(names(0, 900));
    now += 31_000;
    counts.add([execEvent() as never]);
    const lines = readLines();
    assert.ok(lines.some((line) => line.includes('/usr/bin/cat') && line.endsWith(' 1')));
    assert.ok(lines.some((line) => line.includes('"/tmp/899"') && line.endsWith(' 2')));
    now += 3600_000;
    assert.deepEqual(readLines(), []);
  });

  it('count what nobody has read of a removed series with the others', () => {
    counts.add(names(0, 1000));
    readLines();
    counts.add(names(0, 1));
    now += 60_000;
    counts.add(names(1, 1000));
    counts.add(names(1000, 1001));
    const [others] = readLines().filter((line) => line.includes('binary="(others)"'));
    assert.ok(others?.endsWith(' 1'), others);
  });
});

describe('the HTTP server of the agent', () => {
  it('answers /metrics and /healthz, and nothing else', async () => {
    let isHealthy = true;
    const metrics = { contentType: 'text/plain; version=0.0.4', read: () => Promise.resolve('a 1\n') };
    const health = healthPage(() => ({ isHealthy, details: { status: 'running' } }));
    const server = new HttpServer('metrics-server', { ...metricsPage(metrics), ...health }, log);
    const address = await server.listen('127.0.0.1:0');
    const request = async (path: string, method = 'GET'): Promise<unknown[]> => {
      const response = await fetch(`http://${address}${path}`, { method });
      return [response.status, await response.text()];
    };
    assert.deepEqual(await request('/metrics?x=1'), [200, 'a 1\n']);
    assert.deepEqual(await request('/metrics', 'HEAD'), [200, '']);
    assert.deepEqual(await request('/healthz'), [200, '{"status":"running"}\n']);
    isHealthy = false;
    assert.equal((await request('/healthz'))[0], 503);
    assert.equal((await request('/other'))[0], 404);
    assert.equal((await request('/metrics', 'POST'))[0], 405);
    metrics.read = () => Promise.reject(new Error('no'));
    assert.equal((await request('/metrics'))[0], 500);
    await server.close();
  });

  it('a client that sends nothing does not hold up its end, and a used address is an error', async () => {
    const metrics = { contentType: 'text/plain', read: () => Promise.resolve('') };
    const createServer = (): HttpServer => new HttpServer('metrics-server', metricsPage(metrics), log);
    const server = createServer();
    const address = await server.listen('127.0.0.1:0');
    await assert.rejects(createServer().listen(address), /metrics-server: CONFIG_VALUE: .*EADDRINUSE/);
    const silent = connect(Number(address.split(':')[1]), '127.0.0.1');
    await once(silent, 'connect');
    await Promise.all([once(silent, 'close'), server.close()]);
  });

  it('idle and slow connections give way: 100 of them fail no request', async () => {
    const server = new HttpServer(
      'health-server',
      healthPage(() => ({ isHealthy: true, details: {} })),
      log,
    );
    const address = await server.listen('127.0.0.1:0');
    const port = Number(address.split(':')[1]);
    const sockets = Array.from({ length: 100 }, (_, i) => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      if (i % 2 === 1) socket.write('GET /healthz HTTP/1.1\r\nx: ');
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (let i = 0; i < 39; i++) {
      const response = await fetch(`http://${address}/healthz`, { headers: { connection: 'close' } });
      assert.equal(response.status, 200);
      await response.text();
    }
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  it('one address has a part of the connections, and a request that runs keeps its connection', async () => {
    let answer: () => void = () => undefined;
    const isAnswered = new Promise<void>((resolve) => (answer = resolve));
    let requests = 0;
    const read = async (): Promise<string> => {
      requests++;
      await isAnswered;
      return 'a 1\n';
    };
    const server = new HttpServer('metrics-server', metricsPage({ contentType: 'text/plain', read }), log);
    const port = Number((await server.listen('127.0.0.1:0')).split(':')[1]);
    const texts: Promise<unknown>[] = [];
    const own = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    const idle = once(own, 'close').then(() => assert.fail('the connection of another address was closed'));
    await once(own, 'connect');
    for (let i = 0; i < 16; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.write('GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
      texts.push(once(socket, 'data').then(([data]) => assert.match(String(data), /a 1/)));
      await waitUntil(() => requests === i + 1);
    }
    const refused = connect(port, '127.0.0.1');
    await Promise.race([once(refused, 'close'), idle]);
    answer();
    await Promise.race([Promise.all(texts), idle]);
    own.removeAllListeners('close').destroy();
    await server.close();
  });
});
