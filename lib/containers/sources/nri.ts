/**
 * The source for containerd and CRI-O with the Node Resource Interface (NRI). This process is a plugin. The runtime reports each
 * container before it starts, and waits for the answer.
 */
import type { ContainerInfo, PodInfo } from '../../../types/containers.js';
import { parseCgroupsPath } from '../cgroups-path.js';
import { podFromSandbox } from '../pods.js';
import { loadProtobuf, type Protobuf } from '../protobuf.js';
import type { Container, PodSandbox } from '../proto/nri.gen.js';
import { forEachConcurrently, SocketSource, type ContainerReporter } from './connection.js';
import { NriConnection } from './ttrpc.js';

/** Index of the last plugin. It sees the changes of the other plugins, such as the cgroup. */
const INDEX = '99';
/** Annotations of containerd and CRI-O with the name of the image. */
const IMAGE_NAMES = ['io.kubernetes.cri.image-name', 'io.kubernetes.cri-o.ImageName'];
const EMPTY = new Uint8Array();

export class NriSource extends SocketSource {
  readonly name = 'nri';
  readonly runtimes = ['containerd', 'cri-o'];
  readonly #waitMs: number;
  #late = 0;

  /** The runtime waits at most `waitMs` for an answer. */
  constructor(sockets: readonly string[], waitMs: number) {
    super(sockets);
    this.#waitMs = waitMs;
  }

  /** Number of containers that started before the policies knew them, because that took too long or failed. */
  get late(): number {
    return this.#late;
  }

  protected async connect(socket: string, reporter: ContainerReporter, signal: AbortSignal): Promise<void> {
    const protobuf = loadProtobuf();
    const { nri, encode } = protobuf;
    const plugin = new Plugin(protobuf, reporter, (info) => this.#reportInTime(reporter, info));
    const connection = new NriConnection(socket, protobuf, (method, payload) => plugin.serve(method, payload));
    const close = (): void => connection.close();
    signal.addEventListener('abort', close);
    try {
      const request = encode(nri.RegisterPluginRequestSchema, { pluginName: 'polytrace', pluginIdx: INDEX });
      await connection.call('nri.pkg.api.v1alpha1.Runtime', 'RegisterPlugin', request);
      await connection.ended;
      throw new Error('the runtime has closed the connection');
    } finally {
      signal.removeEventListener('abort', close);
      connection.close();
    }
  }

  /** Resolves when the policies know the container, or after `waitMs`. */
  async #reportInTime(reporter: ContainerReporter, info: ContainerInfo): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), this.#waitMs).unref();
    });
    const known = reporter.add(info).then(() => false);
    if (await Promise.race([known, late])) this.#late++;
    clearTimeout(timer);
  }
}

/** The service that the runtime calls. */
class Plugin {
  readonly #protobuf: Protobuf;
  readonly #report: ContainerReporter;
  readonly #add: (info: ContainerInfo) => Promise<void>;
  readonly #pods = new Map<string, PodInfo>();
  #runtime = 'containerd';

  constructor(protobuf: Protobuf, reporter: ContainerReporter, add: (info: ContainerInfo) => Promise<void>) {
    this.#protobuf = protobuf;
    this.#report = reporter;
    this.#add = add;
  }

  async serve(method: string, payload: Uint8Array): Promise<Uint8Array | undefined> {
    const { nri, decode } = this.#protobuf;
    switch (method) {
      case 'Configure':
        return this.#configure(payload);
      case 'Synchronize':
        return this.#synchronize(payload);
      case 'CreateContainer': {
        const { pod, container } = decode(nri.CreateContainerRequestSchema, payload);
        await this.#onStarted(pod, container);
        return EMPTY;
      }
      case 'StateChange':
        await this.#onStateChange(payload);
        return EMPTY;
      case 'UpdateContainer':
      case 'StopContainer':
      case 'Shutdown':
        return EMPTY;
      default:
        return undefined;
    }
  }

