// Reads the fenced blocks of a page in Markdown that a reader types, saves or sees: shell, console, programs, YAML.
// An HTML comment before a block says what the page does not: <!-- doc: file="watch.yaml" during="cat /etc/shadow" -->.

/** The pages whose blocks are run. */
export const PAGES = [
  'README.md',
  ...[
    'tutorial',
    'install',
    'deploy',
    'containers',
    'kubernetes',
    'embedding',
    'recipes',
    'agent',
    'fleet',
    'guard-npm-ci',
  ].map((name) => `docs/${name}.md`),
];
/** The largest part of the blocks that nothing runs. */
export const NOT_RUN_MAX = 0.05;

const LANGUAGES = new Set(['sh', 'console', 'js', 'ts', 'yaml', 'text', 'json']);
/** The keys of a comment, see README.md of this folder. */
const KEYS = new Set(['file', 'skip', 'before', 'during', 'shows', 'status', 'shown-by']);

/**
 * Returns the blocks of a page in their order: `{ page, line, language, text, marks }`. Throws if a comment has an
 * unknown key, or stands before no block.
 */
export function readBlocks(page, markdown) {
  const blocks = [];
  const lines = markdown.split('\n');
  let marks;
  let marksLine = 0;
  for (let i = 0; i < lines.length; i++) {
    // `npm run gen` writes these blocks, and a test compares them.
    if (/^<!-- read .*-->$/.test(lines[i])) marks = { 'shown-by': 'test/unit/docs/captures.test.ts' };
    if (lines[i].startsWith('<!-- doc:')) {
      if (marks !== undefined) throw new Error(`${page}:${marksLine}: this comment stands before no block`);
      marksLine = i + 1;
      const last = lines.findIndex((line, at) => at >= i && line.endsWith('-->'));
      const comment = /^<!-- doc:(.*)-->$/.exec(lines.slice(i, last + 1).join(' '));
      if (comment === null) throw new Error(`${page}:${marksLine}: the comment has no end`);
      marks = parseMarks(comment[1], `${page}:${marksLine}`);
      i = last;
      continue;
    }
    const fence = /^( *)```(\w+)$/.exec(lines[i]);
    if (fence === null) continue;
    const [, indent, language] = fence;
    const end = lines.findIndex((line, at) => at > i && line === `${indent}\`\`\``);
    if (end < 0) throw new Error(`${page}:${i + 1}: the block has no end`);
    if (!LANGUAGES.has(language)) throw new Error(`${page}:${i + 1}: unknown language ${language}`);
    const body = lines.slice(i + 1, end).map((line) => line.slice(indent.length));
    blocks.push({ page, line: i + 1, language, text: body.join('\n'), marks: marks ?? {} });
    marks = undefined;
    i = end;
  }
  if (marks !== undefined) throw new Error(`${page}:${marksLine}: this comment stands before no block`);
  return blocks;
}

function parseMarks(text, position) {
  const marks = {};
  const rest = text.replaceAll(/([\w-]+)="((?:[^"\\]|\\.)*)"/g, (_, key, value) => {
    if (!KEYS.has(key)) throw new Error(`${position}: unknown key ${key}; keys are ${[...KEYS].join(', ')}`);
    marks[key] = value.replaceAll(/\\(.)/g, (__, character) => (character === 'n' ? '\n' : character));
    return '';
  });
  if (rest.trim() !== '') throw new Error(`${position}: '${rest.trim()}' is not KEY="VALUE"`);
  return marks;
}

/**
 * Splits a transcript into steps: `{ terminal, command, shown }`. A line with `# ` is typed in the first terminal, one
 * with `second# ` in the second one, and one with `$ ` in either, without root. Lines before the first command continue
 * the output of the program that runs in the first terminal.
 */
export function readTranscript(text) {
  const steps = [];
  for (const line of text.split('\n')) {
    const typed = /^(second)?[#$] (.*)$/.exec(line);
    const last = steps.at(-1);
    if (typed !== null) steps.push({ terminal: typed[1] ?? 'first', command: typed[2], shown: [] });
    else if (last?.command?.endsWith('\\') === true) last.command += `\n${line}`;
    else if (last === undefined) steps.push({ terminal: 'first', command: undefined, shown: [line] });
    else last.shown.push(line);
  }
  return steps;
}

/** Splits a script into its statements. `isComplete` decides whether lines are a whole statement. */
export function splitStatements(text, isComplete) {
  const statements = [];
  let open = [];
  for (const line of text.split('\n')) {
    if (open.length === 0 && /^\s*(#.*)?$/.test(line)) continue;
    open.push(line);
    if (line.endsWith('\\') || !isComplete(open.join('\n'))) continue;
    statements.push(open.join('\n'));
    open = [];
  }
  if (open.length > 0) throw new Error(`not a whole statement: ${open.join('\n')}`);
  return statements;
}

/**
 * Finds the expected lines in the actual ones, in this order. Other lines may stand between them. `…` in an expected
 * line stands for any characters. Returns the index after the last line that was found, and the first line that was not
 * found.
 */
export function matchLines(expected, actual, from = 0) {
  let next = from;
  for (const line of expected) {
    if (line.trim() === '' || line.trim() === '…') continue;
    const pattern = new RegExp(`^${line.split('…').map(escapePattern).join('.*')}$`);
    const found = actual.findIndex((each, index) => index >= next && pattern.test(each));
    if (found < 0) return { next, missing: line };
    next = found + 1;
  }
  return { next, missing: undefined };
}

function escapePattern(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
