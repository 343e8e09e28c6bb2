/**
 * The public view of a process, which events have. All events of a process share it, so it is frozen. The tracer's own
 * data about the process cannot be reached from it.
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
  Pod,
  Process,
} from '../../types/events.js';
import { COPY, copyMembers, deepFreeze, toJsonValue, toObject } from './plain-data.js';
import type { Clock } from './clock.js';

/** Returns the tracer's own data about the process. It is not a member, because programs would see it. */
export let getTrackedProcess: (process: ProcessView) => ViewedProcess;

/** The members of the public contract. */
export const PROCESS_MEMBERS = [
  'execId', 'parentExecId', 'formerExecId', 'forked', 'pid', 'uid', 'user', 'auid', 'binary', 'executable', 'binaryUntrusted',
  'binaryProperties', 'argv', 'arguments', 'cwd', 'flags', 'startTime', 'startTimeNs', 'capabilities', 'namespaces',
  'credentials', 'inInitTree', 'cgroupId', 'container', 'pod',
] as const satisfies readonly (keyof PlainProcess)[]; // prettier-ignore

/** The parent of a process, or the process before its last exec. */
export type RelatedProcess = Pick<PlainProcess, 'container' | 'pod' | 'inInitTree'> & { readonly view: ProcessView };

/** The members of a TrackedProcess that the view needs. */
export interface ViewedProcess extends PlainProcess {
  readonly view: ProcessView;
  readonly context: {
    readonly nodeName: string;
    readonly clock: Clock;
    readonly environment?: ReadonlySet<string> | undefined;
  };
  readonly parentProcess: RelatedProcess | undefined;
  readonly formerProcess?: RelatedProcess | undefined;
  /** The cache of the formats of lines, for this process. */
  lineFragments?: object | undefined;
  /** The cache of the JSON, for this process. */
  jsonParts?: object | undefined;
  readonly ancestors: readonly Process[];
}

export class ProcessView implements Process {
  readonly toObject = toObject<PlainProcess>;
  readonly #process: ViewedProcess;
  #plain: PlainProcess | undefined;
  /** The container in the copy. */
  #container: Container | undefined;

  constructor(process: ViewedProcess) {
    this.#process = process;
    Object.freeze(this);
  }

  static {
    getTrackedProcess = (process) => process.#process;
  }

  get execId(): string {
    return this.#process.execId;
  }
  get parentExecId(): string {
    return this.#process.parentExecId;
  }
  get formerExecId(): string | undefined {
    return this.#process.formerExecId;
  }
  get forked(): boolean {
    return this.#process.forked;
  }
  get pid(): number {
    return this.#process.pid;
  }
  get uid(): number {
    return this.#process.uid;
  }
  get user(): string | undefined {
    return this.#process.user;
  }
  get auid(): number {
    return this.#process.auid;
  }
  get binary(): string {
    return this.#process.binary;
  }
  get executable(): string {
    return this.#process.executable;
  }
  get binaryUntrusted(): boolean {
    return this.#process.binaryUntrusted;
  }
  get binaryProperties(): BinaryProperties | undefined {
    return deepFreeze(this.#process.binaryProperties);
  }
  get argv(): readonly string[] {
    return Object.freeze(this.#process.argv);
  }
  get arguments(): string {
    return this.#process.arguments;
  }
  get cwd(): string {
    return this.#process.cwd;
  }
  get flags(): string {
    return this.#process.flags;
  }
  get startTime(): string {
    return this.#process.startTime;
  }
  get startTimeNs(): bigint {
    return this.#process.startTimeNs;
  }
  get capabilities(): Capabilities {
    return Object.freeze(this.#process.capabilities);
  }
  get namespaces(): Namespaces {
    return Object.freeze(this.#process.namespaces);
  }
  get credentials(): Credentials {
    return Object.freeze(this.#process.credentials);
  }
  get inInitTree(): boolean {
    return this.#process.inInitTree;
  }
  get cgroupId(): bigint {
    return this.#process.cgroupId;
  }
  get container(): Container | undefined {
    return this.#process.container;
  }
  get pod(): Pod | undefined {
    return this.#process.pod;
  }

  /** All plain events of the process share one copy. It is made again when the container becomes known. */
  [COPY](): PlainProcess {
    const { container } = this.#process;
    if (this.#plain === undefined || this.#container !== container) {
      this.#container = container;
      this.#plain = deepFreeze(copyMembers(this, PROCESS_MEMBERS)) as unknown as PlainProcess;
    }
    return this.#plain;
  }

  toJSON(): JsonOf<PlainProcess> {
    return toJsonValue(this[COPY]()) as JsonOf<PlainProcess>;
  }

  [inspect.custom](): PlainProcess {
    return this[COPY]();
  }
}
