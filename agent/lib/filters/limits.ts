/** Limits of what a client may ask for, so that no request can hold up the agent. docs/agent.md lists them. */

export const LIMITS = {
  /** Filters in a list. */
  filters: 64,
  /** Values of one field. */
  values: 1024,
  /** Regular expressions and CEL expressions of a request, all together. */
  patterns: 256,
  expressions: 16,
  /** Characters of a regular expression, and instructions that it is compiled to. */
  patternLength: 1024,
  patternSize: 2048,
  /** Characters of a CEL expression, and steps that it can take. */
  expressionLength: 2048,
  expressionCost: 10_000,
  /** Paths of field filters. */
  paths: 256,
  /** Distinct events in a window of aggregation. */
  aggregated: 10_000,
} as const;

/** A request that cannot be answered. The message names the field. */
export class FilterError extends Error {
  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
  }
}

/** What a request has used of the limits. */
export class Budget {
  #patterns = 0;
  #expressions = 0;

  pattern(field: string): void {
    if (++this.#patterns > LIMITS.patterns)
      throw new FilterError(field, `more than ${LIMITS.patterns} patterns in a request`);
  }

  expression(field: string): void {
    if (++this.#expressions > LIMITS.expressions) {
      throw new FilterError(field, `more than ${LIMITS.expressions} CEL expressions in a request`);
    }
  }
}
