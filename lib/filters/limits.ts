/** Limits of a client's request, so that no request can block the agent. docs/agent.md lists them. */

export const LIMITS = {
  /** Filters of a list. */
  filters: 64,
  /** Values of one field. */
  values: 1024,
  /** Regular expressions of a whole request, and CEL expressions of a whole request. */
  patterns: 256,
  expressions: 16,
  /** Characters of a regular expression, and instructions of its compiled form. */
  patternLength: 1024,
  patternSize: 2048,
  /** Characters of a CEL expression, and steps of one evaluation. */
  expressionLength: 2048,
  expressionCost: 10_000,
  /** Paths of field filters. */
  paths: 256,
  /** Distinct events of an aggregation window. */
  aggregated: 10_000,
} as const;

/** The filters of a request are not valid. The message names the field. */
export class FilterError extends Error {
  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
  }
}

/** Counts the patterns and expressions of one request. */
export class Budget {
  #patterns = 0;
  #expressions = 0;

  addPattern(field: string): void {
    if (++this.#patterns > LIMITS.patterns)
      throw new FilterError(field, `more than ${LIMITS.patterns} patterns in a request`);
  }

  addExpression(field: string): void {
    if (++this.#expressions > LIMITS.expressions) {
      throw new FilterError(field, `more than ${LIMITS.expressions} CEL expressions in a request`);
    }
  }
}
