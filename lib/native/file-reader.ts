/**
 * Reads what traced processes have chosen: their memory maps and command lines, and files at their paths. A file system
 * can let such a call wait forever, so all of them run on threads of the addon. A call that takes longer than LIMIT_MS
 * is dropped, and its answer is `undefined`: nobody knows it.
 */
import { loadBinding, type ContainerFile, type FilePart, type Mapping, type NativeBinding, type NativeFileReader, type ProcessBatch, type ProcessFacts } from './binding.js';

export type { ContainerFile, FilePart, Mapping } from './binding.js';

const LIMIT_MS = 250;
const CHECK_MS = 50;

/** Texts of a process. One that was not asked for is empty. */
export interface ProcessTexts {
  readonly executable: Buffer;
  readonly cwd: Buffer;
  readonly commandLine: Buffer;
  readonly runsHostFile: boolean;
  readonly hasHostRoot: boolean;
}

/** Numbers of a process in ProcessBatch. */
const BATCH_NUMBERS = 4;
const RUNS_HOST_FILE = 1;
const HAS_HOST_ROOT = 2;

/** Most bytes of the texts of a batch that stay together: one process that continues to run keeps all of them. */
const SHARED_MAX = 64 * 1024;

const NO_BYTES = Buffer.alloc(0);

function decodeBatch({ bytes, numbers }: ProcessBatch, all: (ProcessTexts | undefined)[]): void {
  const isShared = bytes.length <= SHARED_MAX;
  let at = 0;
  const take = (length = 0): Buffer => {
    if (length === 0) return NO_BYTES;
    const own = bytes.subarray(at, (at += length));
    return isShared ? own : Buffer.from(own);
  };
  for (let i = 0; i + BATCH_NUMBERS <= numbers.length; i += BATCH_NUMBERS) {
    const flags = numbers[i + 3] ?? 0;
    all.push({
      executable: take(numbers[i]),
      cwd: take(numbers[i + 1]),
      commandLine: take(numbers[i + 2]),
      runsHostFile: (flags & RUNS_HOST_FILE) !== 0,
      hasHostRoot: (flags & HAS_HOST_ROOT) !== 0,
    });
  }
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
   * Reads the command lines of processes, and the texts that are missing in a list of them: parts of ProcessList. Returns
   * undefined for a process that does not answer in time.
   */
  async readProcesses(threads: Uint32Array, missing: Uint8Array, isHostView: boolean): Promise<(ProcessTexts | undefined)[]> {
    const all: (ProcessTexts | undefined)[] = [];
    while (all.length < threads.length) {
      const rest = [threads.subarray(all.length), missing.subarray(all.length)] as const;
      const batch = await this.#watch(this.#native.readProcesses(...rest, isHostView));
      if (batch === undefined) break; // no thread is left that could read
      decodeBatch(batch, all);
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

/** A second one, for processReader(): all tracers share both, because each has a thread. */
let secondReader: FileReader | undefined;

/** Returns a function that reads processes as readProcesses() does: two calls at a time, on threads of two readers. */
export function processReader(): FileReader['readProcesses'] {
  let next = fileReader();
  let other = (secondReader ??= new FileReader(loadBinding()));
  return async (...batch) => {
    [next, other] = [other, next];
    return next.readProcesses(...batch);
  };
}
