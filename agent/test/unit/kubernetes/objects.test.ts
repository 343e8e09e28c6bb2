/** Pods and policies of the API: containers, workloads, and the paths of errors. */
import assert from 'node:assert/strict';
import { parsePolicy } from 'polytrace';
import { formatDiagnostics, findUnsafeNumber } from '../../../lib/kubernetes/object-paths.js';
import { toContainers, PodSource, type Pod } from '../../../lib/kubernetes/pods.js';
import { podWorkload } from '../../../lib/kubernetes/workload.js';
import { FakeApi } from './fake-api.js';

const owner = (kind: string, name: string): { kind: string; name: string; controller: boolean } => ({
  kind,
  name,
  controller: true,
});

describe('kubernetes: workloads', () => {
  for (const [title, metadata, expected] of [
    ['a bare pod', { name: 'xwing' }, ['xwing', 'Pod']],
    ['an owner that is no controller', { name: 'a', ownerReferences: [{ kind: 'Node', name: 'n' }] }, ['a', 'Pod']],
    [
      'a Deployment',
      {
        name: 'web-7d4b9-x',
        labels: { 'pod-template-hash': '7d4b9' },
        ownerReferences: [owner('ReplicaSet', 'web-7d4b9')],
      },
      ['web', 'Deployment'],
    ],
    [
      'a ReplicaSet of its own',
      { name: 'web-x', ownerReferences: [owner('ReplicaSet', 'web-7d4b9')] },
      ['web-7d4b9', 'ReplicaSet'],
    ],
    ['a CronJob', { name: 'n', ownerReferences: [owner('Job', 'backup-27645120')] }, ['backup', 'CronJob']],
    ['a Job', { name: 'n', ownerReferences: [owner('Job', 'import-2')] }, ['import-2', 'Job']],
    ['a StatefulSet', { name: 'db-0', ownerReferences: [owner('StatefulSet', 'db')] }, ['db', 'StatefulSet']],
    ['a kind of another group', { name: 'n', ownerReferences: [owner('Rollout', 'shop')] }, ['shop', 'Rollout']],
  ] as const) {
    it(title, () => {
      const { workload, workloadKind } = podWorkload(metadata);
      assert.deepEqual([workload, workloadKind], expected);
    });
  }
});

const pod: Pod = {
  metadata: { name: 'xwing', namespace: 'default', uid: 'u1', labels: { class: 'xwing' }, annotations: { a: 'b' } },
  status: {
    initContainerStatuses: [{ name: 'init', containerID: 'containerd://aa', state: { terminated: {} } }],
    containerStatuses: [
      {
        name: 'main',
        containerID: 'containerd://bb',
        image: 'i:1',
        imageID: 'i@sha256:1',
        state: { running: { startedAt: 'T' } },
      },
      { name: 'waiting' },
      { name: 'odd', containerID: 'no id' },
    ],
    ephemeralContainerStatuses: [{ name: 'debug', containerID: 'cri-o://cc', state: { running: {} } }],
  },
};

describe('kubernetes: pods', () => {
  it('have the containers that exist and have not ended', () => {
    const [main, debug, ...rest] = toContainers(pod, false);
    assert.deepEqual(rest, []);
    assert.deepEqual(main, {
      id: 'bb',
      runtime: 'containerd',
      name: 'main',
      image: { name: 'i:1', id: 'i@sha256:1' },
      startTime: 'T',
      pod: {
        namespace: 'default',
        name: 'xwing',
        uid: 'u1',
        labels: { class: 'xwing' },
        workload: 'xwing',
        workloadKind: 'Pod',
      },
    });
    assert.deepEqual([debug?.id, debug?.runtime, debug?.name], ['cc', 'cri-o', 'debug']);
  });

  it('have the commands of exec probes, not those of others', () => {
    const probes = {
      livenessProbe: { exec: { command: ['cat', '/alive'] } },
      readinessProbe: { httpGet: { path: '/' } },
      startupProbe: { exec: { command: ['/bin/started'] } },
    };
    const containers = [
      { name: 'other', livenessProbe: { exec: { command: ['x'] } } },
      { name: 'main', ...probes },
    ];
    const spec = { containers } as NonNullable<Pod['spec']>;
    const [main, debug] = toContainers({ ...pod, spec }, false);
    assert.deepEqual([main?.execProbes, debug?.execProbes], [[['cat', '/alive'], ['/bin/started']], undefined]);
  });

  it('have annotations only when they are wanted', () => {
    assert.deepEqual(toContainers(pod, true)[0]?.pod?.annotations, { a: 'b' });
  });

  it('are followed: labels, ended containers, removed pods', async () => {
    const api = new FakeApi();
    api.answer = () => ({ metadata: { resourceVersion: '1' }, items: [pod] });
    const source = new PodSource(api, 'n1');
    const calls: string[] = [];
    await source.start({
      add: (info) => Promise.resolve(void calls.push(`add ${info.id} ${info.pod?.labels?.['class']}`)),
      remove: (id) => void calls.push(`remove ${id}`),
      state: () => undefined,
    });
    assert.equal(api.calls[0]?.query?.['fieldSelector'], 'spec.nodeName=n1');
    await api.waitUntil(() => api.streams.length === 1);
    const { containerStatuses = [] } = pod.status ?? {};
    const metadata = { ...pod.metadata, resourceVersion: '2', labels: { class: 'tie' } };
    const changed = { metadata, status: { containerStatuses } };
    api.streams[0]?.push({ type: 'MODIFIED', object: changed });
    api.streams[0]?.push({ type: 'DELETED', object: changed });
    api.streams[0]?.end();
    await api.waitUntil(() => api.streams.length === 2);
    await source.stop();
    assert.deepEqual(calls, ['add bb xwing', 'add cc xwing', 'remove cc', 'add bb tie', 'remove bb']);
  });
});

describe('kubernetes: paths of errors', () => {
  const formatError = (spec: object): string | undefined => {
    const text = JSON.stringify({
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'TracingPolicy',
      metadata: { name: 'p' },
      spec,
    });
    try {
      parsePolicy(text);
    } catch (error) {
      return formatDiagnostics(error, text);
    }
    return undefined;
  };

  it('are paths', () => {
    assert.match(
      formatError({
        kprobes: [
          { call: 'f', syscall: false },
          { call: 'g', syscall: false, args: [{ index: 0, typ: 'int' }] },
        ],
      }) ?? '',
      /^spec\.kprobes\[1\]\.args\[0\]\.typ: UNKNOWN_FIELD: .*did you mean "type"/,
    );
    assert.match(formatError({ kprobes: [{ syscall: false }] }) ?? '', /^spec\.kprobes\[0\]: MISSING_FIELD: /);
  });

  it('are at most five', () => {
    const fields = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`field${i}`, 1]));
    const lines = formatError({ kprobes: [{ call: 'f', syscall: false, ...fields }] })?.split('\n') ?? [];
    assert.equal(lines.length, 6);
    assert.match(lines[5] ?? '', /^and 4 more$/);
  });

  it('are none for errors of another kind', () => {
    assert.equal(formatDiagnostics(new Error('x'), '{}'), undefined);
  });

  it('numbers that JavaScript cannot hold are found', () => {
    assert.equal(findUnsafeNumber({ uprobes: [{ offsets: [1, 2 ** 60] }] }, 'spec'), 'spec.uprobes[0].offsets[1]');
    assert.equal(findUnsafeNumber({ a: [1.5, 2 ** 53 - 1, 'x', null] }, 'spec'), undefined);
  });
});
