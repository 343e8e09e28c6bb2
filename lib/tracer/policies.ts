/** The policies of a tracer: loaded whole or not at all, listed, removed. */
import { fileURLToPath } from 'node:url';
import type { Diagnostic } from '../../types/errors.js';
import type { Policy } from '../../types/policy.js';
import type { HookStatus, PolicySource, PolicyStatus } from '../../types/tracer.js';
import { KernelError, PolicyError, PolytraceError } from '../errors.js';
import type { HookImage } from '../policy/image.js';
import type { KernelInfo } from '../../types/kernel.js';
import { loadKernelInfo } from '../native/btf.js';
import {
  checkPolicy,
  compilePolicy,
  expandPolicyPaths,
  loadPolicyFile,
  parsePolicy,
  type PolicyImage,
} from '../policy/index.js';
import { AbiLimit, SensorHook } from '../wire/layout.gen.js';
import { attachHook, type AttachContext } from './attach.js';
import type { LoadedHook } from './events.js';
import { ProcessSets } from './process-sets.js';

/** A program that was detached may still be running on another CPU, and write its record. */
const LINGER_MS = 100;

interface LoadedPolicy {
  readonly image: PolicyImage;
  readonly file: string;
  readonly hooks: readonly (Omit<HookStatus, 'lost'> & { readonly id: number })[];
  readonly processBits: readonly number[];
}

export class PolicySet {
  readonly #context: AttachContext;
  readonly #processes: ProcessSets;
  readonly #policies = new Map<string, LoadedPolicy>();
  /** By id; those of removed policies stay until their last records have been read. */
  readonly #hooks = new Map<number, LoadedHook>();
  #retired: { readonly id: number; readonly since: number }[] = [];

  constructor(context: AttachContext) {
    this.#context = context;
    this.#processes = new ProcessSets(context.session);
  }

  get hooks(): ReadonlyMap<number, LoadedHook> {
    return this.#hooks;
  }

