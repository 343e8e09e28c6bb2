// Tables of text, as Markdown.

/** The first row is the head. */
export type Rows = readonly (readonly string[])[];

export const number = (value: number): string => value.toLocaleString('en-US');

/** The first `texts` columns are words, the others numbers. */
export function table(rows: Rows, texts = 1): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, i) => (i < texts ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i < texts ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...body.map(line)].join('\n');
}
