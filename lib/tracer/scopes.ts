/**
 * The scopes of all loaded policies. Each has one bit for each cgroup. Here it is decided which containers are in a scope; the
 * kernel keeps the bits of their cgroups, and gives them to cgroups that are made below.
 */
import type { ScopeStatus } from '../../types/tracer.js';
import type { Directory, KnownContainer } from '../containers/directory.js';
import { KernelError } from '../errors.js';
import type { CompiledPolicy, Scope } from '../compiled/compiled-policy.js';
import { yieldToEventLoop } from '../cooperative.js';
import type { NativeSession } from '../native/binding.js';
import { kernelDetail, withReason, type NativeError } from '../native/native-error.js';
import { AbiLimit, CgroupKind, ScopeSet } from '../wire/layout.gen.js';
import { containsContainer, containsHost, holdOnNode, needsPods, needsSource, UNNAMED } from './scope-members.js';

type Sessions = Pick<NativeSession, 'useScopes' | 'setScopes'>;
type Containers = Pick<Directory, 'containers' | 'get' | 'subscribe' | 'sources'>;

export interface ScopeOptions {
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** Where the whole unified hierarchy is mounted; undefined if this process does not see all of it. */
  readonly mount: string | undefined;
}

interface Entry {
  readonly scope: Scope;
  users: number;
}

/** A container that is known, with its scopes. */
interface Member {
  readonly cgroupId: bigint;
  readonly words: BigUint64Array;
}

/** This source finds containers by the names of their cgroups: it knows neither names nor labels. */
const CGROUPS = 'cgroups';
/** These sources know no labels of pods. */
const WITHOUT_PODS: readonly string[] = [CGROUPS, 'docker', 'podman'];

/** The event loop gets a turn after so many containers. */
const CONTAINERS_A_TURN = 256;

export class Scopes {
  readonly #session: Sessions;
  readonly #mount: string | undefined;
  #nodeLabels: Readonly<Record<string, string>>;
  readonly #scopes = new Map<number, Entry>();
  readonly #members = new Map<string, Member>();
  #containers: Containers | undefined;
  #unsubscribe: (() => void) | undefined;
  /** The kernel keeps scopes. */
  #isUsed = false;
  /** What the kernel does not have yet: cgroups, with their scopes or without a name. */
  #changed = new Map<bigint, BigUint64Array | undefined>();
  /** The next change, which takes everything that was noted before it begins. */
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(session: Sessions, { nodeLabels, mount }: ScopeOptions) {
    this.#session = session;
    this.#nodeLabels = nodeLabels;
    this.#mount = mount;
  }

