/** Policies of the cluster: follows their objects, loads them, and reports what became of each. */
import type { Api } from './client.js';
import { reportFailure } from './failures.js';
import { messageOf, type Log, type PolicyTarget } from './parts.js';
import { mistakesOf, unsafeNumber } from './places.js';
import {
  GROUP_VERSION,
  originOf,
  pathOfAll,
  RESOURCES,
  type NodeState,
  type PolicyObject,
  type Resource,
} from './resources.js';
import type { StatusWriter } from './status.js';
import { Watch } from './watch.js';

interface Known {
  readonly resource: Resource;
  readonly object: PolicyObject;
  loadedGeneration: number | undefined;
}

/** How often the state of policies is compared with their status: clients of the agent can change it. */
const REFRESH_MS = 30_000;
const ERROR_MAX = 1024;

export class ClusterPolicies {
  readonly #api: Api;
  readonly #nodeName: string;
  readonly #target: PolicyTarget;
  readonly #status: StatusWriter | undefined;
  readonly #log: Log;
  readonly #watches: readonly Watch<PolicyObject>[];
  readonly #known = new Map<string, Known>();
  #timer: NodeJS.Timeout | undefined;
  readonly #unlisted = new Set<Resource>(RESOURCES);
  #onLoaded: () => void = () => undefined;
  /** Resolves when the policies that the cluster had at the start are loaded, which can be much later than start(). */
  readonly loaded = new Promise<void>((resolve) => (this.#onLoaded = resolve));

  constructor(parts: { api: Api; nodeName: string; target: PolicyTarget; status: StatusWriter | undefined; log: Log }) {
    this.#api = parts.api;
    this.#nodeName = parts.nodeName;
    this.#target = parts.target;
    this.#status = parts.status;
    this.#log = parts.log;
    this.#watches = RESOURCES.map((resource) => {
      let isAway = false;
      return new Watch<PolicyObject>(
        parts.api,
        pathOfAll(resource),
        {},
        {
          all: (objects) => this.#all(resource, objects),
          set: (object) => this.#set(resource, object),
          remove: (object) => this.#remove(originOf(resource, object)),
          state: (error) => {
            if (error === undefined && isAway) this.#log.info({ resource: resource.plural }, 'the API server is back');
            if (error !== undefined && !isAway) {
              const detail = { resource: resource.plural, reason: messageOf(error) };
              this.#log.warn(detail, 'the API server is away: policies stay as they are');
            }
            isAway = error !== undefined;
          },
        },
      );
    });
  }

  /** Resolves when the policies of the cluster are loaded, or when the API server does not answer. */
  async start(): Promise<void> {
    await Promise.all(this.#watches.map(async (watch) => watch.start()));
    this.#timer = setInterval(() => this.refresh(), REFRESH_MS);
    this.#timer.unref();
  }

  /** The policies stay loaded. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#watches.map(async (watch) => watch.stop()));
    await this.#status?.stop();
  }

  async #all(resource: Resource, objects: readonly PolicyObject[]): Promise<void> {
    const present = new Set(objects.map((object) => originOf(resource, object)));
    for (const [origin, known] of [...this.#known]) {
      if (known.resource === resource && !present.has(origin)) await this.#remove(origin);
    }
    for (const object of objects) await this.#set(resource, object);
    this.#unlisted.delete(resource);
    if (this.isLoaded) this.#onLoaded();
  }

  get isLoaded(): boolean {
    return this.#unlisted.size === 0;
  }

  async #set(resource: Resource, object: PolicyObject): Promise<void> {
    const origin = originOf(resource, object);
    const known = this.#known.get(origin);
    this.#status?.seen(origin, object);
    if (known !== undefined && isSameVersion(known.object, object)) return;
    const text = textOf(resource, object);
    const describe = (error: unknown): string => mistakesOf(error, String(text)) ?? messageOf(error);
    const error = await this.#target.put(origin, text, describe);
    const loadedGeneration = error === undefined ? object.metadata.generation : known?.loadedGeneration;
    this.#known.set(origin, { resource, object: identityOf(object), loadedGeneration });
    this.#report(origin);
  }

  async #remove(origin: string): Promise<void> {
    this.#known.delete(origin);
    this.#status?.forget(origin);
    await this.#target.drop(origin);
  }

  /** Compares the state of all policies with their status. */
  refresh(): void {
    for (const origin of this.#known.keys()) this.#report(origin);
  }

  #report(origin: string): void {
    const known = this.#known.get(origin);
    if (known === undefined || this.#status === undefined) return;
    const { resource, object } = known;
    const state = this.#stateOf(origin, known);
    if (state === undefined) this.#status.withdraw(origin, resource, object);
    else {
      this.#status.set(origin, resource, object, state, () => reportFailure(this.#api, resource, object, state));
    }
  }

  /** Undefined: the policy is for other nodes. */
  #stateOf(origin: string, { object, loadedGeneration }: Known): NodeState | undefined {
    const status = this.#target.statusOf(origin);
    const error = this.#target.failureOf(origin);
    const runs = status !== undefined && (status.state === 'enabled' || error === undefined);
    if (status?.state === 'other_node' && error === undefined) return undefined;
    const { generation } = object.metadata;
    const state =
      error !== undefined || status === undefined ? 'failed' : status.state === 'disabled' ? 'disabled' : 'enabled';
    return {
      name: this.#nodeName,
      state,
      ...(generation === undefined ? {} : { generation }),
      ...(loadedGeneration === undefined || !runs ? {} : { loadedGeneration }),
      ...(status === undefined ? {} : { mode: status.mode, hooks: status.hooks.length }),
      ...(error === undefined ? {} : { error: shortened(error) }),
    };
  }
}

/** An object without its content, which can be large. */
function identityOf({ metadata: { name, namespace, uid, generation } }: PolicyObject): PolicyObject {
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(generation === undefined ? {} : { generation }),
    },
  };
}

/** The cluster gives a new generation to each change of the spec. */
function isSameVersion(a: PolicyObject, b: PolicyObject): boolean {
  const { uid, generation } = a.metadata;
  return generation !== undefined && uid === b.metadata.uid && generation === b.metadata.generation;
}

/** The policy as JSON, which is YAML too. What the cluster adds to it is left out. */
function textOf({ kind }: Resource, { metadata, spec }: PolicyObject): string | Error {
  const unsafe = unsafeNumber(spec, 'spec');
  if (unsafe !== undefined) {
    return new Error(`${unsafe}: the number is larger than 2^53, and cannot be read from the API server without loss`);
  }
  const { name, namespace } = metadata;
  return JSON.stringify({ apiVersion: GROUP_VERSION, kind, metadata: { name, ...(namespace && { namespace }) }, spec });
}

function shortened(text: string): string {
  return text.length <= ERROR_MAX ? text : `${text.slice(0, ERROR_MAX - 1)}…`;
}
