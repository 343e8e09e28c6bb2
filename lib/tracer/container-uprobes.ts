/**
 * Attaches the uprobes whose path is below the root of a container (`resolvePathInContainer`). Containers come and go: each one
 * gets the uprobes of the policies that apply to it when its root exists, which is before its first program runs. Containers of
 * one image share their files, and the kernel attaches a uprobe to a file, so there is one hook for each file.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ContainerInfo } from '../../types/containers.js';
import type { ContainerUprobeStatus } from '../../types/tracer.js';
import { formatHookPosition } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import type { ContainerStore, KnownContainer } from '../containers/container-store.js';
import { withContainerFile, type ContainerCgroup } from '../elf-files/container-file.js';
import { PolytraceError } from '../errors.js';
import { containsContainer } from './scope-members.js';

/** Maximum number of files of containers that the hooks of one policy are attached to. */
export const CONTAINER_FILES_MAX = 128;
/** A runtime needs some time from the cgroup of a container to its root. */
const FIRST_DELAY_MS = 10;
const TRIES_MAX = 20;

/** One hook in the kernel, attached to one file. */
export interface FileHook {
  detach(): Promise<void>;
}

/** Attaches the hook to a file. Resolves with undefined if the policy allows that the symbol or the digest is missing. */
export type AttachToFile = (hook: CompiledHook, file: string) => Promise<FileHook | undefined>;

/** Opens a file of a container. Tests replace it. */
export type OpenFile = typeof withContainerFile;

export interface ContainerUprobesOptions {
  readonly containers: Pick<ContainerStore, 'containers' | 'get'>;
  /** Mount point of the whole unified hierarchy of cgroups. */
  readonly mount: string | undefined;
  /** False without the option `containers`: no container is known. */
  readonly isWatching: boolean;
  /** Runs a change of the tracer's hooks after the changes before it. */
  readonly change: (run: () => Promise<boolean>) => Promise<boolean>;
  readonly openFile?: OpenFile;
}

interface AttachedFile {
  /** Undefined if the policy allows that the symbol is missing. */
  readonly hook: FileHook | undefined;
  readonly containers: Set<string>;
}

/** The uprobes of one policy. */
export class PolicyUprobes {
  readonly compiled: CompiledPolicy;
  readonly hooks: readonly CompiledHook[];
  readonly attach: AttachToFile;
  /** By the position of the hook and the key of the file. */
  readonly files = new Map<string, AttachedFile>();
  /** The containers without an attached hook, by the position of the hook and the id of the container. */
  readonly problems = new Map<string, 'waiting' | 'missing' | Error>();
  #hasWarned = false;

  constructor(compiled: CompiledPolicy, attach: AttachToFile) {
    this.compiled = compiled;
    this.hooks = compiled.hooks.filter(isInContainers);
    this.attach = attach;
  }

  status(): ContainerUprobeStatus {
    const problems = [...this.problems.values()];
    const errors = problems.filter((each) => each instanceof Error);
    const attached = new Set([...this.files.values()].flatMap(({ containers }) => [...containers]));
    return {
      containers: attached.size,
      files: this.files.size,
      waiting: problems.filter((each) => each === 'waiting').length,
      missing: problems.filter((each) => each === 'missing').length,
      failed: errors.length,
      ...(errors[0] === undefined ? {} : { error: errors[0].message }),
    };
  }

  fail(key: string, error: Error, { id, name = id }: ContainerInfo): void {
    this.problems.set(key, error);
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    process.emitWarning(`policy ${this.compiled.name}: container ${name}: ${error.message}`, {
      type: 'PolytraceWarning',
      code: 'POLYTRACE_CONTAINER_UPROBE',
    });
  }
}

export function isInContainers({ program }: CompiledHook): boolean {
  return program?.inContainers === true;
}

