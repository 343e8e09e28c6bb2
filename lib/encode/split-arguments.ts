/**
 * Splits the arguments string of a process. Spaces join the arguments; an argument that is empty or contains a space
 * has double quotes.
 */

/** Returns the most likely arguments. A quote inside an argument can make the result wrong. */
export function splitArguments(text: string): string[] {
  if (text === '') return [];
  const matches = text.matchAll(/(?:^| )(?:"([^"]*)"(?= |$)|([^ ]*))/g);
  return Array.from(matches, ([, quoted, unquoted]) => quoted ?? unquoted ?? '');
}
