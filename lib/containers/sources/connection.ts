/** The base class of sources with a socket: connects, reports, and connects again. */
import { existsSync } from 'node:fs';
import type { ContainerInfo, ContainerSink, ContainerSource } from '../../../types/containers.js';

const RETRY_MS = 100;
const RETRY_MS_MAX = 5000;
/** Number of containers that a listing requests at the same time. */
const CONCURRENCY = 4;

/** The reports of one connection. */
export interface ContainerReporter {
  /** Reports a container. An error appears in the state of the source, and the connection continues. */
  add(info: ContainerInfo): Promise<void>;
  remove(id: string): void;
  /** Reports that the runtime cannot say anything about a container. It appears in the state of the source, as the last error. */
  fail(error: Error): void;
  /** Must be called when every running container is reported. Removes containers that only an earlier connection reported. */
  complete(): void;
}

/** A container that a runtime has returned. A container that has ended can still have unread events. */
export interface FoundContainer {
  readonly info: ContainerInfo;
  readonly isRunning: boolean;
}

/** Reports a container, also if it has ended meanwhile, because its last events need its name. */
export async function reportFound(reporter: ContainerReporter, found: FoundContainer | undefined): Promise<void> {
  if (found === undefined) return;
  await reporter.add(found.info);
  if (!found.isRunning) reporter.remove(found.info.id);
}

export abstract class SocketSource implements ContainerSource {
  abstract readonly name: string;
  readonly #sockets: readonly string[];
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  #sink: ContainerSink | undefined;
  /** Ids of containers that this source has reported and not removed. */
  readonly #ids = new Set<string>();

  /** The first of the sockets that exists is used. */
  constructor(sockets: readonly string[]) {
    this.#sockets = sockets;
  }

  /**
   * Runs one connection: follows changes, reports the running containers, calls complete(), and continues until the connection
   * ends. Rejects with the reason, or resolves after the signal.
   */
  protected abstract connect(socket: string, reporter: ContainerReporter, signal: AbortSignal): Promise<void>;

  async start(sink: ContainerSink): Promise<void> {
    this.#sink = sink;
    await new Promise<void>((resolve) => {
      this.#running = this.#run(sink, resolve);
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(sink: ContainerSink, onFirst: () => void): Promise<void> {
    const { signal } = this.#stopped;
    for (let delay = RETRY_MS; !signal.aborted; delay = Math.min(2 * delay, RETRY_MS_MAX)) {
      try {
        const socket = this.#sockets.find((path) => existsSync(path));
        if (socket === undefined) throw new Error(`there is no socket ${this.#sockets.join(', ')}`);
        await this.connect(
          socket,
          this.#createReporter(sink, () => {
            delay = RETRY_MS / 2;
            onFirst();
          }),
          signal,
        );
        sink.state(false);
      } catch (error) {
        sink.state(false, error as Error);
      }
      onFirst();
      if (!signal.aborted) await pause(delay, signal);
    }
  }

  #createReporter(sink: ContainerSink, onComplete: () => void): ContainerReporter {
    const before = new Set(this.#ids);
    let isComplete = false;
    let failure: Error | undefined;
    return {
      add: async (info) => {
        before.delete(info.id);
        await this.#add(sink, info);
      },
      remove: (id) => {
        before.delete(id);
        this.#remove(sink, id);
      },
      fail: (error) => {
        failure = error;
        if (isComplete) sink.state(true, error);
      },
      complete: () => {
        isComplete = true;
        for (const id of before) this.#remove(sink, id);
        before.clear();
        sink.state(true, failure);
        onComplete();
      },
    };
  }

  async #add(sink: ContainerSink, info: ContainerInfo): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#ids.add(info.id);
    try {
      await sink.add(info);
    } catch (error) {
      sink.state(true, error as Error);
    }
  }

  #remove(sink: ContainerSink, id: string): void {
    if (this.#ids.delete(id)) sink.remove(id);
  }

  /** Reports a container that find() has requested. */
  protected async addFound(found: FoundContainer | undefined): Promise<void> {
    const sink = this.#sink;
    if (found === undefined || sink === undefined) return;
    await this.#add(sink, found.info);
    if (!found.isRunning) this.#remove(sink, found.info.id);
  }
}

/** Resolves after this time, or with the signal. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds).unref();
    signal.addEventListener('abort', done);
  });
}

/** Runs a few items at the same time, and starts them in their order. */
export async function forEachConcurrently<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items].reverse();
  const worker = async (): Promise<void> => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, rest.length) }, worker));
}
