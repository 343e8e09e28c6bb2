/** The containers that sources report, and the cgroup of each. Sources push into it; policies and events read it. */
import type { ContainerInfo, ContainerSink, ContainerSource, ContainerSourceStatus } from '../../types/containers.js';
import { PolytraceError } from '../errors.js';
import { bounded } from './bounds.js';
import { locate } from './identify.js';
import { isSame, merged } from './merge.js';

export interface KnownContainer {
  readonly info: ContainerInfo;
  /** Id of the container's own cgroup; 0n: not known yet. */
  readonly cgroupId: bigint;
}

export interface DirectoryListener {
  /** A container is new, or something of it has changed. */
  changed(container: KnownContainer): Promise<void> | void;
  removed(container: KnownContainer): void;
}

/** How the directory finds the cgroup of a container. */
export interface CgroupLookup {
  /** The id of a cgroup that exists; 0n where it is not known. */
  idOf(path: string | undefined): bigint;
  /** The path of the cgroup of a process. */
  pathOf(pid: number): string | undefined;
}

interface Entry extends KnownContainer {
  /** What each source says, by the place of the source. */
  readonly parts: ReadonlyMap<number, ContainerInfo>;
  /** Settles when every listener knows this. */
  readonly told: Promise<unknown>;
}

interface SourceState {
  readonly source: ContainerSource;
  /** It does not notice when a container ends. */
  readonly isPassive: boolean;
  connected: boolean;
  error: string | undefined;
  readonly ids: Set<string>;
}

export const CONTAINERS_MAX = 16_384;
/** Number of removed containers that are kept, because their last events are still to be read. */
const REMOVED_KEPT = 1024;
const NO_CGROUPS: CgroupLookup = { idOf: () => 0n, pathOf: () => undefined };

export class Directory {
  readonly #entries = new Map<string, Entry>();
  /** The ids of containers by their own cgroups. */
  readonly #byCgroup = new Map<bigint, string>();
  readonly #removed = new Map<string, Entry>();
  readonly #listeners = new Set<DirectoryListener>();
  readonly #sources: SourceState[] = [];
  readonly #cgroups: CgroupLookup;
  readonly #withAnnotations: boolean;

  /** `withAnnotations`: keep the annotations of pods. */
  constructor(cgroups: CgroupLookup = NO_CGROUPS, withAnnotations = true) {
    this.#cgroups = cgroups;
    this.#withAnnotations = withAnnotations;
  }

