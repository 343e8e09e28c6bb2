/** Reads a recording. It comes from a file that anybody may have written, so its form is checked. */
import type { HookArgument, PlainEvent, PlainProcess } from '../../types/events.js';
import type { RecordedEvent, RecordedHook, RecordingReader } from '../../types/recording.js';
import { PolytraceError } from '../errors.js';
import { ARG_TYPES } from '../names/arg-types.js';
import { EVENT_TYPES } from '../names/event-types.js';
import { READS } from '../wire/reads.js';
import { decodePlain } from './plain-json.js';
import { NUMBERS, RECORDING, VERSION } from './recorder.js';

export function recordingReader(): RecordingReader {
  return new Reader();
}

type Fields = Readonly<Record<string, unknown>>;

class Reader implements RecordingReader {
  readonly #processes: PlainProcess[] = [];
  readonly #byNumber: RecordedHook[] = [];
  readonly hooks: RecordedHook[] = [];
  architecture: 'x64' | 'arm64' | undefined;
  #hasHeader = false;

  read(line: string): RecordedEvent | undefined {
    try {
      return this.#read(line);
    } catch (error) {
      if (error instanceof PolytraceError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw invalid(`the line is no part of a recording: ${reason}`);
    }
  }

  #read(line: string): RecordedEvent | undefined {
    const fields = asFields(JSON.parse(line), 'the line');
    if (!this.#hasHeader) return this.#header(fields);
    const { event, process, hook, is } = fields;
    if (event !== undefined) return this.#event(asFields(event, 'event'), hook);
    if (process !== undefined) {
      this.#processes[asNumber(process)] = checkedProcess(decodePlain(is));
    } else if (hook !== undefined) {
      const recorded = checkedHook(decodePlain(is));
      this.#byNumber[asNumber(hook)] = recorded;
      this.hooks.push(recorded);
    } else {
      throw invalid('the line is no process, no hook and no event');
    }
    return undefined;
  }

  #header({ polytrace, version, architecture }: Fields): undefined {
    if (polytrace !== RECORDING) {
      throw invalid('the file does not begin with the header of a recording');
    }
    if (version !== VERSION) {
      throw new PolytraceError(
        'RECORDING_VERSION',
        `the recording has version ${JSON.stringify(version)}; this polytrace reads version ${VERSION}`,
        'use the version of polytrace that made the recording, or a later one',
      );
    }
    if (architecture !== 'x64' && architecture !== 'arm64') throw invalid('the header has no known architecture');
    this.architecture = architecture;
    this.#hasHeader = true;
  }

  #event({ process, parent, former, ancestors, ...own }: Fields, hook: unknown): RecordedEvent {
    const event = asFields(decodePlain(own), 'event');
    const type = EVENT_TYPES.find((known) => known === event['type']);
    if (type === undefined) throw invalid('the type of the event is not known');
    if (typeof event['timeNs'] !== 'bigint' || typeof event['time'] !== 'string')
      throw invalid('the event has no time');
    if (type === 'lost') return { event: event as unknown as PlainEvent };
    checkValues(event);
    const whole = {
      ...event,
      process: this.#process(process),
      ...(parent === undefined ? {} : { parent: this.#process(parent) }),
      ...(former === undefined ? {} : { former: this.#process(former) }),
      ancestors: asList(ancestors, 'ancestors').map((number) => this.#process(number)),
    } as unknown as PlainEvent;
    if (hook === undefined) return { event: whole };
    const recorded = this.#byNumber[asNumber(hook)];
    if (recorded === undefined) throw invalid('the event is of a hook that no line describes');
    return { event: whole, hook: recorded };
  }

  #process(number: unknown): PlainProcess {
    const process = this.#processes[asNumber(number)];
    if (process === undefined) throw invalid('the event is of a process that no line describes');
    return process;
  }
}

function invalid(message: string): PolytraceError {
  return new PolytraceError('RECORDING_INVALID', message, 'make a recording with `polytrace getevents --record FILE`');
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is no object`);
  return value as Fields;
}

function asList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} is no list`);
  return value;
}

function asNumber(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= NUMBERS) {
    throw invalid('the number of a process or hook is not valid');
  }
  return value;
}

function checkedProcess(value: unknown): PlainProcess {
  const { pid, executable, binary, flags, execId, binaryUntrusted } = asFields(value, 'the process');
  const isGood =
    typeof pid === 'number' && [executable, binary, flags, execId].every((each) => typeof each === 'string');
  if (!isGood || typeof binaryUntrusted !== 'boolean') throw invalid('members of the process are missing');
  return value as PlainProcess;
}

function checkedHook(value: unknown): RecordedHook {
  const { policyName, kind, call, syscall, args, data, returnArg, position } = asFields(value, 'the hook');
  const isGood = [policyName, kind, call].every((each) => typeof each === 'string') && typeof syscall === 'boolean';
  if (!isGood) throw invalid('members of the hook are missing');
  asFields(position, 'position');
  const values = [...asList(args, 'args'), ...asList(data, 'data'), ...(returnArg === undefined ? [] : [returnArg])];
  for (const each of values) {
    const { type, index } = asFields(each, 'a value of the hook');
    if (typeof type !== 'string' || !Object.hasOwn(ARG_TYPES, type) || typeof index !== 'number') {
      throw invalid('a value of the hook has no known type');
    }
  }
  return value as RecordedHook;
}

function checkValues(event: Fields): void {
  const { args, data, return: returned } = event;
  const lists = [args, data].filter((list) => list !== undefined).flatMap((list) => asList(list, 'args'));
  for (const each of [...lists, ...(returned === undefined ? [] : [returned])]) checkValue(asFields(each, 'a value'));
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';

/** Checks the members that filters compare. */
function checkValue(value: Fields): void {
  const type = value['type'] as HookArgument['type'];
  if (typeof type !== 'string' || !Object.hasOwn(ARG_TYPES, type)) throw invalid('a value has no known type');
  if (!isNumber(value['index']) || !hasForm(value, type)) throw invalid(`a value of type ${type} is not complete`);
}

function hasForm(value: Fields, type: HookArgument['type']): boolean {
  const all = (test: (member: unknown) => boolean, ...names: readonly string[]): boolean =>
    names.every((name) => test(value[name]));
  switch (READS[type].class) {
    case 'number':
      return typeof value['value'] === 'bigint' || Number.isInteger(value['value']);
    case 'text':
      return (
        typeof value['truncated'] === 'boolean' && (isText(value['value']) || value['value'] instanceof Uint8Array)
      );
    case 'path':
      return all(isText, 'path', 'permission') && Array.isArray(value['flags']);
    case 'detail':
      if (type === 'sockaddr') return all(isText, 'family', 'address') && all(Number.isInteger, 'port');
      if (type !== 'sock' && type !== 'socket' && type !== 'skb') return true;
      return (
        all(isText, 'family', 'protocol', 'sourceAddress', 'destinationAddress') &&
        (type === 'skb' || isText(value['state'])) &&
        all(Number.isInteger, 'sourcePort', 'destinationPort')
      );
    default:
      return true;
  }
}
