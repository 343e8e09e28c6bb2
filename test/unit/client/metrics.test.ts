/** The counts of an agent's policies, for a client and for `polytrace stat`. */
import assert from 'node:assert/strict';
import { createMetric, createSample, calls } from '../../../agent/test/unit/counts/samples.js';
import { TestServer } from '../../../agent/test/unit/grpc/server.js';
import { connect } from '../../../lib/client/connect.js';
import type { AgentConnection, Metric, MetricsSample } from '../../../types/index.js';
import { FakeCommand } from '../cli/fake.js';

const BUCKETS = [
  { from: 0n, to: 0n, calls: 1n },
  { from: 1n << 46n, calls: 2n },
];
const HISTOGRAM: Metric = createMetric([[[], { calls: 3n, sum: 2n ** 63n, buckets: BUCKETS }]], {
  policyName: 'slow',
  policyNamespace: 'shop',
  name: 'latency',
  kind: 'histogram',
  isDuration: true,
  labelNames: [],
  total: { calls: 3n, sum: 2n ** 63n, buckets: BUCKETS },
});

describe('the metrics of an agent', () => {
  let sample: MetricsSample;
  let server: TestServer;
  let connection: AgentConnection;

  beforeEach(async () => {
    const rows = [
      [['/bin/a', '1'], calls(5, 9)],
      [['/bin/b', ''], calls(1)],
    ] as const;
    const first = createMetric(rows, { kind: 'sum', labelNames: ['binary', 'arg0'], other: calls(2, 3) });
    sample = createSample(first, HISTOGRAM);
    const metrics = (): Promise<MetricsSample> => Promise.resolve(sample);
    const stats = (): object => ({ events: 0, lost: 0, lostByHook: [], processes: 0, bufferSize: 0, bufferUsed: 0 });
    server = new TestServer(undefined, { metrics, stats, policies: () => [], process: () => undefined });
    // a client that may only read may read metrics
    await server.listen({}, { readOnly: true });
    connection = await connect(server.address);
  });
  afterEach(async () => {
    await connection.close();
    await server.close();
  });

  it('are those of its tracer', async () => {
    assert.deepEqual(await connection.metrics(), sample);
  });

  it('come at intervals, until the iteration or the connection ends', async () => {
    const iterator = connection.metricsEvery(10);
    assert.deepEqual((await iterator.next()).value, sample);
    assert.deepEqual((await iterator.next()).value, sample);
    await iterator.return?.();
    assert.equal((await iterator.next()).done, true);
    const waiting = connection.metricsEvery(86_400_000);
    await waiting.next();
    const last = waiting.next();
    await connection.close();
    assert.equal((await last).done, true);
    assert.throws(() => connection.metricsEvery(1000), { code: 'CLOSED' });
    await assert.rejects(connection.metrics(), { code: 'CLOSED' });
  });

  it('an interval has to be one', () => {
    assert.throws(() => connection.metricsEvery(9), { code: 'BAD_OPTION' });
  });

  it('an iteration rejects when the agent ends', async () => {
    const iterator = connection.metricsEvery(10);
    await iterator.next();
    await server.close();
    await assert.rejects(
      async () => {
        for (;;) await iterator.next();
      },
      { code: 'AGENT_UNAVAILABLE' },
    );
  });

  it('many series come in several messages, also for several clients', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => [[`/${'x'.repeat(500)}/${i}`], calls(i)] as const);
    sample = createSample(createMetric(rows), HISTOGRAM);
    const all = await Promise.all(Array.from({ length: 8 }, () => connection.metrics()));
    for (const each of all) assert.deepEqual(each, sample);
  }).timeout(30_000);

  it('polytrace stat shows them, of all policies or of some', async () => {
    const command = new FakeCommand();
    const args = ['stat', '--server', server.address, '--once', '--interval', '100ms'];
    assert.equal(await command.run(...args), 0);
    assert.match(command.stdout.text, /^p: execs$/m);
    assert.match(command.stdout.text, /^slow: latency$/m);
    assert.equal(command.openOptions, undefined);
    const some = new FakeCommand();
    assert.equal(await some.run(...args, '--policy-name', 'slow', '-o', 'json'), 0);
    const { metrics } = JSON.parse(some.stdout.text) as { metrics: Metric[] };
    assert.deepEqual(
      metrics.map(({ policyName, since }) => [policyName, since]),
      [['slow', '2026-01-01T00:00:00.000Z']],
    );
    const none = new FakeCommand();
    assert.equal(await none.run(...args, '--policy-name', 'gone'), 0);
    assert.match(none.stderr.text, /note: the policies with the name gone count nothing/);
    assert.equal(none.stdout.text, 'no metrics\n');
  });

  it('a signal ends stat, and an agent that is away has its exit status', async () => {
    const command = new FakeCommand();
    const ended = command.run('stat', '--server', server.address, '--interval', '100ms');
    while (command.stdout.text === '') await new Promise(setImmediate);
    command.signals.emit('SIGINT', 'SIGINT');
    assert.equal(await ended, 0);
    const away = new FakeCommand();
    assert.equal(await away.run('stat', '--server', 'unix:///nowhere/agent.sock'), 5);
    for (const wrong of [
      ['--policy', __filename],
      ['--btf', __filename],
    ]) {
      assert.equal(await new FakeCommand().run('stat', '--server', server.address, ...wrong), 2);
    }
  });
});
