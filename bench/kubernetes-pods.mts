// Memory and start time of the agent with 0, 110 and 10,000 pods on its node. A kubelet runs at most 110 pods by
// default.
import { join } from 'node:path';
import { Cluster, NODE } from '../test/kubernetes/cluster.js';
import { ClusterAgent } from '../test/kubernetes/agent.js';
import { checkout } from '../test/vm/vm.mjs';
import { formatNumber, type Rows } from './table.mjs';

const COUNTS = [0, 110, 10_000];
const CONCURRENT_REQUESTS = 16;
const PODS = '/api/v1/namespaces/default/pods';

/** A pod of usual size. */
function makePod(i: number): object {
  const name = `web-7d4b9c8f6d-${String(i).padStart(5, '0')}`;
  const labels = {
    app: 'web',
    tier: 'front',
    team: `team-${i % 40}`,
    'pod-template-hash': '7d4b9c8f6d',
    version: '1.27.3',
  };
  const env = Array.from({ length: 10 }, (_, n) => ({ name: `SETTING_${n}`, value: 'x'.repeat(40) }));
  return {
    metadata: { name, labels, annotations: { note: 'y'.repeat(400) } },
    spec: {
      nodeName: NODE,
      hostNetwork: true,
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'a', env }],
    },
  };
}

/** The status that a kubelet would report. */
function makeStatus(i: number): object {
  const containerID = `containerd://${String(i).padStart(64, 'a')}`;
  const running = { startedAt: '2026-01-01T00:00:00Z' };
  const container = {
    name: 'main',
    image: 'registry.example/web:1.27.3',
    imageID: '',
    containerID,
    ready: true,
    restartCount: 0,
    state: { running },
  };
  return { status: { phase: 'Running', containerStatuses: [container] } };
}

async function makePods(cluster: Cluster, from: number, to: number): Promise<void> {
  let next = from;
  const createNext = async (): Promise<void> => {
    while (next < to) {
      const i = next++;
      const { metadata } = await cluster.request<{ metadata: { name: string } }>('POST', PODS, makePod(i));
      await cluster.request('PATCH', `${PODS}/${metadata.name}/status`, makeStatus(i), 'application/merge-patch+json');
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_REQUESTS }, createNext));
}

export async function podRows(): Promise<Rows> {
  const cluster = await Cluster.start({ withNode: false });
  try {
    await cluster.applyCrds(join(checkout, 'deploy/kubernetes/crds'));
    await cluster.kubectl('apply', '-k', join(checkout, 'deploy/kubernetes/agent'));
    await cluster.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
    const kubeconfig = await cluster.serviceAccountConfig('kube-system', 'polytrace');
    const rows: string[][] = [];
    let made = 0;
    for (const count of COUNTS) {
      await makePods(cluster, made, count);
      made = count;
      const start = performance.now();
      const agent = await ClusterAgent.start(cluster, { kubeconfig });
      const readyMs = performance.now() - start;
      const { RssAnon = 0, VmHWM = 0 } = agent.memory();
      await agent.stop();
      const mebibytes = (kibibytes: number): string => `${formatNumber(Math.round(kibibytes / 1024))} MiB`;
      rows.push([formatNumber(count), mebibytes(RssAnon), mebibytes(VmHWM), `${(readyMs / 1000).toFixed(1)} s`]);
    }
    return [['pods of the node', 'anonymous memory', 'most memory, with files', 'ready after'], ...rows];
  } finally {
    await cluster.stop();
  }
}
