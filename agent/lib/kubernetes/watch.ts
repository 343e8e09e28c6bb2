/**
 * Follows the objects of one resource: lists them, watches their changes, and starts again when the connection ends.
 * While the server does not answer, no change is reported, so everything stays as it is.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { ApiError, type Api, type Query } from './client.js';

export interface KubeObject {
  readonly metadata: ObjectMeta;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly managedFields?: readonly { readonly manager?: string }[];
  readonly ownerReferences?: readonly OwnerReference[];
}

interface OwnerReference {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
  readonly uid?: string;
  readonly controller?: boolean;
}

export interface Follower<T> {
  /** Receives all existing objects after each list. */
  replaceAll(objects: readonly T[]): Promise<void> | void;
  set(object: T): Promise<void> | void;
  remove(object: T): Promise<void> | void;
  /** Receives the error of the connection, or undefined when it works. */
  setConnection(error: Error | undefined): void;
}

interface List<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[];
}

interface WatchEvent<T> {
  readonly type: string;
  readonly object: T & { readonly code?: number; readonly message?: string; readonly reason?: string };
}

const PAGE = 250;
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;
/** The server ends a watch after this time. A random part keeps the agents from reconnecting together. */
const WATCH_SECONDS = 300;
/** A watch that is silent for so much longer is dead, because the server would have ended it. */
const SLACK_MS = 30_000;

export class Watch<T extends KubeObject> {
  readonly #api: Api;
  readonly #path: string;
  readonly #query: Query;
  readonly #follower: Follower<T>;
  readonly #stopped = new AbortController();
  #loop: Promise<void> | undefined;
  /** Undefined: a list is needed. */
  #version: string | undefined;

  constructor(api: Api, path: string, query: Query, follower: Follower<T>) {
    this.#api = api;
    this.#path = path;
    this.#query = query;
    this.#follower = follower;
  }

  /** Resolves after the first list or the first failure. The watch continues in both cases. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#loop = this.#run(resolve);
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  async #run(onFirst: () => void): Promise<void> {
    const { signal } = this.#stopped;
    let failures = 0;
    while (!signal.aborted) {
      let asked = 0;
      try {
        if (this.#version === undefined) await this.#list();
        onFirst();
        await this.#watch(() => (failures = 0));
      } catch (error) {
        if (signal.aborted) break;
        if (isGone(error)) this.#version = undefined;
        else {
          failures++;
          asked = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
          this.#follower.setConnection(error as Error);
        }
        onFirst();
      }
      const delay = Math.min(RETRY_MS * 2 ** Math.max(failures - 1, 0), RETRY_MS_MAX);
      // the random half keeps the agents of a large cluster from reconnecting together
      await wait(Math.max(asked, (delay * (1 + Math.random())) / 2), undefined, { signal }).catch(() => undefined);
    }
    onFirst();
  }

  async #list(): Promise<void> {
    const items: T[] = [];
    let next: string | undefined;
    let version: string | undefined;
    do {
      const query = { ...this.#query, limit: PAGE, continue: next };
      const page: List<T> = await this.#api.call('GET', this.#path, { query, signal: this.#stopped.signal });
      items.push(...page.items);
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      version = page.metadata.resourceVersion;
    } while (next !== undefined);
    await this.#follower.replaceAll(items);
    this.#version = version;
  }

  async #watch(onOpen: () => void): Promise<void> {
    const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + Math.random()));
    const query = {
      ...this.#query,
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version,
      timeoutSeconds,
    };
    const idleMs = timeoutSeconds * 1000 + SLACK_MS;
    const handleOpen = (): void => {
      onOpen();
      this.#follower.setConnection(undefined);
    };
    const options = { query, idleMs, signal: this.#stopped.signal, onOpen: handleOpen };
    for await (const event of this.#api.streamLines<WatchEvent<T>>(this.#path, options)) await this.#handleEvent(event);
  }

  async #handleEvent({ type, object }: WatchEvent<T>): Promise<void> {
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        await this.#follower.set(object);
        break;
      case 'DELETED':
        await this.#follower.remove(object);
        break;
      case 'BOOKMARK':
        break;
      case 'ERROR':
        throw new ApiError(object.code ?? 0, object.reason ?? '', object.message ?? 'the watch failed');
      default:
        throw new Error(`the API server reported a change of type ${type}`);
    }
    this.#version = object.metadata.resourceVersion;
  }
}

/** Returns true when the version is too old, so that everything has to be listed again. */
function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}
