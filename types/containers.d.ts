/**
 * A container, as a source reports it. Its strings are not trusted, because whoever starts a container chooses its name and
 * labels. polytrace keeps at most 16,384 containers. Each has at most 512 labels, 512 annotations and 128 KiB of text.
 */
export interface ContainerInfo {
  /** Id that the runtime gave, 1 to 256 characters: for most runtimes 64 hexadecimal digits. */
  readonly id: string;
  /** Name of the runtime: `docker`, `containerd`, `cri-o`, `podman`, … */
  readonly runtime?: string;
  /** Name of the container. In a pod, its name in the pod. */
  readonly name?: string;
  readonly image?: {
    /** Digest, or `NAME@DIGEST`. */
    readonly id?: string;
    /** Name that the container was started with. */
    readonly name?: string;
  };
  readonly labels?: Readonly<Record<string, string>>;
  /** Start of the container: RFC 3339. */
  readonly startTime?: string;
  /** True if the container runs with the privileges of the host. */
  readonly privileged?: boolean;
  /** Id of the container's first process, in the initial pid namespace. */
  readonly pid?: number;
  /**
   * Commands of the exec probes of the container (liveness, readiness, startup), each with its arguments: at most 16. A source
   * that knows them makes `pod.container.maybeExecProbe` possible.
   */
  readonly execProbes?: readonly (readonly string[])[];
  /** Path of its cgroup, from the root of the unified hierarchy (cgroup v2). */
  readonly cgroupPath?: string;
  /** Pod of the container. Absent outside of Kubernetes. */
  readonly pod?: PodInfo;
  /** True if strings, labels or annotations were over the limits and were left out. polytrace sets it. */
  readonly truncated?: boolean;
}

/** A pod of Kubernetes. */
export interface PodInfo {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Name of the pod's controller, such as a Deployment. For a pod without a controller, the name of the pod. */
  readonly workload?: string;
  /** Kind of the workload, such as `Deployment`. */
  readonly workloadKind?: string;
}

/**
 * Reports containers to a tracer. Programs can implement it. A source belongs to one tracer.
 */
export interface ContainerSource {
  /** Name in `containerSources()`. It is unique among the sources of a tracer. */
  readonly name: string;
  /**
   * The runtimes whose containers the source reports, as in `ContainerInfo.runtime`. First events of other runtimes'
   * containers do not wait for this source. Default: all runtimes.
   */
  readonly runtimes?: readonly string[];
  /** Number of containers that started before the policies knew them. */
  readonly late?: number;
  /**
   * Starts the source. Resolves when the containers that already run are reported, or when the source is not connected.
   * From then on, the source reports changes and connects again by itself.
   */
  start(sink: ContainerSink): Promise<void>;
  /** Ends the source. It reports nothing more. */
  stop(): Promise<void>;
  /**
   * Requests one container whose events have arrived before its report. The source reports it to the sink if the runtime knows
   * it.
   */
  find?(id: string): Promise<void>;
}

/** The receiver of a source's reports. */
export interface ContainerSink {
  /**
   * Reports a new or changed container with all known data. Resolves when the kernel has the scopes of the container.
   * Rejects with CONTAINER_INVALID, CONTAINERS_FULL, or the error of the kernel.
   */
  add(info: ContainerInfo): Promise<void>;
  /** Reports that a container was removed. */
  remove(id: string): void;
  /** Reports whether the source is connected, and the last error. */
  state(connected: boolean, error?: Error): void;
}

/** State of a source of a tracer. */
export interface ContainerSourceStatus {
  readonly name: string;
  /** The source receives changes. */
  readonly connected: boolean;
  /** Reason why the source is not connected, or the last error. */
  readonly error?: string;
  /** Containers that the source has reported and not removed. */
  readonly containers: number;
  /**
   * Containers that started before the policies knew them, because that took too long or failed. Present for sources for which the
   * runtime waits.
   */
  readonly late?: number;
}
