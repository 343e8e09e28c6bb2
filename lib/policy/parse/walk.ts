/** Checks a YAML tree against the table of the language and turns the correct parts into plain data. */
import type { Node, Pair, ParsedNode, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { isAlias, isMap, isScalar, isSeq } from './yaml-package.js';
import { isUnsupportedNode } from './yaml.js';
import { suggestField } from '../language/suggestions.js';
import { RENDER_HINT } from './foreign-format.js';
import { nearestHint } from './nearest-name.js';
import { canAddField, findField, findNestedParent, findFieldPath, acceptsField } from './misplaced-fields.js';
import type { ContainerSpans, Span } from './positions.js';
import { quote, type Report } from './report.js';
import { emptyIsAbsent } from '../language/shape.js';
import type { Field, IntegerShape, ListShape, MapShape, ObjectShape, Shape, TextShape } from '../language/shape.js';

/** Returns plain data. Wrong parts are reported and left out. */
export function walkTree(root: Node, shape: Shape, report: Report, name = 'the policy'): unknown {
  return new Walker(report).walkNode(root, shape, { name, parent: '' });
}

const SHAPE_PHRASES: Readonly<Record<Shape['kind'], string>> = {
  object: 'a group of fields',
  map: 'a group of fields',
  list: 'a list',
  text: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
  any: 'anything',
};

/** The names of a value in messages. */
interface NodeNames {
  /** The name of the value, such as `an item of "args"`. */
  readonly name: string;
  /** The name of the field that contains the value. */
  readonly parent: string;
}

const fieldNames = (key: string): NodeNames => ({ name: quote(key), parent: key });
const itemNames = ({ name, parent }: NodeNames): NodeNames => ({ name: `an item of ${name}`, parent });

class Walker {
  /** The objects around the current one, with their names. */
  readonly #outer: (readonly [ObjectShape, string])[] = [];

  constructor(private readonly report: Report) {}

  /** `misplaced`: fields of the object, or of the last object of the list, that are written outside of it. */
  walkNode(node: Node | null, shape: Shape, names: NodeNames, misplaced: readonly Pair[] = []): unknown {
    const { name } = names;
    if (node === null || isUnsupportedNode(node)) return undefined;
    switch (shape.kind) {
      case 'object':
        return isMap(node)
          ? this.#walkObject([...node.items, ...misplaced], nodeSpan(node), shape, names)
          : this.#reportWrongType(node, shape, name);
      case 'map':
        return isMap(node) ? this.#walkMap(node, shape, name) : this.#reportWrongType(node, shape, name);
      case 'list':
        return isSeq(node) ? this.#walkList(node, shape, names, misplaced) : this.#reportWrongType(node, shape, name);
      case 'text':
        return this.#walkText(node, shape, name);
      case 'integer':
        return this.#walkInteger(node, shape, name);
      case 'boolean':
        return isScalar(node) && typeof node.value === 'boolean'
          ? node.value
          : this.#reportWrongType(node, shape, name);
      case 'any':
        return undefined;
    }
  }

  #reportWrongType(node: Node, shape: Shape, name: string): undefined {
    const found = describeNode(node);
    const isTemplate = this.report.positions.text.startsWith('{{', nodeSpan(node).start);
    const hint = isTemplate ? `this is a template: ${RENDER_HINT}` : typeHint(node, shape);
    this.report.add('WRONG_TYPE', nodeSpan(node), `${name} must be ${SHAPE_PHRASES[shape.kind]}, not ${found}`, hint);
    return undefined;
  }

  #walkObject(items: readonly Pair[], at: Span, shape: ObjectShape, names: NodeNames): object {
    const { name } = names;
    const value: Record<string, unknown> = {};
    const spans = this.#registerSpans(at, value);
    const pairs = [...this.#readPairs(items, spans)];
    const misplaced = this.#findMisplaced(pairs, shape, name);
    const moved = new Set([...misplaced.values()].flat());
    this.#outer.push([shape, name]);
    for (const [key, pair] of pairs) {
      const field = findField(shape, key);
      if (field !== undefined) this.#walkField(key, pair, field, value, spans, misplaced.get(key) ?? []);
      else if (!moved.has(pair)) this.#reportUnknownField(key, pair, shape, names, spans);
    }
    this.#outer.pop();
    for (const [key, field] of Object.entries(shape.fields)) {
      if (field.required !== true || spans.keys.has(key)) continue;
      this.report.add('MISSING_FIELD', spans.span, `${name} has no ${quote(key)}`, `add ${key}: ${field.doc}`);
    }
    return value;
  }

  #walkField(
    key: string,
    pair: Pair,
    field: Field,
    value: Record<string, unknown>,
    spans: ContainerSpans,
    misplaced: readonly Pair[],
  ): void {
    const node = pair.value as Node | null;
    if (isEmptyNode(node)) {
      if (misplaced[0] === undefined) this.#reportNoValue(key, pair, field, spans);
      else
        value[key] = this.#walkMisplacedOnly(
          field.shape,
          fieldNames(key),
          misplaced,
          nodeSpan(misplaced[0].key as Node),
        );
      return;
    }
    if (emptyIsAbsent(field) && misplaced.length === 0 && isZeroValue(node as Node, field.shape)) {
      spans.absent.add(key);
      return;
    }
    const found = this.walkNode(node, field.shape, fieldNames(key), misplaced);
    if (found !== undefined) value[key] = found;
    else spans.incomplete = true;
  }

  /**
   * A key without a value often remains when somebody empties a list. It is an error only if the field is required.
   * Otherwise the field counts as absent. A program writes `null` for it, which is no mistake.
   */
  #reportNoValue(key: string, pair: Pair, field: Field, spans: ContainerSpans): void {
    const code = field.required === true ? 'WRONG_TYPE' : 'FIELD_WITHOUT_VALUE';
    if (field.required !== true) spans.absent.add(key);
    const isNullWritten = isScalar(pair.value) && Boolean(pair.value.source);
    if (field.shape.kind === 'any' || (code === 'FIELD_WITHOUT_VALUE' && isNullWritten)) return;
    const at = nodeSpan((pair.value ?? pair.key) as Node);
    this.report.add(
      code,
      at.end > at.start ? at : nodeSpan(pair.key as Node),
      `${quote(key)} has no value`,
      `give it ${SHAPE_PHRASES[field.shape.kind]}, or remove the line`,
    );
  }

  /** Makes an object, or a list with one object, whose fields are all misplaced. */
  #walkMisplacedOnly(shape: Shape, names: NodeNames, misplaced: readonly Pair[], at: Span): unknown {
    if (shape.kind === 'object') return this.#walkObject(misplaced, at, shape, names);
    if (shape.kind !== 'list') return undefined;
    const value: unknown[] = [];
    this.#registerSpans(at, value).values.set(0, at);
    value.push(this.#walkMisplacedOnly(shape.of, itemNames(names), misplaced, at));
    return value;
  }

  /**
   * Finds the fields that are indented too little, and reports them once for each object that they belong to. They are
   * then read as parts of that object, so that no further error follows from this one.
   */
  #findMisplaced(pairs: readonly (readonly [string, Pair])[], shape: ObjectShape, name: string): Map<string, Pair[]> {
    const moved = new Map<string, Pair[]>();
    const preceding = new Map<string, Node | null>();
    for (const [key, pair] of pairs) {
      const node = pair.value as Node | null;
      if (findField(shape, key) !== undefined) {
        preceding.set(key, node);
        continue;
      }
      const parent = findNestedParent(key, node, shape, [...preceding.keys()]);
      if (parent === undefined || !canAddField(preceding.get(parent) ?? null, key)) continue;
      const others = moved.get(parent);
      if (others === undefined) moved.set(parent, [pair]);
      else others.push(pair);
    }
    for (const [parent, misplaced] of moved) {
      const keys = misplaced.map((pair) => (pair.key as Scalar<string>).value);
      const several = keys.length > 1;
      const list = findField(shape, parent)?.shape.kind === 'list';
      this.report.add(
        'UNKNOWN_FIELD',
        nodeSpan(misplaced[0]?.key as Node),
        `${name} has no field${several ? 's' : ''} ${keys.map(quote).join(', ')}`,
        `${several ? 'they belong' : 'it belongs'} to ${list ? 'the last item of ' : ''}${quote(parent)}: indent ${several ? 'these lines' : 'the line'} further`,
      );
    }
    return moved;
  }

  #reportUnknownField(
    key: string,
    pair: Pair,
    shape: ObjectShape,
    { name, parent }: NodeNames,
    spans: ContainerSpans,
  ): void {
    const hint = this.#fieldHint(key, pair.value as Node | null, shape, parent, spans);
    this.report.add('UNKNOWN_FIELD', nodeSpan(pair.key as Node), `${name} has no field ${quote(key)}`, hint);
    spans.incomplete = true;
  }

  #fieldHint(key: string, node: Node | null, shape: ObjectShape, parent: string, spans: ContainerSpans): string {
    const known = suggestField(parent, key);
    if (known !== undefined) return known;
    const outer = this.#outer.slice(0, -1).findLast(([object]) => acceptsField(object, key, node));
    if (outer !== undefined) return `it belongs to ${outer[1]}: move it there`;
    const path = findFieldPath(key, node, shape, spans.keys);
    if (path !== undefined) return `it belongs below ${path.map(quote).join(', there below ')}: move it there`;
    const names = Object.keys(shape.fields);
    return nearestHint(key, names, `known fields are ${names.join(', ')}`);
  }

  #walkMap(node: YAMLMap, shape: MapShape, name: string): object {
    const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    const spans = this.#registerSpans(nodeSpan(node), value);
    for (const [key, pair] of this.#readPairs(node.items, spans)) {
      if (isEmptyNode(pair.value as Node | null)) {
        this.report.add(
          'WRONG_TYPE',
          nodeSpan(pair.key as Node),
          `${quote(key)} in ${name} has no value`,
          `give it ${SHAPE_PHRASES[shape.of.kind]}`,
        );
        continue;
      }
      const found = this.walkNode(pair.value as Node, shape.of, fieldNames(key));
      if (found !== undefined) value[key] = found;
    }
    return value;
  }

  *#readPairs(items: readonly Pair[], spans: ContainerSpans): Generator<[string, Pair]> {
    for (const pair of items) {
      const key = pair.key as Node;
      if (isUnsupportedNode(key)) continue;
      if (!isScalar(key) || typeof key.value !== 'string') {
        const text = isScalar(key) ? (key.source ?? '') : describeNode(key);
        this.report.add(
          'YAML_KEY',
          nodeSpan(key),
          `a field's name must be text, not ${quote(text)}`,
          'write the name in quotes',
        );
        continue;
      }
      if (spans.keys.has(key.value)) {
        this.report.add(
          'YAML_DUPLICATE_KEY',
          nodeSpan(key),
          `${quote(key.value)} is written twice`,
          'keep one of the two',
        );
        continue;
      }
      spans.keys.set(key.value, nodeSpan(key));
      if (pair.value !== null) spans.values.set(key.value, nodeSpan(pair.value as Node));
      yield [key.value, pair];
    }
  }

  #walkList(node: YAMLSeq, shape: ListShape, names: NodeNames, misplaced: readonly Pair[]): unknown[] {
    const { name } = names;
    const value: unknown[] = [];
    const spans = this.#registerSpans(nodeSpan(node), value);
    const last = node.items.at(-1);
    for (const item of node.items as (ParsedNode | null)[]) {
      if (item === null || isEmptyNode(item)) {
        this.report.add(
          'WRONG_TYPE',
          item === null ? spans.span : nodeSpan(item),
          `an item of ${name} is empty`,
          'remove the line, or add a value',
        );
        spans.incomplete = true;
        continue;
      }
      const found = this.walkNode(item, shape.of, itemNames(names), item === last ? misplaced : []);
      if (found === undefined) {
        spans.incomplete = true;
        continue;
      }
      spans.values.set(value.length, nodeSpan(item));
      value.push(found);
    }
    if (node.items.length < shape.minItems) {
      this.report.add('EMPTY_LIST', spans.span, `${name} is empty`, 'give it at least one item');
    }
    if (shape.maxItems !== undefined && node.items.length > shape.maxItems) {
      const extra = node.items[shape.maxItems] as Node;
      this.report.add(
        'TOO_MANY_ITEMS',
        nodeSpan(extra),
        `${name} has ${node.items.length} items; at most ${shape.maxItems} are allowed`,
        'remove the rest, or move it to another selector or hook',
      );
    }
    return value;
  }

  #walkText(node: Node, shape: TextShape, name: string): string | undefined {
    if (!isScalar(node)) return this.#reportWrongType(node, shape, name);
    let { value } = node;
    if (
      shape.canBeUnquoted === true &&
      node.source !== undefined &&
      (typeof value === 'bigint' || typeof value === 'number')
    ) {
      value = node.source;
      this.report.add(
        'VALUE_NOT_QUOTED',
        nodeSpan(node),
        `${node.source} is a number in YAML, but text is expected`,
        `a Kubernetes cluster refuses it: write ${quote(node.source)}`,
      );
    }
    if (typeof value !== 'string') return this.#reportWrongType(node, shape, name);
    if (shape.enum !== undefined && !shape.enum.includes(value)) {
      const hint =
        shape.suggest?.(value) ??
        nearestHint(
          value,
          shape.enum,
          shape.enum.length === 1 ? `write ${shape.enum.join('')}` : `known: ${shape.enum.join(', ')}`,
        );
      this.report.add('UNKNOWN_VALUE', nodeSpan(node), `${quote(value)} is not a value of ${name}`, hint);
      return undefined;
    }
    if (value === '' && shape.enum === undefined && shape.canBeEmpty !== true) {
      this.report.add('EMPTY_TEXT', nodeSpan(node), `${name} is empty`, 'give it a value, or remove the line');
      return undefined;
    }
    return value;
  }

  #walkInteger(node: Node, shape: IntegerShape, name: string): number | bigint | undefined {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value !== 'number' && typeof value !== 'bigint') return this.#reportWrongType(node, shape, name);
    if (typeof value === 'number' && !Number.isInteger(value)) return this.#reportWrongType(node, shape, name);
    const exact = BigInt(value);
    if (exact < shape.minimum || exact > shape.maximum) {
      this.report.add(
        'NUMBER_OUT_OF_RANGE',
        nodeSpan(node),
        `${name} must be from ${shape.minimum} to ${shape.maximum}`,
        'correct the number',
      );
      return undefined;
    }
    return shape.maximum > Number.MAX_SAFE_INTEGER ? exact : Number(exact);
  }

  #registerSpans(at: Span, container: object): ContainerSpans {
    const spans: ContainerSpans = { span: at, keys: new Map(), absent: new Set(), values: new Map() };
    this.report.positions.register(container, spans);
    return spans;
  }
}

