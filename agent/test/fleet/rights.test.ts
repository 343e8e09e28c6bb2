/** The permissions of docs/fleet.md on a real server: what agents and readers may do, and what they may not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { nkeys } from '@nats-io/transport-node';
import { type PolytraceError } from 'polytrace';
import { FleetConnection } from '../../lib/fleet/connection.js';
import { agentInbox, EVENTS_STREAM } from '../../lib/fleet/names.js';
import { createBuckets } from '../../lib/fleet/policies/operator-bucket.js';
import { runCommand } from '../native/support.js';
import { makeKey } from './fleet-nodes.js';
import { NatsCluster, missingServer } from './nats-cluster.js';
import { NatsOperator, type Permissions } from './nats-operator.js';
import { makeFolder, openNode, openOperator, readUntil, type Received, type TestNode } from './support.js';

interface User {
  readonly key: string;
  readonly file: string;
}

/** The configuration of docs/fleet.md. */
function readDocumented(): string {
  const page = readFileSync(join(__dirname, '../../../docs/fleet.md'), 'utf8');
  const [, config = ''] = /```text\n(accounts \{[^`]*)```/.exec(page) ?? [];
  assert.notEqual(config, '');
  return config;
}

/** The permissions of a user there, for a JWT. */
function readPermissions(user: string): Permissions {
  const text =
    readDocumented()
      .split('nkey: ')
      .find((each) => each.startsWith(user)) ?? '';
  const read = (name: string): string[] => {
    const [, list = ''] = new RegExp(`${name}: \\{ allow: \\[([^\\]]*)\\]`).exec(text) ?? [];
    return [...list.matchAll(/"([^"]+)"/g)].map(([, subject = '']) => subject);
  };
  return { publish: read('publish'), subscribe: read('subscribe') };
}

describe('the rights of a fleet', function () {
  this.timeout(60_000);
  const folder = makeFolder();
  const path = (name: string): string => join(folder.path, name);
  const makeUser = (name: string): User => {
    const pair = nkeys.createUser();
    writeFileSync(path(name), `${Buffer.from(pair.getSeed()).toString()}\n`, { mode: 0o600 });
    return { key: pair.getPublicKey(), file: path(name) };
  };
  let cluster: NatsCluster;
  let users: Readonly<Record<'agent' | 'other' | 'reader' | 'operator' | 'new', User>>;
  const configure = (agent: User): string => {
    const { other, reader, operator } = users;
    const keys = { UAGENT1: agent, UAGENT2: other, UREADER: reader, UOPERATOR: operator };
    return Object.entries(keys).reduce((text, [name, { key }]) => text.replaceAll(name, key), readDocumented());
  };

  before(async function () {
    if (missingServer() !== undefined) this.skip();
    users = {
      agent: makeUser('agent'),
      other: makeUser('other'),
      reader: makeUser('reader'),
      operator: makeUser('operator'),
      new: makeUser('new'),
    };
    cluster = await NatsCluster.start({ config: configure(users.agent) });
    const { connection } = await openOperator(cluster.urls(), undefined, { credentials: users.operator.file });
    await connection.close();
  });
  after(async () => {
    await cluster?.stop();
    folder.remove();
  });

  const openAgent = (node: string, user: User, name = node): ReturnType<typeof openNode> =>
    openNode(node, path(`${name}.spool`), cluster.urls(), { settings: { credentials: user.file } });
  const read = async (isDone: (received: Received) => boolean): Promise<void> => {
    const reader = FleetConnection.open({ servers: cluster.urls(), credentials: users.reader.file, name: 'reader' });
    try {
      const client = await reader.connected(30_000);
      await readUntil(client, { since: 1, follow: true }, (nodes) => [...nodes.values()].some(isDone));
    } finally {
      await reader.close();
    }
  };
  const waitForError = (connection: FleetConnection): Promise<PolytraceError> =>
    new Promise((resolve) => {
      connection.listen((_, error) => {
        if (error?.code === 'FLEET_REFUSED') resolve(error);
      });
    });

  it('an agent publishes its own events, a reader reads them', async () => {
    const agent = await openAgent('web-1', users.agent);
    agent.add(100);
    await read(({ events }) => events === 100);
    await agent.close();
  });

  it('the credentials of an agent: nothing of others, nothing to read, nothing to change', async () => {
    const stolen = await openNode('web-2', path('stolen.spool'), cluster.urls(), {
      settings: { credentials: users.agent.file, inboxPrefix: agentInbox('default', 'web-1') },
    });
    const refused = waitForError(stolen.connection);
    stolen.add(1);
    assert.match((await refused).message, /polytrace\.events\.default\.web-2/);
    await stolen.fleet.close(0);
    const { connection } = stolen;
    await connection.close();
    const agent = FleetConnection.open({
      servers: cluster.urls(),
      credentials: users.agent.file,
      name: 'thief',
      inboxPrefix: agentInbox('default', 'web-1'),
    });
    const client = await agent.connected(30_000);
    for (const subject of [
      `$JS.API.STREAM.DELETE.${EVENTS_STREAM}`,
      `$JS.API.STREAM.PURGE.${EVENTS_STREAM}`,
      '$JS.API.CONSUMER.CREATE.POLYTRACE_EVENTS.x',
    ]) {
      await assert.rejects(client.request(subject, '', { timeout: 5000 }), /Permissions Violation|timeout/i);
    }
    for (const subject of ['$KV.polytrace-policies.x', '$KV.polytrace-nodes.default.web-2']) {
      await assert.rejects(jetstream(client).publish(subject, ''), /Permissions Violation/i);
    }
    const problem = waitForError(agent);
    client.subscribe('_INBOX.>', { callback: () => undefined });
    assert.match((await problem).message, /_INBOX/);
    await agent.close();
  });

  it('a reader publishes no events, and removes none', async () => {
    const reader = FleetConnection.open({ servers: cluster.urls(), credentials: users.reader.file, name: 'reader' });
    const client = await reader.connected(30_000);
    await assert.rejects(jetstream(client).publish('polytrace.events.default.web-1.a.b', ''), /Permissions Violation/i);
    await assert.rejects(
      client.request(`$JS.API.STREAM.PURGE.${EVENTS_STREAM}`, '', { timeout: 5000 }),
      /Permissions Violation/i,
    );
    await reader.close();
  });

  it('an unknown key is refused, and new credentials in the same file need no restart', async () => {
    writeFileSync(path('rotated'), readFileSync(users.agent.file));
    const agent = await openAgent('web-1', { key: '', file: path('rotated') }, 'rotated');
    agent.add(10);
    await agent.connection.connected(30_000);
    const refused = waitForError(agent.connection);
    await cluster.reconfigure(configure(users.new));
    await refused;
    writeFileSync(path('rotated'), readFileSync(users.new.file));
    await agent.connection.connected(30_000);
    agent.add(10);
    await read(({ events }) => events === 120);
    await agent.close();
  });

  it('JWTs of an operator: the same rights, and a new file is used when the old one has expired', async () => {
    const nats = new NatsOperator();
    const server = await NatsCluster.start({ config: nats.config });
    const fleet = ['--fleet', ...server.urls(), '--fleet-credentials'];
    nats.writeUser(path('operator.creds'), readPermissions('UOPERATOR'));
    nats.writeUser(path('reader.creds'), readPermissions('UREADER'));
    nats.writeUser(path('agent.creds'), readPermissions('UAGENT1'), 4);
    const settings = { credentials: path('agent.creds') };
    const agent = await openNode('web-1', path('jwt.spool'), server.urls(), { settings });
    const thief = await openNode('web-2', path('thief.spool'), server.urls(), {
      settings: { ...settings, inboxPrefix: agentInbox('default', 'web-1') },
    });
    try {
      const init = await runCommand('fleet', 'init', ...fleet, path('operator.creds'), '--events-max-mb', '64');
      assert.equal(init.status, 0, init.stderr);
      const refused = waitForError(thief.connection);
      thief.add(1);
      assert.match((await refused).message, /polytrace\.events\.default\.web-2/);
      await thief.fleet.close(0);
      await thief.connection.close();
      agent.add(10);
      const expired = await waitForError(agent.connection);
      assert.match(expired.message, /expired/i);
      nats.writeUser(path('agent.creds'), readPermissions('UAGENT1'));
      await agent.connection.connected(30_000);
      agent.add(10);
      await waitUntilSent(agent, 20);
      const read = await runCommand('getevents', ...fleet, path('reader.creds'), '--since', '1h', '-o', 'json');
      assert.equal(read.status, 0, read.stderr);
      assert.equal(read.stdout.trim().split('\n').length, 20);
      const wrong = await runCommand('fleet', 'init', ...fleet, path('reader.creds'), '--events-max-mb', '64');
      assert.match(wrong.stderr, /FLEET_REFUSED: .*\n.*permissions/);
      assert.notEqual(wrong.status, 0);
    } finally {
      await agent.close();
      await thief.connection.close();
      await server.stop();
    }
  });

  it('mutual TLS: without a certificate, no connection', async () => {
    makeCertificates(folder.path);
    const config = `tls { cert_file: "${path('server.pem')}", key_file: "${path('server.key')}", ca_file: "${path('ca.pem')}", verify: true }`;
    const server = await NatsCluster.start({ config });
    const ca = path('ca.pem');
    const open = (more: object): FleetConnection =>
      FleetConnection.open({ servers: server.urls('tls'), name: 'test', ca, ...more });
    const good = open({ cert: path('client.pem'), key: path('client.key') });
    const connections = [good, open({}), open({ ca: undefined })];
    const command = (...more: string[]): ReturnType<typeof runCommand> =>
      runCommand(...['fleet', 'nodes', '--fleet', ...server.urls('tls'), '--fleet-ca', ca, ...more]);
    const key = ['--fleet-policy-key', makeKey().publicFile];
    const certificate = ['--fleet-cert', path('client.pem'), '--fleet-key', path('client.key')];
    try {
      await good.connected(30_000);
      const problems = await Promise.all(connections.slice(1).map(waitForProblem));
      // a server that wants a certificate only ends the connection
      assert.match(problems[0] ?? '', /^FLEET_(TLS|UNAVAILABLE)$/);
      assert.equal(problems[1], 'FLEET_TLS');
      assert.ok(connections.slice(1).every((each) => each.current === undefined));
      await createBuckets(await good.connected(), 1);
      const nodes = await command(...key, ...certificate);
      assert.deepEqual([nodes.status, nodes.stdout.split(' ')[0]], [0, 'NODE'], nodes.stderr);
    } finally {
      for (const each of connections) await each.close();
      await server.stop();
    }
  });
});

/** Resolves when the stream has so many events of the agent. */
async function waitUntilSent({ fleet }: TestNode, count: number): Promise<void> {
  while (fleet.stats.sent < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

const waitForProblem = (connection: FleetConnection): Promise<string> =>
  new Promise((resolve) => {
    connection.listen((_, error) => {
      if (error !== undefined) resolve(error.code);
    });
  });

/** An authority, and certificates of a server and a client that it has signed. */
function makeCertificates(folder: string): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=fleet', '-days', '2');
  for (const name of ['server', 'client']) {
    writeFileSync(join(folder, `${name}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-out', `${name}.pem`, '-days', '2', '-extfile', `${name}.ext`],
    );
  }
}
