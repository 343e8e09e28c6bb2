/** A connection to an agent: the events, policies, errors and losses that a tracer has. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as published from 'polytrace';
import { createCertificates, TestServer } from '../../../agent/test/unit/grpc/server.js';
import { connect } from '../../../lib/client/connect.js';
import { PolicyError, PolytraceError } from '../../../lib/errors.js';
import { definePolicy, parsePolicy } from '../../../lib/policy/index.js';
import type {
  AgentConnection,
  ConnectOptions,
  EventsOptions,
  LoadOptions,
  Policy,
  PolicyStatus,
  AgentEvent,
} from '../../../types/index.js';
import { fileArgument, intArgument } from '../output/arguments.js';
import { execEvent, kprobeEvent, lostEvent } from '../output/events.js';

const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: files }
spec:
  kprobes:
    - call: security_file_permission
      syscall: false
      args: [{ index: 0, type: file }]
`;

/** The agent loads the built library, which has classes of its own. */
const AgentSideError = published.PolytraceError as unknown as typeof PolytraceError;

const USUAL = { optimize: true, cachePaths: true };

/** A tracer that remembers its policies and has no kernel. */
class MemoryTracer {
  readonly loaded = new Map<string, PolicyStatus>();
  readonly calls: string[] = [];
  onLoad: () => void = () => undefined;

  /** The agent asks who its client is. */
  process(): undefined {
    return undefined;
  }

  #load(call: string, { name }: Policy, { mode = 'enforce' }: LoadOptions = {}): Promise<PolicyStatus[]> {
    this.calls.push(`${call} ${name} ${mode}`);
    this.onLoad();
    const counts = { matched: 7, posted: 6, suppressed: 1, enforced: 0, lost: 2, memory: 4096 };
    const status: PolicyStatus = {
      name,
      state: 'enabled',
      mode,
      enforcing: false,
      scope: { state: 'active', containers: 3 },
      hooks: [{ call: 'f', functionName: 'f', functions: ['f', 'g'], attach: 'kprobe.multi', ...counts }],
      skipped: ['h'],
      warnings: [
        {
          code: 'MASK_DECIMAL',
          severity: 'warning',
          message: 'm',
          hint: 'h',
          file: 'p',
          line: 2,
          column: 3,
          text: 'x',
        },
      ],
      requests: { started: 4, answered: 3, failed: 1, dropped: 0 },
      ...counts,
    };
    this.loaded.set(name, status);
    return Promise.resolve([status]);
  }

  addPolicy = (policy: Policy, options?: LoadOptions): Promise<PolicyStatus[]> => this.#load('add', policy, options);
  replacePolicy = (policy: Policy, options?: LoadOptions): Promise<PolicyStatus[]> =>
    this.#load('replace', policy, options);
  policies = (): PolicyStatus[] => [...this.loaded.values()];
  removePolicy = (name: string): Promise<void> => {
    this.loaded.delete(name);
    return Promise.resolve();
  };
  setPolicyMode = (): Promise<void> =>
    Promise.reject(new AgentSideError('POLICY_MONITOR_ONLY', 'the mode is fixed', 'change the policy'));
  stats = (): object => ({
    events: 12,
    lost: 1,
    lostByHook: [],
    processes: 3,
    bufferSize: 64,
    bufferUsed: 8,
    ...USUAL,
  });
}

/** Takes events until the predicate holds. */
async function takeUntil(
  events: AsyncIterable<AgentEvent>,
  isLast: (event: AgentEvent) => boolean,
): Promise<AgentEvent[]> {
  const taken: AgentEvent[] = [];
  for await (const event of events) {
    taken.push(event);
    if (isLast(event)) break;
  }
  return taken;
}

