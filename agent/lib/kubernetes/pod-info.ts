/**
 * Writes a PodInfo for each pod of this node: its node, addresses and workload, for programs that look pods up by their
 * address. The garbage collector of Kubernetes deletes it with its pod. All nodes write as one field manager: if the
 * next pod of a name runs on another node, that node replaces the owner, too.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ApiError, type Api } from './client.js';
import { errorMessage, type Log } from './dependencies.js';
import type { Pod, PodFollower } from './pods.js';
import { GROUP_VERSION, objectPath, POD_INFO } from './resources.js';
import type { KubeObject } from './watch.js';
import { podController } from './workload.js';

export interface PodInfoOptions {
  readonly api: Api;
  readonly log: Log;
  /** Returns the number of nodes in the cluster. */
  readonly nodes: () => number;
  /** Limits of the time between two writes. */
  readonly paceMs?: { readonly min: number; readonly max: number };
  /** Time before the first retry. It doubles with each failure. */
  readonly retryMs?: number;
  /** Interval of writing everything again, because somebody can have deleted or changed an object. */
  readonly resyncMs?: number;
}

const FIELD_MANAGER = 'polytrace-pod-info';
/** All nodes together make at most 100 writes a second while a cluster has at most 100 nodes. */
const MS_PER_NODE = 10;
const PACE_MS = { min: 100, max: 1000 };
const RETRY_MS = 2000;
const RETRY_MS_MAX = 300_000;
const RESYNC_MS = 3_600_000;
/** Failures of one object that are not reported, because a busy server refuses requests now and then. */
const QUIET_FAILURES = 2;

interface Entry {
  /** The newest state. It is written, or it is in the queue, or a timer waits to put it there. */
  content: PodInfoObject;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

interface PodInfoObject extends KubeObject {
  readonly spec: object;
  readonly status: object;
  readonly workloadType: object;
  readonly workloadObject: object;
}

export class PodInfoWriter implements PodFollower {
  readonly #options: PodInfoOptions;
  /** By the uids of pods. */
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new Set<string>();
  readonly #failing = new Set<string>();
  readonly #reported = new Set<number>();
  readonly #stopped = new AbortController();
  readonly #resync: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isConnected = false;

  constructor(options: PodInfoOptions) {
    this.#options = options;
    this.#resync = setInterval(() => {
      for (const uid of this.#entries.keys()) this.#enqueue(uid);
    }, options.resyncMs ?? RESYNC_MS);
    this.#resync.unref();
  }

  replaceAll(pods: readonly Pod[]): void {
    const present = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const uid of [...this.#entries.keys()]) if (!present.has(uid)) this.#forget(uid);
    this.#isConnected = true;
    for (const pod of pods) this.set(pod);
    this.#work();
  }

  set(pod: Pod): void {
    const { uid, deletionTimestamp } = pod.metadata;
    if (uid === undefined) return;
    // a late write could replace the state of the next pod with this name
    if (deletionTimestamp !== undefined) return this.#forget(uid);
    const entry = this.#entries.get(uid);
    if (entry === undefined && !hasBegun(pod)) return;
    const content = toPodInfoObject(pod, uid);
    if (isDeepStrictEqual(entry?.content, content)) return;
    if (entry === undefined) this.#entries.set(uid, { content, failures: 0, timer: undefined });
    else entry.content = content;
    this.#enqueue(uid);
  }

  remove({ metadata: { uid } }: Pod): void {
    if (uid !== undefined) this.#forget(uid);
  }

  /** While the server does not report changes, the known state can be old, so it is not written. */
  setConnection(error: Error | undefined): void {
    this.#isConnected = error === undefined;
    this.#work();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#resync);
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    await this.#running;
  }

  #forget(uid: string): void {
    clearTimeout(this.#entries.get(uid)?.timer);
    this.#entries.delete(uid);
    this.#queue.delete(uid);
    this.#failing.delete(uid);
  }

  #enqueue(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    entry.timer = undefined;
    this.#queue.add(uid);
    this.#work();
  }

