/** Policies of a fleet over a real server: signed versions, rollouts, refusals, and nodes that were away. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { EventEmitter } from 'node:events';
import { Kvm, type KV } from '@nats-io/kv';
import { FleetConnection } from '../../lib/fleet/connection.js';
import { runFleetCommand } from '../../lib/fleet/commands/fleet-command.js';
import { parseNodeSelector } from '../../lib/fleet/nodes/selector.js';
import { gateKey, headKey, manifestKey } from '../../lib/fleet/policies/bucket-keys.js';
import { RolloutController } from '../../lib/fleet/policies/controller.js';
import { signRecord } from '../../lib/fleet/policies/envelope.js';
import { LastGood } from '../../lib/fleet/policies/last-good.js';
import { OperatorBucket } from '../../lib/fleet/policies/operator-bucket.js';
import type { PolicyRecord } from '../../lib/fleet/policies/records.js';
import { NatsCluster, missingServer } from './nats-cluster.js';
import { makeKey, SILENT, TestNode, type TestNodeOptions } from './fleet-nodes.js';

const POLICY = (name: string, call: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  tracepoints: [{ subsystem: sched, event: ${call} }]
`;

const operator = makeKey();
const controllerKey = makeKey();
const stranger = makeKey();

describe('policies of a fleet', function () {
  this.timeout(60_000);
  let cluster: NatsCluster;
  let connection: FleetConnection;
  let bucket: KV;
  let folder: string;
  let nodes: TestNode[] = [];
  let controllers: RolloutController[] = [];
  /** Each test has a cluster of its own, because versions only rise. */
  let name = '';
  let count = 0;

  before(async function () {
    if (missingServer() !== undefined) return this.skip();
    cluster = await NatsCluster.start();
    folder = mkdtempSync(join(tmpdir(), 'polytrace-fleet-'));
    const { status, stderr } = await fleet('init', '--events-max-mb', '64');
    assert.equal(status, 0, stderr);
    connection = FleetConnection.open({ servers: cluster.urls(), name: 'test' });
    bucket = await new Kvm(await connection.connected()).open('polytrace-policies');
  });
  beforeEach(() => void (name = `c${count++}`));
  afterEach(async () => {
    for (const each of controllers) each.stop();
    await Promise.all(nodes.map((node) => node.stop()));
    nodes = [];
    controllers = [];
  });
  after(async () => {
    await connection?.close();
    await cluster?.stop();
  });

  async function fleet(...args: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const output = { stdout: '', stderr: '' };
    const collect = (key: 'stdout' | 'stderr'): Writable =>
      new Writable({
        write: (chunk: Buffer, _, done) => {
          output[key] += chunk.toString();
          done();
        },
      });
    const env = {
      POLYTRACE_FLEET: cluster.urls().join(','),
      POLYTRACE_CLUSTER_NAME: name,
      POLYTRACE_FLEET_POLICY_KEY: operator.publicFile,
      POLYTRACE_FLEET_GATE_KEY: controllerKey.publicFile,
    };
    const host = { stdout: collect('stdout'), stderr: collect('stderr'), signals: new EventEmitter(), env };
    const status = await runFleetCommand(args, host);
    return { status, ...output };
  }

  async function apply(
    text: string,
    ...more: readonly string[]
  ): Promise<{ status: number; stdout: string; stderr: string }> {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, text);
    return fleet('apply', file, '--key', operator.file, ...more);
  }

  const good = async (result: Promise<{ status: number; stdout: string; stderr: string }>): Promise<string> => {
    const { status, stdout, stderr } = await result;
    assert.equal(status, 0, stderr);
    return stdout;
  };

  async function startNode(node: string, more: Partial<TestNodeOptions> = {}): Promise<TestNode> {
    const gateKeys = controllerKey.trusted;
    const started = new TestNode({
      servers: cluster.urls(),
      name: node,
      cluster: name,
      keys: operator.trusted,
      gateKeys,
      ...more,
    });
    nodes.push(started);
    await started.start();
    return started;
  }

  function startController(): RolloutController {
    const controller = new RolloutController({
      connection,
      cluster: name,
      signingKey: controllerKey.signing,
      keys: operator.trusted,
      gateKeys: controllerKey.trusted,
      parseSelector: parseNodeSelector,
      log: SILENT,
    });
    controllers.push(controller);
    controller.start();
    return controller;
  }

  const operators = async (): Promise<OperatorBucket> =>
    OperatorBucket.open(await connection.connected(), name, {
      keys: operator.trusted,
      gateKeys: controllerKey.trusted,
    });

  /** Looks at the reports until they are as wanted: they come by themselves. */
  async function untilReported(isWanted: (count: number) => boolean): Promise<void> {
    const watched = await operators();
    while (!isWanted((await watched.listNodes()).length));
  }

  /** Waits for the end of a rollout, and returns what it was. */
  async function endOfRollout(policy: string): Promise<{ state: string; stage: number; reason: string }> {
    for await (const entry of await bucket.watch({ key: gateKey(name, policy) })) {
      const gate = (await (await operators()).readGate(policy)) ?? { state: '', stage: 0, reason: '' };
      if (gate.state === 'stopped' || gate.state === 'complete') return gate;
      assert.ok(entry.revision > 0);
    }
    throw new Error('the server has ended the watch');
  }

  it('a node loads, replaces and removes a policy, and one that comes later catches up', async () => {
    const web = await startNode('web', { labels: { role: 'web' } });
    const db = await startNode('db', { labels: { role: 'db' } });
    await good(apply(POLICY('p', 'sched_switch'), '--nodes', 'role=web', '--mode', 'monitor'));
    await web.until(() => web.target.version('p') === 1);
    assert.equal(web.target.loaded.get('p')?.mode, 'monitor');
    assert.equal(db.target.version('p'), 0);
    assert.match(
      await good(apply(POLICY('p', 'sched_switch'), '--nodes', 'role=web', '--mode', 'monitor')),
      /is the same/,
    );
    await good(apply(POLICY('p', 'sched_wakeup')));
    await db.until(() => db.target.version('p') === 2);
    const late = await startNode('late');
    await late.until(() => late.target.version('p') === 2);
    const { status, stdout } = await fleet('diff', join(folder, 'policy.yaml'));
    assert.deepEqual([status, stdout], [0, '']);
    await good(fleet('rollback', 'p', '--key', operator.file));
    await web.until(() => web.target.version('p') === 3);
    assert.match(web.target.loaded.get('p')?.content ?? '', /sched_switch/);
    await db.until(() => db.target.version('p') === 0);
    await good(fleet('delete', 'p', '--key', operator.file));
    await web.until(() => !web.target.loaded.has('p'));
    assert.match(await good(fleet('list')), /p +4 .* deleted/);
  });

  it('refuses what is unsigned, forged, replayed, older or of another cluster', async () => {
    const node = await startNode('n');
    await good(apply(POLICY('p', 'sched_switch')));
    await good(apply(POLICY('p', 'sched_wakeup')));
    await node.until(() => node.target.version('p') === 2);
    const head = await bucket.get(headKey(name, 'p'));
    const first = await bucket.get(`${name}.version.p.1`);
    assert.ok(head !== null && first !== null);
    const { payload } = head.json<{ payload: string }>();
    const record = JSON.parse(payload) as PolicyRecord;
    const forged = { ...record, version: 9, content: POLICY('p', 'sched_process_fork') };
    const sign = (more: Partial<PolicyRecord>, key = operator): string =>
      signRecord('policy', { ...forged, ...more }, key.signing).envelope;
    const changed = head.string().replace('sched_wakeup', 'sched_wakeuq');
    const rows: [string, string, string][] = [
      ['FLEET_SIGNATURE', headKey(name, 'p'), JSON.stringify({ payload: JSON.stringify(forged) })],
      ['FLEET_SIGNATURE', headKey(name, 'p'), sign({}, stranger)],
      // a controller signs how far a rollout goes, and no policies
      ['FLEET_SIGNATURE', headKey(name, 'p'), sign({}, controllerKey)],
      ['FLEET_SIGNATURE', headKey(name, 'p'), changed],
      ['FLEET_SIGNATURE', headKey(name, 'p'), signRecord('gate', forged, operator.signing).envelope],
      ['FLEET_OLDER', headKey(name, 'p'), first.string()],
      ['FLEET_REPLAYED', headKey(name, 'q'), head.string()],
      ['FLEET_REPLAYED', headKey(name, 'p'), sign({ version: 2 })],
      ['FLEET_CLUSTER', headKey(name, 'p'), sign({ cluster: 'other' })],
      ['FLEET_RECORD', headKey(name, 'p'), 'not a record'],
      [
        'FLEET_RECORD',
        headKey(name, 'p'),
        signRecord('policy', { cluster: name } as PolicyRecord, operator.signing).envelope,
      ],
      [
        'FLEET_SIGNATURE',
        manifestKey(name),
        signRecord('manifest', { cluster: name, sequence: 99, versions: {} }, stranger.signing).envelope,
      ],
    ];
    for (const [code, key, text] of rows) {
      const before = node.member.replica.refusals.counts.get(code as never) ?? 0;
      const refused = refusals(node, code, before + 1);
      await bucket.put(key, text);
      await refused;
      assert.equal(node.target.version('p'), 2, `${code} ${key}`);
    }
    await bucket.delete(headKey(name, 'p'));
    await bucket.put(headKey(name, 'p'), head.string());
    assert.equal(node.target.version('p'), 2);
    // the operator sees it, and the newest version still counts
    await untilReported((found) => found === 1);
    node.reporter.reportSoon();
    const seen = await statusWith('FLEET_CLUSTER');
    assert.match(seen, /n +FLEET_SIGNATURE/);
  });

  async function statusWith(text: string): Promise<string> {
    for (;;) {
      const stdout = await good(fleet('status'));
      if (stdout.includes(text)) return stdout;
    }
  }

  /** A refusal changes nothing else that could be waited for: the log reports it. */
  async function refusals(node: TestNode, code: string, wanted: number): Promise<void> {
    const { counts } = node.member.replica.refusals;
    while ((counts.get(code as never) ?? 0) < wanted) await new Promise(setImmediate);
  }

  it('a server that withholds or rolls back a version is reported', async () => {
    const node = await startNode('n');
    await good(apply(POLICY('p', 'sched_switch')));
    await good(apply(POLICY('p', 'sched_wakeup')));
    await node.until(() => node.target.version('p') === 2);
    const old = await bucket.get(`${name}.version.p.1`);
    await bucket.put(headKey(name, 'p'), old?.string() ?? '');
    const late = await startNode('late');
    await refusals(late, 'FLEET_OLDER', 1);
    late.member.sync();
    await refusals(late, 'FLEET_WITHHELD', 1);
    assert.equal(late.target.version('p'), 0);
  });

  it('a node without a server loads the last good state, and checks it again', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'polytrace-last-good-'));
    const first = await startNode('n', { lastGood: await LastGood.open(disk) });
    await good(apply(POLICY('p', 'sched_switch')));
    await good(apply(POLICY('q', 'sched_switch')));
    await first.until(() => first.target.version('q') === 1 && first.target.version('p') === 1);
    await first.member.stop();
    const restored = async (): Promise<TestNode> => {
      const node = await startNode('n', { servers: ['nats://127.0.0.1:1'], lastGood: await LastGood.open(disk) });
      return node;
    };
    const away = await restored();
    assert.deepEqual([...away.target.loaded.keys()].sort(), ['p', 'q']);
    // an old file beside a newer list
    const oldFiles = new Map(readdirSync(disk).map((file) => [file, readFileSync(join(disk, file))]));
    const second = await startNode('n', { lastGood: await LastGood.open(disk) });
    await good(apply(POLICY('p', 'sched_wakeup')));
    await second.until(() => second.target.version('p') === 2);
    while (!readFileSync(join(disk, 'manifest.json'), 'utf8').includes('\\"sequence\\":3'))
      await new Promise(setImmediate);
    for (const [file, text] of oldFiles) if (file !== 'manifest.json') writeFileSync(join(disk, file), text);
    const rolledBack = await restored();
    assert.deepEqual([...rolledBack.target.loaded.keys()], ['q']);
    assert.equal(rolledBack.member.replica.refusals.counts.get('FLEET_OLDER'), 1);
    for (const file of readdirSync(disk)) {
      writeFileSync(join(disk, file), readFileSync(join(disk, file), 'utf8').replaceAll('sched_', 'other_'));
    }
    const forged = await restored();
    assert.equal(forged.target.loaded.size, 0);
    assert.equal(forged.member.replica.refusals.counts.get('FLEET_SIGNATURE'), 2);
  });

  describe('a rollout', () => {
    const CANARY = ['--canary', '10%,50%,100%', '--wait', '100ms'];

    async function startFleet(): Promise<void> {
      for (let i = 0; i < 10; i++) await startNode(`n${i}`, { isController: i < 2 });
      startController();
      startController();
      await good(apply(POLICY('p', 'sched_switch')));
      await Promise.all(nodes.map((node) => node.until(() => node.target.version('p') === 1)));
      await untilReported((found) => found === 10);
    }

    const versions = (): number[] => nodes.map(({ target }) => target.version('p'));
    const countOf = (version: number): number => versions().filter((each) => each === version).length;

    it('goes on by itself to all nodes', async () => {
      await startFleet();
      const stdout = await good(apply(POLICY('p', 'sched_wakeup'), ...CANARY, '--follow'));
      assert.match(stdout, /version 2 for 10 nodes, first 1 node \(stages 10%, 50%, 100%\)/);
      assert.match(stdout, /version 2 is complete/);
      assert.equal(countOf(2), 10);
    });

    const bad: [string, (node: TestNode) => void, RegExp][] = [
      [
        'that a kernel cannot load',
        ({ target }) =>
          (target.refuses = ({ version }) =>
            version === 2 ? 'p.yaml@2:5:1: HOOK_NOT_FOUND: no such hook' : undefined),
        /1 node cannot load the version: n\d: p\.yaml@2:5:1: HOOK_NOT_FOUND/,
      ],
      [
        'that floods',
        ({ target }) => {
          let events = 0;
          target.counters = ({ version }) => ({ events: version === 2 ? (events += 100_000) : 0 });
        },
        /reports \d+ events a second: the budget is 1000/,
      ],
      // the kernel of the build machine does not enforce: the counter rises without a process that ends
      [
        'that kills too much',
        ({ target }) => countAfterLoad(target, 'enforced', 101),
        /enforced 101 times: the budget is 100/,
      ],
      ['that loses events', ({ target }) => countAfterLoad(target, 'lost', 1), /lost 1 events: the budget is 0/],
    ];

    function countAfterLoad(target: TestNode['target'], counter: 'enforced' | 'lost', value: number): void {
      let reads = 0;
      target.counters = ({ version }) => ({ [counter]: version === 2 && ++reads > 1 ? value : 0 });
    }

    for (const [what, spoil, reason] of bad) {
      it(`of a policy ${what} stops at the first stage; one command rolls it back`, async () => {
        await startFleet();
        for (const node of nodes) spoil(node);
        const ended = endOfRollout('p');
        // a node that floods is found by its second report
        await good(apply(POLICY('p', 'sched_wakeup'), '--canary', '10%,50%,100%', '--wait', '10s'));
        const end = await ended;
        assert.deepEqual([end.state, end.stage], ['stopped', 0]);
        assert.match(end.reason, reason);
        assert.ok(countOf(1) >= 9, `versions ${versions().join()}`);
        assert.match(await good(fleet('list')), /stopped at 10%/);
        await good(fleet('rollback', 'p', '--key', operator.file));
        await Promise.all(nodes.map((node) => node.until(() => node.target.version('p') === 3)));
        assert.ok(nodes.every(({ target }) => target.loaded.get('p')?.content.includes('sched_switch')));
      });
    }

    it('goes on after its server was killed', async () => {
      await startFleet();
      await good(apply(POLICY('p', 'sched_wakeup'), '--canary', '10%,100%', '--wait', '1s'));
      await Promise.race(nodes.map((node) => node.until(() => node.target.version('p') === 2)));
      await cluster.kill(0);
      assert.ok(countOf(2) < 10);
      await cluster.restart(0);
      await connection.connected(30_000);
      const end = await endOfRollout('p');
      assert.deepEqual([end.state, end.stage], ['complete', 1]);
      assert.equal(countOf(2), 10);
    });

    it('cannot be sped up by the server, and a new node keeps to it', async () => {
      for (let i = 0; i < 10; i++) await startNode(`n${i}`);
      await good(apply(POLICY('p', 'sched_switch')));
      await Promise.all(nodes.map((node) => node.until(() => node.target.version('p') === 1)));
      await untilReported((found) => found === 10);
      const { stderr } = await apply(POLICY('p', 'sched_wakeup'), ...CANARY);
      assert.match(stderr, /no agent of the fleet has the key of a controller/);
      await Promise.race(nodes.map((node) => node.until(() => node.target.version('p') === 2)));
      const gate = { cluster: name, name: 'p', version: 2, stage: 2, state: 'complete', reason: '', created: '' };
      const reached = nodes.find(({ target }) => target.version('p') === 2);
      assert.ok(reached !== undefined);
      const refused = refusals(reached, 'FLEET_SIGNATURE', 1);
      await bucket.put(gateKey(name, 'p'), signRecord('gate', gate, stranger.signing).envelope);
      await refused;
      const late = await startNode('late-1');
      await late.until(() => late.target.version('p') > 0);
      const isFirst = late.member.replica.entries.get('p')?.head.record.plan.stages[0]?.threshold ?? 0;
      assert.ok(isFirst > 0);
      assert.equal(countOf(2) - Number(late.target.version('p') === 2), 1);
    });
  });
});
