/** Loads the addon and gives it a typed interface. No other file loads the addon. */
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { KernelError } from '../errors.js';
import { LAYOUT_HASH } from '../wire/layout.gen.js';
import {
  decodeByHook,
  decodeCounters,
  decodeLosses,
  decodeMissedRuns,
  decodePendingCalls,
  type HookCounters,
  type HookLosses,
  type MissedRuns,
  type PendingCall,
} from './records.js';
import { decodeFeatures, type FeatureName, type NativeFeatures } from './features.js';
import { toLimitError } from './limits.js';

/** Reads records: see native/ring/ring_reader.h and native/binding/gc_tracker.h. After close() it reads nothing. */
export interface NativeSource {
  /** Copies records into the buffer from `offset` on, each at a multiple of 8. Returns the end of the last record. */
  drain(buffer: Uint8Array, offset: number): number;
  /**
   * Tracks the object with a weak reference. Returns the objects that were tracked before and that a garbage collection has not
   * freed since. The returned objects are not tracked any more.
   */
  track<T extends object>(object: T): T[];
  /** Returns all tracked objects that may still be reachable, and stops tracking. */
  takeTracked<T extends object>(): T[];
}

/** The ring buffer of a dead tracer, whose programs may still write to it. After close() it has nothing. */
export interface NativeEarlierRing extends Pick<NativeSource, 'drain'> {
  /** False if the layout of the pins is not the one of this addon. */
  isReadable(): boolean;
  unreadBytes(): number;
  /** The texts of nameHook() by hook. A text that had no room is missing. */
  names(): ReadonlyMap<number, string>;
  /** The losses of each hook that the dead tracer has not reported. */
  losses(): ReadonlyMap<number, number>;
  /** The bytes of saveProcesses(); null if the tracer died without it. */
  processes(): Buffer | null;
  close(): void;
}

/** The tables of a hook's Count actions: see native/backend/bpf_backend.h. */
interface HookSums {
  readonly keys: Buffer;
  readonly totals: Buffer;
  readonly texts: Buffer;
  readonly keySize: number;
  readonly sumSize: number;
}

/** Keeps the kernel's BTF in the addon's memory. */
export type CachedBtf = object;

/**
 * The BPF backend of one tracer. Methods that return a promise run on a thread of the session, in the order of the calls. They
 * do not block the event loop.
 */
