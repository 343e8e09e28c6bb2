/** Loads the addon and gives it a typed interface. No other file loads the addon. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { KernelError } from '../errors.js';
import { LAYOUT_HASH } from '../wire/layout.gen.js';
import {
  counters,
  losses,
  missedRuns,
  unreadPins,
  type HookCounters,
  type HookLosses,
  type MissedRuns,
  type UnreadPins,
} from './records.js';
import { featuresOf, type FeatureName, type NativeFeatures } from './features.js';
import { limitReached } from './limits.js';

/** Reads records; see native/ring.h and native/survivors.h. After close() nothing is read. */
export interface NativeSource {
  /** Copies records into the slab from `offset` on, each at a multiple of 8. Returns the end of the last record. */
  drain(slab: Uint8Array, offset: number): number;
  /**
   * Watches the object without holding it. Returns the objects that were watched before and that a garbage collection has left
   * since. It watches those no more.
   */
  watch<T extends object>(object: T): T[];
  /** Returns all watched objects that may still be in use, and watches none any more. */
  watched<T extends object>(): T[];
}

/** Types of the kernel that the addon keeps in memory. */
export type HeldTypes = object;

/**
 * One tracer's side in the kernel. Methods with a promise run on a thread of the session, one after the other in the order of the
 * calls. The event loop goes on until they are done.
 */
