/** The actions that a hook's event reports: those that its selector performed. */
import { acts } from '../compiled/compiled-hook.js';
import type { PerformedAction, PerformedOverride, RequestOutcome } from '../../types/events.js';
import type { CompiledHook, SelectorActions } from '../compiled/compiled-policy.js';
import { EventFlag, EventHeader, EventHook } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import type { Request } from './requests.js';

/** The actions of an event that was only posted. */
export const POST: readonly PerformedAction[] = Object.freeze([Object.freeze({ action: 'post' })]);
const ONLY_POSTS: SelectorActions = { order: ['post'] };

/** The actions of an event: those of the entry, and those of the return if the hook has them. */
export interface EventActions {
  readonly entry: SelectorActions;
  readonly returned: SelectorActions | undefined;
}

/** `selector` is the selector of the event. Returns undefined if every selector of the hook only posts. */
export function actionsOf(slab: Slab, at: number, image: CompiledHook, selector: number): EventActions | undefined {
  const { actions, returnActions } = image;
  if (actions === undefined) return undefined;
  // The selector that decided at the entry can differ from the one that matches at the return.
  const atEntry = returnActions === undefined ? selector : slab.u32(at + EventHook.entrySelector);
  return { entry: actions[atEntry] ?? ONLY_POSTS, returned: returnActions?.[selector] };
}

/** The requests that the tracer makes when it reads the event. */
export function requestsOf(actions: EventActions): Request[] {
  return halves(actions).flatMap(({ order, requests = [] }) =>
    order
      .filter((name) => name === 'getUrl' || name === 'dnsLookup')
      .map((action, i) => ({ action, target: requests[i] ?? '' })),
  );
}

/** True for an event with NoPost. The kernel sends it only because of its requests. */
export function isSilent(actions: EventActions): boolean {
  return halves(actions).some(({ order }) => order.includes('noPost'));
}

function halves({ entry, returned }: EventActions): SelectorActions[] {
  return returned === undefined ? [entry] : [entry, returned];
}

/**
 * The actions in the order of the policy. An event is always posted. If the policy does not list Post, it comes last.
 */
export function performedActions(
  slab: Slab,
  at: number,
  actions: EventActions | undefined,
  outcomes: readonly RequestOutcome[],
): readonly PerformedAction[] {
  return actions === undefined ? POST : allPerformed(actions, slab.u16(at + EventHeader.flags), outcomes);
}

/** The same for an event of mode `monitor`. */
export function monitoredActions(actions: EventActions): readonly PerformedAction[] {
  const flags = EventFlag.EVENT_MONITORED | (EventFlag.EVENT_MONITORED << EventFlag.EVENT_RETURN_SHIFT);
  return allPerformed(actions, flags, requestsOf(actions).map(() => 'monitored')); // prettier-ignore
}

/** The mode of such an event. */
export function monitoredMode(actions: EventActions): 'monitor' | undefined {
  return halves(actions).some(acts) || requestsOf(actions).length > 0 ? 'monitor' : undefined;
}

function allPerformed(
  actions: EventActions,
  flags: number,
  outcomes: readonly RequestOutcome[],
): readonly PerformedAction[] {
  const left = [...outcomes];
  const atEntry = performed(actions.entry, flags, left);
  const all =
    actions.returned === undefined ? atEntry : [...atEntry, ...performedAtReturn(actions.returned, flags, left)];
  return all.some(({ action }) => action === 'post') ? all : [...all, ...POST];
}

function performedAtReturn(actions: SelectorActions, flags: number, outcomes: RequestOutcome[]): PerformedAction[] {
  const own = performed(actions, flags >> EventFlag.EVENT_RETURN_SHIFT, outcomes);
  for (const each of own as { onReturn?: true }[]) each.onReturn = true;
  return own;
}

/** Takes the outcomes of its requests from the front of `outcomes`. */
function performed(actions: SelectorActions, flags: number, outcomes: RequestOutcome[]): PerformedAction[] {
  const targets = [...(actions.requests ?? [])];
  return actions.order.flatMap((name): PerformedAction[] => {
    switch (name) {
      case 'noPost':
        return [];
      case 'signal':
      case 'sigkill':
        return [{ action: name, signal: actions.signal ?? 0, outcome: outcomeOf(flags, EventFlag.EVENT_SIGNALLED) }];
      case 'override':
        return [{ action: name, ...overrideOf(actions), outcome: outcomeOf(flags, EventFlag.EVENT_OVERRIDDEN) }];
      case 'set': {
        const { argument = 0, value = 0 } = actions.set ?? {};
        return [{ action: name, index: argument, value, outcome: outcomeOf(flags, EventFlag.EVENT_OVERRIDDEN) }];
      }
      case 'notifyEnforcer':
        return [{ action: name, ...notified(actions), outcome: outcomeOf(flags, EventFlag.EVENT_NOTIFIED) }];
      case 'getUrl':
        return [{ action: name, url: targets.shift() ?? '', outcome: outcomes.shift() ?? 'dropped' }];
      case 'dnsLookup':
        return [{ action: name, name: targets.shift() ?? '', outcome: outcomes.shift() ?? 'dropped' }];
      default:
        return [{ action: name }];
    }
  });
}

function notified({ notify }: SelectorActions): { readonly signal?: number; readonly value?: number } {
  const { signal, override } = notify ?? {};
  const effects: { signal?: number; value?: number } = {};
  if (signal !== undefined) effects.signal = signal;
  if (override !== undefined) effects.value = override;
  return effects;
}

function overrideOf({ override, registers, goOn }: SelectorActions): Omit<PerformedOverride, 'action' | 'outcome'> {
  if (registers !== undefined) return { registers: registers.map(({ text }) => text) };
  if (goOn === undefined) return { value: override ?? 0 };
  return { target: goOn.symbol ?? `0x${(goOn.fileOffset ?? goOn.address ?? 0n).toString(16)}` };
}

function outcomeOf(flags: number, done: number): 'done' | 'monitored' | 'protected' | 'failed' {
  if ((flags & EventFlag.EVENT_MONITORED) !== 0) return 'monitored';
  if ((flags & EventFlag.EVENT_PROTECTED) !== 0) return 'protected';
  return (flags & done) !== 0 ? 'done' : 'failed';
}

/** The last action that changed something or made a request, or else Post. */
export function mainAction(actions: readonly PerformedAction[]): PerformedAction['action'] {
  return actions.findLast(isDone)?.action ?? 'post';
}

function isDone(action: PerformedAction): boolean {
  if (!('outcome' in action)) return action.action === 'trackSock' || action.action === 'untrackSock';
  return action.outcome === 'done' || action.outcome === 'started';
}

/** The mode, if the selector acts on processes, functions or programs (directly or by enforcers) or on the network. */
export function policyModeOf(
  slab: Slab,
  at: number,
  actions: EventActions | undefined,
  outcomes: readonly RequestOutcome[],
): 'enforce' | 'monitor' | undefined {
  const isActing = actions !== undefined && halves(actions).some(acts);
  if (!isActing && outcomes.length === 0) return undefined;
  const flags = slab.u16(at + EventHeader.flags);
  const monitored = EventFlag.EVENT_MONITORED | (EventFlag.EVENT_MONITORED << EventFlag.EVENT_RETURN_SHIFT);
  return (flags & monitored) !== 0 || outcomes.includes('monitored') ? 'monitor' : 'enforce';
}
