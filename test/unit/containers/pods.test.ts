/** The path of a cgroup from `cgroupsPath`, and the pod and workload from labels and names. */
import assert from 'node:assert/strict';
import { parseCgroupsPath } from '../../../lib/containers/cgroups-path.js';
import { podFromSandbox, podFromLabels } from '../../../lib/containers/pods.js';

describe('cgroupsPath of a container', () => {
  for (const [text, path] of [
    ['/kubepods/burstable/pod1/abc', '/kubepods/burstable/pod1/abc'],
    [
      'kubepods-burstable-pod1.slice:cri-containerd:abc',
      '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-abc.scope',
    ],
    ['system.slice:docker:abc', '/system.slice/docker-abc.scope'],
    [':docker:abc', '/system.slice/docker-abc.scope'],
    ['-.slice::abc', '/abc.scope'],
    ['relative/abc', undefined],
    [undefined, undefined],
  ] as const) {
    it(`${text} is ${path}`, () => assert.equal(parseCgroupsPath(text), path));
  }
});

describe('the workload of a pod', () => {
  const workloadFor = (name: string, labels: Record<string, string>): unknown => {
    const { workload, workloadKind } = podFromSandbox({ namespace: 'n', name, uid: 'u' }, labels, {});
    return [workload, workloadKind];
  };
  for (const [name, labels, expected] of [
    ['web-5d4f-x7abc', { 'pod-template-hash': '5d4f' }, ['web', 'Deployment']],
    ['bare-1', { 'pod-template-hash': '5d4f' }, ['bare-1', 'Pod']],
    ['db-0', { 'statefulset.kubernetes.io/pod-name': 'db-0' }, ['db', 'StatefulSet']],
    ['agent-x7abc', { 'controller-revision-hash': '1' }, ['agent', 'DaemonSet']],
    ['copy-x7abc', { 'batch.kubernetes.io/job-name': 'copy' }, ['copy', 'Job']],
    ['copy-28000000-x7abc', { 'job-name': 'copy-28000000' }, ['copy', 'CronJob']],
    ['alone', {}, ['alone', 'Pod']],
  ] as const) {
    it(`${name}`, () => assert.deepEqual(workloadFor(name, labels), expected));
  }

  it('labels that the kubelet adds are not labels of the pod', () => {
    const labels = { app: 'x', 'io.kubernetes.pod.name': 'p', 'io.kubernetes.pod.namespace': 'n' };
    assert.deepEqual(podFromSandbox({ namespace: 'n', name: 'p', uid: 'u' }, labels, {}).labels, { app: 'x' });
    assert.deepEqual(podFromLabels(labels), { namespace: 'n', name: 'p' });
    assert.equal(podFromLabels({ app: 'x' }), undefined);
  });
});
