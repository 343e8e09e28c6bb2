/** Regular expressions of RE2. They take time in proportion to the text, whatever a client writes. */
import { RE2JS } from 're2js';
import { FilterError, LIMITS, type Budget } from './limits.js';

/** True if any of the patterns matches a part of the text. */
export type TextTest = (text: string) => boolean;

export function compilePatterns(patterns: readonly string[], field: string, budget: Budget): TextTest {
  const compiled = patterns.map((pattern, i) => compile(pattern, `${field}[${i}]`, budget));
  return (text) => compiled.some((pattern) => pattern.matcher(text).find());
}

function compile(pattern: string, field: string, budget: Budget): RE2JS {
  budget.pattern(field);
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
 * Remembers what a test said about an object: the texts of a process do not change, and it has many events. The test is asked again
 * when the text is another one.
 */
export function remembered<T extends object>(text: (of: T) => string, test: TextTest): (of: T) => boolean {
  const known = new WeakMap<T, { readonly text: string; readonly result: boolean }>();
  return (of) => {
    const now = text(of);
    const before = known.get(of);
    if (before !== undefined && before.text === now) return before.result;
    const result = test(now);
    known.set(of, { text: now, result });
    return result;
  };
}

/** Remembers a text about an object that does not change. */
export function rememberedText<T extends object>(text: (of: T) => string): (of: T) => string {
  const known = new WeakMap<T, string>();
  return (of) => {
    let found = known.get(of);
    if (found === undefined) known.set(of, (found = text(of)));
    return found;
  };
}
