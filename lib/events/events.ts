/** Makes the events of hooks. The classes of all events are checked against the public contract here. */
import type {
  ProcessExecEvent,
  ProcessExitEvent,
  ProcessKprobeEvent,
  ProcessLoaderEvent,
  ProcessLsmEvent,
  ProcessTracepointEvent,
  ProcessUprobeEvent,
  ProcessUsdtEvent,
  RequestOutcome,
  TracerEvent,
} from '../../types/events.js';
import type { ProcessView } from '../process/view.js';
import type { Slab } from '../wire/slab.js';
import type { LoadedHook } from './hook.js';
import { KprobeEvent, LsmEvent, selectorOf, TracepointEvent, UprobeEvent, UsdtEvent } from './hook-events.js';
import { LoaderEvent } from './loader.js';
import type { Missing } from './members.js';
import { actionsOf, isSilent, requestsOf } from './performed.js';
import type { ExecEvent, ExitEvent } from './process-events.js';
import { startRequest } from './requests.js';

/**
 * The event for a record of this hook; undefined if it is not reported. Makes the requests of the event's selector:
 * an event with NoPost exists only for them.
 */
export function hookEvent(slab: Slab, at: number, process: ProcessView, hook: LoadedHook): TracerEvent | undefined {
  if (hook.image.kind === 'loader') return new LoaderEvent(slab, at, process, hook) as TracerEvent;
  const { requests } = hook;
  const actions = requests && actionsOf(slab, at, hook.image, selectorOf(slab, at));
  if (requests === undefined || actions === undefined) return eventOf(slab, at, process, hook, NO_REQUESTS);
  const outcomes = requestsOf(actions).map((request) => startRequest(requests, request));
  return isSilent(actions) ? undefined : eventOf(slab, at, process, hook, outcomes);
}

const NO_REQUESTS: readonly RequestOutcome[] = [];

function eventOf(
  slab: Slab,
  at: number,
  process: ProcessView,
  hook: LoadedHook,
  outcomes: readonly RequestOutcome[],
): TracerEvent {
  switch (hook.image.kind) {
    case 'tracepoint':
    case 'raw_tracepoint':
      return new TracepointEvent(slab, at, process, hook, outcomes) as TracerEvent;
    case 'lsm':
      return new LsmEvent(slab, at, process, hook, outcomes) as TracerEvent;
    case 'uprobe':
      return new UprobeEvent(slab, at, process, hook, outcomes) as TracerEvent;
    case 'usdt':
      return new UsdtEvent(slab, at, process, hook, outcomes) as TracerEvent;
    default:
      return new KprobeEvent(slab, at, process, hook, outcomes) as TracerEvent;
  }
}

// These types check that the classes implement the public contract.
type Optional<T> = { [K in keyof T]: undefined extends T[K] ? T[K] | undefined : T[K] };
type Check<Class extends Contract, Contract> = [Class, Contract];
/** @public Only the compiler uses it. */
export type ContractChecks = [
  Check<Missing, never>,
  Check<ExecEvent, Optional<ProcessExecEvent>>,
  Check<ExitEvent, Optional<ProcessExitEvent>>,
  Check<KprobeEvent, Optional<ProcessKprobeEvent>>,
  Check<TracepointEvent, Optional<ProcessTracepointEvent>>,
  Check<LsmEvent, Optional<ProcessLsmEvent>>,
  Check<LoaderEvent, Optional<ProcessLoaderEvent>>,
  Check<UprobeEvent, Optional<ProcessUprobeEvent>>,
  Check<UsdtEvent, Optional<ProcessUsdtEvent>>,
];
