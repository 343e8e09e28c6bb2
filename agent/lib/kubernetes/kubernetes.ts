/** Connects the agent to a cluster: policies come from its resources, and pods and labels from its API. */
import type { ContainerSource } from 'polytrace';
import { ApiClient, ApiError, type Api } from './client.js';
import { hasOwnStatus } from './crds.js';
import { countNodes, readNodeLabels, watchLabels } from './node.js';
import { errorMessage, type Log, type PolicyTarget } from './dependencies.js';
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
}

/** Interval of counting the nodes. */
const COUNT_MS = 3_600_000;

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

  private constructor(api: Api, options: KubernetesOptions, labels: Readonly<Record<string, string>>, log: Log) {
    this.#api = api;
    this.#options = options;
    this.#log = log;
    this.nodeLabels = labels;
    this.source = new PodSource(api, options.nodeName, { annotations: options.annotations });
  }

  /**
   * Reads the labels of the node. If the API server does not answer, the agent starts without them. Rejects without a
   * configuration, or if the node does not exist.
   */
  static async connect(options: KubernetesOptions, log: Log, api?: Api): Promise<Kubernetes> {
    const client = api ?? (await ApiClient.load(options.kubeconfig));
    let labels: Readonly<Record<string, string>> = {};
    try {
      labels = await readNodeLabels(client, options.nodeName);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        throw new Error(`the cluster has no node ${options.nodeName}: use --node-name`, { cause: error });
      }
      log.warn({ reason: errorMessage(error) }, 'the API server did not answer: the labels of this node are not known');
    }
    return new Kubernetes(client, options, labels, log);
  }

  /** Resolves when the policies of the cluster are loaded, or when the API server does not answer. */
  async start(target: PolicyTarget): Promise<void> {
    const { nodeName, policies } = this.#options;
    this.#labels = watchLabels(this.#api, nodeName, this.nodeLabels, (labels) => this.#updateLabels(target, labels));
    await this.#labels.start();
    if (!policies) return;
    await this.#countNodes();
    this.#timer = setInterval(() => void this.#countNodes(), COUNT_MS);
    this.#timer.unref();
    const status = (await this.#canWriteStatus()) ? this.#createStatusWriter() : undefined;
    this.#policies = new ClusterPolicies({ api: this.#api, nodeName, target, status, log: this.#log });
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
    return this.#policies?.isLoaded ?? true;
  }

  /** Resolves when `isLoaded` becomes true. */
  get whenLoaded(): Promise<void> {
    return this.#policies?.whenLoaded ?? Promise.resolve();
  }

  /** Stops the watches. Policies stay loaded, and their status stays. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.#labels?.stop(), this.#policies?.stop()]);
  }

  #createStatusWriter(): StatusWriter {
    const { nodeName } = this.#options;
    return new StatusWriter({ api: this.#api, nodeName, log: this.#log, nodes: () => this.#nodes });
  }

  async #canWriteStatus(): Promise<boolean> {
    try {
      if (await hasOwnStatus(this.#api)) return true;
      this.#log.info({}, 'the resources of policies belong to another program: their status is not written');
    } catch (error) {
      this.#log.warn({ reason: errorMessage(error) }, 'the status of policies is not written');
    }
    return false;
  }

  /** If the API server does not answer, the last count stays. */
  async #countNodes(): Promise<void> {
    try {
      this.#nodes = await countNodes(this.#api);
    } catch (error) {
      this.#log.debug({ reason: errorMessage(error) }, 'the nodes were not counted');
    }
  }
}
