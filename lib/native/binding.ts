/** The one place that loads the addon, and its typed interface. */
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

/** Reads records; see native/ring.h. Methods are harmless after close(). */
export interface NativeSource {
  /** Copies records into the slab from `offset` on, each at a multiple of 8; returns where the last one ends. */
  drain(slab: Uint8Array, offset: number): number;
}

export interface NativeSession extends NativeSource {
  /** `onReadable` is called once after each arm(), when there are records. */
  start(onReadable: () => void): void;
  arm(): void;
  setActive(active: boolean): void;
  /** Bytes of the ring buffer that are not read yet. */
  used(): number;
  /** Returns the places that were left out. */
  addHook(spec: NativeHookSpec): number[];
  removeHook(id: number): void;
  putEntries(map: string, entries: Uint8Array): void;
  deleteEntries(map: string, keys: Uint8Array): void;
  /** From here on the sets of each process are kept. Sets are bits, 32 bytes of them. */
  useProcessSets(): void;
  /** Sets that contain the descendants of their members as well, and sets that take only trusted executables, and sets with prefixes. */
  setKinds(followed: Uint8Array, trusted: Uint8Array, prefixed: Uint8Array): void;
  /** Nobody is in these when it returns. Their values are in no table, and they are not followed. */
  clearSets(sets: Uint8Array): void;
  /** Before the values of new sets are put into the tables, */
  beginScan(sets: Uint8Array): void;
  /** and after that: every process that runs has its sets when it returns. */
  finishScan(sets: Uint8Array): void;
  /** From here on it is kept what each process was at its exec. */
  keepState(): void;
  /** Of one of this process's descriptors, as the kernel numbers them; undefined when it names no file. */
  inodeOf(fd: number): { readonly device: number; readonly inode: bigint } | undefined;
  /** Losses since the last call. */
  takeLosses(): readonly HookLosses[];
  /** Runs that the kernel skipped since the last call. */
  takeMissed(): readonly MissedRuns[];
  /** Counted since the tracer was opened, also under hooks that had this id before. */
  hookCounts(id: number): HookCounters;
  /** Bytes of the hook's programs and of the maps that are its own. */
  hookMemory(id: number): number;
  /** Whether what the hook's selectors say is done, and not only told. */
  setEnforces(id: number, enforces: boolean): void;
  /** From here on no policy acts on this process and those that it descends from. */
  protectAncestors(): void;
  /** Whether it is kept in mind whose sockets are, until the kernel frees them. What was is forgotten. */
  setTracksSockets(tracks: boolean): void;
  selfTgid(): number;
  /** From here on what is attached goes on when this process dies: it is pinned to the folder, which is empty. */
  pinTo(folder: string): void;
  /** For whoever finds the pins of the hook; nothing without pinTo(). */
  nameHook(id: number, name: string): void;
  /** `keep`: what is pinned goes on. Else, and of what is not pinned, nothing is attached any more. */
  detach(keep: boolean): void;
  close(): void;
}

export interface NativeHookSpec {
  readonly id: number;
  readonly object: string;
  readonly mechanism:
    'fentry' | 'kprobe' | 'kprobe.multi' | 'tracepoint' | 'raw_tracepoint' | 'lsm' | 'uprobe' | 'uprobe.multi' | 'usdt';
  /** Function, LSM hook or tracepoint; of a uprobe the symbol; the name of a static probe; of several places what they are called together. */
  readonly target: string;
  /** Of a tracepoint; of a static probe its provider. */
  readonly group?: string;
  /** Of a uprobe and a static probe. */
  readonly path?: string;
  /** Bytes from the symbol, or from the start of the file. */
  readonly offset?: bigint;
  /** In the file, of a counter that says whether somebody is tracing. */
  readonly counter?: bigint;
  /** Of a kprobe or uprobe at several places: the program is told which by its cookie. */
  readonly places?: readonly NativePlace[];
  /** Those of them that are not there are left out, where each is attached by itself. */
  readonly optionalPlaces?: boolean;
  readonly entry: boolean;
  readonly return: boolean;
  /** Of fentry: the entry can return in the function's place. */
  readonly overrides?: boolean;
  readonly config: Uint8Array;
  /** Instructions in the place of the program's own bodies that begin with these numbers, as long as those. */
  readonly code: readonly { readonly mark: number; readonly instructions: Uint8Array }[];
  readonly maps: readonly NativeMapSpec[];
}

/** By uprobe.multi, the offset is from the start of the file. */
export type NativePlace = Pick<NativeHookSpec, 'target' | 'offset' | 'counter'>;

