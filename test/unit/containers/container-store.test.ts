/** The directory of containers: what several sources say of one container, and who hears of it. */
import assert from 'node:assert/strict';
import { CONTAINERS_MAX, ContainerStore, type KnownContainer } from '../../../lib/containers/container-store.js';
import type { ContainerInfo, ContainerSink, ContainerSource } from '../../../types/containers.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

const source = (name: string, runtimes?: readonly string[]): ContainerSource => ({
  name,
  ...(runtimes === undefined ? {} : { runtimes }),
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
});

/** A listener that writes down what it hears. */
function listen(directory: ContainerStore): { changed: KnownContainer[]; removed: KnownContainer[]; end: () => void } {
  const changed: KnownContainer[] = [];
  const removed: KnownContainer[] = [];
  const end = directory.subscribe({ onChanged: (c) => void changed.push(c), onRemoved: (c) => void removed.push(c) });
  return { changed, removed, end };
}

const infoOf = (directory: ContainerStore, id = A): ContainerInfo => {
  const found = directory.get(id);
  assert.ok(found !== undefined, id);
  return found.info;
};

describe('the directory of containers', () => {
  it('a container comes, changes and goes', async () => {
    const directory = new ContainerStore();
    const heard = listen(directory);
    const sink = directory.add(source('one'));
    await sink.add({ id: A, name: 'web' });
    await sink.add({ id: A, name: 'web', labels: { app: 'x' } });
    await sink.add({ id: A, name: 'web', labels: { app: 'x' } });
    assert.deepEqual(
      heard.changed.map(({ info }) => ({ ...info.labels })),
      [{}, { app: 'x' }],
    );
    assert.deepEqual(
      directory.containers().map(({ info }) => info.name),
      ['web'],
    );
    sink.remove(A);
    sink.remove(A);
    assert.deepEqual(
      heard.removed.map(({ info }) => info.id),
      [A],
    );
    assert.equal(directory.get(A), undefined);
    assert.equal(directory.findRecent(A)?.info.name, 'web');
    heard.end();
    await sink.add({ id: B });
    assert.equal(heard.changed.length, 2);
  });

  it('a source that says that there are no labels is right, too', async () => {
    const directory = new ContainerStore();
    const [api, runtime] = [directory.add(source('api')), directory.add(source('runtime'))];
    const pod = { namespace: 'default', name: 'web' };
    await runtime.add({
      id: A,
      labels: { a: '1' },
      pod: { ...pod, labels: { app: 'web' }, annotations: { note: 'x' } },
    });
    await api.add({ id: A, pod: { ...pod, labels: {} } });
    const { pod: known, labels } = infoOf(directory);
    assert.deepEqual(known, { ...pod, annotations: Object.assign(Object.create(null), { note: 'x' }) });
    assert.deepEqual({ ...labels }, { a: '1' });
    await api.add({ id: A, pod: { ...pod, labels: { app: 'db' } } });
    assert.deepEqual({ ...infoOf(directory).pod?.labels }, { app: 'db' });
  });

  it('leaves out annotations where they are not wanted', async () => {
    const directory = new ContainerStore(undefined, false);
    const pod = { namespace: 'default', name: 'web', labels: { app: 'web' } };
    await directory.add(source('one')).add({ id: A, pod: { ...pod, annotations: { secret: 'x' } } });
    assert.equal(infoOf(directory).pod?.annotations, undefined);
    assert.deepEqual({ ...infoOf(directory).pod?.labels }, { app: 'web' });
  });

  it('where sources contradict each other, the first one is right, member by member', async () => {
    const directory = new ContainerStore();
    const heard = listen(directory);
    const first = directory.add(source('first'));
    const second = directory.add(source('second'));
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
    const both = infoOf(directory);
    assert.equal(both.name, 'second');
    assert.deepEqual(both.image, { id: 'sha256:2', name: 'image:1' });
    assert.deepEqual({ ...both.labels }, { from: 'first' });
    assert.deepEqual(both.pod, { namespace: 'x', name: 'y', uid: 'uid-2' });
    first.remove(A);
    assert.equal(infoOf(directory).image?.name, 'image:2');
    assert.deepEqual(heard.removed, []);
    second.remove(A);
    assert.equal(heard.removed.length, 1);
  });

  it('add() waits for every listener, also when nothing has changed', async () => {
    const directory = new ContainerStore();
    let done: () => void = () => undefined;
    directory.subscribe({ onChanged: () => new Promise((resolve) => (done = resolve)), onRemoved: () => undefined });
    const sink = directory.add(source('one'));
    const settled: string[] = [];
    const first = sink.add({ id: A }).then(() => settled.push('first'));
    const second = sink.add({ id: A }).then(() => settled.push('second'));
    await new Promise(setImmediate);
    assert.deepEqual(settled, []);
    done();
    await Promise.all([first, second]);
    assert.deepEqual(settled.sort(), ['first', 'second']);
  });

  it('add() rejects with the error of a listener', async () => {
    const directory = new ContainerStore();
    directory.subscribe({
      onChanged: () => {
        throw new Error('no room');
      },
      onRemoved: () => undefined,
    });
    await assert.rejects(directory.add(source('one')).add({ id: A }), /no room/);
    assert.equal(directory.get(A)?.info.id, A);
  });

  it('says which sources are connected', async () => {
    const directory = new ContainerStore();
    const sink = directory.add(source('docker', ['docker']));
    assert.equal(directory.hasSourceFor('docker'), false);
    sink.state(true);
    await sink.add({ id: A });
    assert.deepEqual(directory.sources(), [{ name: 'docker', connected: true, containers: 1 }]);
    assert.deepEqual(
      [directory.hasSourceFor('docker'), directory.hasSourceFor('podman'), directory.hasSourceFor(undefined)],
      [true, false, true],
    );
    sink.state(false, new Error('the socket is gone'));
    assert.deepEqual(directory.sources(), [
      { name: 'docker', connected: false, error: 'the socket is gone', containers: 1 },
    ]);
    assert.equal(directory.get(A)?.info.id, A, 'what ran still runs');
  });

  describe('cgroups', () => {
    const PATH = `/docker/${A}`;
    /** The cgroups that exist. */
    const cgroups = new Map<string, bigint>();
    const processes = new Map<number, string>();
    const make = (): ContainerStore =>
      new ContainerStore({
        cgroupId: (path) => (path === undefined ? 0n : (cgroups.get(path) ?? 0n)),
        cgroupPath: (pid) => processes.get(pid),
      });
    beforeEach(() => {
      cgroups.clear();
      processes.clear();
    });

    it('is found by the path that a source names', async () => {
      cgroups.set(PATH, 7n);
      const directory = make();
      await directory.add(source('one')).add({ id: A, cgroupPath: PATH });
      assert.equal(directory.get(A)?.cgroupId, 7n);
    });

    it('is found by the process, also one further inside', async () => {
      cgroups.set(PATH, 7n);
      processes.set(100, `${PATH}/init.scope`);
      const directory = make();
      const sink = directory.add(source('one'));
      await sink.add({ id: A, pid: 100 });
      assert.equal(directory.get(A)?.cgroupId, 7n);
      assert.equal(infoOf(directory).cgroupPath, PATH);
      // the container stops
      cgroups.clear();
      processes.clear();
      await sink.add({ id: A, name: 'now with a name' });
      assert.equal(directory.get(A)?.cgroupId, 7n);
      // it starts again
      cgroups.set(PATH, 8n);
      await sink.add({ id: A, pid: 200 });
      assert.equal(directory.get(A)?.cgroupId, 8n);
    });

    it('is not that of another process with the same id', async () => {
      cgroups.set(`/docker/${B}`, 9n);
      processes.set(100, `/docker/${B}`);
      const directory = make();
      await directory.add(source('one')).add({ id: A, pid: 100 });
      assert.equal(directory.get(A)?.cgroupId, 0n);
    });

    it('comes later than the container', async () => {
      const directory = make();
      const heard = listen(directory);
      await directory.add(source('one')).add({ id: A });
      directory.onCgroupCreated(3n, `/user.slice/user@1000.service/docker-${A}.scope`); // anybody can make this one
      directory.onCgroupCreated(4n, `/docker/${B}/docker-${A}.scope`); // inside of another container
      directory.onCgroupCreated(5n, `/docker/${A}/inside`);
      assert.equal(directory.get(A)?.cgroupId, 0n);
      directory.onCgroupCreated(7n, PATH);
      assert.equal(directory.get(A)?.cgroupId, 7n);
      assert.deepEqual(
        heard.changed.map(({ cgroupId }) => cgroupId),
        [0n, 7n],
      );
    });

    it('is gone, and with it the container, whatever the sources say', async () => {
      cgroups.set(PATH, 7n);
      const directory = make();
      const heard = listen(directory);
      const sink = directory.add(source('one'));
      await sink.add({ id: A, name: 'web', cgroupPath: PATH });
      assert.equal(directory.onCgroupRemoved(6n), undefined);
      assert.equal(directory.onCgroupRemoved(7n), A);
      assert.equal(directory.onCgroupRemoved(7n), undefined);
      assert.deepEqual([directory.size, directory.sources()[0]?.containers], [0, 0]);
      assert.deepEqual(
        heard.removed.map(({ info, cgroupId }) => [info.name, cgroupId]),
        [['web', 7n]],
      );
      assert.equal(directory.findRecent(A)?.info.name, 'web', 'events that were recorded before can still ask');
      sink.remove(A);
      assert.equal(heard.removed.length, 1);
    });

    it('comes again: the container starts again, and its source need not say it', async () => {
      cgroups.set(PATH, 7n);
      const directory = make();
      const heard = listen(directory);
      const sink = directory.add(source('one'));
      await sink.add({ id: A, name: 'web', cgroupPath: PATH });
      directory.onCgroupRemoved(7n);
      directory.onCgroupCreated(8n, PATH);
      assert.deepEqual([infoOf(directory).name, directory.get(A)?.cgroupId], ['web', 8n]);
      assert.deepEqual([heard.changed.length, directory.sources()[0]?.containers], [2, 1]);
      // the kernel frees the old one later than it makes the new one
      directory.onCgroupCreated(9n, PATH);
      assert.equal(directory.onCgroupRemoved(8n), undefined);
      assert.equal(directory.get(A)?.cgroupId, 9n);
      directory.onCgroupRemoved(9n);
      sink.remove(A);
      directory.onCgroupCreated(10n, PATH);
      assert.equal(directory.get(A), undefined, 'the source has reported its end');
    });

    it('a source that does not notice ends: what it said does not come again', async () => {
      cgroups.set(PATH, 7n);
      const directory = make();
      const sink = directory.add(source('cgroups'), true);
      await sink.add({ id: A, cgroupPath: PATH });
      directory.onCgroupRemoved(7n);
      directory.onCgroupCreated(8n, PATH);
      assert.equal(directory.get(A), undefined);
    });

    it('more containers come and go than fit, and no source reports an end', async function () {
      this.timeout(30_000);
      const count = CONTAINERS_MAX + 500;
      const directory = make();
      const sink = directory.add(source('one'));
      for (let i = 1; i <= count; i++) {
        cgroups.clear();
        cgroups.set(`/c${i}`, BigInt(i));
        await sink.add({ id: `c${i}`, cgroupPath: `/c${i}` });
        directory.onCgroupRemoved(BigInt(i));
      }
      assert.deepEqual([directory.size, directory.sources()[0]?.containers], [0, 0]);
      const remembered = Array.from({ length: count }, (_, i) => directory.findRecent(`c${i + 1}`));
      assert.ok(remembered.filter((each) => each !== undefined).length < CONTAINERS_MAX / 2);
    });
  });

  describe('limits', () => {
    it('text that is too long is left out, and the container says so', async () => {
      const directory = new ContainerStore();
      const sink = directory.add(source('one'));
      const labels = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`label-${i}`, 'x']));
      await sink.add({ id: A, name: 'n'.repeat(5000), labels });
      assert.equal(infoOf(directory).truncated, true);
      assert.equal(infoOf(directory).name, undefined);
      assert.equal(Object.keys(infoOf(directory).labels ?? {}).length, 512);
      const long = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`label-${i}`, 'x'.repeat(4000)]));
      await sink.add({ id: B, name: 'web', labels: long });
      assert.equal(infoOf(directory, B).truncated, true);
      assert.equal(infoOf(directory, B).name, 'web');
      assert.equal(Object.keys(infoOf(directory, B).labels ?? {}).length, 32);
    });

    it('a label with the name of a prototype is a label', async () => {
      const directory = new ContainerStore();
      const labels = JSON.parse('{"__proto__": "x", "app": 7}') as Record<string, string>;
      await directory.add(source('one')).add({ id: A, labels });
      assert.deepEqual(Object.entries(infoOf(directory).labels ?? {}), [['__proto__', 'x']]);
      assert.equal(infoOf(directory).truncated, undefined);
    });

    it('a container without a proper id is refused', async () => {
      const sink: ContainerSink = new ContainerStore().add(source('one'));
      for (const id of ['', 'x'.repeat(257), 7 as unknown as string]) {
        await assert.rejects(sink.add({ id }), { code: 'CONTAINER_INVALID' });
      }
    });

    it('more containers than fit are refused', async () => {
      const directory = new ContainerStore();
      const sink = directory.add(source('one'));
      for (let i = 0; i < CONTAINERS_MAX; i++) await sink.add({ id: `c${i}` });
      await assert.rejects(sink.add({ id: 'one too many' }), { code: 'CONTAINERS_FULL' });
      sink.remove('c7');
      await sink.add({ id: 'one too many' });
      assert.equal(directory.size, CONTAINERS_MAX);
    });
  });
});
