/**
 * The records of the bucket of policies. Each is signed, and says itself which cluster, policy and version it is for:
 * the place where the server keeps it counts for nothing.
 */
import type { PolicyMode } from 'polytrace';
import { openEnvelope, parseJson, type Signed } from './envelope.js';
import type { TrustedKeys } from './keys.js';
import { Refusal } from './refusal.js';

/** A stage of a rollout. A node belongs to it when its place in the order is at most the threshold. */
export interface Stage {
  readonly percent: number;
  readonly threshold: number;
  /** Nodes of this stage and those before it, when the version was signed. */
  readonly nodes: number;
}

/** What nodes may do before a rollout stops. Counters are those of the policy on one node since it loaded the version. */
export interface Budgets {
  /** Nodes that may fail to load the version. */
  readonly failed: number;
  /** Calls that were overridden, or whose process got a signal. */
  readonly enforced: number;
  readonly lost: number;
  /** Events in a second. */
  readonly rate: number;
}

export interface Plan {
  /** Decides the order of the nodes, anew for each version. */
  readonly salt: string;
  readonly stages: readonly Stage[];
  /** How long all nodes of a stage have to be well before the next one begins. */
  readonly waitMs: number;
  /** How long a stage may take to load the version. */
  readonly loadMs: number;
  readonly budgets: Budgets;
}

export interface PolicyRecord {
  readonly cluster: string;
  /** NAME, or NAMESPACE/NAME. */
  readonly name: string;
  readonly version: number;
  readonly created: string;
  /** How messages name the file of the operator. */
  readonly file: string;
  /** The policy as YAML. Empty when the policy was deleted. */
  readonly content: string;
  readonly isDeleted: boolean;
  /** Replaces the mode that the policy has. */
  readonly mode?: PolicyMode;
  /** Label selector of nodes. Empty: all. */
  readonly nodes: string;
  /** The version of nodes that the rollout has not reached. 0: none. */
  readonly base: number;
  readonly plan: Plan;
}

/** The signed list of the newest versions: a server that withholds one is detected. */
export interface Manifest {
  readonly cluster: string;
  readonly sequence: number;
  readonly created: string;
  readonly versions: Readonly<Record<string, number>>;
}

/** How far a rollout is. A controller signs it. */
export interface Gate {
  readonly cluster: string;
  readonly name: string;
  readonly version: number;
  /** Index of the newest stage whose nodes may load the version. */
  readonly stage: number;
  readonly state: 'running' | 'stopped' | 'complete';
  readonly reason: string;
  readonly created: string;
}

/** Policies of a cluster, with deleted ones. */
export const POLICIES_MAX = 1000;
/** The place of the last node in the order. */
export const ORDER_MAX = 2 ** 48 - 1;
const STAGES_MAX = 20;
const NAME_MAX = 512;

/** Throws Refusal. */
export function openPolicy(envelope: string, keys: TrustedKeys, cluster: string): Signed<PolicyRecord> {
  const { payload, digest } = openEnvelope('policy', envelope, keys);
  const record = parseJson(payload) as PolicyRecord;
  const { name, version, file, content, isDeleted, mode, nodes, base, plan } = record;
  checkCluster(record, cluster);
  expectMember(isName(name), 'name');
  expectMember(isVersion(version) && version > 0, 'version');
  expectMember(typeof file === 'string' && typeof content === 'string' && typeof nodes === 'string', 'content');
  expectMember(typeof isDeleted === 'boolean' && isVersion(base) && base < version, 'base');
  expectMember(mode === undefined || mode === 'monitor' || mode === 'enforce', 'mode');
  expectMember(isPlan(plan), 'plan');
  return { record, envelope, digest };
}

/** Throws Refusal. */
export function openManifest(envelope: string, keys: TrustedKeys, cluster: string): Signed<Manifest> {
  const { payload, digest } = openEnvelope('manifest', envelope, keys);
  const record = parseJson(payload) as Manifest;
  checkCluster(record, cluster);
  expectMember(isVersion(record.sequence), 'sequence');
  expectMember(typeof record.versions === 'object' && record.versions !== null, 'versions');
  const versions = Object.entries(record.versions);
  expectMember(versions.length <= POLICIES_MAX, 'versions');
  expectMember(
    versions.every(([name, version]) => isName(name) && isVersion(version)),
    'versions',
  );
  return { record, envelope, digest };
}

/** Throws Refusal. */
export function openGate(envelope: string, keys: TrustedKeys, cluster: string): Signed<Gate> {
  const { payload, digest } = openEnvelope('gate', envelope, keys);
  const record = parseJson(payload) as Gate;
  checkCluster(record, cluster);
  const { name, version, stage, state, reason } = record;
  expectMember(isName(name) && isVersion(version) && isVersion(stage) && stage < STAGES_MAX, 'stage');
  expectMember(['running', 'stopped', 'complete'].includes(state) && typeof reason === 'string', 'state');
  return { record, envelope, digest };
}

function checkCluster({ cluster: given }: { readonly cluster: unknown }, cluster: string): void {
  expectMember(typeof given === 'string', 'cluster');
  if (given !== cluster) {
    throw new Refusal('FLEET_CLUSTER', `the record is for the cluster ${JSON.stringify(given).slice(0, 100)}`);
  }
}

function expectMember(holds: boolean, member: string): void {
  if (!holds) throw new Refusal('FLEET_RECORD', `the member ${member} is wrong`);
}

function isName(name: unknown): boolean {
  return typeof name === 'string' && name !== '' && name.length <= NAME_MAX;
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPlan(plan: Plan): boolean {
  if (typeof plan !== 'object' || plan === null || !Array.isArray(plan.stages)) return false;
  const { salt, waitMs, loadMs, budgets } = plan;
  const stages = plan.stages as readonly Stage[];
  if (typeof salt !== 'string' || !isVersion(waitMs) || !isVersion(loadMs)) return false;
  if (typeof budgets !== 'object' || budgets === null) return false;
  const { failed, enforced, lost, rate } = budgets;
  if (![failed, enforced, lost, rate].every(isVersion)) return false;
  if (stages.length === 0 || stages.length > STAGES_MAX) return false;
  const isStage = ({ percent, threshold, nodes }: Stage, index: number): boolean =>
    typeof percent === 'number' &&
    isVersion(nodes) &&
    isVersion(threshold) &&
    threshold >= (stages[index - 1]?.threshold ?? 0);
  // the last stage has all nodes, also those that come later
  return stages.every(isStage) && stages.at(-1)?.threshold === ORDER_MAX;
}
