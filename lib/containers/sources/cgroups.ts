/** The containers whose cgroups exist: their names have the id and mostly the runtime. No runtime is asked. */
import { readdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import type { ContainerSink, ContainerSource } from '../../../types/containers.js';
import { locateContainer } from '../identify.js';

/** Cgroups that are looked at. */
const CGROUPS_MAX = 262_144;
const DEPTH_MAX = 32;
/** Known containers that are looked at for each new one: the record of an end may have been lost. */
const CHECKED_PER_CONTAINER = 2;
/** Known containers that are looked at in one sweep: it takes about 3 ms of the main thread. */
const CHECKED_PER_SWEEP = 500;

export class CgroupSource implements ContainerSource {
  readonly name = 'cgroups';
  readonly #mount: string | undefined;
  /** By id, those that were not looked at for longest first. */
  readonly #paths = new Map<string, string>();
  #sink: ContainerSink | undefined;

  /** `mount` is where the whole hierarchy is mounted. */
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

  /** The kernel reports a new cgroup. Users without root can give their cgroups the name of any container. */
  onCreated(path: string): void {
    const found = locateContainer(path);
    if (this.#sink === undefined || found === undefined || found.path !== path) return;
    const { id, runtime, owner } = found.container;
    if (owner !== undefined) return;
    this.#paths.set(id, path);
    // the directory says itself that it is full, by the other sources
    this.#sink.add({ id, ...(runtime === undefined ? {} : { runtime }), cgroupPath: path }).catch(() => undefined);
    this.#checkOldest(CHECKED_PER_CONTAINER);
  }

  /** The kernel has freed the cgroup of a container. */
  onRemoved(id: string): void {
    this.#paths.delete(id);
  }

  /** Forgets containers whose cgroups do not exist any more, among those that were not looked at for longest. */
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
