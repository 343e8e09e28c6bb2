/** The matrix of types and operators as Markdown, from the table that the kernel tests run. */
import { format, resolveConfig } from 'prettier';
import { SUBJECTS, subjectRows, type Subject } from '../test/kernel/matrix.js';
import { ARG_TYPES, OPERATORS_BY_CLASS, type Operator } from '../lib/policy/language/vocabulary.js';

const BEGIN = '<!-- matrix:begin -->';
const END = '<!-- matrix:end -->';
/** Width of a line of operators, in characters. */
const WIDTH = 119;

interface Group {
  readonly title: string;
  readonly fits: (subject: Subject) => boolean;
}

const hasOperator =
  (...operators: readonly Operator[]) =>
  (subject: Subject): boolean =>
    subjectRows(subject).some((row) => operators.includes(row.operator));
const GROUPS: readonly Group[] = [
  { title: 'Numbers and capabilities', fits: hasOperator('Mask', 'InMap', 'InRange') },
  { title: 'Texts and paths', fits: hasOperator('Prefix') },
  { title: 'Sockets, addresses, packets', fits: hasOperator('Family') },
  { title: 'Others', fits: () => true },
];

/** A subject belongs to the first group that it fits. */
export function matrixTable(): string {
  const rest = new Set(SUBJECTS);
  return GROUPS.map(({ title, fits }) => {
    const own = [...rest].filter(fits);
    own.forEach((subject) => rest.delete(subject));
    return `### ${title}\n\n${formatTables(own)}`;
  }).join('\n\n');
}

/** One table for each set of operators, so that the lines stay short. */
function formatTables(subjects: readonly Subject[]): string {
  const bySet = new Map<string, Subject[]>();
  for (const subject of subjects) {
    const operators = formatOperators(subject);
    bySet.set(operators, [...(bySet.get(operators) ?? []), subject]);
  }
  return [...bySet]
    .map(([operators, own]) => {
      const rows = own.map((subject) => [subject.title, formatCall(subject)]);
      return `${operators}\n\n${formatMarkdownTable([['type', 'tested at'], ...rows])}`;
    })
    .join('\n\n');
}

function formatOperators(subject: Subject): string {
  const tested = new Set(subjectRows(subject).map(({ operator }) => operator));
  const inOrder = OPERATORS_BY_CLASS[ARG_TYPES[subject.type].class].filter((operator) => tested.has(operator));
  if (inOrder.length === 0) return 'Reported, not compared:';
  return wrapLine(`${inOrder.map((operator) => `\`${operator}\``).join(', ')}:`);
}

function wrapLine(text: string): string {
  return text.replace(new RegExp(`(.{1,${WIDTH}})(?: |$)`, 'g'), '$1\n').trimEnd();
}

function formatCall(subject: Subject): string {
  const { call } = subject.hook;
  return typeof call === 'string' ? `\`${call}\`` : Object.values(call).map((name) => `\`${name}\``).join(', '); // prettier-ignore
}

function formatMarkdownTable(rows: readonly (readonly string[])[]): string {
  const [header = [], ...lines] = rows;
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Returns the page with the current tables. Throws an Error if the page has no markers for them. */
export async function withMatrix(page: string, path: string): Promise<string> {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${path}: no ${BEGIN} and ${END}`);
  const text = `${page.slice(0, from + BEGIN.length)}\n\n${matrixTable()}\n\n${page.slice(to)}`;
  return format(text, { ...(await resolveConfig(path)), parser: 'markdown' });
}
