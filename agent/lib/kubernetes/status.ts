/**
 * Writes the states of this node's policies into their status by server-side apply. Each node is a field manager and
 * owns its entry. Each write is sent to all agents that watch the policy, so the cost is bounded (see
 * docs/kubernetes.md). The more nodes a cluster has, the fewer a status lists. A few nodes, chosen by a hash of their
 * names, write first. Writes are spread over a time that grows with the number of nodes. Changes within a short time
 * become one write.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ApiError, type Api } from './client.js';
import { errorMessage, type Log } from './dependencies.js';
import {
  GROUP_VERSION,
  objectPath,
  type Condition,
  type NodeState,
  type PolicyObject,
  type PolicyObjectStatus,
  type Resource,
} from './resources.js';

/** Maximum of nodes in a status, as in the schema: the API server rejects more. */
export const NODES_MAX = 100;
/** Above this number, a node without an error does not add itself. */
export const GOOD_NODES_MAX = 50;
/** Limits the messages about healthy nodes: each entry of a status is sent to all nodes. */
const GOOD_MESSAGES_MAX = 25_000;
const GOOD_NODES_MIN = 5;
/** Changes of a policy within this time become one write. */
const COALESCE_MS = 100;
/**
 * The early writers make about 10 writes a second. Each write of an object makes the API server retry its other
 * writes.
 */
const MS_PER_WRITER = 100;
/** The other nodes check the list afterwards, at most 100 a second. */
const MS_PER_NODE = 10;
const SPREAD_MS_MAX = 600_000;
const RETRY_MS = 2000;
const RETRY_MS_MAX = 120_000;
/** Maximum of retries after conflicts. */
const CONFLICTS_MAX = 6;

interface DesiredState {
  readonly resource: Resource;
  readonly object: PolicyObject;
  /** Undefined: the entry has to be removed. */
  readonly state: NodeState | undefined;
  readonly onFailure: () => Promise<void>;
}

/** The part of an object's status that the agent keeps. A status can be large, and there can be hundreds of objects. */
interface ObservedStatus {
  readonly conditions: readonly Condition[];
  readonly nodes: ReadonlySet<string>;
  /** True if this node owns a part of the status. */
  readonly isOwner: boolean;
}

interface Entry {
  desired: DesiredState | undefined;
  /** The entry of this node that was written last. */
  written: NodeState | undefined;
  observed: ObservedStatus;
  /** True when the API server has refused an entry of this node because the list is full. */
  isRefused: boolean;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

export interface StatusOptions {
  readonly api: Api;
  readonly nodeName: string;
  readonly log: Log;
  /** Returns the number of nodes in the cluster. */
  readonly nodes: () => number;
  readonly random?: () => number;
}

export class StatusWriter {
  readonly #options: StatusOptions;
  readonly #manager: string;
  readonly #entries = new Map<string, Entry>();
  readonly #writing = new Set<Promise<void>>();
  readonly #reported = new Set<string>();
  #isStopped = false;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.#manager = fieldManager(options.nodeName);
  }

  /** Records the current object of the API server. */
  observe(origin: string, { metadata, status }: PolicyObject): void {
    const entry = this.#entry(origin);
    const conditions = status?.conditions ?? [];
    const nodes = status?.nodes ?? [];
    const isOwner = metadata.managedFields?.some(({ manager }) => manager === this.#manager) === true;
    entry.observed = { conditions, nodes: new Set(nodes.map(({ name }) => name)), isOwner };
    if (nodes.length < NODES_MAX) entry.isRefused = false;
    // after a restart of the agent, the object has its entry already
    entry.written ??= nodes.find(({ name }) => name === this.#options.nodeName);
  }

  setState(
    origin: string,
    resource: Resource,
    object: PolicyObject,
    state: NodeState,
    onFailure: () => Promise<void>,
  ): void {
    const entry = this.#entry(origin);
    entry.desired = { resource, object, state, onFailure };
    if (!isDeepStrictEqual(state, entry.written)) this.#schedule(origin, entry);
  }

  /** Removes the entry of this node. */
  withdraw(origin: string, resource: Resource, object: PolicyObject): void {
    const entry = this.#entry(origin);
    if (entry.written === undefined && !entry.observed.isOwner) return;
    entry.desired = { resource, object, state: undefined, onFailure: () => Promise.resolve() };
    this.#schedule(origin, entry);
  }

  /** Removes the state of a deleted object. */
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
      const observed = { conditions: [], nodes: new Set<string>(), isOwner: false };
      entry = { desired: undefined, written: undefined, observed, isRefused: false, failures: 0, timer: undefined };
      this.#entries.set(origin, entry);
    }
    return entry;
  }

  #schedule(origin: string, entry: Entry): void {
    if (entry.timer !== undefined || this.#isStopped) return;
    const { nodes, random = Math.random } = this.#options;
    const retry = entry.failures === 0 ? 0 : Math.min(RETRY_MS * 2 ** (entry.failures - 1), RETRY_MS_MAX);
    const first = Math.min(nodes(), this.#earlyWriters(entry)) * MS_PER_WRITER;
    const isFirst = this.#isEarlyWriter(origin, entry);
    const start = COALESCE_MS + retry + (isFirst ? 0 : first);
    const spread = retry + (isFirst ? first : Math.min(nodes() * MS_PER_NODE, SPREAD_MS_MAX));
    const writeNow = (): void => {
      entry.timer = undefined;
      const writing = this.#write(origin, entry).finally(() => this.#writing.delete(writing));
      this.#writing.add(writing);
    };
    entry.timer = setTimeout(writeNow, start + random() * spread);
    entry.timer.unref();
  }

  /**
   * Returns true for nodes in the list, and for about twice as many others as the list has space for. The list is
   * then full when the remaining nodes check it. Each policy has other early writers.
   */
  #isEarlyWriter(origin: string, entry: Entry): boolean {
    const { nodeName, nodes } = this.#options;
    if (entry.observed.nodes.has(nodeName) || entry.observed.isOwner) return true;
    const rank = createHash('sha256').update(`${origin}\n${nodeName}`).digest().readUInt32BE() / 2 ** 32;
    return rank * nodes() < this.#earlyWriters(entry);
  }

