/**
 * Clients that never read, ask for too much, or send invalid messages. Other clients are not affected, memory is
 * bounded, and losses are exact.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, status as Code, type ServiceError } from '@grpc/grpc-js';
import { execEvent } from '../../../../test/unit/output/events.js';
import { ProtocolClient } from '../../native/support.js';
import { FakeTracer, policyText } from '../policies/support.js';
import { createCertificates, EventCounter, frameMessage, RawClient, TestServer, waitUntil } from './server.js';

const QUEUE = 64 * 1024;

describe('hostile clients', function () {
  this.timeout(60_000);
  let server: TestServer;
  const clients: { close(): void }[] = [];

  beforeEach(async () => {
    server = new TestServer(QUEUE);
    await server.listen();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.close();
  });

  function createRawClient(): RawClient {
    const client = new RawClient(server.socket);
    clients.push(client);
    return client;
  }

  it('clients that never read cost their queue, others get everything, and received and lost are what was produced', async () => {
    const [reading, resting, never] = [new EventCounter(), new EventCounter(), new EventCounter()];
    const [reader, sleeper, silent] = [createRawClient(), createRawClient(), createRawClient()].map((client) =>
      client.call('GetEvents', frameMessage(Buffer.alloc(0))),
    );
    assert.ok(reader !== undefined && sleeper !== undefined && silent !== undefined);
    await server.waitForStreams(3);
    reader.on('data', (chunk: Buffer) => reading.add(chunk));
    const batch = Array.from({ length: 50 }, () => execEvent());
    let produced = 0;
    const peaks: number[] = [];
    for (let round = 0; round < 400; round++) {
      server.dispatch(batch);
      produced += batch.length;
      peaks.push(Math.max(...[...server.hub.streams].map(({ queuedBytes }) => queuedBytes)));
      // the reader keeps up, so nothing may be lost
      if (round % 4 === 0) await waitUntil(() => reading.received >= produced);
    }
    await waitUntil(() => reading.received === produced);
    assert.equal(reading.lost, 0);
    // one more message may report lost events
    assert.ok(Math.max(...peaks) <= QUEUE + 1024, `${Math.max(...peaks)} bytes waited`);
    // one of them starts to read, and receives the number of its lost events
    sleeper.on('data', (chunk: Buffer) => resting.add(chunk));
    await waitUntil(() => resting.received + resting.lost === produced);
    assert.ok(resting.lost > 0 && resting.received > 0);
    assert.equal(never.received, 0);
    const lost = [...server.hub.streams].map((stream) => stream.lost);
    assert.ok(lost.includes(resting.lost), `${resting.lost} of ${lost.join()}`);
    // a client that disconnects is removed, and its missing events are counted
    const before = server.hub.lostCount;
    silent.close();
    await server.waitForStreams(2);
    assert.equal(server.hub.lostCount, before);
  });

  it('1,024 streams are served, each further one is refused, and all memory of queues is shared', async () => {
    const connections = Array.from({ length: 5 }, createRawClient);
    const counters: EventCounter[] = [];
    for (let i = 0; i < 1024; i++) {
      const counter = new EventCounter();
      counters.push(counter);
      connections[i % 5]
        ?.call('GetEvents', frameMessage(Buffer.alloc(0)))
        .on('data', (chunk: Buffer) => counter.add(chunk));
    }
    await server.waitForStreams(1024);
    assert.equal(await connections[0]?.status('GetEvents', frameMessage(Buffer.alloc(0))), Code.RESOURCE_EXHAUSTED);
    const batch = Array.from({ length: 20 }, () => execEvent());
    for (let round = 0; round < 5; round++) server.dispatch(batch);
    await waitUntil(() => counters.every(({ received, lost }) => received + lost === 100));
    for (const connection of connections) connection.close();
    await server.waitForStreams(0);
  });

  it('what is no message is refused, and the server goes on', async () => {
    const client = createRawClient();
    const calls = ['GetEvents', 'GetHealth', 'AddTracingPolicy', 'ConfigureTracingPolicy', 'SetDebug', 'NoSuchCall'];
    const bodies = [
      frameMessage(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])), // a text that is longer than the message
      frameMessage(Buffer.from([0x0b])), // a group
      frameMessage(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), // a number without an end
      frameMessage(Buffer.alloc(100, 0x0a), 1), // compressed by nothing that was agreed
      Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]), // a length of 4 GiB
      Buffer.from([0, 0, 0]), // a part of a header
      Buffer.alloc(0),
      ...Array.from({ length: 20 }, (_, i) => frameMessage(randomBytes(i * 7 + 1))),
    ];
    const statuses = await Promise.all(
      bodies.flatMap((body) => calls.map(async (name) => ({ name, status: await callStatus(client, name, body) }))),
    );
    for (const { name, status } of statuses) assert.notEqual(status, undefined, name);
    assert.ok(
      statuses.filter(({ name }) => name === 'NoSuchCall').every(({ status }) => status === Code.UNIMPLEMENTED),
    );
    const nested = Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0x0a, 0x7f])));
    assert.notEqual(await callStatus(client, 'GetEvents', frameMessage(nested)), Code.OK);
    const grpcClient = new ProtocolClient(server.address);
    clients.push(grpcClient);
    assert.equal((await grpcClient.call('GetVersion'))['version'], '1.2.3');
  });

  /** Random bytes can be a valid request. Then the stream stays open, and the client ends it. */
  async function callStatus(client: RawClient, name: string, body: Buffer): Promise<number | undefined> {
    if (name !== 'GetEvents') return client.status(name, body);
    const stream = client.call(name, body);
    stream.resume();
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    if (headers['grpc-status'] !== undefined) return Number(headers['grpc-status']);
    stream.close();
    return Code.OK;
  }

  it('connections that say nothing, little, or what is no HTTP/2, hold nobody up', async () => {
    const sockets: Socket[] = [];
    for (let i = 0; i < 100; i++) {
      const socket = connect(server.socket).on('error', () => undefined);
      clients.push({ close: () => void socket.destroy() });
      sockets.push(socket);
      if (i % 3 === 1) socket.write('PRI * HTTP/2.0\r\n');
      if (i % 3 === 2) socket.write(randomBytes(200));
    }
    const grpcClient = new ProtocolClient(server.address);
    clients.push(grpcClient);
    const events = grpcClient.events();
    await events.open;
    server.dispatch([execEvent()]);
    await events.waitFor(({ event }) => event === 'process_exec');
  });

  it('TLS handshakes that stand still hold nobody up', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-tls-'));
    const tls = createCertificates(folder, 'ours');
    const second = new TestServer();
    const [tcp = ''] = await second.listen({ addresses: ['127.0.0.1:0'], tls });
    const port = Number(tcp.split(':')[1]);
    const sockets = Array.from({ length: 200 }, (_, i) => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      // the first bytes of a ClientHello that announces 512 bytes
      if (i % 2 === 0) socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
      return socket;
    });
    const grpcClient = new ProtocolClient(tcp, credentials.createSsl(readFileSync(tls.ca)));
    assert.equal((await grpcClient.call('GetVersion'))['version'], '1.2.3');
    grpcClient.close();
    for (const socket of sockets) socket.destroy();
    await second.close();
    rmSync(folder, { recursive: true });
  });

  it('the server ends a TLS handshake that stands still', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-tls-'));
    const tls = createCertificates(folder, 'ours');
    const second = new TestServer();
    const [tcp = ''] = await second.listen({ addresses: ['127.0.0.1:0'], tls, tlsTimes: { handshakeMs: 100 } });
    const port = Number(tcp.split(':')[1]);
    const secrets = credentials.createSsl(readFileSync(tls.ca));
    const grpcClient = new ProtocolClient(tcp, secrets);
    clients.push(grpcClient);
    const events = grpcClient.events();
    await events.open;
    for (const first of [[], [0x16, 0x03, 0x01, 0x02, 0x00, 0x01]]) {
      const socket = connect(port, '127.0.0.1').resume();
      if (first.length > 0) socket.write(Buffer.from(first));
      // an end that comes before the server has read everything is a reset, which once() would throw
      await new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
    }
    // a connection after its handshake is not affected
    second.dispatch([execEvent()]);
    await events.waitFor(({ event }) => event === 'process_exec');
    grpcClient.close();
    await second.close();
    rmSync(folder, { recursive: true });
  });

  it('large requests that wait are refused above a number of bytes, and the others are answered', async () => {
    await server.close();
    const tracer = Object.assign(new FakeTracer(), { process: () => undefined });
    server = new TestServer(QUEUE, tracer);
    await server.listen();
    let release: () => void = () => undefined;
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    tracer.beforeChange = () => isReleased;
    const client = new ProtocolClient(server.address);
    clients.push(client);
    const padding = `# ${'x'.repeat(1_000_000)}\n`;
    const answers = Array.from({ length: 30 }, (_, i) =>
      client.call('AddTracingPolicy', { yaml: policyText(`p${i}`) + padding }).then(
        () => Code.OK,
        (error: unknown) => (error as ServiceError).code,
      ),
    );
    let refused = 0;
    for (const answer of answers) void answer.then((code) => (refused += Number(code === Code.RESOURCE_EXHAUSTED)));
    // sixteen of them are within the limit
    await waitUntil(() => refused === 14);
    release();
    const codes = await Promise.all(answers);
    assert.equal(codes.filter((code) => code === Code.OK).length, 16);
    await client.call('AddTracingPolicy', { yaml: policyText('later') + padding });
  });
});
