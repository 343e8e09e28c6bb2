/** Makes text safe for a terminal, and lays out tables. */

/** Control characters and invisible characters, except newlines and tabs. */
const CONTROLS = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Escapes characters that could control the terminal. Texts from files and from the kernel may contain them. */
export function safe(text: string): string {
  return text.replace(CONTROLS, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

export function oneLine(text: string): string {
  return safe(text).replace(/\s+/g, ' ');
}

/** Each column is as wide as its widest cell, with two spaces between columns. The last column has no padding. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
