/** The problems of a configuration. Each has a code, a source and a remedy. */
import type * as Levenshtein from 'fastest-levenshtein';

/** docs/agent-configuration.md explains the codes. */
type ConfigCode = 'CONFIG_FILE' | 'CONFIG_YAML' | 'CONFIG_UNKNOWN' | 'CONFIG_VALUE' | 'CONFIG_CONFLICT';

export interface ConfigProblem {
  readonly code: ConfigCode;
  /** FILE:LINE:COLUMN, a file name, a variable or a flag. */
  readonly source: string;
  readonly message: string;
}

/** The configuration is invalid. The message has one line for each problem. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ code, source, message }) => `${source}: ${code}: ${message}`).join('\n'));
    this.problems = problems;
  }
}

/** Largest edit distance of a suggestion, as a part of the length of the name. */
const DISTANCE_MAX = 0.5;

/** Returns ` (did you mean 'x'?)`, or an empty string when no name is similar. */
export function suggestName(name: string, names: readonly string[], prefix = ''): string {
  // it has tables of 256 KiB, which only a mistake needs
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { closest, distance } = require('fastest-levenshtein') as typeof Levenshtein;
  const found = closest(name, names);
  return distance(name, found) <= Math.ceil(name.length * DISTANCE_MAX) ? ` (did you mean '${prefix}${found}'?)` : '';
}
