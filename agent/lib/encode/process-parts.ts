/** Processes in protobuf. A process repeats in each of its events and in those of its children, so it is encoded once. */
import { fromJson, toBinary, type JsonObject } from '@bufbuild/protobuf';
import { toJson, type Process, type TracerEvent } from 'polytrace';
import { ProcessSchema } from '../proto/tetragon/tetragon.gen.js';
import type { EncodeOptions } from './options.js';
import { writeOther, writeProcess, type RareFields } from './process-fields.js';
import { Writer } from './writer.js';

export type ProcessEvent = Exclude<TracerEvent, { readonly type: 'lost' }>;

interface Parts {
  /** The values when the process was encoded. Each of them can become known later. */
  readonly pod: Process['pod'];
  readonly container: Process['container'];
  /** As the process of an event, without its thread. */
  process: Uint8Array | undefined;
  /** As a parent or ancestor. */
  other: Uint8Array | undefined;
}

/** Fields that few agents send. They are taken from the JSON export, which also says what is hidden. */
const RARE_FIELDS = ['cap', 'ns', 'process_credentials', 'user'];

interface Exported {
  readonly process: JsonObject;
  readonly parent?: JsonObject;
  readonly ancestors?: readonly JsonObject[];
}

export class ProcessParts {
  readonly #options: EncodeOptions;
  readonly #hasRare: boolean;
  readonly #writer = new Writer();
  readonly #parts = new WeakMap<Process, Parts>();

  constructor(options: EncodeOptions) {
    this.#options = options;
    const { processCred = false, processNs = false, redact } = options;
    this.#hasRare = processCred || processNs || redact !== undefined;
  }

  /** A tetragon.Process without its field `tid`. */
  process(event: ProcessEvent): Uint8Array {
    const parts = this.#partsOf(event.process);
    return (parts.process ??= this.#encode(writeProcess, event.process, event, ({ process }) => process));
  }

  /** A tetragon.Process. `exportedParent` of the event must be this process. */
  parent(event: ProcessEvent, parent: Process): Uint8Array {
    const parts = this.#partsOf(parent);
    return (parts.other ??= this.#encode(writeOther, parent, event, (exported) => exported.parent));
  }

  ancestors(event: ProcessEvent): Uint8Array[] {
    return exportedAncestors(event).map((process, i) => {
      const parts = this.#partsOf(process);
      return (parts.other ??= this.#encode(writeOther, process, event, (exported) => exported.ancestors?.[i]));
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

  /** `choose` returns the process in the JSON export of the event. */
  #encode(
    write: typeof writeProcess,
    process: Process,
    event: ProcessEvent,
    choose: (exported: Exported) => JsonObject | undefined,
  ): Uint8Array {
    const w = this.#writer;
    w.reset();
    const rare = this.#hasRare ? choose(exportOf(event, this.#options) as unknown as Exported) : undefined;
    write(w, process, rare && this.#rareFields(rare));
    return w.take();
  }

  #rareFields(exported: JsonObject): RareFields {
    const fields = Object.entries(exported).filter(([name]) => RARE_FIELDS.includes(name));
    const bytes = toBinary(ProcessSchema, fromJson(ProcessSchema, Object.fromEntries(fields)));
    const { redact } = this.#options;
    return { bytes, hidden: redact === undefined ? undefined : ((exported['arguments'] ?? '') as string) };
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
