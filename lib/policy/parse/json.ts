/** Makes the nodes of a JSON text, for policies that programs write: YAML needs about ten times as long for it. */
import type { Document, Node, Scalar } from 'yaml';
import { YAML_DEPTH_MAX } from '../language/limits.js';
import { loadYaml } from './yaml-package.js';

/** A longer text would block the event loop. A key is a word, not a text: YAML limits its length in some places. */
const LENGTH_MAX = 64 * 1024;
const KEY_LENGTH_MAX = 1000;

// YAML has other rules for control characters and for further kinds of numbers
const STRING = /"(?:[^"\\\p{Cc}\u2028\u2029\ufeff\ud800-\udfff]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*"/uy;
const INTEGER = /(?:0|-?[1-9]\d*)(?=[,\]}])/y;
const WORD = /(?:true|false|null)(?=[,\]}])/y;

/** The text is no JSON, or JSON that YAML reads in another way. */
class NotPlain extends Error {}

/**
 * Returns the document that YAML makes of the text. Undefined unless the text is a JSON object without spaces
 * between its parts: YAML then finds what is wrong with it.
 */
export function parsePlainJson(text: string): Document.Parsed | undefined {
  if (!text.startsWith('{') || text.length > LENGTH_MAX) return undefined;
  const { Document: YamlDocument } = loadYaml();
  try {
    const reader = new Reader(text);
    const contents = reader.readNode(0);
    if (reader.at !== text.length) return undefined;
    const document = new YamlDocument(undefined, { version: '1.2', merge: false, intAsBigInt: true });
    const { length } = text;
    return Object.assign(document, { contents, range: [0, length, length] }) as unknown as Document.Parsed;
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  readonly #yaml = loadYaml();
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readNode(depth: number): Node {
    if (depth > YAML_DEPTH_MAX / 2) throw new NotPlain();
    const start = this.at;
    switch (this.#text[start] ?? '') {
      case '{': {
        const map = new this.#yaml.YAMLMap();
        this.#readItems('}', () => {
          const key = this.#readString();
          if (key.value.length > KEY_LENGTH_MAX) throw new NotPlain();
          this.#expect(':');
          map.items.push(new this.#yaml.Pair(key, this.readNode(depth + 1)));
        });
        return Object.assign(map, { flow: true, range: this.#range(start) });
      }
      case '[': {
        const list = new this.#yaml.YAMLSeq();
        this.#readItems(']', () => {
          list.items.push(this.readNode(depth + 1));
        });
        return Object.assign(list, { flow: true, range: this.#range(start) });
      }
      case '"':
        return this.#readString();
      default:
        return this.#readPlain();
    }
  }

  #readItems(end: string, readItem: () => void): void {
    this.at++;
    for (let isFirst = true; this.#text[this.at] !== end; isFirst = false) {
      if (!isFirst) this.#expect(',');
      readItem();
    }
    this.at++;
  }

  #readString(): Scalar<string> {
    const start = this.at;
    const value = JSON.parse(this.#read(STRING)) as string;
    return this.#scalar(value, value, 'QUOTE_DOUBLE', start);
  }

  #readPlain(): Node {
    const start = this.at;
    const isWord = /[tfn]/.test(this.#text[start] ?? '');
    const source = this.#read(isWord ? WORD : INTEGER);
    const value = isWord ? (JSON.parse(source) as boolean | null) : BigInt(source);
    return this.#scalar(value, source, 'PLAIN', start);
  }

  #scalar<T>(value: T, source: string, type: 'PLAIN' | 'QUOTE_DOUBLE', start: number): Scalar<T> {
    return Object.assign(new this.#yaml.Scalar(value), { range: this.#range(start), source, type });
  }

  /** The last number is the end of what follows the node, which has no spaces here. */
  #range(start: number): [number, number, number] {
    return [start, this.at, this.at];
  }

  #expect(sign: string): void {
    if (this.#text[this.at++] !== sign) throw new NotPlain();
  }

  #read(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) throw new NotPlain();
    this.at += found.length;
    return found;
  }
}
