/** The commands that sign a new version: apply, delete and rollback. */
import { expandPolicyPaths, loadPolicyFile, parsePolicy, type PolicyMode } from 'polytrace';
import { makeError } from '../errors.js';
import { parseNodeSelector } from '../nodes/selector.js';
import type { NodeReport } from '../nodes/report.js';
import type { SigningKey } from '../policies/keys.js';
import type { OperatorBucket } from '../policies/operator-bucket.js';
import { makePlan, type PlanOptions } from '../policies/plan.js';
import type { Gate, PolicyRecord } from '../policies/records.js';
import { plural } from './output.js';

export interface ApplyOptions extends PlanOptions {
  readonly nodes: string;
  readonly mode: PolicyMode | undefined;
}

/** All nodes at once. */
const AT_ONCE: PlanOptions = { percents: [100], waitMs: 0 };

export interface LocalPolicy {
  readonly name: string;
  readonly file: string;
  readonly content: string;
}

/** Reads and parses policies. Throws PolicyError. */
export function readPolicies(paths: readonly string[]): LocalPolicy[] {
  return paths.flatMap(expandPolicyPaths).map((file) => {
    const content = loadPolicyFile(file);
    const { name, namespace } = parsePolicy(content, { file });
    return { name: namespace === undefined ? name : `${namespace}/${name}`, file, content };
  });
}

/** Returns the version that nodes keep which a rollout does not reach: the newest one that reached all. 0: none. */
function findBase(head: PolicyRecord | undefined, gate: Gate | undefined): number {
  if (head === undefined) return 0;
  return isComplete(head, gate) ? head.version : head.base;
}

export function isComplete({ version, plan }: PolicyRecord, gate: Gate | undefined): boolean {
  return plan.stages.length === 1 || (gate?.version === version && gate.state === 'complete');
}

function isSame(head: PolicyRecord, { content }: LocalPolicy, { nodes, mode }: ApplyOptions): boolean {
  return !head.isDeleted && head.content === content && head.nodes === nodes && head.mode === mode;
}

/** Returns a line for the user. */
export async function applyPolicy(
  bucket: OperatorBucket,
  policy: LocalPolicy,
  options: ApplyOptions,
  reports: readonly NodeReport[],
  key: SigningKey,
): Promise<{ readonly line: string; readonly record: PolicyRecord | undefined }> {
  const { name, file, content } = policy;
  const { nodes, mode } = options;
  const head = (await bucket.readHead(name))?.signed.record;
  const gate = await bucket.readGate(name);
  if (head !== undefined && isComplete(head, gate) && isSame(head, policy, options)) {
    return { line: `${name}: version ${head.version} is the same`, record: undefined };
  }
  const selects = parseNodeSelector(nodes);
  const selected = reports.filter(({ labels }) => selects(labels)).map(({ node }) => node);
  const plan = makePlan(selected, options);
  const base = findBase(head, gate);
  const modes = mode === undefined ? {} : { mode };
  const make = (): Omit<PolicyRecord, 'cluster' | 'version' | 'created'> => {
    return { name, file, content, isDeleted: false, ...modes, nodes, base, plan };
  };
  const record = await bucket.writeVersion(make, name, key);
  const first = plan.stages[0];
  const stages = plan.stages.map(({ percent }) => `${percent}%`).join(', ');
  const how = plan.stages.length === 1 ? '' : `, first ${plural(first?.nodes ?? 0, 'node')} (stages ${stages})`;
  return { line: `${name}: version ${record.version} for ${plural(selected.length, 'node')}${how}`, record };
}

export async function deletePolicy(bucket: OperatorBucket, name: string, key: SigningKey): Promise<string> {
  const head = await requireHead(bucket, name);
  if (head.isDeleted) return `${name}: is deleted already`;
  const make = (): Omit<PolicyRecord, 'cluster' | 'version' | 'created'> => {
    const plan = makePlan([], AT_ONCE);
    return { name, file: head.file, content: '', isDeleted: true, nodes: head.nodes, base: 0, plan };
  };
  const { version } = await bucket.writeVersion(make, name, key);
  return `${name}: deleted, as version ${version}`;
}

/** Signs an earlier version again as the newest one, for all nodes at once. */
export async function rollBack(
  bucket: OperatorBucket,
  name: string,
  to: number | undefined,
  key: SigningKey,
): Promise<string> {
  const head = await requireHead(bucket, name);
  const target = to ?? (isComplete(head, await bucket.readGate(name)) ? head.version - 1 : head.base);
  if (target === 0) {
    const line = await deletePolicy(bucket, name, key);
    return `${line}: there was no version before`;
  }
  const earlier = target < head.version ? await bucket.readVersion(name, target) : undefined;
  if (earlier === undefined) {
    throw makeError(
      'FLEET_VERSION',
      `${name} has no version ${target} before version ${head.version}`,
      '`polytrace fleet list` shows the newest version; 100 versions are kept',
    );
  }
  const make = (): Omit<PolicyRecord, 'cluster' | 'version' | 'created'> => {
    const { file, content, isDeleted, mode, nodes } = earlier;
    const modes = mode === undefined ? {} : { mode };
    return { name, file, content, isDeleted, ...modes, nodes, base: 0, plan: makePlan([], AT_ONCE) };
  };
  const { version } = await bucket.writeVersion(make, name, key);
  return `${name}: version ${version} is version ${target} again`;
}

async function requireHead(bucket: OperatorBucket, name: string): Promise<PolicyRecord> {
  const head = (await bucket.readHead(name))?.signed.record;
  if (head === undefined) {
    throw makeError('FLEET_VERSION', `the fleet has no policy ${name}`, '`polytrace fleet list` shows all policies');
  }
  return head;
}
