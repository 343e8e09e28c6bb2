/** The cgroups of the unified hierarchy (cgroup v2), and the containers that they belong to. */
import { statSync } from 'node:fs';
import type { Container } from '../../types/events.js';
import { containerOf } from './identify.js';

/** Number of cgroups that are remembered. One that is not remembered is looked up again while it exists. */
const KEPT = 65536;

export class Cgroups {
  readonly #known = new Map<bigint, Container | undefined>();
  readonly mount: string | undefined;
  readonly #lookUp: (id: bigint) => string | undefined;
  /** Called with each cgroup that the kernel reports and that belongs to a container. */
  onContainer: (id: bigint, path: string) => void = () => undefined;
  /** Called with each cgroup that the kernel has freed. */
  onGone: (id: bigint) => void = () => undefined;

  /**
   * `mount` is where the whole hierarchy is mounted. `lookUp` returns the path of a cgroup that exists, from the root of the
   * hierarchy. Without them, only cgroups are known that the kernel reports.
   */
  constructor(mount?: string, lookUp: (id: bigint) => string | undefined = () => undefined) {
    this.mount = mount;
    this.#lookUp = lookUp;
  }

  /** The kernel reports a new cgroup before any process is in it. */
  onCreated(id: bigint, path: string): void {
    if (this.#keep(id, containerOf(path)) !== undefined) this.onContainer(id, path);
  }

  /** The id of a cgroup that exists; 0n where it is not known. */
  idOf(path: string | undefined): bigint {
    if (path === undefined || this.mount === undefined) return 0n;
    try {
      return statSync(this.mount + path, { bigint: true }).ino;
    } catch {
      return 0n;
    }
  }

  /** The container of a cgroup; undefined if the cgroup belongs to none, or is not known and does not exist any more. */
  containerOf(id: bigint): Container | undefined {
    const known = this.#known.get(id);
    if (known !== undefined || this.#known.has(id)) return known;
    const path = id === 0n ? undefined : this.#lookUp(id);
    return this.#keep(id, path === undefined ? undefined : containerOf(path));
  }

  #keep(id: bigint, container: Container | undefined): Container | undefined {
    if (this.#known.size >= KEPT) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(id, container);
    return container;
  }
}
