/** The export of counts to an OpenTelemetry collector. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { MetricsSample } from 'polytrace';
import { PolicyCounts } from '../../../lib/counts/policy-counts.js';
import { openLog } from '../../../lib/log/log.js';
import { MetricsExport } from '../../../lib/otlp/metrics-export.js';
import {
  createCollector,
  toPlainAttributes,
  type Collector,
  type DataPoint,
  type ReceivedMetric,
} from '../../collector.js';
import { calls, createMetric, createSample, SINCE } from '../counts/samples.js';

const log = openLog({ level: 'fatal', format: 'json' }, new PassThrough());

for (const protocol of ['http/protobuf', 'grpc'] as const) {
  describe(`the export of metrics, ${protocol}`, function () {
    this.timeout(30_000);
    let collector: Collector;
    let metrics: MetricsExport | undefined;

    beforeEach(async () => {
      collector = createCollector(protocol);
      await collector.start();
    });
    afterEach(async () => {
      await metrics?.close(1);
      await collector.kill();
    });

    async function start(read: () => MetricsSample, intervalMs = 20): Promise<MetricsExport> {
      const options = { protocol, endpoint: collector.url, headers: { authorization: 'Bearer x' }, timeoutMs: 300 };
      const resource = { 'host.name': 'node' };
      metrics = await MetricsExport.open({ ...options, resource, version: '1', intervalMs, speedup: 100 }, log);
      metrics.start(new PolicyCounts({ metrics: () => Promise.resolve(read()) }, 10_000, 0));
      return metrics;
    }

    const find = (name: string): ReceivedMetric => {
      const found = collector.metrics.find((metric) => metric.name === name);
      assert.ok(found, `no ${name}`);
      return found;
    };
    const points = ({ sum, histogram }: ReceivedMetric): readonly DataPoint[] => (histogram ?? sum)?.dataPoints ?? [];

    it('has exact cumulative values since the policy was attached', async () => {
      const buckets = [
        { from: 0n, to: 0n, calls: 1n },
        { from: 1024n, to: 2047n, calls: 2n },
      ];
      const large = 2n ** 60n + 1n;
      const sample = createSample(
        createMetric([[['/bin/a'], calls(5)]], { other: calls(2), policyNamespace: 'shop' }),
        createMetric([[['/bin/a', 'db', ''], calls(3, large)]], {
          name: 'bytes',
          kind: 'sum',
          labelNames: ['binary', 'pod', 'namespace'],
        }),
        createMetric([[[], { calls: 3n, sum: 1_500_000_000n, buckets }]], {
          name: 'latency',
          kind: 'histogram',
          isDuration: true,
          labelNames: [],
        }),
      );
      await start(() => sample);
      await collector.waitUntil(() => collector.metrics.length >= 4);
      assert.equal(collector.authorizations[0], 'Bearer x');
      const resource = collector.metricRequests[0]?.resourceMetrics[0]?.resource.attributes ?? [];
      const expected = { 'service.name': 'polytrace-agent', 'service.version': '1', 'host.name': 'node' };
      assert.deepEqual(toPlainAttributes(resource), expected);

      const execs = find('polytrace.count.execs');
      assert.equal(execs.unit, '{call}');
      assert.deepEqual([execs.sum?.aggregationTemporality, execs.sum?.isMonotonic], [2, true]);
      const policy = { 'polytrace.policy.name': 'p', 'polytrace.policy.namespace': 'shop' };
      assert.deepEqual(
        points(execs).map(({ attributes, asInt }) => [toPlainAttributes(attributes), String(asInt)]),
        [
          [{ ...policy, 'process.executable.path': '/bin/a' }, '5'],
          [{ ...policy, 'process.executable.path': '(others)' }, '2'],
        ],
      );
      const [first] = points(execs);
      assert.equal(String(first?.startTimeUnixNano), `${SINCE.getTime()}000000`);
      assert.equal(String(first?.timeUnixNano), `${sample.time.getTime()}000000`);

      const [bytes] = points(find('polytrace.count.bytes'));
      assert.equal(String(bytes?.asInt), String(large));
      const own = { 'polytrace.policy.name': 'p', 'process.executable.path': '/bin/a', 'k8s.pod.name': 'db' };
      assert.deepEqual(toPlainAttributes(bytes?.attributes ?? []), own);
      assert.equal(String(points(find('polytrace.count.bytes.calls'))[0]?.asInt), '3');

      const latency = find('polytrace.count.latency');
      assert.deepEqual([latency.unit, latency.histogram?.aggregationTemporality], ['s', 2]);
      const [histogram] = points(latency);
      const counts = histogram?.bucketCounts?.map(Number) ?? [];
      assert.deepEqual([counts.length, histogram?.explicitBounds?.length], [48, 47]);
      assert.deepEqual([counts[0], counts[11], Number(histogram?.count), histogram?.sum], [1, 2, 3, 1.5]);
      assert.deepEqual(histogram?.explicitBounds?.slice(0, 3), [0, 1e-9, 3e-9]);
      assert.equal(histogram?.explicitBounds?.[11], 2047e-9);
    });

    it('a collector that was away gets the newest numbers: nothing is lost', async () => {
      let count = 0;
      collector.errors.push('unavailable', 'unavailable', 'unavailable');
      const exported = await start(() => createSample(createMetric([[[], calls(++count)]], { labelNames: [] })));
      await collector.waitUntil(() => collector.metrics.length >= 2);
      const values = collector.metrics.map((metric) => Number(points(metric)[0]?.asInt));
      assert.ok((values[0] ?? 0) > 1, values.join());
      assert.ok((values[1] ?? 0) > (values[0] ?? 0), values.join());
      // over HTTP, OpenTelemetry's package tries again as well
      assert.ok(exported.stats.failures >= 1 && !exported.stats.isFailing);
    });

    it('what the collector refuses is counted, and the next interval is sent', async () => {
      collector.errors.push('refused');
      const exported = await start(() => createSample(createMetric([[[], calls(1)]], { labelNames: [] })));
      await collector.waitUntil(() => collector.metrics.length >= 1);
      assert.deepEqual([exported.stats.failures, exported.stats.missed], [1, 1]);
    });

    it('the last numbers are sent at the end, also within the first interval', async () => {
      const exported = await start(() => createSample(createMetric([[[], calls(9)]], { labelNames: [] })), 3_600_000);
      await exported.close(5000);
      assert.equal(Number(points(find('polytrace.count.execs'))[0]?.asInt), 9);
      assert.equal(exported.stats.sent, 1);
    });

    it('many series come in several requests', async () => {
      const rows = Array.from({ length: 4000 }, (_, i) => [[`/${i}/${'x'.repeat(500)}`], calls(1)] as const);
      const exported = await start(() => createSample(createMetric(rows)), 3_600_000);
      await exported.close(20_000);
      assert.equal(collector.metrics.flatMap(points).length, 4000);
      assert.ok(collector.metricRequests.length >= 2);
      assert.equal(exported.stats.sent, 4000);
    });

    it('without numbers, nothing is sent', async () => {
      const exported = await start(() => createSample(), 3_600_000);
      await exported.close(5000);
      assert.deepEqual(collector.metricRequests, []);
    });
  });
}
