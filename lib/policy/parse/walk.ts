/** Checks a YAML tree against the table of the language and turns the correct parts into plain data. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type ParsedNode,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { isBeyondPlainData } from './yaml.js';
import { nearest } from './nearest.js';
import type { Placed, Span } from './places.js';
import { quote, type Report } from './report.js';
import type { Field, IntegerShape, ListShape, MapShape, ObjectShape, Shape, TextShape } from '../language/shape.js';

/** Returns plain data. Everything that is wrong is reported and left out. */
export function walk(root: Node, shape: Shape, report: Report): unknown {
  return new Walker(report).node(root, shape, 'the policy');
}

const articles: Readonly<Record<Shape['kind'], string>> = {
  object: 'a group of fields',
  map: 'a group of fields',
  list: 'a list',
  text: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
  any: 'anything',
};

class Walker {
  constructor(private readonly report: Report) {}

  node(node: Node | null, shape: Shape, name: string): unknown {
    if (node === null || isBeyondPlainData(node)) return undefined;
    switch (shape.kind) {
      case 'object':
        return isMap(node) ? this.#object(node, shape, name) : this.#wrongType(node, shape, name);
      case 'map':
        return isMap(node) ? this.#map(node, shape, name) : this.#wrongType(node, shape, name);
      case 'list':
        return isSeq(node) ? this.#list(node, shape, name) : this.#wrongType(node, shape, name);
      case 'text':
        return this.#text(node, shape, name);
      case 'integer':
        return this.#integer(node, shape, name);
      case 'boolean':
        return isScalar(node) && typeof node.value === 'boolean' ? node.value : this.#wrongType(node, shape, name);
      case 'any':
        return undefined;
    }
  }

