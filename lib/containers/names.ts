/** What events show of a container beside its id, and which events wait for it. */
import type { Container, Pod } from '../../types/events.js';
import { locate } from './identify.js';
import type { Directory, KnownContainer } from './directory.js';

/** The same object for all processes of a container, until something of the container changes. */
export interface Named {
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
const UNKNOWN_KEPT = 4096;

/** A clock: CLOCK_BOOTTIME to milliseconds since 1970. */
type Now = (bootTimeNs: bigint) => number;

export interface WaitCounts {
  /** Containers whose first events came before their names. */
  readonly waited: number;
  /** Those of them that no source knew in time. Their events were reported without names. */
  readonly unknown: number;
}

export class Names {
  readonly #directory: Directory;
  readonly #waitMs: number;
  readonly #made = new WeakMap<KnownContainer['info'], Named>();
  /** Containers that events wait for, and until when: in milliseconds of performance.now(), which nobody can set. */
  readonly #awaited = new Map<string, number>();
  readonly #unknown = new Set<string>();
  #waited = 0;
  #gaveUp = 0;
  /** Called when nothing is awaited any more. */
  onNamed: () => void = () => undefined;

  /** Nothing waits with `waitMs` 0. */
  constructor(directory: Directory, waitMs: number) {
    this.#directory = directory;
    this.#waitMs = waitMs;
    directory.subscribe({ changed: ({ info }) => this.#learnt(info.id), removed: () => undefined });
  }

  /** What is known of the container of a process. */
  find(container: Container): Named | undefined {
    const known = this.#directory.recall(container.id);
    // users without root can give their cgroups the name of any container
    if (known === undefined || ownerOf(known) !== container.owner) return undefined;
    let named = this.#made.get(known.info);
    if (named === undefined) this.#made.set(known.info, (named = namedOf(container, known.info)));
    return named;
  }

  /** The same for a process that begins now. If its container is not known yet, its events wait. */
  ofNew(container: Container, bootTimeNs: bigint, toEpochMs: Now): Named | undefined {
    const named = this.find(container);
    if (named === undefined && this.#waitMs > 0) this.#await(container, toEpochMs(bootTimeNs));
    return named;
  }

  #await({ id, runtime, owner }: Container, sinceMs: number): void {
    if (owner !== undefined || this.#awaited.has(id) || this.#unknown.has(id) || !this.#directory.covers(runtime))
      return;
    this.#waited++;
    // the age is from 0 to the whole time, also when the time of day was just set
    const age = Math.min(Math.max(Date.now() - sinceMs, 0), this.#waitMs);
    this.#awaited.set(id, performance.now() + this.#waitMs - age);
    this.#directory.seek(id, runtime);
  }

  #learnt(id: string): void {
    this.#unknown.delete(id);
    if (this.#awaited.delete(id) && this.#awaited.size === 0) this.onNamed();
  }

  get isWaiting(): boolean {
    return this.#awaited.size > 0;
  }

  /** For how many milliseconds events have still to wait; 0: not any longer. */
  remaining(): number {
    const now = performance.now();
    let latest = 0;
    for (const [id, until] of this.#awaited) {
      const left = until - now;
      if (left > 0) latest = Math.max(latest, left);
      else this.#giveUp(id);
    }
    return latest;
  }

  /** Nothing is waited for any longer: the kernel's buffer fills, or the tracer ends. */
  giveUp(): void {
    for (const id of this.#awaited.keys()) this.#giveUp(id);
  }

  #giveUp(id: string): void {
    this.#awaited.delete(id);
    this.#gaveUp++;
    if (this.#unknown.size >= UNKNOWN_KEPT) {
      for (const oldest of this.#unknown) {
        this.#unknown.delete(oldest);
        break;
      }
    }
    this.#unknown.add(id);
  }

  get counts(): WaitCounts {
    return { waited: this.#waited, unknown: this.#gaveUp };
  }
}

function ownerOf({ info: { cgroupPath } }: KnownContainer): number | undefined {
  return cgroupPath === undefined ? undefined : locate(cgroupPath)?.container.owner;
}

function namedOf(found: Container, info: KnownContainer['info']): Named {
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
export function podOf(named: Named | undefined, { binary, argv }: Command): Pod | undefined {
  const { probes } = named ?? {};
  if (probes === undefined) return named?.pod;
  const isProbe = probes.commands.some(([program = '', ...words]) => {
    const isProgram = program.startsWith('/') ? binary === program : nameOf(binary) === nameOf(program);
    return isProgram && words.length === argv.length && words.every((word, i) => word === argv[i]);
  });
  return isProbe ? probes.pod : named?.pod;
}

/** A program without a slash is sought in PATH, and a relative one starts from the working directory. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
