/** Hides parts of arguments, such as passwords, before an event leaves the process. */
import type { RedactionFilter, Redactor, TextRange } from '../../types/output.js';
import { PolytraceError } from '../errors.js';
import { needsQuotes } from '../process/process.js';

/** Replaces a hidden part. */
const MASK = '*****';

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
  const compilePattern = (pattern: string): Pattern => {
    try {
      return RE2JS.compile(pattern);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw redactionError(`'${pattern}' is not a regular expression of RE2: ${reason}`);
    }
  };
  const rules = filters.map(({ redact, binaryRegex = [] }): Rule => {
    if (redact.length === 0) throw redactionError('a redaction filter has no pattern in `redact`');
    return {
      binaries: binaryRegex.map(compilePattern),
      redact: redact.map((pattern) => requireGroup(compilePattern(pattern), pattern)),
    };
  });
  return (text, binary) => mergeRanges(rules.flatMap((rule) => findRanges(rule, text, binary)));
}

function redactionError(message: string): PolytraceError {
  return new PolytraceError('REDACTION_INVALID', message, 'put the part to hide in a group, such as --token=(\\S*)');
}

/** Refuses a pattern without a group: only groups are hidden. */
function requireGroup(compiled: Pattern, pattern: string): Pattern {
  if (compiled.groupCount() === 0) throw redactionError(`'${pattern}' has no group, so it would hide nothing`);
  return compiled;
}

/** Loads the package for the first redactor. An import declaration would load it in every program. */
function loadRe2(): Re2 {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require('re2js') as Re2;
}

function findRanges({ binaries, redact }: Rule, text: string, binary: string): TextRange[] {
  if (binaries.length > 0 && !binaries.some((pattern) => pattern.matcher(binary).find())) return [];
  return redact.flatMap((pattern) => {
    const matcher = pattern.matcher(text);
    const ranges: TextRange[] = [];
    while (matcher.find()) {
      for (let group = 1; group <= pattern.groupCount(); group++) {
        // -1: the group did not take part in the match
        if (matcher.start(group) >= 0) ranges.push([matcher.start(group), matcher.end(group)]);
      }
    }
    return ranges;
  });
}

/** Sorts the ranges and joins those that overlap. */
function mergeRanges(ranges: TextRange[]): TextRange[] {
  const result: [number, number][] = [];
  for (const [start, end] of ranges.sort(([a], [b]) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

/**
 * Replaces ranges of the text. The ranges count from the start of a larger text, in which this text begins at `from`.
 */
export function hideRanges(text: string, ranges: readonly TextRange[], from = 0): string {
  let result = '';
  let at = 0;
  for (const [first, last] of ranges) {
    const [start, end] = [Math.max(first - from, 0), Math.min(last - from, text.length)];
    if (start > text.length || end < 0 || (start >= end && first < last)) continue;
    result += text.slice(at, start) + MASK;
    at = end;
  }
  return result + text.slice(at);
}

/** Replaces ranges in single arguments. The ranges count from the start of the joined arguments. */
export function hideInArguments(argv: readonly string[], ranges: readonly TextRange[]): string[] {
  let at = 0;
  return argv.map((argument) => {
    const quote = needsQuotes(argument) ? 1 : 0;
    const redacted = hideRanges(argument, ranges, at + quote);
    at += argument.length + 2 * quote + 1;
    return redacted;
  });
}
