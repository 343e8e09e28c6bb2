/** What events show of a container beside its id, and which events wait for it. */
import type { Container, Pod } from '../../types/events.js';
import { locateContainer } from './identify.js';
import type { ContainerStore, KnownContainer } from './container-store.js';

/** The same object for all processes of a container, until something of the container changes. */
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

/** Containers that no event waits for any more, because no source knew them in time. */
const UNKNOWN_MAX = 4096;

/** A clock: CLOCK_BOOTTIME to milliseconds since 1970. */
type ToEpochMs = (bootTimeNs: bigint) => number;

export interface WaitCounts {
  /** Containers whose first events came before their names. */
  readonly waited: number;
  /** Those of them that no source knew in time. Their events were reported without names. */
  readonly unknown: number;
}

export class ContainerNames {
  readonly #directory: ContainerStore;
  readonly #waitMs: number;
  readonly #cache = new WeakMap<KnownContainer['info'], NamedContainer>();
  /** Containers that events wait for, and until when: in milliseconds of performance.now(), which nobody can set. */
  readonly #awaited = new Map<string, number>();
  readonly #unknownIds = new Set<string>();
  #waited = 0;
  #unknownCount = 0;
  /** Called when nothing is awaited any more. */
  onNamed: () => void = () => undefined;

  /** Nothing waits with `waitMs` 0. */
  constructor(directory: ContainerStore, waitMs: number) {
    this.#directory = directory;
    this.#waitMs = waitMs;
    directory.subscribe({ onChanged: ({ info }) => this.#onReported(info.id), onRemoved: () => undefined });
  }

  /** What is known of the container of a process. */
  find(container: Container): NamedContainer | undefined {
    const known = this.#directory.findRecent(container.id);
    // users without root can give their cgroups the name of any container
    if (known === undefined || cgroupOwner(known) !== container.owner) return undefined;
    let named = this.#cache.get(known.info);
    if (named === undefined) this.#cache.set(known.info, (named = toNamedContainer(container, known.info)));
    return named;
  }

  /** The same for a process that begins now. If its container is not known yet, its events wait. */
  findOrAwait(container: Container, bootTimeNs: bigint, toEpochMs: ToEpochMs): NamedContainer | undefined {
    const named = this.find(container);
    if (named === undefined && this.#waitMs > 0) this.#awaitName(container, toEpochMs(bootTimeNs));
    return named;
  }

  #awaitName({ id, runtime, owner }: Container, sinceMs: number): void {
    if (owner !== undefined || this.#awaited.has(id) || this.#unknownIds.has(id) || !this.#directory.hasSourceFor(runtime))
      return;
    this.#waited++;
    // the age is from 0 to the whole time, also when the time of day was just set
    const age = Math.min(Math.max(Date.now() - sinceMs, 0), this.#waitMs);
    this.#awaited.set(id, performance.now() + this.#waitMs - age);
    this.#directory.requestContainer(id, runtime);
  }

  #onReported(id: string): void {
    this.#unknownIds.delete(id);
    if (this.#awaited.delete(id) && this.#awaited.size === 0) this.onNamed();
  }

  get isWaiting(): boolean {
    return this.#awaited.size > 0;
  }

  /** For how many milliseconds events have still to wait; 0: not any longer. */
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

  /** Nothing is waited for any longer: the kernel's buffer fills, or the tracer ends. */
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

/** What a process has executed. */
export interface Command {
  readonly binary: string;
  readonly argv: readonly string[];
}

/** The pod of a process: that of a probe if it has the command of one. */
export function selectPod(named: NamedContainer | undefined, { binary, argv }: Command): Pod | undefined {
  const { probes } = named ?? {};
  if (probes === undefined) return named?.pod;
  const isProbe = probes.commands.some(([program = '', ...args]) => {
    const isProgram = program.startsWith('/') ? binary === program : fileName(binary) === fileName(program);
    return isProgram && args.length === argv.length && args.every((arg, i) => arg === argv[i]);
  });
  return isProbe ? probes.pod : named?.pod;
}

/** A program without a slash is sought in PATH, and a relative one starts from the working directory. */
function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
