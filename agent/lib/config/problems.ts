/** The mistakes of a configuration. Each has a code, a place and a remedy. */
import { closest, distance } from 'fastest-levenshtein';

/** docs/agent-configuration.md explains the codes. */
type ConfigCode = 'CONFIG_FILE' | 'CONFIG_YAML' | 'CONFIG_UNKNOWN' | 'CONFIG_VALUE' | 'CONFIG_CONFLICT';

export interface ConfigProblem {
  readonly code: ConfigCode;
  /** FILE:LINE:COLUMN, a file, a variable or a flag. */
  readonly place: string;
  readonly message: string;
}

/** Settings that make no sense, or that contradict each other. The message has all mistakes, each on a line. */
export class BadOption extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ code, place, message }) => `${place}: ${code}: ${message}`).join('\n'));
    this.problems = problems;
  }
}

/** A name that is further away is no likely mistake. */
const FAR = 0.5;

/** ` (did you mean 'x'?)`, or nothing when no name is near. */
export function nearest(name: string, names: readonly string[], prefix = ''): string {
  const found = closest(name, names);
  return distance(name, found) <= Math.ceil(name.length * FAR) ? ` (did you mean '${prefix}${found}'?)` : '';
}
