/**
 * Reports the containers of this node's pods from the API server, with labels and workloads. Changed labels are
 * reported too.
 */
import type { ContainerInfo, ContainerSink, ContainerSource, PodInfo } from 'polytrace';
import type { Api } from './client.js';
import { Watch, type KubeObject } from './watch.js';
import { podWorkload } from './workload.js';

interface ContainerStatus {
  readonly name: string;
  /** `RUNTIME://ID`; empty before the container exists. */
  readonly containerID?: string;
  readonly image?: string;
  readonly imageID?: string;
  readonly state?: { readonly running?: { readonly startedAt?: string }; readonly terminated?: object };
}

interface Probe {
  readonly exec?: { readonly command?: readonly string[] };
}

interface ContainerSpec {
  readonly name: string;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
}

export interface Pod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly containers?: readonly ContainerSpec[];
    /** Init containers that keep running as sidecars can have probes. */
    readonly initContainers?: readonly ContainerSpec[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip?: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  };
}

/** Receives the pods of this node. */
export interface PodFollower {
  replaceAll(pods: readonly Pod[]): void;
  set(pod: Pod): void;
  remove(pod: Pod): void;
  /** Receives the error of the connection, or undefined when it works. */
  setConnection(error: Error | undefined): void;
}

interface PodSourceOptions {
  /** Also report the annotations of pods. */
  readonly annotations?: boolean;
  readonly follower?: PodFollower | undefined;
}

export class PodSource implements ContainerSource {
  readonly name = 'kubernetes';
  readonly #watch: Watch<Pod>;
  readonly #follower: PodFollower | undefined;
  readonly #annotations: boolean;
  #sink: ContainerSink | undefined;
  /** The containers of each pod, by the pod's uid. */
  readonly #known = new Map<string, ReadonlyMap<string, ContainerInfo>>();

  constructor(api: Api, nodeName: string, { annotations = false, follower }: PodSourceOptions = {}) {
    this.#annotations = annotations;
    this.#follower = follower;
    this.#watch = new Watch<Pod>(
      api,
      '/api/v1/pods',
      { fieldSelector: `spec.nodeName=${nodeName}` },
      {
        replaceAll: (pods) => this.#replaceAll(pods),
        set: (pod) => {
          follower?.set(pod);
          return this.#set(pod);
        },
        remove: (pod) => {
          follower?.remove(pod);
          this.#remove(podUid(pod));
        },
        setConnection: (error) => {
          follower?.setConnection(error);
          this.#sink?.state(error === undefined, error);
        },
      },
    );
  }

  async start(sink: ContainerSink): Promise<void> {
    this.#sink = sink;
    await this.#watch.start();
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  async #replaceAll(pods: readonly Pod[]): Promise<void> {
    this.#follower?.replaceAll(pods);
    const present = new Set(pods.map(podUid));
    for (const uid of [...this.#known.keys()]) if (!present.has(uid)) this.#remove(uid);
    for (const pod of pods) await this.#set(pod);
    this.#sink?.state(true);
  }

  async #set(pod: Pod): Promise<void> {
    const uid = podUid(pod);
    const now = new Map(toContainers(pod, this.#annotations).map((info) => [info.id, info]));
    for (const id of this.#known.get(uid)?.keys() ?? []) if (!now.has(id)) this.#sink?.remove(id);
    this.#known.set(uid, now);
    await Promise.all([...now.values()].map(async (info) => this.#add(info)));
  }

  /** An error of one container does not affect the others. */
  async #add(info: ContainerInfo): Promise<void> {
    try {
      await this.#sink?.add(info);
    } catch (error) {
      this.#sink?.state(true, error as Error);
    }
  }

  #remove(uid: string): void {
    for (const id of this.#known.get(uid)?.keys() ?? []) this.#sink?.remove(id);
    this.#known.delete(uid);
  }
}

const podUid = ({ metadata: { uid, namespace = '', name } }: Pod): string => uid ?? `${namespace}/${name}`;

/** Returns the existing containers of a pod that have not ended. */
export function toContainers(pod: Pod, withAnnotations: boolean): ContainerInfo[] {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  const info = toPodInfo(pod, withAnnotations);
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses].flatMap((status) => {
    const [, runtime, id] = /^([^:]+):\/\/(.+)$/.exec(status.containerID ?? '') ?? [];
    if (runtime === undefined || id === undefined || status.state?.terminated !== undefined) return [];
    return [{ ...toContainer(status, runtime, id, info), ...toExecProbes(pod, status.name) }];
  });
}

function toExecProbes({ spec }: Pod, name: string): Pick<ContainerInfo, 'execProbes'> {
  const found = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].find((each) => each.name === name);
  const probes = [found?.livenessProbe, found?.readinessProbe, found?.startupProbe];
  const execProbes = probes.map((probe) => probe?.exec?.command ?? []).filter((command) => command.length > 0);
  return execProbes.length === 0 ? {} : { execProbes };
}

function toContainer(status: ContainerStatus, runtime: string, id: string, pod: PodInfo): ContainerInfo {
  const { name, image = '', imageID = '', state } = status;
  const startTime = state?.running?.startedAt;
  return {
    id,
    runtime,
    name,
    ...(image === '' ? {} : { image: { name: image, ...(imageID === '' ? {} : { id: imageID }) } }),
    ...(startTime === undefined ? {} : { startTime }),
    pod,
  };
}

function toPodInfo({ metadata }: Pod, withAnnotations: boolean): PodInfo {
  const { name, namespace = '', uid, labels = {}, annotations = {} } = metadata;
  return {
    namespace,
    name,
    ...(uid === undefined ? {} : { uid }),
    labels,
    ...(withAnnotations ? { annotations } : {}),
    ...podWorkload(metadata),
  };
}
