/** Hides parts of arguments, such as passwords, before an event leaves the process. */
import type { RedactionFilter, Redactor, TextRange } from '../../types/output.js';
import { PolytraceError } from '../errors.js';
import { isQuoted } from '../process/process.js';

/** The text that replaces a hidden part. */
const HIDDEN = '*****';

/** The part of the package re2js that is used. */
interface Re2 {
  readonly RE2JS: { compile(pattern: string): Pattern };
}
interface Pattern {
  groupCount(): number;
  matcher(text: string): Matcher;
}
interface Matcher {
  find(): boolean;
  start(group: number): number;
  end(group: number): number;
}

interface Rule {
  readonly binaries: readonly Pattern[];
  readonly redact: readonly Pattern[];
}

export function redactor(filters: readonly RedactionFilter[]): Redactor {
  const { RE2JS } = loadRe2();
  const compile = (pattern: string): Pattern => {
    try {
      return RE2JS.compile(pattern);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw invalid(`'${pattern}' is not a regular expression of RE2: ${reason}`);
    }
  };
  const rules = filters.map(({ redact, binaryRegex = [] }): Rule => {
    if (redact.length === 0) throw invalid('a redaction filter has no pattern in `redact`');
    return { binaries: binaryRegex.map(compile), redact: redact.map((pattern) => grouped(compile(pattern), pattern)) };
  });
  return (text, binary) => united(rules.flatMap((rule) => rangesOf(rule, text, binary)));
}

function invalid(message: string): PolytraceError {
  return new PolytraceError('REDACTION_INVALID', message, 'put the part to hide in a group, such as --token=(\\S*)');
}

/** Only groups are hidden, so a pattern without one would hide nothing. */
function grouped(compiled: Pattern, pattern: string): Pattern {
  if (compiled.groupCount() === 0) throw invalid(`'${pattern}' has no group, so it would hide nothing`);
  return compiled;
}

/** The package is optional: only this feature needs it. It is read when the first redactor is made. */
function loadRe2(): Re2 {
  try {
    // A plain import would need the package always.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return require('re2js') as Re2;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new PolytraceError('PACKAGE_MISSING', 'redaction needs the package re2js', 'run `npm install re2js`');
  }
}

function rangesOf({ binaries, redact }: Rule, text: string, binary: string): TextRange[] {
  if (binaries.length > 0 && !binaries.some((pattern) => pattern.matcher(binary).find())) return [];
  return redact.flatMap((pattern) => {
    const matcher = pattern.matcher(text);
    const ranges: TextRange[] = [];
    while (matcher.find()) {
      for (let group = 1; group <= pattern.groupCount(); group++) {
        // -1: the group has no part in this match
        if (matcher.start(group) >= 0) ranges.push([matcher.start(group), matcher.end(group)]);
      }
    }
    return ranges;
  });
}

/** In order, and without overlap. */
function united(ranges: TextRange[]): TextRange[] {
  const result: [number, number][] = [];
  for (const [start, end] of ranges.sort(([a], [b]) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

/** Replaces ranges of the text. `from` is where the text begins in what the ranges count from. */
export function hide(text: string, ranges: readonly TextRange[], from = 0): string {
  let result = '';
  let at = 0;
  for (const [first, last] of ranges) {
    const [start, end] = [Math.max(first - from, 0), Math.min(last - from, text.length)];
    if (start > text.length || end < 0 || (start >= end && first < last)) continue;
    result += text.slice(at, start) + HIDDEN;
    at = end;
  }
  return result + text.slice(at);
}

/** The same for single arguments. The ranges count from the start of the text that joins all of them. */
export function hideInArguments(argv: readonly string[], ranges: readonly TextRange[]): string[] {
  let at = 0;
  return argv.map((argument) => {
    const quote = isQuoted(argument) ? 1 : 0;
    const shown = hide(argument, ranges, at + quote);
    at += argument.length + 2 * quote + 1;
    return shown;
  });
}
