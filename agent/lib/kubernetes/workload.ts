/** Finds the workload that controls a pod, by its owner and its labels. */
import type { ObjectMeta } from './watch.js';

export interface Workload {
  readonly workload: string;
  readonly workloadKind: string;
}

/** A CronJob appends the time in minutes to the names of its jobs. */
const CRON_SUFFIX = /^(.+)-\d{8,10}$/;

/**
 * Returns the workload of a pod. A pod does not name the owner of its ReplicaSet or Job, so the name of that is
 * parsed. A pod without a controller is its own workload.
 */
export function podWorkload({ name, labels = {}, ownerReferences = [] }: ObjectMeta): Workload {
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
