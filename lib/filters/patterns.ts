/**
 * Compiles regular expressions of RE2. Their time is proportional to the length of the string, whatever the pattern
 * is.
 */
import { RE2JS } from 're2js';
import { FilterError, LIMITS, type Budget } from './limits.js';

/** Returns true if one of the patterns matches a part of the string. */
export type StringTest = (text: string) => boolean;

export function compilePatterns(patterns: readonly string[], field: string, budget: Budget): StringTest {
  const compiled = patterns.map((pattern, i) => compilePattern(pattern, `${field}[${i}]`, budget));
  return (text) => compiled.some((pattern) => pattern.matcher(text).find());
}

function compilePattern(pattern: string, field: string, budget: Budget): RE2JS {
  budget.addPattern(field);
  if (pattern.length > LIMITS.patternLength) {
    throw new FilterError(field, `the pattern has more than ${LIMITS.patternLength} characters`);
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    throw new FilterError(field, error instanceof Error ? error.message : String(error));
  }
  if (compiled.programSize() > LIMITS.patternSize) throw new FilterError(field, 'the pattern is too large');
  return compiled;
}

/**
 * Caches the result of a test for each object, because a process has many events. A result is valid while the string
 * of the object is the same.
 */
export function memoizeTest<T extends object>(
  getString: (object: T) => string,
  test: StringTest,
): (object: T) => boolean {
  const known = new WeakMap<T, { readonly string: string; readonly result: boolean }>();
  return (object) => {
    const string = getString(object);
    const before = known.get(object);
    if (before !== undefined && before.string === string) return before.result;
    const result = test(string);
    known.set(object, { string, result });
    return result;
  };
}

/** Caches a string that is derived from an immutable object. */
export function memoizeString<T extends object>(getString: (object: T) => string): (object: T) => string {
  const known = new WeakMap<T, string>();
  return (object) => {
    let found = known.get(object);
    if (found === undefined) known.set(object, (found = getString(object)));
    return found;
  };
}
