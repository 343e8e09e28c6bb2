/** The agent in a cluster: policies from its resources, pods and labels from its API. */
import type { ContainerSource } from 'polytrace';
import { ApiClient, ApiError, type Api } from './client.js';
import { hasOwnStatus } from './crds.js';
import { countNodes, nodeLabels, watchLabels } from './node.js';
import { messageOf, type Log, type PolicyTarget } from './parts.js';
import { PodSource } from './pods.js';
import { ClusterPolicies } from './policies.js';
import { StatusWriter } from './status.js';
import type { KubeObject, Watch } from './watch.js';

export interface KubernetesOptions {
  readonly nodeName: string;
  /** File with the address of the API server. Without it, the pod's service account is used. */
  readonly kubeconfig?: string;
  /** Follow the resources of policies. */
  readonly policies: boolean;
  /** Report annotations of pods. */
  readonly annotations: boolean;
}

/** How often the nodes are counted. */
const COUNT_MS = 3_600_000;

export class Kubernetes {
  readonly #api: Api;
  readonly #options: KubernetesOptions;
  readonly #log: Log;
  /** Reports the containers of this node's pods. */
  readonly source: ContainerSource;
  /** The labels of this node, as they were at the start. */
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
   * Asks the API server for the labels of the node. If it does not answer, the agent starts without them. Rejects if there is no
   * configuration, or no such node.
   */
  static async connect(options: KubernetesOptions, log: Log, api?: Api): Promise<Kubernetes> {
    const client = api ?? (await ApiClient.load(options.kubeconfig));
    let labels: Readonly<Record<string, string>> = {};
    try {
      labels = await nodeLabels(client, options.nodeName);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        throw new Error(`the cluster has no node ${options.nodeName}: use --node-name`, { cause: error });
      }
      log.warn({ reason: messageOf(error) }, 'the API server did not answer: the labels of this node are not known');
    }
    return new Kubernetes(client, options, labels, log);
  }

  /** Resolves when the policies of the cluster are loaded, or when the API server does not answer. */
  async start(target: PolicyTarget): Promise<void> {
    const { nodeName, policies } = this.#options;
    this.#labels = watchLabels(this.#api, nodeName, this.nodeLabels, (labels) => this.#relabel(target, labels));
    await this.#labels.start();
    if (!policies) return;
    await this.#count();
    this.#timer = setInterval(() => void this.#count(), COUNT_MS);
    this.#timer.unref();
    const status = (await this.#hasStatus()) ? this.#writer() : undefined;
    this.#policies = new ClusterPolicies({ api: this.#api, nodeName, target, status, log: this.#log });
    await this.#policies.start();
  }

  /** If it rejects, the watch brings the labels again. */
  async #relabel(target: PolicyTarget, labels: Readonly<Record<string, string>>): Promise<void> {
    try {
      await target.setNodeLabels(labels);
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, 'policies do not follow the new labels of this node yet');
      throw error;
    }
    this.#log.info({}, 'the labels of this node have changed');
    this.#policies?.refresh();
  }

  /** Whether the policies that the cluster had at the start are loaded. */
  get isLoaded(): boolean {
    return this.#policies?.isLoaded ?? true;
  }

  /** Resolves when they are. */
  get loaded(): Promise<void> {
    return this.#policies?.loaded ?? Promise.resolve();
  }

  /** Policies stay loaded, and their status stays as it is. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.#labels?.stop(), this.#policies?.stop()]);
  }

  #writer(): StatusWriter {
    const { nodeName } = this.#options;
    return new StatusWriter({ api: this.#api, nodeName, log: this.#log, nodes: () => this.#nodes });
  }

  async #hasStatus(): Promise<boolean> {
    try {
      if (await hasOwnStatus(this.#api)) return true;
      this.#log.info({}, 'the resources of policies belong to another program: their status is not written');
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, 'the status of policies is not written');
    }
    return false;
  }

  /** Without an answer, the last number stays. */
  async #count(): Promise<void> {
    try {
      this.#nodes = await countNodes(this.#api);
    } catch (error) {
      this.#log.debug({ reason: messageOf(error) }, 'the nodes were not counted');
    }
  }
}
