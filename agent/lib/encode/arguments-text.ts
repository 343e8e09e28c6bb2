/** The arguments of a process as one text: joined by spaces, those that are empty or contain a space in double quotes. */

/** The most likely arguments of a text. A quote inside an argument can make them wrong. */
export function splitArguments(text: string): string[] {
  if (text === '') return [];
  const words = text.matchAll(/(?:^| )(?:"([^"]*)"(?= |$)|([^ ]*))/g);
  return Array.from(words, ([, quoted, word]) => quoted ?? word ?? '');
}
