/** Fits strings into a number of terminal columns. A character can take more than one column: an emoji takes two. */
import { displayWidth } from '../output/escape.js';
import type { Context } from './context.js';

/**
 * Pads or shortens a string to `width` columns. A long string loses its middle: the end of a path is as useful as its
 * start.
 */
export function fitColumns(text: string, width: number): string {
  const used = displayWidth(text);
  if (used <= width) return text + ' '.repeat(width - used);
  const characters = [...text];
  const head = takeColumns(characters, Math.floor((width - 1) / 2));
  const tail = takeColumns([...characters].reverse(), width - 1 - displayWidth(head));
  const cut = `${head}…${[...tail].reverse().join('')}`;
  return cut + ' '.repeat(width - displayWidth(cut));
}

/** Shortens a string to `width` columns, without padding. */
export function truncateColumns(text: string, width: number): string {
  return fitColumns(text, width).trimEnd();
}

/** Returns the first characters that fit. A combining mark stays with the character before it, or is left out. */
function takeColumns(characters: readonly string[], width: number): string {
  let text = '';
  let used = 0;
  for (const character of characters) {
    used += displayWidth(character);
    if (used > width) break;
    text += character;
  }
  return text;
}

/** Size of a terminal. Undefined stands for a size that is not known: serial lines and some containers say 0. */
export interface TerminalSize {
  readonly columns: number | undefined;
  readonly rows: number | undefined;
}

export function terminalSize({ columns, rows }: { readonly columns?: number; readonly rows?: number }): TerminalSize {
  return { columns: columns || undefined, rows: rows || undefined };
}

/** Width of the terminal. Without a terminal, the width in COLUMNS, or undefined. */
export function terminalWidth({ stdout, env }: Pick<Context, 'stdout' | 'env'>): number | undefined {
  if (stdout.isTTY === true) return terminalSize(stdout).columns;
  const given = Number(env['COLUMNS']);
  return Number.isInteger(given) && given > 0 ? given : undefined;
}