  /** All containers that sources have reported and not removed. */
  containers(): readonly KnownContainer[] {
    return [...this.#entries.values()].map(({ info, cgroupId }) => ({ info, cgroupId }));
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): KnownContainer | undefined {
    return this.#entries.get(id);
  }

  /** Also finds a container that was removed a short time ago. */
  recall(id: string): KnownContainer | undefined {
    return this.#entries.get(id) ?? this.#removed.get(id);
  }

  /** Returns a function that ends the subscription. Containers that are known already are not reported. */
  subscribe(listener: DirectoryListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  sources(): readonly ContainerSourceStatus[] {
    return this.#sources.map(({ source, connected, error, ids }) => ({
      name: source.name,
      connected,
      ...(error === undefined ? {} : { error }),
      containers: ids.size,
      ...(source.late === undefined ? {} : { late: source.late }),
    }));
  }

  /** True if a connected source reports containers of this runtime. undefined: the runtime is not known. */
  covers(runtime: string | undefined): boolean {
    return this.#sources.some(
      ({ source, connected, isPassive }) =>
        connected &&
        !isPassive &&
        (source.runtimes === undefined || runtime === undefined || source.runtimes.includes(runtime)),
    );
  }

  /** Asks the sources for a container that none of them has reported yet. */
  seek(id: string, runtime: string | undefined): void {
    for (const { source, connected } of this.#sources) {
      const isOf = source.runtimes === undefined || runtime === undefined || source.runtimes.includes(runtime);
      // the source reports its own errors
      if (connected && isOf) source.find?.(id).catch(() => undefined);
    }
  }

  /** Adds a source, and returns where it reports. Where sources contradict each other, the earlier one is right. */
  add(source: ContainerSource, isPassive = false): ContainerSink {
    const place = this.#sources.length;
    const state: SourceState = { source, isPassive, connected: false, error: undefined, ids: new Set() };
    this.#sources.push(state);
    return Object.freeze({
      add: async (info: ContainerInfo): Promise<void> => {
        await this.#report(place, state, bounded(info, this.#withAnnotations));
      },
      remove: (id: string): void => this.#withdraw(place, state, id),
      state: (connected: boolean, error?: Error): void => {
        state.connected = connected;
        state.error = error?.message;
      },
    });
  }

  async #report(place: number, state: SourceState, info: ContainerInfo): Promise<void> {
    const before = this.#entries.get(info.id);
    if (before === undefined && this.#entries.size >= CONTAINERS_MAX) {
      throw new PolytraceError(
        'CONTAINERS_FULL',
        `more than ${CONTAINERS_MAX} containers run`,
        'further containers stay without names, and no scope of a policy has them',
      );
    }
    state.ids.add(info.id);
    this.#removed.delete(info.id);
    await this.#put(new Map([...(before?.parts ?? []), [place, info]]), before);
  }

  #withdraw(place: number, state: SourceState, id: string): void {
    const ended = this.#removed.get(id);
    if (ended !== undefined) this.#removed.set(id, { ...ended, parts: without(ended.parts, place) });
    const before = this.#entries.get(id);
    if (!state.ids.delete(id) || before === undefined) return;
    const parts = without(before.parts, place);
    // who remains hears of errors when it reports next
    if (this.#isVouchedFor(parts)) void this.#put(parts, before).catch(() => undefined);
    else this.#remove({ ...before, parts });
  }

  /** A source that notices ends says that there is such a container. */
  #isVouchedFor(parts: Entry['parts']): boolean {
    return [...parts.keys()].some((place) => this.#sources[place]?.isPassive === false);
  }

  #put(parts: ReadonlyMap<number, ContainerInfo>, before: Entry | undefined): Promise<unknown> {
    const said = merged([...parts].sort(([a], [b]) => a - b).map(([, part]) => part));
    const { path, id } = this.#cgroupOf(said, before);
    const info = path === undefined || path === said.cgroupPath ? said : Object.freeze({ ...said, cgroupPath: path });
    return this.#store(before, { info, cgroupId: id }, parts);
  }

  #store(
    before: Entry | undefined,
    known: KnownContainer,
    parts: ReadonlyMap<number, ContainerInfo>,
  ): Promise<unknown> {
    const { info, cgroupId } = known;
    if (before !== undefined && before.cgroupId === cgroupId && isSame(before.info, info)) {
      this.#entries.set(info.id, { ...before, parts });
      return before.told;
    }
    const told = Promise.all([...this.#listeners].map(async (listener) => listener.changed(known)));
    told.catch(() => undefined);
    this.#entries.set(info.id, { info, cgroupId, parts, told });
    if (before !== undefined) this.#leaveCgroup(before);
    if (cgroupId !== 0n) this.#byCgroup.set(cgroupId, info.id);
    return told;
  }

  #leaveCgroup({ cgroupId, info: { id } }: KnownContainer): void {
    if (this.#byCgroup.get(cgroupId) === id) this.#byCgroup.delete(cgroupId);
  }

  #remove(entry: Entry): void {
    const { info, cgroupId } = entry;
    const known = { info, cgroupId };
    this.#entries.delete(info.id);
    this.#leaveCgroup(entry);
    for (const { ids } of this.#sources) ids.delete(info.id);
    this.#removed.set(info.id, entry);
    if (this.#removed.size > REMOVED_KEPT) {
      for (const oldest of this.#removed.keys()) {
        this.#removed.delete(oldest);
        break;
      }
    }
    for (const listener of this.#listeners) listener.removed(known);
  }

  /**
   * The container's own cgroup. A source names it, or the container's process is in it. It can be made later than the container,
   * and again when the container starts again.
   */
  #cgroupOf(
    info: ContainerInfo,
    before: Entry | undefined,
  ): { readonly path: string | undefined; readonly id: bigint } {
    for (const path of [info.cgroupPath, before?.info.cgroupPath, this.#cgroupOfProcess(info)]) {
      const id = this.#cgroups.idOf(path);
      if (id !== 0n) return { path, id };
    }
    const path = info.cgroupPath ?? before?.info.cgroupPath;
    return { path, id: path === before?.info.cgroupPath ? (before?.cgroupId ?? 0n) : 0n };
  }

  /** The process may have ended, and another one may have its id. So the path must have the container's id. */
  #cgroupOfProcess({ id, pid }: ContainerInfo): string | undefined {
    const path = pid === undefined ? undefined : this.#cgroups.pathOf(pid);
    if (path?.includes(id) !== true) return undefined;
    const own = locate(path);
    return own?.container.id === id ? own.path : path;
  }

  /** The kernel reports a new cgroup. Users without root can give their cgroups the name of any container. */
  cgroupCreated(id: bigint, path: string): void {
    const found = locate(path);
    if (found === undefined || found.path !== path) return;
    const entry = this.#entries.get(found.container.id) ?? this.#restarted(found.container.id);
    if (entry === undefined || entry.cgroupId === id) return;
    const known = entry.info.cgroupPath;
    const isOwn = known === undefined ? found.container.owner === undefined : known === path;
    if (!isOwn) return;
    const info = known === undefined ? Object.freeze({ ...entry.info, cgroupPath: path }) : entry.info;
    for (const place of entry.parts.keys()) this.#sources[place]?.ids.add(info.id);
    this.#removed.delete(info.id);
    void this.#store(entry, { info, cgroupId: id }, entry.parts).catch(() => undefined);
  }

  /** A container whose cgroup is gone, and whose end no source has reported: it starts again. */
  #restarted(id: string): Entry | undefined {
    const ended = this.#removed.get(id);
    return ended !== undefined && this.#isVouchedFor(ended.parts) && this.#entries.size < CONTAINERS_MAX
      ? ended
      : undefined;
  }

  /**
   * The kernel has freed a cgroup, after the last process in it. The container has ended, also where no source notices. Every event
   * of its processes was read before. Returns the container's id; undefined if it was no container's own cgroup.
   */
  cgroupGone(id: bigint): string | undefined {
    const entry = this.#entries.get(this.#byCgroup.get(id) ?? '');
    if (entry !== undefined) this.#remove(entry);
    return entry?.info.id;
  }
}

function without(parts: Entry['parts'], place: number): Entry['parts'] {
  return new Map([...parts].filter(([each]) => each !== place));
}
