/** Keeps the position in the text of each object, list and scalar of a policy. */

import { createObjectPaths } from './object-path.js';

/** A range of UTF-16 offsets. The end is not included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The span of an object or list, and the spans of its keys and values. */
export interface ContainerSpans {
  readonly span: Span;
  readonly keys: Map<string, Span>;
  /** The keys that count as absent, because they have no value or an empty one. */
  readonly absent: Set<string>;
  readonly values: Map<string | number, Span>;
  /** True if a wrong item or an unknown field was left out. */
  incomplete?: boolean;
}

export interface Position {
  readonly line: number;
  readonly column: number;
  /** Path of the value in the object that the text was made of. Absent for text that somebody wrote. */
  readonly path?: string;
}

/**
 * Stores the spans of every object and list that the walker makes. The checks work on plain data and look up positions
 * here.
 */
export class Positions {
  readonly #spans = new WeakMap<object, ContainerSpans>();
  #lineStarts: number[] | undefined;
  #objectPath: ((offset: number) => string) | undefined;

  /** `isFromObject`: the text was made of an object, so that a line says nothing to its author. */
  constructor(
    readonly file: string,
    readonly text: string,
    private readonly isFromObject = false,
  ) {}

  register(container: object, spans: ContainerSpans): void {
    this.#spans.set(container, spans);
  }

  /** Gives a container the spans of the container that it was made from. */
  copy(from: object, to: object): void {
    const spans = this.#spans.get(from);
    if (spans !== undefined) this.#spans.set(to, spans);
  }

  /** True if the text has the field, even if its value is wrong. */
  hasField(container: object, key: string): boolean {
    return this.hasKey(container, key) && this.#spans.get(container)?.absent.has(key) !== true;
  }

  /** True if the text has the key, even without a value. */
  hasKey(container: object, key: string): boolean {
    return this.#spans.get(container)?.keys.has(key) ?? false;
  }

  isIncomplete(container: object): boolean {
    return this.#spans.get(container)?.incomplete ?? false;
  }

  /** Returns the span of a value in a container. If there is no such value, returns the span of the container. */
  value(container: object, key?: string | number): Span {
    const spans = this.#spans.get(container);
    if (spans === undefined) return { start: 0, end: 0 };
    return (key === undefined ? undefined : spans.values.get(key)) ?? spans.span;
  }

  /** Returns the span of a key, for diagnostics about the whole field. */
  key(container: object, key: string): Span {
    return this.#spans.get(container)?.keys.get(key) ?? this.value(container);
  }

  /**
   * Returns the span of the characters `from` to `to` of a string, whose source is in `span`. Quotes, indentation and
   * line ends that YAML removes are skipped.
   */
  part(span: Span, value: string, from: number, to: number): Span {
    const source = this.text.slice(span.start, span.end);
    const verbatim = source.indexOf(value);
    if (verbatim >= 0) return { start: span.start + verbatim + from, end: span.start + verbatim + to };
    const start = findSourceOffset(source, value, from);
    return start === undefined ? span : { start: span.start + start, end: span.end };
  }

  /**
   * Returns line and column of a span. They are computed here because the parser's line count can be wrong after an
   * error.
   */
  toPosition(span: Span): Position {
    const starts = (this.#lineStarts ??= findLineStarts(this.text));
    const offset = Math.min(span.start, this.text.length);
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    const position = { line: low + 1, column: offset - (starts[low] as number) + 1 };
    if (!this.isFromObject) return position;
    this.#objectPath ??= createObjectPaths(this.text);
    return { ...position, path: this.#objectPath(offset) };
  }
}

/**
 * Finds the offset in the source of the character `from` of a string. The characters of a string appear in its source
 * in the same order. Returns undefined if there are escapes in between.
 */
function findSourceOffset(source: string, value: string, from: number): number | undefined {
  // The first line of a block scalar is its header.
  let offset = /^[|>]/.test(source) ? source.indexOf('\n') : 0;
  for (let i = 0; i <= Math.min(from, value.length - 1); i++) {
    const character = value[i] as string;
    if (/\s/.test(character)) continue;
    offset = source.indexOf(character, offset) + 1;
    if (offset === 0) return undefined;
  }
  return Math.max(offset - 1, 0);
}

function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
