/** Describes actions that count and mark: what is counted by what, and whose mark is set for how long. */
import { COUNT_KEYS_DEFAULT } from '../language/limits.js';
import { hasReturn } from '../language/vocabulary.js';
import { findCountedValue, findLabel, isNameFailure, type CountedValue } from '../model/counts.js';
import type { ActionData, Hook, MarkFilter } from '../model/model.js';
import { describeArg, describeData, describeType } from './phrases.js';

const PROCESS_LABELS = {
  binary: 'the binary',
  parentBinary: "the parent's binary",
  container: 'the container',
  pod: 'the pod',
  namespace: "the pod's namespace",
  uid: 'the user id',
} as const;

/** Describes what a Count counts, when, by what, and how many combinations of labels it keeps. */
export function describeCount(hook: Hook, action: ActionData): string {
  const { metric = '', by = [], maxKeys } = action;
  const counted = `Count: ${describeCounted(hook, action)} as "${metric}"`;
  const when = isCountedAtReturn(hook) ? ', when the function returns' : '';
  if (by.length === 0) return `${counted}${when}`;
  const labels = joinPhrases(by.map((name) => describeLabel(hook, name, action)));
  const keys = maxKeys === undefined || maxKeys === 0 ? COUNT_KEYS_DEFAULT : maxKeys;
  return `${counted}, by ${labels}${when} (at most ${keys} combinations, and the others together)`;
}

function describeCounted(hook: Hook, action: ActionData): string {
  const { kind = 'counter' } = action;
  const value = findCountedValue(hook.data, action);
  if (kind === 'counter' || value === undefined || isNameFailure(value)) return 'the calls';
  const what = value.arg.source === 'duration' ? 'the duration in nanoseconds' : describeValue(hook, value);
  return kind === 'sum' ? `the calls and the sum of ${what}` : `the calls, the sum and a histogram of ${what}`;
}

function isCountedAtReturn({ kind, data, selectors }: Hook): boolean {
  if (!hasReturn(kind)) return false;
  const hasDuration = (data.data ?? []).some(({ source }) => source === 'duration');
  const acts = selectors.some(({ matchReturnActions = [] }) => matchReturnActions.length > 0);
  return data.return === true || hasDuration || acts;
}

function describeValue({ data: { args = [], data = [] } }: Hook, { slot, arg }: CountedValue): string {
  if (slot === args.length + data.length) return `the return value (${describeType(arg)})`;
  return slot < args.length && arg.source === undefined ? describeArg(arg, '') : describeData(arg);
}

function describeLabel(hook: Hook, name: string, { folders = 0 }: ActionData): string {
  const label = findLabel(hook.data, name);
  if (typeof label === 'string') return PROCESS_LABELS[label];
  if (isNameFailure(label)) return name;
  const value = describeValue(hook, label);
  // an address that a program passes is the one that it means
  const end = label.arg.type === 'sockaddr' ? '' : 'destination ';
  switch (label.part) {
    case 'number':
      return value;
    case 'text':
      return folders === 0 ? value : `the first ${folders} folders of ${value}`;
    case 'address':
      return `the ${end}address of ${value}`;
    case 'port':
      return `the ${end}port of ${value}`;
    case 'device':
      return `the device of ${value}`;
    case 'errno':
      return 'the name of the error';
  }
}

function joinPhrases(phrases: readonly string[]): string {
  return phrases.length < 2 ? phrases.join('') : `${phrases.slice(0, -1).join(', ')} and ${phrases.at(-1) ?? ''}`;
}

/** Describes what Mark and Unmark do, and who has the mark. */
export function describeMarkAction(action: ActionData): string {
  const { mark = '', ttl, inherit, shared, scope } = action;
  const whose = describeOwner(scope);
  const where = shared === true ? ', shared with other policies' : '';
  if (action.action === 'Unmark') return `Unmark: ${whose} is no longer marked "${mark}"${where}`;
  const until = ttl === undefined ? '' : ` for ${ttl}`;
  const children = scope === 'container' ? '' : inherit === false ? ', but not its children' : ', and its children';
  return `Mark: ${whose} is marked "${mark}"${until}${children}${where}`;
}

const describeOwner = (scope: MarkFilter['scope']): string =>
  scope === 'container' ? 'the container, or the process outside of one,' : 'the process';
