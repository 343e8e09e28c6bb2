/** The matrix of types and operators as Markdown, from the table that the kernel tests run. */
import { format, resolveConfig } from 'prettier';
import { SUBJECTS, withDerived, type Subject } from '../test/kernel/matrix.js';
import { NEGATED, type Operator } from '../lib/policy/language/vocabulary.js';

const BEGIN = '<!-- matrix:begin -->';
const END = '<!-- matrix:end -->';

/** Columns of a table: an operator with its negation or its short name. */
interface Group {
  readonly title: string;
  readonly columns: readonly Operator[];
  readonly fits: (subject: Subject) => boolean;
}

const SHORT: Readonly<Partial<Record<Operator, Operator>>> = { GreaterThan: 'GT', LessThan: 'LT' };
const NUMBERS = [
  'Equal', 'GreaterThan', 'LessThan', 'Mask', 'InMap', 'InRange', 'CelExpr', 'CapabilitiesGained',
] as const satisfies readonly Operator[]; // prettier-ignore
const TEXTS = [
  'Equal',
  'Prefix',
  'Postfix',
  'SubString',
  'SubStringIgnCase',
  'FileType',
] as const satisfies readonly Operator[];
const ADDRESSES = [
  'SPort', 'SPortPriv', 'SAddr', 'DPort', 'DPortPriv', 'DAddr', 'Family', 'Protocol', 'State',
] as const satisfies readonly Operator[]; // prettier-ignore

const has =
  (...operators: readonly Operator[]) =>
  (subject: Subject): boolean =>
    subject.rows.some((row) => operators.includes(row.operator));
const GROUPS: readonly Group[] = [
  { title: 'Numbers and capabilities', columns: NUMBERS, fits: has('Mask', 'InMap', 'InRange') },
  { title: 'Texts and paths', columns: TEXTS, fits: has('Prefix') },
  { title: 'Sockets, addresses, packets', columns: ADDRESSES, fits: has('Family') },
];

/** Subjects of one title share a row; what is only told has no operators. */
export function matrixTable(): string {
  const rest = new Set(SUBJECTS);
  const parts = GROUPS.map(({ title, columns, fits }) => {
    const own = [...rest].filter(fits);
    own.forEach((subject) => rest.delete(subject));
    const header = ['type', 'seen at', ...columns.map(columnTitle)];
    const lines = own.map((subject) => [
      subject.title,
      callOf(subject),
      ...columns.map((column) => mark(subject, column)),
    ]);
    return `**${title}**\n\n${table([header, ...lines])}`;
  });
  const others = [...rest].map((subject) => [subject.title, callOf(subject), operatorsOf(subject)]);
  return [...parts, `**Others**\n\n${table([['type', 'seen at', 'operators'], ...others])}`].join('\n\n');
}

function columnTitle(operator: Operator): string {
  const negated = Object.entries(NEGATED).find(([, base]) => base === operator)?.[0];
  const second = negated ?? SHORT[operator];
  return second === undefined ? `\`${operator}\`` : `\`${operator}\`, \`${second}\``;
}

function mark(subject: Subject, column: Operator): string {
  return subject.rows.some((row) => row.operator === column) ? '✓' : '';
}

function operatorsOf(subject: Subject): string {
  const operators = new Set(withDerived(subject.rows, subject.type).map((row) => `\`${row.operator}\``));
  return operators.size === 0 ? 'told, not compared' : [...operators].join(', ');
}

function callOf(subject: Subject): string {
  const { call } = subject.hook;
  return typeof call === 'string' ? `\`${call}\`` : Object.values(call).map((name) => `\`${name}\``).join(', '); // prettier-ignore
}

function table(rows: readonly (readonly string[])[]): string {
  const [header = [], ...lines] = rows;
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The page with the table of now; throws when the page has no place for it. */
export async function withMatrix(page: string, path: string): Promise<string> {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${path}: no ${BEGIN} and ${END}`);
  const text = `${page.slice(0, from + BEGIN.length)}\n\n${matrixTable()}\n\n${page.slice(to)}`;
  return format(text, { ...(await resolveConfig(path)), parser: 'markdown' });
}
