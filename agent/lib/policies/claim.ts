/** A claim: the policy that one source wants. A source is a file, a resource of the cluster, a fleet, or a client. */
import { parsePolicy, type Policy, type PolicyMode } from 'polytrace';
import { formatError } from './format-error.js';

export type SourceKind = 'client' | 'cluster' | 'file' | 'fleet';

/** The version of a policy that is in the kernel. */
export interface LoadedVersion {
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  readonly text: string;
  /** The mode that the source wanted in place of that of the policy. */
  readonly wantedMode?: PolicyMode | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** Returns the key of a policy: `metadata.name`, or NAMESPACE/NAME. */
export function policyKey(name: string, namespace: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** Returns namespace and name. Neither of them contains a slash. */
export function splitPolicyKey(key: string): [namespace: string, name: string] {
  const at = key.indexOf('/');
  return [key.slice(0, Math.max(at, 0)), key.slice(at + 1)];
}

export class Claim {
  readonly id: number;
  readonly kind: SourceKind;
  /** The path of the file, the name of the resource, `fleet:NAME`, or the key of a client's policy. */
  readonly origin: string;
  /** The wanted text, or the reason why the source has none now. Then the loaded version stays. */
  wanted: string | Error;
  /** The source wants nothing any more. */
  isGone = false;
  /** The version that is loaded. Undefined when the claim holds no name. */
  loaded: LoadedVersion | undefined;
  /** The settings that clients have changed since the text was loaded. */
  isEnabled = true;
  mode: PolicyMode | undefined;
  /** The mode that the source wants in place of that of the policy. */
  wantedMode: PolicyMode | undefined;
  /** The name of the file in messages about the policy. Undefined: the origin. */
  fileName: string | undefined;
  error: string | undefined;
  /** The configuration of the agent does not allow what the policy does. */
  isForbidden = false;
  /** The reason why it was not attached after a change of the node's labels. */
  attachError: string | undefined;
  /** When the wanted text is tried again, and how long to wait after that. Undefined: only after a change. */
  retryAt: number | undefined;
  retryMs = 0;
  /** Formats an error for those who list policies. */
  describe: (error: unknown) => string = formatError;
  /** The name that another claim holds. */
  awaitedKey: string | undefined;
  #parsed: { readonly text: string; readonly result: Policy | Error } | undefined;

  constructor(id: number, kind: SourceKind, origin: string, wanted: string | Error) {
    this.id = id;
    this.kind = kind;
    this.origin = origin;
    this.wanted = wanted;
  }

  /** Parses the wanted text. Throws PolicyError, or the error of the source. */
  parse(): Policy {
    if (this.wanted instanceof Error) throw this.wanted;
    const text = this.wanted;
    if (this.#parsed?.text !== text) this.#parsed = { text, result: this.#parse(text) };
    const { result } = this.#parsed;
    if (result instanceof Error) throw result;
    return result;
  }

  #parse(text: string): Policy | Error {
    try {
      return parsePolicy(text, this.kind === 'client' ? {} : { file: this.fileName ?? this.origin });
    } catch (error) {
      return error as Error;
    }
  }

  /** The name that the wanted text has. Undefined when it cannot be parsed. */
  get wantedKey(): string | undefined {
    try {
      const { name, namespace = '' } = this.parse();
      return policyKey(name, namespace);
    } catch {
      return undefined;
    }
  }

  /** True when the claim does not want a name that it holds. */
  isReleasing(key: string): boolean {
    if (this.isGone || this.loaded?.key !== key) return true;
    const wanted = this.wantedKey;
    return wanted !== undefined && wanted !== key;
  }

  /** True when the wanted text is loaded, or when there is nothing to load. */
  get isSettled(): boolean {
    if (this.isGone) return this.loaded === undefined;
    return this.wanted === this.loaded?.text && this.wantedMode === this.loaded?.wantedMode;
  }

  /** The name of the loaded version, or of the wanted one. */
  get names(): { readonly name: string; readonly namespace: string } {
    if (this.loaded !== undefined) return this.loaded;
    try {
      const { name, namespace = '' } = this.parse();
      return { name, namespace };
    } catch {
      return { name: '', namespace: '' };
    }
  }

  /** How messages name the source. */
  get sourceName(): string {
    return this.kind === 'client' ? 'a client' : this.origin;
  }

  get problem(): string | undefined {
    return this.error ?? this.attachError;
  }
}
