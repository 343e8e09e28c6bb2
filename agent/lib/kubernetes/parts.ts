/** What this room needs of the rest of the agent. */
import type { PolicyStatus } from 'polytrace';

/** The agent's log. */
export interface Log {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
  debug(detail: object, message: string): void;
}

/** Where policies are loaded: the agent's store. */
export interface PolicyTarget {
  /**
   * Loads the policy of an origin, or replaces it without a gap. Resolves with what is wrong; then the earlier version stays. `describe`
   * makes the text of an error, for everybody who lists policies. An Error in place of the text is what is wrong with it.
   */
  put(origin: string, text: string | Error, describe: (error: unknown) => string): Promise<string | undefined>;
  drop(origin: string): Promise<void>;
  /** The tracer's status of the policy of an origin, if it is loaded. */
  statusOf(origin: string): PolicyStatus | undefined;
  /** The error of the policy of an origin; undefined if it has none. */
  failureOf(origin: string): string | undefined;
  /** Attaches the policies that select the node with these labels, and detaches those that do not. */
  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void>;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
