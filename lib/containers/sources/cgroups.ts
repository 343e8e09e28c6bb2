/** Finds containers by the names of existing cgroups, which have the id and usually the runtime. Does not ask a runtime. */
import { readdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import type { ContainerSink, ContainerSource } from '../../../types/containers.js';
import { locateContainer } from '../identify.js';

/** Maximum number of cgroups that the first scan reads. */
const CGROUPS_MAX = 262_144;
const DEPTH_MAX = 32;
/** Number of known containers that are checked for each new one, because the record of an end may have been lost. */
const CHECKED_PER_CONTAINER = 2;
/** Maximum number of known containers that one sweep checks. It takes about 3 ms of the main thread. */
const CHECKED_PER_SWEEP = 500;

export class CgroupSource implements ContainerSource {
  readonly name = 'cgroups';
  readonly #mount: string | undefined;
  /** Paths of cgroups by container id. The container whose last check is the oldest comes first. */
  readonly #paths = new Map<string, string>();
  #sink: ContainerSink | undefined;

  /** `mount` is the mount point of the whole hierarchy. */
  constructor(mount: string | undefined) {
    this.#mount = mount;
  }

  async start(sink: ContainerSink): Promise<void> {
    this.#sink = sink;
    if (this.#mount === undefined) {
      sink.state(false, new Error('this process does not see the whole cgroup hierarchy'));
      return;
    }
    await this.#scan(this.#mount);
    sink.state(true);
  }

  stop(): Promise<void> {
    this.#sink = undefined;
    return Promise.resolve();
  }

  async #scan(mount: string): Promise<void> {
    let folders = [''];
    let seen = 0;
    for (let depth = 0; depth < DEPTH_MAX && folders.length > 0; depth++) {
      const next: string[] = [];
      for (const folder of folders) {
        if (++seen > CGROUPS_MAX) return;
        for (const name of await listFolders(mount + folder)) {
          const path = `${folder}/${name}`;
          if (locateContainer(path) === undefined) next.push(path);
          else this.onCreated(path);
        }
      }
      folders = next;
    }
  }

  /** Must be called for each new cgroup. Ignores the cgroups of users without root, which can have the name of any container. */
  onCreated(path: string): void {
    const found = locateContainer(path);
    if (this.#sink === undefined || found === undefined || found.path !== path) return;
    const { id, runtime, owner } = found.container;
    if (owner !== undefined) return;
    this.#paths.set(id, path);
    // the other sources report it if the store is full
    this.#sink.add({ id, ...(runtime === undefined ? {} : { runtime }), cgroupPath: path }).catch(() => undefined);
    this.#checkOldest(CHECKED_PER_CONTAINER);
  }

  /** Must be called when the kernel has freed the cgroup of a container. */
  onRemoved(id: string): void {
    this.#paths.delete(id);
  }

  /** Removes containers whose cgroups do not exist any more. Checks those first whose last check is the oldest. */
  sweep(): void {
    this.#checkOldest(CHECKED_PER_SWEEP);
  }

  #checkOldest(count: number): void {
    for (const [id, path] of [...takeFirst(count, this.#paths)]) {
      this.#paths.delete(id);
      if (existsSync(this.#mount + path)) this.#paths.set(id, path);
      else this.#sink?.remove(id);
    }
  }
}

function* takeFirst<T>(count: number, from: Iterable<T>): Generator<T, void> {
  let taken = 0;
  for (const each of from) {
    if (taken++ >= count) return;
    yield each;
  }
}

async function listFolders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return []; // it was removed
  }
}
