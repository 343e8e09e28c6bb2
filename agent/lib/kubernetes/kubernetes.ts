/** Connects the agent to a cluster: policies come from its resources, and pods and labels from its API. */
import { setTimeout as wait } from 'node:timers/promises';
import type { ContainerSource } from 'polytrace';
import { ApiClient, ApiError, type Api } from './client.js';
import { hasOwnStatus, MissingDefinitionError } from './crds.js';
import { rejectAfter, withSignal } from './deadlines.js';
import { countNodes, readNodeLabels, watchLabels } from './node.js';
import { errorMessage, type Log, type PolicyTarget } from './dependencies.js';
import { Owner } from './owner.js';
import { PodInfoWriter } from './pod-info.js';
import { PodSource } from './pods.js';
import { ClusterPolicies } from './policies.js';
import { StatusWriter } from './status.js';
import type { KubeObject, Watch } from './watch.js';

export interface KubernetesOptions {
  readonly nodeName: string;
  /** A kubeconfig. Without it, the service account of the pod is used. */
  readonly kubeconfig?: string;
  /** Follow the resources of policies. */
  readonly policies: boolean;
  /** Report annotations of pods. */
  readonly annotations: boolean;
  /** Write a PodInfo for each pod of this node. */
  readonly podInfo: boolean;
  /** NAMESPACE/NAME of the DaemonSet of the agent, for `isOwnerGone()`. */
  readonly owner?: string;
  /** Maximum time that each step of the start waits for the API server. Default: 3 seconds. */
  readonly startMs?: number;
}

/** The agent does not wait longer for an answer of the API server. It uses the answer when it comes. */
const START_MS = 3000;
/** Time for requests that run when the agent ends. */
const STOP_MS = 1000;
/** Interval of asking an API server that does not answer for the definitions of policies. */
const RETRY_MS = 5000;

/** Interval of counting the nodes. */
const COUNT_MS = 3_600_000;

/** The settings do not fit the cluster. */
export class ClusterError extends Error {
  constructor(
    readonly setting: 'nodeName' | 'k8sKubeconfigPath',
    message: string,
  ) {
    super(message);
  }
}

