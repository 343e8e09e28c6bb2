/**
 * Processes in protobuf. A process repeats in each of its events and in those of its children, so it is encoded once, from
 * the JSON export: what that writes about a process is what a client gets.
 */
import { fromJson, toBinary, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { toJson, type Process, type TracerEvent } from 'polytrace';
import { ProcessSchema } from '../proto/tetragon/tetragon.gen.js';
import { splitArguments } from './arguments-text.js';
import type { EncodeOptions } from './options.js';

export type ProcessEvent = Exclude<TracerEvent, { readonly type: 'lost' }>;

interface Parts {
  /** What the process showed when it was encoded. Containers can become known later. */
  readonly pod: Process['pod'];
  readonly container: Process['container'];
  /** As the process of an event, without its thread. */
  process: Uint8Array | undefined;
  /** As a parent or ancestor. */
  other: Uint8Array | undefined;
}

interface Exported {
  readonly process: JsonObject;
  readonly parent?: JsonObject;
  readonly ancestors?: readonly JsonObject[];
}

export class ProcessParts {
  readonly #options: EncodeOptions;
  readonly #parts = new WeakMap<Process, Parts>();

  constructor(options: EncodeOptions) {
    this.#options = options;
  }

  /** A tetragon.Process without its field `tid`. */
  process(event: ProcessEvent): Uint8Array {
    const parts = this.#partsOf(event.process);
    return (parts.process ??= this.#encode(event.process, without(this.#export(event).process, 'tid')));
  }

  /** A tetragon.Process. `exportedParent` of the event must be this process. */
  parent(event: ProcessEvent, parent: Process): Uint8Array {
    const parts = this.#partsOf(parent);
    return (parts.other ??= this.#encode(parent, this.#export(event).parent ?? {}));
  }

  ancestors(event: ProcessEvent): Uint8Array[] {
    const all = exportedAncestors(event);
    let exported: Exported | undefined;
    return all.map((process, i) => {
      const parts = this.#partsOf(process);
      return (parts.other ??= this.#encode(process, (exported ??= this.#export(event)).ancestors?.[i] ?? {}));
    });
  }

  #partsOf(process: Process): Parts {
    const { pod, container } = process;
    let parts = this.#parts.get(process);
    if (parts === undefined || parts.pod !== pod || parts.container !== container) {
      parts = { pod, container, process: undefined, other: undefined };
      this.#parts.set(process, parts);
    }
    return parts;
  }

  #export(event: ProcessEvent): Exported {
    return exportOf(event, this.#options) as unknown as Exported;
  }

  #encode({ argv }: Process, fields: JsonObject): Uint8Array {
    const message = fromJson(ProcessSchema, fields);
    // A client splits the text. The list is sent when that would give another one, and nothing is hidden.
    const isHidden = this.#options.redact !== undefined;
    if (!isHidden && !sameTexts(splitArguments(message.arguments), argv)) message.argv = argv.map(wellFormed);
    return toBinary(ProcessSchema, message);
  }
}

/** An event in the JSON export. A lone surrogate, which stands for a byte that is not UTF-8, becomes U+FFFD. */
export function exportOf(event: ProcessEvent, options: EncodeOptions = {}): JsonObject {
  const text = toJson(event, options);
  // The export writes a lone surrogate as an escape. To look at every value is slow, and rarely needed.
  const hasSurrogate = text.includes('\\ud');
  const line = JSON.parse(text, hasSurrogate ? wellFormedValue : undefined) as Record<string, JsonObject>;
  return line[event.type] ?? {};
}

function wellFormedValue(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? wellFormed(value) : value;
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** The process that `parent_exec_id` names, as in the JSON export: after a second exec, the former image. */
export function exportedParent(event: ProcessEvent): Process | undefined {
  return event.process.formerExecId === undefined ? event.parent : event.former;
}

function exportedAncestors(event: ProcessEvent): readonly Process[] {
  const again = event.process.formerExecId !== undefined;
  return again && event.parent !== undefined ? [event.parent, ...event.ancestors] : event.ancestors;
}

function without(fields: JsonObject, name: string): JsonObject {
  const { [name]: _left, ...others } = fields as Record<string, JsonValue>;
  return others;
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
