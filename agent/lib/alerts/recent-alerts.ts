/** The last alerts of the agent, for clients: which there were, and who has acknowledged them. */
import { SEVERITIES, type Severity } from 'polytrace/protocol';
import type { Alert } from './alert.js';

const ALERTS_MAX = 1000;

export interface RecentAlert {
  readonly alert: Alert;
  readonly receivers: readonly string[];
  acknowledged: { readonly by: string; readonly time: string } | undefined;
}

export interface AlertQuery {
  readonly minSeverity: Severity | undefined;
  /** Also acknowledged alerts. */
  readonly acknowledged: boolean;
  /** Most alerts; 0: all. */
  readonly limit: number;
}

export class RecentAlerts {
  readonly #alerts: RecentAlert[] = [];
  /** Alerts since the start, also those that are gone. */
  total = 0;

  add(alert: Alert, receivers: readonly string[]): void {
    this.total += 1;
    this.#alerts.push({ alert, receivers, acknowledged: undefined });
    if (this.#alerts.length > ALERTS_MAX) this.#alerts.shift();
  }

  /** Returns the newest alerts, the oldest of them first. */
  list({ minSeverity, acknowledged, limit }: AlertQuery): RecentAlert[] {
    const least = minSeverity === undefined ? SEVERITIES.length : SEVERITIES.indexOf(minSeverity);
    const found = this.#alerts.filter((each) => {
      return SEVERITIES.indexOf(each.alert.severity) <= least && (acknowledged || each.acknowledged === undefined);
    });
    return limit === 0 ? found : found.slice(-limit);
  }

  /** Returns the first id that no alert has. */
  findUnknown(ids: ReadonlySet<number>): number | undefined {
    const known = new Set(this.#alerts.map(({ alert }) => alert.id));
    return [...ids].find((id) => !known.has(id));
  }

  /** Undefined: all. Returns the number of alerts that nobody had acknowledged. */
  acknowledge(ids: ReadonlySet<number> | undefined, by: string): number {
    const time = new Date().toISOString();
    const found = this.#alerts.filter(({ alert, acknowledged }) => {
      return acknowledged === undefined && (ids === undefined || ids.has(alert.id));
    });
    for (const each of found) each.acknowledged = { by, time };
    return found.length;
  }
}
