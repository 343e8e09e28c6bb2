/**
 * PodInfo in a real API server: the agent without and with the rights of the chart, pods whose addresses change, and
 * pods that are replaced. There is no kubelet: the test sets the status of the pods.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readProjectFile } from '../project.js';
import { ClusterAgent } from './agent.js';
import { renderChart } from './chart.js';
import { Cluster, eventually, NODE } from './cluster.js';
import { needsGo } from './go.js';
import { needsCluster, needsTracefs, ROOT } from './support.js';

const DEPLOY = join(ROOT, 'deploy/kubernetes');
const PODS = '/api/v1/namespaces/default/pods';
const PODINFO = '/apis/cilium.io/v1alpha1/namespaces/default/podinfo';

interface PodInfo {
  readonly metadata: { readonly ownerReferences: readonly object[] };
  readonly status: object;
}

describe('PodInfo in a cluster', function () {
  // the first rendering of the chart builds a program
  this.timeout(240_000);
  let cluster: Cluster;
  let agent: ClusterAgent;
  let role: object;
  before(needsCluster);
  before(needsTracefs);
  before(needsGo);
  before(async () => {
    role = (await renderChart({ tetragon: { enablePodInfo: true } })).get('cluster-role.yaml') as object;
    cluster = await Cluster.start({ withNode: false });
    await cluster.applyCrds(join(DEPLOY, 'crds'));
    await cluster.kubectl('apply', '-k', join(DEPLOY, 'agent'));
    await cluster.request('POST', '/api/v1/nodes', { metadata: { name: NODE } });
    const kubeconfig = await cluster.serviceAccountConfig('kube-system', 'polytrace');
    agent = await ClusterAgent.start(cluster, { kubeconfig, args: ['--enable-pod-info'] });
  });
  after(async () => {
    await agent?.stop('SIGKILL');
    await cluster?.stop();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(`${agent?.log.join('\n')}\n${cluster?.logs()}`);
  });

  /** Returns the uid of the new pod. */
  async function createPod(name: string, metadata: object = {}): Promise<string> {
    const containers = [{ name: 'main', image: 'test.invalid/none:1' }];
    const spec = { nodeName: NODE, containers, automountServiceAccountToken: false };
    const pod = { metadata: { name, ...metadata }, spec };
    const created = await cluster.request<{ metadata: { uid: string } }>('POST', PODS, pod);
    return created.metadata.uid;
  }

  const setAddresses = (name: string, ...addresses: string[]): Promise<unknown> => {
    const status = { phase: 'Running', podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) };
    return cluster.request('PATCH', `${PODS}/${name}/status`, { status }, 'application/merge-patch+json');
  };
  const deletePod = (name: string): Promise<unknown> =>
    cluster.request('DELETE', `${PODS}/${name}?gracePeriodSeconds=0`);
  const getPodInfo = (name: string): Promise<PodInfo> => cluster.request('GET', `${PODINFO}/${name}`);
  const waitForStatus = (name: string, ...addresses: string[]): Promise<PodInfo> =>
    eventually(`${name} has ${addresses.join()}`, async () => {
      const found = await getPodInfo(name);
      assert.deepEqual(found.status, { podIP: addresses[0], podIPs: addresses.map((IP) => ({ IP })) });
      return found;
    });

  it('an agent without the right warns once and names the remedy', async () => {
    await createPod('first');
    await setAddresses('first', '10.1.0.1');
    await agent.waitForLog('PodInfo objects cannot be written');
    const warnings = agent.log.filter((line) => line.includes('PodInfo objects'));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] as string, /allow the agent to create and patch podinfo.*tetragon\.enablePodInfo/);
    assert.match(warnings[0] as string, /podinfo\.cilium\.io \\"first\\" is forbidden/);
  });

  it('it writes them when it gets the rights of the chart', async () => {
    await cluster.apply(role);
    await waitForStatus('first', '10.1.0.1');
    await agent.waitForLog('PodInfo objects are written again');
  });

  it('a pod has its node, its addresses and its workload', async () => {
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d4b9', uid: 'none', controller: true };
    const uid = await createPod('web-7d4b9-x', { labels: { 'pod-template-hash': '7d4b9' }, ownerReferences: [owner] });
    await setAddresses('web-7d4b9-x', '10.1.0.2', 'fd00::2');
    const { metadata, ...rest } = await waitForStatus('web-7d4b9-x', '10.1.0.2', 'fd00::2');
    assert.deepEqual(metadata.ownerReferences, [{ apiVersion: 'v1', kind: 'Pod', name: 'web-7d4b9-x', uid }]);
    assert.deepEqual(rest, {
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'PodInfo',
      spec: { hostNetwork: false, nodeName: NODE },
      status: { podIP: '10.1.0.2', podIPs: [{ IP: '10.1.0.2' }, { IP: 'fd00::2' }] },
      workloadType: { kind: 'Deployment', apiVersion: 'apps/v1' },
      workloadObject: { name: 'web', namespace: 'default' },
    });
    const printed = await cluster.kubectl('get', 'podinfo');
    const lines = printed.split('\n').filter((line) => /^(NAME|web)/.test(line));
    assert.ok(readProjectFile('docs/kubernetes.md').includes(`\`\`\`text\n${lines.join('\n')}\n`), printed);
  });

  it('it follows the addresses of its pod', async () => {
    await setAddresses('first', '10.1.0.3');
    await waitForStatus('first', '10.1.0.3');
  });

  it('the next pod of the same name becomes the only owner', async () => {
    await deletePod('first');
    const uid = await createPod('first');
    await setAddresses('first', '10.1.0.4');
    const { metadata } = await waitForStatus('first', '10.1.0.4');
    assert.deepEqual(metadata.ownerReferences, [{ apiVersion: 'v1', kind: 'Pod', name: 'first', uid }]);
  });

  it('an object whose pod is deleted does not come back', async () => {
    await deletePod('first');
    // the test is the garbage collector of this cluster
    await cluster.request('DELETE', `${PODINFO}/first`);
    // the agent has seen the deletion when it writes a later pod
    await createPod('last');
    await setAddresses('last', '10.1.0.5');
    await waitForStatus('last', '10.1.0.5');
    await assert.rejects(getPodInfo('first'), /404/);
  });
});
