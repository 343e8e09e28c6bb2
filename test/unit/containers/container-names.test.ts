/** Events that wait for the names of containers, and the container and pod of a process. */
import assert from 'node:assert/strict';
import { ContainerStore } from '../../../lib/containers/container-store.js';
import { ContainerNames, selectPod } from '../../../lib/containers/container-names.js';
import type { ContainerSink } from '../../../types/containers.js';
import type { Container } from '../../../types/events.js';

const A = 'a'.repeat(64);
const DOCKER: Container = { id: A, runtime: 'docker' };

describe('names of containers', () => {
  let store: ContainerStore;
  let sink: ContainerSink;
  let names: ContainerNames;
  const lookups: string[] = [];
  let named = 0;
  /** A process that began this many milliseconds ago. */
  const findForProcess = (container: Container, ago = 0): unknown =>
    names.findOrAwait(container, 0n, () => Date.now() - ago);

  beforeEach(() => {
    store = new ContainerStore();
    lookups.length = named = 0;
    sink = store.add({
      name: 'docker',
      runtimes: ['docker'],
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      find: (id) => {
        lookups.push(id);
        return Promise.resolve();
      },
    });
    sink.state(true);
    names = new ContainerNames(store, 500);
    names.onDone = () => void named++;
  });

  it('events of a known container do not wait; all its processes have the same object', async () => {
    await sink.add({ id: A, name: 'web', pod: { namespace: 'n', name: 'p' } });
    const first = names.findOrAwait(DOCKER, 0n, () => Date.now());
    assert.equal(names.isWaiting, false);
    assert.deepEqual(first?.container, { id: A, runtime: 'docker', name: 'web' });
    assert.deepEqual(first?.pod, { namespace: 'n', name: 'p', container: { id: A, runtime: 'docker', name: 'web' } });
    assert.equal(names.find(DOCKER), first);
    await sink.add({ id: A, name: 'renamed' });
    assert.equal(names.find(DOCKER)?.container.name, 'renamed');
    sink.remove(A);
    assert.equal(names.find(DOCKER)?.container.name, 'renamed', 'its last events are still to be read');
  });

  it('a name is pending until a source with names reports the container, or has had the time for it', async () => {
    assert.equal(names.isPending(DOCKER), true);
    assert.equal(names.isPending({ id: A, runtime: 'podman' }), false);
    assert.equal(names.isPending({ ...DOCKER, owner: 1000 }), false);
    findForProcess(DOCKER, 500);
    names.remainingWaitMs();
    assert.equal(names.isPending(DOCKER), false);
    await sink.add({ id: A, name: 'web' });
    assert.equal(names.isPending(DOCKER), false);
  });

  it('a container of which only the cgroup is known is not known: its events wait for a source with names', async () => {
    const cgroups = store.add({ name: 'cgroups', start: () => Promise.resolve(), stop: () => Promise.resolve() }, true);
    cgroups.state(true);
    await cgroups.add({ id: A, runtime: 'docker', cgroupPath: `/docker-${A}.scope` });
    assert.equal(findForProcess(DOCKER), undefined);
    assert.deepEqual([names.isWaiting, lookups], [true, [A]]);
    // the source knows no more than the cgroup
    await sink.add({ id: A, runtime: 'docker', cgroupPath: `/docker-${A}.scope` });
    assert.deepEqual([names.isWaiting, named], [false, 1]);
    await sink.add({ id: A, name: 'web' });
    assert.equal(names.findOrAwait(DOCKER, 0n, () => Date.now())?.container.name, 'web');
  });

  it('without a source with names, or after the wait, such a container is as its cgroup says', async () => {
    const cgroups = store.add({ name: 'cgroups', start: () => Promise.resolve(), stop: () => Promise.resolve() }, true);
    await cgroups.add({ id: A, runtime: 'docker', cgroupPath: `/docker-${A}.scope` });
    sink.state(false);
    assert.notEqual(findForProcess(DOCKER), undefined);
    assert.equal(names.isWaiting, false);
    sink.state(true);
    assert.equal(findForProcess(DOCKER), undefined);
    names.stopWaiting();
    assert.deepEqual(names.find(DOCKER)?.container, DOCKER);
    assert.notEqual(findForProcess(DOCKER), undefined);
    assert.deepEqual(names.counts, { waited: 1, unknown: 1 });
  });

  it('events of an unknown container wait until a source reports it, and the source is asked once', async () => {
    assert.equal(findForProcess(DOCKER), undefined);
    findForProcess(DOCKER);
    assert.deepEqual(lookups, [A]);
    assert.ok(names.isWaiting && names.remainingWaitMs() > 400);
    await sink.add({ id: A, name: 'web' });
    assert.deepEqual([names.isWaiting, named], [false, 1]);
    assert.deepEqual(names.counts, { waited: 1, unknown: 0 });
  });

  it('the wait ends a bounded time after the event, and happens once for each container', () => {
    findForProcess(DOCKER, 400);
    assert.ok(names.remainingWaitMs() <= 100);
    findForProcess({ ...DOCKER, id: 'b'.repeat(64) }, 600);
    assert.ok(names.remainingWaitMs() <= 100);
    assert.deepEqual(names.counts, { waited: 2, unknown: 1 });
    findForProcess({ ...DOCKER, id: 'b'.repeat(64) });
    assert.deepEqual(names.counts, { waited: 2, unknown: 1 });
    names.stopWaiting();
    assert.deepEqual([names.isWaiting, names.remainingWaitMs(), names.counts.unknown], [false, 0, 2]);
  });

  it('the wait is not longer when the clock is set back', () => {
    names.findOrAwait(DOCKER, 0n, () => Date.now() + 3_600_000);
    assert.ok(names.remainingWaitMs() <= 500);
  });

  it('the wait does not change when the clock is set during it', () => {
    const real = Date.now;
    try {
      for (const [i, step] of [-3_600_000, 3_600_000].entries()) {
        findForProcess({ ...DOCKER, id: String(i).repeat(64) });
        Date.now = () => real() + step;
        assert.ok(names.remainingWaitMs() > 250 && names.remainingWaitMs() <= 500);
        Date.now = real;
      }
    } finally {
      Date.now = real;
    }
  });

  it('a process with the command of an exec probe may be that probe', async () => {
    const execProbes = [['cat', '/ready'], ['/bin/check', '-a', 'b c'], ['bin/run']];
    await sink.add({ id: A, name: 'web', pod: { namespace: 'n', name: 'p' }, execProbes });
    const isProbe = (binary: string, ...argv: string[]): boolean => {
      const pod = selectPod(names.find(DOCKER), { binary, argv });
      assert.deepEqual([pod?.name, pod?.container?.name], ['p', 'web']);
      return pod?.container?.maybeExecProbe === true;
    };
    assert.ok(isProbe('/usr/bin/cat', '/ready') && isProbe('/bin/check', '-a', 'b c') && isProbe('/app/bin/run'));
    assert.ok(
      !isProbe('/usr/bin/cat') && !isProbe('/usr/bin/cat', '/ready', 'x') && !isProbe('/usr/bin/cat', '/other'),
    );
    assert.ok(!isProbe('/tmp/check', '-a', 'b c') && !isProbe('/bin/check', '-a', 'b', 'c') && !isProbe('/bin/sh'));
    await sink.add({ id: A, name: 'web', pod: { namespace: 'n', name: 'p' } });
    assert.ok(!isProbe('/usr/bin/cat', '/ready'), 'the probes are known no longer');
    assert.equal(selectPod(undefined, { binary: '/bin/x', argv: [] }), undefined);
  });

  it('no event waits for a container that no connected source can report', () => {
    findForProcess({ id: A, runtime: 'podman' });
    assert.equal(names.isWaiting, false);
    findForProcess({ ...DOCKER, owner: 1000 });
    assert.equal(names.isWaiting, false);
    sink.state(false);
    findForProcess(DOCKER);
    assert.equal(names.isWaiting, false);
  });

  it('a cgroup of an unprivileged user has no names of a container of root', async () => {
    await sink.add({ id: A, name: 'web' });
    assert.equal(names.find({ ...DOCKER, owner: 1000 }), undefined);
    await sink.add({ id: A, name: 'own', cgroupPath: `/user.slice/user@1000.service/docker-${A}.scope` });
    assert.equal(names.find({ ...DOCKER, owner: 1000 })?.container.name, 'own');
    assert.equal(names.find(DOCKER), undefined);
  });
});
