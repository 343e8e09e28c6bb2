/** The scopes of all policies: their bits, and the writes to the kernel. Session and containers are fakes. */
import assert from 'node:assert/strict';
import type { ContainerInfo } from '../../../types/containers.js';
import type { ContainerListener, KnownContainer } from '../../../lib/containers/container-store.js';
import type { Scope } from '../../../lib/compiled/compiled-policy.js';
import { Scopes } from '../../../lib/tracer/scopes.js';
import { AbiLimit, CgroupKind } from '../../../lib/wire/layout.gen.js';

const WORDS = AbiLimit.SCOPE_WORDS;

/** Stores the scopes of containers, as the kernel does. */
class FakeSession {
  readonly mounts: string[] = [];
  readonly named = new Map<bigint, BigUint64Array>();
  defaults: BigUint64Array = new BigUint64Array(0);
  writes = 0;
  /** The cgroups that were removed. */
  removed = 0;
  failure: Error | undefined;
  /** Delays writes until it resolves. */
  gate: Promise<void> = Promise.resolve();

  enableScopes(mount: string): Promise<void> {
    this.mounts.push(mount);
    return Promise.resolve();
  }

  async setScopes(defaults: Uint8Array, named: Uint8Array, removed: Uint8Array): Promise<void> {
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    this.writes++;
    this.defaults = new BigUint64Array(defaults.buffer);
    const entries = new BigUint64Array(named.buffer);
    for (let at = 0; at < entries.length; at += 1 + WORDS) {
      this.named.set(entries[at] as bigint, entries.slice(at + 1, at + 1 + WORDS));
    }
    const ids = new BigUint64Array(removed.buffer);
    this.removed += ids.length;
    for (const id of ids) this.named.delete(id);
  }

  has(id: bigint, bit: number): boolean {
    const bits = this.named.get(id);
    return bits !== undefined && ((bits[bit >> 6] as bigint) & (1n << BigInt(bit & 63))) !== 0n;
  }

  isDefault(kind: number, bit: number): boolean {
    return ((this.defaults[kind * WORDS + (bit >> 6)] as bigint) & (1n << BigInt(bit & 63))) !== 0n;
  }
}

class FakeContainers {
  readonly known = new Map<string, KnownContainer>();
  connected = true;
  name = 'test';
  #listener: ContainerListener | undefined;