export interface NativeSession extends NativeSource {
  probeFeatures(): Promise<NativeFeatures>;
  /** Reads the running kernel's types. They stay in memory until they are released, or the value is not referenced any more. */
  readTypes(): Promise<HeldTypes>;
  /** Frees several megabytes, which would wait for a garbage collection. Further calls for the same value do nothing. */
  releaseTypes(types: HeldTypes): void;
  /** Removes the links and resolves with the unread records, or with null if the pins have another layout. */
  takePins(folder: string, links: readonly string[]): Promise<readonly UnreadPins[] | null>;
  /** Loads and attaches the base sensor. Rejects with NativeError. */
  open(options: SessionOptions): Promise<void>;
  /** `onReadable` is called once after each arm(), when there are records. */
  start(onReadable: () => void): void;
  arm(): void;
  setActive(active: boolean): void;
  /** Bytes of the ring buffer that are not read yet. */
  used(): number;
  /** Resolves with the indexes of the places that were skipped. */
  addHook(spec: NativeHookSpec): Promise<number[]>;
  removeHooks(ids: readonly number[]): Promise<void>;
  putEntries(map: string, entries: Uint8Array): Promise<void>;
  deleteEntries(map: string, keys: Uint8Array): Promise<void>;
  /** From now on the base sensor keeps the sets of each process. Sets are bits, 32 bytes of them. */
  useProcessSets(): Promise<void>;
  /** Names the sets that contain descendants of members, those that take only trusted executables, and those with prefixes. */
  setKinds(followed: Uint8Array, trusted: Uint8Array, prefixed: Uint8Array): void;
  /** Removes every process from these sets. The values of the sets are in no table, and the sets are not followed. */
  clearSets(sets: Uint8Array): Promise<void>;
  /** Must be called before the values of new sets are put into the tables. */
  beginScan(sets: Uint8Array): Promise<void>;
  /** Must be called after that. When it resolves, every running process has its sets. */
  finishScan(sets: Uint8Array): Promise<void>;
  /** From now on the base sensor keeps the state that each process had at its exec. */
  keepState(): Promise<void>;
  /** From now on the base sensor keeps the scopes of each cgroup. `mount`: where the whole unified hierarchy is mounted. */
  useScopes(mount: string): Promise<void>;
  /**
   * Changes the scopes of cgroups. Scopes are bits, 32 bytes of them. `defaults`: those of cgroups that no source has named, for
   * each CgroupKind. `named`: ids of containers' cgroups with their scopes. `gone`: ids of cgroups that have no name any more.
   */
  setScopes(defaults: Uint8Array, named: Uint8Array, gone: Uint8Array): Promise<void>;
  /** The kernel's numbers of the file behind a descriptor of this process; undefined if it has no file. */
  inodeOf(fd: number): { readonly device: number; readonly inode: bigint } | undefined;
  /** Losses since the last call. */
  takeLosses(): readonly HookLosses[];
  /** Runs that the kernel skipped since the last call. */
  takeMissed(): readonly MissedRuns[];
  /** Counted since the tracer was opened, also under hooks that had this id before. */
  hookCounts(id: number): HookCounters;
  /** Bytes of the hook's programs and of the maps that only it uses. */
  hookMemory(id: number): number;
  /** Whether the hook carries out its actions, or only reports them. */
  setEnforces(id: number, enforces: boolean): void;
  /** From now on no policy acts on this process and its ancestors. */
  protectAncestors(): Promise<void>;
  /** Whether the base sensor keeps the owners of sockets until the kernel frees them. Earlier owners are forgotten. */
  setTracksSockets(tracks: boolean): Promise<void>;
  selfTgid(): number;
  /** From now on everything that is attached is pinned to the empty folder, and continues if this process dies. */
  pinTo(folder: string): Promise<void>;
  /** Notes the name of the hook beside its pins. Does nothing without pinTo(). */
  nameHook(id: number, name: string): void;
  /** Detaches everything; with `keep`, everything that is not pinned. */
  detach(keep: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface NativeHookSpec {
  readonly id: number;
  readonly object: string;
  readonly mechanism:
    'fentry' | 'kprobe' | 'kprobe.multi' | 'tracepoint' | 'raw_tracepoint' | 'lsm' | 'uprobe' | 'uprobe.multi' | 'usdt';
  /**
   * Name of the function, LSM hook, tracepoint, static probe, or symbol of a uprobe. For several places, their common
   * name.
   */
  readonly target: string;
  /** Group of a tracepoint, or provider of a static probe. */
  readonly group?: string;
  /** File of a uprobe or a static probe. */
  readonly path?: string;
  /** Offset in bytes from the symbol, or from the start of the file. */
  readonly offset?: bigint;
  /** Offset in the file of a counter of the tracers. */
  readonly counter?: bigint;
  /** The places of a kprobe or uprobe. A cookie tells the program which place was hit. */
  readonly places?: readonly NativePlace[];
  /** If true, and each place is attached separately, missing places are skipped. */
  readonly optionalPlaces?: boolean;
  readonly entry: boolean;
  readonly return: boolean;
  /** For fentry: the program at the entry can return instead of the function. */
  readonly overrides?: boolean;
  readonly config: Uint8Array;
  /** Instructions that replace marked bodies in the program. `mark` begins the body, and both have the same length. */
  readonly code: readonly { readonly mark: number; readonly instructions: Uint8Array }[];
  readonly maps: readonly NativeMapSpec[];
}

/** One of several places. For uprobe.multi, the offset is from the start of the file. */
export type NativePlace = Pick<NativeHookSpec, 'target' | 'offset' | 'counter'>;

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
}

export interface NativeBinding {
  readonly layoutHash: string;
  createSession(): NativeSession;
  probeFeatures(): NativeFeatures;
  /** Names of pins: of maps, and the starts of the names of links. */
  readonly pinNames: { readonly maps: readonly string[]; readonly links: readonly string[] };
  /**
   * Locks the folder. Returns false where another process has locked it. The lock ends when the descriptor is closed.
   */
  lockFolder(fd: number): boolean;
  /** The layout hash of the pins in this folder; null if polytrace has no pins there. */
  pinnedLayout(folder: string): string | null;
  kernelHasStruct(name: string): boolean;
  /** The address of a symbol, whose name has at most 15 bytes; 0n where the kernel does not show it. */
  kernelSymbol(name: string): bigint;
  /** Sends a text to the socket of a service manager: a path, or @NAME. Returns false when it cannot be sent now. */
  notifyService(socket: string, text: string): boolean;
  /** Nanoseconds to add to CLOCK_BOOTTIME to get the time of day. */
  bootOffset(): bigint;
  /** The path of a cgroup below the mount point of its hierarchy, as bytes; null if there is no such cgroup any more. */
  cgroupPath(mount: string, id: bigint): Buffer | null;
}

/** The addon's own interface. It returns lists of numbers in a fixed order, which records.ts decodes. */
type RawSession = Omit<NativeSession, 'takeLosses' | 'takeMissed' | 'hookCounts' | 'probeFeatures' | 'takePins'> & {
  probeFeatures(): Promise<Readonly<Record<FeatureName, string>>>;
  takePins(folder: string, links: readonly string[]): Promise<(number | string)[] | null>;
  takeLosses(): number[];
  takeMissed(): number[];
  hookCounts(id: number): number[];
};

interface RawBinding extends Omit<NativeBinding, 'createSession' | 'probeFeatures'> {
  readonly Session: new () => RawSession;
  probeFeatures(): Readonly<Record<FeatureName, string>>;
}

let loaded: NativeBinding | undefined;

/** Throws KernelError ADDON_MISSING, ADDON_MISMATCH or LIMIT_MEMORY. */
export function loadBinding(): NativeBinding {
  if (loaded !== undefined) return loaded;
  let binding: RawBinding;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    binding = (require('node-gyp-build') as (dir: string) => RawBinding)(home());
  } catch (error) {
    const limit = limitReached(error);
    if (limit !== undefined) throw limit;
    throw new KernelError('ADDON_MISSING', `the native addon cannot be loaded: ${lookedFor(error)}`, remedy());
  }
  if (binding.layoutHash !== LAYOUT_HASH) {
    throw new KernelError(
      'ADDON_MISMATCH',
      `the addon was built from another bpf/abi.h (found ${binding.layoutHash}, expected ${LAYOUT_HASH})`,
      'build both again: `npm run build` in a clone of the repository, `npx polytrace rebuild` elsewhere',
    );
  }
  loaded = typed(binding);
  return loaded;
}

