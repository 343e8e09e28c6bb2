/** Chooses the events of some containers. Pure. */
import type { PlainProcess } from '../../types/events.js';
import type { ServiceOptions } from '../../types/learn.js';

export function isInContainers(
  { container, pod }: PlainProcess,
  { containers = [], pods }: Pick<ServiceOptions, 'containers' | 'pods'>,
): boolean {
  const { name = '' } = container ?? pod?.container ?? {};
  if (containers.length > 0 && !containers.includes(name)) return false;
  const labels = pod?.labels ?? {};
  return pods === undefined || Object.entries(pods).every(([key, value]) => labels[key] === value);
}
