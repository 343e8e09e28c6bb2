/** The commands that read a fleet, as users run them: the built command over real servers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { openFleet } from 'polytrace-agent';
import type { FleetConnection } from '../../lib/fleet/connection.js';
import { bucketKey, NODES_BUCKET } from '../../lib/fleet/names.js';
import { createBuckets } from '../../lib/fleet/policies/operator-bucket.js';
import { runCommand, spawnCommand } from '../native/support.js';
import { NatsCluster, missingServer } from './nats-cluster.js';
import { makeFolder, openNode, openOperator, type TestNode } from './support.js';

describe('commands that read a fleet', function () {
  this.timeout(120_000);
  const folder = makeFolder();
  let cluster: NatsCluster;
  let operator: FleetConnection;
  let nodes: TestNode[];
  let fleet: string[];

  before(async function () {
    if (missingServer() !== undefined) this.skip();
    cluster = await NatsCluster.start();
    fleet = ['--fleet', ...cluster.urls()];
    operator = (await openOperator(cluster.urls())).connection;
    nodes = await Promise.all(
      ['web-1', 'web-2'].map((name) => openNode(name, join(folder.path, name), cluster.urls())),
    );
    for (const node of nodes) node.add(10, 'my-policy');
    for (const node of nodes)
      while (node.fleet.stats.sent < 10) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  after(async () => {
    for (const node of nodes ?? []) await node.close();
    await operator?.close();
    await cluster?.stop();
    folder.remove();
  });

  it('getevents: the history of all nodes, with filters and outputs', async () => {
    const all = await runCommand('getevents', ...fleet, '--since', '1h', '-o', 'json');
    assert.equal(all.status, 0, all.stderr);
    assert.equal(all.stdout.trim().split('\n').length, 20);
    const some = await runCommand(
      ...['getevents', ...fleet, '--since', '1h', '-o', 'compact'],
      ...['--nodes', 'web-2', '--event-types', 'process_exec'],
    );
    assert.equal(some.stdout.trim().split('\n').length, 5, some.stdout);
  });

  it('getevents --nodes LABELS: the nodes that report these labels', async () => {
    const client = await operator.connected(30_000);
    await createBuckets(client, 1);
    const bucket = await new Kvm(client).open(NODES_BUCKET);
    for (const [node, role] of [
      ['web-1', 'db'],
      ['web-2', 'web'],
    ] as const) {
      await bucket.put(bucketKey('default', node), JSON.stringify({ labels: { role } }));
    }
    const count = async (selector: string): Promise<Record<string, number>> => {
      const args = ['--nodes', selector, '--since', '1h', '-o', 'json'];
      const { status, stdout, stderr } = await runCommand('getevents', ...fleet, ...args);
      assert.equal(status, 0, stderr);
      const counts: Record<string, number> = {};
      for (const line of stdout.split('\n').filter((each) => each !== '')) {
        const { node_name: node } = JSON.parse(line) as { readonly node_name: string };
        counts[node] = (counts[node] ?? 0) + 1;
      }
      return counts;
    };
    assert.deepEqual(await count('role=web'), { 'web-2': 10 });
    assert.deepEqual(await count('role!=web'), { 'web-1': 10 });
    assert.deepEqual(await count('role=cache'), {});
  });

  it('getevents --follow: history, then what comes', async () => {
    const { child, stdout } = spawnCommand('getevents', ...fleet, '--since', '1h', '--follow', '-o', 'json');
    await stdout.waitFor('"pid":10');
    nodes[0]?.add(1);
    await stdout.waitFor('"pid":11');
    child.kill('SIGTERM');
    const [status] = (await once(child, 'close')) as [number];
    assert.equal(status, 0);
  });

  it('report, top, and a program', async () => {
    const page = join(folder.path, 'page.html');
    const report = await runCommand('report', ...fleet, '--nodes', 'web-2', '-o', page);
    assert.match(report.stderr, /10 events in/);
    assert.match(readFileSync(page, 'utf8'), /<html/);
    const top = await runCommand('top', ...fleet, '--by', 'nodes', '--once', '--interval', '0.1');
    assert.match(top.stdout, /RATE\/S +MATCHED +POSTED +LOST +NODES/);
    const client = await openFleet(cluster.urls());
    const events = [];
    for await (const event of client.events({ since: 1, follow: false, nodes: ['web-2'] })) events.push(event);
    await client.close();
    assert.equal(events.length, 10);
    assert.equal(events[0]?.nodeName, 'web-2');
  });

  it('mistakes are named', async () => {
    const wrong: [RegExp, number, string[]][] = [
      [/--nodes needs --fleet/, 2, ['getevents', '--nodes', 'web-1']],
      [/--since needs --fleet/, 2, ['getevents', '--since', '1h', '--policy', 'polytrace:file-monitoring']],
      [/--fleet and --server exclude each other/, 2, ['getevents', ...fleet, '--server', 'x:1']],
      [/--by nodes needs --fleet/, 2, ['top', '--by', 'nodes']],
      [/BAD_OPTION: 'http:\/\/x' is not the address/, 1, ['getevents', '--fleet', 'http://x']],
      [/FLEET_CREDENTIALS: \/etc\/hostname/, 1, ['getevents', ...fleet, '--fleet-credentials', '/etc/hostname']],
      [/FLEET_UNAVAILABLE/, 5, ['getevents', '--fleet', 'nats://127.0.0.1:1']],
    ];
    for (const [message, status, args] of wrong) {
      const result = await runCommand(...args);
      assert.match(result.stderr, message);
      assert.equal(result.status, status, result.stderr);
    }
  });
});