export interface NativeSession extends NativeSource {
  probeFeatures(): Promise<NativeFeatures>;
  /**
   * Chooses the file with the types of the running kernel until close(); an empty string chooses the kernel's own BTF. Rejects with
   * NativeError BTF_UNREADABLE, or BAD_OPTION if another session of the process has chosen otherwise.
   */
  useKernelBtf(path: string): Promise<void>;
  /** Reads the running kernel's BTF. It stays in memory until it is released, or until nothing refers to the value. */
  loadKernelBtf(): Promise<CachedBtf>;
  /** Frees several megabytes without waiting for a garbage collection. Further calls for the same value do nothing. */
  releaseKernelBtf(btf: CachedBtf): void;
  /** Removes the links, and resolves with the calls whose entry was recorded and whose return will not be seen. */
  removePins(folder: string, links: readonly string[]): Promise<readonly PendingCall[]>;
  /** Begins to create the ring buffer for open(), beside what is called before. An error is reported by open(). */
  prepareRing(bytes: number): void;
  /** Loads and attaches the base sensor. Rejects with NativeError. */
  open(options: SessionOptions): Promise<void>;
  /** `onReadable` is called once after each arm(), when there are records. */
  start(onReadable: () => void): void;
  arm(): void;
  setActive(active: boolean): void;
  /** Bytes of the ring buffer that are not read yet. */
  unreadBytes(): number;
  /** Resolves with the indexes of the attach points that were skipped. */
  addHook(spec: NativeHookSpec): Promise<number[]>;
  removeHooks(ids: readonly number[]): Promise<void>;
  /** Counts calls of the hook that cannot return any more as unreturned, and makes room for others. */
  sweepPending(hook: number): Promise<void>;
  /** Entries of a map of a hook that is `changeable`. */
  putHookEntries(hook: number, map: string, entries: Uint8Array): Promise<void>;
  deleteHookEntries(hook: number, map: string, keys: Uint8Array): Promise<void>;
  /** Resolves when all programs have ended that were running at the call. */
  waitForPrograms(): Promise<void>;
  putEntries(map: string, entries: Uint8Array): Promise<void>;
  deleteEntries(map: string, keys: Uint8Array): Promise<void>;
  /** From now on the base sensor keeps the sets of each process. Sets are a bit mask of 32 bytes. */
  enableProcessSets(): Promise<void>;
  /**
   * Sets the masks of the sets that contain descendants, that do not contain what a process may have forged, that have prefixes,
   * and that also contain processes with an unknown executable.
   */
  setProcessSetKinds(followed: Uint8Array, trusted: Uint8Array, prefixed: Uint8Array, selecting: Uint8Array): void;
  /** Removes every process from these sets. Before, their values must be removed from the tables, and they must not be followed. */
  clearSets(sets: Uint8Array): Promise<void>;
  /** Must be called before the values of new sets are put into the tables. */
  beginScan(sets: Uint8Array): Promise<void>;
  /** `tracking` is an ArgumentTracking. COLLECT must be set after the values are in the tables, during a scan. */
  trackArguments(tracking: number): Promise<void>;
  /** Passes on the arguments of an already running process, separated by NUL, unless the kernel has seen its exec since COLLECT. */
  putArguments(pid: number, commandLine: Uint8Array, isCut: boolean): Promise<void>;
  /** Must be called after the values are in the tables. When it resolves, every running process has its sets. */
  finishScan(sets: Uint8Array): Promise<void>;
  /** From now on the base sensor keeps the state that each process had at its exec. */
  enableProcessState(): Promise<void>;
  /** From now on the base sensor keeps the scopes of each cgroup. `mount` is the mount point of the whole unified hierarchy. */
  enableScopes(mount: string): Promise<void>;
  /**
   * Changes the scopes of cgroups. Scopes are a bit mask of 32 bytes. `defaults` are the scopes of cgroups that no source has
   * named, for each CgroupKind. `named` are the ids of containers' cgroups, each with its scopes. `removed` are the ids of cgroups
   * that have no name any more.
   */
  setScopes(defaults: Uint8Array, named: Uint8Array, removed: Uint8Array): Promise<void>;
  /** Returns the kernel's device and inode numbers of an open file; undefined if the descriptor refers to no file. */
  readInode(fd: number): { readonly device: number; readonly inode: bigint } | undefined;
  /** True while exec and exit records of the cgroup with this id are not reported. */
  isThrottled(cgroup: bigint): boolean;
  /** Returns the losses since the last call. */
  takeLosses(): readonly HookLosses[];
  /**
   * Returns the program runs that the kernel skipped since they were read last. Reads the base sensor and `limit` hooks,
   * which follow those of the last call.
   */
  takeMissedRuns(limit: number): readonly MissedRuns[];
  /** Returns counters since the tracer was opened. They include earlier hooks with the same id. */
  hookCounts(id: number): HookCounters;
  /** Reads the sums of Count actions. Resolves with null for a hook without them. */
  readSums(id: number): Promise<HookSums | null>;
  /** Returns the size in bytes of the hook's programs and of the maps that only this hook uses. */
  hookMemory(id: number): number;
  /** Sets whether the hook executes its actions, or only reports them. */
  setEnforcement(id: number, enforces: boolean): void;
  /** Sets the number of the hook's move into a group; 0: it does not move. */
  setMove(id: number, move: number): void;
  /**
   * Loads the programs that follow marked processes; further calls do nothing. `earlier` are folders of pins whose marks go on.
   * Resolves with all struct mark_name.
   */
  loadMarks(options: MarksOptions): Promise<Buffer>;
  /** Writes a struct mark_name. */
  nameMark(slot: number, name: Uint8Array): Promise<void>;
  /** Resolves with the processes that run; with null if the kernel cannot list them. */
  listProcesses(): Promise<ProcessList | null>;
  /**
   * Resolves with a sum for each process of the last list: 1 (its executable may not be the one of its exec) and 2 (it runs
   * the host's file, known for paths of the list only). `isHostView`: this process sees the mounts of the host.
   */
  checkProcesses(isHostView: boolean): Promise<Uint8Array>;
  /** Resolves with the ids of all processes in /proc. */
  listPids(): Promise<Uint32Array>;
  /** From now on no policy acts on this process and its ancestors. */
  protectAncestors(): Promise<void>;
  /** Sets whether the base sensor keeps the owners of sockets until the kernel frees them. Deletes earlier owners. */
  setSocketTracking(tracks: boolean): Promise<void>;
  selfTgid(): number;
  /** From now on every attached program is pinned to the empty folder, and continues to run if this process dies. */
  pinTo(folder: string): Promise<void>;
  /** Pins these bytes beside the programs. Does nothing without pinTo(). */
  saveProcesses(records: Uint8Array): Promise<void>;
  /** Stores a text of at most 256 KiB for the hook beside its pins. Does nothing without pinTo(). */
  nameHook(id: number, text: string): void;
  /** Detaches all hooks; with `keep`, all that are not pinned. */
  detach(keep: boolean): Promise<void>;
  close(): Promise<void>;
}

