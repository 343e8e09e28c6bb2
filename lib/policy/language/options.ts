/** The options of a policy (`spec.options`): their names, the values that each takes, and what the values mean. */
import type { CompiledPolicy } from '../../compiled/compiled-policy.js';
import type { PolicyOption } from '../../../types/policy-language.js';

export type OptionName = PolicyOption['name'];
type Mode = NonNullable<CompiledPolicy['mode']>;

/** A record, so that TypeScript refuses a table that lacks a mode. */
const POLICY_MODES: Readonly<Record<Mode, true>> = { enforce: true, monitor: true, monitor_only: true };

/** The spellings of a boolean in an option. */
const BOOLEAN_VALUES: Readonly<Record<string, boolean>> = {
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

interface OptionRule {
  /** All values of the option. Absent if its value is a number of entries. */
  readonly values?: readonly string[];
  /** Describes the effect of the option, for `explain`. */
  readonly effect: (value: string) => string;
}

const SEPARATE_ATTACH_EFFECT = 'is attached separately';
/** An option for the size of a table that only Tetragon has. */
const TABLE_SIZE_OPTION: OptionRule = { effect: () => 'no effect: polytrace has no table that this could size' };

const MODE_EFFECTS: Readonly<Record<Mode, string>> = {
  enforce: 'actions are carried out, if the tracer allows enforcement',
  monitor: 'actions are reported, but not carried out',
  monitor_only: 'actions are reported, but not carried out, and the mode cannot be changed',
};

/** Each option with its values. A record, so that TypeScript refuses a table that lacks an option. */
const OPTION_TABLE: Readonly<Record<OptionName, OptionRule>> = {
  'disable-kprobe-multi': {
    values: Object.keys(BOOLEAN_VALUES),
    effect: (value) =>
      isOptionOn(value) ? `each function ${SEPARATE_ATTACH_EFFECT}` : 'no effect: this is the default',
  },
  'disable-uprobe-multi': {
    values: Object.keys(BOOLEAN_VALUES),
    effect: (value) => (isOptionOn(value) ? `each place ${SEPARATE_ATTACH_EFFECT}` : 'no effect: this is the default'),
  },
  'override-method': {
    values: ['fmod-ret', 'override-return'],
    effect: () =>
      'no effect: polytrace takes fmod_ret where the kernel allows it, else a kprobe; the option `attach` of the tracer decides otherwise',
  },
  'policy-mode': {
    values: Object.keys(POLICY_MODES),
    effect: (value) => (isPolicyMode(value) ? MODE_EFFECTS[value] : ''),
  },
  'sleepable-preload-size': TABLE_SIZE_OPTION,
  'trust-binary-paths': {
    values: Object.keys(BOOLEAN_VALUES),
    effect: (value) =>
      isOptionOn(value) ? 'the path of a binary alone can exempt a process' : 'no effect: this is the default',
  },
  'uprobe-heap-size': TABLE_SIZE_OPTION,
};

/** Maximum number of entries of a table, as in Tetragon. */
const ENTRIES_MAX = 2 ** 32 - 1;

export const OPTION_NAMES = Object.keys(OPTION_TABLE) as readonly OptionName[];

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTION_TABLE, name);
}

/** Returns undefined if the value of the option is a number of entries. */
export function optionValues(name: OptionName): readonly string[] | undefined {
  return OPTION_TABLE[name].values;
}

export function isOptionValue(name: OptionName, value: string): boolean {
  const values = optionValues(name);
  if (values !== undefined) return values.includes(value);
  return /^[1-9][0-9]*$/.test(value) && Number(value) <= ENTRIES_MAX;
}

export function optionEffect(name: OptionName, value: string): string {
  return OPTION_TABLE[name].effect(value);
}

export function isOptionOn(value: string | undefined): boolean {
  return value !== undefined && BOOLEAN_VALUES[value] === true;
}

export function isPolicyMode(value: string | undefined): value is Mode {
  return value !== undefined && Object.hasOwn(POLICY_MODES, value);
}
