/** The names, labels and pods of containers in events, and the events that wait for them. */
import type { Container, Pod } from '../../types/events.js';
import { locateContainer } from './identify.js';
import type { ContainerStore, KnownContainer } from './container-store.js';

/** The data of a container in events. All processes of the container share the object until the container changes. */
export interface NamedContainer {
  readonly container: Container;
  readonly pod: Pod | undefined;
  /** For processes that may be probes. Absent without exec probes. */
  readonly probes?: Probes;
}

interface Probes {
  readonly commands: readonly (readonly string[])[];
  readonly pod: Pod;
}

/** Maximum number of containers that are kept as unknown: no source knew them in time, so no event waits for them any more. */
const UNKNOWN_MAX = 4096;

/** Converts a time of CLOCK_BOOTTIME to milliseconds since 1970. */
type ToEpochMs = (bootTimeNs: bigint) => number;

export interface WaitCounts {
  /** Containers whose first events came before their names. */
  readonly waited: number;
  /** The containers of `waited` that no source knew in time. Their events were reported without names. */
  readonly unknown: number;
}

export class ContainerNames {
  readonly #store: ContainerStore;
  readonly #waitMs: number;
  readonly #cache = new WeakMap<KnownContainer['info'], NamedContainer>();
  /** Containers that events wait for, with the end of the wait by performance.now(), which does not follow the time of day. */
  readonly #awaited = new Map<string, number>();
  readonly #unknownIds = new Set<string>();
  #waited = 0;
  #unknownCount = 0;
  /** Called when no event waits any more. */
  onDone: () => void = () => undefined;

  /** With `waitMs` 0, no event waits. */
  constructor(store: ContainerStore, waitMs: number) {
    this.#store = store;
    this.#waitMs = waitMs;
    const onChanged = ({ info, isReported }: KnownContainer): void => {
      if (isReported) this.#onReported(info.id);
    };
    store.subscribe({ onChanged, onRemoved: () => undefined });
  }

  /** Returns the data of the container of a process. */
  find(container: Container): NamedContainer | undefined {
    const known = this.#store.findRecent(container.id);
    // users without root can give their cgroups the name of any container
    if (known === undefined || cgroupOwner(known) !== container.owner) return undefined;
    let named = this.#cache.get(known.info);
    if (named === undefined) this.#cache.set(known.info, (named = toNamedContainer(container, known.info)));
    return named;
  }

  /**
   * The same as `find`, for a process that starts now. If no source with names has reported its container yet, its events
   * wait. The cgroup of a container is known before.
   */
  findOrAwait(container: Container, bootTimeNs: bigint, toEpochMs: ToEpochMs): NamedContainer | undefined {
    const named = this.find(container);
    const isReported = named !== undefined && this.#store.findRecent(container.id)?.isReported === true;
    if (isReported || this.#waitMs === 0) return named;
    this.#awaitName(container, toEpochMs(bootTimeNs));
    return this.#awaited.has(container.id) ? undefined : named;
  }

  /** True if a source that reports such containers has not reported this one yet. Its name can still come. */
  isPending({ id, runtime, owner }: Container): boolean {
    if (owner !== undefined || this.#unknownIds.has(id) || !this.#store.hasSourceFor(runtime)) return false;
    return this.#store.findRecent(id)?.isReported !== true;
  }

  #awaitName({ id, runtime, owner }: Container, sinceMs: number): void {
    if (owner !== undefined || this.#awaited.has(id) || this.#unknownIds.has(id) || !this.#store.hasSourceFor(runtime))
      return;
    this.#waited++;
    // the age stays between 0 and `waitMs`, also if the time of day was changed
    const age = Math.min(Math.max(Date.now() - sinceMs, 0), this.#waitMs);
    this.#awaited.set(id, performance.now() + this.#waitMs - age);
    this.#store.requestContainer(id, runtime);
  }

  #onReported(id: string): void {
    this.#unknownIds.delete(id);
    if (this.#awaited.delete(id) && this.#awaited.size === 0) this.onDone();
  }

  get isWaiting(): boolean {
    return this.#awaited.size > 0;
  }

  /** Returns the milliseconds that events still have to wait; 0 if none has to wait. */
  remainingWaitMs(): number {
    const now = performance.now();
    let latest = 0;
    for (const [id, until] of this.#awaited) {
      const left = until - now;
      if (left > 0) latest = Math.max(latest, left);
      else this.#stopWaitingFor(id);
    }
    return latest;
  }

  /** Ends all waits: the kernel's buffer fills, or the tracer ends. */
  stopWaiting(): void {
    for (const id of this.#awaited.keys()) this.#stopWaitingFor(id);
  }

  #stopWaitingFor(id: string): void {
    this.#awaited.delete(id);
    this.#unknownCount++;
    if (this.#unknownIds.size >= UNKNOWN_MAX) {
      for (const oldest of this.#unknownIds) {
        this.#unknownIds.delete(oldest);
        break;
      }
    }
    this.#unknownIds.add(id);
  }

  get counts(): WaitCounts {
    return { waited: this.#waited, unknown: this.#unknownCount };
  }
}

function cgroupOwner({ info: { cgroupPath } }: KnownContainer): number | undefined {
  return cgroupPath === undefined ? undefined : locateContainer(cgroupPath)?.container.owner;
}

function toNamedContainer(found: Container, info: KnownContainer['info']): NamedContainer {
  const { id, name, image, labels, startTime, privileged, pod, execProbes } = info;
  const runtime = found.runtime ?? info.runtime;
  const own = {
    ...(name === undefined ? {} : { name }),
    ...(image === undefined ? {} : { image }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(privileged === undefined ? {} : { privileged }),
  };
  const container: Container = Object.freeze({
    ...found,
    ...(runtime === undefined ? {} : { runtime }),
    ...own,
    ...(labels === undefined ? {} : { labels }),
  });
  if (pod === undefined) return { container, pod };
  const inPod = { id, ...(runtime === undefined ? {} : { runtime }), ...own };
  const podWith = (more: { readonly maybeExecProbe?: true }): Pod =>
    Object.freeze({ ...pod, container: Object.freeze({ ...inPod, ...more }) });
  const named = { container, pod: podWith({}) };
  if (execProbes === undefined) return named;
  return { ...named, probes: { commands: execProbes, pod: podWith({ maybeExecProbe: true }) } };
}

/** The command of a process. */
export interface Command {
  readonly binary: string;
  readonly argv: readonly string[];
}

/** Returns the pod of a process. If the process has the command of an exec probe, the pod has `maybeExecProbe`. */
export function selectPod(named: NamedContainer | undefined, { binary, argv }: Command): Pod | undefined {
  const { probes } = named ?? {};
  if (probes === undefined) return named?.pod;
  const isProbe = probes.commands.some(([program = '', ...args]) => {
    const isProgram = program.startsWith('/') ? binary === program : fileName(binary) === fileName(program);
    return isProgram && args.length === argv.length && args.every((arg, i) => arg === argv[i]);
  });
  return isProbe ? probes.pod : named?.pod;
}

/** Returns the last part of a path. Only this part is compared for a program without an absolute path. */
function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
