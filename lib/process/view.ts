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
  Pod,
  Process,
} from '../../types/events.js';
import { COPY, copyOf, freezeAll, jsonOf, toObject } from './plain.js';
import type { Clock } from './clock.js';

/** The tracer's own data about the process. It is no member, because programs would see that. */
export let imageOf: (process: ProcessView) => Shown;

/** The members of the public contract. */
export const PROCESS_MEMBERS = [
  'execId', 'parentExecId', 'formerExecId', 'forked', 'pid', 'uid', 'user', 'auid', 'binary', 'executable', 'binaryUntrusted',
  'binaryProperties', 'argv', 'arguments', 'cwd', 'flags', 'startTime', 'startTimeNs', 'capabilities', 'namespaces',
  'credentials', 'inInitTree', 'cgroupId', 'container', 'pod',
] as const satisfies readonly (keyof PlainProcess)[]; // prettier-ignore

/** What the view needs of a process image. */
interface Shown extends PlainProcess {
  readonly context: { readonly nodeName: string; readonly clock: Clock };
  readonly parentImage: { readonly view: ProcessView } | undefined;
  readonly formerImage?: { readonly view: ProcessView } | undefined;
  readonly ancestors: readonly Process[];
}

export class ProcessView implements Process {
  readonly toObject = toObject<PlainProcess>;
  readonly #image: Shown;
  #plain: PlainProcess | undefined;
  /** The container that the copy has. */
  #container: Container | undefined;

  constructor(image: Shown) {
    this.#image = image;
    Object.freeze(this);
  }

  static {
    imageOf = (process) => process.#image;
  }

  get execId(): string {
    return this.#image.execId;
  }
  get parentExecId(): string {
    return this.#image.parentExecId;
  }
  get formerExecId(): string | undefined {
    return this.#image.formerExecId;
  }
  get forked(): boolean {
    return this.#image.forked;
  }
  get pid(): number {
    return this.#image.pid;
  }
  get uid(): number {
    return this.#image.uid;
  }
  get user(): string | undefined {
    return this.#image.user;
  }
  get auid(): number {
    return this.#image.auid;
  }
  get binary(): string {
    return this.#image.binary;
  }
  get executable(): string {
    return this.#image.executable;
  }
  get binaryUntrusted(): boolean {
    return this.#image.binaryUntrusted;
  }
  get binaryProperties(): BinaryProperties | undefined {
    return freezeAll(this.#image.binaryProperties);
  }
  get argv(): readonly string[] {
    return Object.freeze(this.#image.argv);
  }
  get arguments(): string {
    return this.#image.arguments;
  }
  get cwd(): string {
    return this.#image.cwd;
  }
  get flags(): string {
    return this.#image.flags;
  }
  get startTime(): string {
    return this.#image.startTime;
  }
  get startTimeNs(): bigint {
    return this.#image.startTimeNs;
  }
  get capabilities(): Capabilities {
    return Object.freeze(this.#image.capabilities);
  }
  get namespaces(): Namespaces {
    return Object.freeze(this.#image.namespaces);
  }
  get credentials(): Credentials {
    return Object.freeze(this.#image.credentials);
  }
  get inInitTree(): boolean {
    return this.#image.inInitTree;
  }
  get cgroupId(): bigint {
    return this.#image.cgroupId;
  }
  get container(): Container | undefined {
    return this.#image.container;
  }
  get pod(): Pod | undefined {
    return this.#image.pod;
  }

  /** All plain events of the process share one copy, until a source knows its container. */
  [COPY](): PlainProcess {
    const { container } = this.#image;
    if (this.#plain === undefined || this.#container !== container) {
      this.#container = container;
      this.#plain = freezeAll(copyOf(this, PROCESS_MEMBERS)) as unknown as PlainProcess;
    }
    return this.#plain;
  }

  toJSON(): JsonOf<PlainProcess> {
    return jsonOf(this[COPY]()) as JsonOf<PlainProcess>;
  }

  [inspect.custom](): PlainProcess {
    return this[COPY]();
  }
}
