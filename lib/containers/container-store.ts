/** Stores the containers that sources report, and the cgroup of each container. Policies and events read them. */
import type { ContainerInfo, ContainerSink, ContainerSource, ContainerSourceStatus } from '../../types/containers.js';
import { PolytraceError } from '../errors.js';
import { limitContainerInfo } from './limit-container-info.js';
import { locateContainer } from './identify.js';
import { isEqualInfo, mergeContainerInfo } from './merge.js';

export interface KnownContainer {
  readonly info: ContainerInfo;
  /** Id of the container's own cgroup; 0n if it is not known yet. */
  readonly cgroupId: bigint;
  /** False if only its cgroup is known: no source with names has reported it yet. */
  readonly isReported: boolean;
}

export interface ContainerListener {
  /** Called for a new container, and for each change of a container. */
  onChanged(container: KnownContainer): Promise<void> | void;
  onRemoved(container: KnownContainer): void;
}

/** Finds the cgroup of a container. */
export interface CgroupLookup {
  /** Returns the id of an existing cgroup; 0n if it is not known. */
  cgroupId(path: string | undefined): bigint;
  /** Returns the path of the cgroup of a process. */
  cgroupPath(pid: number): string | undefined;
}

interface Entry extends KnownContainer {
  /** The report of each source, by the index of the source. */
  readonly parts: ReadonlyMap<number, ContainerInfo>;
  /** Settles when every listener has the container. */
  readonly delivered: Promise<unknown>;
}

interface SourceState {
  readonly source: ContainerSource;
  /** True if the source does not notice that a container ends. */
  readonly isPassive: boolean;
  connected: boolean;
  error: string | undefined;
  readonly ids: Set<string>;
}

export const CONTAINERS_MAX = 16_384;
/** Maximum number of removed containers that are kept, because their last events may not have been read. */
const REMOVED_MAX = 1024;
const NO_CGROUPS: CgroupLookup = { cgroupId: () => 0n, cgroupPath: () => undefined };

export class ContainerStore {
  readonly #entries = new Map<string, Entry>();
  /** The ids of containers by their own cgroups. */
  readonly #byCgroup = new Map<bigint, string>();
  readonly #removed = new Map<string, Entry>();
  readonly #listeners = new Set<ContainerListener>();
  readonly #sources: SourceState[] = [];
  readonly #cgroups: CgroupLookup;
  readonly #withAnnotations: boolean;

  /** `withAnnotations` is true if the annotations of pods are kept. */
  constructor(cgroups: CgroupLookup = NO_CGROUPS, withAnnotations = true) {
    this.#cgroups = cgroups;
    this.#withAnnotations = withAnnotations;
  }

  /** All containers that sources have reported and not removed. */
  containers(): readonly KnownContainer[] {
    return [...this.#entries.values()].map(({ info, cgroupId, isReported }) => ({ info, cgroupId, isReported }));
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): KnownContainer | undefined {
    return this.#entries.get(id);
  }

  /** Also returns a container that was removed a short time ago. */
  findRecent(id: string): KnownContainer | undefined {
    return this.#entries.get(id) ?? this.#removed.get(id);
  }

  /** Returns a function that ends the subscription. Containers that are already known are not reported. */
  subscribe(listener: ContainerListener): () => void {
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

  /** True if a connected source reports containers of this runtime, or of any runtime for undefined. */
  hasSourceFor(runtime: string | undefined): boolean {
    return this.#sources.some(
      ({ source, connected, isPassive }) =>
        connected &&
        !isPassive &&
        (source.runtimes === undefined || runtime === undefined || source.runtimes.includes(runtime)),
    );
  }

  /** Asks the sources for a container that none of them has reported yet. */
  requestContainer(id: string, runtime: string | undefined): void {
    for (const { source, connected } of this.#sources) {
      const reportsRuntime =
        source.runtimes === undefined || runtime === undefined || source.runtimes.includes(runtime);
      // the source reports its own errors
      if (connected && reportsRuntime) source.find?.(id).catch(() => undefined);
    }
  }

  /** Adds a source. Returns the sink that the source reports to. Earlier sources have precedence over later ones. */
  add(source: ContainerSource, isPassive = false): ContainerSink {
    const index = this.#sources.length;
    const state: SourceState = { source, isPassive, connected: false, error: undefined, ids: new Set() };
    this.#sources.push(state);
    return Object.freeze({
      add: async (info: ContainerInfo): Promise<void> => {
        await this.#addPart(index, state, limitContainerInfo(info, this.#withAnnotations));
      },
      remove: (id: string): void => this.#removePart(index, state, id),
      state: (connected: boolean, error?: Error): void => {
        state.connected = connected;
        state.error = error?.message;
      },
    });
  }

  async #addPart(index: number, state: SourceState, info: ContainerInfo): Promise<void> {
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
    await this.#mergeParts(new Map([...(before?.parts ?? []), [index, info]]), before);
  }

  #removePart(index: number, state: SourceState, id: string): void {
    const ended = this.#removed.get(id);
    if (ended !== undefined) this.#removed.set(id, { ...ended, parts: withoutSource(ended.parts, index) });
    const before = this.#entries.get(id);
    if (!state.ids.delete(id) || before === undefined) return;
    const parts = withoutSource(before.parts, index);
    // the remaining sources get errors with their next report
    if (this.#isConfirmed(parts)) void this.#mergeParts(parts, before).catch(() => undefined);
    else this.#remove({ ...before, parts });
  }