interface MarksOptions {
  readonly object: string;
  /** Number of processes and containers that can have marks, and of all their marks. */
  readonly owners: number;
  readonly details: number;
  readonly onDemand: boolean;
  readonly earlier: readonly string[];
}

export interface NativeHookSpec {
  readonly id: number;
  readonly object: string;
  readonly mechanism:
    'fentry' | 'kprobe' | 'kprobe.multi' | 'tracepoint' | 'raw_tracepoint' | 'lsm' | 'uprobe' | 'uprobe.multi' | 'usdt';
  /**
   * Name of the function, LSM hook, tracepoint, static probe, or symbol of a uprobe. For several attach points, their common
   * name.
   */
  readonly target: string;
  /** Group of a tracepoint, or provider of a static probe. */
  readonly group?: string;
  /** File of a uprobe or a static probe. */
  readonly path?: string;
  /** Offset in bytes from the symbol, or from the start of the file. */
  readonly offset?: bigint;
  /** File offset of the reference counter (semaphore) that counts the attached tracers. */
  readonly counter?: bigint;
  /** The attach points of a kprobe or uprobe. A cookie tells the program which one was hit. */
  readonly attachPoints?: readonly NativeAttachPoint[];
  /** If true, and each attach point has its own link, missing attach points are skipped. */
  readonly optionalAttachPoints?: boolean;
  readonly entry: boolean;
  readonly return: boolean;
  /** For fentry: the program at the entry can return instead of the function. */
  readonly overrides?: boolean;
  /** Entries of its maps change while it is attached. */
  readonly changeable?: boolean;
  /** Rewrites the programs for `config` before they are loaded. Without it, they stay generic. */
  readonly optimize: boolean;
  readonly config: Uint8Array;
  /** Instructions that replace marked bodies in the program. A body begins with `mark`, and both have the same length. */
  readonly code: readonly { readonly mark: number; readonly instructions: Uint8Array }[];
  readonly maps: readonly NativeMapSpec[];
  /** The system calls that the hook selects, by numbers in a register: see native/hooks/call_table.h. */
  readonly calls?: { readonly registerOffset: number; readonly numbers: readonly number[] } | undefined;
}

/** One of several attach points. For uprobe.multi, the offset is from the start of the file. */
export type NativeAttachPoint = Pick<NativeHookSpec, 'target' | 'offset' | 'counter'>;

interface NativeMapSpec {
  readonly name: string;
  readonly create: boolean;
  /** Id of another hook whose map of this name is shared. */
  readonly sharedWith?: number;
  /** Size in bytes; 0 for the size that the program declares. */
  readonly keySize: number;
  /** Number of bytes to remove from the end of each value. */
  readonly trim: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** Keys and values, one after the other. */
  readonly entries: Uint8Array;
}

interface SessionOptions {
  readonly object: string;
  readonly ringBytes: number;
  readonly processes: number;
  readonly includeSelf: boolean;
  /** The kernel allocates map entries safely on demand (BPF memory allocator). */
  readonly onDemand: boolean;
  /** The programs disable preemption. */
  readonly exclusive: boolean;
  /** Exec records have the environment. */
  readonly environment: boolean;
  /** Most exec and exit records of a cgroup in an interval; 0 for no limit. */
  readonly rateEvents: number;
  readonly rateIntervalMs: number;
}

/** The part of a file, and what identifies its content. */
export interface FilePart {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: number;
  readonly modifiedNs: bigint;
  readonly bytes: Buffer;
}

/** A range of a process's memory. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** The offset of `start` in the file. */
  readonly offset: bigint;
  /** The file is on a file system of this machine, not of another process or machine. */
  readonly isLocal: boolean;
  /** The path of the mapped file, or a name such as `[vdso]`. */
  readonly name: string;
}

