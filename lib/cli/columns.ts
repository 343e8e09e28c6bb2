/** Texts in a number of columns. The terminal's columns count, not characters: an emoji has two. */
import { columns } from '../output/escape.js';

/** Fits a text into so many columns. A longer text loses its middle, because the end of a path says as much as its start. */
export function fit(text: string, width: number): string {
  const used = columns(text);
  if (used <= width) return text + ' '.repeat(width - used);
  const characters = [...text];
  const head = taken(characters, Math.floor((width - 1) / 2));
  const tail = taken([...characters].reverse(), width - 1 - columns(head));
  const cut = `${head}…${[...tail].reverse().join('')}`;
  return cut + ' '.repeat(width - columns(cut));
}

/** The same without spaces at its end. */
export function cut(text: string, width: number): string {
  return fit(text, width).trimEnd();
}

/** The characters that have room. A mark stays with the character before it, or is left out. */
function taken(characters: readonly string[], width: number): string {
  let text = '';
  let used = 0;
  for (const character of characters) {
    used += columns(character);
    if (used > width) break;
    text += character;
  }
  return text;
}
