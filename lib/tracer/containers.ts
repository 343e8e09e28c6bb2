/** The containers of one tracer: the sources, the containers that they report, and the names in events. */
import type { ContainerInfo, ContainerSource, ContainerSourceStatus } from '../../types/containers.js';
import type { ContainerSourceName, TracerStats } from '../../types/tracer.js';
import type { Cgroups } from '../containers/cgroups.js';
import { ContainerStore } from '../containers/container-store.js';
import { ContainerNames } from '../containers/container-names.js';
import { CgroupSource } from '../containers/sources/cgroups.js';
import { CriSource } from '../containers/sources/cri.js';
import { EngineSource } from '../containers/sources/engine.js';
import { NriSource } from '../containers/sources/nri.js';
import { readCgroupPath } from '../process/cgroup-hierarchy.js';
import { isInHostPidNamespace } from '../process/proc-files.js';
import { listSockets } from './container-sockets.js';
import { SOURCE_NAMES, type ResolvedContainerOptions } from './container-options.js';

/** Maximum time that opening and closing a tracer wait for a source. After that time, a source connects in the background. */
const START_MS = 5000;

export class ContainerWatch {
  readonly store: ContainerStore;
  /** Undefined without the option `containers`. */
  readonly names: ContainerNames | undefined;
  readonly #sources: readonly ContainerSource[];
  readonly #cgroups: CgroupSource | undefined;

  constructor(options: ResolvedContainerOptions | undefined, cgroups: Cgroups) {
    const cgroupPath = isInHostPidNamespace() ? (pid: number) => readCgroupPath(`/proc/${pid}`) : () => undefined;
    const lookup = { cgroupId: (path: string | undefined) => cgroups.findId(path), cgroupPath };
    this.store = new ContainerStore(lookup, options?.annotations);
    this.#sources = options === undefined ? [] : createSources(options, cgroups.mount);
    this.#cgroups = this.#sources.find((source) => source instanceof CgroupSource);
    if (options === undefined) return;
    this.names = new ContainerNames(this.store, options.waitMs);
    cgroups.onContainer = (id, path) => {
      this.store.onCgroupCreated(id, path);
      this.#cgroups?.onCreated(path);
    };
    cgroups.onRemoved = (id) => {
      const container = this.store.onCgroupRemoved(id);
      if (container !== undefined) this.#cgroups?.onRemoved(container);
    };
  }

  /** Resolves when the sources have reported the running containers. Sources that do not answer in time are not awaited. */
  async start(): Promise<void> {
    await Promise.all(
      this.#sources.map(async (source) => {
        const sink = this.store.add(source, source === this.#cgroups);
        const started = source.start(sink).catch((error: unknown) => sink.state(false, error as Error));
        await waitAtMost(START_MS, started);
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#sources.map(async (source) => waitAtMost(START_MS, source.stop())));
  }

  list(): ContainerInfo[] {
    this.#cgroups?.sweep();
    return this.store.containers().map(({ info }) => info);
  }

  sources(): ContainerSourceStatus[] {
    return [...this.store.sources()];
  }

  /** Returns the counters for `stats()`. */
  counts(): Pick<TracerStats, 'containers'> {
    return this.names === undefined ? {} : { containers: { known: this.store.size, ...this.names.counts } };
  }
}

function createSources(options: ResolvedContainerOptions, mount: string | undefined): ContainerSource[] {
  return (options.sources ?? SOURCE_NAMES).map((source) =>
    typeof source === 'string' ? createSource(source, options, mount) : source,
  );
}

function createSource(
  name: ContainerSourceName,
  options: ResolvedContainerOptions,
  mount: string | undefined,
): ContainerSource {
  if (name === 'cgroups') return new CgroupSource(mount);
  const sockets = listSockets(name, options.sockets[name], process.env);
  switch (name) {
    case 'nri':
      return new NriSource(sockets, options.startWaitMs);
    case 'cri':
      return new CriSource(sockets);
    case 'docker':
    case 'podman':
      return new EngineSource(name, sockets);
  }
}

/** Resolves with the promise, or after this time. */
async function waitAtMost(milliseconds: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  try {
    await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
