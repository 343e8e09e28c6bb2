/** Connections to real servers: failover, and what is wrong when there is none. */
import assert from 'node:assert/strict';
import { PolytraceError } from 'polytrace';
import { FleetConnection, type FleetSettings, type FleetState } from '../../lib/fleet/connection.js';
import { NatsCluster, missingServer } from './nats-cluster.js';

const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof PolytraceError && error.code === code && error.hint !== '';

const waitForState = (connection: FleetConnection, wanted: FleetState): Promise<void> =>
  new Promise((resolve) => {
    connection.listen((state) => {
      if (state === wanted) resolve();
    });
  });

describe('a connection to a fleet', function () {
  this.timeout(60_000);
  before(function () {
    if (missingServer() !== undefined) this.skip();
  });

  it('opens without a server, and connects when there is one', async () => {
    const cluster = await NatsCluster.start();
    let connection: FleetConnection | undefined;
    try {
      await cluster.kill(0);
      connection = FleetConnection.open({ servers: cluster.urls(), name: 'test' });
      assert.equal(connection.state, 'connecting');
      await assert.rejects(connection.connected(500), isCode('FLEET_UNAVAILABLE'));
      await cluster.restart(0);
      const found = await connection.connected();
      assert.equal(connection.error, undefined);
      const lost = waitForState(connection, 'connecting');
      await cluster.kill(0);
      await lost;
      await cluster.restart(0);
      assert.equal(await connection.connected(), found);
      await connection.close();
      await assert.rejects(connection.connected(), isCode('CLOSED'));
    } finally {
      await connection?.close();
      await cluster.stop();
    }
  });

  it('three servers: another one takes over', async () => {
    const cluster = await NatsCluster.start({ servers: 3 });
    const connection = FleetConnection.open({ servers: cluster.urls(), name: 'test' });
    try {
      const client = await connection.connected();
      const first = client.getServer();
      const lost = waitForState(connection, 'connecting');
      await cluster.kill(cluster.addresses.indexOf(first));
      await lost;
      assert.notEqual((await connection.connected()).getServer(), first);
    } finally {
      await connection.close();
      await cluster.stop();
    }
  });

  it('settings that can never work are refused at once', () => {
    const wrong: [string, Partial<FleetSettings>][] = [
      ['BAD_OPTION', { servers: [] }],
      ['BAD_OPTION', { servers: ['http://x'] }],
      ['BAD_OPTION', { servers: ['nats://x:0'] }],
      ['BAD_OPTION', { servers: ['nats://user:secret@x'] }],
      ['BAD_OPTION', { servers: ['nats://a', 'tls://b'] }],
      ['BAD_OPTION', { cert: '/x' }],
      ['FLEET_CREDENTIALS', { credentials: '/does/not/exist' }],
      ['FLEET_CREDENTIALS', { credentials: '/etc/hostname' }],
    ];
    for (const [code, settings] of wrong) {
      assert.throws(
        () => FleetConnection.open({ servers: ['tls://x'], name: 'test', ...settings }),
        (error) => {
          assert.ok(!String(error).includes('secret'));
          return isCode(code)(error);
        },
      );
    }
  });
});
