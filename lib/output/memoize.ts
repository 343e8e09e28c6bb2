/** Memoizes strings that repeat in many events. */
import { quoteJson } from './escape.js';

/**
 * Most keys are names of policies and machines, which are few. A program that formats events of its own can have more.
 */
const CACHED_MAX = 1024;

/**
 * Returns a function that calls `make` once for each key. It is for keys that no traced program chooses, or whose
 * number is limited to a few thousand, such as file modes.
 */
export function memoize(make: (key: string) => string): (key: string) => string {
  const results = new Map<string, string>();
  return (key) => {
    const known = results.get(key);
    if (known !== undefined) return known;
    if (results.size >= CACHED_MAX) results.clear();
    const text = flattenString(make(key));
    results.set(key, text);
    return text;
  };
}

/** quoteJson() for names that repeat. */
export const quoteNameJson = memoize(quoteJson);

/**
 * Makes V8 store the string in one piece. V8 keeps a concatenated string as a tree of its parts until a character is
 * read. A cached tree would be flattened again in each event that contains it.
 */
export function flattenString(text: string): string {
  text.charCodeAt(0);
  return text;
}
