/** Containers that a hook of a container runtime announces before they start (RuntimeHook). */
import { status as Code } from '@grpc/grpc-js';
import type { ContainerInfo, ContainerSink, ContainerSource } from 'polytrace';
import type { CreateContainer } from '../proto/tetragon/tetragon.gen.js';
import { CallError } from './service.js';

/** A container that is announced may never start. Of more of them, the oldest is forgotten. */
const ANNOUNCED_MAX = 8192;

/** The kernel says when a container ends. */
export class RuntimeHookSource implements ContainerSource {
  readonly name = 'runtime-hook';
  readonly #announced = new Set<string>();
  #sink: ContainerSink | undefined;

  /** It is not connected before a hook asks: until then, no event waits for it. */
  start(sink: ContainerSink): Promise<void> {
    this.#sink = sink;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#sink = undefined;
    return Promise.resolve();
  }

  /** Resolves when the policies' scopes are in the kernel: then the container may start. */
  async announce(container: CreateContainer): Promise<void> {
    const sink = this.#sink;
    if (sink === undefined) throw new CallError(Code.FAILED_PRECONDITION, 'the agent does not watch containers');
    const { containerID: id } = container;
    if (id === '') throw new CallError(Code.INVALID_ARGUMENT, 'createContainer.containerID: it is empty');
    await sink.add(infoOf(container));
    sink.state(true);
    this.#announced.delete(id);
    this.#announced.add(id);
    if (this.#announced.size <= ANNOUNCED_MAX) return;
    const [oldest = ''] = this.#announced;
    this.#announced.delete(oldest);
    sink.remove(oldest);
  }
}

/** The annotations are those of the container and not of the pod. Its cgroup is found by the id in the path. */
function infoOf(request: CreateContainer): ContainerInfo {
  const { containerID: id, containerName: name, containerImage: image } = request;
  const { podName, podNamespace: namespace, podUID: uid } = request;
  return {
    id,
    ...(name === '' ? {} : { name }),
    ...(image === '' ? {} : { image: { name: image } }),
    ...(podName === '' ? {} : { pod: { name: podName, namespace, ...(uid === '' ? {} : { uid }) } }),
  };
}
