/** Describes the state of the agent in one line, for `polytrace status`. */
import type { TracerStats } from 'polytrace';
import type { PolicyStore } from '../policies/store.js';

export function formatHealth(
  { failedCount: failed, unreadableCount: unreadable }: Pick<PolicyStore, 'failedCount' | 'unreadableCount'>,
  switches: Pick<TracerStats, 'optimize' | 'cachePaths'>,
): string {
  return [
    failed + unreadable === 0 ? 'running' : 'degraded',
    ...(failed === 0 ? [] : [`${failed} ${failed === 1 ? 'policy has' : 'policies have'} errors`]),
    ...(unreadable === 0 ? [] : [`${unreadable} ${unreadable === 1 ? 'path' : 'paths'} of policies cannot be read`]),
    ...(switches.optimize ? [] : ['programs are not optimized']),
    ...(switches.cachePaths ? [] : ['paths are not cached']),
  ].join('; ');
}
