/** Merges the reports of several sources about one container. */
import { isDeepStrictEqual } from 'node:util';
import type { ContainerInfo, PodInfo } from '../../types/containers.js';

const PAIRS: ReadonlySet<string> = new Set<keyof ContainerInfo | keyof PodInfo>(['labels', 'annotations']);

/**
 * Merges the reports of sources, the most trusted source first. Each member comes from the first source that has it. `image` and
 * `pod` are merged by their members in the same way. Labels and annotations are not merged: all come from one source. If that
 * source reports none, the result has none.
 */
export function mergeContainerInfo(parts: readonly ContainerInfo[]): ContainerInfo {
  const image = mergeMembers(parts.map((part) => part.image ?? {}));
  const pod = withoutEmpty(mergeMembers(parts.map((part) => part.pod ?? {})));
  return Object.freeze({
    ...withoutEmpty(mergeMembers<ContainerInfo>(parts)),
    ...(Object.keys(image).length === 0 ? {} : { image: Object.freeze(image) }),
    ...(Object.keys(pod).length === 0 ? {} : { pod: Object.freeze(pod) }),
  } as ContainerInfo);
}

/** Removes empty labels and annotations. */
function withoutEmpty<T extends { readonly labels?: object; readonly annotations?: object }>(members: T): T {
  const isEmpty = (value: unknown): boolean => typeof value === 'object' && Object.keys(value as object).length === 0;
  const kept = Object.entries(members).filter(([key, value]) => !PAIRS.has(key) || !isEmpty(value));
  return Object.fromEntries(kept) as T;
}

function mergeMembers<T extends object>(parts: readonly T[]): T {
  return Object.assign({}, ...[...parts].reverse()) as T;
}

export function isEqualInfo(a: ContainerInfo, b: ContainerInfo): boolean {
  return a === b || isDeepStrictEqual(a, b);
}
