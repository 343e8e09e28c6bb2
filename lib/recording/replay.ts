/** Evaluates a policy over a recording: which events it would have reported. */
import type { HookArgument, PlainEvent, PlainOf, TracerEvent } from '../../types/events.js';
import type { Replayed, Replayer, RecordedEvent, RecordedHook, RecordedValue, Verdict } from '../../types/recording.js';
import { evaluateHook } from '../evaluate/evaluate.js';
import { CountHistory } from '../evaluate/counts.js';
import { MarkHistory } from '../evaluate/marks.js';
import { mainAction, monitoredActions, monitoredMode, POST } from '../events/performed-actions.js';
import { hookValues } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import { rateCoverage, isCoveredCall, hookKey } from './coverage.js';
import { toRecordedHook } from './recorder.js';

/** What earlier calls have left. */
interface History {
  readonly marks: MarkHistory;
  readonly counts: CountHistory;
  /** Calls of each hook. */
  readonly calls: Map<CompiledHook, number>;
}

/** An event of a hook. */
type HookEvent = Extract<PlainEvent, { readonly selector: number }>;

export function replayer(policy: CompiledPolicy, recorded: readonly RecordedHook[]): Replayer {
  const own = policy.hooks.filter(({ kind }) => kind !== 'enforcer');
  const calls = new Map<CompiledHook, number>();
  const history: History = { marks: new MarkHistory(policy.marks ?? []), counts: new CountHistory(policy), calls };
  const filtered = new Set(recorded.filter(({ isFiltered }) => isFiltered).map(hookKey));
  const sources = new Map(own.map((hook) => [hook, findSources(hook, policy.name, recorded)]));
  return {
    uncovered: own.filter((hook) => sources.get(hook)?.size === 0),
    replay: (call) =>
      own.flatMap((hook) => {
        const isCall = call.hook !== undefined && sources.get(hook)?.has(hookKey(call.hook)) === true;
        return isCall ? replayCall(call, hook, policy, history) : [];
      }),
    metrics: () => {
      const isIncomplete = (hook: CompiledHook): boolean => {
        const keys = [...(sources.get(hook) ?? [])];
        return keys.length === 0 || keys.some((key) => filtered.has(key));
      };
      return history.counts.metrics(new Map(own.filter(isIncomplete).map((hook) => [hook, calls.get(hook) ?? 0])));
    },
  };
}

/** Returns the recorded hooks whose calls are calls of this hook. Hooks that read the same values have precedence. */
function findSources(hook: CompiledHook, policyName: string, recorded: readonly RecordedHook[]): ReadonlySet<string> {
  const wanted = toRecordedHook({ policyName, compiled: hook });
  const rated = recorded.map((each) => ({ each, rating: rateCoverage(wanted, each) }));
  const best = rated.reduce((highest, { rating }) => Math.max(highest, rating), 0);
  return new Set(rated.filter(({ rating }) => rating > 0 && rating === best).map(({ each }) => hookKey(each)));
}

function replayCall(
  { event, hook: source }: RecordedEvent,
  hook: CompiledHook,
  policy: CompiledPolicy,
  { marks, counts, calls }: History,
): Replayed[] {
  if (source === undefined) return [];
  const index = policy.hooks.indexOf(hook);
  switch (event.type) {
    case 'process_kprobe':
    case 'process_tracepoint':
    case 'process_uprobe':
    case 'process_usdt':
    case 'process_lsm': {
      if (!isCoveredCall(hook, event, source)) return [];
      const values = valuesInSlots(hook, source, event);
      const recorded = { ...event, values, isSocketOwner: event.ofSocketOwner };
      const verdict = evaluateHook(hook, policy.processSets, recorded, marks);
      marks.apply(hook, recorded, verdict);
      counts.add(hook, recorded, verdict);
      calls.set(hook, (calls.get(hook) ?? 0) + 1);
      if (verdict.reported === 'no') return [{ hook: index, verdict }];
      return [{ hook: index, verdict, event: toReportedEvent(event, hook, policy.name, verdict, values) }];
    }
    case 'process_loader': {
      const verdict = evaluateHook(hook, policy.processSets, { ...event, values: [], isSocketOwner: false });
      if (verdict.reported === 'no') return [{ hook: index, verdict }];
      return [{ hook: index, verdict, event: { ...event, policyName: policy.name } }];
    }
    case 'process_exec':
    case 'process_exit':
    case 'process_throttle':
    case 'change':
    case 'lost':
      return [];
  }
}

