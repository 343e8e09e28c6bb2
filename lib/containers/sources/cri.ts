/** The source for containerd and CRI-O with the Container Runtime Interface (CRI) of Kubernetes. */
import { setTimeout as wait } from 'node:timers/promises';
import type { ContainerInfo, PodInfo } from '../../../types/containers.js';
import { parseCgroupsPath } from '../cgroups-path.js';
import { podFromSandbox, podFromLabels } from '../pods.js';
import { loadProtobuf, type Protobuf } from '../protobuf.js';
import type { ContainerStatus } from '../proto/cri.gen.js';
import {
  reportFound,
  forEachConcurrently,
  SocketSource,
  type FoundContainer,
  type ContainerReporter,
} from './connection.js';
import { GrpcClient, GrpcError } from './grpc.js';
import { readMember, nonEmptyString } from './json.js';

/** Interval between two listings of a runtime without events. */
const POLL_MS = 2000;

export class CriSource extends SocketSource {
  readonly name = 'cri';
  readonly runtimes = ['containerd', 'cri-o'];
  #runtime: Runtime | undefined;

  protected async connect(socket: string, reporter: ContainerReporter, signal: AbortSignal): Promise<void> {
    const protobuf = loadProtobuf();
    const client = new GrpcClient(socket, 'runtime.v1.RuntimeService');
    const close = (): void => client.close();
    signal.addEventListener('abort', close);
    try {
      const runtime = new Runtime(client, protobuf);
      await runtime.readRuntimeName();
      // the stream starts before the listing, so that no change between the two is lost
      const changes = runtime.streamChanges();
      const first = changes.next();
      first.catch(() => undefined);
      await this.#list(runtime, reporter);
      this.#runtime = runtime;
      reporter.complete();
      try {
        await followChanges(runtime, reporter, changes, first);
      } catch (error) {
        if (!(error instanceof GrpcError && error.isUnimplemented)) throw error;
        await this.#poll(runtime, reporter, signal);
      }
      throw new Error('the runtime has ended its events');
    } finally {
      this.#runtime = undefined;
      signal.removeEventListener('abort', close);
      client.close();
    }
  }

  /** Returns the ids that were reported. */
  async #list(runtime: Runtime, reporter: ContainerReporter): Promise<Set<string>> {
    const ids = new Set(await runtime.listRunning());
    await forEachConcurrently([...ids], async (id) => reportFound(reporter, await runtime.find(id)));
    return ids;
  }

  async #poll(runtime: Runtime, reporter: ContainerReporter, signal: AbortSignal): Promise<void> {
    let before = await this.#list(runtime, reporter);
    for (;;) {
      await wait(POLL_MS, undefined, { signal, ref: false });
      const now = await this.#list(runtime, reporter);
      for (const id of before) if (!now.has(id)) reporter.remove(id);
      before = now;
    }
  }

  async find(id: string): Promise<void> {
    await this.addFound(await this.#runtime?.find(id));
  }
}

type Changes = AsyncGenerator<{ readonly id: string; readonly isEnd: boolean }, void>;

async function followChanges(
  runtime: Runtime,
  reporter: ContainerReporter,
  changes: Changes,
  first: ReturnType<Changes['next']>,
): Promise<void> {
  for (let next = await first; next.done !== true; next = await changes.next()) {
    const { id, isEnd } = next.value;
    if (isEnd) reporter.remove(id);
    else await reportFound(reporter, await runtime.find(id));
  }
}

/** Calls a runtime over one connection. */
class Runtime {
  readonly #client: GrpcClient;
  readonly #protobuf: Protobuf;
  readonly #pods = new Map<string, PodInfo>();
  #name = 'containerd';

  constructor(client: GrpcClient, protobuf: Protobuf) {
    this.#client = client;
    this.#protobuf = protobuf;
  }

  async readRuntimeName(): Promise<void> {
    const { cri, encode, decode } = this.#protobuf;
    const version = await this.#client.call('Version', encode(cri.VersionRequestSchema, {}));
    this.#name = decode(cri.VersionResponseSchema, version).runtimeName;
  }

