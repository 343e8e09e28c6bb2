/**
 * The policies of files, of the cluster and of clients, with their errors. Changes run one after the other. The
 * tracer knows only loaded policies, and the store also the others.
 */
import {
  parsePolicy,
  PolicyError,
  PolytraceError,
  type Policy,
  type PolicyMode,
  type PolicyStatus,
  type Tracer,
} from 'polytrace';
import type { Log } from '../log/log.js';

export type PolicyTracer = Pick<
  Tracer,
  | 'addPolicy'
  | 'removePolicy'
  | 'replacePolicy'
  | 'enablePolicy'
  | 'disablePolicy'
  | 'setPolicyMode'
  | 'setNodeLabels'
  | 'policies'
>;

/** A policy with a name, or a file whose policy could not be read. */
export interface PolicyEntry {
  readonly id: number;
  /** `metadata.name`; empty if the file is not a policy. */
  readonly name: string;
  /** Empty for a policy without a namespace. */
  readonly namespace: string;
  /** The file of the policy. Undefined for a policy that a client added. */
  readonly file: string | undefined;
  /** The tracer's status. Undefined when the policy is not loaded. */
  readonly status: PolicyStatus | undefined;
  /** The reason why the policy, or a newer version of its file, is not loaded. */
  readonly error: string | undefined;
}

interface AddOptions {
  readonly replace?: boolean;
  readonly mode?: PolicyMode | undefined;
}

interface PolicyRecord {
  readonly id: number;
  readonly name: string;
  readonly namespace: string;
  readonly file: string | undefined;
  /** The YAML text that is loaded. Undefined when nothing is loaded. */
  text: string | undefined;
  /** The YAML text that was tried last. */
  tried: string;
  error: string | undefined;
  /** The reason why it was not attached after a change of the node's labels. */
  attachError?: string | undefined;
}