  /** True if a source that notices ends still reports the container. */
  #isConfirmed(parts: Entry['parts']): boolean {
    return [...parts.keys()].some((index) => this.#sources[index]?.isPassive === false);
  }

  #mergeParts(parts: ReadonlyMap<number, ContainerInfo>, before: Entry | undefined): Promise<unknown> {
    const merged = mergeContainerInfo([...parts].sort(([a], [b]) => a - b).map(([, part]) => part));
    const { path, id } = this.#findCgroup(merged, before);
    const info =
      path === undefined || path === merged.cgroupPath ? merged : Object.freeze({ ...merged, cgroupPath: path });
    return this.#store(before, { info, cgroupId: id }, parts);
  }

  #store(
    before: Entry | undefined,
    { info, cgroupId }: Pick<KnownContainer, 'info' | 'cgroupId'>,
    parts: ReadonlyMap<number, ContainerInfo>,
  ): Promise<unknown> {
    const known = { info, cgroupId, isReported: this.#isConfirmed(parts) };
    const isSame = before?.cgroupId === cgroupId && before.isReported === known.isReported;
    if (isSame && isEqualInfo(before.info, info)) {
      this.#entries.set(info.id, { ...before, parts });
      return before.delivered;
    }
    const delivered = Promise.all([...this.#listeners].map(async (listener) => listener.onChanged(known)));
    delivered.catch(() => undefined);
    this.#entries.set(info.id, { ...known, parts, delivered });
    if (before !== undefined) this.#leaveCgroup(before);
    if (cgroupId !== 0n) this.#byCgroup.set(cgroupId, info.id);
    return delivered;
  }

  #leaveCgroup({ cgroupId, info: { id } }: Entry): void {
    if (this.#byCgroup.get(cgroupId) === id) this.#byCgroup.delete(cgroupId);
  }

  #remove(entry: Entry): void {
    const { info, cgroupId, isReported } = entry;
    const known = { info, cgroupId, isReported };
    this.#entries.delete(info.id);
    this.#leaveCgroup(entry);
    for (const { ids } of this.#sources) ids.delete(info.id);
    this.#removed.set(info.id, entry);
    if (this.#removed.size > REMOVED_MAX) {
      for (const oldest of this.#removed.keys()) {
        this.#removed.delete(oldest);
        break;
      }
    }
    for (const listener of this.#listeners) listener.onRemoved(known);
  }

  /**
   * Returns the container's own cgroup: a source reports it, or the container's process is in it. The cgroup can be created later
   * than the container, and again when the container restarts.
   */
  #findCgroup(
    info: ContainerInfo,
    before: Entry | undefined,
  ): { readonly path: string | undefined; readonly id: bigint } {
    for (const path of [info.cgroupPath, before?.info.cgroupPath, this.#findProcessCgroup(info)]) {
      const id = this.#cgroups.cgroupId(path);
      if (id !== 0n) return { path, id };
    }
    const path = info.cgroupPath ?? before?.info.cgroupPath;
    return { path, id: path === before?.info.cgroupPath ? (before?.cgroupId ?? 0n) : 0n };
  }

  /** The path must have the container's id, because another process may have the process id by now. */
  #findProcessCgroup({ id, pid }: ContainerInfo): string | undefined {
    const path = pid === undefined ? undefined : this.#cgroups.cgroupPath(pid);
    if (path?.includes(id) !== true) return undefined;
    const own = locateContainer(path);
    return own?.container.id === id ? own.path : path;
  }

  /**
   * Must be called for each new cgroup. The whole path is compared, because users without root can give their cgroups the name of
   * any container.
   */
  onCgroupCreated(id: bigint, path: string): void {
    const found = locateContainer(path);
    if (found === undefined || found.path !== path) return;
    const entry = this.#entries.get(found.container.id) ?? this.#findRestarted(found.container.id);
    if (entry === undefined || entry.cgroupId === id) return;
    const known = entry.info.cgroupPath;
    const isOwn = known === undefined ? found.container.owner === undefined : known === path;
    if (!isOwn) return;
    const info = known === undefined ? Object.freeze({ ...entry.info, cgroupPath: path }) : entry.info;
    for (const index of entry.parts.keys()) this.#sources[index]?.ids.add(info.id);
    this.#removed.delete(info.id);
    void this.#store(entry, { info, cgroupId: id }, entry.parts).catch(() => undefined);
  }

  /** Returns a container whose cgroup was removed and whose end no source has reported: it restarts. */
  #findRestarted(id: string): Entry | undefined {
    const ended = this.#removed.get(id);
    return ended !== undefined && this.#isConfirmed(ended.parts) && this.#entries.size < CONTAINERS_MAX
      ? ended
      : undefined;
  }

  /**
   * Must be called for each cgroup that the kernel has freed. It frees a cgroup after the last process in it has ended, so all its
   * events were read before. Removes the container. Returns its id; undefined if the cgroup was no container's own cgroup.
   */
  onCgroupRemoved(id: bigint): string | undefined {
    const entry = this.#entries.get(this.#byCgroup.get(id) ?? '');
    if (entry !== undefined) this.#remove(entry);
    return entry?.info.id;
  }
}

function withoutSource(parts: Entry['parts'], index: number): Entry['parts'] {
  return new Map([...parts].filter(([each]) => each !== index));
}
