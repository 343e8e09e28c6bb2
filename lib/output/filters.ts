/** Which events a consumer wants, beyond what the policies already filter in the kernel. */
import type { TracerEvent } from '../../types/events.js';
import type { EventFilterOptions } from '../../types/output.js';

/** All conditions that are given must hold; `lost` events always pass: a loss concerns every consumer. */
export function eventFilter(options: EventFilterOptions): (event: TracerEvent) => boolean {
  const types = options.types === undefined ? undefined : new Set<string>(options.types);
  const policies = options.policyNames === undefined ? undefined : new Set(options.policyNames);
  const { binaries } = options;
  return (event) => {
    if (event.type === 'lost') return true;
    if (types !== undefined && !types.has(event.type)) return false;
    if (policies !== undefined && 'policyName' in event && !policies.has(event.policyName)) return false;
    return binaries === undefined || binaries.some((pattern) => matches(pattern, event.process.binary));
  };
}

/** A pattern with the flag `g` or `y` would remember where it stopped. */
function matches(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}
