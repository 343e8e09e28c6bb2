/** One container that several sources know: what each of them says becomes one. */
import { isDeepStrictEqual } from 'node:util';
import type { ContainerInfo } from '../../types/containers.js';

/**
 * Merges what sources report of one container, the most trusted source first: each member is that of the first source that
 * has it. `image` and `pod` are merged by their members in the same way. Labels are not merged: they are those of one source.
 */
export function merged(parts: readonly ContainerInfo[]): ContainerInfo {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const image = firstOf(parts.map((part) => part.image ?? {}));
  const pod = firstOf(parts.map((part) => part.pod ?? {}));
  return Object.freeze({
    ...firstOf<ContainerInfo>(parts),
    ...(Object.keys(image).length === 0 ? {} : { image: Object.freeze(image) }),
    ...(Object.keys(pod).length === 0 ? {} : { pod: Object.freeze(pod) }),
  } as ContainerInfo);
}

function firstOf<T extends object>(parts: readonly T[]): T {
  return Object.assign({}, ...[...parts].reverse()) as T;
}

export function isSame(a: ContainerInfo, b: ContainerInfo): boolean {
  return a === b || isDeepStrictEqual(a, b);
}
