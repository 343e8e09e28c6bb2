/**
 * Writes the states of policies on this node into their status, by server-side apply: each node is a field manager of its own, and
 * owns its entry. Each write goes to all agents that watch the policy, so the cost for a large cluster is bounded, see
 * docs/kubernetes.md: a status lists fewer nodes the more there are, a few nodes that are chosen by their names write first, writes
 * are spread over a time that grows with the number of nodes, and changes that come together become one write.
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
/** A node of a large cluster adds itself only while the entries of the status, each sent to all nodes, are so few messages. */
const GOOD_MESSAGES_MAX = 25_000;
const GOOD_NODES_MIN = 5;
/** Changes of one policy in this time become one write. */
const COALESCE_MS = 100;
/** The nodes that write first make about 10 writes a second. Each write of an object makes the API server begin the others anew. */
const MS_PER_WRITER = 100;
/** The others look at the list afterwards, at most 100 a second. */
const MS_PER_NODE = 10;
const SPREAD_MS_MAX = 600_000;
const RETRY_MS = 2000;
const RETRY_MS_MAX = 120_000;
/** So often, a write is tried again after a conflict. */
const CONFLICTS_MAX = 6;

interface Wanted {
  readonly resource: Resource;
  readonly object: PolicyObject;
  /** Undefined: the entry is removed. */
  readonly state: NodeState | undefined;
  readonly onFailure: () => Promise<void>;
}

/** The part of an object's status that the agent keeps. A status can be large, and there can be hundreds of them. */
interface Seen {
  readonly conditions: readonly Condition[];
  readonly nodes: ReadonlySet<string>;
  /** A part of the status belongs to this node. */
  readonly isOwner: boolean;
}

