/** What a hook's event says of what its selector did, beside posting it. */
import type { PerformedAction } from '../../types/events.js';
import type { SelectorActions } from '../policy/image.js';
import { acts } from '../wire/actions.js';
import { EventFlag, EventHeader } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';

const POST: readonly PerformedAction[] = [{ action: 'post' }];

/** In the order of the policy. An event has always been posted; where the policy does not list that, it is the last. */
export function performedActions(
  slab: Slab,
  at: number,
  actions: SelectorActions | undefined,
): readonly PerformedAction[] {
  if (actions === undefined) return POST;
  const flags = slab.u16(at + EventHeader.flags);
  const performed = actions.order.flatMap((name): PerformedAction[] => {
    switch (name) {
      case 'post':
        return [{ action: 'post' }];
      case 'noPost':
        return [];
      case 'signal':
      case 'sigkill':
        return [{ action: name, signal: actions.signal ?? 0, outcome: outcomeOf(flags, EventFlag.EVENT_SIGNALLED) }];
      case 'override':
        return [{ action: name, value: actions.override ?? 0, outcome: outcomeOf(flags, EventFlag.EVENT_OVERRIDDEN) }];
      case 'notifyEnforcer':
        return [{ action: name, ...notified(actions), outcome: outcomeOf(flags, EventFlag.EVENT_NOTIFIED) }];
      case 'cleanupEnforcerNotification':
        return [{ action: name }];
    }
  });
  return performed.some(({ action }) => action === 'post') ? performed : [...performed, ...POST];
}

function notified({ notify }: SelectorActions): { readonly signal?: number; readonly value?: number } {
  const { signal, override } = notify ?? {};
  return { ...(signal === undefined ? {} : { signal }), ...(override === undefined ? {} : { value: override }) };
}

function outcomeOf(flags: number, done: number): 'done' | 'monitored' | 'protected' | 'failed' {
  if ((flags & EventFlag.EVENT_MONITORED) !== 0) return 'monitored';
  if ((flags & EventFlag.EVENT_PROTECTED) !== 0) return 'protected';
  return (flags & done) !== 0 ? 'done' : 'failed';
}

/** The last that changed something, else the post. */
export function mainAction(actions: readonly PerformedAction[]): PerformedAction['action'] {
  return actions.findLast((each) => 'outcome' in each && each.outcome === 'done')?.action ?? 'post';
}

/** Of a selector that acts on processes or functions, itself or by enforcers. */
export function policyModeOf(
  slab: Slab,
  at: number,
  actions: SelectorActions | undefined,
): 'enforce' | 'monitor' | undefined {
  if (actions === undefined || !acts(actions)) return undefined;
  return (slab.u16(at + EventHeader.flags) & EventFlag.EVENT_MONITORED) !== 0 ? 'monitor' : 'enforce';
}