  #wrongType(node: Node, shape: Shape, name: string): undefined {
    const found = describe(node);
    const isText = shape.kind === 'text' && isScalar(node) && node.value !== null;
    const hint = isText
      ? `write it in quotes: ${quote(node.source ?? String(node.value))}`
      : shape.kind === 'list'
        ? 'begin each item with `- `'
        : shape.kind === 'integer' || shape.kind === 'boolean'
          ? 'write it without quotes'
          : 'check the indentation of the lines below';
    this.report.add('WRONG_TYPE', span(node), `${name} must be ${articles[shape.kind]}, not ${found}`, hint);
    return undefined;
  }

  #object(node: YAMLMap, shape: ObjectShape, name: string): object {
    const value: Record<string, unknown> = {};
    const placed = this.#place(node, value);
    for (const [key, pair] of this.#pairs(node, placed)) {
      const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
      if (field === undefined) this.#unknownField(key, pair, shape, name);
      else this.#field(key, pair, field, value);
    }
    for (const [key, field] of Object.entries(shape.fields)) {
      if (field.required !== true || placed.keys.has(key)) continue;
      this.report.add('MISSING_FIELD', placed.span, `${name} has no ${quote(key)}`, `add ${key}: ${field.doc}`);
    }
    return value;
  }

  #field(key: string, pair: Pair, field: Field, value: Record<string, unknown>): void {
    const node = pair.value as Node | null;
    if (isNothing(node)) {
      // When people empty a list, a key without a value remains. It is an error only if the field is required.
      const at = span((node ?? pair.key) as Node);
      const code = field.required === true ? 'WRONG_TYPE' : 'FIELD_WITHOUT_VALUE';
      if (field.shape.kind === 'any') return;
      this.report.add(
        code,
        at.end > at.start ? at : span(pair.key as Node),
        `${quote(key)} has no value`,
        `give it ${articles[field.shape.kind]}, or remove the line`,
      );
      return;
    }
    const found = this.node(node, field.shape, quote(key));
    if (found !== undefined) value[key] = found;
  }

  #unknownField(key: string, pair: Pair, shape: ObjectShape, name: string): void {
    const names = Object.keys(shape.fields);
    const close = nearest(key, names);
    const hint = close === undefined ? `known fields are ${names.join(', ')}` : `did you mean ${quote(close)}?`;
    this.report.add('UNKNOWN_FIELD', span(pair.key as Node), `${name} has no field ${quote(key)}`, hint);
  }

  #map(node: YAMLMap, shape: MapShape, name: string): object {
    const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    const placed = this.#place(node, value);
    for (const [key, pair] of this.#pairs(node, placed)) {
      if (isNothing(pair.value as Node | null)) {
        this.report.add(
          'WRONG_TYPE',
          span(pair.key as Node),
          `${quote(key)} in ${name} has no value`,
          `give it ${articles[shape.of.kind]}`,
        );
        continue;
      }
      const found = this.node(pair.value as Node, shape.of, quote(key));
      if (found !== undefined) value[key] = found;
    }
    return value;
  }

  *#pairs(node: YAMLMap, placed: Placed): Generator<[string, Pair]> {
    for (const pair of node.items) {
      const key = pair.key as Node;
      if (isBeyondPlainData(key)) continue;
      if (!isScalar(key) || typeof key.value !== 'string') {
        const text = isScalar(key) ? (key.source ?? '') : describe(key);
        this.report.add(
          'YAML_KEY',
          span(key),
          `a field's name must be text, not ${quote(text)}`,
          'write the name in quotes',
        );
        continue;
      }
      if (placed.keys.has(key.value)) {
        this.report.add('YAML_DUPLICATE_KEY', span(key), `${quote(key.value)} is written twice`, 'keep one of the two');
        continue;
      }
      placed.keys.set(key.value, span(key));
      if (pair.value !== null) placed.values.set(key.value, span(pair.value as Node));
      yield [key.value, pair];
    }
  }

  #list(node: YAMLSeq, shape: ListShape, name: string): unknown[] {
    const value: unknown[] = [];
    const placed = this.#place(node, value);
    for (const item of node.items as (ParsedNode | null)[]) {
      if (item === null || isNothing(item)) {
        this.report.add(
          'WRONG_TYPE',
          item === null ? placed.span : span(item),
          `an item of ${name} is empty`,
          'remove the line, or add a value',
        );
        placed.incomplete = true;
        continue;
      }
      const found = this.node(item, shape.of, `an item of ${name}`);
      if (found === undefined) {
        placed.incomplete = true;
        continue;
      }
      placed.values.set(value.length, span(item));
      value.push(found);
    }
    if (node.items.length < shape.minItems) {
      this.report.add('EMPTY_LIST', placed.span, `${name} is empty`, 'give it at least one item');
    }
    if (shape.maxItems !== undefined && node.items.length > shape.maxItems) {
      const extra = node.items[shape.maxItems] as Node;
      this.report.add(
        'TOO_MANY_ITEMS',
        span(extra),
        `${name} has ${node.items.length} items; at most ${shape.maxItems} are allowed`,
        'remove the rest, or move it to another selector or hook',
      );
    }
    return value;
  }

  #text(node: Node, shape: TextShape, name: string): string | undefined {
    if (!isScalar(node)) return this.#wrongType(node, shape, name);
    let { value } = node;
    if (
      shape.mayBeBare === true &&
      node.source !== undefined &&
      (typeof value === 'bigint' || typeof value === 'number')
    ) {
      value = node.source;
      this.report.add(
        'VALUE_NOT_QUOTED',
        span(node),
        `${node.source} is a number in YAML, but text is expected`,
        `a Kubernetes cluster refuses it: write ${quote(node.source)}`,
      );
    }
    if (typeof value !== 'string') return this.#wrongType(node, shape, name);
    if (shape.enum !== undefined && !shape.enum.includes(value)) {
      const close = nearest(value, shape.enum);
      const hint = close === undefined ? `known: ${shape.enum.join(', ')}` : `did you mean ${quote(close)}?`;
      this.report.add('UNKNOWN_VALUE', span(node), `${quote(value)} is not a value of ${name}`, hint);
      return undefined;
    }
    if (value === '' && shape.enum === undefined && shape.mayBeEmpty !== true) {
      this.report.add('EMPTY_TEXT', span(node), `${name} is empty`, 'give it a value, or remove the line');
      return undefined;
    }
    return value;
  }

  #integer(node: Node, shape: IntegerShape, name: string): number | bigint | undefined {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value !== 'number' && typeof value !== 'bigint') return this.#wrongType(node, shape, name);
    if (typeof value === 'number' && !Number.isInteger(value)) return this.#wrongType(node, shape, name);
    const exact = BigInt(value);
    if (exact < shape.minimum || exact > shape.maximum) {
      this.report.add(
        'NUMBER_OUT_OF_RANGE',
        span(node),
        `${name} must be from ${shape.minimum} to ${shape.maximum}`,
        'correct the number',
      );
      return undefined;
    }
    return shape.maximum > Number.MAX_SAFE_INTEGER ? exact : Number(exact);
  }

  #place(node: YAMLMap | YAMLSeq, container: object): Placed {
    const placed: Placed = { span: span(node), keys: new Map(), values: new Map() };
    this.report.places.register(container, placed);
    return placed;
  }
}

function isNothing(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null && !isAlias(node));
}

function describe(node: Node): string {
  if (isMap(node)) return 'a group of fields';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  return typeof node.value === 'string' ? 'text' : typeof node.value === 'boolean' ? 'true or false' : 'a number';
}

function span(node: Node): Span {
  const range = node.range;
  return range ? { start: range[0], end: range[1] } : { start: 0, end: 0 };
}
