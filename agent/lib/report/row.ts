/** The rows of a report: what the page reads, one JSON text on a line. Both sides use these types. */

/** A program that a process ran. It comes before the first event that names it. */
export interface ProcessRow {
  readonly kind: 'process';
  readonly id: string;
  /** Id of the parent, or of the program that the same process ran before: then `pid` is the same. Empty: unknown. */
  readonly parent: string;
  readonly pid: number;
  readonly uid: number;
  readonly user?: string;
  readonly binary: string;
  /** As compact lines show them: quoted and escaped. */
  readonly arguments: string;
  readonly cwd: string;
  /** RFC 3339; empty: unknown. */
  readonly start: string;
  /** It has not executed a program of its own yet. */
  readonly forked?: true;
  readonly container?: string;
  /** NAMESPACE/NAME. */
  readonly pod?: string;
}

export interface EventRow {
  readonly kind: 'event';
  /** Milliseconds since 1970, with microseconds as the fraction. */
  readonly time: number;
  readonly type: string;
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
  /** Names and texts of the values that the hook read. */
  readonly values?: readonly (readonly [string, string])[];
  readonly files?: readonly string[];
  readonly addresses?: readonly string[];
  readonly stack?: readonly string[];
  /** Events that were lost. */
  readonly lost?: number;
}

/** The last row. A live report has it when its events have ended. */
export interface EndRow {
  readonly kind: 'end';
  readonly version: string;
  /** RFC 3339. */
  readonly created: string;
  /** Files, or another source, as the user has named them. */
  readonly sources: readonly string[];
  readonly nodes: readonly string[];
  /** Events that had no room, and the time of the first and of the last of them in milliseconds since 1970. */
  readonly leftOut: number;
  readonly leftOutFrom?: number;
  readonly leftOutTo?: number;
  /** Lines that are no events. */
  readonly wrongLines: number;
}

/** A live report only: rows that this browser could not take in time. */
interface MissedRow {
  readonly kind: 'missed';
  readonly count: number;
}

export type Row = ProcessRow | EventRow | EndRow | MissedRow;
