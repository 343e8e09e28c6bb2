/** Runs the agent: a tracer, its policies, and the server for its clients. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import {
  openTracer,
  peerCredentials,
  preflight,
  removePersisted,
  type ContainerOptions,
  type Tracer,
  type TracerOptions,
} from 'polytrace';
import { Alerts } from '../alerts/alerts.js';
import { printableOptions, type Configuration } from '../config/load.js';
import { parseRate } from '../config/setting-kinds.js';
import { formatConfiguration } from '../config/print.js';
import { ConfigError } from '../config/problems.js';
import { settingName, type AgentOptions } from '../config/settings.js';
import { PolicyCounts } from '../counts/policy-counts.js';
import { EventCalls } from '../grpc/get-events.js';
import { alertService } from '../grpc/alerts.js';
import { eventLogService } from '../grpc/event-log.js';
import { metricService } from '../grpc/metrics.js';
import { callerIdentifier, sensorsService } from '../grpc/sensors.js';
import type { OnSettingChange, TlsFiles } from '../grpc/certificates.js';
import { RuntimeHookSource } from '../grpc/runtime-hook.js';
import { GrpcServer, type ServerSettings } from '../grpc/server.js';
import type { Log } from '../log/log.js';
import { ClusterError, Kubernetes } from '../kubernetes/kubernetes.js';
import { HttpServer } from '../metrics/http.js';
import { CountLines } from '../metrics/count-lines.js';
import type * as MetricsModule from '../metrics/metrics.js';
import { healthPage, metricsPage } from '../metrics/pages.js';
import { ClientPolicies } from '../policies/client-policies.js';
import { hashText, Journal } from '../policies/journal.js';
import { PolicyFiles } from '../policies/policy-files.js';
import { PolicyStore } from '../policies/store.js';
import { toChangeEvent } from '../streams/change.js';
import { EventHub } from '../streams/hub.js';
import { AdmissionServer } from './admission-server.js';
import { Exports } from './exports.js';
import type { FleetNode } from './fleet-node.js';
import { takeOver } from './take-over.js';

/** Time for clients to receive their queued events when the agent stops. */
const DRAIN_MS = 2000;
const SHUTDOWN_MS = 1000;

/** The parts that are opened before the agent. */
interface AgentParts {
  readonly tracer: Tracer;
  readonly kubernetes: Kubernetes | undefined;
  readonly runtimeHook: RuntimeHookSource;
  readonly alerts: Alerts;
}

/** Clients, files and collectors can bear this delay, and fewer reads of the ring buffer cost less. */
const COALESCE_MS = 50;

export class Agent {
  readonly #options: AgentOptions;
  readonly #tracer: Tracer;
  readonly #files: PolicyFiles;
  readonly #servers: readonly GrpcServer[];
  readonly #calls: EventCalls;
  readonly #store: PolicyStore;
  readonly #kubernetes: Kubernetes | undefined;
  readonly #exports: Exports;
  readonly #alerts: Alerts;
  /** The HTTP servers, with the addresses of the settings. */
  readonly #http: (readonly [address: string, server: HttpServer])[] = [];
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #admission: AdmissionServer | undefined;
  readonly #hub: EventHub;
  readonly #version: string;
  #fleet: FleetNode | undefined;
  #isOver = false;
  /** Resolves when the events have ended. */
  readonly events: Promise<void>;
  addresses: readonly string[] = [];

