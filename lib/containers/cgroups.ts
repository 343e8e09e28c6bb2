/** The cgroups of the unified hierarchy (cgroup v2), and the containers that they belong to. */
import { statSync } from 'node:fs';
import type { Container } from '../../types/events.js';
import { identifyContainer } from './identify.js';

/** Number of cgroups that are remembered. One that is not remembered is looked up again while it exists. */
const CACHE_MAX = 65536;

export class Cgroups {
  readonly #cache = new Map<bigint, Container | undefined>();
  readonly mount: string | undefined;
  readonly #lookUp: (id: bigint) => string | undefined;
  /** Called with each cgroup that the kernel reports and that belongs to a container. */
  onContainer: (id: bigint, path: string) => void = () => undefined;
  /** Called with each cgroup that the kernel has freed. */
  onRemoved: (id: bigint) => void = () => undefined;

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
    if (this.#addToCache(id, identifyContainer(path)) !== undefined) this.onContainer(id, path);
  }

  /** The id of a cgroup that exists; 0n where it is not known. */
  findId(path: string | undefined): bigint {
    if (path === undefined || this.mount === undefined) return 0n;
    try {
      return statSync(this.mount + path, { bigint: true }).ino;
    } catch {
      return 0n;
    }
  }

  /** The container of a cgroup; undefined if the cgroup belongs to none, or is not known and does not exist any more. */
  findContainer(id: bigint): Container | undefined {
    const known = this.#cache.get(id);
    if (known !== undefined || this.#cache.has(id)) return known;
    const path = id === 0n ? undefined : this.#lookUp(id);
    return this.#addToCache(id, path === undefined ? undefined : identifyContainer(path));
  }

  #addToCache(id: bigint, container: Container | undefined): Container | undefined {
    if (this.#cache.size >= CACHE_MAX) {
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest);
        break;
      }
    }
    this.#cache.set(id, container);
    return container;
  }
}
