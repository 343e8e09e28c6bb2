/** Finds the events that a policy would have reported of a recording. */
import type { HookArgument, PlainEvent, PlainOf, TracerEvent } from '../../types/events.js';
import type { Replayed, Replayer, RecordedEvent, RecordedHook, RecordedValue, Verdict } from '../../types/recording.js';
import { evaluate } from '../evaluate/evaluate.js';
import { mainAction, monitoredActions, monitoredMode, POST } from '../events/performed.js';
import { valuesOf } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import { coverage, covers, hookKey } from './coverage.js';
import { recordedHook } from './recorder.js';

/** An event of a hook. */
type HookEvent = Extract<PlainEvent, { readonly selector: number }>;

export function replayer(image: CompiledPolicy, recorded: readonly RecordedHook[]): Replayer {
  const own = image.hooks.filter(({ kind }) => kind !== 'enforcer');
  const sources = new Map(own.map((hook) => [hook, sourcesOf(hook, image.name, recorded)]));
  return {
    uncovered: own.filter((hook) => sources.get(hook)?.size === 0),
    replay: (call) =>
      own.flatMap((hook) => {
        const isCall = call.hook !== undefined && sources.get(hook)?.has(hookKey(call.hook)) === true;
        return isCall ? replayCall(call, hook, image) : [];
      }),
  };
}

/** The recorded hooks whose calls are calls of this hook: those that read the same, if there are such. */
function sourcesOf(hook: CompiledHook, policyName: string, recorded: readonly RecordedHook[]): ReadonlySet<string> {
  const wanted = recordedHook({ policyName, image: hook });
  const rated = recorded.map((each) => ({ each, rating: coverage(wanted, each) }));
  const best = rated.reduce((most, { rating }) => Math.max(most, rating), 0);
  return new Set(rated.filter(({ rating }) => rating > 0 && rating === best).map(({ each }) => hookKey(each)));
}

function replayCall({ event, hook: source }: RecordedEvent, hook: CompiledHook, image: CompiledPolicy): Replayed[] {
  if (source === undefined || event.type === 'lost') return [];
  const at = image.hooks.indexOf(hook);
  if (event.type === 'process_loader') {
    const verdict = evaluate(hook, image.processSets, { ...event, values: [], ofSocketOwner: false });
    return [
      { hook: at, verdict, ...(verdict.reported === 'no' ? {} : { event: { ...event, policyName: image.name } }) },
    ];
  }
  if (!isHookEvent(event) || !covers(hook, event, source)) return [];
  const values = valuesInSlots(hook, source, event);
  const verdict = evaluate(hook, image.processSets, { ...event, values });
  if (verdict.reported === 'no') return [{ hook: at, verdict }];
  return [{ hook: at, verdict, event: reportedEvent(event, hook, image.name, verdict, values) }];
}

function isHookEvent(event: PlainEvent): event is HookEvent {
  return 'selector' in event;
}

/** The recorded values in the slots of the hook. A value is the same if it is read from the same place in the same way. */
function valuesInSlots(hook: CompiledHook, source: RecordedHook, event: HookEvent): (HookArgument | undefined)[] {
  const recorded = new Map<string, HookArgument>();
  const note = (place: string, values: readonly RecordedValue[], args: readonly HookArgument[]): void => {
    const left = [...args];
    for (const value of values) {
      if (value.type === 'nop' || value.type === 'auto') continue;
      const argument = left.shift();
      if (argument?.type === value.type) recorded.set(`${place} ${identity(value)}`, argument);
    }
  };
  const returned = 'return' in event && event.return !== undefined ? [event.return] : [];
  note('entry', source.args, event.args);
  note('entry', source.data, 'data' in event ? event.data : []);
  note('return', source.returnArg === undefined ? [] : [source.returnArg], returned);
  return valuesOf(hook).map((value) => {
    const place = value === hook.returnArg ? 'return' : 'entry';
    const argument = recorded.get(`${place} ${identity(value)}`);
    return argument ?? (value.maxData === true ? undefined : wholeBuffer(recorded, place, value));
  });
}

/** Where and how a value is read. */
function identity(value: RecordedValue): string {
  const { index, type, source, resolve, btfType, btfTypeModule, sizeArgIndex, returnCopy, maxData } = value;
  return JSON.stringify([index, type, source, resolve, btfType, btfTypeModule, sizeArgIndex, returnCopy, maxData]);
}

/** A buffer that was recorded with `maxData` has what is read without it. */
function wholeBuffer(
  recorded: ReadonlyMap<string, HookArgument>,
  place: string,
  value: RecordedValue,
): HookArgument | undefined {
  const argument = recorded.get(`${place} ${identity({ ...value, maxData: true })}`);
  return argument !== undefined && 'truncated' in argument && !argument.truncated ? argument : undefined;
}

function reportedEvent(
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
  const present = (from: number, to: number): HookArgument[] =>
    values.slice(from, to).filter((value) => value !== undefined);
  const entries = hook.args.length + hook.data.length;
  const [returned] = values.slice(entries);
  const { message, policyMode, kernelStack, userStack, ...kept } = event;
  void [message, policyMode, kernelStack, userStack];
  const own = {
    ...kept,
    policyName,
    args: present(0, hook.args.length),
    actions: performed,
    action: mainAction(performed.filter(({ onReturn }) => onReturn !== true)),
    ...(mode === undefined ? {} : { policyMode: mode }),
    ...(hook.message === undefined ? {} : { message: hook.message }),
    tags: hook.tags,
    selector,
    suppressed: 0,
  };
  if (!('data' in event)) return own as PlainEvent;
  const { return: _return, returnAction, ...functionEvent } = own as PlainOf<Extract<TracerEvent, { data: unknown }>>;
  void [_return, returnAction];
  return {
    ...functionEvent,
    data: present(hook.args.length, entries),
    ...(returned === undefined
      ? {}
      : { return: returned, returnAction: mainAction(performed.filter(({ onReturn }) => onReturn === true)) }),
  } as PlainEvent;
}
