/**
 * Makes the nodes of a policy in plain YAML: block mappings and lists, one-line scalars and comments. The package yaml keeps
 * more, and a process that checks one policy pays for it while its code is not compiled yet.
 */
import type { Document, Node, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { YAML_DEPTH_MAX } from '../language/limits.js';
import { loadYaml } from './yaml-package.js';

/** A longer text would block the event loop. */
const LENGTH_MAX = 64 * 1024;
const KEY_LENGTH_MAX = 1000;

/** The other characters of YAML have rules of their own. */
const ASCII = /^[\n\x20-\x7e]*$/;
const KEY = /([A-Za-z_][\w./-]*) *:(?= |\n|$)/y;
const DASH = /- +(?=[^ #\n])/y;
const DOUBLE = /"(?:[^"\\\n]|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[\da-fA-F]{4})*"/y;
const SINGLE = /'[^'\n]*'/y;
/** Begins like a word, a path or an integer. A colon before a space ends a key, and a sign # behind one begins a comment. */
const PLAIN = /(?:-(?=\d))?[\w/](?:[^ :#\n]|:(?=[^ \n])|(?<! )#| +(?=[^ #\n]))*/y;
const FLOW_PLAIN = /(?:-(?=\d))?[\w/][\w./*+@=~-]*(?=[,\]} ])/y;
const INTEGER = /^(?:0|-?[1-9]\d*)$/;
const WORD = /^(?:true|false|null)$/;
/** No other spelling of a word: it begins like a name or a path. */
const NAME = /^(?!(?:true|false|null)$)[a-z_/]/i;
/** Begins like a number, and has a sign or letter that no number has. */
const NO_NUMBER = /^-?\d.*(?:[/:g-mp-wyz]|\..*\.)/i;
const REST = / *(?: #.*)?(?:\n|$)/y;

/** YAML has to read the text. */
class NotPlain extends Error {}

interface Line {
  /** Position of the first character that is no space. */
  readonly at: number;
  readonly column: number;
}

/** Returns the document that YAML makes of the text, without its comments; undefined if the text is not plain. */
export function parsePlainYaml(text: string): Document.Parsed | undefined {
  if (text.length > LENGTH_MAX || !ASCII.test(text) || /^(?:---|\.\.\.|%)/m.test(text)) return undefined;
  const { Document: YamlDocument } = loadYaml();
  try {
    const contents = new Reader(text).read();
    const document = new YamlDocument(undefined, { version: '1.2', merge: false, intAsBigInt: true });
    const { length } = text;
    return Object.assign(document, {
      contents,
      range: [contents.range?.[0] ?? 0, length, length],
    }) as unknown as Document.Parsed;
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  readonly #lines: readonly Line[];
  readonly #yaml = loadYaml();
  /** Index of the line that is read. */
  #line = 0;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#lines = findLines(text);
  }

  read(): YAMLMap {
    const first = this.#lines[0];
    if (first?.column !== 0) throw new NotPlain();
    this.#at = first.at;
    const map = this.#readMap(0, 0);
    if (this.#line < this.#lines.length) throw new NotPlain();
    return map;
  }

  #readMap(column: number, depth: number): YAMLMap {
    if (depth > YAML_DEPTH_MAX / 2) throw new NotPlain();
    const map = new this.#yaml.YAMLMap<Scalar, Node>();
    const start = this.#at;
    do {
      const key = this.#readKey();
      const value = this.#readValue(column, depth);
      map.items.push(new this.#yaml.Pair(key, value));
    } while (this.#startsAt(column) && !this.#isDash());
    return this.#close(map, start, map.items.at(-1)?.value);
  }

  #readList(column: number, depth: number): YAMLSeq {
    if (depth > YAML_DEPTH_MAX / 2) throw new NotPlain();
    const list = new this.#yaml.YAMLSeq<Node>();
    const start = this.#at;
    do {
      const inner = column + this.#take(DASH).length;
      list.items.push(this.#isAt(KEY) ? this.#readMap(inner, depth + 1) : this.#readInline(column, depth));
    } while (this.#startsAt(column) && this.#isDash());
    return this.#close(list, start, list.items.at(-1));
  }

  #close<T extends YAMLMap | YAMLSeq>(node: T, start: number, last: Node | null | undefined): T {
    const end = last?.range?.[2] ?? start;
    return Object.assign(node, { range: [start, end, end] });
  }

  #readKey(): Scalar<string> {
    const start = this.#at;
    const matched = this.#take(KEY);
    const source = matched.slice(0, -1).trimEnd();
    if (source.length > KEY_LENGTH_MAX) throw new NotPlain();
    // YAML makes other values of such keys
    if (source.length + 1 < matched.length || !NAME.test(source)) throw new NotPlain();
    const end = start + source.length;
    return this.#scalar(source, source, 'PLAIN', [start, end, end]);
  }

  /** Reads the value of a key of a mapping at this column. */
  #readValue(column: number, depth: number): Node {
    if (!this.#isAt(REST)) {
      this.#take(/ +/y);
      return this.#readInline(column, depth);
    }
    const next = this.#lines[++this.#line];
    // without a value, the place of the value depends on comments
    if (next === undefined || next.column < column) throw new NotPlain();
    this.#at = next.at;
    if (next.column === column && !this.#isDash()) throw new NotPlain();
    return this.#isDash() ? this.#readList(next.column, depth + 1) : this.#readMap(next.column, depth + 1);
  }

  /** Reads a scalar or a value in brackets that ends its line. A line that is indented more would continue it. */
  #readInline(column: number, depth: number): Node {
    const isFlow = /[[{]/.test(this.#text[this.#at] ?? '');
    const node = isFlow ? this.#readFlow(depth + 1) : this.#readFlat(PLAIN);
    this.#take(REST);
    if (node.range) node.range[2] = this.#at;
    this.#line++;
    const next = this.#lines[this.#line];
    if (next !== undefined) {
      if (next.column > column) throw new NotPlain();
      this.#at = next.at;
    }
    return node;
  }

  /** Reads a value in brackets, which has to end on its line. */
  #readFlow(depth: number): Node {
    if (depth > YAML_DEPTH_MAX / 2) throw new NotPlain();
    const start = this.#at;
    if (this.#text[start] === '[') {
      const list = new this.#yaml.YAMLSeq<Node>();
      this.#readItems(']', () => list.items.push(this.#readFlow(depth + 1)));
      return Object.assign(list, { flow: true, range: [start, this.#at, this.#at] });
    }
    if (this.#text[start] !== '{') return this.#readFlat(FLOW_PLAIN);
    const map = new this.#yaml.YAMLMap<Scalar, Node>();
    this.#readItems('}', () => {
      const key = this.#readKey();
      this.#take(/ +/y);
      map.items.push(new this.#yaml.Pair(key, this.#readFlow(depth + 1)));
    });
    return Object.assign(map, { flow: true, range: [start, this.#at, this.#at] });
  }

  #readItems(end: string, readItem: () => void): void {
    this.#at++;
    this.#take(/ */y);
    for (let isFirst = true; this.#text[this.#at] !== end; isFirst = false) {
      if (!isFirst) this.#take(/, */y);
      readItem();
      this.#take(/ */y);
    }
    this.#at++;
  }

  #readFlat(plain: RegExp): Scalar {
    const start = this.#at;
    const isQuoted = this.#text[start] === '"' || this.#text[start] === "'";
    if (!isQuoted) {
      const source = this.#take(plain);
      return this.#scalar(plainValue(source), source, 'PLAIN', [start, this.#at, this.#at]);
    }
    const isDouble = this.#text[start] === '"';
    const quoted = this.#take(isDouble ? DOUBLE : SINGLE);
    const value = isDouble ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
    return this.#scalar(value, value, isDouble ? 'QUOTE_DOUBLE' : 'QUOTE_SINGLE', [start, this.#at, this.#at]);
  }

  #scalar<T>(value: T, source: string, type: string, range: [number, number, number]): Scalar<T> {
    return Object.assign(new this.#yaml.Scalar(value), { range, source, type });
  }

  /** True if another line is at this column. */
  #startsAt(column: number): boolean {
    return this.#lines[this.#line]?.column === column;
  }

  #isDash(): boolean {
    return this.#text[this.#at] === '-';
  }

  #isAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#text);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) throw new NotPlain();
    this.#at += found.length;
    return found;
  }
}

/**
 * Finds the lines that have more than a comment. A comment that is indented more than the next line can belong to what ends
 * there, and would be part of its range.
 */
function findLines(text: string): Line[] {
  const lines: Line[] = [];
  let commentColumn = 0;
  for (let start = 0; start < text.length;) {
    let at = start;
    while (text.charCodeAt(at) === SPACE) at++;
    const column = at - start;
    if (text[at] === '#') commentColumn = Math.max(commentColumn, column);
    else if (at < text.length && text[at] !== '\n') {
      if (commentColumn > column) throw new NotPlain();
      commentColumn = 0;
      lines.push({ at, column });
    }
    const end = text.indexOf('\n', at);
    start = end < 0 ? text.length : end + 1;
  }
  if (commentColumn > 0) throw new NotPlain();
  return lines;
}

const SPACE = 0x20;

function plainValue(source: string): boolean | null | bigint | string {
  if (INTEGER.test(source)) return BigInt(source);
  if (WORD.test(source)) return JSON.parse(source) as boolean | null;
  if (!NAME.test(source) && !NO_NUMBER.test(source)) throw new NotPlain();
  return source;
}
