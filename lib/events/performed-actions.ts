/** Lists the actions that a hook's event reports: those that its selector performed. */
import { isEnforcing, type CompiledAction } from '../compiled/compiled-hook.js';
import type { PerformedAction, PerformedOverride, RequestOutcome } from '../../types/events.js';
import type { CompiledHook, SelectorActions } from '../compiled/compiled-policy.js';
import { EventFlag, EventHeader, EventHook } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import type { Request, RequestAction } from './requests.js';

/** The actions of an event that was only posted. */
export const POST: readonly PerformedAction[] = Object.freeze([Object.freeze({ action: 'post' })]);
const ONLY_POSTS: SelectorActions = { order: ['post'] };

/** The actions of an event: those of the entry, and those of the return if the hook has them. */
export interface EventActions {
  readonly entry: SelectorActions;
  readonly returned: SelectorActions | undefined;
}

/** Returns the actions of an event that matched `selector`; undefined if every selector of the hook only posts. */
export function readEventActions(
  chunk: RecordChunk,
  at: number,
  compiled: CompiledHook,
  selector: number,
): EventActions | undefined {
  const { actions, returnActions } = compiled;
  if (actions === undefined) return undefined;
  // The selector that matched at the entry can differ from the one that matches at the return.
  const atEntry = returnActions === undefined ? selector : chunk.u32(at + EventHook.entrySelector);
  return { entry: actions[atEntry] ?? ONLY_POSTS, returned: returnActions?.[selector] };
}

/** The requests that the tracer makes when it reads the event. */
export function listRequests(actions: EventActions): Request[] {
  return listActions(actions).flatMap(({ order, requests = [] }) =>
    order.filter(isRequestAction).map((action, i) => ({ action, target: requests[i] ?? '' })),
  );
}

function isRequestAction(name: CompiledAction): name is RequestAction {
  switch (name) {
    case 'getUrl':
    case 'dnsLookup':
      return true;
    case 'post':
    case 'noPost':
    case 'signal':
    case 'sigkill':
    case 'override':
    case 'set':
    case 'notifyEnforcer':
    case 'cleanupEnforcerNotification':
    case 'trackSock':
    case 'untrackSock':
    case 'mark':
    case 'unmark':
    case 'count':
      return false;
  }
}

/** True for an event with NoPost. The kernel sends such an event only because of its requests. */
export function isSilent(actions: EventActions): boolean {
  return listActions(actions).some(({ order }) => order.includes('noPost'));
}

function listActions({ entry, returned }: EventActions): SelectorActions[] {
  return returned === undefined ? [entry] : [entry, returned];
}

/**
 * Lists the actions in the order of the policy. Every event is posted: if the policy does not list Post, it comes last.
 */
export function performedActions(
  chunk: RecordChunk,
  at: number,
  actions: EventActions | undefined,
  outcomes: readonly RequestOutcome[],
): readonly PerformedAction[] {
  return actions === undefined ? POST : describeActions(actions, chunk.u16(at + EventHeader.flags), outcomes);
}

/** Lists the actions as an event of mode `monitor` reports them. */
export function monitoredActions(actions: EventActions): readonly PerformedAction[] {
  const flags = EventFlag.EVENT_MONITORED | (EventFlag.EVENT_MONITORED << EventFlag.EVENT_RETURN_SHIFT);
  return describeActions(actions, flags, listRequests(actions).map(() => 'monitored')); // prettier-ignore
}

/** The mode that an event of mode `monitor` reports. */
export function monitoredMode(actions: EventActions): 'monitor' | undefined {
  return listActions(actions).some(isEnforcing) || listRequests(actions).length > 0 ? 'monitor' : undefined;
}

function describeActions(
  actions: EventActions,
  flags: number,
  outcomes: readonly RequestOutcome[],
): readonly PerformedAction[] {
  const left = [...outcomes];
  const atEntry = describeSelectorActions(actions.entry, flags, left);
  const all =
    actions.returned === undefined ? atEntry : [...atEntry, ...describeReturnActions(actions.returned, flags, left)];
  return all.some(({ action }) => action === 'post') ? all : [...all, ...POST];
}

function describeReturnActions(actions: SelectorActions, flags: number, outcomes: RequestOutcome[]): PerformedAction[] {
  const own = describeSelectorActions(actions, flags >> EventFlag.EVENT_RETURN_SHIFT, outcomes);
  for (const each of own as { onReturn?: true }[]) each.onReturn = true;
  return own;
}