export interface NativeMapSpec {
  readonly name: string;
  readonly create: boolean;
  /** Id of a hook whose map of this name it is. */
  readonly sharedWith?: number;
  /** Bytes; 0 as the program says. */
  readonly keySize: number;
  /** Bytes cut from the end of each value. */
  readonly trim: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** Keys and values, one after the other. */
  readonly entries: Uint8Array;
}

export interface SessionOptions {
  readonly object: string;
  readonly ringBytes: number;
  readonly processes: number;
  readonly includeSelf: boolean;
  /** The kernel allocates map entries safely on demand (BPF memory allocator). */
  readonly onDemand: boolean;
}

export interface NativeBinding {
  readonly layoutHash: string;
  /** Loads and attaches the base sensor. Throws NativeError. */
  openSession(options: SessionOptions): NativeSession;
  readonly SyntheticSource: new (records: Uint8Array, total: number) => NativeSource & { left(): number };
  probeFeatures(): NativeFeatures;
  /** Locks the folder. Returns false where another process has locked it. The lock ends when the descriptor is closed. */
  lockFolder(fd: number): boolean;
  /** The layout hash that the pins in this folder were made with; null where it has no pins of ours. */
  pinnedLayout(folder: string): string | null;
  /** Ends the links. Returns what nobody has read, or null where the pins have another layout. */
  takePins(folder: string, links: readonly string[]): readonly UnreadPins[] | null;
  kernelHasStruct(name: string): boolean;
  /** Nanoseconds to add to CLOCK_BOOTTIME for the time of day. */
  bootOffset(): bigint;
}

/** The addon's own forms: lists of numbers in a fixed order, which records.ts decodes. */
type RawSession = Omit<NativeSession, 'takeLosses' | 'takeMissed' | 'hookCounts'> & {
  takeLosses(): number[];
  takeMissed(): number[];
  hookCounts(id: number): number[];
};

interface RawBinding extends Omit<NativeBinding, 'openSession' | 'probeFeatures' | 'takePins'> {
  readonly Session: new (options: SessionOptions) => RawSession;
  probeFeatures(): Readonly<Record<FeatureName, string>>;
  takePins(folder: string, links: readonly string[]): (number | string)[] | null;
}

let loaded: NativeBinding | undefined;

/** Throws KernelError ADDON_MISSING or ADDON_MISMATCH. */
export function loadBinding(): NativeBinding {
  if (loaded !== undefined) return loaded;
  const root = path.join(__dirname, '..', '..');
  let binding: RawBinding;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    binding = (require('node-gyp-build') as (dir: string) => RawBinding)(root);
  } catch (error) {
    throw new KernelError(
      'ADDON_MISSING',
      `the native addon is not there: ${(error as Error).message.split('\n')[0] ?? ''}`,
      process.platform === 'linux'
        ? `build it with \`npm run build:native\` in ${root}; the README names the packages that this needs`
        : 'tracing needs Linux; validate, compile and explain work everywhere',
    );
  }
  if (binding.layoutHash !== LAYOUT_HASH) {
    throw new KernelError(
      'ADDON_MISMATCH',
      `the addon was built from another bpf/abi.h (${binding.layoutHash}, expected ${LAYOUT_HASH})`,
      'build both again: `npm run build`',
    );
  }
  loaded = typed(binding);
  return loaded;
}

/** The addon behind its typed interface. Reading the kernel's BTF takes tens of milliseconds, so answers from it are kept. */
function typed(raw: RawBinding): NativeBinding {
  const structs = new Map<string, boolean>();
  return {
    ...raw,
    openSession: (options) => decoded(new raw.Session(options)),
    probeFeatures: () => featuresOf(raw.probeFeatures()),
    takePins: (folder, links) => unreadPins(raw.takePins(folder, links)),
    kernelHasStruct: (name) => getOrAdd(structs, name, () => raw.kernelHasStruct(name)),
  };
}

/** The addon defines its methods as read-only properties of the prototype, so new ones are defined on the object. */
function decoded(raw: RawSession): NativeSession {
  const takeLosses = raw.takeLosses.bind(raw);
  const takeMissed = raw.takeMissed.bind(raw);
  const hookCounts = raw.hookCounts.bind(raw);
  return Object.defineProperties(raw as unknown as NativeSession, {
    takeLosses: { value: () => losses(takeLosses()) },
    takeMissed: { value: () => missedRuns(takeMissed()) },
    hookCounts: { value: (id: number) => counters(hookCounts(id)) },
  });
}

function getOrAdd<T>(map: Map<string, T>, key: string, make: () => T): T {
  if (!map.has(key)) map.set(key, make());
  return map.get(key) as T;
}
