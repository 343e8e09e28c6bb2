/** Limits the size of a container's names and labels, because whoever starts the container chooses them. */
import type { ContainerInfo, PodInfo } from '../../types/containers.js';
import { PolytraceError } from '../errors.js';

const ID_MAX = 256;
const STRING_MAX = 4096;
/** The key of a label in Kubernetes has at most 317 characters. */
const KEY_MAX = 512;
const PAIRS_MAX = 512;
/** A container in Kubernetes has at most three probes. */
const PROBES_MAX = 16;
const ARGUMENTS_MAX = 1024;
/** Maximum number of characters of all strings of one container. */
const TOTAL_MAX = 128 * 1024;

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

type Pairs = Readonly<Record<string, string>>;

/** Returns a frozen copy with the known members only. Throws CONTAINER_INVALID. */
export function limitContainerInfo(info: ContainerInfo, withAnnotations = true): ContainerInfo {
  const { id } = info;
  if (typeof id !== 'string' || id === '' || id.length > ID_MAX) {
    const what = typeof id === 'string' ? `has ${id.length} characters` : `is ${typeof id}`;
    throw new PolytraceError(
      'CONTAINER_INVALID',
      `the id of a container ${what}`,
      `a source reports an id of 1 to ${ID_MAX} characters`,
    );
  }
  const budget = new Budget();
  const { image, pid } = info;
  const known: ContainerInfo = budget.freezeKnown({
    id,
    runtime: budget.takeString(info.runtime),
    name: budget.takeString(info.name),
    image:
      image === undefined
        ? undefined
        : budget.freezeKnown({ id: budget.takeString(image.id), name: budget.takeString(image.name) }),
    startTime: RFC_3339.test(info.startTime ?? '') ? budget.takeString(info.startTime) : undefined,
    privileged: typeof info.privileged === 'boolean' ? info.privileged : undefined,
    pid: Number.isSafeInteger(pid) && Number(pid) > 0 ? pid : undefined,
    cgroupPath: budget.takeString(info.cgroupPath),
    execProbes: budget.takeArguments(info.execProbes),
    // the pod's names come before the labels, which can be long
    pod: info.pod === undefined ? undefined : limitPod(info.pod, budget, withAnnotations),
    labels: budget.takePairs(info.labels),
  });
  return budget.isExceeded ? Object.freeze({ ...known, truncated: true }) : known;
}

function limitPod(pod: PodInfo, budget: Budget, withAnnotations: boolean): PodInfo {
  return budget.freezeKnown({
    namespace: budget.takeString(pod.namespace) ?? '',
    name: budget.takeString(pod.name) ?? '',
    uid: budget.takeString(pod.uid),
    workload: budget.takeString(pod.workload),
    workloadKind: budget.takeString(pod.workloadKind),
    labels: budget.takePairs(pod.labels),
    annotations: withAnnotations ? budget.takePairs(pod.annotations) : undefined,
  });
}

/** Counts the remaining characters of one container. */
class Budget {
  #left = TOTAL_MAX;
  isExceeded = false;

  takeString(value: unknown): string | undefined {
    if (typeof value !== 'string' || value === '') return undefined;
    if (value.length > Math.min(STRING_MAX, this.#left)) {
      this.isExceeded = true;
      return undefined;
    }
    this.#left -= value.length;
    return value;
  }

  /** Leaves out a command that is over a limit, because a part of a command would match other processes. */
  takeArguments(value: readonly (readonly string[])[] | undefined): readonly (readonly string[])[] | undefined {
    if (!Array.isArray(value)) return undefined;
    const result: (readonly string[])[] = [];
    for (const command of value as readonly unknown[]) {
      if (!Array.isArray(command) || command.length === 0) continue;
      if (!command.every((argument): argument is string => typeof argument === 'string')) continue;
      const length = command.reduce((sum, argument) => sum + argument.length, 0);
      if (length > this.#left || command.length > ARGUMENTS_MAX || result.length >= PROBES_MAX) {
        this.isExceeded = true;
        continue;
      }
      this.#left -= length;
      result.push(Object.freeze([...command]));
    }
    return result.length === 0 ? undefined : Object.freeze(result);
  }

  /** The result has no prototype, because a label can have the name `__proto__`. Empty pairs stay: the source reports none. */
  takePairs(value: Pairs | undefined): Pairs | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    const result = Object.create(null) as Record<string, string>;
    let count = 0;
    for (const [key, text] of Object.entries(value)) {
      if (typeof text !== 'string') continue;
      const length = key.length + text.length;
      if (key.length > KEY_MAX || text.length > STRING_MAX || length > this.#left || count >= PAIRS_MAX) {
        this.isExceeded = true;
        continue;
      }
      this.#left -= length;
      count++;
      result[key] = text;
    }
    return Object.freeze(result);
  }

  /** Freezes the members that are not undefined. */
  freezeKnown<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
    return Object.freeze(Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))) as T;
  }
}