/** Returns the key of a policy: `metadata.name`, or NAMESPACE/NAME. */
export function policyKey(name: string, namespace: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** The policy does not exist. */
export class UnknownPolicy extends Error {}

/** The policy is loaded already. */
export class PolicyExists extends Error {}

export class PolicyStore {
  readonly #tracer: PolicyTracer;
  readonly #log: Log;
  readonly #records = new Map<string, PolicyRecord>();
  #nextId = 1;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(tracer: PolicyTracer, log: Log) {
    this.#tracer = tracer;
    this.#log = log;
  }

  /** Returns all policies and all files with errors, oldest first. */
  list(): PolicyEntry[] {
    const loaded = new Map(this.#tracer.policies().map((status) => [status.name, status]));
    return [...this.#records].map(([key, known]) => {
      const { id, name, namespace, file } = known;
      return { id, name, namespace, file, status: loaded.get(key), error: recordError(known) };
    });
  }

  /** Number of policies and files with an error. */
  get failedCount(): number {
    return [...this.#records.values()].filter((known) => recordError(known) !== undefined).length;
  }

  /**
   * Adds the policy of a client. With `replace`, it takes the place of the client's policy of that name without a gap.
   * Rejects with PolicyExists, UnknownPolicy, PolicyError or KernelError.
   */
  add(yaml: string, { replace = false, mode }: AddOptions = {}): Promise<PolicyEntry> {
    return this.#runExclusive(async () => {
      const policy = parsePolicy(yaml);
      const { name, namespace = '' } = policy;
      const key = policyKey(name, namespace);
      const known = this.#records.get(key);
      const options = mode === undefined ? {} : { mode };
      if (replace) {
        if (known?.text === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
        if (known.file !== undefined) throw new PolicyExists(`the policy ${key} comes from ${known.file}`);
        await this.#tracer.replacePolicy(policy, options);
      } else {
        if (known?.text !== undefined) throw new PolicyExists(`the policy ${key} is loaded already`);
        await this.#tracer.addPolicy(policy, options);
      }
      const id = (replace ? known?.id : undefined) ?? this.#nextId++;
      this.#records.set(key, { id, name, namespace, file: undefined, text: yaml, tried: yaml, error: undefined });
      this.#log.info({ policy: key }, replace ? 'a client replaced a policy' : 'a client added a policy');
      return this.#getEntry(key);
    });
  }

  /** Rejects with UnknownPolicy. */
  remove(key: string): Promise<void> {
    return this.#runExclusive(async () => {
      const known = this.#getRecord(key);
      if (known.text !== undefined) await this.#tracer.removePolicy(key);
      this.#records.delete(key);
      this.#log.info({ policy: key }, 'a client removed a policy');
    });
  }

  /** Changes only the members that are given. Rejects with UnknownPolicy, PolytraceError or KernelError. */
  configure(
    key: string,
    { enable, mode }: { enable?: boolean | undefined; mode?: PolicyMode | undefined },
  ): Promise<void> {
    return this.#runExclusive(async () => {
      this.#getRecord(key);
      if (mode !== undefined) await this.#tracer.setPolicyMode(key, mode);
      if (enable !== undefined) {
        const state = this.#tracer.policies().find(({ name }) => name === key)?.state;
        if (enable && state !== 'enabled') {
          await this.#tracer.enablePolicy(key);
          this.#getRecord(key).attachError = undefined;
        }
        if (!enable && state !== 'disabled') await this.#tracer.disablePolicy(key);
      }
      this.#log.info({ policy: key, enable, mode }, 'a client changed a policy');
    });
  }

  /**
   * Replaces the policies of files by the given ones. A changed file replaces its policy without a gap. If a file has
   * errors, its earlier policy stays. Never rejects for a file. `again` also tries failed files that have not
   * changed.
   */
  setFiles(files: ReadonlyMap<string, string | Error>, again: boolean): Promise<void> {
    return this.#runExclusive(async () => {
      const seen = new Set<string>();
      for (const [file, text] of files) seen.add(await this.#setFile(file, text, seen, again));
      for (const [key, known] of [...this.#records]) {
        if (known.file === undefined || isClusterOrigin(known.file) || seen.has(key)) continue;
        if (files.has(known.file) && isUnreadable(files, known.file)) continue;
        await this.#unload(key, known);
      }
    });
  }

  /**
   * Loads the policy of a cluster resource, or replaces it without a gap. Resolves with the error, if there is one;
   * then the earlier policy stays. `describe` formats an error.
   */
  setPolicy(origin: string, text: string | Error, describe: (error: unknown) => string): Promise<string | undefined> {
    return this.#runExclusive(async () => {
      await this.#setFile(origin, text, new Set(), true, describe);
      return this.#findByOrigin(origin)?.[1].error;
    });
  }

  /** Attaches or detaches policies after a change of the node's labels. Rejects with KernelError. */
  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void> {
    return this.#runExclusive(async () => {
      const failures = new Map((await this.#tracer.setNodeLabels(labels)).map(({ name, error }) => [name, error]));
      for (const [key, known] of this.#records) {
        const error = failures.get(key);
        known.attachError = error && formatError(error);
        if (error !== undefined)
          this.#log.error({ policy: key, reason: known.attachError }, 'a policy was not attached');
      }
    });
  }

  /** Removes the policy of a cluster resource. */
  dropPolicy(origin: string): Promise<void> {
    return this.#runExclusive(async () => {
      const found = this.#findByOrigin(origin);
      if (found !== undefined) await this.#unload(...found);
    });
  }

  /** Returns the tracer's status of the policy of a file or resource. */
  policyStatus(origin: string): PolicyStatus | undefined {
    const key = this.#findByOrigin(origin)?.[0];
    return this.#tracer.policies().find(({ name }) => name === key);
  }

  /** Returns the error of the policy of a file or resource, or undefined. */
  policyError(origin: string): string | undefined {
    const known = this.#findByOrigin(origin)?.[1];
    return known && recordError(known);
  }

  #findByOrigin(origin: string): [string, PolicyRecord] | undefined {
    return [...this.#records].find(([, known]) => known.file === origin);
  }

  /** Returns the key of the file's policy. */
  async #setFile(
    file: string,
    text: string | Error,
    seen: ReadonlySet<string>,
    again: boolean,
    describe = formatError,
  ): Promise<string> {
    const before = this.#findByOrigin(file);
    const failed = before?.[1].error !== undefined;
    if (before !== undefined && text === before[1].tried && !(failed && again)) return before[0];
    let policy: Policy;
    try {
      if (text instanceof Error) throw text;
      policy = parsePolicy(text, { file });
    } catch (error) {
      return this.#recordFailure(file, text, describe(error), before);
    }
    const key = policyKey(policy.name, policy.namespace ?? '');
    const known = this.#records.get(key);
    if (known?.text !== undefined && (!isReplaceableFrom(known, file) || seen.has(key))) {
      const other = known.file ?? 'a client';
      return this.#recordFailure(file, text, `the policy ${key} is loaded already, from ${other}`, before);
    }
    return this.#load(key, policy, file, text, before, describe);
  }

  async #load(
    key: string,
    policy: Policy,
    file: string,
    text: string,
    before: readonly [string, PolicyRecord] | undefined,
    describe: (error: unknown) => string,
  ): Promise<string> {
    const known = this.#records.get(key);
    const isLoaded = known?.text !== undefined;
    try {
      if (isLoaded) await this.#tracer.replacePolicy(policy);
      else await this.#tracer.addPolicy(policy);
    } catch (error) {
      return this.#recordFailure(
        file,
        text,
        describe(error),
        before ?? (known === undefined ? undefined : [key, known]),
        policy,
      );
    }
    const { name, namespace = '' } = policy;
    const id = known?.id ?? this.#nextId++;
    // The file now has a policy with another name, so the earlier policy is removed.
    if (before !== undefined && before[0] !== key) await this.#unload(before[0], before[1]);
    this.#records.set(key, { id, name, namespace, file, text, tried: text, error: undefined });
    this.#log.info({ policy: key, file }, isLoaded ? 'a policy was replaced' : 'a policy was loaded');
    return key;
  }

  /** Keeps the earlier policy of the file, and records the error. */
  #recordFailure(
    file: string,
    text: string | Error,
    reason: string,
    before: readonly [string, PolicyRecord] | undefined,
    policy?: Policy,
  ): string {
    this.#log.error({ file, reason }, 'a policy file was not loaded');
    const tried = text instanceof Error ? '' : text;
    if (before !== undefined) {
      before[1].tried = tried;
      before[1].error = reason;
      return before[0];
    }
    const { name = '', namespace = '' } = policy ?? {};
    const key = `file:${file}`;
    this.#records.set(key, { id: this.#nextId++, name, namespace, file, text: undefined, tried, error: reason });
    return key;
  }

  async #unload(key: string, known: PolicyRecord): Promise<void> {
    if (known.text !== undefined) {
      try {
        await this.#tracer.removePolicy(key);
      } catch (error) {
        known.error = formatError(error);
        this.#log.error({ policy: key, reason: known.error }, 'a policy was not removed');
        return;
      }
      this.#log.info({ policy: key, file: known.file }, 'a policy was removed');
    }
    this.#records.delete(key);
  }

  #getRecord(key: string): PolicyRecord {
    const known = this.#records.get(key);
    if (known === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return known;
  }

  #getEntry(key: string): PolicyEntry {
    const entry = this.list().find(({ name, namespace }) => policyKey(name, namespace) === key);
    if (entry === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return entry;
  }

  #runExclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

