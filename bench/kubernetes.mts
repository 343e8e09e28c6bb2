// Measures scale in Kubernetes: node --import tsx bench/kubernetes.mts [status] [pods] [tables], as root. etcd and the
// API server are real. The nodes run the code of the agent, without a kernel. It prints the tables of
// docs/kubernetes.md.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { Cluster } from '../test/kubernetes/cluster.js';
import { checkout } from '../test/vm/vm.mjs';
import { ApiClient, StatusWriter, Watch } from './dist.mjs';
import { podRows } from './kubernetes-pods.mjs';
import { mapRows } from './kubernetes-tables.mjs';
import { formatNumber, formatTable, type Rows } from './table.mjs';

type Writer = InstanceType<typeof StatusWriter>;
type Seen = Parameters<Writer['observe']>[1];
type State = Parameters<Writer['setState']>[3];

const RESOURCE = { kind: 'TracingPolicy', plural: 'tracingpolicies' } as const;
const PATH = '/apis/cilium.io/v1alpha1/tracingpolicies';
const NODES = 5000;
/** Number of watches that are open. */
const WATCHES = 500;
const noLog = { info: () => undefined, warn: () => undefined, debug: () => undefined };

/** Seconds of processor time that a process has used. */
function readCpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

interface Round {
  readonly nodes: number;
  readonly writes: number;
  readonly refused: number;
  readonly seconds: number;
  readonly firstMs: number;
  readonly apiCpu: number;
  readonly etcdCpu: number;
  readonly listed: number;
  readonly bytes: number;
  readonly sent: number;
}

/** Lets all nodes report the state of one policy. */
async function runRound(cluster: Cluster, name: string, nodes: number, error: string | undefined): Promise<Round> {
  const api = await ApiClient.load(cluster.kubeconfig);
  const spec = { kprobes: [{ call: 'security_file_permission' }] };
  await cluster.apply({ apiVersion: 'cilium.io/v1alpha1', kind: RESOURCE.kind, metadata: { name }, spec });
  const object = await api.call<Seen>('GET', `${PATH}/${name}`);
  let [writes, refused, firstMs, lastMs, bytes, sent] = [0, 0, 0, 0, 0, 0];
  const reasons = new Map<string, number>();
  let start = performance.now();
  const countedCall: typeof api.call = async (method, path, options) => {
    try {
      const answer = await api.call(method, path, options);
      lastMs = performance.now() - start;
      if (writes++ === 0) firstMs = lastMs;
      return answer as never;
    } catch (failure) {
      const reason = String(failure).slice(0, 60);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      refused++;
      throw failure;
    }
  };
  const writers = Array.from({ length: nodes }, (_, i) => {
    const parts = {
      api: { call: countedCall, streamLines: api.streamLines.bind(api) },
      nodeName: `node-${i}.cluster.example`,
      log: noLog,
    };
    return new StatusWriter({ ...parts, nodes: () => nodes });
  });
  const origin = `kubernetes:${name}`;
  const handleChange = (seen: Seen): void => {
    if (seen.metadata.name !== name) return;
    bytes = Buffer.byteLength(JSON.stringify(seen));
    sent += bytes;
    for (const each of writers) each.observe(origin, seen);
  };
  const none = { setConnection: () => undefined, remove: () => undefined };
  const watch = new Watch<Seen>(
    api,
    PATH,
    {},
    { ...none, replaceAll: (all) => all.forEach(handleChange), set: handleChange },
  );
  await watch.start();
  sent = 0;
  const closeWatches = await openWatches(cluster, WATCHES);
  const { api: apiPid, etcd } = cluster.pids;
  const before = [readCpuSeconds(apiPid), readCpuSeconds(etcd)] as const;
  start = performance.now();
  writers.forEach((each, i) => {
    const state: State = { ...makeState(i, error), name: `node-${i}.cluster.example` };
    each.setState(origin, RESOURCE, object, state, () => Promise.resolve());
  });
  // time for the first writes, the second writes and the retries
  const waitMs = 20_000 + nodes * 10;
  await sleep(waitMs);
  const after = [readCpuSeconds(apiPid), readCpuSeconds(etcd)] as const;
  await Promise.all(writers.map((each) => each.stop()));
  closeWatches();
  await watch.stop();
  for (const [reason, count] of reasons) console.error(`${name}: ${count} times: ${reason}`);
  const end = await api.call<Seen>('GET', `${PATH}/${name}`);
  return {
    nodes,
    writes,
    refused,
    firstMs,
    seconds: lastMs / 1000,
    apiCpu: after[0] - before[0],
    etcdCpu: after[1] - before[1],
    listed: end.status?.nodes?.length ?? 0,
    bytes: Buffer.byteLength(JSON.stringify(end)),
    sent,
  };
}

