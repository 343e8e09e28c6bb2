/**
 * The policies of the agent: those of files and those of clients, with what is wrong with them. Changes happen one after the
 * other. The tracer knows only what is loaded; a policy that could not be loaded is known here.
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
  /** `metadata.name`; empty for a file that is no policy. */
  readonly name: string;
  /** Empty for a policy of the whole machine. */
  readonly namespace: string;
  /** File that the policy comes from. Undefined for a policy that a client added. */
  readonly file: string | undefined;
  /** What the tracer says. Undefined when the policy is not loaded. */
  readonly status: PolicyStatus | undefined;
  /** Why it is not loaded, or why its file was not: then an earlier version runs. */
  readonly error: string | undefined;
}

interface Known {
  readonly id: number;
  readonly name: string;
  readonly namespace: string;
  readonly file: string | undefined;
  /** The text that runs. Undefined when nothing is loaded. */
  text: string | undefined;
  /** The text that was tried last. */
  tried: string;
  error: string | undefined;
  /** Why it was not attached when the labels of the node changed. */
  attachError?: string | undefined;
}

/** A policy is known by `metadata.name`, and in a namespace by NAMESPACE/NAME. */
export function keyOf(name: string, namespace: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** A policy that no client or file has. */
export class UnknownPolicy extends Error {}

/** A policy that is there already. */
export class PolicyExists extends Error {}

export class PolicyStore {
  readonly #tracer: PolicyTracer;
  readonly #log: Log;
  readonly #known = new Map<string, Known>();
  #nextId = 1;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(tracer: PolicyTracer, log: Log) {
    this.#tracer = tracer;
    this.#log = log;
  }

  /** All policies and all files with errors, oldest first. */
  list(): PolicyEntry[] {
    const loaded = new Map(this.#tracer.policies().map((status) => [status.name, status]));
    return [...this.#known].map(([key, known]) => {
      const { id, name, namespace, file } = known;
      return { id, name, namespace, file, status: loaded.get(key), error: errorOf(known) };
    });
  }

  /** Files and policies that are not as they should be. */
  get failed(): number {
    return [...this.#known.values()].filter((known) => errorOf(known) !== undefined).length;
  }

  /** Adds the policy of a client. Rejects with PolicyExists, PolicyError or KernelError. */
  add(yaml: string): Promise<PolicyEntry> {
    return this.#inTurn(async () => {
      const policy = parsePolicy(yaml);
      const { name, namespace = '' } = policy;
      const key = keyOf(name, namespace);
      if (this.#known.get(key)?.text !== undefined) throw new PolicyExists(`the policy ${key} is loaded already`);
      await this.#tracer.addPolicy(policy);
      const id = this.#nextId++;
      this.#known.set(key, { id, name, namespace, file: undefined, text: yaml, tried: yaml, error: undefined });
      this.#log.info({ policy: key }, 'a client added a policy');
      return this.#entry(key);
    });
  }

  /** Rejects with UnknownPolicy. */
  remove(key: string): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.#find(key);
      if (known.text !== undefined) await this.#tracer.removePolicy(key);
      this.#known.delete(key);
      this.#log.info({ policy: key }, 'a client removed a policy');
    });
  }

  /** Changes what is given, and nothing else. Rejects with UnknownPolicy, PolytraceError or KernelError. */
  configure(
    key: string,
    { enable, mode }: { enable?: boolean | undefined; mode?: PolicyMode | undefined },
  ): Promise<void> {
    return this.#inTurn(async () => {
      this.#find(key);
      if (mode !== undefined) await this.#tracer.setPolicyMode(key, mode);
      if (enable !== undefined) {
        const state = this.#tracer.policies().find(({ name }) => name === key)?.state;
        if (enable && state !== 'enabled') {
          await this.#tracer.enablePolicy(key);
          this.#find(key).attachError = undefined;
        }
        if (!enable && state !== 'disabled') await this.#tracer.disablePolicy(key);
      }
      this.#log.info({ policy: key, enable, mode }, 'a client changed a policy');
    });
  }

  /**
   * Makes the policies of files those that are given. A file that changed replaces its policy without a gap; one that is broken
   * leaves the policy that it had. Never rejects for a file. `again` also tries files that failed and have not changed.
   */
  setFiles(files: ReadonlyMap<string, string | Error>, again: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const seen = new Set<string>();
      for (const [file, text] of files) seen.add(await this.#setFile(file, text, seen, again));
      for (const [key, known] of [...this.#known]) {
        if (known.file === undefined || isOfCluster(known.file) || seen.has(key)) continue;
        if (files.has(known.file) && isBroken(files, known.file)) continue;
        await this.#forget(key, known);
      }
    });
  }

  /**
   * Loads the policy of a resource of the cluster, or replaces it without a gap. Resolves with what is wrong; then the policy that it
   * had stays. `describe` makes the text of an error.
   */
  put(origin: string, text: string | Error, describe: (error: unknown) => string): Promise<string | undefined> {
    return this.#inTurn(async () => {
      await this.#setFile(origin, text, new Set(), true, describe);
      return this.#from(origin)?.[1].error;
    });
  }

  /** The labels of this node have changed: policies are attached or detached. Rejects with KernelError. */
  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void> {
    return this.#inTurn(async () => {
      const failures = new Map((await this.#tracer.setNodeLabels(labels)).map(({ name, error }) => [name, error]));
      for (const [key, known] of this.#known) {
        const error = failures.get(key);
        known.attachError = error && messageOf(error);
        if (error !== undefined)
          this.#log.error({ policy: key, reason: known.attachError }, 'a policy was not attached');
      }
    });
  }

  /** Removes the policy of a resource of the cluster. */
  drop(origin: string): Promise<void> {
    return this.#inTurn(async () => {
      const found = this.#from(origin);
      if (found !== undefined) await this.#forget(...found);
    });
  }

  /** What the tracer says about the policy of a file or resource. */
  statusOf(origin: string): PolicyStatus | undefined {
    const key = this.#from(origin)?.[0];
    return this.#tracer.policies().find(({ name }) => name === key);
  }

  /** The error of the policy of a file or resource; undefined if it has none. */
  failureOf(origin: string): string | undefined {
    const known = this.#from(origin)?.[1];
    return known && errorOf(known);
  }

  #from(origin: string): [string, Known] | undefined {
    return [...this.#known].find(([, known]) => known.file === origin);
  }

  /** Returns the key of the file's policy. */
  async #setFile(
    file: string,
    text: string | Error,
    seen: ReadonlySet<string>,
    again: boolean,
    describe = messageOf,
  ): Promise<string> {
    const before = this.#from(file);
    const failed = before?.[1].error !== undefined;
    if (before !== undefined && text === before[1].tried && !(failed && again)) return before[0];
    let policy: Policy;
    try {
      if (text instanceof Error) throw text;
      policy = parsePolicy(text, { file });
    } catch (error) {
      return this.#broken(file, text, describe(error), before);
    }
    const key = keyOf(policy.name, policy.namespace ?? '');
    const known = this.#known.get(key);
    if (known?.text !== undefined && (!isFrom(known, file) || seen.has(key))) {
      const other = known.file ?? 'a client';
      return this.#broken(file, text, `the policy ${key} is loaded already, from ${other}`, before);
    }
    return this.#load(key, policy, file, text as string, before, describe);
  }

  async #load(
    key: string,
    policy: Policy,
    file: string,
    text: string,
    before: readonly [string, Known] | undefined,
    describe: (error: unknown) => string,
  ): Promise<string> {
    const known = this.#known.get(key);
    const isLoaded = known?.text !== undefined;
    try {
      if (isLoaded) await this.#tracer.replacePolicy(policy);
      else await this.#tracer.addPolicy(policy);
    } catch (error) {
      return this.#broken(
        file,
        text,
        describe(error),
        before ?? (known === undefined ? undefined : [key, known]),
        policy,
      );
    }
    const { name, namespace = '' } = policy;
    const id = known?.id ?? this.#nextId++;
    // A file that now has a policy of another name loses the one that it had.
    if (before !== undefined && before[0] !== key) await this.#forget(before[0], before[1]);
    this.#known.set(key, { id, name, namespace, file, text, tried: text, error: undefined });
    this.#log.info({ policy: key, file }, isLoaded ? 'a policy was replaced' : 'a policy was loaded');
    return key;
  }

  /** Keeps what the file had, and remembers what is wrong. */
  #broken(
    file: string,
    text: string | Error,
    reason: string,
    before: readonly [string, Known] | undefined,
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
    this.#known.set(key, { id: this.#nextId++, name, namespace, file, text: undefined, tried, error: reason });
    return key;
  }

  async #forget(key: string, known: Known): Promise<void> {
    if (known.text !== undefined) {
      try {
        await this.#tracer.removePolicy(key);
      } catch (error) {
        known.error = messageOf(error);
        this.#log.error({ policy: key, reason: known.error }, 'a policy was not removed');
        return;
      }
      this.#log.info({ policy: key, file: known.file }, 'a policy was removed');
    }
    this.#known.delete(key);
  }

  #find(key: string): Known {
    const known = this.#known.get(key);
    if (known === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return known;
  }

  #entry(key: string): PolicyEntry {
    const entry = this.list().find(({ name, namespace }) => keyOf(name, namespace) === key);
    if (entry === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return entry;
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function errorOf({ error, attachError }: Known): string | undefined {
  return error ?? attachError;
}

/** Resources of the cluster are no paths. */
const CLUSTER_PREFIX = 'kubernetes:';

function isOfCluster(file: string): boolean {
  return file.startsWith(CLUSTER_PREFIX);
}

/** False when a client, or the other of files and resources, has it. */
function isFrom({ file: other }: Known, file: string): boolean {
  return other !== undefined && isOfCluster(other) === isOfCluster(file);
}

/** A file that cannot be read now is not a file that is gone. */
function isBroken(files: ReadonlyMap<string, string | Error>, file: string): boolean {
  return files.get(file) instanceof Error;
}

/** One text with all mistakes. */
export function messageOf(error: unknown): string {
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
