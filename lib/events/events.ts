/** Creates the events of hooks, and checks the classes of all events against the public contract. */
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
import type { RecordChunk } from '../wire/record-chunk.js';
import type { LoadedHook } from './hook.js';
import { KprobeEvent, LsmEvent, readSelector, TracepointEvent, UprobeEvent, UsdtEvent } from './hook-events.js';
import { LoaderEvent } from './loader.js';
import type { MissingMembers } from './members.js';
import { readEventActions, isSilent, listRequests } from './performed-actions.js';
import type { ExecEvent, ExitEvent } from './process-events.js';
import { startRequest } from './requests.js';

/**
 * Creates the event for a record of this hook; undefined if it is not reported. Starts the requests of the event's
 * selector: the kernel sends an event with NoPost only because of its requests.
 */
export function createHookEvent(
  chunk: RecordChunk,
  at: number,
  process: ProcessView,
  hook: LoadedHook,
): TracerEvent | undefined {
  const { requests } = hook;
  const actions = requests && readEventActions(chunk, at, hook.compiled, readSelector(chunk, at));
  if (requests === undefined || actions === undefined) return instantiateEvent(chunk, at, process, hook, NO_REQUESTS);
  const outcomes = listRequests(actions).map((request) => startRequest(requests, request));
  return isSilent(actions) ? undefined : instantiateEvent(chunk, at, process, hook, outcomes);
}

const NO_REQUESTS: readonly RequestOutcome[] = [];

function instantiateEvent(
  chunk: RecordChunk,
  at: number,
  process: ProcessView,
  hook: LoadedHook,
  outcomes: readonly RequestOutcome[],
): TracerEvent {
  switch (hook.compiled.kind) {
    case 'loader':
      return new LoaderEvent(chunk, at, process, hook) as TracerEvent;
    case 'tracepoint':
    case 'raw_tracepoint':
      return new TracepointEvent(chunk, at, process, hook, outcomes) as TracerEvent;
    case 'lsm':
      return new LsmEvent(chunk, at, process, hook, outcomes) as TracerEvent;
    case 'uprobe':
      return new UprobeEvent(chunk, at, process, hook, outcomes) as TracerEvent;
    case 'usdt':
      return new UsdtEvent(chunk, at, process, hook, outcomes) as TracerEvent;
    case 'kprobe':
    case 'fentry':
    case 'enforcer': // it writes no records
      return new KprobeEvent(chunk, at, process, hook, outcomes) as TracerEvent;
  }
}

// These types check that the classes implement the public contract.
type Optional<T> = { [K in keyof T]: undefined extends T[K] ? T[K] | undefined : T[K] };
type Check<Class extends Contract, Contract> = [Class, Contract];
/** @public Only the compiler uses it. */
export type ContractChecks = [
  Check<MissingMembers, never>,
  Check<ExecEvent, Optional<ProcessExecEvent>>,
  Check<ExitEvent, Optional<ProcessExitEvent>>,
  Check<KprobeEvent, Optional<ProcessKprobeEvent>>,
  Check<TracepointEvent, Optional<ProcessTracepointEvent>>,
  Check<LsmEvent, Optional<ProcessLsmEvent>>,
  Check<LoaderEvent, Optional<ProcessLoaderEvent>>,
  Check<UprobeEvent, Optional<ProcessUprobeEvent>>,
  Check<UsdtEvent, Optional<ProcessUsdtEvent>>,
];
