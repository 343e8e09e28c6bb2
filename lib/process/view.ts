/**
 * The process that events show. Every event of a process has the same object, so nobody can change it, and what the
 * tracer itself keeps about the process cannot be reached from it.
 */
import { inspect } from 'node:util';
import type {
  BinaryProperties,
  Capabilities,
  Container,
  Credentials,
  JsonOf,
  Namespaces,
  PlainProcess,
  Process,
} from '../../types/events.js';
import { COPY, copyOf, freezeAll, jsonOf, toObject } from './plain.js';
import type { Clock } from './clock.js';

/** The member with the tracer's own data. The package does not export its name. */
export const IMAGE = Symbol('image');

const FIELDS = [
  'execId', 'parentExecId', 'formerExecId', 'forked', 'pid', 'uid', 'user', 'auid', 'binary', 'executable', 'binaryUntrusted',
  'binaryProperties', 'argv', 'arguments', 'cwd', 'flags', 'startTime', 'startTimeNs', 'capabilities', 'namespaces',
  'credentials', 'inInitTree', 'cgroupId', 'container', 'pod',
] as const satisfies readonly (keyof PlainProcess)[]; // prettier-ignore

/** What the view needs of a process image. */
interface Shown extends Omit<PlainProcess, 'pod'> {
  readonly context: { readonly nodeName: string; readonly clock: Clock };
  readonly parentImage: { readonly view: ProcessView } | undefined;
  readonly formerImage?: { readonly view: ProcessView } | undefined;
  readonly ancestors: readonly Process[];
}

export class ProcessView implements Process {
  readonly toObject = toObject<PlainProcess>;
  declare readonly [IMAGE]: Shown;
  #plain: PlainProcess | undefined;

  constructor(image: Shown) {
    this[IMAGE] = image;
    Object.freeze(this);
  }

  get execId(): string {
    return this[IMAGE].execId;
  }
  get parentExecId(): string {
    return this[IMAGE].parentExecId;
  }
  get formerExecId(): string | undefined {
    return this[IMAGE].formerExecId;
  }
  get forked(): boolean {
    return this[IMAGE].forked;
  }
  get pid(): number {
    return this[IMAGE].pid;
  }
  get uid(): number {
    return this[IMAGE].uid;
  }
  get user(): string | undefined {
    return this[IMAGE].user;
  }
  get auid(): number {
    return this[IMAGE].auid;
  }
  get binary(): string {
    return this[IMAGE].binary;
  }
  get executable(): string {
    return this[IMAGE].executable;
  }
  get binaryUntrusted(): boolean {
    return this[IMAGE].binaryUntrusted;
  }
  get binaryProperties(): BinaryProperties | undefined {
    return freezeAll(this[IMAGE].binaryProperties);
  }
  get argv(): readonly string[] {
    return Object.freeze(this[IMAGE].argv);
  }
  get arguments(): string {
    return this[IMAGE].arguments;
  }
  get cwd(): string {
    return this[IMAGE].cwd;
  }
  get flags(): string {
    return this[IMAGE].flags;
  }
  get startTime(): string {
    return this[IMAGE].startTime;
  }
  get startTimeNs(): bigint {
    return this[IMAGE].startTimeNs;
  }
  get capabilities(): Capabilities {
    return Object.freeze(this[IMAGE].capabilities);
  }
  get namespaces(): Namespaces {
    return Object.freeze(this[IMAGE].namespaces);
  }
  get credentials(): Credentials {
    return Object.freeze(this[IMAGE].credentials);
  }
  get inInitTree(): boolean {
    return this[IMAGE].inInitTree;
  }
  get cgroupId(): bigint {
    return this[IMAGE].cgroupId;
  }
  get container(): Container | undefined {
    return this[IMAGE].container;
  }

  /** All plain events of the process share one copy. */
  [COPY](): PlainProcess {
    this.#plain ??= freezeAll(copyOf(this, FIELDS)) as unknown as PlainProcess;
    return this.#plain;
  }

  toJSON(): JsonOf<PlainProcess> {
    return jsonOf(this[COPY]()) as JsonOf<PlainProcess>;
  }

  [inspect.custom](): PlainProcess {
    return this[COPY]();
  }
}