export interface ProcessFacts {
  /** The strings of the command line, each with a NUL. */
  readonly commandLine: Buffer;
  /** The executable is the host's file of its path. */
  readonly runsHostFile: boolean;
}

/** The processes that run. Parents are before their children if possible. */
interface ProcessList {
  /** A struct running_process of each. Its `executable` and `cwd` are numbers of texts, from 1; 0: only /proc knows it. */
  readonly records: Buffer;
  /** All different texts, one after the other, and where each ends. */
  readonly texts: Buffer;
  readonly ends: Uint32Array;
  /** A thread of each process that has not ended. */
  readonly threads: Uint32Array;
  /** For each process, what readProcesses() reads in addition to its command line: bits of enum missing_text, ORed. */
  readonly missing: Uint8Array;
}

/** The texts of the first processes of a batch. */
export interface ProcessBatch {
  /** For each process: executable or name of the kernel thread, cwd, command line. */
  readonly bytes: Buffer;
  /** For each process: the lengths of these texts, and a sum of 1 (runs the host's file) and 2 (has the host's root). */
  readonly numbers: Uint32Array;
  /** The process after these does not answer. */
  readonly isDropped: boolean;
}

/** Each method but dropLate resolves to null if the call was dropped. See lib/native/file-reader.ts. */
/** A file below the root of a container. */
export interface ContainerFile {
  /** Descriptor (O_PATH). Whoever receives it closes it. */
  readonly fd: number;
  /** Equal for two paths to the same file, also of two containers of one image. */
  readonly key: string;
}

export interface NativeFileReader {
  readPart(path: string, offset: number, length: number): Promise<FilePart | false | null>;
  isLocalFile(path: string): Promise<boolean | null>;
  findMappings(pid: number, addresses: BigUint64Array): Promise<(Mapping | false)[] | null>;
  readProcess(pid: number, executable: Buffer, isHostView: boolean): Promise<ProcessFacts | null>;
  /** `missing` is a part of ProcessList.missing. A text that was not missing is empty. */
  readProcesses(threads: Uint32Array, missing: Uint8Array, isHostView: boolean): Promise<ProcessBatch | null>;
  openPath(path: string): Promise<number | false | null>;
  openMapped(pid: number, path: string, major: number, minor: number): Promise<number | false | null>;
  openInContainer(folder: string, cgroup: string, path: string): Promise<ContainerFile | 'missing' | 'waiting' | null>;
  /** Drops the running call if it takes longer. */
  dropLate(milliseconds: number): void;
}

/**
 * Writes lines from records: see native/lines/line_writer.h. `progress` and `lines` are structs LineProgress and Line. The
 * last two numbers are the offset of the clock.
 */
export type WriteLines = (
  progress: Uint32Array,
  lines: Uint32Array,
  arena: Uint8Array,
  records: Uint8Array,
  texts: Uint8Array,
  output: Uint8Array,
  seconds: number,
  nanoseconds: number,
) => void;

