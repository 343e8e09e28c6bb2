/** The agent as a node of a fleet: its labels, its reports, the policies that it loads, and perhaps a controller. */
import { arch, loadavg, release } from 'node:os';
import { preflight, type Tracer } from 'polytrace';
import type { Configuration } from '../config/load.js';
import type { FleetConnection } from '../fleet/connection.js';
import { PolicyMember } from '../fleet/member.js';
import { DEFAULT_CLUSTER } from '../fleet/names.js';
import { ownLabels, parseLabels, readLabelsFile, type Labels } from '../fleet/nodes/labels.js';
import { NodeReporter } from '../fleet/nodes/reporter.js';
import type { NodeReport, PolicyReport } from '../fleet/nodes/report.js';
import { parseNodeSelector } from '../fleet/nodes/selector.js';
import { RolloutController } from '../fleet/policies/controller.js';
import { readSigningKey, readTrustedKeys, type SigningKey, type TrustedKeys } from '../fleet/policies/keys.js';
import { LastGood } from '../fleet/policies/last-good.js';
import type { FleetTarget } from '../fleet/policies/loaded-policies.js';
import type { Log } from '../log/log.js';
import type { PolicyStore } from '../policies/store.js';
import type { EventHub } from '../streams/hub.js';
import { openForSetting } from './open-for-setting.js';

export interface FleetKeys {
  readonly keys: TrustedKeys;
  readonly gateKeys: TrustedKeys;
  readonly controller: SigningKey | undefined;
}

interface FleetParts {
  readonly connection: FleetConnection;
  readonly tracer: Pick<Tracer, 'stats'>;
  readonly store: PolicyStore;
  readonly hub: EventHub;
  /** The labels of the node of Kubernetes. */
  readonly nodeLabels: Labels;
  readonly nodeName: string;
  readonly version: string;
  readonly log: Log;
}

/** Reads the keys of the settings. Rejects with ConfigError. */
export async function readFleetKeys({ options, sources }: Configuration): Promise<FleetKeys> {
  const { fleetPolicyKey, fleetGateKey, fleetController } = options;
  const read = <T>(key: 'fleetPolicyKey' | 'fleetGateKey' | 'fleetController', make: () => T): Promise<T> =>
    openForSetting(key, sources, () => Promise.resolve().then(make));
  const keys = await read('fleetPolicyKey', () => readTrustedKeys(fleetPolicyKey));
  const gateKeys = await read('fleetGateKey', () => readTrustedKeys(fleetGateKey));
  const controller = await read('fleetController', () =>
    fleetController === undefined ? undefined : readSigningKey(fleetController),
  );
  return { keys, gateKeys, controller };
}

export class FleetNode {
  readonly #configuration: Configuration;
  readonly #parts: FleetParts;
  readonly #cluster: string;
  readonly #member: PolicyMember | undefined;
  readonly #controller: RolloutController | undefined;
  readonly #reporter: NodeReporter;
  readonly #features: readonly string[];
  readonly #startedAt = new Date().toISOString();
  #labels: Labels;
  #lastEvent: Date | undefined;
  #before = { events: 0, time: performance.now() };
  #rate = 0;

