/**
 * The order of nodes in a rollout. The operator signs thresholds in an order that each node computes itself, so a plan
 * for ten thousand nodes is as small as one for three, and a node that comes later has its place already.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ORDER_MAX, type Budgets, type Plan, type Stage } from './records.js';

export const BUDGETS: Budgets = { failed: 0, enforced: 100, lost: 0, rate: 1000 };
export const LOAD_MS = 600_000;

/** Returns the place of a node in the order, from 0 to ORDER_MAX. */
function orderPlace(salt: string, node: string): number {
  return createHash('sha256').update(`${salt}\n${node}`).digest().readUIntBE(0, 6);
}

export interface PlanOptions {
  /** Rising, and the last one is 100. */
  readonly percents: readonly number[];
  readonly waitMs: number;
  readonly loadMs?: number;
  readonly budgets?: Partial<Budgets>;
  readonly salt?: string;
}

/** `nodes`: the names of the nodes that the policy selects now. Each stage has at least one more than the one before. */
export function makePlan(nodes: readonly string[], options: PlanOptions): Plan {
  const { percents, waitMs, loadMs = LOAD_MS, budgets, salt = randomBytes(12).toString('hex') } = options;
  const places = nodes.map((node) => orderPlace(salt, node)).sort((a, b) => a - b);
  let count = 0;
  const stages = percents.map((percent, index): Stage => {
    if (index === percents.length - 1) return { percent, threshold: ORDER_MAX, nodes: places.length };
    count = Math.min(Math.max(Math.ceil((places.length * percent) / 100), count + 1), places.length);
    // without known nodes, the share of the order is as good as any
    const threshold = places[count - 1] ?? Math.floor((ORDER_MAX * percent) / 100);
    return { percent, threshold, nodes: count };
  });
  return { salt, stages, waitMs, loadMs, budgets: { ...BUDGETS, ...budgets } };
}

/** True if the nodes of this stage have the node among them. */
export function isInStage({ salt, stages }: Plan, stage: number, node: string): boolean {
  const { threshold } = stages[Math.min(stage, stages.length - 1)] ?? { threshold: ORDER_MAX };
  return orderPlace(salt, node) <= threshold;
}
