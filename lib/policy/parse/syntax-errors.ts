/** Reports the errors of the YAML parser in the words of this library. */
import type { YAMLError } from 'yaml';
import type { DiagnosticCode } from './codes.js';
import { reportForeign } from './foreign.js';
import type { Span } from './places.js';
import type { Report } from './report.js';

/**
 * One mistake of indentation makes several errors, and hides what comes after it. So only the first of them is reported,
 * a tab before all others.
 */
export function addSyntaxErrors(errors: readonly YAMLError[], report: Report): void {
  if (errors.length > 0 && reportForeign(report)) return;
  const own = errors.filter(({ code }) => OTHER_CODES[code] !== undefined);
  const syntax = errors.filter(({ code }) => OTHER_CODES[code] === undefined);
  const first = syntax.find(({ code }) => code === 'TAB_AS_INDENT') ?? syntax.sort((a, b) => a.pos[0] - b.pos[0])[0];
  for (const { code, pos, message } of own) {
    const [named, hint] = OTHER_CODES[code] as readonly [DiagnosticCode, string];
    report.add(named, { start: pos[0], end: pos[1] }, firstLine(message), hint);
  }
  if (first !== undefined) addSyntaxError(first, report);
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text;

const ALIAS_HINT = 'write the value in full; use selectorsMacros to share filters between selectors';
/** Errors of YAML that are not mistakes of syntax. */
const OTHER_CODES: Readonly<Partial<Record<YAMLError['code'], readonly [DiagnosticCode, string]>>> = {
  BAD_ALIAS: ['YAML_ALIAS', ALIAS_HINT],
  ALIAS_PROPS: ['YAML_ALIAS', ALIAS_HINT],
  TAG_RESOLVE_FAILED: ['YAML_TAG', 'remove the tag'],
};

/** A value seems to go on in the next line: that line is indented too far. Or it contains `: `. */
const GOES_ON: ReadonlySet<YAMLError['code']> = new Set(['BLOCK_AS_IMPLICIT_KEY', 'MULTILINE_IMPLICIT_KEY']);

/** The library has one code for all mistakes of indentation, also for those inside of brackets. */
const OTHER_COLUMN = /^(All (mapping|sequence) items must start|Sequence item without)/;

function addSyntaxError(error: YAMLError, report: Report): void {
  const { text } = report.places;
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
  const goesOn = GOES_ON.has(error.code);
  const line = text.slice(text.lastIndexOf('\n', from - 1) + 1, endOfLine(text, from));
  if (goesOn && /: [^"'{[]*: /.test(line)) {
    const span = { start: from, end: endOfLine(text, from) };
    report.add('YAML_SYNTAX', span, 'the value contains `: `', 'write the value in quotes');
  } else if (goesOn || OTHER_COLUMN.test(error.message)) {
    report.add(
      'YAML_INDENT',
      wronglyIndented(text, goesOn ? endOfLine(text, from) : from),
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

/** The first line with text from a place on. */
function wronglyIndented(text: string, from: number): Span {
  let start = from;
  while (/\s/.test(text[start] ?? '')) start++;
  return { start, end: endOfLine(text, start) };
}
