/** Collects the diagnostics of one policy with their places, up to a maximum number. */
import type { Diagnostic } from '../../../types/errors.js';
import { DIAGNOSTIC_CODES, type DiagnosticCode } from './codes.js';
import { DIAGNOSTICS_MAX, SEARCHES_MAX, TEXT_SHOWN_MAX } from '../language/limits.js';
import type { Places, Span } from './places.js';

export class Report {
  readonly #found: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  #overflowed = false;
  #searches = 0;

  constructor(readonly places: Places) {}

  add(code: DiagnosticCode, span: Span, message: string, hint: string): void {
    if (this.#overflowed) return;
    const { line, column } = this.places.position(span);
    // A macro that several selectors use would report the same mistake several times. It is reported once.
    const identity = `${line}:${column}:${code}:${message}`;
    if (this.#seen.has(identity)) return;
    this.#seen.add(identity);
    if (this.#found.length === DIAGNOSTICS_MAX - 1) {
      this.#overflowed = true;
      this.#push(
        'TOO_MANY_MISTAKES',
        span,
        `there are more than ${DIAGNOSTICS_MAX} mistakes; the rest is not shown`,
        'correct the mistakes above first',
      );
      return;
    }
    this.#push(code, span, message, hint);
  }

  #push(code: DiagnosticCode, span: Span, message: string, hint: string): void {
    const { file, text } = this.places;
    const severity = DIAGNOSTIC_CODES[code];
    this.#found.push(
      Object.freeze({ code, severity, message, hint, file, ...this.places.position(span), text: excerpt(text, span) }),
    );
  }

  /** Counts a search among the names of the kernel, which takes some milliseconds. False if there were enough of them. */
  maySearch(): boolean {
    return ++this.#searches <= SEARCHES_MAX;
  }

  get hasErrors(): boolean {
    return this.#found.some((d) => d.severity === 'error');
  }

  /** Returns the diagnostics in the order of the text. */
  diagnostics(): Diagnostic[] {
    return [...this.#found].sort((a, b) => a.line - b.line || a.column - b.column || compare(a.code, b.code));
  }
}

/**
 * Reports each mistake once, for the first function that has it: a generated list can contain hundreds of functions.
 */
export class FirstOfEach extends Report {
  readonly #reported = new Set<DiagnosticCode>();

  constructor(private readonly outer: Report) {
    super(outer.places);
  }

  override add(code: DiagnosticCode, span: Span, message: string, hint: string): void {
    if (this.#reported.has(code)) return;
    this.#reported.add(code);
    this.outer.add(code, span, message, hint);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The first line of the span, cut to the length that a diagnostic may have, never in the middle of a surrogate pair.
 */
function excerpt(text: string, span: Span): string {
  const slice = text.slice(span.start, Math.min(span.end, span.start + TEXT_SHOWN_MAX + 1));
  const line = slice.split(/\r?\n/, 1)[0] ?? '';
  if (line.length <= TEXT_SHOWN_MAX) return line.trimEnd();
  const cut = line.slice(0, TEXT_SHOWN_MAX - 1);
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

/** Quotes text from a policy for a message: on one line, without control characters, and of limited length. */
export function quote(value: unknown): string {
  const shown = JSON.stringify(typeof value === 'bigint' ? value.toString() : value) ?? String(value);
  return shown.length <= TEXT_SHOWN_MAX ? shown : `${shown.slice(0, TEXT_SHOWN_MAX - 2)}…"`;
}
