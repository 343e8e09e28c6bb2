/** Texts that repeat in each event: they are made once. */
import { quoteJson } from './escape.js';

/** Most keys are names of policies and machines. A program that formats events of its own can have more. */
const KEPT_MAX = 1024;

/**
 * Returns a function that makes the text of each key once. For keys that no traced program chooses, or of which there
 * are few thousand short ones, like modes of files.
 */
export function kept(make: (key: string) => string): (key: string) => string {
  const texts = new Map<string, string>();
  return (key) => {
    const known = texts.get(key);
    if (known !== undefined) return known;
    if (texts.size >= KEPT_MAX) texts.clear();
    const text = flat(make(key));
    texts.set(key, text);
    return text;
  };
}

/** As quoteJson, for names. */
export const quoteName = kept(quoteJson);

/**
 * Returns a text that is kept as one piece. V8 joins the pieces of a text when something looks into it. A text that is
 * kept in pieces would be joined anew in each event that contains it.
 */
export function flat(text: string): string {
  text.charCodeAt(0);
  return text;
}
