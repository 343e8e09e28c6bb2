/** Nodes of a fleet without a tracer: their part of the agent that follows policies and reports, with made counters. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../lib/log/log.js';
import { FleetConnection } from '../../lib/fleet/connection.js';
import { PolicyMember } from '../../lib/fleet/member.js';
import { ownLabels, type Labels } from '../../lib/fleet/nodes/labels.js';
import { NodeReporter } from '../../lib/fleet/nodes/reporter.js';
import type { NodeReport } from '../../lib/fleet/nodes/report.js';
import { parseNodeSelector } from '../../lib/fleet/nodes/selector.js';
import {
  readSigningKey,
  readTrustedKeys,
  writeKeyPair,
  type SigningKey,
  type TrustedKeys,
} from '../../lib/fleet/policies/keys.js';
import type { LastGood } from '../../lib/fleet/policies/last-good.js';
import type { FleetPolicy, FleetTarget, TargetStatus } from '../../lib/fleet/policies/loaded-policies.js';

const ignore = (): void => undefined;
export const SILENT = {
  error: ignore,
  warn: ignore,
  info: ignore,
  debug: ignore,
  trace: ignore,
  fatal: ignore,
  level: 'info',
} as unknown as Log;

export interface TestKey {
  readonly file: string;
  readonly publicFile: string;
  readonly signing: SigningKey;
  readonly trusted: TrustedKeys;
}

export function makeKey(): TestKey {
  const file = join(mkdtempSync(join(tmpdir(), 'polytrace-key-')), 'key.pem');
  const { publicFile } = writeKeyPair(file);
  readFileSync(publicFile);
  return { file, publicFile, signing: readSigningKey(file), trusted: readTrustedKeys([publicFile]) };
}

/** Takes the place of the store of an agent. */
class FakeTarget implements FleetTarget {
  readonly loaded = new Map<string, FleetPolicy>();
  readonly errors = new Map<string, string>();
  /** The error of a policy on this machine, or undefined. */
  refuses: (policy: FleetPolicy) => string | undefined = () => undefined;
  /** The counters of a loaded version. */
  counters: (policy: FleetPolicy) => Partial<TargetStatus> = () => ({});

  set(policy: FleetPolicy): Promise<void> {
    const error = this.refuses(policy);
    if (error === undefined) {
      this.loaded.set(policy.name, policy);
      this.errors.delete(policy.name);
    } else this.errors.set(policy.name, error);
    return Promise.resolve();
  }

  drop(name: string): Promise<void> {
    this.loaded.delete(name);
    this.errors.delete(name);
    return Promise.resolve();
  }

  status(name: string): TargetStatus | undefined {
    const policy = this.loaded.get(name);
    const error = this.errors.get(name);
    if (policy === undefined && error === undefined) return undefined;
    return { events: 0, enforced: 0, lost: 0, ...(policy && this.counters(policy)), error };
  }

  version(name: string): number {
    return this.loaded.get(name)?.version ?? 0;
  }
}

export interface TestNodeOptions {
  readonly servers: readonly string[];
  readonly name: string;
  readonly cluster?: string;
  readonly labels?: Labels;
  readonly keys: TrustedKeys;
  readonly gateKeys?: TrustedKeys;
  readonly lastGood?: LastGood | undefined;
  readonly isController?: boolean;
  readonly onChange?: () => void;
}

export class TestNode {
  readonly target = new FakeTarget();
  readonly connection: FleetConnection;
  readonly member: PolicyMember;
  readonly reporter: NodeReporter;
  readonly #watchers = new Set<() => void>();

  constructor(options: TestNodeOptions) {
    const { servers, name: nodeName, cluster = 'test', labels = {}, keys, gateKeys = new Map(), lastGood } = options;
    const all = { ...labels, ...ownLabels(nodeName) };
    this.connection = FleetConnection.open({ servers, name: nodeName });
    const base = { connection: this.connection, cluster, nodeName, log: SILENT };
    this.member = new PolicyMember({
      ...base,
      keys,
      gateKeys,
      matches: (selector) => parseNodeSelector(selector)(all),
      target: this.target,
      lastGood,
      onChange: () => {
        this.reporter.reportSoon();
        options.onChange?.();
        for (const watch of this.#watchers) watch();
      },
    });
    const makeReport = (isInterval: boolean): NodeReport => ({
      cluster,
      node: nodeName,
      version: '0.1.0',
      kernel: '6.12.0',
      arch: 'x64',
      features: [],
      labels: all,
      load: [0, 0, 0],
      startedAt: '',
      time: new Date().toISOString(),
      events: 0,
      rate: 0,
      lost: 0,
      sequence: this.member.replica.manifest?.record.sequence ?? 0,
      isController: options.isController === true,
      policies: this.member.loaded.report(isInterval),
      refused: this.member.replica.refusals.list(),
    });
    this.reporter = new NodeReporter({ ...base, makeReport, isInRollout: () => this.member.isInRollout });
  }

  async start(): Promise<void> {
    await this.member.start();
    this.reporter.start();
  }

  /** Resolves when the condition is true, after a change of what is loaded. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        const watch = (): void => {
          this.#watchers.delete(watch);
          resolve();
        };
        this.#watchers.add(watch);
      });
    }
  }

  async stop(): Promise<void> {
    this.reporter.stop();
    await this.member.stop();
    await this.connection.close();
  }
}
