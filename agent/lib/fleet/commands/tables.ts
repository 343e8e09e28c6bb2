/** Tables of policies and nodes. */
import type { NodeReport } from '../nodes/report.js';
import type { Gate, PolicyRecord } from '../policies/records.js';
import { isComplete } from './changes.js';
import { formatAge, formatRows } from './output.js';

/** Returns what a rollout does, in a few words. */
export function describeRollout(record: PolicyRecord, gate: Gate | undefined): string {
  const { plan, version, isDeleted } = record;
  if (isDeleted) return 'deleted';
  if (isComplete(record, gate)) return 'complete';
  const isKnown = gate?.version === version;
  const stage = isKnown ? gate.stage : 0;
  const percent = plan.stages[stage]?.percent ?? 100;
  const reason = isKnown && gate.reason !== '' ? `: ${gate.reason}` : '';
  return `${isKnown ? gate.state : 'running'} at ${percent}%${reason}`;
}

export interface PolicyRow {
  readonly record: PolicyRecord;
  readonly gate: Gate | undefined;
}

export function formatPolicies(rows: readonly PolicyRow[], now: number): string {
  const lines = rows.map(({ record, gate }) => {
    const { name, version, mode = '-', nodes, created, file } = record;
    return [
      name,
      String(version),
      mode,
      nodes === '' ? 'all' : nodes,
      formatAge(created, now),
      file,
      describeRollout(record, gate),
    ];
  });
  return formatRows([['POLICY', 'VERSION', 'MODE', 'NODES', 'AGE', 'FILE', 'ROLLOUT'], ...lines]);
}

/** A row for each policy of each node. */
export function formatStatus(rows: readonly PolicyRow[], nodes: readonly NodeReport[], now: number): string {
  const names = new Set(rows.map(({ record }) => record.name));
  const lines = nodes.flatMap(({ node, policies }) =>
    Object.entries(policies)
      .filter(([name]) => names.has(name))
      .map(([name, { wanted, loaded, mode = '-', events, rate, enforced, lost, error = '' }]) => {
        const numbers = [events, rate, enforced, lost].map(String);
        return [node, name, String(wanted), String(loaded), mode, ...numbers, error];
      }),
  );
  const head = ['NODE', 'POLICY', 'WANTED', 'LOADED', 'MODE', 'EVENTS', 'PER SECOND', 'ENFORCED', 'LOST', 'ERROR'];
  const refused = nodes.flatMap(({ node, refused: list }) =>
    list.map(({ code, place, message, count }) => [node, code, String(count), place, message]),
  );
  const refusals =
    refused.length === 0 ? '' : `\n${formatRows([['NODE', 'REFUSED', 'TIMES', 'PLACE', 'REASON'], ...refused])}`;
  return `${formatPolicies(rows, now)}\n${formatRows([head, ...lines])}${refusals}`;
}

export function formatNodes(nodes: readonly NodeReport[], now: number): string {
  const lines = nodes.map((report) => {
    const { node, kernel, version, labels, load, rate, lost, lastEvent, time, features } = report;
    const shown = Object.entries(labels).filter(([key]) => !key.startsWith('polytrace.io/'));
    return [
      node,
      kernel,
      version,
      (load[0] ?? 0).toFixed(2),
      String(rate),
      String(lost),
      formatAge(lastEvent, now),
      formatAge(time, now),
      features.join(',') || '-',
      shown.map(([key, value]) => `${key}=${value}`).join(',') || '-',
    ];
  });
  const head = ['NODE', 'KERNEL', 'AGENT', 'LOAD', 'PER SECOND', 'LOST', 'LAST EVENT', 'REPORT', 'FEATURES', 'LABELS'];
  return formatRows([head, ...lines]);
}

const TOP_ROWS = 30;

/** The nodes and policies with most events a second. */
export function formatTop(nodes: readonly NodeReport[], now: number): string {
  const rate = nodes.reduce((sum, each) => sum + each.rate, 0);
  const lost = nodes.reduce((sum, each) => sum + each.lost, 0);
  const rows = [...nodes].sort((a, b) => b.rate - a.rate || b.lost - a.lost).slice(0, TOP_ROWS);
  const lines = rows.map((report) => {
    const policies = Object.entries(report.policies).sort(([, a], [, b]) => b.rate - a.rate);
    const [busiest] = policies.filter(([, each]) => each.rate > 0);
    const failed = policies.filter(([, { error }]) => error !== undefined).length;
    return [
      report.node,
      String(report.rate),
      String(report.events),
      String(report.lost),
      (report.load[0] ?? 0).toFixed(2),
      String(policies.length),
      String(failed),
      busiest === undefined ? '-' : `${busiest[0]} (${busiest[1].rate})`,
      formatAge(report.time, now),
    ];
  });
  const head = ['NODE', 'PER SECOND', 'EVENTS', 'LOST', 'LOAD', 'POLICIES', 'FAILED', 'BUSIEST POLICY', 'REPORT'];
  return `${nodes.length} nodes, ${rate} events a second, ${lost} lost\n${formatRows([head, ...lines])}`;
}