describe('connect', () => {
  let tracer: MemoryTracer;
  let server: TestServer;
  let connection: AgentConnection;

  beforeEach(async () => {
    tracer = new MemoryTracer();
    server = new TestServer(undefined, tracer);
    await server.listen();
    connection = await connect(server.address);
  });
  afterEach(async () => {
    await connection.close();
    await server.close();
  });

  it('refuses options that do not exist, and types that no event has', async () => {
    const wrong = { reconect: false } as ConnectOptions;
    await assert.rejects(connect(server.address, wrong), { code: 'BAD_OPTION', message: /reconect is not an option/ });
    for (const options of [{ types: ['proces_exec'] }, { policyNmes: ['x'] }, { plain: 1 }]) {
      assert.throws(() => connection.events(options as unknown as EventsOptions), { code: 'BAD_OPTION' });
    }
  });

  it('has the events of the agent, with the methods of events', async () => {
    const events = connection.events({ types: ['process_kprobe'] });
    await server.waitForStreams(1);
    const file = kprobeEvent('security_file_permission', [fileArgument('/etc/passwd', 0), intArgument(4, 1)]);
    server.dispatch([execEvent(), file]);
    const { value: event } = await events.next();
    assert.ok(event?.type === 'process_kprobe');
    assert.equal(event.functionName, 'security_file_permission');
    const [first] = event.args;
    assert.ok(first?.type === 'file' && 'path' in first);
    assert.equal(first.path, '/etc/passwd');
    assert.equal(event.timeNs, file.timeNs);
    const copy = event.toObject();
    assert.deepEqual(structuredClone(copy), copy);
    assert.equal(copy.process.binary, file.process.binary);
    assert.equal(event.process.toObject().pid, file.process.pid);
    assert.equal((JSON.parse(JSON.stringify(event)) as { timeNs: string }).timeNs, String(file.timeNs));
    await events.return();
  });

  it('filters as a tracer does, also what the agent does not filter', async () => {
    const iterator = connection.events({ namespaces: [/^shop/], plain: true });
    await server.waitForStreams(1);
    const pod = { namespace: 'shop-1', name: 'web' };
    server.dispatch([execEvent({ pid: 1 }), execEvent({ pid: 2, pod, container: { id: 'a'.repeat(31) } })]);
    const { value: event } = await iterator.next();
    assert.ok(event?.type === 'process_exec');
    assert.equal(event.process.pid, 2);
    assert.equal(Object.getPrototypeOf(event), Object.prototype);
    await iterator.return();
  });

  it('reports the losses of the agent', async () => {
    const events = connection.events({ types: ['process_exec'] });
    await server.waitForStreams(1);
    server.dispatch([lostEvent({ hook: 'f', policyName: 'files', reason: 'ring_full', count: 9 }), execEvent()]);
    const { value: event } = await events.next();
    assert.ok(event?.type === 'lost');
    assert.deepEqual([event.hook, event.policyName, event.reason, event.count], ['f', 'files', 'ring_full', 9]);
    await events.return();
  });

  it('connects again when the agent has ended, and reports the time without it as a loss', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-connect-'));
    const addresses = [`unix://${folder}/agent.sock`];
    const [first, second] = [new TestServer(undefined, tracer), new TestServer(undefined, tracer)];
    await first.listen({ addresses });
    const own = await connect(addresses[0] ?? '');
    const taken = takeUntil(own.events(), ({ type }) => type === 'process_exec');
    await first.waitForStreams(1);
    await first.close();
    await second.listen({ addresses });
    await second.waitForStreams(1);
    second.dispatch([execEvent()]);
    assert.deepEqual(
      (await taken).map((event) => (event.type === 'lost' ? `${event.reason} ${event.count}` : event.type)),
      ['disconnected 0', 'process_exec'],
    );
    await own.close();
    await second.close();
    rmSync(folder, { recursive: true });
  }).timeout(30_000);

  it('with `reconnect: false`, an iterator rejects when the agent ends', async () => {
    const once = await connect(server.address, { reconnect: false });
    const events = once.events();
    await server.waitForStreams(1);
    await server.close();
    await assert.rejects(events.next(), { code: 'AGENT_UNAVAILABLE' });
    await once.close();
  });

  it('rejects with a code when no agent answers, or when the address is none', async () => {
    await assert.rejects(connect('unix:///nowhere/agent.sock'), (error) => {
      assert.ok(error instanceof PolytraceError);
      assert.equal(error.code, 'AGENT_UNAVAILABLE');
      assert.match(error.message, /unix:\/\/\/nowhere\/agent\.sock/);
      assert.match(error.hint, /polytrace agent/);
      return true;
    });
    for (const address of ['', 'nowhere', 'unix://', '/run/polytrace.sock']) {
      await assert.rejects(connect(address), { code: 'BAD_OPTION' }, address);
    }
  });

  it('ends iterations when a signal is aborted, or when it is closed', async () => {
    const controller = new AbortController();
    const byOption = connection.events({ signal: controller.signal });
    const byClose = connection.batches();
    await server.waitForStreams(2);
    const pending = [byOption.next(), byClose.next()];
    controller.abort();
    assert.deepEqual(await pending[0], { value: undefined, done: true });
    await connection.close();
    assert.deepEqual(await pending[1], { value: undefined, done: true });
    await server.waitForStreams(0);
    assert.throws(() => connection.events(), { code: 'CLOSED' });
    await assert.rejects(connection.policies(), { code: 'CLOSED' });
  });

  it('adds, replaces and removes policies, with the status of a tracer', async () => {
    const [status] = await connection.addPolicy({ yaml: POLICY }, { mode: 'monitor' });
    assert.deepEqual(status, tracer.loaded.get('files'));
    await connection.replacePolicy(parsePolicy(POLICY));
    assert.deepEqual(tracer.calls, ['add files monitor', 'replace files enforce']);
    assert.deepEqual(
      (await connection.policies()).map(({ name, status: found }) => [name, found?.mode]),
      [['files', 'enforce']],
    );
    await connection.removePolicy('files');
    assert.deepEqual(await connection.policies(), []);
  });

  describe('with a signal', () => {
    const reason = new Error('no longer needed');
    const aborted = { name: 'AbortError', code: 'ABORT_ERR', cause: reason };

    it('connect: aborted before and while it waits; afterwards nothing happens', async () => {
      await assert.rejects(connect(server.address, { signal: AbortSignal.abort(reason) }), aborted);
      await assert.rejects(connect(server.address, { signal: {} as AbortSignal }), { code: 'BAD_OPTION' });
      // it accepts connections and never answers
      const silent = createServer();
      const path = join(server.folder, 'silent.sock');
      await new Promise<void>((resolve) => silent.listen(path, resolve));
      const waiting = new AbortController();
      const connected = connect(`unix://${path}`, { signal: waiting.signal });
      silent.once('connection', (socket) => {
        socket.unref();
        waiting.abort(reason);
      });
      await assert.rejects(connected, aborted);
      silent.close();

      const later = new AbortController();
      const other = await connect(server.address, { signal: later.signal });
      for (const { signal } of [waiting, later]) assert.deepEqual(getEventListeners(signal, 'abort'), []);
      later.abort();
      assert.deepEqual(await other.policies(), []);
      await other.close();
    });

    it('addPolicy: aborted before, and while the agent loads: it is removed again', async () => {
      await assert.rejects(connection.addPolicy({ yaml: POLICY }, { signal: AbortSignal.abort(reason) }), aborted);
      assert.deepEqual(tracer.calls, []);
      const controller = new AbortController();
      tracer.onLoad = () => controller.abort(reason);
      await assert.rejects(connection.addPolicy({ yaml: POLICY }, { signal: controller.signal }), aborted);
      assert.deepEqual([tracer.calls, [...tracer.loaded]], [['add files enforce'], []]);
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
    });

    it('replacePolicy: aborted before the agent is asked, or too late', async () => {
      await connection.addPolicy({ yaml: POLICY });
      const early = { signal: AbortSignal.abort(reason), mode: 'monitor' } as const;
      await assert.rejects(connection.replacePolicy({ yaml: POLICY }, early), aborted);
      assert.equal(tracer.loaded.get('files')?.mode, 'enforce');
      const controller = new AbortController();
      tracer.onLoad = () => controller.abort(reason);
      await connection.replacePolicy({ yaml: POLICY }, { signal: controller.signal, mode: 'monitor' });
      assert.equal(tracer.loaded.get('files')?.mode, 'monitor');
    });
  });

  it('accepts a policy of definePolicy', async () => {
    const spec = { kprobes: [{ call: 'security_file_permission', syscall: false }] };
    await connection.addPolicy(
      definePolicy({ apiVersion: 'cilium.io/v1alpha1', kind: 'TracingPolicy', metadata: { name: 'own' }, spec }),
    );
    assert.deepEqual([...tracer.loaded.keys()], ['own']);
  });

  it('rejects with the errors of a tracer', async () => {
    for (const change of ['addPolicy', 'replacePolicy'] as const) {
      await assert.rejects(connection[change]({ file: 'a.yaml' } as never), { code: 'BAD_OPTION' });
    }
    await assert.rejects(connection.addPolicy({ yaml: 'kind: TracingPolicy\n', file: 'a.yaml' }), (error) => {
      assert.ok(error instanceof PolicyError);
      assert.equal(error.diagnostics[0]?.file, 'a.yaml');
      return true;
    });
    await connection.addPolicy({ yaml: POLICY });
    await assert.rejects(connection.addPolicy({ yaml: POLICY }), { code: 'POLICY_EXISTS' });
    await assert.rejects(connection.setPolicyMode('files', 'monitor'), {
      code: 'POLICY_MONITOR_ONLY',
      message: 'the mode is fixed',
      hint: 'change the policy',
    });
    await assert.rejects(connection.removePolicy('other'), { code: 'NO_SUCH_POLICY' });
    await assert.rejects(connection.removePolicy(undefined as never), { code: 'BAD_OPTION' });
    await assert.rejects(connection.replacePolicy({ yaml: POLICY.replace('files', 'other') }), {
      code: 'NO_SUCH_POLICY',
    });
  });

  it('has the state of the agent', async () => {
    const { version, nodeName, kernel, startTime, health, stats } = await connection.status();
    assert.deepEqual([version, nodeName, kernel, health], ['1.2.3', 'node', '6.12', 'running']);
    assert.equal(startTime, '1970-01-01T00:00:00.000000000Z');
    assert.equal(stats.events, 12);
  });

  it('uses TLS with certificates of both sides', async () => {
    const { ca, cert, key } = createCertificates(server.folder, 'agent');
    const client = createCertificates(server.folder, 'client');
    const secure = new TestServer(undefined, tracer);
    const tls = { cert, key, clientCa: client.ca };
    const [address = ''] = await secure.listen({ addresses: ['localhost:0'], tls });
    const encrypted = await connect(address, { tls: { ca, cert: client.cert, key: client.key } });
    assert.equal((await encrypted.status()).version, '1.2.3');
    await encrypted.close();
    await assert.rejects(connect(address, { tls: { ca } }), { code: 'AGENT_UNAVAILABLE' });
    await assert.rejects(connect(address, { tls: { ca: '/nowhere.pem' } }), { code: 'BAD_OPTION' });
    await secure.close();
  }).timeout(20_000);
});
