/** The sources of containers of one tracer: starts and stops them. */
import type { ContainerInfo, ContainerSource, ContainerSourceStatus } from '../../types/containers.js';
import type { Directory } from '../containers/directory.js';

/** How long the tracer waits for a source at the start. It connects later otherwise. */
const START_MS = 5000;

export class ContainerWatch {
  readonly #directory: Directory;
  readonly #sources: readonly ContainerSource[];

  constructor(directory: Directory, sources: readonly ContainerSource[]) {
    this.#directory = directory;
    this.#sources = sources;
  }

  /** Resolves when the containers that run already are known, as far as their runtimes answer. */
  async start(): Promise<void> {
    await Promise.all(
      this.#sources.map(async (source) => {
        const sink = this.#directory.add(source);
        const started = source.start(sink).catch((error: unknown) => sink.state(false, error as Error));
        await within(START_MS, started);
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#sources.map(async (source) => within(START_MS, source.stop())));
  }

  containers(): ContainerInfo[] {
    return this.#directory.containers().map(({ info }) => info);
  }

  sources(): ContainerSourceStatus[] {
    return [...this.#directory.sources()];
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
