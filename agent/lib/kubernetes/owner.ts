/**
 * The DaemonSet of the agent. Policies that stay active without an agent must not outlive it: after `helm uninstall`,
 * nothing would end them before the node restarts.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { ApiError, type Api } from './client.js';
import { rejectAfter } from './deadlines.js';
import { errorMessage, type Log } from './dependencies.js';
import type { KubeObject } from './watch.js';

const RETRY_MS = 30_000;
/** The kubelet gives a pod 10 seconds to end. */
const ANSWER_MS = 2000;

export class Owner {
  readonly #api: Api;
  readonly #path: string;
  readonly #log: Log;
  #isConfirmed = false;

  /** `name`: NAMESPACE/NAME of a DaemonSet. */
  constructor(api: Api, name: string, log: Log) {
    const [namespace = '', object = ''] = name.split('/');
    this.#api = api;
    this.#path = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/daemonsets/${encodeURIComponent(object)}`;
    this.#log = log;
  }

  /** Looks at the DaemonSet once. Only one that the agent has seen can be gone later. */
  async confirm(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#isConfirmed) {
      try {
        await this.#api.call('GET', this.#path);
        this.#isConfirmed = true;
      } catch (error) {
        if (error instanceof ApiError && error.status < 429) {
          const detail = { owner: this.#path, reason: errorMessage(error) };
          this.#log.warn(detail, 'policies stay active when the DaemonSet of the agent is deleted');
          return;
        }
        await wait(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /**
   * True if the DaemonSet is deleted, or is being deleted. Its rights are often deleted with it, so a refusal counts as
   * well. Without an answer, the policies stay.
   */
  async isGone(): Promise<boolean> {
    if (!this.#isConfirmed) return false;
    try {
      const { metadata } = await rejectAfter(ANSWER_MS, this.#api.call<KubeObject>('GET', this.#path));
      return metadata.deletionTimestamp !== undefined;
    } catch (error) {
      return error instanceof ApiError && [401, 403, 404].includes(error.status);
    }
  }
}
