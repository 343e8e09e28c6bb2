/**
 * Compiles field filters (tetragon.FieldFilter), which remove fields from encoded events. A field is copied, removed,
 * or filtered itself. Paths begin at the message of the event: `process.binary`.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import {
  EventType,
  FieldFilterAction,
  GetEventsResponseSchema,
  type FieldFilter,
} from '../proto/tetragon/events.gen.js';
import { RAW_BYTES, RAW_BYTES_NUMBER } from '../encode/raw-bytes.js';
import { FilterError, LIMITS } from './limits.js';

/** The filtered fields of a message by number. Undefined stands for the whole field. */
type Tree = Map<number, Tree | undefined>;

interface Rule {
  readonly keep: boolean;
  /** The tree for each event type, by the field number of the event. */
  readonly trees: ReadonlyMap<number, Tree>;
}

type MessageFilter = (message: Buffer) => Uint8Array;

/** The event fields of a response. In the protocol, a field number is the number of the event type. */
const EVENTS: readonly DescField[] = GetEventsResponseSchema.oneofs.flatMap(({ fields }) => fields);

const WHOLE_TYPES: ReadonlySet<number> = new Set([EventType.RATE_LIMIT_INFO, EventType.CHANGE]);

/** Returns undefined without filters. Throws FilterError. */
export function compileFieldFilters(filters: readonly FieldFilter[]): MessageFilter | undefined {
  if (filters.length === 0) return undefined;
  if (filters.length > LIMITS.filters) throw new FilterError('field_filters', `more than ${LIMITS.filters} filters`);
  const rules = filters.map((filter, i) => compileRule(filter, `field_filters[${i}]`));
  return (message) => rules.reduce<Buffer>(applyRule, message);
}

function compileRule({ fields, eventSet, action, invertEventSet }: FieldFilter, at: string): Rule {
  const paths = fields?.paths ?? [];
  if (paths.length === 0) throw new FilterError(`${at}.fields`, 'no path');
  if (paths.length > LIMITS.paths) throw new FilterError(`${at}.fields`, `more than ${LIMITS.paths} paths`);
  const isIncluded = (type: EventType): boolean => {
    return eventSet.length === 0 || eventSet.includes(type) !== (invertEventSet ?? false);
  };
  const known = new Set<string>();
  const trees = new Map<number, Tree>();
  for (const event of EVENTS) {
    // A client cannot remove the reports of lost events. Changes are reported as a whole.
    if (event.message === undefined || WHOLE_TYPES.has(event.number)) continue;
    const tree: Tree = new Map();
    for (const path of paths) if (addPath(tree, event.message, path.split('.'))) known.add(path);
    if (isIncluded(event.number)) trees.set(event.number, tree);
  }
  const unknown = paths.find((path) => !known.has(path));
  if (unknown !== undefined) throw new FilterError(`${at}.fields`, `no event has the field '${unknown}'`);
  return { keep: action === FieldFilterAction.INCLUDE, trees };
}

/**
 * Returns false when the message has no such field. If one path is the beginning of another one, the shorter path
 * wins.
 */
function addPath(tree: Tree, message: DescMessage, [name = '', ...rest]: readonly string[]): boolean {
  const field = message.fields.find((each) => each.name === name);
  if (field === undefined) return false;
  if (rest.length === 0) {
    tree.set(field.number, undefined);
    return true;
  }
  if (field.message === undefined) return false;
  if (tree.has(field.number) && tree.get(field.number) === undefined) return true;
  const below = tree.get(field.number) ?? new Map<number, Tree | undefined>();
  if (!addPath(below, field.message, rest)) return false;
  tree.set(field.number, below);
  return true;
}

function applyRule(response: Buffer, { keep, trees }: Rule): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of readFields(response)) {
    const tree = trees.get(field.number);
    if (tree === undefined) parts.push(response.subarray(field.start, field.end));
    else addMessage(parts, response, field, tree, keep);
  }
  return Buffer.concat(parts);
}

function filterMessage(message: Buffer, tree: Tree, keep: boolean): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of readFields(message)) {
    // The bytes of a text stay and go with the text.
    const number = field.number === RAW_BYTES_NUMBER ? readTextNumber(message, field) : field.number;
    const isNamed = tree.has(number);
    const below = tree.get(number);
    if (below !== undefined) addMessage(parts, message, field, below, keep);
    else if (isNamed === keep) parts.push(message.subarray(field.start, field.end));
  }
  return Buffer.concat(parts);
}

/** Adds a message field with its remaining content. */
function addMessage(parts: Uint8Array[], bytes: Buffer, { start, value, end }: Field, tree: Tree, keep: boolean): void {
  const content = filterMessage(bytes.subarray(value, end), tree, keep);
  const { next: tagEnd } = readVarint(bytes, start);
  parts.push(bytes.subarray(start, tagEnd), encodeVarint(content.length), content);
}

interface Field {
  readonly number: number;
  readonly start: number;
  /** Offset of a value that has a length. */
  readonly value: number;
  readonly end: number;
}

/** Reads the fields of a message that this agent has encoded. */
function* readFields(bytes: Buffer): Iterable<Field> {
  for (let at = 0; at < bytes.length;) {
    const start = at;
    const { value: tag, next } = readVarint(bytes, at);
    let value = next;
    switch (tag % 8) {
      case 0:
        at = readVarint(bytes, next).next;
        break;
      case 1:
        at = next + 8;
        break;
      case 5:
        at = next + 4;
        break;
      default: {
        const length = readVarint(bytes, next);
        value = length.next;
        at = value + length.value;
      }
    }
    yield { number: Math.floor(tag / 8), start, value, end: at };
  }
}

/** The number of the text that the bytes belong to. */
function readTextNumber(message: Buffer, { value, end }: Field): number {
  const raw = message.subarray(value, end);
  for (const field of readFields(raw)) {
    if (field.number * 8 === RAW_BYTES.field) return readVarint(raw, field.value).value;
  }
  return RAW_BYTES_NUMBER;
}

function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let factor = 1;
  let next = at;
  for (;;) {
    const byte = bytes[next++] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, next };
    factor *= 128;
  }
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  bytes.push(left);
  return Uint8Array.from(bytes);
}
