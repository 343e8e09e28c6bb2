/** Reports containers that a hook of a container runtime announces before they start (RuntimeHook). */
import { status as Code } from '@grpc/grpc-js';
import type { ContainerInfo, ContainerSink, ContainerSource } from 'polytrace';
import type { CreateContainer } from 'polytrace/protocol';
import { CallError } from './call-error.js';

/** An announced container may never start. Above this number, the oldest one is forgotten. */
const ANNOUNCED_MAX = 8192;

/** Adds announced containers. The kernel reports their end. */
export class RuntimeHookSource implements ContainerSource {
  readonly name = 'runtime-hook';
  readonly #announced = new Set<string>();
  #sink: ContainerSink | undefined;

  /** The source is not connected before the first announcement. Until then, no event waits for it. */
  start(sink: ContainerSink): Promise<void> {
    this.#sink = sink;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#sink = undefined;
    return Promise.resolve();
  }

  /** Resolves when the kernel has the scopes of the policies for the container. Then the container may start. */
  async announce(container: CreateContainer): Promise<void> {
    const sink = this.#sink;
    if (sink === undefined) throw new CallError(Code.FAILED_PRECONDITION, 'the agent does not watch containers');
    const { containerID: id } = container;
    if (id === '') throw new CallError(Code.INVALID_ARGUMENT, 'createContainer.containerID: it is empty');
    await sink.add(toContainerInfo(container));
    sink.state(true);
    this.#announced.delete(id);
    this.#announced.add(id);
    if (this.#announced.size <= ANNOUNCED_MAX) return;
    const [oldest = ''] = this.#announced;
    this.#announced.delete(oldest);
    sink.remove(oldest);
  }
}

/**
 * The annotations of the request belong to the container, not to the pod, so they are ignored. The cgroup is found by
 * the id in its path.
 */
function toContainerInfo(request: CreateContainer): ContainerInfo {
  const { containerID: id, containerName: name, containerImage: image } = request;
  const { podName, podNamespace: namespace, podUID: uid } = request;
  return {
    id,
    ...(name === '' ? {} : { name }),
    ...(image === '' ? {} : { image: { name: image } }),
    ...(podName === '' ? {} : { pod: { name: podName, namespace, ...(uid === '' ? {} : { uid }) } }),
  };
}
