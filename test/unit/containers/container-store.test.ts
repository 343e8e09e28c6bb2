/** The store of containers: it merges the reports of several sources, and notifies listeners. */
import assert from 'node:assert/strict';
import { CONTAINERS_MAX, ContainerStore, type KnownContainer } from '../../../lib/containers/container-store.js';
import type { ContainerInfo, ContainerSink, ContainerSource } from '../../../types/containers.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

const fakeSource = (name: string, runtimes?: readonly string[]): ContainerSource => ({
  name,
  ...(runtimes === undefined ? {} : { runtimes }),
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
});

/** Subscribes a listener that records the changes. */
function recordChanges(store: ContainerStore): {
  changed: KnownContainer[];
  removed: KnownContainer[];
  end: () => void;
} {
  const changed: KnownContainer[] = [];
  const removed: KnownContainer[] = [];
  const end = store.subscribe({ onChanged: (c) => void changed.push(c), onRemoved: (c) => void removed.push(c) });
  return { changed, removed, end };
}

const getInfo = (store: ContainerStore, id = A): ContainerInfo => {
  const found = store.get(id);
  assert.ok(found !== undefined, id);
  return found.info;
};

describe('the store of containers', () => {
  it('reports when a container is added, changed and removed', async () => {
    const store = new ContainerStore();
    const changes = recordChanges(store);
    const sink = store.add(fakeSource('one'));
    await sink.add({ id: A, name: 'web' });
    await sink.add({ id: A, name: 'web', labels: { app: 'x' } });
    await sink.add({ id: A, name: 'web', labels: { app: 'x' } });
    assert.deepEqual(
      changes.changed.map(({ info }) => ({ ...info.labels })),
      [{}, { app: 'x' }],
    );
    assert.deepEqual(
      store.containers().map(({ info }) => info.name),
      ['web'],
    );
    sink.remove(A);
    sink.remove(A);
    assert.deepEqual(
      changes.removed.map(({ info }) => info.id),
      [A],
    );
    assert.equal(store.get(A), undefined);
    assert.equal(store.findRecent(A)?.info.name, 'web');
    changes.end();
    await sink.add({ id: B });
    assert.equal(changes.changed.length, 2);
  });

  it('a source may report that a container has no labels', async () => {
    const store = new ContainerStore();
    const [api, runtime] = [store.add(fakeSource('api')), store.add(fakeSource('runtime'))];
    const pod = { namespace: 'default', name: 'web' };
    await runtime.add({
      id: A,
      labels: { a: '1' },
      pod: { ...pod, labels: { app: 'web' }, annotations: { note: 'x' } },
    });
    await api.add({ id: A, pod: { ...pod, labels: {} } });
    const { pod: known, labels } = getInfo(store);
    assert.deepEqual({ ...known, annotations: { ...known?.annotations } }, { ...pod, annotations: { note: 'x' } });
    assert.deepEqual({ ...labels }, { a: '1' });
    await api.add({ id: A, pod: { ...pod, labels: { app: 'db' } } });
    assert.deepEqual({ ...getInfo(store).pod?.labels }, { app: 'db' });
  });

  it('leaves out annotations if they are disabled', async () => {
    const store = new ContainerStore(undefined, false);
    const pod = { namespace: 'default', name: 'web', labels: { app: 'web' } };
    await store.add(fakeSource('one')).add({ id: A, pod: { ...pod, annotations: { secret: 'x' } } });
    assert.equal(getInfo(store).pod?.annotations, undefined);
    assert.deepEqual({ ...getInfo(store).pod?.labels }, { app: 'web' });
  });

  it('where sources disagree, the first one counts, for each member separately', async () => {
    const store = new ContainerStore();
    const changes = recordChanges(store);
    const first = store.add(fakeSource('first'));
    const second = store.add(fakeSource('second'));
    await second.add({
      id: A,
      name: 'second',
      image: { id: 'sha256:2', name: 'image:2' },
      labels: { from: 'second', only: 'second' },
      pod: { namespace: 'default', name: 'pod-2', uid: 'uid-2' },
    });
    await first.add({
      id: A,
      image: { name: 'image:1' },
      labels: { from: 'first' },
      pod: { namespace: 'x', name: 'y' },
    });
    const both = getInfo(store);
    assert.equal(both.name, 'second');
    assert.deepEqual(both.image, { id: 'sha256:2', name: 'image:1' });
    assert.deepEqual({ ...both.labels }, { from: 'first' });
    assert.deepEqual(both.pod, { namespace: 'x', name: 'y', uid: 'uid-2' });
    first.remove(A);
    assert.equal(getInfo(store).image?.name, 'image:2');
    assert.deepEqual(changes.removed, []);
    second.remove(A);
    assert.equal(changes.removed.length, 1);
  });

  it('add() waits for every listener, even if nothing has changed', async () => {
    const store = new ContainerStore();
    let done: () => void = () => undefined;
    store.subscribe({ onChanged: () => new Promise((resolve) => (done = resolve)), onRemoved: () => undefined });
    const sink = store.add(fakeSource('one'));
    const finished: string[] = [];
    const first = sink.add({ id: A }).then(() => finished.push('first'));
    const second = sink.add({ id: A }).then(() => finished.push('second'));
    await new Promise(setImmediate);
    assert.deepEqual(finished, []);
    done();
    await Promise.all([first, second]);
    assert.deepEqual(finished.sort(), ['first', 'second']);
  });

  it('add() rejects with the error of a listener', async () => {
    const store = new ContainerStore();
    store.subscribe({
      onChanged: () => {
        throw new Error('no room');
      },
      onRemoved: () => undefined,
    });
    await assert.rejects(store.add(fakeSource('one')).add({ id: A }), /no room/);
    assert.equal(store.get(A)?.info.id, A);
  });

  it('reports which sources are connected', async () => {
    const store = new ContainerStore();
    const sink = store.add(fakeSource('docker', ['docker']));
    assert.equal(store.hasSourceFor('docker'), false);
    sink.state(true);
    await sink.add({ id: A });
    assert.deepEqual(store.sources(), [{ name: 'docker', connected: true, containers: 1 }]);
    assert.deepEqual(
      [store.hasSourceFor('docker'), store.hasSourceFor('podman'), store.hasSourceFor(undefined)],
      [true, false, true],
    );
    sink.state(false, new Error('the socket is gone'));
    assert.deepEqual(store.sources(), [
      { name: 'docker', connected: false, error: 'the socket is gone', containers: 1 },
    ]);
    assert.equal(store.get(A)?.info.id, A, 'what ran still runs');
  });

  describe('cgroups', () => {
    const PATH = `/docker/${A}`;
    /** The ids of the existing cgroups by path. */
    const cgroups = new Map<string, bigint>();
    const processes = new Map<number, string>();
    const createStore = (): ContainerStore =>
      new ContainerStore({
        cgroupId: (path) => (path === undefined ? 0n : (cgroups.get(path) ?? 0n)),
        cgroupPath: (pid) => processes.get(pid),
      });
    beforeEach(() => {
      cgroups.clear();
      processes.clear();
    });

    it('is found by the path from a source', async () => {
      cgroups.set(PATH, 7n);
      const store = createStore();
      await store.add(fakeSource('one')).add({ id: A, cgroupPath: PATH });
      assert.equal(store.get(A)?.cgroupId, 7n);
    });

    it('is found by the process, even if the process is in a nested cgroup', async () => {
      cgroups.set(PATH, 7n);
      processes.set(100, `${PATH}/init.scope`);
      const store = createStore();
      const sink = store.add(fakeSource('one'));
      await sink.add({ id: A, pid: 100 });
      assert.equal(store.get(A)?.cgroupId, 7n);
      assert.equal(getInfo(store).cgroupPath, PATH);
      // The container stops.
      cgroups.clear();
      processes.clear();
      await sink.add({ id: A, name: 'now with a name' });
      assert.equal(store.get(A)?.cgroupId, 7n);
      // It starts again.
      cgroups.set(PATH, 8n);
      await sink.add({ id: A, pid: 200 });
      assert.equal(store.get(A)?.cgroupId, 8n);
    });

    it('is not the cgroup of another process with the same id', async () => {
      cgroups.set(`/docker/${B}`, 9n);
      processes.set(100, `/docker/${B}`);
      const store = createStore();
      await store.add(fakeSource('one')).add({ id: A, pid: 100 });
      assert.equal(store.get(A)?.cgroupId, 0n);
    });

    it('may be created after the container is known', async () => {
      const store = createStore();
      const changes = recordChanges(store);
      await store.add(fakeSource('one')).add({ id: A });
      store.onCgroupCreated(3n, `/user.slice/user@1000.service/docker-${A}.scope`); // Any user can create this one.
      store.onCgroupCreated(4n, `/docker/${B}/docker-${A}.scope`); // This one is inside another container.
      store.onCgroupCreated(5n, `/docker/${A}/inside`);
      assert.equal(store.get(A)?.cgroupId, 0n);
      store.onCgroupCreated(7n, PATH);
      assert.equal(store.get(A)?.cgroupId, 7n);
      assert.deepEqual(
        changes.changed.map(({ cgroupId }) => cgroupId),
        [0n, 7n],
      );
    });

    it('is removed, and with it the container, whatever the sources report', async () => {
      cgroups.set(PATH, 7n);
      const store = createStore();
      const changes = recordChanges(store);
      const sink = store.add(fakeSource('one'));
      await sink.add({ id: A, name: 'web', cgroupPath: PATH });
      assert.equal(store.onCgroupRemoved(6n), undefined);
      assert.equal(store.onCgroupRemoved(7n), A);
      assert.equal(store.onCgroupRemoved(7n), undefined);
      assert.deepEqual([store.size, store.sources()[0]?.containers], [0, 0]);
      assert.deepEqual(
        changes.removed.map(({ info, cgroupId }) => [info.name, cgroupId]),
        [['web', 7n]],
      );
      assert.equal(store.findRecent(A)?.info.name, 'web', 'events that were recorded before can still ask');
      sink.remove(A);
      assert.equal(changes.removed.length, 1);
    });

    it('is created again when the container restarts, and no source has to report it', async () => {
      cgroups.set(PATH, 7n);
      const store = createStore();
      const changes = recordChanges(store);
      const sink = store.add(fakeSource('one'));
      await sink.add({ id: A, name: 'web', cgroupPath: PATH });
      store.onCgroupRemoved(7n);
      store.onCgroupCreated(8n, PATH);
      assert.deepEqual([getInfo(store).name, store.get(A)?.cgroupId], ['web', 8n]);
      assert.deepEqual([changes.changed.length, store.sources()[0]?.containers], [2, 1]);
      // The kernel frees the old cgroup after it has created the new one.
      store.onCgroupCreated(9n, PATH);
      assert.equal(store.onCgroupRemoved(8n), undefined);
      assert.equal(store.get(A)?.cgroupId, 9n);
      store.onCgroupRemoved(9n);
      sink.remove(A);
      store.onCgroupCreated(10n, PATH);
      assert.equal(store.get(A), undefined, 'the source has reported its end');
    });

    it('does not bring back old reports of a source that reports no ends', async () => {
      cgroups.set(PATH, 7n);
      const store = createStore();
      const sink = store.add(fakeSource('cgroups'), true);
      await sink.add({ id: A, cgroupPath: PATH });
      store.onCgroupRemoved(7n);
      store.onCgroupCreated(8n, PATH);
      assert.equal(store.get(A), undefined);
    });

    it('stays within its limits if containers end and no source reports it', async function () {
      this.timeout(30_000);
      const count = CONTAINERS_MAX + 500;
      const store = createStore();
      const sink = store.add(fakeSource('one'));
      for (let i = 1; i <= count; i++) {
        cgroups.clear();
        cgroups.set(`/c${i}`, BigInt(i));
        await sink.add({ id: `c${i}`, cgroupPath: `/c${i}` });
        store.onCgroupRemoved(BigInt(i));
      }
      assert.deepEqual([store.size, store.sources()[0]?.containers], [0, 0]);
      const remembered = Array.from({ length: count }, (_, i) => store.findRecent(`c${i + 1}`));
      assert.ok(remembered.filter((each) => each !== undefined).length < CONTAINERS_MAX / 2);
    });
  });

  describe('limits', () => {
    it('strings that are too long are left out, and the container is marked', async () => {
      const store = new ContainerStore();
      const sink = store.add(fakeSource('one'));
      const labels = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`label-${i}`, 'x']));
      await sink.add({ id: A, name: 'n'.repeat(5000), labels });
      assert.equal(getInfo(store).truncated, true);
      assert.equal(getInfo(store).name, undefined);
      assert.equal(Object.keys(getInfo(store).labels ?? {}).length, 512);
      const long = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`label-${i}`, 'x'.repeat(4000)]));
      await sink.add({ id: B, name: 'web', labels: long });
      assert.equal(getInfo(store, B).truncated, true);
      assert.equal(getInfo(store, B).name, 'web');
      assert.equal(Object.keys(getInfo(store, B).labels ?? {}).length, 32);
    });

    it('a label can have the name of a prototype property', async () => {
      const store = new ContainerStore();
      const labels = JSON.parse('{"__proto__": "x", "app": 7}') as Record<string, string>;
      await store.add(fakeSource('one')).add({ id: A, labels });
      assert.deepEqual(Object.entries(getInfo(store).labels ?? {}), [['__proto__', 'x']]);
      assert.equal(getInfo(store).truncated, undefined);
    });

    it('a container without a proper id is refused', async () => {
      const sink: ContainerSink = new ContainerStore().add(fakeSource('one'));
      for (const id of ['', 'x'.repeat(257), 7 as unknown as string]) {
        await assert.rejects(sink.add({ id }), { code: 'CONTAINER_INVALID' });
      }
    });

    it('more containers than fit are refused', async () => {
      const store = new ContainerStore();
      const sink = store.add(fakeSource('one'));
      for (let i = 0; i < CONTAINERS_MAX; i++) await sink.add({ id: `c${i}` });
      await assert.rejects(sink.add({ id: 'one too many' }), { code: 'CONTAINERS_FULL' });
      sink.remove('c7');
      await sink.add({ id: 'one too many' });
      assert.equal(store.size, CONTAINERS_MAX);
    });
  });
});
