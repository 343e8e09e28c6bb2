/** Interfaces of the other parts of the agent that this room uses. */
import type { PolicyStatus } from 'polytrace';

/** The agent's log. */
export interface Log {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
  debug(detail: object, message: string): void;
}

/** Loads policies: the agent's store. */
export interface PolicyTarget {
  /**
   * Loads the policy of an origin, or replaces it without a gap. Resolves with the error, if there is one; then the
   * earlier version stays. `describe` formats the error for everybody who lists policies. If `text` is an Error, that
   * is the error.
   */
  setPolicy(origin: string, text: string | Error, describe: (error: unknown) => string): Promise<string | undefined>;
  dropPolicy(origin: string): Promise<void>;
  /** Returns the tracer's status of a loaded policy. */
  policyStatus(origin: string): PolicyStatus | undefined;
  /** Returns the error of a policy, or undefined. */
  policyError(origin: string): string | undefined;
  /** Attaches the policies that select the node with these labels, and detaches those that do not. */
  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void>;
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
