/**
 * 1,000 nodes in this process, over three real servers: they connect, and all load a new policy within 5 seconds. The
 * figures are those of docs/fleet-sizing.md.
 */
import assert from 'node:assert/strict';
import { FleetConnection } from '../../lib/fleet/connection.js';
import { createBuckets, OperatorBucket } from '../../lib/fleet/policies/operator-bucket.js';
import { applyPolicy } from '../../lib/fleet/commands/changes.js';
import { NatsCluster, missingServer } from './nats-cluster.js';
import { makeKey, TestNode } from './fleet-nodes.js';

const NODES = 1000;
const CATCH_UP_MS = 5000;
const MEBIBYTE = 1024 * 1024;

/** A node that takes longer is named. */
const LOADED_MS = 50_000;

describe('1,000 nodes of a fleet', function () {
  this.timeout(120_000);
  let cluster: NatsCluster | undefined;
  const nodes: TestNode[] = [];

  before(function () {
    if (missingServer() !== undefined) this.skip();
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await cluster?.stop();
  });

  it('connect, and load a new policy within 5 seconds', async () => {
    cluster = await NatsCluster.start({ servers: 3 });
    const key = makeKey();
    const connection = FleetConnection.open({ servers: cluster.urls(), name: 'operator' });
    try {
      const nc = await connection.connected();
      await createBuckets(nc, 3);
      const bucket = await OperatorBucket.open(nc, 'test', { keys: key.trusted, gateKeys: new Map() });
      const idle = sum(cluster.memory);
      const options = { percents: [100], waitMs: 0, nodes: '', mode: undefined };
      const apply = (version: number): Promise<unknown> =>
        applyPolicy(
          bucket,
          { name: 'p', file: 'p.yaml', content: `# ${version}\n${'x'.repeat(4000)}` },
          options,
          [],
          key.signing,
        );
      await apply(1);
      const start = performance.now();
      for (let i = 0; i < NODES; i++) {
        nodes.push(new TestNode({ servers: cluster.urls(), name: `node-${i}`, keys: key.trusted }));
      }
      await Promise.all(nodes.map((node) => node.start()));
      await waitUntilLoaded(1);
      const connectedMs = performance.now() - start;
      const changed = performance.now();
      await apply(2);
      await waitUntilLoaded(2);
      const catchUpMs = performance.now() - changed;
      while ((await bucket.listNodes()).filter(({ policies }) => policies['p']?.loaded === 2).length < NODES);
      const reportedMs = performance.now() - changed;
      const memory = cluster.memory.map((bytes) => Math.round(bytes / MEBIBYTE));
      console.log(
        `      connected after ${Math.round(connectedMs)} ms, new version on all after ${Math.round(catchUpMs)} ms, ` +
          `reported after ${Math.round(reportedMs)} ms, servers ${memory.join(' + ')} MiB (idle ${Math.round(idle / MEBIBYTE)} MiB together)`,
      );
      assert.ok(catchUpMs <= CATCH_UP_MS, `${catchUpMs} ms`);
      assert.ok(
        memory.every((mebibytes) => mebibytes < 512),
        memory.join(),
      );
    } finally {
      await connection.close();
    }
  });

  async function waitUntilLoaded(version: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const without = nodes.flatMap(({ target }, i) => (target.version('p') === version ? [] : [`node-${i}`]));
        reject(new Error(`${without.length} nodes have no version ${version}: ${without.slice(0, 10).join()}`));
      }, LOADED_MS);
    });
    const loaded = Promise.all(nodes.map((node) => node.until(() => node.target.version('p') === version)));
    await Promise.race([loaded, late]).finally(() => clearTimeout(timer));
  }
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