function makeState(i: number, error: string | undefined): State {
  const state = { name: String(i), generation: 1 } as const;
  return error === undefined
    ? { ...state, state: 'enabled', loadedGeneration: 1, mode: 'enforce', hooks: 1 }
    : { ...state, state: 'failed', error };
}

/**
 * Opens connections that receive every change. The changes are not parsed, so that this process does not limit the
 * result.
 */
async function openWatches(cluster: Cluster, count: number): Promise<() => void> {
  const { users } = JSON.parse(readFileSync(cluster.kubeconfig, 'utf8')) as { users: [{ user: { token: string } }] };
  const headers = { authorization: `Bearer ${users[0].user.token}` };
  const agent = new Agent({ rejectUnauthorized: false });
  const url = `https://127.0.0.1:${cluster.port}${PATH}?watch=true&resourceVersion=0`;
  for (let i = 0; i < count; i++) {
    const sent = request(url, { headers, agent }).end();
    sent.on('error', () => undefined);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.on('error', () => undefined).resume();
  }
  return () => agent.destroy();
}

/** Estimates the size of the status with an entry for each node. The size grows linearly with the number of entries. */
const estimateFullSize = ({ bytes, listed, nodes }: Round, empty: number): number => ((bytes - empty) / listed) * nodes;

async function statusRows(): Promise<Rows> {
  const cluster = await Cluster.start({ withNode: false });
  try {
    await cluster.applyCrds(join(checkout, 'deploy/kubernetes/crds'));
    const error =
      'spec.kprobes[0].call: KERNEL_FUNCTION: the kernel has no function security_file_permision (did you mean …)';
    const rounds = [
      await runRound(cluster, 'hundred', 100, undefined),
      await runRound(cluster, 'good', NODES, undefined),
      await runRound(cluster, 'failing', NODES, error),
    ];
    const row = (title: string, of: (round: Round) => string): string[] => [title, ...rounds.map(of)];
    return [
      ['one policy changes', '100 nodes', '5,000 nodes', '5,000 nodes, all fail'],
      row('writes of the status', ({ writes }) => formatNumber(writes)),
      row('refused, and tried again', ({ refused }) => formatNumber(refused)),
      row('first write after', ({ firstMs }) => `${(firstMs / 1000).toFixed(1)} s`),
      row('last write after', ({ seconds }) => `${seconds.toFixed(1)} s`),
      row('nodes in the status', ({ listed }) => formatNumber(listed)),
      row('size of the object', ({ bytes }) => `${(bytes / 1024).toFixed(1)} KiB`),
      row(
        'it would be, with an entry for each node',
        (each) => `${formatNumber(Math.round(estimateFullSize(each, 700) / 1024))} KiB`,
      ),
      row(
        'sent to all nodes that watch',
        ({ sent, nodes }) => `${formatNumber(Math.round((sent * nodes) / 2 ** 20))} MiB`,
      ),
      row(`processor time of the API server, ${WATCHES} watches`, ({ apiCpu }) => `${apiCpu.toFixed(1)} s`),
      row('processor time of etcd', ({ etcdCpu }) => `${etcdCpu.toFixed(1)} s`),
    ];
  } finally {
    await cluster.stop();
  }
}

const PARTS = { status: statusRows, pods: podRows, tables: mapRows };
const wanted = process.argv.slice(2);
for (const [name, rows] of Object.entries(PARTS)) {
  if (wanted.length === 0 || wanted.includes(name)) console.log(`\n${name}\n\n${formatTable(await rows())}`);
}
