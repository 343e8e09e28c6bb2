/** Reads a recording. The file is not trusted, so the form of each line is checked. */
import type { HookArgument, PlainEvent, PlainProcess } from '../../types/events.js';
import type { RecordedEvent, RecordedHook, RecordingReader } from '../../types/recording.js';
import { PolytraceError } from '../errors.js';
import { ARG_TYPES, COMPARED_AS } from '../names/arg-types.js';
import { EVENT_TYPES } from '../names/event-types.js';
import { READS } from '../wire/reads.js';
import { decodePlain } from './plain-json.js';
import { NUMBERS_MAX, RECORDING, VERSION } from './recorder.js';

export function recordingReader(): RecordingReader {
  return new Reader(true);
}

/** Makes a reader whose memory does not grow with the recording: it keeps no list of the hooks. */
export function boundedReader(): Pick<RecordingReader, 'read'> {
  return new Reader(false);
}

type JsonObject = Readonly<Record<string, unknown>>;

class Reader implements RecordingReader {
  readonly #processes: PlainProcess[] = [];
  readonly #byNumber: RecordedHook[] = [];
  readonly hooks: RecordedHook[] = [];
  architecture: 'x64' | 'arm64' | undefined;
  readonly #keepsHooks: boolean;
  #hasHeader = false;

  constructor(keepsHooks: boolean) {
    this.#keepsHooks = keepsHooks;
  }

