/**
 * Encodes processes in protobuf. A process is part of all its events and of those of its children, so the bytes are
 * cached.
 */
import { fromJson, toBinary, type JsonObject } from '@bufbuild/protobuf';
import type { Process, TracerEvent } from '../../types/index.js';
import { RAW_BYTES_SUFFIX } from '../output/export-fields.js';
import { toJson } from '../output/json.js';
import { ProcessSchema } from '../proto/tetragon/tetragon.gen.js';
import { decodeString } from '../wire/surrogate-escape.js';
import type { EncodeOptions } from './options.js';
import { writeAncestor, writeProcess, type RareFields } from './process-fields.js';
import { Writer } from './writer.js';

export type ProcessEvent = Extract<TracerEvent, { readonly process: unknown }>;

interface EncodedProcess {
  /** The values at the time of encoding. They can change later, which makes the cached bytes stale. */
  readonly pod: Process['pod'];
  readonly container: Process['container'];
  readonly inInitTree: boolean;
  /** Empty when the parent is forgotten. */
  readonly parentExecId: string;
  /** The bytes of the process in its own events, without the thread. */
  process: Uint8Array | undefined;
  /** The bytes of the process as a parent or ancestor. */
  ancestor: Uint8Array | undefined;
}

/** Few agents send these fields. They are taken from the JSON export, which also redacts the arguments. */
const RARE_FIELDS = ['cap', 'ns', 'process_credentials', 'user'];

interface ExportedProcesses {
  readonly process: JsonObject;
  readonly parent?: JsonObject;
  readonly ancestors?: readonly JsonObject[];
}

export class ProcessEncoder {
  readonly #options: EncodeOptions;
  readonly #hasRare: boolean;
  readonly #writer = new Writer();
  readonly #encoded = new WeakMap<Process, EncodedProcess>();

  constructor(options: EncodeOptions) {
    this.#options = options;
    const { processCred = false, processNs = false, redact } = options;
    this.#hasRare = processCred || processNs || redact !== undefined;
  }

  /** Returns a tetragon.Process without its field `tid`. */
  encodeProcess(event: ProcessEvent): Uint8Array {
    const parts = this.#encodedProcess(event.process);
    return (parts.process ??= this.#encode(writeProcess, event.process, event, ({ process }) => process));
  }

  /** Writes the bytes of `encodeProcess`. They are not cached: most of these processes are written once. */
  writeProcess(w: Writer, event: ProcessEvent): void {
    const parts = this.#encoded.get(event.process);
    if (parts?.process !== undefined && isCurrent(parts, event.process)) w.raw(parts.process);
    else this.#write(w, writeProcess, event.process, event, ({ process }) => process);
  }

  /** Returns a tetragon.Process. `parent` must be the result of `exportedParent`. */
  encodeParent(event: ProcessEvent, parent: Process): Uint8Array {
    const parts = this.#encodedProcess(parent);
    return (parts.ancestor ??= this.#encode(writeAncestor, parent, event, (exported) => exported.parent));
  }

  encodeAncestors(event: ProcessEvent): Uint8Array[] {
    return exportedAncestors(event).map((process, i) => {
      const parts = this.#encodedProcess(process);
      return (parts.ancestor ??= this.#encode(writeAncestor, process, event, (exported) => exported.ancestors?.[i]));
    });
  }

  #encodedProcess(process: Process): EncodedProcess {
    let parts = this.#encoded.get(process);
    if (parts === undefined || !isCurrent(parts, process)) {
      const { pod, container, inInitTree, parentExecId } = process;
      parts = { pod, container, inInitTree, parentExecId, process: undefined, ancestor: undefined };
      this.#encoded.set(process, parts);
    }
    return parts;
  }

  /** `choose` returns the process in the JSON export of the event. */
  #encode(
    write: typeof writeProcess,
    process: Process,
    event: ProcessEvent,
    choose: (exported: ExportedProcesses) => JsonObject | undefined,
  ): Uint8Array {
    const w = this.#writer;
    w.reset();
    this.#write(w, write, process, event, choose);
    return w.take();
  }

  #write(
    w: Writer,
    write: typeof writeProcess,
    process: Process,
    event: ProcessEvent,
    choose: (exported: ExportedProcesses) => JsonObject | undefined,
  ): void {
    const rare = this.#hasRare ? choose(toExportJson(event, this.#options) as unknown as ExportedProcesses) : undefined;
    write(w, process, rare && this.#rareFields(rare));
  }

  #rareFields(exported: JsonObject): RareFields {
    const fields = Object.entries(exported).filter(([name]) => RARE_FIELDS.includes(name));
    const bytes = toBinary(
      ProcessSchema,
      fromJson(ProcessSchema, Object.fromEntries(fields), { ignoreUnknownFields: true }),
    );
    const { redact } = this.#options;
    return { bytes, hidden: redact === undefined ? undefined : readArguments(exported) };
  }
}

function isCurrent(parts: EncodedProcess, process: Process): boolean {
  return (
    parts.pod === process.pod &&
    parts.container === process.container &&
    parts.inInitTree === process.inInitTree &&
    parts.parentExecId === process.parentExecId
  );
}

/** Returns the redacted arguments, with the bytes that are not UTF-8. */
function readArguments(exported: JsonObject): string {
  const { arguments: text = '', [`arguments${RAW_BYTES_SUFFIX}`]: encoded } = exported as Record<string, string>;
  if (encoded === undefined) return text;
  const bytes = Buffer.from(encoded, 'base64');
  return decodeString(bytes, 0, bytes.length);
}

/** Returns the JSON export of an event. */
export function toExportJson(event: ProcessEvent, options: EncodeOptions = {}): JsonObject {
  const line = JSON.parse(toJson(event, options)) as Record<string, JsonObject>;
  return line[event.type] ?? {};
}

/**
 * Returns the process that `parent_exec_id` names, as in the JSON export. After a second exec, this is the former
 * exec of the same process.
 */
export function exportedParent(event: ProcessEvent): Process | undefined {
  return event.process.formerExecId === undefined ? event.parent : event.former;
}

function exportedAncestors(event: ProcessEvent): readonly Process[] {
  const again = event.process.formerExecId !== undefined;
  return again && event.parent !== undefined ? [event.parent, ...event.ancestors] : event.ancestors;
}
