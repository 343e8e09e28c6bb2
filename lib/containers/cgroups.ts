/** Finds the containers that cgroups of the unified hierarchy (cgroup v2) belong to. */
import { statSync } from 'node:fs';
import type { Container } from '../../types/events.js';
import { identifyContainer } from './identify.js';

/** Maximum number of cached cgroups. A cgroup that is not cached is looked up again while it exists. */
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
   * `mount` is the mount point of the whole hierarchy. `lookUp` returns the path of an existing cgroup from the root of the
   * hierarchy. Without them, only cgroups that the kernel reports are known.
   */
  constructor(mount?: string, lookUp: (id: bigint) => string | undefined = () => undefined) {
    this.mount = mount;
    this.#lookUp = lookUp;
  }

  /** Must be called for each cgroup that the kernel reports as new. No process is in it yet. */
  onCreated(id: bigint, path: string): void {
    if (this.#addToCache(id, identifyContainer(path)) !== undefined) this.onContainer(id, path);
  }

  /** Returns the id of an existing cgroup; 0n if it is not known. */
  findId(path: string | undefined): bigint {
    if (path === undefined || this.mount === undefined) return 0n;
    try {
      return statSync(this.mount + path, { bigint: true }).ino;
    } catch {
      return 0n;
    }
  }

  /** Returns the container of a cgroup; undefined if it belongs to none, or if it is not cached and does not exist any more. */
  findContainer(id: bigint): Container | undefined {
    const known = this.#cache.get(id);
    if (known !== undefined || this.#cache.has(id)) return known;
    const path = id === 0n ? undefined : this.#lookUp(id);
    return this.#addToCache(id, path === undefined ? undefined : identifyContainer(path));
  }

  /** True if the cgroup exists, or if it belongs to a known container. */
  isKnown(id: bigint): boolean {
    return this.#cache.get(id) !== undefined || (id !== 0n && this.#lookUp(id) !== undefined);
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