/** Takes the outcomes of its requests from the front of `outcomes`. */
function describeSelectorActions(
  actions: SelectorActions,
  flags: number,
  outcomes: RequestOutcome[],
): PerformedAction[] {
  const targets = [...(actions.requests ?? [])];
  const marks = [...(actions.marks ?? [])];
  return actions.order.flatMap((name): PerformedAction[] => {
    switch (name) {
      case 'noPost':
      case 'count':
        return [];
      case 'signal':
      case 'sigkill':
        return [
          { action: name, signal: actions.signal ?? 0, outcome: actionOutcome(flags, EventFlag.EVENT_SIGNALLED) },
        ];
      case 'override':
        return [
          { action: name, ...overrideEffects(actions), outcome: actionOutcome(flags, EventFlag.EVENT_OVERRIDDEN) },
        ];
      case 'set': {
        const { argument = 0, value = 0 } = actions.set ?? {};
        return [{ action: name, index: argument, value, outcome: actionOutcome(flags, EventFlag.EVENT_OVERRIDDEN) }];
      }
      case 'notifyEnforcer':
        return [{ action: name, ...notifyEffects(actions), outcome: actionOutcome(flags, EventFlag.EVENT_NOTIFIED) }];
      case 'getUrl':
        return [{ action: name, url: targets.shift() ?? '', outcome: outcomes.shift() ?? 'dropped' }];
      case 'dnsLookup':
        return [{ action: name, name: targets.shift() ?? '', outcome: outcomes.shift() ?? 'dropped' }];
      case 'mark':
      case 'unmark':
        return [{ action: name, mark: marks.shift() ?? '' }];
      case 'post':
      case 'cleanupEnforcerNotification':
      case 'trackSock':
      case 'untrackSock':
        return [{ action: name }];
    }
  });
}

function notifyEffects({ notify }: SelectorActions): { readonly signal?: number; readonly value?: number } {
  const { signal, override } = notify ?? {};
  const effects: { signal?: number; value?: number } = {};
  if (signal !== undefined) effects.signal = signal;
  if (override !== undefined) effects.value = override;
  return effects;
}

function overrideEffects({
  override,
  registers,
  goOn,
}: SelectorActions): Omit<PerformedOverride, 'action' | 'outcome'> {
  if (registers !== undefined) return { registers: registers.map(({ text }) => text) };
  if (goOn === undefined) return { value: override ?? 0 };
  return { target: goOn.symbol ?? `0x${(goOn.fileOffset ?? goOn.address ?? 0n).toString(16)}` };
}

function actionOutcome(flags: number, done: number): 'done' | 'monitored' | 'protected' | 'failed' {
  if ((flags & EventFlag.EVENT_MONITORED) !== 0) return 'monitored';
  if ((flags & EventFlag.EVENT_PROTECTED) !== 0) return 'protected';
  return (flags & done) !== 0 ? 'done' : 'failed';
}

/**
 * The last action that changed something or started a request, or that mode `monitor` withheld. Post if there is none.
 */
export function mainAction(actions: readonly PerformedAction[]): PerformedAction['action'] {
  return actions.findLast(isNamed)?.action ?? 'post';
}

function isNamed(action: PerformedAction): boolean {
  if ('outcome' in action) return ['done', 'started', 'monitored'].includes(action.outcome);
  switch (action.action) {
    case 'trackSock':
    case 'untrackSock':
      return true;
    case 'post':
    case 'mark':
    case 'unmark':
    case 'cleanupEnforcerNotification':
      return false;
  }
}

/** The mode, if the selector acts on processes, functions, programs (directly or by enforcers) or the network. */
export function readPolicyMode(
  chunk: RecordChunk,
  at: number,
  actions: EventActions | undefined,
  outcomes: readonly RequestOutcome[],
): 'enforce' | 'monitor' | undefined {
  const isActing = actions !== undefined && listActions(actions).some(isEnforcing);
  if (!isActing && outcomes.length === 0) return undefined;
  const flags = chunk.u16(at + EventHeader.flags);
  const monitored = EventFlag.EVENT_MONITORED | (EventFlag.EVENT_MONITORED << EventFlag.EVENT_RETURN_SHIFT);
  return (flags & monitored) !== 0 || outcomes.includes('monitored') ? 'monitor' : 'enforce';
}
