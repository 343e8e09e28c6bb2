/** The error for an invalid option, and the check of the names of options. */
import { inspect } from 'node:util';
import { PolytraceError } from '../errors.js';

export function badOptionError(name: string, what: string, allowed: string): PolytraceError {
  return new PolytraceError('BAD_OPTION', `option ${name} ${what}`, allowed);
}

/** Throws PolytraceError BAD_OPTION if the name of a policy is no string. */
export function checkPolicyName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw badOptionError('name', `is ${inspect(name)}`, 'pass the name of a loaded policy');
}

/** A table of the names of all options of an interface, so that the compiler asks for a new one. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/** Throws PolytraceError BAD_OPTION for an option that does not exist. `prefix` is the path of the object, with a dot. */
export function checkOptionNames<T extends object>(options: T, names: OptionNames<T>, prefix = ''): void {
  const allowed = Object.keys(names);
  const unknown = Object.keys(options).find((name) => !allowed.includes(name));
  if (unknown === undefined) return;
  const remedy = allowed.length === 1 ? `the only option is ${allowed[0]}` : `options are ${allowed.join(', ')}`;
  throw badOptionError(`${prefix}${unknown}`, 'is not an option', remedy);
}
