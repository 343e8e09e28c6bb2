/** Collects the diagnostics of one policy with their positions, up to a maximum number. */
import type { Diagnostic } from '../../../types/errors.js';
import { DIAGNOSTIC_CODES, type DiagnosticCode } from './codes.js';
import { DIAGNOSTICS_MAX, SEARCHES_MAX, EXCERPT_MAX } from '../language/limits.js';
import type { Positions, Span } from './positions.js';

export class Report {
  readonly #diagnostics: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  #overflowed = false;
  #searches = 0;

  constructor(readonly positions: Positions) {}

  add(code: DiagnosticCode, span: Span, message: string, hint: string): void {
    if (this.#overflowed) return;
    const { line, column } = this.positions.toPosition(span);
    // A macro that several selectors use would report the same error several times. It is reported once.
    const identity = `${line}:${column}:${code}:${message}`;
    if (this.#seen.has(identity)) return;
    this.#seen.add(identity);
    if (this.#diagnostics.length === DIAGNOSTICS_MAX - 1) {
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
    const { file, text } = this.positions;
    const severity = DIAGNOSTIC_CODES[code];
    this.#diagnostics.push(
      Object.freeze({
        code,
        severity,
        message,
        hint,
        file,
        ...this.positions.toPosition(span),
        text: excerpt(text, span),
      }),
    );
  }

  /**
   * Counts a search among the names of the kernel, which takes some milliseconds. Returns false if the search is beyond
   * SEARCHES_MAX and must be left out.
   */
  countSearch(): boolean {
    return ++this.#searches <= SEARCHES_MAX;
  }

  get hasErrors(): boolean {
    return this.#diagnostics.some((d) => d.severity === 'error');
  }

  /** Returns the diagnostics in the order of their positions. */
  diagnostics(): Diagnostic[] {
    return [...this.#diagnostics].sort(
      (a, b) => a.line - b.line || a.column - b.column || compareCodes(a.code, b.code),
    );
  }
}

/**
 * Reports each code once, for the first function that has the error. A generated list can contain hundreds of
 * functions.
 */
export class FirstOfEachCode extends Report {
  readonly #reported = new Set<DiagnosticCode>();

  constructor(private readonly outer: Report) {
    super(outer.positions);
  }

  override add(code: DiagnosticCode, span: Span, message: string, hint: string): void {
    if (this.#reported.has(code)) return;
    this.#reported.add(code);
    this.outer.add(code, span, message, hint);
  }
}

function compareCodes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Returns the first line of the span, cut to EXCERPT_MAX characters. It never cuts a surrogate pair in two.
 */
function excerpt(text: string, span: Span): string {
  const slice = text.slice(span.start, Math.min(span.end, span.start + EXCERPT_MAX + 1));
  const line = slice.split(/\r?\n/, 1)[0] ?? '';
  if (line.length <= EXCERPT_MAX) return line.trimEnd();
  const cut = line.slice(0, EXCERPT_MAX - 1);
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

/** Quotes a value from a policy for a message: on one line, without control characters, and of limited length. */
export function quote(value: unknown): string {
  const json = JSON.stringify(typeof value === 'bigint' ? value.toString() : value) ?? String(value);
  return json.length <= EXCERPT_MAX ? json : `${json.slice(0, EXCERPT_MAX - 2)}…"`;
}