  private constructor(
    options: AgentOptions,
    exports: Exports,
    { tracer, kubernetes, runtimeHook, alerts }: AgentParts,
    log: Log,
    version: string,
  ) {
    this.#options = options;
    this.#log = log;
    this.#exports = exports;
    this.#alerts = alerts;
    this.#tracer = tracer;
    this.#kubernetes = kubernetes;
    this.#version = version;
    const nodeName = resolveNodeName(options);
    const {
      clusterName,
      enableProcessCred: processCred,
      enableProcessNs: processNs,
      enableAncestors: ancestors,
    } = options;
    const startedAt = Date.now();
    const hub = new EventHub({
      nodeName,
      processCred,
      processNs,
      ancestors,
      clusterName,
      redact: exports.redact,
      queueBytes: options.eventQueueBytes,
      startedAt,
      pace: () => exports.waitForRoom(),
    });
    this.#hub = hub;
    exports.start(hub);
    const { persistGrpcPolicies, persistGrpcPoliciesDir } = options;
    const records = persistGrpcPolicies ? new ClientPolicies(persistGrpcPoliciesDir) : undefined;
    const journal = new Journal(log, (change) => hub.dispatch([toChangeEvent(change, nodeName)]));
    this.#journal = journal;
    const store = new PolicyStore(tracer, log, records, journal);
    this.#store = store;
    alerts.start(store);
    hub.listen((batch) => alerts.add(batch));
    this.#calls = new EventCalls(hub, log);
    const counts = new PolicyCounts(tracer, options.metricsCountSeriesMax);
    exports.metrics?.start(counts);
    const { tracingPolicyDir: folder, policy: paths, allowUnsafePolicyFiles: allowUnsafe } = options;
    this.#files = new PolicyFiles({ folder, paths, allowUnsafe }, log, (snapshot) => store.setFiles(snapshot));
    const context = {
      tracer,
      runtimeHook,
      store,
      hub,
      calls: this.#calls,
      log,
      journal,
      preflight,
      peerCredentials: (socket: object) => peerCredentials(socket),
      version,
      nodeName,
      startedAt,
      configuration: printableConfiguration(options),
    };
    const { tlsAdmins, serverAddress, readOnlyAddress, group, readOnlyGroup } = options;
    const onChange: OnSettingChange = (setting, file, before, after) => {
      const hashes = { before: hashText(before), after: hashText(after) };
      const change = { operation: 'setting_change', setting, file, way: 'file', ...hashes } as const;
      journal.recordSetting('the file of a setting changed', change);
    };
    const makeServer = (readOnly: boolean, addresses: readonly string[], members: string | undefined): GrpcServer => {
      const rules = { readOnly, tlsAdmins };
      const eventLog = { rotation: exports.rotation, journal, identify: callerIdentifier(context) };
      const alertContext = { alerts, journal, identify: eventLog.identify };
      const services = [
        sensorsService(context, rules),
        eventLogService(eventLog, rules),
        alertService(alertContext, rules),
        metricService(counts),
      ];
      return new GrpcServer({ ...serverSettings(options), addresses, group: members, onChange }, services, log);
    };
    this.#servers = [makeServer(false, serverAddress, group), makeServer(true, readOnlyAddress, readOnlyGroup)];
    const health = healthPage(() => this.#health());
    const { metricsServer, healthServer } = options;
    if (healthServer !== undefined) this.#http.push([healthServer, new HttpServer('health-server', health, log)]);
    if (metricsServer !== undefined) {
      const context = { tracer, store, hub, counts: new CountLines(counts, log), version, exports, alerts };
      const fleet = exports.fleet && ((): FleetNode | undefined => this.#fleet);
      // most agents have no such server, and the client library of Prometheus takes more than a megabyte
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { Metrics } = require('../metrics/metrics.js') as typeof MetricsModule;
      const metrics = new Metrics(options, { ...context, fleet });
      const pages = { ...metricsPage(metrics), ...health };
      this.#http.push([metricsServer, new HttpServer('metrics-server', pages, log)]);
    }
    const { admissionServer, admissionTlsCert: cert, admissionTlsKey: key } = options;
    if (admissionServer !== undefined && cert !== undefined && key !== undefined) {
      this.#admission = new AdmissionServer({ address: admissionServer, cert, key }, log, onChange);
    }
    this.events = hub.run(tracer).finally(() => (this.#isOver = true));
  }

  async #startFleet(configuration: Configuration, nodeName: string): Promise<void> {
    const connection = this.#exports.fleet?.connection;
    if (connection === undefined) return;
    // only an agent of a fleet loads the client of NATS
    const { FleetNode, readFleetKeys } = await import('./fleet-node.js');
    const keys = await readFleetKeys(configuration);
    this.#fleet = await FleetNode.open(configuration, keys, {
      connection,
      tracer: this.#tracer,
      store: this.#store,
      hub: this.#hub,
      nodeLabels: this.#kubernetes?.nodeLabels ?? {},
      nodeName,
      version: this.#version,
      log: this.#log,
    });
    await this.#fleet.start();
  }

  #health(): { readonly isHealthy: boolean; readonly details: object } {
    const isHealthy = !this.#isOver;
    const { failedCount: failedPolicies, unreadableCount: unreadablePaths, isDegraded } = this.#store;
    const status = isHealthy ? (isDegraded ? 'degraded' : 'running') : 'ending';
    const { json, otlp, fleet } = this.#exports;
    const isExportFailing = [json, otlp, fleet].some((each) => each?.stats.isFailing === true);
    const failingReceivers = this.#alerts.failingCount;
    return { isHealthy, details: { status, failedPolicies, unreadablePaths, isExportFailing, failingReceivers } };
  }