  #configure(payload: Uint8Array): Uint8Array {
    const { nri, encode, decode } = this.#protobuf;
    const { runtimeName } = decode(nri.ConfigureRequestSchema, payload);
    if (runtimeName !== '') this.#runtime = runtimeName;
    const { RUN_POD_SANDBOX, REMOVE_POD_SANDBOX, CREATE_CONTAINER, START_CONTAINER, REMOVE_CONTAINER } = nri.Event;
    const wanted = [RUN_POD_SANDBOX, REMOVE_POD_SANDBOX, CREATE_CONTAINER, START_CONTAINER, REMOVE_CONTAINER];
    const events = wanted.reduce((mask, event) => mask | (1 << (event - 1)), 0);
    return encode(nri.ConfigureResponseSchema, { events });
  }

  async #synchronize(payload: Uint8Array): Promise<Uint8Array> {
    const { nri, encode, decode } = this.#protobuf;
    const { pods, containers, more } = decode(nri.SynchronizeRequestSchema, payload);
    const running = containers.filter(({ state }) => state !== nri.ContainerState.CONTAINER_STOPPED);
    for (const pod of pods) this.#storePod(pod);
    await forEachConcurrently(pods, (pod) => this.#add(this.#sandboxInfo(pod)));
    await forEachConcurrently(running, (container) => this.#add(this.#containerInfo(container)));
    if (!more) this.#report.complete();
    return encode(nri.SynchronizeResponseSchema, { more });
  }

  async #onStateChange(payload: Uint8Array): Promise<void> {
    const { nri, decode } = this.#protobuf;
    const { event, pod, container } = decode(nri.StateChangeEventSchema, payload);
    switch (event) {
      case nri.Event.RUN_POD_SANDBOX:
        if (pod === undefined) return;
        this.#storePod(pod);
        return this.#add(this.#sandboxInfo(pod));
      case nri.Event.START_CONTAINER:
        return this.#onStarted(pod, container);
      case nri.Event.REMOVE_CONTAINER:
        if (container !== undefined) this.#report.remove(container.id);
        return;
      case nri.Event.REMOVE_POD_SANDBOX:
        if (pod === undefined) return;
        this.#pods.delete(pod.id);
        this.#report.remove(pod.id);
        return;
      case nri.Event.UNKNOWN:
      case nri.Event.STOP_POD_SANDBOX:
      case nri.Event.CREATE_CONTAINER:
      case nri.Event.POST_CREATE_CONTAINER:
      case nri.Event.POST_START_CONTAINER:
      case nri.Event.UPDATE_CONTAINER:
      case nri.Event.POST_UPDATE_CONTAINER:
      case nri.Event.STOP_CONTAINER:
        return; // these do not change what is known about a container
    }
  }

  async #onStarted(pod: PodSandbox | undefined, container: Container | undefined): Promise<void> {
    if (pod !== undefined) this.#storePod(pod);
    if (container !== undefined) await this.#add(this.#containerInfo(container));
  }

  #storePod(pod: PodSandbox): void {
    this.#pods.set(pod.id, podFromSandbox(pod, pod.labels, pod.annotations));
  }

  #sandboxInfo(pod: PodSandbox): ContainerInfo {
    return {
      id: pod.id,
      runtime: this.#runtime,
      ...processInfo(pod.pid, pod.linux?.cgroupsPath),
      pod: podFromSandbox(pod, pod.labels, pod.annotations),
    };
  }

  #containerInfo({ id, name, labels, annotations, podSandboxId, pid, linux }: Container): ContainerInfo {
    const pod = this.#pods.get(podSandboxId);
    const image = IMAGE_NAMES.map((key) => annotations[key]).find((value) => value !== undefined);
    return {
      id,
      runtime: this.#runtime,
      name,
      labels,
      ...(image === undefined ? {} : { image: { name: image } }),
      ...processInfo(pid, linux?.cgroupsPath),
      ...(pod === undefined ? {} : { pod }),
    };
  }
}

function processInfo(pid: number, cgroupsPath: string | undefined): Pick<ContainerInfo, 'pid' | 'cgroupPath'> {
  const cgroupPath = parseCgroupsPath(cgroupsPath === '' ? undefined : cgroupsPath);
  return { ...(pid > 0 ? { pid } : {}), ...(cgroupPath === undefined ? {} : { cgroupPath }) };
}
