/** A process that started before the base sensor. An iterator of the kernel describes it, or /proc. */
import type { Capabilities, Container, Credentials, Namespaces, Pod } from '../../types/events.js';
import { decodeBytes } from './proc-files.js';
import { TrackedProcess, splitArgv, type ProcessContext, type ProcessFacts } from './process.js';
import { ProcessContainer } from './process-container.js';

/** USER_HZ is the unit of starttime in /proc/PID/stat. It is the same on all supported architectures. */
export const NS_PER_TICK = 10_000_000n;

export interface RunningProcess {
  readonly pid: number;
  /** The start of the process, rounded as in /proc, so that its exec id does not depend on the source. */
  readonly startTicks: bigint;
  readonly isKernelThread: boolean;
  /** False if nothing but its pid and its start are known. */
  readonly isKnown: boolean;
  /** It is pid 1 of a pid namespace that is not the outermost. */
  readonly isNamespaceInit: boolean;
  /** The id of a thread that has not ended. */
  readonly livingThread: number;
  /** Only the kernel can name a kernel thread. The name of any other process proves nothing. */
  readonly name: string;
  /** The target of the link to the executable. */
  readonly executable: Buffer;
  readonly cwd: string;
  readonly auid: number;
  readonly capabilities: Capabilities;
  readonly credentials: Credentials;
  readonly namespaces: Namespaces;
  /** Its mount namespace and its root are those of the host. Needed only if the executable was removed. */
  readonly hasHostRoot: boolean;
  readonly cgroupId: bigint;
}

const DELETED = / \(deleted\)$/;

export class ProcfsProcess extends TrackedProcess {
  readonly #running: RunningProcess;
  #hasExactStart = false;
  #executable: string | undefined;
  /** The executable is not the file of the exec, or the kernel cannot tell. */
  isForged = false;
  readonly #container: ProcessContainer | undefined;
  #argv: readonly string[] | undefined;
  #facts: ProcessFacts | undefined;

  constructor(
    context: ProcessContext,
    running: RunningProcess,
    parent: TrackedProcess | undefined,
    facts?: ProcessFacts,
  ) {
    super(context, running.pid, parent, running.isNamespaceInit || parent?.inInitTree === true);
    this.#running = running;
    this.#facts = facts;
    const container = context.cgroups.findContainer(running.cgroupId);
    if (container !== undefined) this.#container = new ProcessContainer(container, context.names);
  }

  get bootTimeNs(): bigint {
    return this.#running.startTicks * NS_PER_TICK;
  }

  get executable(): string {
    return (this.#executable ??= decodeBytes(this.#running.executable).replace(DELETED, ''));
  }

  get #isDeleted(): boolean {
    return DELETED.test(decodeBytes(this.#running.executable));
  }

  get binary(): string {
    return this.#running.isKernelThread ? this.#running.name : this.executable;
  }

  get cwd(): string {
    return this.#running.cwd;
  }

  get auid(): number {
    return this.#running.auid;
  }

  get capabilities(): Capabilities {
    return this.#running.capabilities;
  }

  get credentials(): Credentials {
    return this.#running.credentials;
  }

  get namespaces(): Namespaces {
    return this.#running.namespaces;
  }

  get cgroupId(): bigint {
    return this.#running.cgroupId;
  }

  get container(): Container | undefined {
    return this.#container?.container;
  }

  get pod(): Pod | undefined {
    return this.#container?.resolvePod(this);
  }

  get uid(): number {
    return this.credentials.uid;
  }

  /** It is not known how the exec changed the credentials. */
  get binaryProperties(): undefined {
    return undefined;
  }

  /** Reads the arguments and the executable's file. Without an answer in time, or without memory, they stay unknown. */
  async readFacts(): Promise<void> {
    const { readFacts } = this.context;
    const { executable, livingThread } = this.#running;
    if (executable.length === 0 || readFacts === undefined) return;
    try {
      this.#facts = await readFacts(livingThread, executable);
    } catch {
      this.#facts = undefined;
    }
    this.#argv = undefined;
  }

  get argv(): readonly string[] {
    return (this.#argv ??= this.#facts === undefined ? [] : splitArgv(decodeBytes(this.#facts.commandLine)));
  }

  /**
   * False if the executable is the file that its path names on the host, and the file of the exec. A removed file cannot
   * be compared: then mount namespace and root of the process must be the host's.
   */
  get binaryUntrusted(): boolean {
    if (this.#running.isKernelThread) return false;
    if (this.isForged || !this.executable.startsWith('/')) return true;
    return this.#isDeleted ? !this.#running.hasHostRoot : this.#facts?.runsHostFile !== true;
  }

  get flags(): string {
    if (!this.#running.isKnown) return 'procFS unknown';
    if (this.#running.isKernelThread) return 'procFS';
    if (this.binary === '') return 'procFS errorFilename';
    return this.#facts === undefined ? 'procFS errorArgs' : 'procFS';
  }

  /** Sets that it runs the host's file, if its arguments are known. */
  setHostFile(): void {
    if (this.#facts !== undefined) this.#facts = { commandLine: this.#facts.commandLine, runsHostFile: true };
  }

  /** Sets what only the kernel knows: the exact start, and the count of execs. */
  setKey(startLow: number, startHigh: number, execCount: number): void {
    this.#hasExactStart = true;
    this.startLow = startLow;
    this.startHigh = startHigh;
    this.execCount = execCount;
  }

  /** /proc rounds the start time to ticks. The first record with the same tick gives the exact time. */
  override hasStartTime(startLow: number, startHigh: number): boolean {
    if (this.#hasExactStart) return super.hasStartTime(startLow, startHigh);
    const start = (BigInt(startHigh) << 32n) | BigInt(startLow);
    if (start / NS_PER_TICK !== this.#running.startTicks) return false;
    this.#hasExactStart = true;
    this.startLow = startLow;
    this.startHigh = startHigh;
    return true;
  }
}
