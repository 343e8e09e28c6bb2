/** Sources of containers, with fake runtimes: messages and errors. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { ContainerStore } from '../../../lib/containers/container-store.js';
import { loadProtobuf } from '../../../lib/containers/protobuf.js';
import { EngineSource } from '../../../lib/containers/sources/engine.js';
import { NriSource } from '../../../lib/containers/sources/nri.js';

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)] as const;
const protobuf = loadProtobuf();

describe('sources', () => {
  let folder: string;
  let socket: string;
  let store: ContainerStore;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pt-'));
    socket = join(folder, 's');
    store = new ContainerStore();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function waitUntil(isDone: () => boolean): Promise<void> {
    for (let i = 0; !isDone(); i++) {
      assert.ok(i < 500, 'it does not happen');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  describe('an engine', () => {
    let server: Server;
    let events: ServerResponse | undefined;
    let name = 'web';
    let list: unknown = [
      { Id: A, State: 'running' },
      { Id: 'x', State: 'exited' },
    ];
    /** Answers with status 500, by the ids of containers. */
    const refused = new Map<string, string>();
    async function startEngine(): Promise<void> {
      server = createHttp((request, response) => {
        const url = request.url ?? '';
        if (url.startsWith('/events')) {
          events = response;
          response.flushHeaders();
        } else if (url.startsWith('/containers/json')) response.end(JSON.stringify(list));
        else if (url === `/containers/${A}/json`) {
          response.end(JSON.stringify({ Id: A, Name: `/${name}`, State: { Status: 'running', Pid: 0 } }));
        } else {
          const text = refused.get(url.split('/')[2] ?? '');
          response.writeHead(text === undefined ? 404 : 500).end(text ?? '{}');
        }
      });
      server.listen(socket);
      await once(server, 'listening');
    }
    const listContainerNames = (): unknown[] => store.containers().map(({ info }) => info.name);
    const sourceStatus = (): unknown => store.sources()[0];

    it('reports running containers and changes, and reconnects', async () => {
      const source = new EngineSource('docker', [join(folder, 'none'), socket]);
      const started = source.start(store.add(source));
      await started;
      assert.deepEqual(sourceStatus(), {
        name: 'docker',
        connected: false,
        error: `there is no socket ${join(folder, 'none')}, ${socket}`,
        containers: 0,
      });
      await startEngine();
      await waitUntil(() => store.sources()[0]?.connected === true);
      assert.deepEqual(listContainerNames(), ['web']);
      name = 'renamed';
      const eventLine = (Action: string, ID: string): string => `${JSON.stringify({ Action, Actor: { ID } })}\n`;
      events?.write(eventLine('rename', A).slice(0, 20));
      events?.write(eventLine('rename', A).slice(20) + eventLine('start', 'unknown') + eventLine('exec_die', A));
      await waitUntil(() => listContainerNames()[0] === 'renamed');
      const Attributes = { name: 'brief', image: 'i:1', app: 'x' };
      events?.write(`${JSON.stringify({ Action: 'create', Actor: { ID: B, Attributes } })}\n`);
      await waitUntil(() => store.findRecent(B) !== undefined);
      const brief = { id: B, runtime: 'docker', name: 'brief', image: { name: 'i:1' } };
      assert.deepEqual(
        [store.findRecent(B)?.info, store.get(B)],
        [brief, undefined],
        'it was removed before it was asked for',
      );
      events?.write(eventLine('die', A));
      await waitUntil(() => store.size === 0);
      events?.write(eventLine('start', A));
      await waitUntil(() => store.size === 1);
      list = [];
      events?.end();
      await waitUntil(() => store.size === 0);
      await waitUntil(() => store.sources()[0]?.connected === true);
      events?.write('no JSON\n');
      await waitUntil(() => (store.sources()[0]?.error ?? '').includes('JSON'));
      await waitUntil(() => store.sources()[0]?.connected === true);
      await source.stop();
      server.close();
    });

    it('stays connected when the engine refuses to describe one container', async () => {
      const [c, d, e] = ['c'.repeat(64), 'd'.repeat(64), 'e'.repeat(64)] as const;
      list = [A, c].map((Id) => ({ Id, State: 'running' }));
      refused.set(c, 'locked').set(d, '{"cause":"no such container","message":"not found in database"}').set(e, 'busy');
      await startEngine();
      const source = new EngineSource('podman', [socket]);
      await source.start(store.add(source));
      const error = (id: string, text: string): string =>
        `/containers/${id}/json: the engine answers with status 500 ${text}`;
      const connected = { name: 'podman', connected: true, containers: 1 };
      assert.deepEqual(sourceStatus(), { ...connected, error: error(c, 'locked') });
      const first = events;
      for (const [ID, each] of Object.entries({ [d]: 'removed', [e]: 'running' })) {
        const Attributes = { name: each, image: 'i:1' };
        events?.write(`${JSON.stringify({ Action: 'create', Actor: { ID, Attributes } })}\n`);
      }
      await waitUntil(() => store.findRecent(e) !== undefined);
      const described = (id: string, each: string): unknown => ({
        id,
        runtime: 'podman',
        name: each,
        image: { name: 'i:1' },
      });
      assert.deepEqual([store.findRecent(d)?.info, store.get(d)], [described(d, 'removed'), undefined]);
      assert.deepEqual(store.get(e)?.info, described(e, 'running'));
      assert.deepEqual(sourceStatus(), { ...connected, containers: 2, error: error(e, 'busy') });
      assert.equal(events, first, 'the connection is the first one');
      await source.stop();
      server.close();
    });
  });

  describe('NRI', () => {
    const frame = (connection: number, stream: number, type: number, message: Uint8Array): Buffer => {
      const header = Buffer.alloc(18);
      header.writeUInt32BE(connection, 0);
      header.writeUInt32BE(10 + message.length, 4);
      header.writeUInt32BE(message.length, 8);
      header.writeUInt32BE(stream, 12);
      header.writeUInt8(type, 16);
      return Buffer.concat([header, message]);
    };
    let server: Server;
    let plugin: Socket;
    let answers: Buffer[];
    beforeEach(async () => {
      answers = [];
      server = createServer((connection) => {
        plugin = connection;
        connection.on('data', (bytes) => answers.push(bytes));
        connection.on('error', () => undefined);
      }).listen(socket);
      await once(server, 'listening');
    });
    afterEach(() => {
      plugin.destroy();
      server.close();
    });

    /** Sends a call to the plugin in chunks of a few bytes. Returns the milliseconds until its answer. */
    async function callPlugin(method: string, payload: Uint8Array): Promise<number> {
      const { ttrpc, encode } = protobuf;
      const service = 'nri.pkg.api.v1alpha1.Plugin';
      const bytes = frame(1, 1, 1, encode(ttrpc.RequestSchema, { service, method, payload }));
      answers = [];
      const began = Date.now();
      for (let at = 0; at < bytes.length; at += 7) plugin.write(bytes.subarray(at, at + 7));
      await waitUntil(() => answers.length > 0);
      return Date.now() - began;
    }

    async function connectPlugin(source: NriSource): Promise<void> {
      const { ttrpc, nri, encode } = protobuf;
      const started = source.start(store.add(source));
      await waitUntil(() => answers.length > 0);
      plugin.write(frame(2, 1, 2, encode(ttrpc.ResponseSchema, {})));
      await callPlugin('Configure', encode(nri.ConfigureRequestSchema, { runtimeName: 'cri-o' }));
      const pods = [{ id: 'sandbox', name: 'xwing', namespace: 'default', uid: 'u', labels: { app: 'x' } }];
      await callPlugin('Synchronize', encode(nri.SynchronizeRequestSchema, { pods }));
      await started;
    }
    const createRequest = (id: string): Uint8Array =>
      protobuf.encode(protobuf.nri.CreateContainerRequestSchema, {
        pod: { id: 'sandbox', name: 'xwing', namespace: 'default', uid: 'u' },
        container: { id, podSandboxId: 'sandbox', name: 'ship', linux: { cgroupsPath: 'a-b.slice:crio:c' } },
      });

    it('reports a container before it answers', async () => {
      const source = new NriSource([socket], 5000);
      await connectPlugin(source);
      await callPlugin('CreateContainer', createRequest(A));
      const info = store.get(A)?.info;
      assert.equal(info?.runtime, 'cri-o');
      assert.equal(info?.name, 'ship');
      assert.equal(info?.cgroupPath, '/a.slice/a-b.slice/crio-c.scope');
      assert.deepEqual([info?.pod?.namespace, info?.pod?.name], ['default', 'xwing']);
      await source.stop();
    });

    it('waits for the policies for a limited time, and counts the timeouts', async () => {
      const source = new NriSource([socket], 1500);
      await connectPlugin(source);
      let done = (): void => undefined;
      store.subscribe({ onChanged: () => new Promise((resolve) => (done = resolve)), onRemoved: () => undefined });
      setTimeout(() => done(), 50);
      const soon = await callPlugin('CreateContainer', createRequest(A));
      assert.ok(soon >= 45 && soon < 1500, `${soon}`);
      assert.equal(source.late, 0);
      const waited = await callPlugin('CreateContainer', createRequest('b'.repeat(64)));
      assert.ok(waited >= 1495, `${waited}`);
      assert.equal(source.late, 1);
      await source.stop();
    });

    it('closes the connection after an invalid message', async () => {
      const source = new NriSource([socket], 200);
      await connectPlugin(source);
      plugin.write(Buffer.alloc(8, 0xff));
      await waitUntil(() => store.sources()[0]?.connected === false);
      assert.match(store.sources()[0]?.error ?? '', /message of 4294967295 bytes/);
      assert.equal(store.get('sandbox')?.info.pod?.name, 'xwing', 'what ran still runs');
      await source.stop();
    });
  });
});
