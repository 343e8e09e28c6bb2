/** Finds what the fields of a Count action name: its labels (`by`) and the value that it adds up (`value`). */
import { ARG_TYPES, type TypeFacts, type ValueClass } from '../language/vocabulary.js';
import type { ActionData, ArgData, HookData } from './model.js';

const PROCESS_LABELS = ['binary', 'parentBinary', 'container', 'pod', 'namespace', 'uid'] as const;
type ProcessLabel = (typeof PROCESS_LABELS)[number];
/** Parts of a value that a label can name, as in `arg0.port`. */
type NamedPart = 'port' | 'device';
/** The part of a value that a label shows. */
type LabelPart = NamedPart | 'number' | 'text' | 'address' | 'errno';

export interface CountedValue {
  readonly slot: number;
  readonly arg: ArgData;
}

export type LabelSource = ProcessLabel | (CountedValue & { readonly part: LabelPart });

/** The reason why a name means nothing here, and what to write instead. */
export interface NameFailure {
  readonly message: string;
  readonly hint: string;
}

export const isNameFailure = (found: object | string): found is NameFailure =>
  typeof found === 'object' && 'message' in found;

const isProcessLabel = (name: string): name is ProcessLabel => (PROCESS_LABELS as readonly string[]).includes(name);

/** Finds a value of the hook: `return`, `argN`, `dataN` (positions in `args` and `data`), or the label of a value. */
function findValue(
  { args = [], data = [], returnArg, return: returns }: HookData,
  name: string,
): CountedValue | undefined {
  if (name === 'return') {
    return returns === true && returnArg !== undefined
      ? { slot: args.length + data.length, arg: returnArg }
      : undefined;
  }
  const all = [...args, ...data];
  const [, list, position] = /^(arg|data)(\d{1,3})$/.exec(name) ?? [];
  const offset = list === 'data' ? args.length : 0;
  const isInList = list !== undefined && Number(position) < (list === 'data' ? data : args).length;
  const slot = isInList ? offset + Number(position) : all.findIndex(({ label }) => label === name);
  const arg = all[slot];
  return arg === undefined ? undefined : { slot, arg };
}

function describeValues({ args = [], data = [], returnArg, return: returns }: HookData): string {
  const names = [
    ...args.map((_, i) => `arg${i}`),
    ...data.map((_, i) => `data${i}`),
    ...(returns === true && returnArg !== undefined ? ['return'] : []),
  ];
  return names.length === 0 ? 'this hook reads no values' : `values of this hook: ${names.join(', ')}`;
}

/** The part of a value that its label has if the policy names none; undefined if it cannot be a label. */
function defaultPart(valueClass: ValueClass): LabelPart | undefined {
  switch (valueClass) {
    case 'signed':
    case 'unsigned':
    case 'capability':
    case 'syscall':
      return 'number';
    case 'text':
    case 'path':
    case 'file':
    case 'unixAddress':
    case 'algorithmAddress':
      return 'text';
    case 'sock':
    case 'skb':
    case 'sockaddr':
      return 'address';
    case 'capabilities':
    case 'opaque':
    case 'nop':
    case 'auto':
      return undefined;
  }
}

function hasPart(valueClass: ValueClass, part: string): part is NamedPart {
  if (part === 'port') return defaultPart(valueClass) === 'address';
  return part === 'device' && (valueClass === 'file' || valueClass === 'path');
}

/** Finds the source of one label of `by`. */
export function findLabel(hook: HookData, text: string): LabelSource | NameFailure {
  if (isProcessLabel(text)) return text;
  if (text === 'errno') return findErrno(hook);
  const [name = '', part] = text.split('.', 2);
  const found = findValue(hook, name);
  if (found === undefined) {
    const hint = `write one of ${PROCESS_LABELS.join(', ')}, errno, or a value; ${describeValues(hook)}`;
    return { message: `there is nothing called ${JSON.stringify(name)} to count by`, hint };
  }
  const type = found.arg.type ?? 'nop';
  const { class: valueClass } = ARG_TYPES[type];
  if (part === undefined) {
    const own = defaultPart(valueClass);
    if (own !== undefined) return { ...found, part: own };
    const hint = 'count by a number, a string, a path or a socket';
    return { message: `${name} is of type ${type}, which cannot be a label`, hint };
  }
  if (hasPart(valueClass, part)) return { ...found, part };
  const hint = '`.port` is a part of sockets and addresses, `.device` one of files and paths';
  return { message: `${name} is of type ${type}, which has no part ${JSON.stringify(part)}`, hint };
}

function findErrno(hook: HookData): LabelSource | NameFailure {
  const found = findValue(hook, 'return');
  const { class: valueClass, bits }: TypeFacts = ARG_TYPES[found?.arg.type ?? 'nop'];
  if (found !== undefined && (valueClass === 'signed' || (valueClass === 'unsigned' && bits === 64))) {
    return { ...found, part: 'errno' };
  }
  const hint = 'add `return: true` and a returnArg of type int';
  return { message: 'errno needs a return value that is a signed number', hint };
}

/** Finds the value that a Count adds up; undefined if it only counts calls. */
export function findCountedValue(hook: HookData, { value = '1' }: ActionData): CountedValue | NameFailure | undefined {
  if (value === '1') return undefined;
  const found = value === 'duration' ? findDuration(hook) : findValue(hook, value);
  if (found === undefined) {
    const hint = `write 1, duration, or a value; ${describeValues(hook)}`;
    return { message: `there is nothing called ${JSON.stringify(value)} to add up`, hint };
  }
  const type = found.arg.type ?? 'nop';
  const { class: valueClass } = ARG_TYPES[type];
  if (valueClass === 'signed' || valueClass === 'unsigned') return found;
  return { message: `${value} is of type ${type}, which is not a number`, hint: 'add up a number, or count calls' };
}

/** Finds the value with the source `duration`. model/duration.ts adds one if the policy needs it. */
function findDuration({ args = [], data = [] }: HookData): CountedValue | undefined {
  const position = data.findIndex(({ source }) => source === 'duration');
  const arg = data[position];
  return arg === undefined ? undefined : { slot: args.length + position, arg };
}