export interface NativeBinding {
  readonly layoutHash: string;
  readonly writeLines: WriteLines;
  readonly FileReader: new () => NativeFileReader;
  createSession(): NativeSession;
  /** `btf` is a file with the types of the running kernel. */
  probeFeatures(btf?: string): NativeFeatures;
  /** Names of pins: the names of maps, and the prefixes of the names of links. */
  readonly pinNames: { readonly maps: readonly string[]; readonly links: readonly string[] };
  /** Locks the folder. Returns false if another process has locked it. Closing the descriptor releases the lock. */
  lockFolder(fd: number): boolean;
  /** Mounts a BPF file system at a folder. Returns false if that is not possible. */
  mountBpf(folder: string): boolean;
  /** Returns the layout hash of the pins in this folder; null if polytrace has no pins there. */
  pinnedLayout(folder: string): string | null;
  kernelHasStruct(name: string): boolean;
  /** Returns the address of a symbol; 0n if the kernel hides it. The name has at most 31 bytes. */
  kernelSymbol(name: string): bigint;
  /** Returns the value of an int variable of the kernel; null if it cannot be read. The name has at most 31 bytes. */
  kernelInt(name: string): number | null;
  /** Returns true if the first instruction of a function jumps to another function: x86. Names have at most 31 bytes. */
  kernelJumps(from: string, to: string): boolean;
  /** Returns [pid, uid, gid] of the process that connected the Unix socket; null for another descriptor. */
  peerCredentials(fd: number): [number, number, number] | null;
  /** Sends a message to the socket of a service manager: a path, or @NAME. Returns false if it cannot be sent now. */
  notifyService(socket: string, message: string): boolean;
  /** Sends a datagram to a Unix socket: a path, or @NAME. Returns 0, or the number of the error. */
  sendDatagram(socket: string, bytes: Uint8Array): number;
  /**
   * Forks a child in the working folder `folder`, which waits before it executes the program. `ids` are uid, gid and the
   * groups. `blocking` says for standard input, output and error how they were when this process began: the child then gets
   * all descriptors of that time. Returns its process id.
   */
  startChild(
    args: readonly string[],
    environment: readonly string[],
    folder: string,
    ids: readonly number[] | null,
    blocking: readonly boolean[] | null,
  ): number;
  /**
   * Lets the child execute its program. Returns the descriptor of a pipe, which the caller closes: it has the errno of a failed
   * exec as four bytes, or ends without one. -1 if no such child waits.
   */
  releaseChild(pid: number): number;
  /** Returns the exit status (-1 if it is not known) and the signal of an ended child; null while it runs. */
  reapChild(pid: number): [number, number] | null;
  /** Signals that are sent to this process alone go to the child. 0 ends that. */
  forwardSignals(pid: number): void;
  /** Ends this process by a signal, without a core file. */
  endBySignal(signal: number): void;
  /** Returns name, uid, gid, home, shell and groups of a user; null if there is none. */
  findUser(user: string | number): [string, number, number, string, string, number[]] | null;
  /** Opens the ring buffer of the dead tracer that has pinned it in this folder. */
  openEarlierRing(folder: string): NativeEarlierRing;
  /** CLOCK_BOOTTIME in nanoseconds, the clock of records. */
  bootTime(): bigint;
  /** Returns the nanoseconds to add to CLOCK_BOOTTIME to get the time of day. */
  bootOffset(): bigint;
  /** Returns the path of a cgroup below the mount point of its hierarchy, as bytes; null if the cgroup does not exist any more. */
  cgroupPath(mount: string, id: bigint): Buffer | null;
}

/** The interface of the addon itself. It returns lists of numbers in a fixed order. records.ts decodes them. */
type RawSession = Omit<NativeSession, 'takeLosses' | 'takeMissedRuns' | 'hookCounts' | 'probeFeatures' | 'removePins'> & {
  probeFeatures(): Promise<Readonly<Record<FeatureName, string>>>;
  removePins(folder: string, links: readonly string[]): Promise<(number | bigint)[]>;
  takeLosses(): number[];
  takeMissedRuns(limit: number): number[];
  hookCounts(id: number): number[];
};

interface RawEarlierRing extends Omit<NativeEarlierRing, 'names' | 'losses'> {
  names(): (number | string)[];
  losses(): number[];
}

interface RawBinding extends Omit<NativeBinding, 'createSession' | 'probeFeatures' | 'openEarlierRing'> {
  readonly EarlierRing: new (folder: string) => RawEarlierRing;
  readonly Session: new () => RawSession;
  probeFeatures(btf?: string): Readonly<Record<FeatureName, string>>;
}

let loaded: NativeBinding | undefined;

/** Throws KernelError ADDON_MISSING, ADDON_MISMATCH or LIMIT_MEMORY. */
export function loadBinding(): NativeBinding {
  if (loaded !== undefined) return loaded;
  let binding: RawBinding;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    binding = (require('node-gyp-build') as (dir: string) => RawBinding)(addonFolder());
  } catch (error) {
    const limit = toLimitError(error);
    if (limit !== undefined) throw limit;
    throw new KernelError('ADDON_MISSING', `the native addon cannot be loaded: ${describeSearch(error)}`, loadHint());
  }
  if (binding.layoutHash !== LAYOUT_HASH) {
    throw new KernelError(
      'ADDON_MISMATCH',
      `the addon was built from another bpf/abi.h (found ${binding.layoutHash}, expected ${LAYOUT_HASH})`,
      existsSync(path.join(addonFolder(), '.git'))
        ? 'build both again: `npm run build`'
        : `install the package again${rebuildRemedy()}`,
    );
  }
  loaded = wrapBinding(binding);
  return loaded;
}

/** Returns the path of the addon's file. */
export function addonFile(): string {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require('node-gyp-build') as { path(dir: string): string }).path(addonFolder());
}

