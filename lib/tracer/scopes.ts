/**
 * The scopes of all loaded policies. Each scope has one bit in each cgroup. This file decides which containers are in a scope. The
 * kernel keeps the bits of their cgroups, and copies them to new cgroups below.
 */
import type { ScopeStatus } from '../../types/tracer.js';
import type { ContainerStore, KnownContainer } from '../containers/container-store.js';
import { KernelError } from '../errors.js';
import type { CompiledPolicy, Scope } from '../compiled/compiled-policy.js';
import { yieldToEventLoop } from '../cooperative.js';
import type { NativeSession } from '../native/binding.js';
import { kernelDetail, messageWithReason, type NativeError } from '../native/native-error.js';
import { AbiLimit, CgroupKind, ScopeSet } from '../wire/layout.gen.js';
import { containsContainer, containsHost, matchesNode, needsPods, needsSource, UNNAMED } from './scope-members.js';

type ScopeSession = Pick<NativeSession, 'enableScopes' | 'setScopes'>;
type Containers = Pick<ContainerStore, 'containers' | 'get' | 'subscribe' | 'sources'>;

export interface ScopeOptions {
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** Mount point of the whole unified hierarchy; undefined if this process does not see all of it. */
  readonly mount: string | undefined;
}

interface Entry {
  readonly scope: Scope;
  users: number;
}

/** The cgroup of a known container, and its scopes as a bit mask. */
interface Member {
  readonly cgroupId: bigint;
  readonly words: BigUint64Array;
}

/** This source finds containers by their cgroups. It does not report names or labels. */
const CGROUPS = 'cgroups';
/** These sources do not report labels of pods. */
const WITHOUT_PODS: readonly string[] = [CGROUPS, 'docker', 'podman'];

/** Number of containers between two yields to the event loop. */
const CONTAINERS_PER_SLICE = 256;

export class Scopes {
  readonly #session: ScopeSession;
  readonly #mount: string | undefined;
  #nodeLabels: Readonly<Record<string, string>>;
  readonly #scopes = new Map<number, Entry>();
  readonly #members = new Map<string, Member>();
  #containers: Containers | undefined;
  #unsubscribe: (() => void) | undefined;
  /** True after the kernel was told to keep scopes. */
  #isUsed = false;
  /** Changes that the kernel does not have yet: cgroups with their scopes, or with undefined if they have no name any more. */
  #changed = new Map<bigint, BigUint64Array | undefined>();
  /** The next write. It includes every change that is queued before it begins. */
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(session: ScopeSession, { nodeLabels, mount }: ScopeOptions) {
    this.#session = session;
    this.#nodeLabels = nodeLabels;
    this.#mount = mount;
  }