  /** The ring is empty: nothing of a hook that was removed a while ago is left in it. */
  onRingEmpty(): void {
    if (this.#retired.length === 0) return;
    const until = performance.now() - LINGER_MS;
    for (const { id, since } of this.#retired) if (since <= until) this.#hooks.delete(id);
    this.#retired = this.#retired.filter(({ since }) => since > until);
  }

  /** All of them or none. */
  add(sources: readonly PolicySource[]): PolicyStatus[] {
    const { images, kernel } = compileAll(sources);
    const names = new Set(this.#policies.keys());
    for (const { image } of images) {
      if (names.has(keyOf(image))) {
        throw new PolytraceError(
          'POLICY_EXISTS',
          `a policy called ${keyOf(image)} is loaded already`,
          'remove it first, or give this one another metadata.name',
        );
      }
      names.add(keyOf(image));
    }
    const done: string[] = [];
    try {
      for (const { image, file } of images) {
        this.#load(image, file, kernel());
        done.push(keyOf(image));
      }
    } catch (error) {
      for (const name of done) this.remove(name);
      throw error;
    }
    return done.map((name) => this.#status(name, () => 0));
  }

  remove(name: string): void {
    const policy = this.#policies.get(name);
    if (policy === undefined) {
      const known = [...this.#policies.keys()].join(', ');
      throw new PolytraceError(
        'NO_SUCH_POLICY',
        `no policy is called ${name}`,
        known === '' ? 'none is loaded' : known,
      );
    }
    this.#policies.delete(name);
    for (const hook of policy.hooks) this.#unload(hook.id);
    this.#processes.release(policy.processBits);
  }

  list(lostOf: (policyName: string, functionName: string) => number): PolicyStatus[] {
    return [...this.#policies.keys()].map((name) => this.#status(name, lostOf));
  }

  #load(image: PolicyImage, file: string, kernel: KernelInfo): void {
    const processBits = this.#processes.acquire(image.processSets);
    const hooks: LoadedPolicy['hooks'][number][] = [];
    try {
      if (image.hooks.some((hook) => hook.changes.length > 0)) this.#context.session.keepState();
      for (const hook of image.hooks) {
        const id = this.#freeId();
        // before it is attached: its first event may come at once
        const loaded = { id, policyName: image.name, functionName: hook.call, image: hook };
        this.#hooks.set(id, loaded);
        const attached = this.#attach(hook, id, processBits, kernel);
        if (attached === undefined) continue;
        this.#hooks.set(id, { ...loaded, functionName: attached.functionName });
        hooks.push({ id, call: hook.call, ...attached });
      }
    } catch (error) {
      for (const hook of hooks) this.#unload(hook.id);
      this.#processes.release(processBits);
      throw error;
    }
    this.#policies.set(keyOf(image), { image, file, hooks, processBits });
  }

  /** Where that fails, the id is free again: but the first of its two programs may have run. */
  #attach(
    hook: HookImage,
    id: number,
    processBits: readonly number[],
    kernel: KernelInfo,
  ): ReturnType<typeof attachHook> {
    let attached: ReturnType<typeof attachHook>;
    try {
      attached = attachHook(hook, id, processBits, this.#context, kernel);
    } finally {
      if (attached === undefined) this.#retire(id);
    }
    return attached;
  }

  #unload(id: number): void {
    this.#context.session.removeHook(id);
    this.#retire(id);
  }

  #retire(id: number): void {
    this.#retired.push({ id, since: performance.now() });
  }

  #freeId(): number {
    for (const collect of [false, true]) {
      // nobody may be iterating, and so nobody have seen that the ring is empty
      if (collect && this.#context.session.used() === 0) this.onRingEmpty();
      for (let id = SensorHook.HOOK_FIRST_POLICY; id < AbiLimit.HOOKS_MAX; id++) {
        if (!this.#hooks.has(id)) return id;
      }
    }
    throw new KernelError(
      'LIMIT_HOOKS',
      `more than ${AbiLimit.HOOKS_MAX - SensorHook.HOOK_FIRST_POLICY} hooks at once`,
      'remove policies that are no longer needed, and iterate over the events: the hooks of removed policies are kept until their last events are read',
    );
  }

  #status(name: string, lostOf: (policyName: string, functionName: string) => number): PolicyStatus {
    const policy = this.#policies.get(name) as LoadedPolicy;
    return {
      name,
      file: policy.file,
      hooks: policy.hooks.map(({ call, functionName, attach }) => ({
        call,
        functionName,
        attach,
        lost: lostOf(policy.image.name, functionName),
      })),
    };
  }
}

function keyOf(image: PolicyImage): string {
  return image.namespace === undefined ? image.name : `${image.namespace}/${image.name}`;
}

interface Compiled {
  readonly image: PolicyImage;
  readonly file: string;
}

/** Every mistake of every file at once. The kernel's types are read once, when there is a policy. */
function compileAll(sources: readonly PolicySource[]): { images: Compiled[]; kernel: () => KernelInfo } {
  const diagnostics: Diagnostic[] = [];
  const result: Compiled[] = [];
  let types: KernelInfo | undefined;
  const kernel = (): KernelInfo => (types ??= loadKernelInfo());
  const attempt = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      diagnostics.push(...error.diagnostics);
    }
  };
  for (const source of sources) {
    attempt(() => {
      for (const load of policiesOf(source)) {
        attempt(() => {
          const policy = load();
          result.push({ image: compilePolicy(policy), file: policy.file });
          diagnostics.push(...checkPolicy(policy, kernel()).filter(isWrongHere));
        });
      }
    });
  }
  if (diagnostics.length > 0) throw new PolicyError(diagnostics);
  return { images: result, kernel };
}

/**
 * What a kernel's types prove to be a mistake: the programs would read something else than the policy says. Whether a
 * function is there at all is left to attaching: it may be in no BTF and yet be probed.
 */
function isWrongHere({ code, severity }: Diagnostic): boolean {
  return severity === 'error' && (code.startsWith('ARG_') || code.startsWith('RETURN_'));
}

function policiesOf(source: PolicySource): (() => Policy)[] {
  if (source instanceof URL) return policiesOf(fileURLToPath(source));
  if (typeof source === 'string') {
    return expandPolicyPaths(source).map((file) => () => parsePolicy(loadPolicyFile(file), { file }));
  }
  if ('yaml' in source) {
    const { yaml, file } = source;
    return [() => parsePolicy(yaml, file === undefined ? {} : { file })];
  }
  return [() => source];
}
