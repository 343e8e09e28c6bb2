/** What controls a pod, by its owner and its labels. */
import type { ObjectMeta } from './watch.js';

export interface Workload {
  readonly workload: string;
  readonly workloadKind: string;
}

/** A CronJob names its jobs after the time in minutes. */
const CRON_SUFFIX = /^(.+)-\d{8,10}$/;

/** The owners of a ReplicaSet and of a Job are not in the pod: their names say it. A pod without a controller is its own workload. */
export function workloadOf({ name, labels = {}, ownerReferences = [] }: ObjectMeta): Workload {
  const owner = ownerReferences.find(({ controller }) => controller === true);
  if (owner === undefined) return { workload: name, workloadKind: 'Pod' };
  const hash = labels['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return { workload: owner.name.slice(0, -hash.length - 1), workloadKind: 'Deployment' };
  }
  const cron = owner.kind === 'Job' ? CRON_SUFFIX.exec(owner.name)?.[1] : undefined;
  if (cron !== undefined) return { workload: cron, workloadKind: 'CronJob' };
  return { workload: owner.name, workloadKind: owner.kind };
}
