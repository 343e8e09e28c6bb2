/**
 * Writes the states of policies on this node into their status, by server-side apply: each node is a field manager of its own, and
 * owns its entry. The cost for a large cluster is bounded, see docs/kubernetes.md: writes are spread over a time that grows with the
 * number of nodes, changes that come together become one write, and a status lists at most NODES_MAX nodes.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ApiError, type Api } from './client.js';
import { messageOf, type Log } from './parts.js';
import {
  GROUP_VERSION,
  pathOf,
  type Condition,
  type NodeState,
  type PolicyObject,
  type PolicyObjectStatus,
  type Resource,
} from './resources.js';

/** Most nodes of a status, as in the schema: the API server refuses more. */
export const NODES_MAX = 100;
/** A node without an error adds itself only while there are fewer. */
export const GOOD_NODES_MAX = 50;
/** Changes of one policy in this time become one write. */
const COALESCE_MS = 100;
/** With this, all agents together make at most 100 writes a second for one policy. */
const MS_PER_NODE = 10;
const SPREAD_MS_MAX = 600_000;
const RETRY_MS = 2000;
const RETRY_MS_MAX = 120_000;

interface Wanted {
  readonly resource: Resource;
  readonly object: PolicyObject;
  /** Undefined: the entry is removed. */
  readonly state: NodeState | undefined;
  readonly onFailure: () => Promise<void>;
}

interface Entry {
  wanted: Wanted | undefined;
  written: NodeState | undefined;
  seen: PolicyObjectStatus;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

export interface StatusOptions {
  readonly api: Api;
  readonly nodeName: string;
  readonly log: Log;
  /** Number of nodes in the cluster. */
  readonly nodes: () => number;
  readonly random?: () => number;
}

export class StatusWriter {
  readonly #options: StatusOptions;
  readonly #manager: string;
  readonly #entries = new Map<string, Entry>();
  readonly #writing = new Set<Promise<void>>();
  readonly #said = new Set<string>();
  #isStopped = false;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.#manager = managerOf(options.nodeName);
  }

  /** An object as the API server has it now. */
  seen(origin: string, { status = {} }: PolicyObject): void {
    const entry = this.#entry(origin);
    entry.seen = status;
    // after a restart of the agent, its entry is there already
    entry.written ??= status.nodes?.find(({ name }) => name === this.#options.nodeName);
  }

  set(
    origin: string,
    resource: Resource,
    object: PolicyObject,
    state: NodeState,
    onFailure: () => Promise<void>,
  ): void {
    const entry = this.#entry(origin);
    entry.wanted = { resource, object, state, onFailure };
    if (!isDeepStrictEqual(state, entry.written)) this.#plan(origin, entry);
  }

  /** Removes the entry of this node. */
  withdraw(origin: string, resource: Resource, object: PolicyObject): void {
    const entry = this.#entry(origin);
    if (entry.written === undefined) return;
    entry.wanted = { resource, object, state: undefined, onFailure: () => Promise.resolve() };
    this.#plan(origin, entry);
  }

  /** The object is gone. */
  forget(origin: string): void {
    clearTimeout(this.#entries.get(origin)?.timer);
    this.#entries.delete(origin);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    await Promise.all(this.#writing);
  }

  #entry(origin: string): Entry {
    let entry = this.#entries.get(origin);
    if (entry === undefined) {
      entry = { wanted: undefined, written: undefined, seen: {}, failures: 0, timer: undefined };
      this.#entries.set(origin, entry);
    }
    return entry;
  }

  #plan(origin: string, entry: Entry): void {
    if (entry.timer !== undefined || this.#isStopped) return;
    const { nodes, random = Math.random } = this.#options;
    const spread = Math.min(nodes() * MS_PER_NODE, SPREAD_MS_MAX);
    const retry = entry.failures === 0 ? 0 : Math.min(RETRY_MS * 2 ** (entry.failures - 1), RETRY_MS_MAX);
    const run = (): void => {
      entry.timer = undefined;
      const writing = this.#write(origin, entry).finally(() => this.#writing.delete(writing));
      this.#writing.add(writing);
    };
    entry.timer = setTimeout(run, COALESCE_MS + retry + random() * (spread + retry));
    entry.timer.unref();
  }

  async #write(origin: string, entry: Entry): Promise<void> {
    const { wanted } = entry;
    if (wanted === undefined || isDeepStrictEqual(wanted.state, entry.written)) return;
    const { state } = wanted;
    if (state !== undefined && !this.#hasRoom(entry, state)) return;
    try {
      await this.#apply(wanted, entry.seen);
      if (state?.error !== undefined) await wanted.onFailure();
      entry.written = state;
      entry.failures = 0;
    } catch (error) {
      if (!this.#isTemporary(error)) {
        this.#say(origin, error);
        // it is not tried again before the state changes
        entry.written = state;
        return;
      }
      entry.failures++;
      this.#plan(origin, entry);
      return;
    }
    if (entry.wanted !== wanted) this.#plan(origin, entry);
  }

  /** The API server has the last word: it refuses a list with more than NODES_MAX. */
  #hasRoom({ seen: { nodes = [] } }: Entry, state: NodeState): boolean {
    if (nodes.some(({ name }) => name === state.name)) return true;
    return nodes.length < (state.error === undefined ? GOOD_NODES_MAX : NODES_MAX);
  }

