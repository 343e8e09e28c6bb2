/** The uprobes in containers: which containers get which hooks, over fakes of files and hooks. */
import assert from 'node:assert/strict';
import type { ContainerInfo } from '../../../types/containers.js';
import type { CompiledHook, CompiledPolicy } from '../../../lib/compiled/compiled-policy.js';
import type { KnownContainer } from '../../../lib/containers/container-store.js';
import { compilePolicy } from '../../../lib/policy/index.js';
import {
  CONTAINER_FILES_MAX,
  ContainerUprobes,
  PolicyUprobes,
  type OpenFile,
} from '../../../lib/tracer/container-uprobes.js';
import { policyYaml } from '../policy/marked-policies.js';

const container = (id: string, more: Partial<ContainerInfo> = {}): KnownContainer => ({
  info: { id, name: `name-${id}`, cgroupPath: `/c/${id}`, ...more },
  cgroupId: 1n,
  isReported: true,
});

function compileUprobe(selector = ''): CompiledPolicy {
  return compilePolicy(
    policyYaml(`${selector}uprobes: [{path: /bin/a, resolvePathInContainer: true, symbols: [main]}]`),
  );
}

/** A tracer with these containers. `open` says what is at the path in a container; default: one file for all of them. */
class FakeTracer {
  readonly known = new Map<string, KnownContainer>();
  readonly opened: string[] = [];
  readonly log: string[] = [];
  states = new Map<string, string[]>();
  readonly uprobes: ContainerUprobes;

  constructor(...containers: readonly KnownContainer[]) {
    for (const each of containers) this.known.set(each.info.id, each);
    this.uprobes = new ContainerUprobes({
      containers: { containers: () => [...this.known.values()], get: (id) => this.known.get(id) },
      mount: '/sys/fs/cgroup',
      isWatching: true,
      change: (run) => run(),
      openFile: this.#open,
    });
  }

  readonly #open: OpenFile = async ({ folder, path }, file, use) => {
    assert.equal(folder, `/sys/fs/cgroup${path}`);
    this.opened.push(`${path} ${file}`);
    const id = path.slice('/c/'.length);
    const state = this.states.get(id)?.shift() ?? 'shared';
    if (state === 'waiting' || state === 'missing' || state === 'silent') return state;
    await use('/proc/self/fd/9', state);
    return 'found';
  };

  policy(compiled: CompiledPolicy, fails?: Error): PolicyUprobes {
    return new PolicyUprobes(compiled, (hook: CompiledHook, file: string) => {
      if (fails !== undefined) return Promise.reject(fails);
      this.log.push(`attach ${hook.call} ${file}`);
      return Promise.resolve({ detach: () => Promise.resolve(void this.log.push('detach')) });
    });
  }

  change(each: KnownContainer): Promise<void> | void {
    this.known.set(each.info.id, each);
    return this.uprobes.onChanged(each);
  }

  async remove(id: string): Promise<void> {
    const each = this.known.get(id);
    this.known.delete(id);
    if (each !== undefined) this.uprobes.onRemoved(each);
    await new Promise(setImmediate);
  }
}

describe('uprobes in containers', () => {
  it('one hook for each file, until its last container is removed', async () => {
    const tracer = new FakeTracer(container('a'), container('b'));
    const policy = tracer.policy(compileUprobe());
    await tracer.uprobes.add(policy);
    tracer.states.set('c', ['other']);
    await tracer.change(container('c'));
    assert.deepEqual(tracer.log, ['attach main /proc/self/fd/9', 'attach main /proc/self/fd/9']);
    assert.deepEqual(policy.status(), { containers: 3, files: 2, waiting: 0, missing: 0, failed: 0 });
    tracer.log.length = 0;
    await tracer.remove('a');
    assert.deepEqual(tracer.log, []);
    await tracer.remove('b');
    assert.deepEqual(tracer.log, ['detach']);
    assert.deepEqual(policy.status(), { containers: 1, files: 1, waiting: 0, missing: 0, failed: 0 });
  });

  it('a container that is being made is tried again, and its report waits', async () => {
    const tracer = new FakeTracer();
    const policy = tracer.policy(compileUprobe());
    await tracer.uprobes.add(policy);
    tracer.states.set('a', ['waiting', 'waiting', 'x']);
    const changed = tracer.change(container('a'));
    await new Promise(setImmediate);
    assert.equal(policy.status().waiting, 1);
    await changed;
    assert.equal(tracer.opened.length, 3);
    assert.deepEqual(policy.status(), { containers: 1, files: 1, waiting: 0, missing: 0, failed: 0 });
  });

  it('without a cgroup nothing waits: the runtime has not made it yet', async () => {
    const tracer = new FakeTracer();
    await tracer.uprobes.add(tracer.policy(compileUprobe()));
    assert.equal(tracer.change({ ...container('a'), cgroupId: 0n }), undefined);
    assert.deepEqual(tracer.opened, []);
  });

  it('only in the containers of the scope, also after it has changed', async () => {
    const tracer = new FakeTracer(container('a', { name: 'web' }), container('b', { name: 'db' }));
    const scoped = compileUprobe('containerSelector: {matchLabels: {name: web}}\n');
    const policy = tracer.policy(scoped);
    await tracer.uprobes.add(policy);
    assert.deepEqual(tracer.opened, ['/c/a /bin/a']);
    await tracer.change(container('a', { name: 'renamed' }));
    assert.deepEqual(tracer.log, ['attach main /proc/self/fd/9', 'detach']);
    assert.equal(policy.status().containers, 0);
  });

  it('a removed policy is not attached any more', async () => {
    const tracer = new FakeTracer();
    const policy = tracer.policy(compileUprobe());
    await tracer.uprobes.add(policy);
    tracer.uprobes.remove(policy);
    await tracer.change(container('a'));
    assert.deepEqual(tracer.opened, []);
  });

  it('errors are counted, and the first one of a policy is a warning', async () => {
    const tracer = new FakeTracer(container('a'), container('b'), container('c'));
    tracer.states.set('b', ['silent']);
    tracer.states.set('c', ['missing']);
    const policy = tracer.policy(compileUprobe(), new Error('no such symbol'));
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await tracer.uprobes.add(policy);
    assert.match((await warned).message, /container name-a: no such symbol/);
    const error = 'no such symbol';
    assert.deepEqual(policy.status(), { containers: 0, files: 0, waiting: 0, missing: 1, failed: 2, error });
  });

  it('no policy has more than the limit of files', async () => {
    const all = Array.from({ length: CONTAINER_FILES_MAX + 2 }, (_, i) => container(String(i)));
    const tracer = new FakeTracer(...all);
    for (const { info } of all) tracer.states.set(info.id, [`file ${info.id}`]);
    const policy = tracer.policy(compileUprobe());
    await tracer.uprobes.add(policy);
    const { files, failed, error } = policy.status();
    assert.deepEqual([files, failed], [CONTAINER_FILES_MAX, 2]);
    assert.match(error ?? '', /128 files/);
  });

  it('closing ends the tries', async () => {
    const tracer = new FakeTracer();
    await tracer.uprobes.add(tracer.policy(compileUprobe()));
    tracer.states.set('a', Array<string>(100).fill('waiting'));
    const changed = tracer.change(container('a'));
    tracer.uprobes.close();
    await changed;
    assert.ok(tracer.opened.length < 3);
  });
});