  containers = (): KnownContainer[] => [...this.known.values()].map((each) => ({ ...each }));
  get = (id: string): KnownContainer | undefined => this.known.get(id);
  sources = (): { name: string; connected: boolean; containers: number }[] => [
    { name: this.name, connected: this.connected, containers: this.known.size },
  ];
  subscribe = (listener: ContainerListener): (() => void) => {
    this.#listener = listener;
    return () => (this.#listener = undefined);
  };

  putContainer(id: string, cgroupId: bigint, labels: Record<string, string>): Promise<void> | void {
    const info: ContainerInfo = { id, name: id, pod: { namespace: 'default', name: id, labels } };
    const known = { info, cgroupId, isReported: true };
    this.known.set(id, known);
    return this.#listener?.onChanged(known);
  }

  removeContainer(id: string): void {
    const known = this.known.get(id) as KnownContainer;
    this.known.delete(id);
    this.#listener?.onRemoved(known);
  }
}

const podScope = (app: string): Scope => ({ pods: [{ key: 'app', operator: 'In', values: [app] }], exempts: false });
const otherPodsScope = (app: string, exempts = false): Scope => ({
  pods: [{ key: 'app', operator: 'NotIn', values: [app] }],
  exempts,
});
const host: Scope = { host: [], exempts: false };

function setUp(): { session: FakeSession; containers: FakeContainers; scopes: Scopes } {
  const session = new FakeSession();
  const containers = new FakeContainers();
  const scopes = new Scopes(session, { nodeLabels: { zone: 'a' }, mount: '/sys/fs/cgroup' });
  scopes.watch(containers);
  return { session, containers, scopes };
}

describe('scopes of policies', () => {
  it('writes nothing while no policy has a scope', async () => {
    const { session, containers, scopes } = setUp();
    await containers.putContainer('a', 7n, { app: 'web' });
    assert.deepEqual(await scopes.acquire([]), []);
    assert.deepEqual([session.mounts, session.writes], [[], 0]);
  });

  it('ignores containers that ended before the first scope', async () => {
    const { session, containers, scopes } = setUp();
    for (let i = 0; i < 1000; i++) {
      await containers.putContainer('a', BigInt(100 + i), { app: 'web' });
      containers.removeContainer('a');
    }
    await containers.putContainer('b', 7n, { app: 'web' });
    await scopes.acquire([podScope('web')]);
    assert.deepEqual([session.removed, [...session.named.keys()]], [0, [7n]]);
  });

  it('fills a new scope with the running containers', async () => {
    const { session, containers, scopes } = setUp();
    await containers.putContainer('a', 7n, { app: 'web' });
    await containers.putContainer('b', 8n, { app: 'db' });
    const bits = await scopes.acquire([podScope('web'), host]);
    assert.deepEqual([bits, session.mounts], [[0, 1], ['/sys/fs/cgroup']]);
    assert.deepEqual([session.has(7n, 0), session.has(8n, 0), session.has(7n, 1)], [true, false, false]);
    assert.deepEqual(
      [session.isDefault(CgroupKind.CGROUP_HOST, 0), session.isDefault(CgroupKind.CGROUP_HOST, 1)],
      [false, true],
    );
    assert.deepEqual(scopes.status([podScope('web')], [0]), { state: 'active', containers: 1 });
    assert.deepEqual(scopes.status([podScope('web'), host], bits), { state: 'active', containers: 1 });
  });

  it('has defaults for containers without a name', async () => {
    const { session, scopes } = setUp();
    const [positive, negative, exempting, ofHost, exemptHost] = (await scopes.acquire([
      podScope('web'),
      otherPodsScope('web'),
      otherPodsScope('web', true),
      host,
      { ...host, exempts: true },
    ])) as [number, number, number, number, number];
    const listDefaults = (kind: number): boolean[] =>
      [positive, negative, exempting, ofHost, exemptHost].map((bit) => session.isDefault(kind, bit));
    assert.deepEqual(listDefaults(CgroupKind.CGROUP_HOST), [false, false, false, true, true]);
    assert.deepEqual(listDefaults(CgroupKind.CGROUP_UNNAMED), [false, true, false, false, false]);
    assert.deepEqual(listDefaults(CgroupKind.CGROUP_NAMED), [false, true, false, false, false]);
    // A container of an unprivileged user is in the scopes of containers and of the host, but no scope exempts it.
    assert.deepEqual(listDefaults(CgroupKind.CGROUP_UNPROVEN), [false, true, false, true, false]);
  });

  it('resolves a change when the kernel has it written', async () => {
    const { session, containers, scopes } = setUp();
    await scopes.acquire([podScope('web')]);
    let openGate = (): void => undefined;
    session.gate = new Promise((resolve) => (openGate = resolve));
    let isDone = false;
    const done = Promise.resolve(containers.putContainer('a', 7n, { app: 'web' })).then(() => (isDone = true));
    await new Promise((resolve) => void setImmediate(resolve));
    assert.deepEqual([isDone, session.has(7n, 0)], [false, false]);
    openGate();
    await done;
    assert.ok(session.has(7n, 0));
  });

  it('a changed label moves a container in or out, and the removal of the container clears its bits', async () => {
    const { session, containers, scopes } = setUp();
    await scopes.acquire([podScope('web')]);
    await containers.putContainer('a', 7n, { app: 'db' });
    assert.equal(session.has(7n, 0), false);
    await containers.putContainer('a', 7n, { app: 'web' });
    assert.equal(session.has(7n, 0), true);
    await containers.putContainer('a', 9n, { app: 'web' });
    assert.deepEqual([session.named.has(7n), session.has(9n, 0)], [false, true], 'another cgroup, after a restart');
    containers.removeContainer('a');
    await containers.putContainer('b', 10n, {});
    assert.equal(session.named.has(9n), false);
    assert.deepEqual(scopes.status([podScope('web')], [0]), { state: 'active', containers: 0 });
  });

  it('a container without a cgroup is written when it has one', async () => {
    const { session, containers, scopes } = setUp();
    await scopes.acquire([podScope('web')]);
    const before = session.writes;
    await containers.putContainer('a', 0n, { app: 'web' });
    assert.equal(session.writes, before);
    await containers.putContainer('a', 7n, { app: 'web' });
    assert.ok(session.has(7n, 0));
  });

  it('simultaneous changes are written together', async () => {
    const { session, containers, scopes } = setUp();
    await scopes.acquire([podScope('web')]);
    const before = session.writes;
    await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => containers.putContainer(`c${i}`, BigInt(100 + i), { app: 'web' })),
    );
    assert.equal(session.named.size, 1000);
    assert.ok(session.writes - before <= 2, `${session.writes - before} writes`);
  });

  it('yields to the event loop while a policy is added to many containers', async () => {
    const { containers, scopes } = setUp();
    for (let i = 0; i < 10_000; i++) void containers.putContainer(`c${i}`, BigInt(100 + i), { app: 'web' });
    let loopTurns = 0;
    let isOver = false;
    const countTurns = (): void => {
      loopTurns++;
      if (!isOver) setImmediate(countTurns);
    };
    setImmediate(countTurns);
    await scopes.acquire([podScope('web'), otherPodsScope('web'), host]);
    isOver = true;
    assert.ok(loopTurns >= 30, `${loopTurns} turns`);
    assert.equal(scopes.status([podScope('web')], [0]).containers, 10_000);
  });

