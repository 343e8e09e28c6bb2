/** Decides whether a rollout goes on: a pure function of the plan and of the reports of its nodes. */
import type { NodeReport, PolicyReport } from '../nodes/report.js';
import { isInStage } from './plan.js';
import type { PolicyRecord } from './records.js';

export type StageDecision =
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'stop'; readonly reason: string }
  /** All nodes of the stage have loaded the version and are well. */
  | { readonly kind: 'healthy' };

/** `nodes`: the reports of the nodes that the policy selects. `waitedMs`: since the stage began. */
export function decideStage(
  record: PolicyRecord,
  stage: number,
  nodes: readonly NodeReport[],
  waitedMs: number,
): StageDecision {
  const { name, version, plan } = record;
  const { budgets, loadMs } = plan;
  const expected = plan.stages[stage]?.nodes ?? 0;
  const members = nodes.filter(({ node }) => isInStage(plan, stage, node));
  const failed: string[] = [];
  const pending: string[] = [];
  for (const { node, policies } of members) {
    const report = policies[name];
    const problem = report === undefined ? undefined : findExcess(report, record);
    if (problem !== undefined) return { kind: 'stop', reason: `${node} ${problem}` };
    if (report?.wanted === version && report.error !== undefined) failed.push(`${node}: ${report.error}`);
    else if (report?.loaded !== version) pending.push(node);
  }
  if (failed.length > budgets.failed) {
    return { kind: 'stop', reason: `${countNodes(failed.length)} cannot load the version: ${failed[0]}` };
  }
  const missing = Math.max(expected - members.length, 0);
  if (pending.length + missing === 0 && members.length > 0) return { kind: 'healthy' };
  const silent = missing > 0 ? `, and ${countNodes(missing)} of the stage ${missing === 1 ? 'is' : 'are'} silent` : '';
  const first = pending[0] === undefined ? '' : ` (${pending[0]})`;
  const reason = `${countNodes(pending.length)} of ${members.length} ${pending.length === 1 ? 'has' : 'have'} not loaded the version${first}${silent}`;
  return { kind: waitedMs > loadMs ? 'stop' : 'wait', reason };
}

/** Returns which budget the node has exceeded. */
function findExcess(report: PolicyReport, { version, plan: { budgets } }: PolicyRecord): string | undefined {
  if (report.loaded !== version) return undefined;
  const { enforced, lost, rate } = budgets;
  if (report.enforced > enforced) return `enforced ${report.enforced} times: the budget is ${enforced}`;
  if (report.lost > lost) return `lost ${report.lost} events: the budget is ${lost}`;
  if (report.rate > rate) return `reports ${report.rate} events a second: the budget is ${rate}`;
  return undefined;
}

function countNodes(count: number): string {
  return `${count} ${count === 1 ? 'node' : 'nodes'}`;
}
