/** The matrix of types and operators as Markdown, from the table that the kernel tests run. */
import { format, resolveConfig } from 'prettier';
import { SUBJECTS, subjectRows, type Subject } from '../test/kernel/matrix.js';
import { ARG_TYPES, OPERATORS_BY_CLASS, type Operator } from '../lib/policy/language/vocabulary.js';

const BEGIN = '<!-- matrix:begin -->';
const END = '<!-- matrix:end -->';

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

/** The tests read some types in several ways. The page has each type once, as an argument. */
const isArgument = ({ title, type }: Subject): boolean => title === type || title.startsWith(`${type} with `);

/** A subject belongs to the first group that it fits. */
function matrixLists(): string {
  const rest = new Set(SUBJECTS.filter(isArgument));
  return GROUPS.map(({ title, fits }) => {
    const own = [...rest].filter(fits);
    own.forEach((subject) => rest.delete(subject));
    return `### ${title}\n\n${formatItems(own)}`;
  }).join('\n\n');
}

/** One item for each set of operators. */
function formatItems(subjects: readonly Subject[]): string {
  const bySet = new Map<string, string[]>();
  for (const subject of subjects) {
    const operators = formatOperators(subject);
    bySet.set(operators, [...(bySet.get(operators) ?? []), subject.title]);
  }
  return [...bySet].map(([operators, titles]) => `- ${titles.map(quoteType).join(', ')}: ${operators}`).join('\n');
}

const quoteType = (title: string): string => title.replace(/^\S+/, (type) => `\`${type}\``);

function formatOperators(subject: Subject): string {
  const tested = new Set(subjectRows(subject).map(({ operator }) => operator));
  const inOrder = OPERATORS_BY_CLASS[ARG_TYPES[subject.type].class].filter((operator) => tested.has(operator));
  if (inOrder.length === 0) return 'reported, not compared';
  return inOrder.map((operator) => `\`${operator}\``).join(', ');
}

/** Returns the page with the current lists. Throws an Error if the page has no markers for them. */
export async function withMatrix(page: string, path: string): Promise<string> {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${path}: no ${BEGIN} and ${END}`);
  const options = { ...(await resolveConfig(path)), parser: 'markdown' } as const;
  const lists = await format(matrixLists(), { ...options, proseWrap: 'always' });
  return format(`${page.slice(0, from + BEGIN.length)}\n\n${lists}\n${page.slice(to)}`, options);
}