  it('equal scopes share a bit, and a free bit is reused', async () => {
    const { session, containers, scopes } = setUp();
    await containers.putContainer('a', 7n, { app: 'web' });
    assert.deepEqual(await scopes.acquire([podScope('web')]), [0]);
    assert.deepEqual(await scopes.acquire([podScope('web'), podScope('db')]), [0, 1]);
    scopes.release([0]);
    assert.deepEqual(await scopes.acquire([podScope('api')]), [2], 'another policy has the bit');
    scopes.release([0]);
    assert.ok(session.has(7n, 0));
    assert.deepEqual(await scopes.acquire([podScope('cache')]), [0]);
    assert.ok(!session.has(7n, 0));
  });

  it('more scopes than bits are refused, and the free bits stay free', async () => {
    const { scopes } = setUp();
    const many = Array.from({ length: AbiLimit.SCOPES_MAX }, (_, i) => podScope(`app-${i}`));
    await assert.rejects(scopes.acquire([...many, host]), { code: 'LIMIT_SCOPES' });
    assert.equal((await scopes.acquire(many)).length, AbiLimit.SCOPES_MAX);
    await assert.rejects(scopes.acquire([host]), { code: 'LIMIT_SCOPES' });
  });

  it('the status reports that no source knows the names', async () => {
    const { containers, scopes } = setUp();
    containers.connected = false;
    assert.equal(scopes.status([podScope('web')], [0]).state, 'no_source');
    assert.equal(scopes.status([host], [0]).state, 'active');
    containers.connected = true;
    assert.equal(scopes.status([podScope('web')], [0]).state, 'active');
    containers.name = 'cgroups';
    assert.equal(scopes.status([podScope('web')], [0]).state, 'no_source');
    assert.equal(
      scopes.status([{ containers: [{ key: 'runtime', operator: 'In', values: ['docker'] }], exempts: false }], [0])
        .state,
      'active',
    );
    containers.name = 'docker';
    assert.equal(scopes.status([podScope('web')], [0]).state, 'no_source', 'Docker knows no labels of pods');
    const named: Scope = { containers: [{ key: 'name', operator: 'In', values: ['web'] }], exempts: false };
    assert.equal(scopes.status([named], [0]).state, 'active');
    assert.equal(scopes.status([{ namespace: 'default', exempts: false }], [0]).state, 'active');
    const alone = new Scopes(new FakeSession(), { nodeLabels: {}, mount: '/' });
    assert.equal(alone.status([podScope('web')], [0]).state, 'no_source');
    assert.equal((await alone.acquire([podScope('web')])).length, 1);
  });

  it('needs the whole hierarchy of cgroups', async () => {
    const scopes = new Scopes(new FakeSession(), { nodeLabels: {}, mount: undefined });
    await assert.rejects(scopes.acquire([host]), { code: 'NO_CGROUP_HIERARCHY' });
    assert.deepEqual(await scopes.acquire([]), []);
  });

  it('repeats a write that has failed', async () => {
    const { session, containers, scopes } = setUp();
    await scopes.acquire([podScope('web')]);
    session.failure = Object.assign(new Error('no memory'), { code: 'SCOPES', errno: 'ENOMEM' });
    await assert.rejects(Promise.resolve(containers.putContainer('a', 7n, { app: 'web' })), { code: 'SCOPES' });
    await assert.rejects(scopes.acquire([podScope('db')]), { code: 'SCOPES', name: 'KernelError' });
    session.failure = undefined;
    await containers.putContainer('b', 8n, { app: 'web' });
    assert.deepEqual([session.has(7n, 0), session.has(8n, 0)], [true, true]);
  });

  it('a policy applies only to nodes with matching labels', () => {
    const { scopes } = setUp();
    const compiled = { name: 'test', hooks: [], processSets: [], scopes: [] };
    const isOnNode = (value: string): boolean =>
      scopes.isForThisNode({ ...compiled, nodes: [{ key: 'zone', operator: 'In', values: [value] }] });
    assert.deepEqual([scopes.isForThisNode(compiled), isOnNode('a'), isOnNode('b')], [true, true, false]);
  });

  it('ends its subscription', async () => {
    const { session, containers, scopes } = setUp();
    await scopes.acquire([podScope('web')]);
    scopes.close();
    await containers.putContainer('a', 7n, { app: 'web' });
    assert.equal(session.named.size, 0);
  });
});
