/** Follows the policy objects of the cluster, loads their policies, and reports their states. */
import type { Api } from './client.js';
import { reportFailure } from './failures.js';
import { errorMessage, type Log, type PolicyTarget } from './dependencies.js';
import { formatDiagnostics, findUnsafeNumber } from './object-paths.js';
import {
  GROUP_VERSION,
  policyOrigin,
  resourcePath,
  RESOURCES,
  type NodeState,
  type PolicyObject,
  type Resource,
} from './resources.js';
import type { StatusWriter } from './status.js';
import { Watch } from './watch.js';

interface LoadedObject {
  readonly resource: Resource;
  readonly object: PolicyObject;
  loadedGeneration: number | undefined;
}

/** Interval of comparing policies with their status, because clients of the agent can change policies. */
const REFRESH_MS = 30_000;
const ERROR_LENGTH_MAX = 1024;

export class ClusterPolicies {
  readonly #api: Api;
  readonly #nodeName: string;
  readonly #target: PolicyTarget;
  readonly #status: StatusWriter | undefined;
  readonly #log: Log;
  readonly #watches: readonly Watch<PolicyObject>[];
  readonly #known = new Map<string, LoadedObject>();
  #timer: NodeJS.Timeout | undefined;
  readonly #unlisted = new Set<Resource>(RESOURCES);
  #onLoaded: () => void = () => undefined;
  /** Resolves when the policies that the cluster had at the start are loaded. This can be much later than start(). */
  readonly whenLoaded = new Promise<void>((resolve) => (this.#onLoaded = resolve));

  constructor(parts: { api: Api; nodeName: string; target: PolicyTarget; status: StatusWriter | undefined; log: Log }) {
    this.#api = parts.api;
    this.#nodeName = parts.nodeName;
    this.#target = parts.target;
    this.#status = parts.status;
    this.#log = parts.log;
    this.#watches = RESOURCES.map((resource) => {
      let isDisconnected = false;
      return new Watch<PolicyObject>(
        parts.api,
        resourcePath(resource),
        {},
        {
          replaceAll: (objects) => this.#replaceAll(resource, objects),
          set: (object) => this.#set(resource, object),
          remove: (object) => this.#remove(policyOrigin(resource, object)),
          setConnection: (error) => {
            if (error === undefined && isDisconnected)
              this.#log.info({ resource: resource.plural }, 'the API server is back');
            if (error !== undefined && !isDisconnected) {
              const detail = { resource: resource.plural, reason: errorMessage(error) };
              this.#log.warn(detail, 'the API server is away: policies stay as they are');
            }
            isDisconnected = error !== undefined;
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

  async #replaceAll(resource: Resource, objects: readonly PolicyObject[]): Promise<void> {
    const present = new Set(objects.map((object) => policyOrigin(resource, object)));
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
    const origin = policyOrigin(resource, object);
    const known = this.#known.get(origin);
    this.#status?.observe(origin, object);
    if (known !== undefined && isSameVersion(known.object, object)) return;
    const text = toPolicyJson(resource, object);
    const describe = (error: unknown): string => formatDiagnostics(error, String(text)) ?? errorMessage(error);
    const error = await this.#target.setPolicy(origin, text, describe);
    const loadedGeneration = error === undefined ? object.metadata.generation : known?.loadedGeneration;
    this.#known.set(origin, { resource, object: toIdentity(object), loadedGeneration });
    this.#report(origin);
  }

  async #remove(origin: string): Promise<void> {
    this.#known.delete(origin);
    this.#status?.forget(origin);
    await this.#target.dropPolicy(origin);
  }

  /** Compares the state of all policies with their status. */
  refresh(): void {
    for (const origin of this.#known.keys()) this.#report(origin);
  }

  #report(origin: string): void {
    const known = this.#known.get(origin);
    if (known === undefined || this.#status === undefined) return;
    const { resource, object } = known;
    // the agent tries again what failed
    if (this.#target.policyError(origin) === undefined) known.loadedGeneration = object.metadata.generation;
    const state = this.#nodeState(origin, known);
    if (state === undefined) this.#status.withdraw(origin, resource, object);
    else {
      this.#status.setState(origin, resource, object, state, () => reportFailure(this.#api, resource, object, state));
    }
  }

  /** Returns undefined when the policy is for other nodes. */
  #nodeState(origin: string, { object, loadedGeneration }: LoadedObject): NodeState | undefined {
    const status = this.#target.policyStatus(origin);
    const error = this.#target.policyError(origin);
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
      ...(error === undefined ? {} : { error: shorten(error, ERROR_LENGTH_MAX) }),
    };
  }
}

/** Returns the object without its content, which can be large. */
function toIdentity({ metadata: { name, namespace, uid, generation } }: PolicyObject): PolicyObject {
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(generation === undefined ? {} : { generation }),
    },
  };
}

/** Kubernetes increments the generation with each change of the spec. */
function isSameVersion(a: PolicyObject, b: PolicyObject): boolean {
  const { uid, generation } = a.metadata;
  return generation !== undefined && uid === b.metadata.uid && generation === b.metadata.generation;
}

/** Returns the policy as JSON, which is valid YAML. Members that the cluster adds are omitted. */
export function toPolicyJson({ kind }: Resource, { metadata, spec }: PolicyObject): string | Error {
  const unsafe = findUnsafeNumber(spec, 'spec');
  if (unsafe !== undefined) {
    return new Error(`${unsafe}: the number is larger than 2^53, and cannot be read from the API server without loss`);
  }
  const { name, namespace } = metadata;
  return JSON.stringify({ apiVersion: GROUP_VERSION, kind, metadata: { name, ...(namespace && { namespace }) }, spec });
}

/** Returns the text with at most `max` characters. */
export function shorten(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
