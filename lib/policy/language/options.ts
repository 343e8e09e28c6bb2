/** The options of a policy (`spec.options`): their names, the values that each takes, and what the values mean. */
import type { PolicyImage } from '../../image/image.js';
import type { PolicyOption } from '../../../types/policy-language.js';

export type OptionName = PolicyOption['name'];
type Mode = NonNullable<PolicyImage['mode']>;

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

/** Each option with its values; a record, so that the compiler refuses a table that lacks an option. */
const OPTIONS: Readonly<Record<OptionName, readonly string[]>> = {
  'disable-kprobe-multi': Object.keys(BOOLEANS),
  'disable-uprobe-multi': Object.keys(BOOLEANS),
  'policy-mode': Object.keys(MODES),
  'trust-binary-paths': Object.keys(BOOLEANS),
};

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

export function optionValues(name: OptionName): readonly string[] {
  return OPTIONS[name];
}

export function isOn(value: string | undefined): boolean {
  return value !== undefined && BOOLEANS[value] === true;
}

export function isMode(value: string | undefined): value is Mode {
  return value !== undefined && Object.hasOwn(MODES, value);
}
