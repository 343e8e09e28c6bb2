/** The options of a policy (`spec.options`): their names, the values that each takes, and what the values mean. */
import type { CompiledPolicy } from '../../compiled/compiled-policy.js';
import type { PolicyOption } from '../../../types/policy-language.js';

export type OptionName = PolicyOption['name'];
type Mode = NonNullable<CompiledPolicy['mode']>;

/** A record, so that the compiler refuses a table that lacks a mode. */
const MODES: Readonly<Record<Mode, true>> = { enforce: true, monitor: true, monitor_only: true };

/** The ways to write a boolean in an option. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  '0': false,
  '1': true,
  true: true,
  false: false,
  t: true,
  f: false,
  T: true,
  F: false,
  TRUE: true,
  FALSE: false,
  True: true,
  False: false,
};

interface OptionFacts {
  /** All values that the option takes. Absent if it takes a number of entries. */
  readonly values?: readonly string[];
  /** What the option does here, for `explain`. */
  readonly effect: (value: string) => string;
}

const EACH_APART = 'is attached separately';
/** A number of entries of a table that only Tetragon has. */
const TABLE_SIZE: OptionFacts = { effect: () => 'no effect: polytrace has no table that this could size' };

const MODE_WORDS: Readonly<Record<Mode, string>> = {
  enforce: 'actions are carried out, if the tracer allows enforcement',
  monitor: 'actions are reported, but not carried out',
  monitor_only: 'actions are reported, but not carried out, and the mode cannot be changed',
};

/** Each option with its values; a record, so that the compiler refuses a table that lacks an option. */
const OPTIONS: Readonly<Record<OptionName, OptionFacts>> = {
  'disable-kprobe-multi': {
    values: Object.keys(BOOLEANS),
    effect: (value) => (isOn(value) ? `each function ${EACH_APART}` : 'no effect: this is the default'),
  },
  'disable-uprobe-multi': {
    values: Object.keys(BOOLEANS),
    effect: (value) => (isOn(value) ? `each place ${EACH_APART}` : 'no effect: this is the default'),
  },
  'override-method': {
    values: ['fmod-ret', 'override-return'],
    effect: () =>
      'no effect: polytrace takes fmod_ret where the kernel allows it, else a kprobe; the option `attach` of the tracer decides otherwise',
  },
  'policy-mode': {
    values: Object.keys(MODES),
    effect: (value) => (isMode(value) ? MODE_WORDS[value] : ''),
  },
  'sleepable-preload-size': TABLE_SIZE,
  'trust-binary-paths': {
    values: Object.keys(BOOLEANS),
    effect: (value) =>
      isOn(value) ? 'the path of a binary alone can exempt a process' : 'no effect: this is the default',
  },
  'uprobe-heap-size': TABLE_SIZE,
};

/** The largest number of entries of a table, as in Tetragon. */
const ENTRIES_MAX = 2 ** 32 - 1;

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** Absent if the option takes a number of entries. */
export function optionValues(name: OptionName): readonly string[] | undefined {
  return OPTIONS[name].values;
}

export function takesValue(name: OptionName, value: string): boolean {
  const values = optionValues(name);
  if (values !== undefined) return values.includes(value);
  return /^[1-9][0-9]*$/.test(value) && Number(value) <= ENTRIES_MAX;
}

export function optionEffect(name: OptionName, value: string): string {
  return OPTIONS[name].effect(value);
}

export function isOn(value: string | undefined): boolean {
  return value !== undefined && BOOLEANS[value] === true;
}

export function isMode(value: string | undefined): value is Mode {
  return value !== undefined && Object.hasOwn(MODES, value);
}
