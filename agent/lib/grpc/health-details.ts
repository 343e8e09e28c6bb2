/** Describes the state of the agent in one line, for `polytrace status`. */
import type { TracerStats } from 'polytrace';

export function formatHealth(failedPolicies: number, switches: Pick<TracerStats, 'optimize' | 'cachePaths'>): string {
  return [
    'running',
    ...(failedPolicies === 0
      ? []
      : [`${failedPolicies} ${failedPolicies === 1 ? 'policy has' : 'policies have'} errors`]),
    ...(switches.optimize ? [] : ['programs are not optimized']),
    ...(switches.cachePaths ? [] : ['paths are not cached']),
  ].join('; ');
}
