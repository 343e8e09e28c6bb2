/**
 * Reads what traced processes have chosen: their memory maps and command lines, and files at their paths. A file system
 * can let such a call wait forever, so all of them run on threads of the addon. A call that takes longer than LIMIT_MS
 * is dropped, and its answer is `undefined`: nobody knows it.
 */
import { loadBinding, type ContainerFile, type FilePart, type Mapping, type NativeBinding, type NativeFileReader, type ProcessBatch, type ProcessFacts } from './binding.js';

export type { ContainerFile, FilePart, Mapping } from './binding.js';

const LIMIT_MS = 250;
const CHECK_MS = 50;

export interface ReadableProcess {
  readonly livingThread: number;
  readonly isKernelThread: boolean;
}

export interface ProcessTexts {
  readonly executable: Buffer;
  readonly cwd: Buffer;
  readonly facts: ProcessFacts | undefined;
  readonly hasHostRoot: boolean;
}

/** Numbers of a process in ProcessBatch. */
const BATCH_NUMBERS = 4;
const RUNS_HOST_FILE = 1;
const HAS_HOST_ROOT = 2;

function decodeBatch({ bytes, numbers }: ProcessBatch): ProcessTexts[] {
  const all: ProcessTexts[] = [];
  let at = 0;
  // copied, because one process that continues to run would keep the texts of all
  const take = (length: number): Buffer => Buffer.from(bytes.subarray(at, (at += length)));
  for (let i = 0; i + BATCH_NUMBERS <= numbers.length; i += BATCH_NUMBERS) {
    const [executable = 0, cwd = 0, commandLine = 0, flags = 0] = numbers.subarray(i, i + BATCH_NUMBERS);
    const target = take(executable);
    const folder = take(cwd);
    const facts = { commandLine: take(commandLine), runsHostFile: (flags & RUNS_HOST_FILE) !== 0 };
    all.push({
      executable: target,
      cwd: folder,
      facts: executable === 0 ? undefined : facts,
      hasHostRoot: (flags & HAS_HOST_ROOT) !== 0,
    });
  }
  return all;
}

export class FileReader {
  readonly #native: NativeFileReader;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(binding: NativeBinding) {
    this.#native = new binding.FileReader();
  }

  /** `false`: there is no readable regular file. */
  readPart(path: string, offset: number, length: number): Promise<FilePart | false | undefined> {
    return this.#watch(this.#native.readPart(path, offset, length));
  }

  /** True if the file is on a local file system that this process has mounted. */
  isLocalFile(path: string): Promise<boolean | undefined> {
    return this.#watch(this.#native.isLocalFile(path));
  }

  /** Returns the mapping of each address; `false` for an address where nothing is mapped. */
  findMappings(pid: number, addresses: readonly bigint[]): Promise<readonly (Mapping | false)[] | undefined> {
    return this.#watch(this.#native.findMappings(pid, BigUint64Array.from(addresses)));
  }

  /** `executable` is the target of /proc/PID/exe. `isHostView`: this process sees the mounts of the host. */
  readProcess(pid: number, executable: Buffer, isHostView: boolean): Promise<ProcessFacts | undefined> {
    return this.#watch(this.#native.readProcess(pid, executable, isHostView));
  }

  /**
   * Reads the files of many processes. Returns undefined for a process that does not answer in time. A process whose
   * executable is not known, and a kernel thread, have no facts.
   */
  async readProcesses(processes: readonly ReadableProcess[], isHostView: boolean): Promise<(ProcessTexts | undefined)[]> {
    const threads = Uint32Array.from(processes, ({ livingThread }) => livingThread);
    const kinds = Uint8Array.from(processes, ({ isKernelThread }) => (isKernelThread ? 1 : 0));
    const all: (ProcessTexts | undefined)[] = [];
    while (all.length < processes.length) {
      const rest = [threads.subarray(all.length), kinds.subarray(all.length)] as const;
      const batch = await this.#watch(this.#native.readProcesses(...rest, isHostView));
      if (batch === undefined) break; // no thread is left that could read
      all.push(...decodeBatch(batch));
      if (batch.isDropped) all.push(undefined);
    }
    return all;
  }

  /** Opens a path without opening its file (O_PATH). The caller closes the descriptor. `false`: there is no such file. */
  openPath(path: string): Promise<number | false | undefined> {
    return this.#watch(this.#native.openPath(path));
  }

  /** The same for a file on a local file system that the process has mapped. `path` is as the process sees it. */
  openMapped(pid: number, path: string, major: number, minor: number): Promise<number | false | undefined> {
    return this.#watch(this.#native.openMapped(pid, path, major, minor));
  }

  /**
   * Opens a regular file below the root of a container. `folder` is its cgroup on this machine, and `cgroup` the path of
   * that cgroup from the root of the hierarchy. `waiting`: no process of the container has its root yet.
   */
  openInContainer(folder: string, cgroup: string, path: string): Promise<ContainerFile | 'missing' | 'waiting' | undefined> {
    return this.#watch(this.#native.openInContainer(folder, cgroup, path));
  }

  async #watch<T>(call: Promise<T | null>): Promise<T | undefined> {
    this.#running++;
    this.#timer ??= setInterval(() => this.#native.dropLate(LIMIT_MS), CHECK_MS);
    try {
      return (await call) ?? undefined;
    } finally {
      if (--this.#running === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }
}

let reader: FileReader | undefined;

/** The reader of this JavaScript thread. Throws as loadBinding() does. */
export function fileReader(): FileReader {
  return (reader ??= new FileReader(loadBinding()));
}