  read(line: string): RecordedEvent | undefined {
    try {
      return this.#read(line);
    } catch (error) {
      if (error instanceof PolytraceError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw recordingError(`the line is no part of a recording: ${reason}`);
    }
  }

  #read(line: string): RecordedEvent | undefined {
    const fields = expectObject(JSON.parse(line), 'the line');
    if (!this.#hasHeader) return this.#header(fields);
    const { event, process, hook, is } = fields;
    if (event !== undefined) return this.#event(expectObject(event, 'event'), hook);
    if (process !== undefined) {
      this.#processes[expectNumber(process)] = parseProcess(decodePlain(is));
    } else if (hook !== undefined) {
      const recorded = parseHook(decodePlain(is));
      this.#byNumber[expectNumber(hook)] = recorded;
      if (this.#keepsHooks) this.hooks.push(recorded);
    } else {
      throw recordingError('the line is no process, no hook and no event');
    }
    return undefined;
  }

  #header(fields: JsonObject): undefined {
    const { polytrace, version, architecture } = fields;
    if (polytrace !== RECORDING) {
      if (Object.keys(fields).some((name) => JSON_LINE_MEMBERS.test(name))) throw recordingNeeded();
      throw recordingError('the file does not begin with the header of a recording');
    }
    if (version !== VERSION) {
      throw new PolytraceError(
        'RECORDING_VERSION',
        `the recording has version ${JSON.stringify(version)}; this polytrace reads version ${VERSION}`,
        'use the version of polytrace that made the recording, or a later one',
      );
    }
    if (architecture !== 'x64' && architecture !== 'arm64')
      throw recordingError('the header has no known architecture');
    this.architecture = architecture;
    this.#hasHeader = true;
  }

  #event({ process, parent, former, ancestors, ...own }: JsonObject, hook: unknown): RecordedEvent {
    const event = expectObject(decodePlain(own), 'event');
    const type = EVENT_TYPES.find((known) => known === event['type']);
    if (type === undefined) throw recordingError('the type of the event is not known');
    if (typeof event['timeNs'] !== 'bigint' || typeof event['time'] !== 'string')
      throw recordingError('the event has no time');
    if (type === 'lost' || type === 'change') return { event: event as unknown as PlainEvent };
    checkValues(event);
    const complete = {
      ...event,
      process: this.#process(process),
      ...(parent === undefined ? {} : { parent: this.#process(parent) }),
      ...(former === undefined ? {} : { former: this.#process(former) }),
      ancestors: expectList(ancestors, 'ancestors').map((number) => this.#process(number)),
    } as unknown as PlainEvent;
    if (hook === undefined) return { event: complete };
    const recorded = this.#byNumber[expectNumber(hook)];
    if (recorded === undefined) throw recordingError('the event is of a hook that no line describes');
    return { event: complete, hook: recorded };
  }

  #process(number: unknown): PlainProcess {
    const process = this.#processes[expectNumber(number)];
    if (process === undefined) throw recordingError('the event is of a process that no line describes');
    return process;
  }
}

/** The members of JSON lines that name the type of the event. */
const JSON_LINE_MEMBERS = /^(process_[a-z]+|change|lost|rate_limit_info)$/;

function recordingNeeded(): PolytraceError {
  return new PolytraceError(
    'RECORDING_NEEDED',
    'the file has JSON lines (getevents -o json), which do not have the hooks and all values of the calls',
    'make a recording with `polytrace getevents --record FILE`; `polytrace read` and `report` read JSON lines',
  );
}

function recordingError(message: string): PolytraceError {
  return new PolytraceError('RECORDING_INVALID', message, 'make a recording with `polytrace getevents --record FILE`');
}

function expectObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw recordingError(`${what} is no object`);
  return value as JsonObject;
}

function expectList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw recordingError(`${what} is no list`);
  return value;
}

function expectNumber(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= NUMBERS_MAX) {
    throw recordingError('the number of a process or hook is not valid');
  }
  return value;
}

function parseProcess(value: unknown): PlainProcess {
  const { pid, executable, binary, flags, execId, binaryUntrusted } = expectObject(value, 'the process');
  const isGood =
    typeof pid === 'number' && [executable, binary, flags, execId].every((each) => typeof each === 'string');
  if (!isGood || typeof binaryUntrusted !== 'boolean') throw recordingError('members of the process are missing');
  return value as PlainProcess;
}

function parseHook(value: unknown): RecordedHook {
  const { policyName, kind, call, syscall, args, data, returnArg, position } = expectObject(value, 'the hook');
  const isGood = [policyName, kind, call].every((each) => typeof each === 'string') && typeof syscall === 'boolean';
  if (!isGood) throw recordingError('members of the hook are missing');
  expectObject(position, 'position');
  const values = [
    ...expectList(args, 'args'),
    ...expectList(data, 'data'),
    ...(returnArg === undefined ? [] : [returnArg]),
  ];
  for (const each of values) {
    const { type, index } = expectObject(each, 'a value of the hook');
    if (typeof type !== 'string' || !Object.hasOwn(ARG_TYPES, type) || typeof index !== 'number') {
      throw recordingError('a value of the hook has no known type');
    }
  }
  return value as RecordedHook;
}

function checkValues(event: JsonObject): void {
  const { args, data, return: returned } = event;
  const lists = [args, data].filter((list) => list !== undefined).flatMap((list) => expectList(list, 'args'));
  for (const each of [...lists, ...(returned === undefined ? [] : [returned])])
    checkValue(expectObject(each, 'a value'));
}

const isString = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';

/** Checks the members that filters compare. */
function checkValue(value: JsonObject): void {
  const type = value['type'] as HookArgument['type'];
  if (typeof type !== 'string' || !Object.hasOwn(ARG_TYPES, type)) throw recordingError('a value has no known type');
  if (!isNumber(value['index']) || !hasValueForm(value, type))
    throw recordingError(`a value of type ${type} is not complete`);
}

function hasValueForm(value: JsonObject, type: HookArgument['type']): boolean {
  const allMembers = (test: (member: unknown) => boolean, ...names: readonly string[]): boolean =>
    names.every((name) => test(value[name]));
  switch (READS[type].class) {
    case 'number':
      return typeof value['value'] === 'bigint' || Number.isInteger(value['value']);
    case 'nothing':
      return true;
    case 'string':
    case 'buffer':
      return (
        typeof value['truncated'] === 'boolean' && (isString(value['value']) || value['value'] instanceof Uint8Array)
      );
    case 'path':
      return allMembers(isString, 'path', 'permission') && Array.isArray(value['flags']);
    case 'detail':
      return hasDetailForm(value, type);
  }
}

/** Most details are not compared, so their members are not checked. */
function hasDetailForm(value: JsonObject, type: HookArgument['type']): boolean {
  const allMembers = (test: (member: unknown) => boolean, ...names: readonly string[]): boolean =>
    names.every((name) => test(value[name]));
  switch (COMPARED_AS[ARG_TYPES[type].class]) {
    case 'address':
      return allMembers(isString, 'family', 'address') && allMembers(Number.isInteger, 'port');
    case 'socket':
      return (
        allMembers(isString, 'family', 'protocol', 'sourceAddress', 'destinationAddress') &&
        (type === 'skb' || isString(value['state'])) &&
        allMembers(Number.isInteger, 'sourcePort', 'destinationPort')
      );
    case 'number':
    case 'string':
    case 'path':
    case 'nothing':
      return true;
  }
}
