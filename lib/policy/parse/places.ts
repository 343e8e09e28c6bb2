/** Keeps the place in the text of each object, list and scalar of a policy. */

/** A range of UTF-16 offsets. The end is not included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The span of an object or list, and the spans of its keys and values. */
export interface Placed {
  readonly span: Span;
  readonly keys: Map<string, Span>;
  readonly values: Map<string | number, Span>;
  /** True if an item was wrong and has been left out. */
  incomplete?: boolean;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * The walker registers every object and list that it makes here. So the checks can work on plain data and still report
 * the place of a mistake.
 */
export class Places {
  readonly #placed = new WeakMap<object, Placed>();
  #lineStarts: number[] | undefined;

  constructor(
    readonly file: string,
    readonly text: string,
  ) {}

  register(container: object, placed: Placed): void {
    this.#placed.set(container, placed);
  }

  /** Gives a container the place of the container that it was made from. */
  copy(from: object, to: object): void {
    const placed = this.#placed.get(from);
    if (placed !== undefined) this.#placed.set(to, placed);
  }

  /** True if the text has such a field, even if its value is not usable. */
  has(container: object, key: string): boolean {
    return this.#placed.get(container)?.keys.has(key) ?? false;
  }

  isIncomplete(container: object): boolean {
    return this.#placed.get(container)?.incomplete ?? false;
  }

  /** The span of a value in a container. If there is no such value, the span of the container itself. */
  value(container: object, key?: string | number): Span {
    const placed = this.#placed.get(container);
    if (placed === undefined) return { start: 0, end: 0 };
    return (key === undefined ? undefined : placed.values.get(key)) ?? placed.span;
  }

  /** The span of a key, for mistakes that are about the field as a whole. */
  key(container: object, key: string): Span {
    return this.#placed.get(container)?.keys.get(key) ?? this.value(container);
  }

  /** The span of a part of the text in `span`. Quotes, indentation and line ends that YAML removes are skipped. */
  inside(span: Span, value: string, from: number, to: number): Span {
    const source = this.text.slice(span.start, span.end);
    const verbatim = source.indexOf(value);
    if (verbatim >= 0) return { start: span.start + verbatim + from, end: span.start + verbatim + to };
    const start = sourceOffset(source, value, from);
    return start === undefined ? span : { start: span.start + start, end: span.end };
  }

  /**
   * Line and column of a span. They are computed here because the parser's own line count can be wrong after a mistake.
   */
  position(span: Span): Position {
    const starts = (this.#lineStarts ??= lineStarts(this.text));
    const offset = Math.min(span.start, this.text.length);
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 };
  }
}

/**
 * The characters of a value appear in its source in the same order. Returns undefined if there are escapes in between.
 */
function sourceOffset(source: string, value: string, from: number): number | undefined {
  // The first line of a block only says how to read the other lines.
  let at = /^[|>]/.test(source) ? source.indexOf('\n') : 0;
  for (let i = 0; i <= Math.min(from, value.length - 1); i++) {
    const sign = value[i] as string;
    if (/\s/.test(sign)) continue;
    at = source.indexOf(sign, at) + 1;
    if (at === 0) return undefined;
  }
  return Math.max(at - 1, 0);
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
