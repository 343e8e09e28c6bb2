/** Filters events for one consumer, after the policies have filtered them in the kernel. */
import type { PlainEvent } from '../../types/events.js';
import type { EventFilterOptions } from '../../types/output.js';

/** An event must meet all the given conditions. `lost` events always pass, because a loss concerns every consumer. */
export function eventFilter(options: EventFilterOptions): (event: PlainEvent) => boolean {
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

/** Resets the pattern: with the flag `g` or `y` it would continue where it stopped. */
function matches(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}
