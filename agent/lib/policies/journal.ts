/**
 * The journal: each change of policies and settings is a line of the log and an event. Both say what changed, who changed
 * it, and by which way.
 */
import { createHash } from 'node:crypto';
import type { ChangeClient, ChangeEvent, PlainOf } from 'polytrace';
import type { Log } from '../log/log.js';
import { splitPolicyKey } from './claim.js';

/** A client that asked for a change. */
export type Caller = ChangeClient;

interface ChangeOrigin {
  readonly way: ChangeEvent['way'];
  /** The file or resource. */
  readonly file?: string | undefined;
  readonly by?: Caller | undefined;
}

export interface PolicyChange extends ChangeOrigin {
  readonly operation: Extract<ChangeEvent['operation'], `policy_${string}`>;
  readonly policy: string;
  /** The texts of the policy. Undefined when there was none, or is none. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  readonly enable?: boolean | undefined;
  readonly mode?: ChangeEvent['mode'] | undefined;
}

/** A change of a setting, or of the agent. `before` and `after` are reported as they are. */
export interface SettingChange extends ChangeOrigin {
  readonly operation: 'setting_change' | 'agent_start' | 'agent_stop';
  readonly setting?: string | undefined;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** A change without its time and its node. */
export type ReportedChange = Omit<PlainOf<ChangeEvent>, 'type' | 'time' | 'timeNs' | 'nodeName'>;

export class Journal {
  readonly #log: Log;
  readonly #report: (change: ReportedChange) => void;

  /** `report`: emits the event. */
  constructor(log: Log, report: (change: ReportedChange) => void = () => undefined) {
    this.#log = log;
    this.#report = report;
  }

  recordPolicy(message: string, { policy, enable: enabled, ...change }: PolicyChange): void {
    const [policyNamespace, policyName] = splitPolicyKey(policy);
    const before = change.before === undefined ? undefined : hashText(change.before);
    const after = change.after === undefined ? undefined : hashText(change.after);
    const { file, by, mode } = change;
    this.#log.info(omitAbsent({ policy, file, by, before, after, enable: enabled, mode }), message);
    const { operation, way } = change;
    const more = omitAbsent({ before, after, enabled, mode, client: by });
    this.#report({ operation, policyName, policyNamespace, way, source: file ?? '', ...more });
  }

  recordSetting(message: string, { operation, way, setting, before, after, file, by }: SettingChange): void {
    this.#log.info(omitAbsent({ setting, before, after, file, by }), message);
    const more = omitAbsent({ setting, before, after, client: by });
    this.#report({ operation, policyName: '', policyNamespace: '', way, source: file ?? '', ...more });
  }
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function omitAbsent<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** Returns what `sha256sum` prints for a file with this content. */
export function hashText(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