  #earlyWriters({ desired }: Entry): number {
    return 2 * nodesLimit(desired?.state, this.#options.nodes());
  }

  async #write(origin: string, entry: Entry): Promise<void> {
    const { desired } = entry;
    if (desired === undefined || isDeepStrictEqual(desired.state, entry.written)) return;
    const { state } = desired;
    const content = this.#statusContent(entry, state);
    if (content === undefined) return;
    try {
      await this.#apply(desired, content);
      if (state?.error !== undefined) await desired.onFailure();
      entry.written = state;
      entry.failures = 0;
    } catch (error) {
      if (this.#isTemporary(error, entry.failures)) entry.failures++;
      else {
        this.#reportError(origin, error);
        const isFull = error instanceof ApiError && error.status === 422 && !entry.isRefused;
        // otherwise, the next try is after the next change of the state
        if (!isFull) {
          entry.written = state;
          return;
        }
        entry.isRefused = true;
      }
      this.#schedule(origin, entry);
      return;
    }
    if (entry.desired !== desired) this.#schedule(origin, entry);
  }

  /** Returns the part of the status that this node has to own, or undefined if there is nothing to write. */
  #statusContent(
    { observed, isRefused, written }: Entry,
    state: NodeState | undefined,
  ): PolicyObjectStatus | undefined {
    if (state === undefined) return {};
    const conditions = statusConditions(state, observed.conditions);
    if (this.#hasCapacity(observed, state) && !isRefused) return { conditions, nodes: [state] };
    // one node reports that there are failures; others would add nothing
    const isNews = state.error !== undefined && !observed.conditions.some((each) => isFailureCondition(each, state));
    if (isNews) return { conditions };
    // the part that this node has written is no longer true
    return state.error === undefined && (written !== undefined || observed.isOwner) ? {} : undefined;
  }

  /** The API server enforces the limit: it refuses a list with more than NODES_MAX. */
  #hasCapacity({ nodes }: ObservedStatus, state: NodeState): boolean {
    return nodes.has(state.name) || nodes.size < nodesLimit(state, this.#options.nodes());
  }

  async #apply({ resource, object }: DesiredState, status: PolicyObjectStatus): Promise<void> {
    const { name, namespace, uid } = object.metadata;
    const body = {
      apiVersion: GROUP_VERSION,
      kind: resource.kind,
      // the uid excludes a new object with the same name
      metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) },
      status,
    };
    const query = { fieldManager: this.#manager, force: 'true' };
    const contentType = 'application/apply-patch+yaml';
    await this.#options.api.call('PATCH', `${objectPath(resource, object)}/status`, { query, body, contentType });
  }

  #isTemporary(error: unknown, failures: number): boolean {
    if (!(error instanceof ApiError)) return true;
    // many nodes write at the same time, or the object was replaced
    if (error.status === 409) return failures < CONFLICTS_MAX;
    return error.status === 429 || error.status >= 500;
  }

  #reportError(origin: string, error: unknown): void {
    const status = error instanceof ApiError ? error.status : 0;
    // the object or its status was deleted, or the list is full
    if ([404, 409, 422].includes(status)) {
      this.#options.log.debug({ policy: origin, reason: errorMessage(error) }, 'a status was not written');
      return;
    }
    if (this.#reported.has(String(status))) return;
    this.#reported.add(String(status));
    this.#options.log.warn({ policy: origin, reason: errorMessage(error) }, 'the status of policies cannot be written');
  }
}

/**
 * Returns the conditions that this node owns. A condition is true when it is true on one node. All nodes that report
 * it own it together, so it disappears with the last of them. They must write equal values, so a node copies the
 * condition that another node has written for the generation.
 */
function statusConditions(state: NodeState, conditions: readonly Condition[]): Condition[] {
  const { generation: observedGeneration = 0, loadedGeneration, error, name } = state;
  const result: Condition[] = [];
  const add = (type: string, reason: string, message: string): void => {
    const known = conditions.find((each) => each.type === type && each.observedGeneration === observedGeneration);
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, '');
    result.push(known ?? { type, status: 'True', reason, message, observedGeneration, lastTransitionTime });
  };
  // an earlier generation can run while the newest one fails
  if (loadedGeneration === observedGeneration && error === undefined) add('Loaded', 'Attached', 'The policy runs.');
  if (error !== undefined) add('Failed', 'PolicyNotLoaded', `${name}: ${error}`);
  return result;
}

function isFailureCondition({ type, observedGeneration }: Condition, { generation = 0 }: NodeState): boolean {
  return type === 'Failed' && observedGeneration === generation;
}

/** Returns how many nodes a status may list before a node adds itself. Nodes with errors have twice the limit. */
export function nodesLimit(state: NodeState | undefined, nodes: number): number {
  const good = Math.min(GOOD_NODES_MAX, Math.max(GOOD_NODES_MIN, Math.round(GOOD_MESSAGES_MAX / nodes)));
  return state?.error === undefined ? good : good * (NODES_MAX / GOOD_NODES_MAX);
}

/** Returns the field manager of this node. Its name has at most 128 characters. */
function fieldManager(nodeName: string): string {
  const name = `polytrace-${nodeName}`;
  return name.length <= 128 ? name : `polytrace-${createHash('sha256').update(nodeName).digest('hex')}`;
}