export class Kubernetes {
  readonly #api: Api;
  readonly #options: KubernetesOptions;
  readonly #log: Log;
  /** Reports the containers of this node's pods. */
  readonly source: ContainerSource;
  /** The labels of this node at the start. */
  readonly nodeLabels: Readonly<Record<string, string>>;
  #nodes = 1;
  #timer: NodeJS.Timeout | undefined;
  #labels: Watch<KubeObject> | undefined;
  #policies: ClusterPolicies | undefined;
  readonly #podInfo: PodInfoWriter | undefined;
  readonly #stopped = new AbortController();
  readonly #owner: Owner | undefined;
  #begun: Promise<void> | undefined;
  #onLoaded: () => void = () => undefined;
  /** Resolves when the policies that the cluster had at the start are loaded. */
  readonly whenLoaded = new Promise<void>((resolve) => (this.#onLoaded = resolve));

  private constructor(api: Api, options: KubernetesOptions, labels: Readonly<Record<string, string>>, log: Log) {
    this.#api = withSignal(api, this.#stopped.signal);
    this.#options = options;
    this.#log = log;
    this.nodeLabels = labels;
    this.#owner = options.owner === undefined ? undefined : new Owner(this.#api, options.owner, log);
    this.#podInfo = options.podInfo ? new PodInfoWriter({ api: this.#api, log, nodes: () => this.#nodes }) : undefined;
    this.source = new PodSource(api, options.nodeName, {
      annotations: options.annotations,
      follower: this.#podInfo,
    });
  }

  /**
   * Reads the labels of the node. If the API server does not answer, the agent starts without them. Rejects with
   * ClusterError without a configuration, or if the node does not exist.
   */
  static async connect(options: KubernetesOptions, log: Log, api?: Api): Promise<Kubernetes> {
    const client = api ?? (await loadClient(options.kubeconfig));
    let labels: Readonly<Record<string, string>> = {};
    try {
      labels = await rejectAfter(options.startMs ?? START_MS, readNodeLabels(client, options.nodeName));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        throw new ClusterError(
          'nodeName',
          `the cluster has no node '${options.nodeName}': use a name of \`kubectl get nodes\``,
        );
      }
      log.warn({ reason: errorMessage(error) }, 'the API server did not answer: the labels of this node are not known');
    }
    return new Kubernetes(client, options, labels, log);
  }

  /** Resolves when the policies of the cluster are loaded, or when the API server does not answer in time. */
  async start(target: PolicyTarget): Promise<void> {
    this.#begun = this.#begin(target).catch((error: unknown) => {
      if (!this.#stopped.signal.aborted)
        this.#log.warn({ reason: errorMessage(error) }, 'the policies of the cluster are not followed');
    });
    await rejectAfter(this.#options.startMs ?? START_MS, this.#begun).catch((error: unknown) => {
      this.#log.warn({ reason: errorMessage(error) }, 'the policies of the cluster come later');
    });
  }

  async #begin(target: PolicyTarget): Promise<void> {
    const { nodeName, policies, podInfo } = this.#options;
    this.#labels = watchLabels(this.#api, nodeName, this.nodeLabels, (labels) => this.#updateLabels(target, labels));
    void this.#owner?.confirm(this.#stopped.signal);
    await this.#labels.start();
    if (policies || podInfo) await this.#countNodes();
    if (!policies) return this.#onLoaded();
    const status = (await this.#canWriteStatus()) ? this.#createStatusWriter() : undefined;
    if (this.#stopped.signal.aborted) return;
    this.#policies = new ClusterPolicies({ api: this.#api, nodeName, target, status, log: this.#log });
    void this.#policies.whenLoaded.then(this.#onLoaded);
    await this.#policies.start();
  }

  /** If this rejects, the watch reports the labels again. */
  async #updateLabels(target: PolicyTarget, labels: Readonly<Record<string, string>>): Promise<void> {
    try {
      await target.setNodeLabels(labels);
    } catch (error) {
      this.#log.warn({ reason: errorMessage(error) }, 'policies do not follow the new labels of this node yet');
      throw error;
    }
    this.#log.info({}, 'the labels of this node have changed');
    this.#policies?.refresh();
  }

  /** True when the policies that the cluster had at the start are loaded. */
  get isLoaded(): boolean {
    return !this.#options.policies || this.#policies?.isLoaded === true;
  }

  /** True if the DaemonSet of the agent is deleted, so that no other agent follows. */
  async isOwnerGone(): Promise<boolean> {
    return (await this.#owner?.isGone()) === true;
  }

  /** Stops the watches. Policies stay loaded, and their status stays. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const ended = Promise.all([this.#labels?.stop(), this.#policies?.stop(), this.#podInfo?.stop()]);
    await rejectAfter(STOP_MS, ended).catch(() => undefined);
    this.#stopped.abort();
    await Promise.all([this.#begun, ended]);
    clearInterval(this.#timer);
  }

  #createStatusWriter(): StatusWriter {
    const { nodeName } = this.#options;
    return new StatusWriter({ api: this.#api, nodeName, log: this.#log, nodes: () => this.#nodes });
  }

  /** Asks until the API server answers, because it can be away when the agent starts. */
  async #canWriteStatus(): Promise<boolean> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        if (await hasOwnStatus(this.#api)) return true;
        this.#log.info({}, 'the resources of policies belong to another program: their status is not written');
        return false;
      } catch (error) {
        if (isAnswer(error)) {
          this.#log.warn({ reason: errorMessage(error) }, 'the status of policies is not written');
          return false;
        }
        this.#log.warn({ reason: errorMessage(error) }, 'the API server is away: policies stay as they are');
        await wait(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return false;
  }

  /** Counts the nodes now and each hour. If the API server does not answer, the last count stays. */
  async #countNodes(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#countNodes(), COUNT_MS).unref();
    try {
      this.#nodes = await countNodes(this.#api);
    } catch (error) {
      this.#log.debug({ reason: errorMessage(error) }, 'the nodes were not counted');
    }
  }
}

/** True for an answer that another try does not change. */
function isAnswer(error: unknown): boolean {
  return error instanceof MissingDefinitionError || (error instanceof ApiError && error.status < 429);
}

async function loadClient(kubeconfig: string | undefined): Promise<Api> {
  try {
    return await ApiClient.load(kubeconfig);
  } catch (error) {
    const what = kubeconfig === undefined ? 'the service account of the pod' : kubeconfig;
    throw new ClusterError('k8sKubeconfigPath', `${what} cannot be read: ${errorMessage(error)} (name a kubeconfig)`);
  }
}