function isEmptyNode(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null && !isAlias(node));
}

/** True for the '', 0 or [] that Go writes for a member of this shape that is not set. */
function isZeroValue(node: Node, { kind }: Shape): boolean {
  if (kind === 'list') return isSeq(node) && node.items.length === 0;
  if (!isScalar(node)) return false;
  return kind === 'text' ? node.value === '' : node.value === 0 || node.value === 0n;
}

/** The value as text. A scalar of YAML is never an object. */
function writtenScalar({ value }: Scalar): string {
  return (value as string | number | bigint | boolean).toString();
}

/** Returns a hint how to write a value of the right type. */
function typeHint(node: Node, shape: Shape): string {
  const written = isScalar(node) && node.value !== null ? writtenScalar(node) : undefined;
  switch (shape.kind) {
    case 'text':
      if (isMap(node) && node.items.length === 1)
        return 'if the value contains a colon, write it in quotes; else check the indentation';
      if (written === undefined) break;
      return `write it in quotes: ${quote((node as Scalar).source ?? written)}`;
    case 'list':
      return written === undefined ? 'begin each item with `- `' : `write it as a list: [${quote(written)}]`;
    case 'integer':
      if (written === undefined) return 'write a number';
      return shape.suggest?.(written) ?? (/^-?\d+$/.test(written) ? 'write it without quotes' : 'write a whole number');
    case 'boolean':
      return written === 'true' || written === 'false'
        ? 'write it without quotes'
        : 'write true or false, without quotes';
    case 'object':
    case 'map':
      if (written !== undefined) return 'write its fields below it, each as `field: value` and indented further';
      break;
    case 'any':
      break;
  }
  return 'check the indentation of the lines below';
}

function describeNode(node: Node): string {
  if (isMap(node)) return 'a group of fields';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  return typeof node.value === 'string' ? 'text' : typeof node.value === 'boolean' ? 'true or false' : 'a number';
}

function nodeSpan(node: Node): Span {
  const range = node.range;
  return range ? { start: range[0], end: range[1] } : { start: 0, end: 0 };
}