  #work(): void {
    if (this.#running !== undefined || !this.#canWrite()) return;
    this.#running = this.#writeAll().finally(() => {
      this.#running = undefined;
      // something came after the last look at the queue
      this.#work();
    });
  }

  #canWrite(): boolean {
    return this.#isConnected && this.#queue.size > 0 && !this.#stopped.signal.aborted;
  }

  /** Writes one object after the other, at a limited rate. */
  async #writeAll(): Promise<void> {
    const { nodes, paceMs = PACE_MS } = this.#options;
    const { signal } = this.#stopped;
    while (this.#canWrite()) {
      const uid = this.#queue.values().next().value as string;
      this.#queue.delete(uid);
      await this.#write(uid, this.#entries.get(uid) as Entry);
      const pace = Math.min(Math.max(nodes() * MS_PER_NODE, paceMs.min), paceMs.max);
      await wait(pace, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    try {
      await this.#apply(entry.content);
      entry.failures = 0;
      this.#reportSuccess(uid);
    } catch (error) {
      if (this.#stopped.signal.aborted || this.#entries.get(uid) !== entry) return;
      entry.failures++;
      this.#report(uid, entry, error);
      // a newer state is in the queue already, and is written at the usual pace
      if (!this.#queue.has(uid)) this.#retry(uid, entry, error);
    }
  }

  #retry(uid: string, entry: Entry, error: unknown): void {
    const { retryMs = RETRY_MS } = this.#options;
    const delay = Math.min(retryMs * 2 ** (entry.failures - 1), RETRY_MS_MAX);
    const asked = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
    entry.timer = setTimeout(() => this.#enqueue(uid), Math.max(asked, (delay * (1 + Math.random())) / 2));
    entry.timer.unref();
  }

  async #apply(content: PodInfoObject): Promise<void> {
    const query = { fieldManager: FIELD_MANAGER, force: 'true' };
    const body = { apiVersion: GROUP_VERSION, kind: 'PodInfo', ...content };
    const contentType = 'application/apply-patch+yaml';
    const { signal } = this.#stopped;
    await this.#options.api.call('PATCH', objectPath(POD_INFO, content), { query, body, contentType, signal });
  }

  #report(uid: string, { content, failures }: Entry, error: unknown): void {
    const { log } = this.#options;
    const status = error instanceof ApiError ? error.status : 0;
    const reason = errorMessage(error);
    const { namespace, name } = content.metadata;
    const isTemporary = status === 0 || status === 409 || status === 429 || status >= 500;
    if (isNamespaceEnding(reason) || (isTemporary && failures <= QUIET_FAILURES)) {
      log.debug({ namespace, pod: name, reason }, 'a PodInfo was not written');
      return;
    }
    this.#failing.add(uid);
    if (this.#reported.has(status)) return;
    this.#reported.add(status);
    log.warn({ namespace, pod: name, reason }, `PodInfo objects cannot be written${findRemedy(status)}`);
  }

  #reportSuccess(uid: string): void {
    this.#failing.delete(uid);
    if (this.#failing.size > 0 || this.#reported.size === 0) return;
    this.#reported.clear();
    this.#options.log.info({}, 'PodInfo objects are written again');
  }
}

function findRemedy(status: number): string {
  if (status === 403)
    return ': allow the agent to create and patch podinfo of cilium.io (chart: tetragon.enablePodInfo)';
  return status === 404
    ? ': the cluster has no CustomResourceDefinition podinfo.cilium.io, run `polytrace agent install-crds`'
    : '';
}

/** The API server says so with status 403 or 404, as for a missing right or definition. */
function isNamespaceEnding(reason: string): boolean {
  return /being terminated|namespaces? .*not found/.test(reason);
}

/** A pod gets its addresses when its sandbox runs. Before that, there is nothing to look it up by. */
function hasBegun({ status = {} }: Pod): boolean {
  return status.phase !== 'Pending' || podAddresses(status).length > 0;
}

function podAddresses({ podIP, podIPs = [] }: NonNullable<Pod['status']>): string[] {
  const addresses = podIPs.flatMap(({ ip = '' }) => (ip === '' ? [] : [ip]));
  return addresses.length > 0 || podIP === undefined || podIP === '' ? addresses : [podIP];
}

function toPodInfoObject({ metadata, spec = {}, status = {} }: Pod, uid: string): PodInfoObject {
  const { name, namespace = 'default' } = metadata;
  const addresses = podAddresses(status);
  const { kind, name: workload, apiVersion } = podController(metadata);
  const { hostNetwork = false, nodeName } = spec;
  return {
    metadata: { name, namespace, ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid }] },
    spec: { hostNetwork, ...(nodeName === undefined ? {} : { nodeName }) },
    status: addresses.length === 0 ? {} : { podIP: addresses[0], podIPs: addresses.map((IP) => ({ IP })) },
    workloadType: { kind, apiVersion },
    workloadObject: { name: workload, namespace },
  };
}