  /** Returns the ids of running containers and sandboxes. A sandbox has its own process and cgroup. */
  async listRunning(): Promise<string[]> {
    const { cri, encode, decode } = this.#protobuf;
    const pods = await this.#client.call('ListPodSandbox', encode(cri.ListPodSandboxRequestSchema, {}));
    const list = await this.#client.call('ListContainers', encode(cri.ListContainersRequestSchema, {}));
    const { items } = decode(cri.ListPodSandboxResponseSchema, pods);
    const { containers } = decode(cri.ListContainersResponseSchema, list);
    const known = new Set(items.map(({ id }) => id));
    for (const id of this.#pods.keys()) if (!known.has(id)) this.#pods.delete(id);
    return [
      ...items.filter(({ state }) => state === cri.PodSandboxState.SANDBOX_READY).map(({ id }) => id),
      ...containers.filter(({ state }) => state <= cri.ContainerState.CONTAINER_RUNNING).map(({ id }) => id),
    ];
  }

  async *streamChanges(): Changes {
    const { cri, encode, decode } = this.#protobuf;
    for await (const bytes of this.#client.stream('GetContainerEvents', encode(cri.GetEventsRequestSchema, {}))) {
      const { containerId: id, containerEventType: type } = decode(cri.ContainerEventResponseSchema, bytes);
      if (type === cri.ContainerEventType.CONTAINER_DELETED_EVENT) this.#pods.delete(id);
      yield { id, isEnd: type >= cri.ContainerEventType.CONTAINER_STOPPED_EVENT };
    }
  }

  /** Finds a container or a sandbox. */
  async find(id: string): Promise<FoundContainer | undefined> {
    return (await this.#container(id)) ?? this.#sandbox(id);
  }

  async #container(id: string): Promise<FoundContainer | undefined> {
    const { cri, encode, decode } = this.#protobuf;
    const request = encode(cri.ContainerStatusRequestSchema, { containerId: id, verbose: true });
    const answer = await undefinedIfNotFound(this.#client.call('ContainerStatus', request));
    if (answer === undefined) return undefined;
    const { status, info } = decode(cri.ContainerStatusResponseSchema, answer);
    if (status === undefined) return undefined;
    const details = parseDetails(info);
    const isRunning = status.state <= cri.ContainerState.CONTAINER_RUNNING;
    const found = {
      ...details.processInfo,
      ...infoFromStatus(status),
      id,
      runtime: this.#name,
      privileged: readMember(details.json, 'config', 'linux', 'security_context', 'privileged') === true,
      pod: await this.#findPod(nonEmptyString(readMember(details.json, 'sandboxID')), status.labels),
    } as ContainerInfo;
    return { info: found, isRunning };
  }

  async #findPod(sandbox: string | undefined, labels: Readonly<Record<string, string>>): Promise<PodInfo | undefined> {
    if (sandbox !== undefined && !this.#pods.has(sandbox)) await this.#sandbox(sandbox);
    return this.#pods.get(sandbox ?? '') ?? podFromLabels(labels);
  }

  async #sandbox(id: string): Promise<FoundContainer | undefined> {
    const { cri, encode, decode } = this.#protobuf;
    const request = encode(cri.PodSandboxStatusRequestSchema, { podSandboxId: id, verbose: true });
    const answer = await undefinedIfNotFound(this.#client.call('PodSandboxStatus', request));
    if (answer === undefined) return undefined;
    const { status, info } = decode(cri.PodSandboxStatusResponseSchema, answer);
    if (status?.metadata === undefined) return undefined;
    const pod = podFromSandbox(status.metadata, status.labels, status.annotations);
    this.#pods.set(id, pod);
    const isRunning = status.state === cri.PodSandboxState.SANDBOX_READY;
    return { info: { ...parseDetails(info).processInfo, id, runtime: this.#name, pod }, isRunning };
  }
}

function infoFromStatus(status: ContainerStatus): Partial<ContainerInfo> {
  const { metadata, image, imageRef, startedAt, labels } = status;
  return {
    name: metadata?.name ?? '',
    image: { id: imageRef, name: nonEmptyString(image?.userSpecifiedImage) ?? image?.image ?? '' },
    labels,
    ...(startedAt === 0n ? {} : { startTime: new Date(Number(startedAt / 1_000_000n)).toISOString() }),
  };
}

/** Parses the additional JSON of a runtime. containerd and CRI-O have the same members. */
function parseDetails(info: Readonly<Record<string, string>>): {
  readonly json: unknown;
  readonly processInfo: Partial<ContainerInfo>;
} {
  const json = parseJson(info['info']);
  const pid = readMember(json, 'pid');
  const cgroupPath = parseCgroupsPath(nonEmptyString(readMember(json, 'runtimeSpec', 'linux', 'cgroupsPath')));
  const processInfo = {
    ...(typeof pid === 'number' && pid > 0 ? { pid } : {}),
    ...(cgroupPath === undefined ? {} : { cgroupPath }),
  };
  return { json, processInfo };
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '{}');
  } catch {
    return {};
  }
}

async function undefinedIfNotFound(answer: Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof GrpcError && error.isNotFound) return undefined;
    throw error;
  }
}
