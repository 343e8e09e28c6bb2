// Formats tables as Markdown.

/** The first row has the titles. */
export type Rows = readonly (readonly string[])[];

export const formatNumber = (value: number): string => value.toLocaleString('en-US');

/** The first `textColumns` columns are aligned to the left, the others to the right. */
export function formatTable(rows: Rows, textColumns = 1): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const formatRow = (row: readonly string[]): string =>
    `| ${widths.map((width, i) => (i < textColumns ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i < textColumns ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [formatRow(head), rule, ...body.map(formatRow)].join('\n');
}
