/** Checks a YAML tree against the table of the language and turns the correct parts into plain data. */
import type { Node, Pair, ParsedNode, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { isAlias, isMap, isScalar, isSeq } from './yaml-package.js';
import { isBeyondPlainData } from './yaml.js';
import { fieldInstead } from '../language/instead.js';
import { RENDER } from './foreign.js';
import { nearestHint } from './nearest.js';
import { canTake, fieldOf, homeBelow, pathTo, takes } from './strays.js';
import type { Placed, Span } from './places.js';
import { quote, type Report } from './report.js';
import type { Field, IntegerShape, ListShape, MapShape, ObjectShape, Shape, TextShape } from '../language/shape.js';

/** Returns plain data. Everything that is wrong is reported and left out. */
export function walk(root: Node, shape: Shape, report: Report, name = 'the policy'): unknown {
  return new Walker(report).node(root, shape, { name, parent: '' });
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

/** The names of a value in messages. */
interface Names {
  /** The value itself, such as `an item of "args"`. */
  readonly name: string;
  /** The field that contains it. */
  readonly parent: string;
}

const ofField = (key: string): Names => ({ name: quote(key), parent: key });
const ofItem = ({ name, parent }: Names): Names => ({ name: `an item of ${name}`, parent });

class Walker {
  /** The objects around the current one, with their names. */
  readonly #outer: (readonly [ObjectShape, string])[] = [];

  constructor(private readonly report: Report) {}

  /** `strays` are fields of the object, or of the last object of the list, that are written in the wrong place. */
  node(node: Node | null, shape: Shape, names: Names, strays: readonly Pair[] = []): unknown {
    const { name } = names;
    if (node === null || isBeyondPlainData(node)) return undefined;
    switch (shape.kind) {
      case 'object':
        return isMap(node)
          ? this.#object([...node.items, ...strays], span(node), shape, names)
          : this.#wrongType(node, shape, name);
      case 'map':
        return isMap(node) ? this.#map(node, shape, name) : this.#wrongType(node, shape, name);
      case 'list':
        return isSeq(node) ? this.#list(node, shape, names, strays) : this.#wrongType(node, shape, name);
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
    const isTemplate = this.report.places.text.startsWith('{{', span(node).start);
    const hint = isTemplate ? `this is a template: ${RENDER}` : typeHint(node, shape);
    this.report.add('WRONG_TYPE', span(node), `${name} must be ${articles[shape.kind]}, not ${found}`, hint);
    return undefined;
  }

  #object(items: readonly Pair[], at: Span, shape: ObjectShape, names: Names): object {
    const { name } = names;
    const value: Record<string, unknown> = {};
    const placed = this.#place(at, value);
    const pairs = [...this.#pairs(items, placed)];
    const strays = this.#strays(pairs, shape, name);
    const moved = new Set([...strays.values()].flat());
    this.#outer.push([shape, name]);
    for (const [key, pair] of pairs) {
      const field = fieldOf(shape, key);
      if (field !== undefined) this.#field(key, pair, field, value, placed, strays.get(key) ?? []);
      else if (!moved.has(pair)) this.#unknownField(key, pair, shape, names, placed);
    }
    this.#outer.pop();
    for (const [key, field] of Object.entries(shape.fields)) {
      if (field.required !== true || placed.keys.has(key)) continue;
      this.report.add('MISSING_FIELD', placed.span, `${name} has no ${quote(key)}`, `add ${key}: ${field.doc}`);
    }
    return value;
  }

  #field(
    key: string,
    pair: Pair,
    field: Field,
    value: Record<string, unknown>,
    placed: Placed,
    strays: readonly Pair[],
  ): void {
    const node = pair.value as Node | null;
    if (isNothing(node)) {
      if (strays[0] === undefined) this.#noValue(key, pair, field, placed);
      else value[key] = this.#onlyStrays(field.shape, ofField(key), strays, span(strays[0].key as Node));
      return;
    }
    const found = this.node(node, field.shape, ofField(key), strays);
    if (found !== undefined) value[key] = found;
  }

  /**
   * When people empty a list, a key without a value remains. It is an error only if the field is required. Otherwise it
   * is the same as if the field were not there.
   */
  #noValue(key: string, pair: Pair, field: Field, placed: Placed): void {
    const code = field.required === true ? 'WRONG_TYPE' : 'FIELD_WITHOUT_VALUE';
    if (field.required !== true) placed.keys.delete(key);
    if (field.shape.kind === 'any') return;
    const at = span((pair.value ?? pair.key) as Node);
    this.report.add(
      code,
      at.end > at.start ? at : span(pair.key as Node),
      `${quote(key)} has no value`,
      `give it ${articles[field.shape.kind]}, or remove the line`,
    );
  }

  /** An object, or a list with one object, whose fields are all written in the wrong place. */
  #onlyStrays(shape: Shape, names: Names, strays: readonly Pair[], at: Span): unknown {
    if (shape.kind === 'object') return this.#object(strays, at, shape, names);
    if (shape.kind !== 'list') return undefined;
    const value: unknown[] = [];
    this.#place(at, value).values.set(0, at);
    value.push(this.#onlyStrays(shape.of, ofItem(names), strays, at));
    return value;
  }

  /**
   * Finds the fields that are indented too little, and reports them once for each place that they belong to. They are
   * then read as if they were written there, so that no further mistake follows from this one.
   */
  #strays(pairs: readonly (readonly [string, Pair])[], shape: ObjectShape, name: string): Map<string, Pair[]> {
    const moved = new Map<string, Pair[]>();
    const before = new Map<string, Node | null>();
    for (const [key, pair] of pairs) {
      const node = pair.value as Node | null;
      if (fieldOf(shape, key) !== undefined) {
        before.set(key, node);
        continue;
      }
      const home = homeBelow(key, node, shape, [...before.keys()]);
      if (home === undefined || !canTake(before.get(home) ?? null, key)) continue;
      const others = moved.get(home);
      if (others === undefined) moved.set(home, [pair]);
      else others.push(pair);
    }
    for (const [home, strays] of moved) {
      const keys = strays.map((pair) => (pair.key as Scalar<string>).value);
      const several = keys.length > 1;
      const list = fieldOf(shape, home)?.shape.kind === 'list';
      this.report.add(
        'UNKNOWN_FIELD',
        span(strays[0]?.key as Node),
        `${name} has no field${several ? 's' : ''} ${keys.map(quote).join(', ')}`,
        `${several ? 'they belong' : 'it belongs'} to ${list ? 'the last item of ' : ''}${quote(home)}: indent ${several ? 'these lines' : 'the line'} further`,
      );
    }
    return moved;
  }

  #unknownField(key: string, pair: Pair, shape: ObjectShape, { name, parent }: Names, placed: Placed): void {
    const hint = this.#fieldHint(key, pair.value as Node | null, shape, parent, placed);
    this.report.add('UNKNOWN_FIELD', span(pair.key as Node), `${name} has no field ${quote(key)}`, hint);
  }

  #fieldHint(key: string, node: Node | null, shape: ObjectShape, parent: string, placed: Placed): string {
    const known = fieldInstead(parent, key);
    if (known !== undefined) return known;
    const outer = this.#outer.slice(0, -1).findLast(([around]) => takes(around, key, node));
    if (outer !== undefined) return `it belongs to ${outer[1]}: move it there`;
    const path = pathTo(key, node, shape, placed.keys);
    if (path !== undefined) return `it belongs below ${path.map(quote).join(', there below ')}: move it there`;
    const names = Object.keys(shape.fields);
    return nearestHint(key, names, `known fields are ${names.join(', ')}`);
  }

  #map(node: YAMLMap, shape: MapShape, name: string): object {
    const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    const placed = this.#place(span(node), value);
    for (const [key, pair] of this.#pairs(node.items, placed)) {
      if (isNothing(pair.value as Node | null)) {
        this.report.add(
          'WRONG_TYPE',
          span(pair.key as Node),
          `${quote(key)} in ${name} has no value`,
          `give it ${articles[shape.of.kind]}`,
        );
        continue;
      }
      const found = this.node(pair.value as Node, shape.of, ofField(key));
      if (found !== undefined) value[key] = found;
    }
    return value;
  }

  *#pairs(items: readonly Pair[], placed: Placed): Generator<[string, Pair]> {
    for (const pair of items) {
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

  #list(node: YAMLSeq, shape: ListShape, names: Names, strays: readonly Pair[]): unknown[] {
    const { name } = names;
    const value: unknown[] = [];
    const placed = this.#place(span(node), value);
    const last = node.items.at(-1);
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
      const found = this.node(item, shape.of, ofItem(names), item === last ? strays : []);
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
      const hint = shape.instead?.(value) ?? nearestHint(value, shape.enum, `known: ${shape.enum.join(', ')}`);
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

  #place(at: Span, container: object): Placed {
    const placed: Placed = { span: at, keys: new Map(), values: new Map() };
    this.report.places.register(container, placed);
    return placed;
  }
}

function isNothing(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null && !isAlias(node));
}

/** How to write a value of the right type. */
function typeHint(node: Node, shape: Shape): string {
  const written = isScalar(node) && node.value !== null ? String(node.value) : undefined;
  switch (shape.kind) {
    case 'text':
      if (written === undefined) break;
      return `write it in quotes: ${quote((node as Scalar).source ?? written)}`;
    case 'list':
      return 'begin each item with `- `';
    case 'integer':
      if (written === undefined) return 'write a number';
      return shape.instead?.(written) ?? (/^-?\d+$/.test(written) ? 'write it without quotes' : 'write a whole number');
    case 'boolean':
      return written === 'true' || written === 'false'
        ? 'write it without quotes'
        : 'write true or false, without quotes';
    default:
      break;
  }
  return 'check the indentation of the lines below';
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
