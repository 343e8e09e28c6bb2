/**
 * The settings of the agent: one table, from which the flags, the environment variables, the names in files, the JSON Schema and the
 * documentation come. Names are Tetragon's where the meaning is the same.
 */
import { LOG_LEVELS } from '../log/log.js';
import {
  choice,
  duration,
  flag,
  list,
  listenAddress,
  number,
  objects,
  rights,
  secret,
  text,
  url,
  type Setting,
} from './setting.js';

/** Labels about processes that metrics about events have. */
export const PROCESS_LABELS = ['namespace', 'workload', 'pod', 'binary'] as const;

export const SETTINGS = {
  policy: list('<file-or-folder>', 'load and watch these policies, too; polytrace:NAME is one of the package'),
  tracingPolicyDir: text('<folder>', 'folder with policies, which is watched', '/etc/polytrace/policies.d'),
  serverAddress: list('<address>', 'address of the gRPC server: unix:///PATH or HOST:PORT', [
    'unix:///run/polytrace/polytrace.sock',
  ]),
  group: text('<group>', 'members of this group may use the socket'),
  tlsCert: text('<file>', 'certificate of the server (PEM); needed for addresses outside of this machine'),
  tlsKey: text('<file>', 'key of the certificate (PEM)'),
  tlsClientCa: text('<file>', 'clients need a certificate that one of these signed (PEM)'),
  logLevel: choice('<level>', 'lowest level of the log', LOG_LEVELS, 'info'),
  logFormat: choice('<format>', 'format of the log', ['json', 'pretty'], 'pretty'),
  nodeName: text('<name>', 'name of this machine in events'),
  clusterName: text('<name>', 'name of the cluster in events'),
  enforcement: flag('allow policies to signal processes, override functions and change programs'),
  allowRequests: flag('allow policies to make network requests (GetUrl, DnsLookup)'),
  persist: text('<folder>', 'keep policies active if the agent dies: pin them in this folder below /sys/fs/bpf'),
  keepSensorsOnExit: flag('with --persist: keep policies active whenever the agent ends'),
  enableProcessCred: flag('add capabilities, user and group ids to processes in events'),
  enableProcessNs: flag('add namespaces to processes in events'),
  enableAncestors: flag('add ancestors to events'),
  containers: flag('ask the container runtimes for names and pods', true),
  criEndpoint: text('<socket>', 'socket of containerd or CRI-O: its path, or unix://PATH'),
  nriEndpoint: text('<socket>', 'socket of their Node Resource Interface'),
  enableK8sApi: flag('take labels of pods and nodes, and policies, from the API server of Kubernetes'),
  k8sKubeconfigPath: text('<file>', 'with --enable-k8s-api: a kubeconfig in place of the service account'),
  tracingPolicyCrd: flag('with --enable-k8s-api: load policies from the cluster', true),
  enablePodAnnotations: flag('add annotations of pods to events'),
  eventQueueBytes: number(
    '<bytes>',
    'most bytes of events that wait for one client',
    65_536,
    256 * 1024 * 1024,
    4 * 1024 * 1024,
  ),
  redactionFilters: objects('<filters>', 'hide parts of the arguments of processes, for all clients and exports'),
  exportFilename: text('<file>', 'export events as JSON lines to this file; - is standard output'),
  exportFilePerm: rights('<rights>', 'rights of the file, in octal digits', '600'),
  exportFileMaxSizeMb: number('<mebibytes>', 'rotate the file at this size', 1, 1_048_576, 10),
  exportFileMaxBackups: number('<number>', 'rotated files that are kept', 1, 10_000, 5),
  exportFileRotationInterval: duration('<time>', 'rotate the file after this time, too; 0 is never', '0'),
  exportFileCompress: flag('compress rotated files with gzip'),
  exportFileFsync: choice(
    '<policy>',
    'when the file is written to the disk',
    ['never', 'rotate', 'second', 'always'],
    'rotate',
  ),
  exportAllowlist: objects('<filters>', 'export only events that one of these filters matches'),
  exportDenylist: objects('<filters>', 'do not export events that one of these filters matches'),
  fieldFilters: objects('<filters>', 'fields that exported events have, or do not have'),
  enableExportAggregation: flag('export events that are equal but for their time as one event with their number'),
  exportAggregationWindowSize: duration('<time>', 'equal events of this time are one', '15s', 1),
  exportAggregationBufferSize: number('<number>', 'most different events in this time', 1, 1_000_000, 10_000),
  exportRateLimit: number('<events>', 'most exported events in a minute; -1 is no limit', -1, 1_000_000_000, -1),
  exportOtlpEndpoint: url('<url>', 'send events as OpenTelemetry logs to this collector'),
  exportOtlpProtocol: choice('<protocol>', 'how the collector is asked', ['http/protobuf', 'grpc'], 'http/protobuf'),
  exportOtlpHeaders: secret('<headers>', 'headers for the collector: NAME=VALUE, separated by commas'),
  exportOtlpTlsCa: text('<file>', 'certificates of who signed the certificate of the collector (PEM)'),
  exportOtlpSpoolDir: text('<folder>', 'events wait in this folder while the collector does not answer'),
  exportOtlpSpoolMaxSizeMb: number('<mebibytes>', 'most mebibytes of events in this folder', 1, 1_048_576, 64),
  metricsServer: listenAddress('<address>', 'serve /metrics and /healthz over HTTP at HOST:PORT or :PORT'),
  metricsLabelFilter: list(
    '<labels>',
    `labels of metrics about events that have values: ${PROCESS_LABELS.join(', ')}`,
    PROCESS_LABELS,
    PROCESS_LABELS,
  ),
} as const;

export type SettingKey = keyof typeof SETTINGS;

/** The values of all settings. */
export type AgentOptions = {
  readonly [K in SettingKey]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;
};

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The name in flags and files: `logLevel` is `log-level`. */
export function nameOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The name in the environment: `logLevel` is `POLYTRACE_LOG_LEVEL`. */
export function variableOf(key: string): string {
  return `POLYTRACE_${nameOf(key).replaceAll('-', '_').toUpperCase()}`;
}

const KEYS = new Map(SETTING_KEYS.map((key) => [nameOf(key), key]));

/** The setting with this name in files. */
export function keyOfName(name: string): SettingKey | undefined {
  return KEYS.get(name);
}
