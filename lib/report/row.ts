/** The rows of a report: one JSON object on each line. The agent writes them, and the page reads them. */

import type { EventType } from '../../types/index.js';

/** An exec of a process. The row precedes the first event that refers to it. */
export interface ProcessRow {
  readonly kind: 'process';
  readonly id: string;
  /** Id of the parent, or of the former exec of the same process (then `pid` is the same). Empty if unknown. */
  readonly parent: string;
  readonly pid: number;
  readonly uid: number;
  readonly user?: string;
  readonly binary: string;
  /** Quoted and escaped as in compact lines. */
  readonly arguments: string;
  readonly cwd: string;
  /** RFC 3339. Empty if unknown. */
  readonly start: string;
  /** The process has not executed a program of its own yet. */
  readonly forked?: true;
  readonly container?: string;
  /** NAMESPACE/NAME. */
  readonly pod?: string;
}

export interface EventRow {
  readonly kind: 'event';
  /** Milliseconds since 1970, with microseconds as the fraction. */
  readonly time: number;
  readonly type: EventType;
  /** Id of a process row; absent for lost events. */
  readonly process?: string;
  readonly label: string;
  readonly detail: string;
  readonly message?: string;
  readonly actions?: string;
  readonly policy?: string;
  /** The function, tracepoint, symbol or probe. */
  readonly hook?: string;
  readonly tags?: readonly string[];
  /** Names and formatted values that the hook read. */
  readonly values?: readonly (readonly [string, string])[];
  readonly files?: readonly string[];
  readonly addresses?: readonly string[];
  readonly stack?: readonly string[];
  /** Events that were lost. */
  readonly lost?: number;
}

/** The last row. A live report gets it when its events have ended. */
export interface EndRow {
  readonly kind: 'end';
  readonly version: string;
  /** RFC 3339. */
  readonly created: string;
  /** Files or other sources, as the user named them. */
  readonly sources: readonly string[];
  readonly nodes: readonly string[];
  /** Number of events above the limit, and the time of the first and the last of them in milliseconds since 1970. */
  readonly leftOut: number;
  readonly leftOutFrom?: number;
  readonly leftOutTo?: number;
  /** Number of lines that are not events. */
  readonly wrongLines: number;
}

/** Only in a live report: number of events that this browser did not receive in time. */
interface MissedRow {
  readonly kind: 'missed';
  readonly count: number;
}

export type Row = ProcessRow | EventRow | EndRow | MissedRow;