  async #apply({ resource, object, state }: Wanted, seen: PolicyObjectStatus): Promise<void> {
    const { name, namespace, uid } = object.metadata;
    const status = state === undefined ? {} : { conditions: conditionsOf(state, seen), nodes: [state] };
    const body = {
      apiVersion: GROUP_VERSION,
      kind: resource.kind,
      // with the uid, a new object of the same name is not meant
      metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) },
      status,
    };
    const query = { fieldManager: this.#manager, force: 'true' };
    const contentType = 'application/apply-patch+yaml';
    await this.#options.api.call('PATCH', `${pathOf(resource, object)}/status`, { query, body, contentType });
  }

  #isTemporary(error: unknown): boolean {
    return !(error instanceof ApiError) || error.status === 429 || error.status >= 500;
  }

  #say(origin: string, error: unknown): void {
    const status = error instanceof ApiError ? error.status : 0;
    // the object or its status has gone, or the list is full
    if ([404, 409, 422].includes(status)) {
      this.#options.log.debug({ policy: origin, reason: messageOf(error) }, 'a status was not written');
      return;
    }
    if (this.#said.has(String(status))) return;
    this.#said.add(String(status));
    this.#options.log.warn({ policy: origin, reason: messageOf(error) }, 'the status of policies cannot be written');
  }
}

/**
 * The conditions hold when they hold on one node. All nodes that report one own it together, so that it goes with the last of them.
 * For that, they write the same: what another node has written for the generation is taken over.
 */
function conditionsOf(state: NodeState, { conditions = [] }: PolicyObjectStatus): Condition[] {
  const { generation: observedGeneration = 0, loadedGeneration, error, name } = state;
  const result: Condition[] = [];
  const add = (type: string, reason: string, message: string): void => {
    const known = conditions.find((each) => each.type === type && each.observedGeneration === observedGeneration);
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, '');
    result.push(known ?? { type, status: 'True', reason, message, observedGeneration, lastTransitionTime });
  };
  if (loadedGeneration !== undefined) add('Loaded', 'Attached', 'The policy runs.');
  if (error !== undefined) add('Failed', 'PolicyNotLoaded', `${name}: ${error}`);
  return result;
}

/** A field manager has at most 128 characters. */
function managerOf(nodeName: string): string {
  const name = `polytrace-${nodeName}`;
  return name.length <= 128 ? name : `polytrace-${createHash('sha256').update(nodeName).digest('hex')}`;
}