  /** Sets the store of containers. Without it, only scopes that need no names and no labels have members. */
  watch(containers: Containers): void {
    this.#containers = containers;
    this.#unsubscribe = containers.subscribe({
      onChanged: (container) => this.#onChanged(container),
      onRemoved: ({ info }) => this.#onRemoved(info.id),
    });
  }

  close(): void {
    this.#unsubscribe?.();
  }

  isForThisNode({ nodes = [] }: CompiledPolicy): boolean {
    return matchesNode(nodes, this.#nodeLabels);
  }

  /** Resolves when the kernel has the scopes of the host for the new labels. */
  async setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void> {
    this.#nodeLabels = labels;
    try {
      if (this.#isUsed) await this.#flush();
    } catch (error) {
      throw toScopeError(error as NativeError);
    }
  }

  /** Returns the bit of each scope. When it returns, every cgroup has its bits. Rejects with KernelError. */
  async acquire(scopes: readonly Scope[]): Promise<number[]> {
    if (scopes.length === 0) return [];
    const taken: number[] = [];
    const added: number[] = [];
    try {
      await this.#enable();
      for (const scope of scopes) taken.push(this.#allocateBit(scope, added));
      if (added.length > 0) await this.#fill(added);
    } catch (error) {
      this.release(taken);
      throw toScopeError(error as NativeError);
    }
    return taken;
  }

  /** Must be called when no hook tests these bits any more. The next change clears them in the cgroups. */
  release(bits: readonly number[]): void {
    for (const bit of bits) {
      const entry = this.#scopes.get(bit);
      if (entry !== undefined && --entry.users === 0) this.#scopes.delete(bit);
    }
  }

  status(scopes: readonly Scope[], bits: readonly number[]): ScopeStatus {
    const connected = (this.#containers?.sources() ?? []).filter((source) => source.connected);
    const isMissing = (scope: Scope): boolean =>
      needsPods(scope)
        ? connected.every(({ name }) => WITHOUT_PODS.includes(name))
        : needsSource(scope) && connected.every(({ name }) => name === CGROUPS);
    const mask = toWords(bits);
    let containers = 0;
    for (const { words, cgroupId } of this.#members.values()) {
      if (cgroupId !== 0n && words.some((word, i) => (word & (mask[i] as bigint)) !== 0n)) containers++;
    }
    return { state: scopes.some(isMissing) ? 'no_source' : 'active', containers };
  }

  /** From now on the kernel knows of every cgroup whether it is in a container. Rejects with KernelError. */
  async enable(): Promise<void> {
    try {
      await this.#enable();
      await this.#flush();
    } catch (error) {
      throw toScopeError(error as NativeError);
    }
  }

  async #enable(): Promise<void> {
    if (this.#isUsed) return;
    const mount = this.#mount;
    if (mount === undefined) {
      throw new KernelError(
        'NO_CGROUP_HIERARCHY',
        'policies with a scope need the whole unified hierarchy of cgroups (cgroup v2), and this process does not see it',
        'mount it at /sys/fs/cgroup; run a container with --cgroupns=host',
      );
    }
    await this.#session.enableScopes(mount);
    this.#isUsed = true;
  }

  #allocateBit(scope: Scope, added: number[]): number {
    for (const [bit, entry] of this.#scopes) {
      if (!isEqualScope(entry.scope, scope)) continue;
      entry.users++;
      return bit;
    }
    for (let bit = 0; bit < AbiLimit.SCOPES_MAX; bit++) {
      if (this.#scopes.has(bit)) continue;
      this.#scopes.set(bit, { scope, users: 1 });
      added.push(bit);
      return bit;
    }
    throw new KernelError(
      'LIMIT_SCOPES',
      `all policies together have more than ${AbiLimit.SCOPES_MAX} different scopes`,
      'use the same podSelector, containerSelector, hostSelector and namespace in several policies, or load fewer policies',
    );
  }

  /** Evaluates the new scopes for all containers, and yields to the event loop. Skips a container that changes meanwhile. */
  async #fill(added: readonly number[]): Promise<void> {
    const containers = this.#containers?.containers() ?? [];
    for (const [i, { info, cgroupId }] of containers.entries()) {
      if (i % CONTAINERS_PER_SLICE === CONTAINERS_PER_SLICE - 1) await yieldToEventLoop();
      if (this.#containers?.get(info.id)?.info !== info) continue;
      const words = this.#members.get(info.id)?.words ?? this.#scopeWords((scope) => containsContainer(scope, info));
      for (const bit of added) setBit(words, bit, this.#contains(bit, info));
      this.#members.set(info.id, { cgroupId, words });
      if (cgroupId !== 0n) this.#changed.set(cgroupId, words);
    }
    await this.#flush();
  }

  #contains(bit: number, info: KnownContainer['info']): boolean {
    const entry = this.#scopes.get(bit);
    return entry !== undefined && containsContainer(entry.scope, info);
  }

  #scopeWords(isIn: (scope: Scope) => boolean): BigUint64Array {
    return toWords([...this.#scopes].flatMap(([bit, { scope }]) => (isIn(scope) ? [bit] : [])));
  }

  #onChanged({ info, cgroupId }: KnownContainer): Promise<void> | void {
    const before = this.#members.get(info.id);
    const words = this.#scopeWords((scope) => containsContainer(scope, info));
    this.#members.set(info.id, { cgroupId, words });
    if (before !== undefined && before.cgroupId !== cgroupId) this.#queueRemoval(before.cgroupId);
    if (cgroupId === 0n) return;
    this.#changed.set(cgroupId, words);
    if (this.#isUsed) return this.#flush();
  }

  #onRemoved(id: string): void {
    const member = this.#members.get(id);
    this.#members.delete(id);
    if (member === undefined) return;
    this.#queueRemoval(member.cgroupId);
    // if it fails, the next change includes the removal
    if (this.#isUsed) this.#flush().catch(() => undefined);
  }

  #queueRemoval(cgroupId: bigint): void {
    // before the first scope, the kernel has no cgroups to remove
    if (!this.#isUsed) this.#changed.delete(cgroupId);
    else if (cgroupId !== 0n) this.#changed.set(cgroupId, undefined);
  }

  /** Resolves when the kernel has all changes that are queued now. Several changes become one write. */
  #flush(): Promise<void> {
    this.#next ??= this.#last.then(() => this.#write());
    this.#last = this.#next.catch(() => undefined);
    return this.#next;
  }

  async #write(): Promise<void> {
    const changed = this.#changed;
    this.#next = undefined;
    this.#changed = new Map();
    const named = [...changed].flatMap(([id, words]) => (words === undefined ? [] : [{ id, words }]));
    const removed = [...changed].flatMap(([id, words]) => (words === undefined ? [id] : []));
    try {
      await this.#session.setScopes(
        this.#defaults(),
        encodeNamed(named),
        new Uint8Array(BigUint64Array.from(removed).buffer),
      );
    } catch (error) {
      for (const [id, words] of changed) if (!this.#changed.has(id)) this.#changed.set(id, words);
      throw error;
    }
  }

  /** Encodes the scopes of cgroups that no source has named, by CgroupKind. */
  #defaults(): Uint8Array {
    const isHostIn = (scope: Scope): boolean => containsHost(scope, this.#nodeLabels);
    const isUnnamedIn = (scope: Scope): boolean => containsContainer(scope, UNNAMED);
    const result = new BigUint64Array(CgroupKind.CGROUP_KINDS * AbiLimit.SCOPE_WORDS);
    const setKind = (kind: number, isIn: (scope: Scope) => boolean): void =>
      result.set(this.#scopeWords(isIn), kind * AbiLimit.SCOPE_WORDS);
    setKind(CgroupKind.CGROUP_HOST, isHostIn);
    setKind(CgroupKind.CGROUP_UNNAMED, isUnnamedIn);
    setKind(CgroupKind.CGROUP_NAMED, isUnnamedIn);
    // this kind of cgroup may or may not be a container
    setKind(CgroupKind.CGROUP_UNPROVEN, (scope) =>
      scope.exempts ? isUnnamedIn(scope) && isHostIn(scope) : isUnnamedIn(scope) || isHostIn(scope),
    );
    return new Uint8Array(result.buffer);
  }
}

/** Encodes ids, each followed by a struct scope_set. */
function encodeNamed(named: readonly { readonly id: bigint; readonly words: BigUint64Array }[]): Uint8Array {
  const stride = 1 + ScopeSet.wordsLength;
  const result = new BigUint64Array(named.length * stride);
  named.forEach(({ id, words }, i) => {
    result[i * stride] = id;
    result.set(words, i * stride + 1);
  });
  return new Uint8Array(result.buffer);
}

function toWords(bits: readonly number[]): BigUint64Array {
  const words = new BigUint64Array(AbiLimit.SCOPE_WORDS);
  for (const bit of bits) setBit(words, bit, true);
  return words;
}

function setBit(words: BigUint64Array, bit: number, isSet: boolean): void {
  const mask = 1n << BigInt(bit & 63);
  const word = words[bit >> 6] as bigint;
  words[bit >> 6] = isSet ? word | mask : word & ~mask;
}

function isEqualScope(a: Scope, b: Scope): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function toScopeError(error: NativeError | KernelError): Error {
  if (error instanceof KernelError || error.code !== 'SCOPES') return error;
  return new KernelError('SCOPES', messageWithReason(error), 'load fewer policies with a scope', kernelDetail(error));
}