  /** The directory of containers. Without one, only scopes are filled that need no names and no labels. */
  watch(containers: Containers): void {
    this.#containers = containers;
    this.#unsubscribe = containers.subscribe({
      changed: (container) => this.#onChanged(container),
      removed: ({ info }) => this.#onRemoved(info.id),
    });
  }

  close(): void {
    this.#unsubscribe?.();
  }

  isForThisNode({ nodes = [] }: CompiledPolicy): boolean {
    return holdOnNode(nodes, this.#nodeLabels);
  }

  /** Resolves when the scopes of the host follow the new labels. */
  async setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void> {
    this.#nodeLabels = labels;
    try {
      if (this.#isUsed) await this.#push();
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
      await this.#use();
      for (const scope of scopes) taken.push(this.#take(scope, added));
      if (added.length > 0) await this.#fill(added);
    } catch (error) {
      this.release(taken);
      throw toScopeError(error as NativeError);
    }
    return taken;
  }

  /** No hook tests these bits any more. Cgroups lose them with the next change. */
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
    const mask = wordsOf(bits);
    let containers = 0;
    for (const { words, cgroupId } of this.#members.values()) {
      if (cgroupId !== 0n && words.some((word, i) => (word & (mask[i] as bigint)) !== 0n)) containers++;
    }
    return { state: scopes.some(isMissing) ? 'no_source' : 'active', containers };
  }

  async #use(): Promise<void> {
    if (this.#isUsed) return;
    const mount = this.#mount;
    if (mount === undefined) {
      throw new KernelError(
        'NO_CGROUP_HIERARCHY',
        'policies with a scope need the whole unified hierarchy of cgroups (cgroup v2), and this process does not see it',
        'mount it at /sys/fs/cgroup; run a container with --cgroupns=host',
      );
    }
    await this.#session.useScopes(mount);
    this.#isUsed = true;
  }

  #take(scope: Scope, added: number[]): number {
    for (const [bit, entry] of this.#scopes) {
      if (!isSame(entry.scope, scope)) continue;
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

  /** Decides about the new scopes for all containers, a few at a time. One that changes meanwhile is decided anew. */
  async #fill(added: readonly number[]): Promise<void> {
    const containers = this.#containers?.containers() ?? [];
    for (const [i, { info, cgroupId }] of containers.entries()) {
      if (i % CONTAINERS_A_TURN === CONTAINERS_A_TURN - 1) await yieldToEventLoop();
      if (this.#containers?.get(info.id)?.info !== info) continue;
      const words = this.#members.get(info.id)?.words ?? this.#wordsFor((scope) => containsContainer(scope, info));
      for (const bit of added) setBit(words, bit, this.#contains(bit, info));
      this.#members.set(info.id, { cgroupId, words });
      if (cgroupId !== 0n) this.#changed.set(cgroupId, words);
    }
    await this.#push();
  }

  #contains(bit: number, info: KnownContainer['info']): boolean {
    const entry = this.#scopes.get(bit);
    return entry !== undefined && containsContainer(entry.scope, info);
  }

  #wordsFor(isIn: (scope: Scope) => boolean): BigUint64Array {
    return wordsOf([...this.#scopes].flatMap(([bit, { scope }]) => (isIn(scope) ? [bit] : [])));
  }

  #onChanged({ info, cgroupId }: KnownContainer): Promise<void> | void {
    const before = this.#members.get(info.id);
    const words = this.#wordsFor((scope) => containsContainer(scope, info));
    this.#members.set(info.id, { cgroupId, words });
    if (before !== undefined && before.cgroupId !== cgroupId) this.#forget(before.cgroupId);
    if (cgroupId === 0n) return;
    this.#changed.set(cgroupId, words);
    if (this.#isUsed) return this.#push();
  }

  #onRemoved(id: string): void {
    const member = this.#members.get(id);
    this.#members.delete(id);
    if (member === undefined) return;
    this.#forget(member.cgroupId);
    // the next change tells the kernel again
    if (this.#isUsed) this.#push().catch(() => undefined);
  }

  #forget(cgroupId: bigint): void {
    // without scopes, the kernel has heard of none
    if (!this.#isUsed) this.#changed.delete(cgroupId);
    else if (cgroupId !== 0n) this.#changed.set(cgroupId, undefined);
  }

  /** Resolves when the kernel has everything that was noted until now. Changes that come together are made together. */
  #push(): Promise<void> {
    this.#next ??= this.#last.then(() => this.#write());
    this.#last = this.#next.catch(() => undefined);
    return this.#next;
  }

  async #write(): Promise<void> {
    const changed = this.#changed;
    this.#next = undefined;
    this.#changed = new Map();
    const named = [...changed].flatMap(([id, words]) => (words === undefined ? [] : [{ id, words }]));
    const gone = [...changed].flatMap(([id, words]) => (words === undefined ? [id] : []));
    try {
      await this.#session.setScopes(
        this.#defaults(),
        encodeNamed(named),
        new Uint8Array(BigUint64Array.from(gone).buffer),
      );
    } catch (error) {
      for (const [id, words] of changed) if (!this.#changed.has(id)) this.#changed.set(id, words);
      throw error;
    }
  }

  /** The scopes of cgroups that no source has named, by CgroupKind. */
  #defaults(): Uint8Array {
    const host = (scope: Scope): boolean => containsHost(scope, this.#nodeLabels);
    const unnamed = (scope: Scope): boolean => containsContainer(scope, UNNAMED);
    const result = new BigUint64Array(CgroupKind.CGROUP_KINDS * AbiLimit.SCOPE_WORDS);
    const put = (kind: number, isIn: (scope: Scope) => boolean): void =>
      result.set(this.#wordsFor(isIn), kind * AbiLimit.SCOPE_WORDS);
    put(CgroupKind.CGROUP_HOST, host);
    put(CgroupKind.CGROUP_UNNAMED, unnamed);
    put(CgroupKind.CGROUP_NAMED, unnamed);
    // it may be a container or not
    put(CgroupKind.CGROUP_UNPROVEN, (scope) =>
      scope.exempts ? unnamed(scope) && host(scope) : unnamed(scope) || host(scope),
    );
    return new Uint8Array(result.buffer);
  }
}

/** Ids, each followed by a struct scope_set. */
function encodeNamed(named: readonly { readonly id: bigint; readonly words: BigUint64Array }[]): Uint8Array {
  const stride = 1 + ScopeSet.wordsLength;
  const result = new BigUint64Array(named.length * stride);
  named.forEach(({ id, words }, i) => {
    result[i * stride] = id;
    result.set(words, i * stride + 1);
  });
  return new Uint8Array(result.buffer);
}

function wordsOf(bits: readonly number[]): BigUint64Array {
  const words = new BigUint64Array(AbiLimit.SCOPE_WORDS);
  for (const bit of bits) setBit(words, bit, true);
  return words;
}

function setBit(words: BigUint64Array, bit: number, isSet: boolean): void {
  const mask = 1n << BigInt(bit & 63);
  const word = words[bit >> 6] as bigint;
  words[bit >> 6] = isSet ? word | mask : word & ~mask;
}

function isSame(a: Scope, b: Scope): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function toScopeError(error: NativeError | KernelError): Error {
  if (error instanceof KernelError || error.code !== 'SCOPES') return error;
  return new KernelError('SCOPES', withReason(error), 'load fewer policies with a scope', kernelDetail(error));
}
