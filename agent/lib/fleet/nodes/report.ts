/** The report of a node about itself. Operators and controllers read it in the bucket of nodes, and need not trust it. */
import type { ReportedRefusal } from '../policies/refusal.js';

/** Counters of a policy since the node loaded the version. */
export interface PolicyCounters {
  readonly events: number;
  readonly enforced: number;
  readonly lost: number;
}

export interface PolicyReport extends PolicyCounters {
  /** The version that the node has to load. 0: none. */
  readonly wanted: number;
  /** The version that is loaded. 0: none. */
  readonly loaded: number;
  readonly mode?: string;
  /** Why the wanted version is not loaded. A problem of the policy has its file, line and column. */
  readonly error?: string;
  /** Events in a second, since the report before. */
  readonly rate: number;
}

export interface NodeReport {
  readonly cluster: string;
  readonly node: string;
  /** Version of the agent. */
  readonly version: string;
  readonly kernel: string;
  readonly arch: string;
  readonly features: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Load averages of 1, 5 and 15 minutes. */
  readonly load: readonly number[];
  readonly startedAt: string;
  readonly time: string;
  /** When the newest event was reported. */
  readonly lastEvent?: string;
  readonly events: number;
  readonly rate: number;
  readonly lost: number;
  /** The number of the signed list of versions. 0: none. */
  readonly sequence: number;
  readonly isController: boolean;
  readonly policies: Readonly<Record<string, PolicyReport>>;
  readonly refused: readonly ReportedRefusal[];
}

/** A node that is silent for this time is removed from the bucket. */
export const NODES_TTL_MS = 90_000;
export const REPORT_MS = 20_000;
/** While a rollout has reached the node. */
export const ROLLOUT_REPORT_MS = 2000;
const TEXT_MAX = 512;

/** Shortens texts that a policy or a kernel has chosen. */
export function shortenText(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
}

/** Returns undefined for a value that is no report. */
export function parseReport(text: string): NodeReport | undefined {
  let value: Partial<NodeReport> | null;
  try {
    value = JSON.parse(text) as Partial<NodeReport> | null;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { cluster, node, labels, policies, load, refused, features, time } = value;
  const hasTexts = typeof cluster === 'string' && typeof node === 'string' && typeof time === 'string';
  const hasObjects = isObject(labels) && isObject(policies);
  const hasLists = Array.isArray(load) && Array.isArray(refused) && Array.isArray(features);
  return hasTexts && hasObjects && hasLists ? (value as NodeReport) : undefined;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
