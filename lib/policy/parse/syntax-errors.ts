/** Turns the errors of the YAML parser into diagnostics with messages of this library. */
import type { YAMLError } from 'yaml';
import type { DiagnosticCode } from './codes.js';
import { reportForeignFormat } from './foreign-format.js';
import type { Span } from './positions.js';
import type { Report } from './report.js';

/**
 * Reports only the first syntax error, because one wrong indentation causes several errors. A tab is reported before
 * all others.
 */
export function addSyntaxErrors(errors: readonly YAMLError[], report: Report): void {
  if (errors.length > 0 && reportForeignFormat(report)) return;
  const semantic = errors.filter(({ code }) => SEMANTIC_CODES[code] !== undefined);
  const syntax = errors.filter(({ code }) => SEMANTIC_CODES[code] === undefined);
  const first = syntax.find(({ code }) => code === 'TAB_AS_INDENT') ?? syntax.sort((a, b) => a.pos[0] - b.pos[0])[0];
  for (const { code, pos, message } of semantic) {
    const [diagnostic, hint] = SEMANTIC_CODES[code] as readonly [DiagnosticCode, string];
    report.add(diagnostic, { start: pos[0], end: pos[1] }, firstLine(message), hint);
  }
  if (first !== undefined) addSyntaxError(first, report);
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text;

const ALIAS_HINT = 'write the value in full; use selectorsMacros to share filters between selectors';
/** Errors of the parser that are not syntax errors. */
const SEMANTIC_CODES: Readonly<Partial<Record<YAMLError['code'], readonly [DiagnosticCode, string]>>> = {
  BAD_ALIAS: ['YAML_ALIAS', ALIAS_HINT],
  ALIAS_PROPS: ['YAML_ALIAS', ALIAS_HINT],
  TAG_RESOLVE_FAILED: ['YAML_TAG', 'remove the tag'],
};

/** The next line seems to continue a value: it is indented too far, or the value contains `: `. */
const CONTINUATION_CODES: ReadonlySet<YAMLError['code']> = new Set(['BLOCK_AS_IMPLICIT_KEY', 'MULTILINE_IMPLICIT_KEY']);

const KEY_WITHOUT_SPACE = /^\s*(- )?\w+:[^\s"'/][^:]*$/;

/** Messages about a wrong column. The parser has one code for all of them, also inside of brackets. */
const COLUMN_MESSAGES = /^(All (mapping|sequence) items must start|Sequence item without)/;

function addSyntaxError(error: YAMLError, report: Report): void {
  const { text } = report.positions;
  const [from, to] = error.pos;
  if (error.code === 'TAB_AS_INDENT') {
    report.add(
      'YAML_TAB',
      { start: from, end: to },
      'a tab is used as indentation',
      'indent with spaces, all lines of a group equally',
    );
    return;
  }
  const isContinuation = CONTINUATION_CODES.has(error.code);
  const line = text.slice(text.lastIndexOf('\n', from - 1) + 1, endOfLine(text, from));
  if (isContinuation && /: [^"'{[]*: /.test(line)) {
    const span = { start: from, end: endOfLine(text, from) };
    report.add('YAML_SYNTAX', span, 'the value contains `: `', 'write the value in quotes');
  } else if (isContinuation && KEY_WITHOUT_SPACE.test(line)) {
    const span = { start: from, end: endOfLine(text, from) };
    report.add('YAML_SYNTAX', span, 'there is no space after the colon', 'write `name: value`');
  } else if (error.message.startsWith('Missing closing ')) {
    const sign = /'|"/.exec(error.message)?.[0] ?? 'quote';
    const message = `a text that begins with ${sign} does not end`;
    report.add('YAML_SYNTAX', { start: from, end: to }, message, `end it with ${sign} in the same line`);
  } else if (isContinuation || COLUMN_MESSAGES.test(error.message)) {
    report.add(
      'YAML_INDENT',
      findNextLine(text, isContinuation ? endOfLine(text, from) : from),
      'the line does not begin in the column of its group',
      'begin all lines of a group in the same column, as the first one',
    );
  } else {
    const hint = 'correct the YAML first; the policy is checked after that';
    report.add('YAML_SYNTAX', { start: from, end: to }, firstLine(error.message), hint);
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** Returns the span of the first line that is not blank, from an offset on. */
function findNextLine(text: string, from: number): Span {
  let start = from;
  while (/\s/.test(text[start] ?? '')) start++;
  return { start, end: endOfLine(text, start) };
}
