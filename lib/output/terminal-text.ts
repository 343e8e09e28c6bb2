/** Output for a terminal: escaped text, tables and JSON. */

/** Control characters and invisible characters, except newlines and tabs. */
const CONTROLS = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Escapes characters that could control the terminal. Strings from files and from the kernel may contain them. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Escapes control characters, and replaces line breaks by spaces. */
export function toOneLine(text: string): string {
  return escapeControls(text).replace(/\s+/g, ' ');
}

/** Each column is as wide as its widest cell, with two spaces between columns. The last column has no padding. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  const formatRow = (row: readonly string[]): string =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ');
  return rows.map((row) => `${formatRow(row).trimEnd()}\n`).join('');
}

export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
