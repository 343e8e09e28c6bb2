/**
 * Parses the events of JSON lines. Each line repeats its process, the parent and the ancestors, so a process that has not
 * changed is converted only once.
 */
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import type { PlainProcess } from '../../types/index.js';
import { GetEventsResponseSchema, type GetEventsResponse } from '../proto/tetragon/events.gen.js';
import { ProcessSchema, type Process } from '../proto/tetragon/tetragon.gen.js';
import { toPlainProcess } from './plain-event.js';

interface KnownProcess {
  readonly json: JsonValue;
  readonly message: Process;
}

/** The processes of a longer line are not kept. */
const LINE_LENGTH_MAX = 8192;
/** A process that is kept costs the characters of its line, and its objects. The total is limited. */
const OBJECTS_COST = 1024;
const COST_MAX = 16 * 1024 * 1024;
const OPTIONS = { ignoreUnknownFields: true };

/** The members of an event that are processes. */
const ROLES = ['process', 'parent', 'ancestors'] as const;
type Role = (typeof ROLES)[number];

/** The names of events with all these members, as JSON may spell them. */
const EVENT_NAMES = GetEventsResponseSchema.fields
  .filter(({ message }) => ROLES.every((role) => message?.field[role]?.message === ProcessSchema))
  .flatMap(({ name, jsonName }) => [name, jsonName]);

export class EventParser {
  readonly #known = new Map<string, KnownProcess>();
  readonly #plain = new Map<Process, PlainProcess>();
  #cost = 0;

  /** Does the same as fromJson. `length` is that of the line. Throws an Error when it is not an event. */
  parse(json: JsonObject, length: number): GetEventsResponse {
    const name = EVENT_NAMES.find((each) => json[each] !== undefined);
    const event = name === undefined ? undefined : json[name];
    if (name === undefined || !isObject(event) || length > LINE_LENGTH_MAX) return readEvent(json);
    const { process = null, parent = null, ancestors = [], ...others } = event;
    if (!Array.isArray(ancestors)) return readEvent(json);
    const message = readEvent({ ...json, [name]: others });
    Object.assign(message.event.value ?? {}, {
      ...(process === null ? {} : { process: this.#parseProcess(process, 'process', length) }),
      ...(parent === null ? {} : { parent: this.#parseProcess(parent, 'parent', length) }),
      ancestors: ancestors.map((each) => this.#parseProcess(each, 'ancestors', length)),
    });
    return message;
  }

  /** Does the same as toPlainProcess. */
  readonly toPlain = (message: Process | undefined): PlainProcess =>
    (message === undefined ? undefined : this.#plain.get(message)) ?? toPlainProcess(message);

  /** As a parent, the same process has fewer fields. So its role in the event belongs to the key. */
  #parseProcess(json: JsonValue, role: Role, length: number): Process {
    const id = isObject(json) ? json['exec_id'] : undefined;
    const key = typeof id === 'string' ? `${role} ${id}` : role;
    const known = this.#known.get(key);
    if (known !== undefined && isSameJson(known.json, json)) return known.message;
    const message = fromJson(ProcessSchema, json, OPTIONS);
    this.#cost += length + OBJECTS_COST;
    if (this.#cost > COST_MAX) this.#forget();
    if (known !== undefined) this.#plain.delete(known.message);
    this.#known.set(key, { json, message });
    this.#plain.set(message, toPlainProcess(message));
    return message;
  }

  #forget(): void {
    this.#known.clear();
    this.#plain.clear();
    this.#cost = 0;
  }
}

function readEvent(json: JsonObject): GetEventsResponse {
  return fromJson(GetEventsResponseSchema, json, OPTIONS);
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function isSameJson(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  return Array.isArray(a) === Array.isArray(b) && hasSameMembers(a as JsonObject, b as JsonObject);
}

/** The members of an array have its indices as their names. */
function hasSameMembers(a: JsonObject, b: JsonObject): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    const [one, other] = [a[name], b[name]];
    return one !== undefined && other !== undefined && isSameJson(one, other);
  });
}