  private constructor(
    configuration: Configuration,
    keys: FleetKeys,
    lastGood: LastGood | undefined,
    labels: Labels,
    parts: FleetParts,
  ) {
    this.#configuration = configuration;
    this.#parts = parts;
    this.#labels = labels;
    this.#cluster = configuration.options.clusterName ?? DEFAULT_CLUSTER;
    const { connection, store, hub, nodeName, log } = parts;
    const base = { connection, cluster: this.#cluster, nodeName, log };
    this.#features = preflight()
      .features.filter(({ available }) => available)
      .map(({ name }) => name);
    if (keys.keys.size > 0) {
      this.#member = new PolicyMember({
        ...base,
        keys: keys.keys,
        gateKeys: keys.gateKeys,
        matches: (selector) => parseNodeSelector(selector)(this.#labels),
        target: storeTarget(store),
        lastGood,
        onChange: () => this.#reporter.reportSoon(),
      });
    }
    if (keys.controller !== undefined) {
      this.#controller = new RolloutController({
        ...base,
        keys: keys.keys,
        gateKeys: keys.gateKeys,
        signingKey: keys.controller,
        parseSelector: parseNodeSelector,
      });
    }
    this.#reporter = new NodeReporter({
      ...base,
      makeReport: (isInterval) => this.#makeReport(isInterval),
      isInRollout: () => this.#member?.isInRollout === true,
    });
    hub.listen((events) => {
      if (events.length > 0) this.#lastEvent = new Date();
    });
  }

  /** Rejects with ConfigError. */
  static async open(configuration: Configuration, keys: FleetKeys, parts: FleetParts): Promise<FleetNode> {
    const { options, sources } = configuration;
    const { fleetPolicyDir: folder } = options;
    const hasPolicies = keys.keys.size > 0;
    const lastGood = hasPolicies
      ? await openForSetting('fleetPolicyDir', sources, () => LastGood.open(folder))
      : undefined;
    const labels = await readLabels(configuration, parts);
    return new FleetNode(configuration, keys, lastGood, labels, parts);
  }

  /** Resolves when the last good policies were tried. */
  async start(): Promise<void> {
    await this.#member?.start();
    this.#controller?.start();
    this.#reporter.start();
  }

  /** Reads the file with labels again. */
  async reload(): Promise<void> {
    this.#labels = await readLabels(this.#configuration, this.#parts);
    this.#member?.reconsider();
    this.#reporter.reportSoon();
  }

  async stop(): Promise<void> {
    this.#reporter.stop();
    this.#controller?.stop();
    await this.#member?.stop();
  }

  get sequence(): number {
    return this.#member?.replica.manifest?.record.sequence ?? 0;
  }

  get refused(): ReadonlyMap<string, number> {
    return this.#member?.replica.refusals.counts ?? new Map();
  }

  get policies(): Record<string, PolicyReport> {
    return this.#member?.loaded.report(false) ?? {};
  }

  /** The newest reports of all nodes, with the key of a controller. */
  get nodes(): readonly NodeReport[] {
    return this.#controller?.nodes ?? [];
  }

  #makeReport(isInterval: boolean): NodeReport {
    const { tracer, nodeName: node, version } = this.#parts;
    const { events, lost } = tracer.stats();
    const now = performance.now();
    const seconds = (now - this.#before.time) / 1000;
    if (isInterval && seconds > 0) {
      this.#rate = Math.round((events - this.#before.events) / seconds);
      this.#before = { events, time: now };
    }
    return {
      cluster: this.#cluster,
      node,
      version,
      kernel: release(),
      arch: arch(),
      features: this.#features,
      labels: this.#labels,
      load: loadavg().map((value) => Math.round(value * 100) / 100),
      startedAt: this.#startedAt,
      time: new Date().toISOString(),
      ...(this.#lastEvent !== undefined && { lastEvent: this.#lastEvent.toISOString() }),
      events,
      rate: this.#rate,
      lost,
      sequence: this.sequence,
      isController: this.#controller !== undefined,
      policies: this.#member?.loaded.report(isInterval) ?? {},
      refused: this.#member?.replica.refusals.list() ?? [],
    };
  }
}

async function readLabels({ options, sources }: Configuration, parts: FleetParts): Promise<Labels> {
  const { fleetLabels, fleetLabelsFile: file } = options;
  const read = (key: 'fleetLabels' | 'fleetLabelsFile', make: () => Labels): Promise<Labels> =>
    openForSetting(key, sources, () => Promise.resolve().then(make));
  const fromFile = file === undefined ? {} : await read('fleetLabelsFile', () => readLabelsFile(file));
  const configured = await read('fleetLabels', () => parseLabels(fleetLabels));
  return { ...parts.nodeLabels, ...fromFile, ...configured, ...ownLabels(parts.nodeName) };
}

/** Loads policies of the fleet through the store, as one more source beside files and clients. */
function storeTarget(store: PolicyStore): FleetTarget {
  const originOf = (name: string): string => `fleet:${name}`;
  return {
    set: ({ name, version, content, file, mode }) =>
      store.setFleetPolicy(originOf(name), content, `${file}@${version}`, mode),
    drop: (name) => store.dropFleetPolicy(originOf(name)),
    status: (name) => {
      const found = store.fleetPolicy(originOf(name));
      if (found === undefined) return undefined;
      const { status, error } = found;
      const { mode, posted: events = 0, enforced = 0, lost = 0 } = status ?? {};
      return { mode, error, events, enforced, lost };
    },
  };
}