/**
 * Returns the folder with the addon: the folder of the package, or the folder of a bundle if it has `prebuilds`. In the package,
 * this module is a part of dist/policies.js. In a checkout, it is also a file in its room.
 */
function addonFolder(): string {
  // @vercel/nft copies the folders that such expressions name
  for (const prebuilds of [`${__dirname}/prebuilds`, `${__dirname}/../prebuilds`]) {
    if (existsSync(prebuilds)) return path.resolve(prebuilds, '..');
  }
  const above = path.dirname(__dirname);
  return existsSync(path.join(above, 'package.json')) ? above : path.dirname(above);
}

/** Describes which addon this process needs, and why no file was loaded. */
function describeSearch(error: unknown): string {
  const reason = (error as Error).message.split('\n')[0] ?? '';
  return `wanted ${process.platform}-${process.arch}${describeLibc()} for Node.js ${process.versions.node}; ${reason}`;
}

/** Describes the C library of this process. It is used for errors only, because a report takes milliseconds. */
function describeLibc(): string {
  if (process.platform !== 'linux') return '';
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? ' (musl)' : ` (glibc ${header.glibcVersionRuntime})`;
}

/** Returns a remedy that is possible on this machine. */
function loadHint(): string {
  if (process.platform !== 'linux') return 'tracing needs Linux; validate, compile and explain work on any system';
  if (!['x64', 'arm64'].includes(process.arch)) {
    return 'tracing needs x64 or arm64; policies can be checked here, and `--server` or connect() reads the events of an agent elsewhere';
  }
  return `the package contains addons for x64 and arm64, glibc 2.28 or musl 1.2.5 and later: install it again${rebuildRemedy()}`;
}

/** Returns the second remedy if the sources of the addon are here and the result can be written; otherwise nothing. */
function rebuildRemedy(): string {
  const folder = addonFolder();
  if (!existsSync(path.join(folder, 'CMakeLists.txt'))) return '';
  try {
    accessSync(folder, constants.W_OK);
    return ', or build one with `npx polytrace rebuild`, which lists what it needs';
  } catch {
    return '';
  }
}

/** Gives the addon its typed interface. Addresses of symbols are cached, because finding one takes tens of milliseconds. */
function wrapBinding(raw: RawBinding): NativeBinding {
  const symbols = new Map<string, bigint>();
  return {
    ...raw,
    createSession: () => wrapSession(new raw.Session()),
    openEarlierRing: (folder) => wrapEarlierRing(new raw.EarlierRing(folder)),
    probeFeatures: (btf) => decodeFeatures(btf === undefined ? raw.probeFeatures() : raw.probeFeatures(btf)),
    kernelSymbol: (name) => getOrAdd(symbols, name, () => raw.kernelSymbol(name)),
  };
}

/** Defines decoding methods on the object, because the addon's methods are read-only properties of the prototype. */
function wrapSession(raw: RawSession): NativeSession {
  const takeLosses = raw.takeLosses.bind(raw);
  const takeMissedRuns = raw.takeMissedRuns.bind(raw);
  const hookCounts = raw.hookCounts.bind(raw);
  const probeFeatures = raw.probeFeatures.bind(raw);
  const removePins = raw.removePins.bind(raw);
  return Object.defineProperties(raw as unknown as NativeSession, {
    takeLosses: { value: () => decodeLosses(takeLosses()) },
    takeMissedRuns: { value: (limit: number) => decodeMissedRuns(takeMissedRuns(limit)) },
    hookCounts: { value: (id: number) => decodeCounters(hookCounts(id)) },
    probeFeatures: { value: async () => decodeFeatures(await probeFeatures()) },
    removePins: { value: async (folder: string, links: readonly string[]) => decodePendingCalls(await removePins(folder, links)) },
  });
}

function wrapEarlierRing(raw: RawEarlierRing): NativeEarlierRing {
  const [names, losses] = [raw.names.bind(raw), raw.losses.bind(raw)];
  return Object.defineProperties(raw as unknown as NativeEarlierRing, {
    names: { value: () => decodeByHook<string>(names()) },
    losses: { value: () => decodeByHook<number>(losses()) },
  });
}

function getOrAdd<T>(map: Map<string, T>, key: string, make: () => T): T {
  if (!map.has(key)) map.set(key, make());
  return map.get(key) as T;
}