  async #listen(): Promise<void> {
    const http: string[] = [];
    for (const [address, server] of this.#http) http.push(`http://${await server.listen(address)}`);
    const grpc: string[] = [];
    for (const server of this.#servers) grpc.push(...(await server.listen()));
    if (this.#admission !== undefined) http.push(`https://${await this.#admission.listen()}`);
    this.addresses = [...grpc, ...http];
  }

  async #closeServers(waitMs: number): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close(waitMs)));
    for (const [, server] of this.#http) await server.close();
    await this.#admission?.close();
  }

  /** Opens everything, or nothing. A policy that cannot be loaded is reported in its status and in the log. */
  static async open(
    configuration: Configuration,
    log: Log,
    version: string,
    stdout: NodeJS.WritableStream,
  ): Promise<Agent> {
    const { options, sources } = configuration;
    const nodeName = resolveNodeName(options);
    const exports = await Exports.open(configuration, { log, stdout, version, nodeName });
    const runtimeHook = new RuntimeHookSource();
    let [agent, alerts, kubernetes, tracer]: [Agent?, Alerts?, Kubernetes?, Tracer?] = [];
    try {
      alerts = await Alerts.open(options, sources, { log, nodeName, redact: exports.redact });
      kubernetes = await connectKubernetes(options, log);
      tracer = await openTracer(tracerOptions(options, kubernetes, runtimeHook));
      agent = new Agent(options, exports, { tracer, kubernetes, runtimeHook, alerts }, log, version);
      const start = {
        operation: 'agent_start',
        after: hashText(formatConfiguration(configuration)),
        way: 'agent',
      } as const;
      agent.#journal.recordSetting('the agent starts', start);
      warnAboutSockets(options, tracer, log);
      await agent.#store.restore();
      await agent.#files.start();
      await kubernetes?.start(agent.#store);
      await agent.#startFleet(configuration, nodeName);
      // an agent that cannot start must not end the policies of the one before
      await agent.#listen();
      if (options.persist !== undefined) {
        await takeOver({
          files: agent.#files,
          store: agent.#store,
          journal: agent.#journal,
          tracer,
          kubernetes,
          log,
        });
      }
      return agent;
    } catch (error) {
      // an open part would keep the process alive
      if (agent !== undefined) {
        await agent.#fleet?.stop();
        agent.#stopPolicies();
        await agent.#closeServers(0);
      }
      await kubernetes?.stop();
      await tracer?.close();
      await exports.close();
      await alerts?.close();
      throw error;
    }
  }

  /** Reads all policies again, tries those that failed, and opens the file of the export again. */
  async reload(): Promise<void> {
    this.#exports.reopen();
    await this.#files.reload();
    await this.#fleet?.reload();
    await this.#store.retry();
  }

  /** Policies stay as they are from now on. */
  #stopPolicies(): void {
    const message = this.#options.keepSensorsOnExit
      ? 'the agent stops, and its policies stay active'
      : 'the agent stops, and its policies end';
    this.#journal.recordSetting(message, { operation: 'agent_stop', way: 'agent' });
    this.#files.stop();
    this.#store.stop();
  }

  async close(): Promise<void> {
    await this.#fleet?.stop();
    this.#stopPolicies();
    const isUninstalled = (await this.#kubernetes?.isOwnerGone()) === true;
    if (isUninstalled) this.#log.warn('the DaemonSet of the agent is deleted: its policies end');
    await this.#kubernetes?.stop();
    for (const server of this.#servers) server.setServing(false);
    const { persist, keepSensorsOnExit } = this.#options;
    const keep = keepSensorsOnExit && !isUninstalled;
    try {
      await this.#exports.closeMetrics();
      await this.#tracer.close(keep ? { keep } : {});
      // those of an earlier agent that no source of this one has taken over yet
      if (!keep && persist !== undefined && existsSync(persist)) await removePersisted(persist);
      await this.events;
      await Promise.all([this.#calls.close(DRAIN_MS), this.#exports.close(), this.#alerts.close()]);
    } finally {
      // an open part would keep the process alive
      await this.#closeServers(SHUTDOWN_MS);
    }
  }
}

function resolveNodeName({ nodeName }: AgentOptions): string {
  return nodeName ?? process.env['NODE_NAME'] ?? hostname();
}

async function connectKubernetes(options: AgentOptions, log: Log): Promise<Kubernetes | undefined> {
  if (!options.enableK8sApi) return undefined;
  const { k8sKubeconfigPath: kubeconfig, tracingPolicyCrd: policies, enablePodAnnotations: annotations } = options;
  const { keepSensorsOwner: owner, enablePodInfo: podInfo } = options;
  const nodeName = resolveNodeName(options);
  try {
    const more = { ...(kubeconfig && { kubeconfig }), ...(owner !== undefined && { owner }) };
    return await Kubernetes.connect({ nodeName, policies, annotations, podInfo, ...more }, log);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const source = settingName(error.setting);
    throw new ConfigError([{ code: 'CONFIG_VALUE', source, message: error.message }]);
  }
}

function tracerOptions(
  options: AgentOptions,
  kubernetes: Kubernetes | undefined,
  runtimeHook: RuntimeHookSource,
): TracerOptions {
  const { enforcement, allowMissedCalls, allowRequests, optimize, cachePaths, persist, btf, containers } = options;
  const { groupPolicies } = options;
  const { enableProcessEnvironmentVariables: hasEnvironment, filterEnvironmentVariables: variables } = options;
  const { rbSizeTotal } = options;
  const cgroupRate = options.cgroupRate === undefined ? undefined : parseRate(options.cgroupRate);
  return {
    nodeName: resolveNodeName(options),
    coalesceMs: COALESCE_MS,
    enforcement,
    allowMissedCalls,
    allowRequests,
    optimize,
    cachePaths,
    groupPolicies: groupPolicies && persist === undefined,
    bufferSize: 2 ** Math.ceil(Math.log2(rbSizeTotal)),
    containers: containers && containerOptions(options, kubernetes, runtimeHook),
    ...(kubernetes === undefined ? {} : { nodeLabels: kubernetes.nodeLabels }),
    ...(persist === undefined ? {} : { persist, takeOver: false }),
    ...(btf === undefined ? {} : { btf }),
    ...(cgroupRate === undefined ? {} : { cgroupRate }),
    environment: hasEnvironment && (variables.length === 0 || variables),
  };
}

/** The API server comes first, because runtimes know only the labels at the creation of a pod. A hook knows least. */
function containerOptions(
  { enablePodAnnotations: annotations, ...options }: AgentOptions,
  kubernetes: Kubernetes | undefined,
  runtimeHook: RuntimeHookSource,
): ContainerOptions {
  const { criEndpoint: cri, nriEndpoint: nri, dockerEndpoint: docker, podmanEndpoint: podman } = options;
  const named = Object.entries({ cri, nri, docker, podman }).filter(([, path]) => path !== undefined);
  return {
    annotations,
    sockets: Object.fromEntries(named),
    sources: [...(kubernetes === undefined ? [] : [kubernetes.source]), ...RUNTIMES, runtimeHook, 'cgroups'],
  };
}

const RUNTIMES = ['nri', 'cri', 'docker', 'podman'] as const;

/** Most machines lack most runtimes, but somebody expects one whose socket is named. */
function warnAboutSockets(options: AgentOptions, tracer: Tracer, log: Log): void {
  const named = RUNTIMES.filter((name) => options[`${name}Endpoint`] !== undefined);
  for (const { name, connected, error: reason } of tracer.containerSources()) {
    const runtime = named.find((each) => each === name);
    if (runtime === undefined || connected) continue;
    log.warn({ setting: `${runtime}-endpoint`, reason }, 'the runtime does not answer: names of containers come later');
  }
}

function serverSettings(options: AgentOptions): Pick<ServerSettings, 'insecureClients' | 'tls' | 'tokenFile'> {
  const { insecureClients, serverTokenFile: tokenFile } = options;
  return { insecureClients, tokenFile, tls: toTlsFiles(options) };
}

function toTlsFiles({ tlsCert: cert, tlsKey: key, tlsClientCa: clientCa }: AgentOptions): TlsFiles | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key, clientCa };
}

/** Returns the settings as a client may see them, by name. */
function printableConfiguration(options: AgentOptions): Record<string, string> {
  return Object.fromEntries([...printableOptions(options)].map(([name, value]) => [name, formatSetting(value)]));
}

function formatSetting(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value.map((each) => (typeof each === 'object' ? JSON.stringify(each) : String(each))).join(',');
}
