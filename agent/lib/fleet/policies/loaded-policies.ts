/** The policies of the fleet that this node has loaded, with what they have done since then. */
import type { PolicyMode } from 'polytrace';
import { shortenText, type PolicyCounters, type PolicyReport } from '../nodes/report.js';
import type { PolicyRecord } from './records.js';

/** A version of a policy, as the node loads it. */
export interface FleetPolicy {
  readonly name: string;
  readonly version: number;
  readonly content: string;
  /** The file of the operator, for messages. */
  readonly file: string;
  readonly mode: PolicyMode | undefined;
}

/** The state of a policy on this machine. The counters begin when its hooks are attached. */
export interface TargetStatus extends PolicyCounters {
  readonly mode?: string | undefined;
  /** Why the version that was set last is not loaded, or not attached. */
  readonly error?: string | undefined;
}

/** What loads policies: the store of the agent. */
export interface FleetTarget {
  /** Loads a policy, or replaces it without a gap. Never rejects: the status has the error. */
  set(policy: FleetPolicy): Promise<void>;
  drop(name: string): Promise<void>;
  /** Undefined: the policy is neither loaded nor failed. */
  status(name: string): TargetStatus | undefined;
}

interface Entry {
  wanted: number;
  loaded: number;
  /** The counters when the version was loaded. They may go on counting over a change. */
  start: PolicyCounters;
  lastEvents: number;
  lastTime: number;
}

const NO_COUNTERS: PolicyCounters = { events: 0, enforced: 0, lost: 0 };

export class LoadedPolicies {
  readonly #target: FleetTarget;
  readonly #entries = new Map<string, Entry>();

  constructor(target: FleetTarget) {
    this.#target = target;
  }

  /** Loads the version, or removes the policy. Resolves with true if something has changed. */
  async want(name: string, record: PolicyRecord | undefined): Promise<boolean> {
    const entry = this.#entries.get(name);
    if (record === undefined) {
      if (entry === undefined) return false;
      this.#entries.delete(name);
      await this.#target.drop(name);
      return true;
    }
    if (entry?.wanted === record.version) return false;
    const { version, content, file, mode } = record;
    const next = entry ?? { wanted: 0, loaded: 0, start: NO_COUNTERS, lastEvents: 0, lastTime: performance.now() };
    next.wanted = version;
    this.#entries.set(name, next);
    await this.#target.set({ name, version, content, file, mode });
    this.#observe(name, next);
    return true;
  }

  /** The store tries again what failed, so a version may be loaded later. */
  #observe(name: string, entry: Entry): void {
    const status = this.#target.status(name);
    if (entry.loaded === entry.wanted || status === undefined || status.error !== undefined) return;
    entry.loaded = entry.wanted;
    const { events, enforced, lost } = status;
    entry.start = { events, enforced, lost };
    entry.lastEvents = events;
    entry.lastTime = performance.now();
  }

  /** `isInterval`: the rates of the next report begin now. */
  report(isInterval: boolean): Record<string, PolicyReport> {
    const now = performance.now();
    const reports: Record<string, PolicyReport> = {};
    for (const [name, entry] of this.#entries) {
      this.#observe(name, entry);
      const status = this.#target.status(name) ?? NO_COUNTERS;
      const { mode, error } = status as Partial<TargetStatus>;
      const seconds = Math.max((now - entry.lastTime) / 1000, 0.001);
      const isNew = seconds < 0.5;
      // counters that begin anew after a change
      const since = (value: number, start: number): number => (value >= start ? value - start : value);
      reports[name] = {
        wanted: entry.wanted,
        loaded: entry.loaded,
        ...(mode !== undefined && { mode }),
        ...(error !== undefined && { error: shortenText(error) }),
        events: since(status.events, entry.start.events),
        enforced: since(status.enforced, entry.start.enforced),
        lost: since(status.lost, entry.start.lost),
        rate: isNew ? 0 : Math.round(since(status.events, entry.lastEvents) / seconds),
      };
      if (!isInterval || isNew) continue;
      entry.lastEvents = status.events;
      entry.lastTime = now;
    }
    return reports;
  }
}
