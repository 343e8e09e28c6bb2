/** The containers of one tracer: its sources, what they know, and what events show of it. */
import type { ContainerInfo, ContainerSource, ContainerSourceStatus } from '../../types/containers.js';
import type { ContainerSourceName, TracerStats } from '../../types/tracer.js';
import type { Cgroups } from '../containers/cgroups.js';
import { Directory } from '../containers/directory.js';
import { Names } from '../containers/names.js';
import { CgroupSource } from '../containers/sources/cgroups.js';
import { CriSource } from '../containers/sources/cri.js';
import { EngineSource } from '../containers/sources/engine.js';
import { NriSource } from '../containers/sources/nri.js';
import { unifiedPath } from '../process/hierarchy.js';
import { procShowsAllProcesses } from '../process/proc-files.js';
import { SOURCE_NAMES, type ResolvedContainers } from './container-options.js';

/** How long the tracer waits for a source at the start. It connects later otherwise. */
const START_MS = 5000;

/** Where the sockets usually are. The first one that exists is used. */
const SOCKETS = {
  nri: ['/run/nri/nri.sock', '/var/run/nri/nri.sock'],
  cri: ['/run/containerd/containerd.sock', '/run/crio/crio.sock', '/run/k3s/containerd/containerd.sock'],
  docker: ['/run/docker.sock', '/var/run/docker.sock'],
  podman: ['/run/podman/podman.sock'],
} as const;

export class ContainerWatch {
  readonly directory: Directory;
  /** Undefined without the option `containers`. */
  readonly names: Names | undefined;
  readonly #sources: readonly ContainerSource[];
  readonly #cgroups: CgroupSource | undefined;

  constructor(options: ResolvedContainers | undefined, cgroups: Cgroups) {
    const pathOf = procShowsAllProcesses() ? (pid: number) => unifiedPath(`/proc/${pid}`) : () => undefined;
    const lookup = { idOf: (path: string | undefined) => cgroups.idOf(path), pathOf };
    this.directory = new Directory(lookup, options?.annotations);
    this.#sources = options === undefined ? [] : sourcesOf(options, cgroups.mount);
    this.#cgroups = this.#sources.find((source) => source instanceof CgroupSource);
    if (options === undefined) return;
    this.names = new Names(this.directory, options.waitMs);
    cgroups.onContainer = (id, path) => {
      this.directory.cgroupCreated(id, path);
      this.#cgroups?.created(path);
    };
    cgroups.onGone = (id) => {
      const container = this.directory.cgroupGone(id);
      if (container !== undefined) this.#cgroups?.gone(container);
    };
  }

  /** Resolves when the containers that run already are known, as far as their runtimes answer. */
  async start(): Promise<void> {
    await Promise.all(
      this.#sources.map(async (source) => {
        const sink = this.directory.add(source, source === this.#cgroups);
        const started = source.start(sink).catch((error: unknown) => sink.state(false, error as Error));
        await within(START_MS, started);
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#sources.map(async (source) => within(START_MS, source.stop())));
  }

  list(): ContainerInfo[] {
    this.#cgroups?.sweep();
    return this.directory.containers().map(({ info }) => info);
  }

  sources(): ContainerSourceStatus[] {
    return [...this.directory.sources()];
  }

  /** For the statistics of the tracer. */
  counts(): Pick<TracerStats, 'containers'> {
    return this.names === undefined ? {} : { containers: { known: this.directory.size, ...this.names.counts } };
  }
}

function sourcesOf(options: ResolvedContainers, mount: string | undefined): ContainerSource[] {
  return (options.sources ?? SOURCE_NAMES).map((source) =>
    typeof source === 'string' ? sourceOf(source, options, mount) : source,
  );
}

function sourceOf(name: ContainerSourceName, options: ResolvedContainers, mount: string | undefined): ContainerSource {
  if (name === 'cgroups') return new CgroupSource(mount);
  const own = options.sockets[name];
  const sockets = own === undefined ? SOCKETS[name] : [own];
  switch (name) {
    case 'nri':
      return new NriSource(sockets, options.startWaitMs);
    case 'cri':
      return new CriSource(sockets);
    default:
      return new EngineSource(name, sockets);
  }
}

/** Resolves after that time at the latest. */
async function within(milliseconds: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
