/** Events of agents in the stream of a real server: none is lost without a report, none comes twice. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import type { FleetConnection } from '../../lib/fleet/connection.js';
import { EVENTS_STREAM } from '../../lib/fleet/names.js';
import { NatsCluster, missingServer } from './nats-cluster.js';
import {
  keepLog,
  makeFolder,
  MEBIBYTE,
  openNode,
  openOperator,
  readUntil,
  STREAM,
  type Received,
  type TestNode,
} from './support.js';

/** Runs an agent that has 1,000 events in the stream and 300 in its memory when it is killed. */
async function runKilledAgent(folder: string, servers: readonly string[]): Promise<void> {
  const program = join(__dirname, 'programs/killed-agent.ts');
  const child = spawn(process.execPath, ['--require', 'tsx/cjs', program, folder, ...servers], { stdio: 'inherit' });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
}

describe('the events of a fleet', function () {
  this.timeout(120_000);
  let cluster: NatsCluster;
  let operator: { readonly connection: FleetConnection; readonly client: NatsConnection };
  const folder = makeFolder();
  const path = (name: string): string => join(folder.path, name);

  before(async function () {
    if (missingServer() !== undefined) this.skip();
    cluster = await NatsCluster.start();
    operator = await openOperator(cluster.urls());
  });
  after(async () => {
    await operator?.connection.close();
    await cluster?.stop();
    folder.remove();
  });

  const total = ({ events, lost }: Received): number => events + lost;
  const readNode = async (node: string, produced: number): Promise<Received> => {
    const options = { nodes: [node], since: 1, follow: true };
    const client = await operator.connection.connected(30_000);
    const nodes = await readUntil(client, options, (all) => [...all.values()].some((each) => total(each) >= produced));
    const [received] = [...nodes.values()];
    assert.ok(received !== undefined);
    return received;
  };

  it('each event comes once and in order, also over many messages and policies', async () => {
    const node = await openNode('node.1', path('order'), cluster.urls());
    for (let i = 0; i < 10; i++) node.add(500, `policy ${i % 3}`);
    const received = await readNode('node.1', 5000);
    await node.close();
    assert.deepEqual([received.events, received.lost, received.disorder], [5000, 0, { twice: 0, early: 0 }]);
    assert.equal(node.fleet.stats.spooled, 0);
  });

  it('without a server, events wait on the disk, also for the next agent', async () => {
    await cluster.kill(0);
    const first = await openNode('waits', path('waits'), cluster.urls());
    first.add(700);
    await first.fleet.close(0);
    await first.connection.close();
    assert.ok(readdirSync(path('waits')).some((name) => name.endsWith('-700.jsonl')));
    const second = await openNode('waits', path('waits'), cluster.urls());
    await cluster.restart(0);
    const received = await readNode('waits', 700);
    await second.close();
    assert.deepEqual([received.events, received.lost, received.disorder], [700, 0, { twice: 0, early: 0 }]);
  });

  it('a killed agent: the next one reports exactly what was only in its memory', async () => {
    await runKilledAgent(path('killed'), cluster.urls());
    const next = await openNode('killed', path('killed'), cluster.urls());
    next.add(1);
    const received = await readNode('killed', 1301);
    await next.close();
    assert.equal(total(received), 1301);
    assert.equal(received.reasons.get('agent_ended'), 300);
  });

  it('a batch that is sent again after the time of the server for duplicates comes once', async () => {
    const { client } = operator;
    const manager = await jetstreamManager(client);
    await manager.streams.update(EVENTS_STREAM, { duplicate_window: nanos(100) });
    await cluster.kill(0);
    const first = await openNode('again', path('again'), cluster.urls());
    first.add(100);
    await first.fleet.close(0);
    await first.connection.close();
    cpSync(path('again'), path('copy'), { recursive: true });
    await cluster.restart(0);
    const second = await openNode('again', path('again'), cluster.urls());
    await readNode('again', 100);
    await second.close();
    // the server forgets what is older when it starts
    await cluster.kill(0);
    await cluster.restart(0);
    await operator.connection.connected();
    const { messages } = (await manager.streams.info(EVENTS_STREAM)).state;
    const again = await openNode('again', path('copy'), cluster.urls());
    again.add(1);
    const received = await readNode('again', 101);
    await again.close();
    assert.ok((await manager.streams.info(EVENTS_STREAM)).state.messages > messages + 1);
    assert.deepEqual([received.events, received.lost, received.disorder.twice], [101, 0, 1]);
    await manager.streams.update(EVENTS_STREAM, { duplicate_window: nanos(600_000) });
  });

  it('a full stream takes no events: they wait, and what finds no room is lost and counted', async () => {
    const manager = await jetstreamManager(operator.client);
    await manager.streams.purge(EVENTS_STREAM);
    await manager.streams.update(EVENTS_STREAM, { max_bytes: 64 * 1024 });
    const { log, lines } = keepLog();
    const options = { log, maxBytes: MEBIBYTE, queueBytes: 64 * 1024 };
    const node = await openNode('full', path('full'), cluster.urls(), options);
    while (node.fleet.stats.lost === 0 || !node.fleet.stats.isFailing) {
      node.add(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(
      lines.some((line) => line.includes('maximum bytes exceeded')),
      lines.join(''),
    );
    await manager.streams.update(EVENTS_STREAM, { max_bytes: STREAM.maxBytes });
    node.add(1);
    const received = await readNode('full', node.made);
    await node.close();
    assert.equal(total(received), node.made);
    assert.deepEqual(received.disorder, { twice: 0, early: 0 });
    assert.ok(received.lost > 0);
    assert.deepEqual(
      [...received.reasons.keys()].filter((reason) => !['spool_full', 'queue_full'].includes(reason)),
      [],
    );
  });

  it('what somebody removes from the disk is lost and counted', async () => {
    await cluster.kill(0);
    const node = await openNode('removed', path('removed'), cluster.urls());
    node.add(100);
    await node.fleet.close(0);
    await node.connection.close();
    for (const name of readdirSync(path('removed')).filter((each) => each.endsWith('.jsonl'))) {
      rmSync(join(path('removed'), name));
    }
    await cluster.restart(0);
    const next = await openNode('removed', path('removed'), cluster.urls());
    next.add(10);
    const received = await readNode('removed', 110);
    await next.close();
    assert.deepEqual([received.events, [...received.reasons]], [10, [['spool_removed', 100]]]);
  });

  it('a reader goes from the history to what comes', async () => {
    const node = await openNode('history', path('history'), cluster.urls());
    node.add(200);
    await readNode('history', 200);
    const past = await readUntil(operator.client, { nodes: ['history'], since: 1, follow: false }, () => false);
    assert.equal([...past.values()][0]?.events, 200);
    const none = await readUntil(operator.client, { nodes: ['nobody'], since: 1, follow: false }, () => false);
    assert.equal(none.size, 0);
    let hasMore = false;
    const both = await readUntil(operator.client, { nodes: ['history'], since: 1, follow: true }, (all) => {
      if (!hasMore) node.add(100);
      hasMore = true;
      return [...all.values()][0]?.events === 300;
    });
    await node.close();
    assert.deepEqual([...both.values()][0]?.disorder, { twice: 0, early: 0 });
  });

  it('an outage parts a batch: what is stored waits for the rest, and nothing else waits', async () => {
    const manager = await jetstreamManager(operator.client);
    await manager.streams.purge(EVENTS_STREAM);
    // the stream takes one message of each type of a node: exits (odd pids) are held back, and executions are not
    await manager.streams.update(EVENTS_STREAM, { max_msgs_per_subject: 1, discard_new_per_subject: true });
    const node = await openNode('parted', path('parted'), cluster.urls());
    const other = await openNode('whole', path('whole'), cluster.urls());
    node.add(1);
    await readNode('parted', 1);
    node.add(4);
    await untilFailing(node);
    const executions = { types: ['process_exec'], since: 1 };
    const some = await readUntil(operator.client, executions, (all) => all.get('default.parted')?.events === 2);
    assert.deepEqual(some.get('default.parted')?.pids, [2, 4]);
    const pids: number[] = [];
    let isJoined = false;
    const both = await readUntil(operator.client, { since: 1, follow: true }, (all) => {
      pids.splice(0, pids.length, ...(all.get('default.parted')?.pids ?? []));
      if (pids.length === 1 && other.made === 0) other.add(1);
      if (all.has('default.whole') && !isJoined) {
        assert.deepEqual(pids, [1]);
        isJoined = true;
        void manager.streams.update(EVENTS_STREAM, { max_msgs_per_subject: -1, discard_new_per_subject: false });
      }
      return pids.length === 5;
    });
    assert.deepEqual([pids, both.get('default.whole')?.events], [[1, 2, 3, 4, 5], 1]);
    await node.close();
    await other.close();
  });

  it('two agents with one name are reported, and their events all come', async () => {
    const twins = await Promise.all(['a', 'b'].map((name) => openNode('twin', path(`twin-${name}`), cluster.urls())));
    for (let i = 1; i <= 4; i++) {
      const twin = twins[i % 2];
      twin?.add(1);
      await readNode('twin', i);
    }
    const problems: string[] = [];
    const onProblem = (text: string): void => void problems.push(text);
    const options = { nodes: ['twin'], since: 1, follow: false, onProblem };
    const received = await readUntil(operator.client, options, () => false);
    for (const twin of twins) await twin.close();
    assert.equal(received.get('default.twin')?.events, 4);
    assert.deepEqual(problems, ['node twin: two agents use this name at the same time']);
  });
});

/** Resolves when the stream has refused a part of a batch. */
async function untilFailing({ fleet }: TestNode): Promise<void> {
  while (!fleet.stats.isFailing) await new Promise((resolve) => setTimeout(resolve, 20));
}