export class ContainerUprobes {
  readonly #options: ContainerUprobesOptions;
  readonly #openFile: OpenFile;
  readonly #policies = new Set<PolicyUprobes>();
  /** The containers that are attached now, or whose root is awaited. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();

  constructor(options: ContainerUprobesOptions) {
    this.#options = options;
    this.#openFile = options.openFile ?? withContainerFile;
  }

  close(): void {
    this.#closed.abort();
  }

  /** Resolves when the running containers have the uprobes of the policy. */
  async add(policy: PolicyUprobes): Promise<void> {
    const [first] = policy.hooks;
    if (first === undefined) return;
    this.#checkPossible(first);
    this.#policies.add(policy);
    for (const container of this.#options.containers.containers()) {
      if (await this.#attachPolicy(policy, container)) void this.#follow(container.info.id);
    }
  }

  #checkPossible(hook: CompiledHook): void {
    if (this.#options.isWatching && this.#options.mount !== undefined) return;
    throw new PolytraceError(
      'CONTAINERS_NOT_WATCHED',
      `${formatHookPosition(hook)}: the path is below the root of containers (resolvePathInContainer), and this tracer ` +
        (this.#options.isWatching ? 'does not see the cgroups of containers' : 'does not watch containers'),
      'open the tracer with `containers: true` (`--containers`); run a container with --cgroupns=host',
    );
  }

  /** The caller detaches the hooks. */
  remove(policy: PolicyUprobes): void {
    this.#policies.delete(policy);
  }

  /** Resolves when the container has its uprobes, or when its root does not exist after some time. */
  onChanged({ info, cgroupId }: KnownContainer): Promise<void> | void {
    if (this.#policies.size === 0 || cgroupId === 0n) return;
    return this.#follow(info.id);
  }

  onRemoved({ info }: KnownContainer): void {
    if (this.#policies.size === 0 || this.#closed.signal.aborted) return;
    this.#options.change(() => this.#forget(info.id)).catch(() => undefined);
  }

  #follow(id: string): Promise<void> {
    const running = this.#running.get(id) ?? this.#attachWhenReady(id).finally(() => this.#running.delete(id));
    this.#running.set(id, running);
    return running;
  }

  async #attachWhenReady(id: string): Promise<void> {
    const { signal } = this.#closed;
    for (let i = 0; i < TRIES_MAX && !signal.aborted; i++) {
      const isWaiting = await this.#options.change(() => this.#attachContainer(id));
      if (!isWaiting) return;
      await pause(FIRST_DELAY_MS * 2 ** Math.floor(i / 2), undefined, { ref: false, signal }).catch(() => undefined);
    }
  }

  /** Returns true if the container is not ready. */
  async #attachContainer(id: string): Promise<boolean> {
    let isWaiting = false;
    for (const policy of this.#policies) {
      const container = this.#options.containers.get(id);
      if (container !== undefined && (await this.#attachPolicy(policy, container))) isWaiting = true;
    }
    return isWaiting;
  }

  async #attachPolicy(policy: PolicyUprobes, { info, cgroupId }: KnownContainer): Promise<boolean> {
    const { mount } = this.#options;
    if (mount === undefined || cgroupId === 0n || info.cgroupPath === undefined) return false;
    const cgroup = { folder: mount + info.cgroupPath, path: info.cgroupPath };
    let isWaiting = false;
    for (const [i, hook] of policy.hooks.entries()) {
      const problem = `${i} ${info.id}`;
      if (!appliesTo(policy.compiled, hook, info)) await this.#release(policy, info.id, i);
      else if (!isAttached(policy, i, info.id)) await this.#attachHook(policy, i, cgroup, info);
      if (policy.problems.get(problem) === 'waiting') isWaiting = true;
    }
    return isWaiting;
  }

  async #attachHook(policy: PolicyUprobes, i: number, cgroup: ContainerCgroup, info: ContainerInfo): Promise<void> {
    const hook = policy.hooks[i] as CompiledHook;
    const path = hook.program?.path ?? '';
    const problem = `${i} ${info.id}`;
    policy.problems.delete(problem);
    try {
      const state = await this.#openFile(cgroup, path, async (file, key) => {
        await attachFile(policy, i, file, key, info.id);
      });
      if (state === 'silent') throw new Error(`${path} does not answer`);
      if (state !== 'found') policy.problems.set(problem, state);
    } catch (error) {
      policy.fail(problem, error as Error, info);
    }
  }

  async #forget(id: string): Promise<boolean> {
    for (const policy of this.#policies) {
      for (const i of policy.hooks.keys()) await this.#release(policy, id, i);
    }
    return false;
  }

  /** Detaches the hook from the file of the container, unless another container has the same file. */
  async #release(policy: PolicyUprobes, id: string, i: number): Promise<void> {
    policy.problems.delete(`${i} ${id}`);
    for (const [key, { hook, containers }] of policy.files) {
      if (!key.startsWith(`${i} `) || !containers.delete(id) || containers.size > 0) continue;
      policy.files.delete(key);
      await hook?.detach();
    }
  }
}

async function attachFile(
  policy: PolicyUprobes,
  i: number,
  file: string,
  fileKey: string,
  container: string,
): Promise<void> {
  const key = `${i} ${fileKey}`;
  const known = policy.files.get(key);
  if (known !== undefined) {
    known.containers.add(container);
    return;
  }
  if (policy.files.size >= CONTAINER_FILES_MAX) {
    throw new Error(`the policy is attached to ${CONTAINER_FILES_MAX} files of containers, which is the limit`);
  }
  const hook = await policy.attach(policy.hooks[i] as CompiledHook, file);
  policy.files.set(key, { hook, containers: new Set([container]) });
}

function isAttached({ files }: PolicyUprobes, i: number, id: string): boolean {
  return [...files].some(([key, { containers }]) => key.startsWith(`${i} `) && containers.has(id));
}

/** True if at least one selector of the hook can match in the container. */
function appliesTo({ scopes }: CompiledPolicy, hook: CompiledHook, info: ContainerInfo): boolean {
  const selectors = Array.from({ length: Math.max(hook.selectors, 1) }, (_, selector) => selector);
  return selectors.some((selector) =>
    hook.scopes.every(({ scope, selectors: own }) => {
      const tested = scopes[scope];
      return !own.includes(selector) || tested === undefined || containsContainer(tested, info);
    }),
  );
}