interface Entry {
  wanted: Wanted | undefined;
  /** The entry of this node in the status. */
  written: NodeState | undefined;
  seen: Seen;
  /** The API server has refused an entry of this node: the list is full. */
  isRefused: boolean;
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
  seen(origin: string, { metadata, status }: PolicyObject): void {
    const entry = this.#entry(origin);
    const conditions = status?.conditions ?? [];
    const nodes = status?.nodes ?? [];
    const isOwner = metadata.managedFields?.some(({ manager }) => manager === this.#manager) === true;
    entry.seen = { conditions, nodes: new Set(nodes.map(({ name }) => name)), isOwner };
    if (nodes.length < NODES_MAX) entry.isRefused = false;
    // after a restart of the agent, its entry is there already
    entry.written ??= nodes.find(({ name }) => name === this.#options.nodeName);
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
    if (entry.written === undefined && !entry.seen.isOwner) return;
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
      const seen = { conditions: [], nodes: new Set<string>(), isOwner: false };
      entry = { wanted: undefined, written: undefined, seen, isRefused: false, failures: 0, timer: undefined };
      this.#entries.set(origin, entry);
    }
    return entry;
  }

  #plan(origin: string, entry: Entry): void {
    if (entry.timer !== undefined || this.#isStopped) return;
    const { nodes, random = Math.random } = this.#options;
    const retry = entry.failures === 0 ? 0 : Math.min(RETRY_MS * 2 ** (entry.failures - 1), RETRY_MS_MAX);
    const first = Math.min(nodes(), this.#firstNodes(entry)) * MS_PER_WRITER;
    const isFirst = this.#isFirst(origin, entry);
    const start = COALESCE_MS + retry + (isFirst ? 0 : first);
    const spread = retry + (isFirst ? first : Math.min(nodes() * MS_PER_NODE, SPREAD_MS_MAX));
    const run = (): void => {
      entry.timer = undefined;
      const writing = this.#write(origin, entry).finally(() => this.#writing.delete(writing));
      this.#writing.add(writing);
    };
    entry.timer = setTimeout(run, start + random() * spread);
    entry.timer.unref();
  }

  /**
   * Nodes that are in the list already, and about twice as many others as it has room for, so that the second turn finds it full.
   * Each policy has other ones.
   */
  #isFirst(origin: string, entry: Entry): boolean {
    const { nodeName, nodes } = this.#options;
    if (entry.seen.nodes.has(nodeName) || entry.seen.isOwner) return true;
    const rank = createHash('sha256').update(`${origin}\n${nodeName}`).digest().readUInt32BE() / 2 ** 32;
    return rank * nodes() < this.#firstNodes(entry);
  }

  #firstNodes({ wanted }: Entry): number {
    return 2 * roomFor(wanted?.state, this.#options.nodes());
  }

  async #write(origin: string, entry: Entry): Promise<void> {
    const { wanted } = entry;
    if (wanted === undefined || isDeepStrictEqual(wanted.state, entry.written)) return;
    const { state } = wanted;
    const content = this.#contentOf(entry, state);
    if (content === undefined) return;
    try {
      await this.#apply(wanted, content);
      if (state?.error !== undefined) await wanted.onFailure();
      entry.written = state;
      entry.failures = 0;
    } catch (error) {
      if (this.#isTemporary(error, entry.failures)) entry.failures++;
      else {
        this.#say(origin, error);
        const isFull = error instanceof ApiError && error.status === 422 && !entry.isRefused;
        // otherwise, it is not tried again before the state changes
        if (!isFull) {
          entry.written = state;
          return;
        }
        entry.isRefused = true;
      }
      this.#plan(origin, entry);
      return;
    }
    if (entry.wanted !== wanted) this.#plan(origin, entry);
  }

  /** The part of the status that is to belong to this node; undefined if there is nothing to write. */
  #contentOf({ seen, isRefused, written }: Entry, state: NodeState | undefined): PolicyObjectStatus | undefined {
    if (state === undefined) return {};
    const conditions = conditionsOf(state, seen.conditions);
    if (this.#hasRoom(seen, state) && !isRefused) return { conditions, nodes: [state] };
    // one node says that there are failures; the others would add nothing
    const isNews = state.error !== undefined && !seen.conditions.some((each) => isFailureOf(each, state));
    if (isNews) return { conditions };
    // what this node has said before is no longer true
    return state.error === undefined && (written !== undefined || seen.isOwner) ? {} : undefined;
  }

  /** The API server has the last word: it refuses a list with more than NODES_MAX. */
  #hasRoom({ nodes }: Seen, state: NodeState): boolean {
    return nodes.has(state.name) || nodes.size < roomFor(state, this.#options.nodes());
  }

  async #apply({ resource, object }: Wanted, status: PolicyObjectStatus): Promise<void> {
    const { name, namespace, uid } = object.metadata;
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

  #isTemporary(error: unknown, failures: number): boolean {
    if (!(error instanceof ApiError)) return true;
    // many nodes write at the same time, or the object is another one now
    if (error.status === 409) return failures < CONFLICTS_MAX;
    return error.status === 429 || error.status >= 500;
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
function conditionsOf(state: NodeState, conditions: readonly Condition[]): Condition[] {
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

function isFailureOf({ type, observedGeneration }: Condition, { generation = 0 }: NodeState): boolean {
  return type === 'Failed' && observedGeneration === generation;
}

/** How many nodes a status may list before a node adds itself. Nodes with errors have twice the room. */
export function roomFor(state: NodeState | undefined, nodes: number): number {
  const good = Math.min(GOOD_NODES_MAX, Math.max(GOOD_NODES_MIN, Math.round(GOOD_MESSAGES_MAX / nodes)));
  return state?.error === undefined ? good : good * (NODES_MAX / GOOD_NODES_MAX);
}

/** A field manager has at most 128 characters. */
function managerOf(nodeName: string): string {
  const name = `polytrace-${nodeName}`;
  return name.length <= 128 ? name : `polytrace-${createHash('sha256').update(nodeName).digest('hex')}`;
}
