/**
 * Escapes traced strings, so that they are safe on a terminal and fit in one line. An attacker may have chosen them.
 */

/** Printable ASCII without space and double quote. Most paths and arguments match. */
const PLAIN_ASCII = /^[!#-~]+$/;

/**
 * Characters that are never shown unchanged: spaces, controls, direction overrides, invisible and unassigned
 * characters.
 */
const UNSAFE = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"]/u;

/**
 * Characters that are escaped inside quotes. A plain space is not escaped. Quote and backslash are escaped, so that the
 * result can be parsed.
 */
const ESCAPED = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"\\]/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
  '\\': '\\\\',
};

/**
 * Returns the string unchanged if all its characters are safe and none is a space or quote. Otherwise quotes and
 * escapes it.
 */
export function quoteUnsafe(text: string): string {
  if (PLAIN_ASCII.test(text)) return text;
  if (text !== '' && !UNSAFE.test(text)) return text;
  return `"${text.replace(ESCAPED, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
}

/**
 * Characters that are unsafe on a terminal but not in JSON: DEL, C1 controls, invisible characters, direction
 * overrides.
 */
const JSON_UNSAFE = /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Printable ASCII that needs no escape in a JSON string. */
const JSON_PLAIN = /^[ !#-[\]-~]*$/;

/** True if quoteJson() only puts the string in quotes. */
export function needsNoEscape(text: string): boolean {
  return JSON_PLAIN.test(text);
}

/**
 * Returns a JSON string that is also safe on a terminal. A byte that is not UTF-8 becomes U+FFFD: many readers reject a
 * line with a lone surrogate, so that one byte would hide the event.
 */
export function quoteJson(text: string): string {
  return needsNoEscape(text) ? `"${text}"` : escapeUnsafeJson(JSON.stringify(replaceRawBytes(text)));
}

/** With `u`, a surrogate that is part of a pair does not match. */
const LONE_SURROGATES = /\p{Surrogate}/gu;

/** Replaces bytes that are not UTF-8 by U+FFFD. */
export function replaceRawBytes(text: string): string {
  return text.replace(LONE_SURROGATES, '\ufffd');
}

/** Escapes the characters of a JSON text that are unsafe on a terminal. */
export function escapeUnsafeJson(json: string): string {
  return json.replace(JSON_UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Counts the terminal columns of an escaped string: two for emoji and wide East Asian characters, none for marks. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

const WIDE_CHARACTERS =
  /[\p{Extended_Pictographic}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const ZERO_WIDTH = /[\p{M}\p{Default_Ignorable_Code_Point}]/u;

function characterWidth(character: string): number {
  if (character <= '~') return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return WIDE_CHARACTERS.test(character) ? 2 : 1;
}
