/** PodInfo of the pods of a node: what is written, in which order, how often, and what happens when it is refused. */
import assert from 'node:assert/strict';
import { ApiError } from '../../../lib/kubernetes/client.js';
import { PodInfoWriter, type PodInfoOptions } from '../../../lib/kubernetes/pod-info.js';
import { PodSource, type Pod } from '../../../lib/kubernetes/pods.js';
import { FakeApi, type Call } from './fake-api.js';

interface Body {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly ownerReferences: readonly [{ readonly uid: string }] };
  readonly status: { readonly podIP?: string };
}

const running = (name: string, uid: string, podIP?: string, more: object = {}): Pod => ({
  metadata: { name, namespace: 'shop', uid, ...more },
  spec: { nodeName: 'worker-1' },
  status: { phase: 'Running', ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }) },
});

const bodyOf = ({ body }: Call): Body => body as Body;

describe('kubernetes: PodInfo', () => {
  let api: FakeApi;
  let writer: PodInfoWriter;
  let log: { level: string; message: string; reason?: string }[];

  const start = (options: Partial<PodInfoOptions> = {}): PodInfoWriter => {
    const add =
      (level: string) =>
      (detail: object, message: string): void =>
        void log.push({ level, message, ...detail });
    const parts = { api, log: { info: add('info'), warn: add('warn'), debug: add('debug') }, nodes: () => 1 };
    return new PodInfoWriter({ ...parts, paceMs: { min: 0, max: 0 }, retryMs: 1, ...options });
  };
  const written = (): string[] =>
    api.calls.map((call) => `${bodyOf(call).metadata.name} ${bodyOf(call).status.podIP ?? '-'}`);
  const messages = (...levels: string[]): string[] =>
    log.filter(({ level }) => levels.includes(level)).map(({ message }) => message);

  beforeEach(() => {
    api = new FakeApi();
    log = [];
    writer = start();
    writer.setConnection(undefined);
  });
  afterEach(() => writer.stop());

  it('has the node, the addresses and the workload, and belongs to its pod', async () => {
    const controller = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d4b9', controller: true };
    writer.set({
      metadata: {
        name: 'web-7d4b9-x',
        namespace: 'shop',
        uid: 'u1',
        labels: { 'pod-template-hash': '7d4b9' },
        ownerReferences: [controller],
      },
      spec: { nodeName: 'worker-1', hostNetwork: true },
      status: { phase: 'Running', podIP: '10.0.0.7', podIPs: [{ ip: '10.0.0.7' }, { ip: 'fd00::7' }] },
    });
    await api.waitUntil(() => api.calls.length === 1);
    const [call] = api.calls as [Call];
    assert.deepEqual([call.method, call.path], ['PATCH', '/apis/cilium.io/v1alpha1/namespaces/shop/podinfo/web-7d4b9-x']); // prettier-ignore
    assert.deepEqual(call.query, { fieldManager: 'polytrace-pod-info', force: 'true' });
    assert.equal(call.contentType, 'application/apply-patch+yaml');
    assert.deepEqual(call.body, {
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'PodInfo',
      metadata: {
        name: 'web-7d4b9-x',
        namespace: 'shop',
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'web-7d4b9-x', uid: 'u1' }],
      },
      spec: { hostNetwork: true, nodeName: 'worker-1' },
      status: { podIP: '10.0.0.7', podIPs: [{ IP: '10.0.0.7' }, { IP: 'fd00::7' }] },
      workloadType: { kind: 'Deployment', apiVersion: 'apps/v1' },
      workloadObject: { name: 'web', namespace: 'shop' },
    });
  });

  it('has the version of a CronJob, and a pod without a controller is its own workload', async () => {
    const controller = { apiVersion: 'batch/v1', kind: 'Job', name: 'backup-27645120', controller: true };
    writer.set(running('backup-27645120-x', 'u1', '10.0.0.1', { ownerReferences: [controller] }));
    writer.set(running('bare', 'u2', '10.0.0.2'));
    await api.waitUntil(() => api.calls.length === 2);
    const workloads = api.calls.map(({ body }) => {
      const { workloadType, workloadObject } = body as { workloadType: object; workloadObject: object };
      return { ...workloadType, ...workloadObject };
    });
    assert.deepEqual(workloads, [
      { kind: 'CronJob', apiVersion: 'batch/v1', name: 'backup', namespace: 'shop' },
      { kind: 'Pod', apiVersion: 'v1', name: 'bare', namespace: 'shop' },
    ]);
  });

  it('follows the addresses, also when the pod loses them, and writes nothing twice', async () => {
    const pending: Pod = { ...running('a', 'u1'), status: { phase: 'Pending' } };
    writer.set(pending);
    writer.set(running('a', 'u1', '10.0.0.1'));
    await api.waitUntil(() => api.calls.length === 1);
    writer.set(running('a', 'u1', '10.0.0.1', { labels: { changed: 'yes' } }));
    writer.set(running('a', 'u1'));
    await api.waitUntil(() => api.calls.length === 2);
    writer.set(running('a', 'u1', '10.0.0.2'));
    await api.waitUntil(() => api.calls.length === 3);
    assert.deepEqual(written(), ['a 10.0.0.1', 'a -', 'a 10.0.0.2']);
  });

  it('is written once for many changes, with the newest state', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const call = api.call.bind(api);
    api.call = async <T>(...args: Parameters<typeof call>): Promise<T> => {
      const answer = call<T>(...args);
      await gate;
      return answer;
    };
    writer.set(running('a', 'u1', '10.0.0.1'));
    for (let i = 2; i <= 50; i++) writer.set(running('a', 'u1', `10.0.0.${i}`));
    writer.set(running('b', 'u2', '10.0.0.1'));
    release();
    await api.waitUntil(() => api.calls.length === 3);
    assert.deepEqual(written(), ['a 10.0.0.1', 'a 10.0.0.50', 'b 10.0.0.1']);
  });

  it('is written at a limited rate, which the size of the cluster slows down', async () => {
    await writer.stop();
    for (const [nodes, least] of [
      [1, 10],
      [1000, 40],
    ] as const) {
      api.calls.length = 0;
      const times: number[] = [];
      api.answer = () => (times.push(performance.now()), {});
      writer = start({ nodes: () => nodes, paceMs: { min: 10, max: 40 } });
      writer.replaceAll([1, 2, 3, 4].map((i) => running(`p${i}`, `u${i}`, '10.0.0.1')));
      await api.waitUntil(() => api.calls.length === 4);
      // a timer of Node.js can end one millisecond early
      for (let i = 1; i < 4; i++) assert.ok((times[i] as number) - (times[i - 1] as number) >= least - 1);
      await writer.stop();
    }
  });

  it('gets the next pod of its name as owner, and nothing more is written for the earlier one', async () => {
    api.answer = () => new ApiError(503, '', '503: busy');
    writer.set(running('db-0', 'u1', '10.0.0.1'));
    await api.waitUntil(() => api.calls.length === 1);
    writer.set(running('db-0', 'u1', '10.0.0.1', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    const before = api.calls.length;
    api.answer = () => ({});
    writer.remove(running('db-0', 'u1'));
    writer.set(running('db-0', 'u2', '10.0.0.2'));
    await api.waitUntil(() => api.calls.length > before);
    const owners = api.calls.slice(before).map((call) => bodyOf(call).metadata.ownerReferences[0].uid);
    assert.deepEqual(owners, ['u2']);
  });

  it('is not written while changes do not arrive, because the known state can be old', async () => {
    writer.setConnection(new Error('refused'));
    writer.set(running('a', 'u1', '10.0.0.1'));
    writer.set(running('b', 'u2', '10.0.0.2'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(written(), []);
    writer.replaceAll([running('b', 'u2', '10.0.0.3')]);
    await api.waitUntil(() => api.calls.length === 1);
    assert.deepEqual(written(), ['b 10.0.0.3']);
  });

  for (const [title, error, says] of [
    ['the right is missing', new ApiError(403, 'Forbidden', '403: cannot patch'), /allow the agent to create and patch podinfo/], // prettier-ignore
    ['the definition is missing', new ApiError(404, 'NotFound', '404: page not found'), /run `polytrace agent install-crds`/], // prettier-ignore
    ['the definition of another program refuses it', new ApiError(422, 'Invalid', '422: spec.x'), /cannot be written$/],
  ] as const) {
    it(`warns once and goes on trying when ${title}`, async () => {
      api.answer = () => error;
      for (const i of [1, 2, 3]) writer.set(running(`p${i}`, `u${i}`, `10.0.0.${i}`));
      await api.waitUntil(() => api.calls.length >= 9);
      const warnings = messages('warn');
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] as string, says);
      api.answer = () => ({});
      const before = api.calls.length;
      await api.waitUntil(() => new Set(api.calls.slice(before).map(({ path }) => path)).size === 3);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(messages('info'), ['PodInfo objects are written again']);
      api.answer = () => error;
      writer.set(running('p1', 'u1', '10.0.1.1'));
      await api.waitUntil(() => messages('warn').length === 2);
    });
  }

  it('does not warn about a busy server or a namespace that ends', async () => {
    const answers = [
      new ApiError(429, '', '429: too many requests', 0),
      new Error('socket hang up'),
      new ApiError(403, 'Forbidden', '403: podinfo "a" is forbidden: unable to create new content in namespace shop because it is being terminated'), // prettier-ignore
      new ApiError(404, 'NotFound', '404: namespaces "shop" not found'),
    ];
    api.answer = () => answers.shift() ?? {};
    writer.set(running('a', 'u1', '10.0.0.1'));
    await api.waitUntil(() => api.calls.length === 5);
    assert.deepEqual(messages('warn', 'info'), []);
    assert.equal(messages('debug').length, 4);
  });

  it('warns about a server that refuses it again and again', async () => {
    api.answer = () => new ApiError(500, '', '500: broken');
    writer.set(running('a', 'u1', '10.0.0.1'));
    await api.waitUntil(() => api.calls.length === 4);
    assert.deepEqual(messages('warn'), ['PodInfo objects cannot be written']);
  });

  it('is written again after some time, because somebody can have deleted it', async () => {
    await writer.stop();
    writer = start({ resyncMs: 5 });
    writer.replaceAll([running('a', 'u1', '10.0.0.1')]);
    await api.waitUntil(() => api.calls.length === 3);
    assert.deepEqual(new Set(written()), new Set(['a 10.0.0.1']));
  });

  it('ends with the agent: a write that waits for its answer is given up', async () => {
    api.call = (_method, _path, { signal } = {}) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    writer.set(running('a', 'u1', '10.0.0.1'));
    await writer.stop();
    assert.deepEqual(log, []);
  });

  it('comes from the pods that the agent follows', async () => {
    api.answer = ({ method }) =>
      method === 'GET' ? { metadata: { resourceVersion: '1' }, items: [running('a', 'u1', '10.0.0.1')] } : {};
    const source = new PodSource(api, 'worker-1', { follower: writer });
    await source.start({ add: () => Promise.resolve(), remove: () => undefined, state: () => undefined });
    await api.waitUntil(() => api.streams.length === 1);
    const patches = (): string[] => {
      const calls = api.calls.filter(({ method }) => method === 'PATCH');
      return calls.map((call) => `${bodyOf(call).metadata.name} ${bodyOf(call).status.podIP ?? '-'}`);
    };
    await api.waitUntil(() => patches().length === 1);
    const change = (type: string, pod: Pod): void => {
      const object = { ...pod, metadata: { ...pod.metadata, resourceVersion: '2' } };
      api.streams[0]?.push({ type, object });
    };
    change('MODIFIED', running('a', 'u1', '10.0.0.2'));
    await api.waitUntil(() => patches().length === 2);
    change('DELETED', running('a', 'u1', '10.0.0.2'));
    change('ADDED', running('b', 'u2', '10.0.0.2'));
    await api.waitUntil(() => patches().length === 3);
    assert.deepEqual(patches(), ['a 10.0.0.1', 'a 10.0.0.2', 'b 10.0.0.2']);
    await source.stop();
  });
});