function recordError({ error, attachError }: PolicyRecord): string | undefined {
  return error ?? attachError;
}

/** Origins of cluster resources begin with this. */
const CLUSTER_PREFIX = 'kubernetes:';

function isClusterOrigin(file: string): boolean {
  return file.startsWith(CLUSTER_PREFIX);
}

/** Returns false if a client owns the policy, or if one origin is a file and the other one a resource. */
function isReplaceableFrom({ file: other }: PolicyRecord, file: string): boolean {
  return other !== undefined && isClusterOrigin(other) === isClusterOrigin(file);
}

/** A file that cannot be read now was not deleted. */
function isUnreadable(files: ReadonlyMap<string, string | Error>, file: string): boolean {
  return files.get(file) instanceof Error;
}

/** Formats an error. A PolicyError has one line for each diagnostic. */
export function formatError(error: unknown): string {
  if (error instanceof PolicyError) {
    return error.diagnostics
      .filter(({ severity }) => severity === 'error')
      .map(({ file, line, column, code, message, hint }) => {
        const remedy = hint === '' ? '' : ` (${hint})`;
        return `${file}:${line}:${column}: ${code}: ${message}${remedy}`;
      })
      .join('\n');
  }
  if (error instanceof PolytraceError) {
    return `${error.code}: ${error.message}${error.hint === '' ? '' : ` (${error.hint})`}`;
  }
  return error instanceof Error ? error.message : String(error);
}