/** Returns the recorded values by the slots of the hook. Two values are equal if they have the same `valueKey`. */
function valuesInSlots(hook: CompiledHook, source: RecordedHook, event: HookEvent): (HookArgument | undefined)[] {
  const recorded = new Map<string, HookArgument>();
  const addValues = (phase: string, values: readonly RecordedValue[], args: readonly HookArgument[]): void => {
    const left = [...args];
    for (const value of values) {
      if (value.type === 'nop' || value.type === 'auto') continue; // these are not reported
      const type: HookArgument['type'] = value.type;
      const argument = left.shift();
      if (argument?.type === type) recorded.set(`${phase} ${valueKey(value)}`, argument);
    }
  };
  const returned = 'return' in event && event.return !== undefined ? [event.return] : [];
  addValues('entry', source.args, event.args);
  addValues('entry', source.data, 'data' in event ? event.data : []);
  addValues('return', source.returnArg === undefined ? [] : [source.returnArg], returned);
  return hookValues(hook).map((value) => {
    const phase = value === hook.returnArg ? 'return' : 'entry';
    const argument = recorded.get(`${phase} ${valueKey(value)}`);
    return argument ?? (value.maxData === true ? undefined : findCompleteBuffer(recorded, phase, value));
  });
}

/** Returns a key of where and how a value is read. */
function valueKey(value: RecordedValue): string {
  const { index, type, source, resolve, btfType, btfTypeModule, sizeArgIndex, returnCopy, maxData } = value;
  return JSON.stringify([index, type, source, resolve, btfType, btfTypeModule, sizeArgIndex, returnCopy, maxData]);
}

/** Finds a complete buffer that was recorded with `maxData`. It is equal to the buffer that is read without `maxData`. */
function findCompleteBuffer(
  recorded: ReadonlyMap<string, HookArgument>,
  phase: string,
  value: RecordedValue,
): HookArgument | undefined {
  const argument = recorded.get(`${phase} ${valueKey({ ...value, maxData: true })}`);
  return argument !== undefined && 'truncated' in argument && !argument.truncated ? argument : undefined;
}

function toReportedEvent(
  event: HookEvent,
  hook: CompiledHook,
  policyName: string,
  verdict: Verdict,
  values: readonly (HookArgument | undefined)[],
): PlainEvent {
  const selector = verdict.selector ?? verdict.selectors[0] ?? 0;
  const entry = hook.actions?.[selector];
  const actions = entry && { entry, returned: hook.returnActions?.[selector] };
  const performed = actions === undefined ? POST : monitoredActions(actions);
  const mode = actions && monitoredMode(actions);
  const presentValues = (from: number, to: number): HookArgument[] =>
    values.slice(from, to).filter((value) => value !== undefined);
  const entries = hook.args.length + hook.data.length;
  const [returned] = values.slice(entries);
  const { message, policyMode, kernelStack, userStack, marks, ...kept } = event;
  void [message, policyMode, kernelStack, userStack, marks];
  const own = {
    ...kept,
    policyName,
    args: presentValues(0, hook.args.length),
    actions: performed,
    action: mainAction(performed.filter(({ onReturn }) => onReturn !== true)),
    ...(mode === undefined ? {} : { policyMode: mode }),
    ...(hook.message === undefined ? {} : { message: hook.message }),
    tags: hook.tags,
    selector,
    suppressed: 0,
  };
  if (!('data' in event)) return own;
  const { return: _return, returnAction, ...functionEvent } = own as PlainOf<Extract<TracerEvent, { data: unknown }>>;
  void [_return, returnAction];
  return {
    ...functionEvent,
    data: presentValues(hook.args.length, entries),
    ...(returned === undefined
      ? {}
      : { return: returned, returnAction: mainAction(performed.filter(({ onReturn }) => onReturn === true)) }),
  };
}
