/** Finds the workload that controls a pod, by its owner and its labels. */
import type { ObjectMeta } from './watch.js';

export interface Workload {
  readonly workload: string;
  readonly workloadKind: string;
}

export interface Controller {
  readonly kind: string;
  readonly name: string;
  readonly apiVersion: string;
}

/** A CronJob appends the time in minutes to the names of its jobs. */
const CRON_SUFFIX = /^(.+)-\d{8,10}$/;

export function podWorkload(metadata: ObjectMeta): Workload {
  const { kind, name } = podController(metadata);
  return { workload: name, workloadKind: kind };
}

/**
 * Returns the workload of a pod. A pod does not name the owner of its ReplicaSet or Job, so the name of that is
 * parsed. Both have the version of their owner. A pod without a controller is its own workload.
 */
export function podController({ name, labels = {}, ownerReferences = [] }: ObjectMeta): Controller {
  const owner = ownerReferences.find(({ controller }) => controller === true);
  if (owner === undefined) return { kind: 'Pod', name, apiVersion: 'v1' };
  const { apiVersion = '' } = owner;
  const hash = labels['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1), apiVersion };
  }
  const cron = owner.kind === 'Job' ? CRON_SUFFIX.exec(owner.name)?.[1] : undefined;
  if (cron !== undefined) return { kind: 'CronJob', name: cron, apiVersion };
  return { kind: owner.kind, name: owner.name, apiVersion };
}