/** The file of the addon. */
export function addonFile(): string {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require('node-gyp-build') as { path(dir: string): string }).path(home());
}

/**
 * The folder with the addon: that of the package, or that of a file into which a bundler has put this one, with `prebuilds` beside
 * it. In the package, this module is a part of dist/index.js; in a checkout, it is also a file in a room of its own.
 */
function home(): string {
  if (existsSync(path.join(__dirname, 'prebuilds'))) return __dirname;
  const above = path.dirname(__dirname);
  return existsSync(path.join(above, 'package.json')) ? above : path.dirname(above);
}

/** Which addon this process needs, and why none of the files was loaded. */
function lookedFor(error: unknown): string {
  const reason = (error as Error).message.split('\n')[0] ?? '';
  return `wanted ${process.platform}-${process.arch}${libc()} for Node.js ${process.versions.node}; ${reason}`;
}

/** The C library of this process, with its version where it is glibc. Only an error asks, because a report takes milliseconds. */
function libc(): string {
  if (process.platform !== 'linux') return '';
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? ' (musl)' : ` (glibc ${header.glibcVersionRuntime})`;
}

function remedy(): string {
  if (process.platform !== 'linux') return 'tracing needs Linux; validate, compile and explain work on any system';
  const prebuilt = ['x64', 'arm64'].includes(process.arch)
    ? 'the package contains addons for x64 and arm64, glibc 2.28 or musl 1.2.5 and later: install it again, or '
    : 'the package contains addons for x64 and arm64 only: ';
  return `${prebuilt}build one with \`npx polytrace rebuild\`, which lists what it needs`;
}

/**
 * Gives the addon its typed interface. Reading the kernel's BTF takes tens of milliseconds, so its answers are cached.
 */
function typed(raw: RawBinding): NativeBinding {
  const structs = new Map<string, boolean>();
  const symbols = new Map<string, bigint>();
  return {
    ...raw,
    createSession: () => decoded(new raw.Session()),
    probeFeatures: () => featuresOf(raw.probeFeatures()),
    kernelHasStruct: (name) => getOrAdd(structs, name, () => raw.kernelHasStruct(name)),
    kernelSymbol: (name) => getOrAdd(symbols, name, () => raw.kernelSymbol(name)),
  };
}

/** The addon defines its methods as read-only properties of the prototype, so new ones are defined on the object. */
function decoded(raw: RawSession): NativeSession {
  const takeLosses = raw.takeLosses.bind(raw);
  const takeMissed = raw.takeMissed.bind(raw);
  const hookCounts = raw.hookCounts.bind(raw);
  const probeFeatures = raw.probeFeatures.bind(raw);
  const takePins = raw.takePins.bind(raw);
  return Object.defineProperties(raw as unknown as NativeSession, {
    takeLosses: { value: () => losses(takeLosses()) },
    takeMissed: { value: () => missedRuns(takeMissed()) },
    hookCounts: { value: (id: number) => counters(hookCounts(id)) },
    probeFeatures: { value: async () => featuresOf(await probeFeatures()) },
    takePins: { value: async (folder: string, links: readonly string[]) => unreadPins(await takePins(folder, links)) },
  });
}

function getOrAdd<T>(map: Map<string, T>, key: string, make: () => T): T {
  if (!map.has(key)) map.set(key, make());
  return map.get(key) as T;
}
