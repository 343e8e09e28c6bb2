/** Creates the events of hooks, and checks the classes of all events against the public contract. */
import type { EventOf, RequestOutcome, TracerEvent } from '../../types/events.js';
import type { ProcessView } from '../process/view.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import type { LoadedHook } from './hook.js';
import { KprobeEvent, LsmEvent, readSelector, TracepointEvent, UprobeEvent, UsdtEvent } from './hook-events.js';
import { LoaderEvent } from './loader.js';
import type { LossEvent } from './loss.js';
import type { MissingMembers } from './members.js';
import { readEventActions, isSilent, listRequests } from './performed-actions.js';
import type { ExecEvent, ExitEvent } from './process-events.js';
import { startRequest } from './requests.js';
import type { ThrottleEvent } from './throttle.js';

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
type Nothing<T extends never> = T;
type Check<Classes extends { readonly [T in TracerEvent['type']]: Optional<EventOf<T>> }> = Classes;
/** @public Only the compiler uses it: the class of each type of event. */
export type ContractChecks = [
  Nothing<MissingMembers>,
  Check<{
    readonly process_exec: ExecEvent;
    readonly process_exit: ExitEvent;
    readonly process_kprobe: KprobeEvent;
    readonly process_tracepoint: TracepointEvent;
    readonly process_uprobe: UprobeEvent;
    readonly process_usdt: UsdtEvent;
    readonly process_lsm: LsmEvent;
    readonly process_loader: LoaderEvent;
    readonly process_throttle: ThrottleEvent;
    readonly lost: LossEvent;
  }>,
];
