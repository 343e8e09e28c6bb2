/** Strings of the traced world, made safe for a terminal and for one line: an attacker may have chosen them. */

/** Printable ASCII without space and double quote: most paths and arguments. */
const PLAIN = /^[!#-~]+$/;

/** What is not shown as it is: spaces of every kind, controls, direction overrides, invisible and unassigned characters. */
const UNSAFE = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"]/u;

/** Inside quotes, the plain space may stay; quote and backslash may not, so that the text can be read back. */
const ESCAPED = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"\\]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' };

/** The text itself when every character can be shown and none is a space or quote, else in double quotes, escaped. */
export function quoteUnsafe(text: string): string {
  if (PLAIN.test(text)) return text;
  if (text !== '' && !UNSAFE.test(text)) return text;
  return `"${text.replace(ESCAPED, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
}

/** JSON needs no escape for these, a terminal does: DEL, C1 controls, invisible characters, direction overrides. */
const JSON_UNSAFE = /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Printable ASCII that stands in a JSON string as it is. */
const JSON_PLAIN = /^[ !#-[\]-~]*$/;

/** A JSON string that is safe on a terminal as well. */
export function quoteJson(text: string): string {
  if (JSON_PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(JSON_UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Columns that a terminal gives to escaped text: two for emoji and East Asian wide characters, none for marks. */
export function columns(text: string): number {
  let width = 0;
  for (const character of text) width += characterColumns(character);
  return width;
}

const WIDE =
  /[\p{Extended_Pictographic}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const ZERO = /[\p{M}\p{Default_Ignorable_Code_Point}]/u;

function characterColumns(character: string): number {
  if (character <= '~') return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
