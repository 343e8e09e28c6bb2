/** Finds the pod of a container or sandbox from labels that the kubelet sets. */
import type { PodInfo } from '../../types/containers.js';

type Pairs = Readonly<Record<string, string>>;

/** Labels that the kubelet adds to the pod's own labels. */
const KUBELET_LABELS = new Set([
  'io.kubernetes.pod.namespace',
  'io.kubernetes.pod.name',
  'io.kubernetes.pod.uid',
  'io.kubernetes.container.name',
  'io.cri-containerd.kind',
]);

/** Returns the pod of a container by the container's labels; undefined if the container is in no pod. */
export function podFromLabels(labels: Pairs): PodInfo | undefined {
  const namespace = labels['io.kubernetes.pod.namespace'];
  const name = labels['io.kubernetes.pod.name'];
  if (namespace === undefined || name === undefined) return undefined;
  const uid = labels['io.kubernetes.pod.uid'];
  return { namespace, name, ...(uid === undefined ? {} : { uid }) };
}

/** Returns the pod of a sandbox. */
export function podFromSandbox(
  { namespace, name, uid }: { readonly namespace: string; readonly name: string; readonly uid: string },
  all: Pairs,
  annotations: Pairs,
): PodInfo {
  const labels = Object.fromEntries(Object.entries(all).filter(([key]) => !KUBELET_LABELS.has(key)));
  return { namespace, name, uid, labels, annotations, ...inferWorkload(name, labels) };
}

/**
 * Infers the controller of a pod from the pod's labels and name. Controllers set these labels, and the names of their pods begin
 * with their own name. A pod without these labels is its own workload.
 */
function inferWorkload(name: string, labels: Pairs): { readonly workload: string; readonly workloadKind: string } {
  const hash = labels['pod-template-hash'];
  const deployment = hash === undefined ? undefined : substringBeforeLast(name, `-${hash}-`);
  if (deployment !== undefined) return { workload: deployment, workloadKind: 'Deployment' };
  const job = labels['batch.kubernetes.io/job-name'] ?? labels['job-name'];
  if (job !== undefined && name.startsWith(`${job}-`)) {
    // the names of a CronJob's jobs end with the time in minutes
    const cron = /^(.+)-\d{8,10}$/.exec(job)?.[1];
    return cron === undefined ? { workload: job, workloadKind: 'Job' } : { workload: cron, workloadKind: 'CronJob' };
  }
  const set = labels['statefulset.kubernetes.io/pod-name'] === name ? /^(.+)-\d+$/.exec(name)?.[1] : undefined;
  if (set !== undefined) return { workload: set, workloadKind: 'StatefulSet' };
  const daemons = labels['controller-revision-hash'] === undefined ? undefined : /^(.+)-[a-z0-9]{5}$/.exec(name)?.[1];
  if (daemons !== undefined) return { workload: daemons, workloadKind: 'DaemonSet' };
  return { workload: name, workloadKind: 'Pod' };
}

function substringBeforeLast(text: string, part: string): string | undefined {
  const at = text.lastIndexOf(part);
  return at > 0 ? text.slice(0, at) : undefined;
}
