/**
 * The settings of the agent. Flags, environment variables, names in files, the JSON Schema and the documentation come
 * from this table. A setting with the meaning of one of Tetragon has its name.
 */
import { LOG_LEVELS } from '../log/log.js';
import { receiversSetting } from './receivers.js';
import {
  choiceSetting,
  durationSetting,
  booleanSetting,
  listSetting,
  listenAddressSetting,
  integerSetting,
  objectsSetting,
  fileModeSetting,
  headersSetting,
  rateSetting,
  socketSetting,
  stringSetting,
  urlSetting,
  type Setting,
} from './setting-kinds.js';

/** The process labels of event metrics. */
export const PROCESS_LABELS = ['namespace', 'workload', 'pod', 'binary'] as const;

export const SETTINGS = {
  policy: listSetting('<file-or-folder>', 'load and watch these policies, too; polytrace:NAME is one of the package'),
  tracingPolicyDir: stringSetting('<folder>', 'folder with policies, which is watched', '/etc/polytrace/policies.d'),
  allowUnsafePolicyFiles: booleanSetting('load policy files that others than root own or may change'),
  persistGrpcPolicies: booleanSetting('keep the policies of clients, and load them again when the agent starts'),
  persistGrpcPoliciesDir: stringSetting(
    '<folder>',
    'folder for the policies of clients',
    '/var/lib/polytrace/grpc-policies',
  ),
  serverAddress: listSetting('<address>', 'address of the gRPC server: unix:///PATH or HOST:PORT', [
    'unix:///run/polytrace/polytrace.sock',
  ]),
  group: stringSetting('<group>', 'members of this group may use the socket'),
  readOnlyAddress: listSetting('<address>', 'address of the gRPC server for clients that may only read'),
  readOnlyGroup: stringSetting('<group>', 'members of this group may use the sockets of --read-only-address'),
  tlsCert: stringSetting('<file>', 'certificate of the server (PEM); needed for addresses outside of this machine'),
  tlsKey: stringSetting('<file>', 'key of the certificate (PEM)'),
  tlsClientCa: stringSetting(
    '<file>',
    'clients need a certificate that one of these signed (PEM); HOST:PORT needs this or a token',
  ),
  tlsAdmins: listSetting(
    '<names>',
    'only clients whose certificate has one of these names may change policies; the others may read',
  ),
  serverTokenFile: stringSetting(
    '<file>',
    'clients of HOST:PORT need a token of this file, one a line, which only its owner may read',
  ),
  insecureClients: booleanSetting('everybody who reaches HOST:PORT may read events and change policies'),
  logLevel: choiceSetting('<level>', 'lowest level of the log', LOG_LEVELS, 'info'),
  logFormat: choiceSetting('<format>', 'format of the log', ['json', 'pretty'], 'pretty'),
  nodeName: stringSetting('<name>', 'name of this machine in events'),
  clusterName: stringSetting('<name>', 'name of the cluster in events'),
  enforcement: booleanSetting('allow policies to signal processes, override functions and change programs'),
  allowMissedCalls: booleanSetting('allow enforcement that can miss calls on this kernel (preemption)'),
  optimize: booleanSetting('rewrite BPF programs for their policy before they are loaded', true),
  cachePaths: booleanSetting('remember paths that no selector of a hook can match', true),
  groupPolicies: booleanSetting(
    'let hooks of several policies on the same function share one program; not with --persist',
    true,
  ),
  allowRequests: booleanSetting('allow policies to make network requests (GetUrl, DnsLookup)'),
  persist: stringSetting(
    '<folder>',
    'keep policies active if the agent dies: pin them in this folder below /sys/fs/bpf',
  ),
  btf: stringSetting('<file>', 'types of this kernel, for a kernel without /sys/kernel/btf/vmlinux'),
  keepSensorsOnExit: booleanSetting('with --persist: keep policies active whenever the agent ends'),
  keepSensorsOwner: stringSetting(
    '<namespace/name>',
    'with --keep-sensors-on-exit: the DaemonSet of the agent; when it is deleted, policies end with the agent',
  ),
  enableProcessCred: booleanSetting('add capabilities, user and group ids to processes in events'),
  enableProcessNs: booleanSetting('add namespaces to processes in events'),
  enableProcessEnvironmentVariables: booleanSetting('add the environment, which often has secrets, to exec events'),
  filterEnvironmentVariables: listSetting('<names>', 'add only these variables of the environment'),
  cgroupRate: rateSetting(
    '<events,time>',
    'most exec and exit events of a cgroup in this time, such as 1000,1s; more are only counted',
  ),
  enableAncestors: booleanSetting('add ancestors to events'),
  containers: booleanSetting('ask the container runtimes for names and pods', true),
  criEndpoint: socketSetting('socket of containerd or CRI-O: its path, or unix://PATH'),
  nriEndpoint: socketSetting('socket of their Node Resource Interface'),
  dockerEndpoint: socketSetting('socket of Docker, in place of that of DOCKER_HOST'),
  podmanEndpoint: socketSetting('socket of Podman, in place of that of CONTAINER_HOST'),
  enableK8sApi: booleanSetting('take labels of pods and nodes, and policies, from the API server of Kubernetes'),
  k8sKubeconfigPath: stringSetting('<file>', 'with --enable-k8s-api: a kubeconfig in place of the service account'),
  tracingPolicyCrd: booleanSetting('with --enable-k8s-api: load policies from the cluster', true),
  enablePodAnnotations: booleanSetting('add annotations of pods to events'),
  enablePodInfo: booleanSetting(
    'with --enable-k8s-api: write the addresses and workloads of pods as PodInfo resources',
  ),
  admissionServer: listenAddressSetting(
    '<address>',
    'check policies before the cluster stores them: serve an admission webhook over HTTPS at HOST:PORT or :PORT',
  ),
  admissionTlsCert: stringSetting('<file>', 'certificate of the webhook (PEM)'),
  admissionTlsKey: stringSetting('<file>', 'key of this certificate (PEM)'),
  rbSizeTotal: integerSetting(
    '<bytes>',
    'size of the ring buffer of the kernel; it is rounded up to a power of two',
    128 * 1024,
    1024 * 1024 * 1024,
    64 * 1024 * 1024,
  ),
  eventQueueBytes: integerSetting(
    '<bytes>',
    'most bytes of events that wait for one client',
    65_536,
    256 * 1024 * 1024,
    4 * 1024 * 1024,
  ),
  redactionFilters: objectsSetting(
    '<filters>',
    'hide parts of arguments and environments of processes, for all clients and exports',
  ),
  exportFilename: stringSetting('<file>', 'export events as JSON lines to this file; - is standard output'),
  exportFilePerm: fileModeSetting('<rights>', 'rights of the file, in octal digits', '600'),
  exportFileMaxSizeMb: integerSetting('<mebibytes>', 'rotate the file at this size', 1, 1_048_576, 10),
  exportFileMaxBackups: integerSetting('<number>', 'rotated files that are kept', 1, 10_000, 5),
  exportFileRotationInterval: durationSetting('<time>', 'rotate the file after this time, too; 0 is never', '0'),
  exportFileCompress: booleanSetting('compress rotated files with gzip'),
  exportFileFsync: choiceSetting(
    '<policy>',
    'when the file is written to the disk',
    ['never', 'rotate', 'second', 'always'],
    'rotate',
  ),
  exportChain: booleanSetting('number the lines of the file, and chain them by their hashes; see `polytrace verify`'),
  exportChainDir: stringSetting(
    '<folder>',
    'folder for the key of the chain and its signed checkpoints',
    '/var/lib/polytrace/export-chain',
  ),
  exportAllowlist: objectsSetting('<filters>', 'export only events that one of these filters matches'),
  exportDenylist: objectsSetting('<filters>', 'do not export events that one of these filters matches'),
  fieldFilters: objectsSetting('<filters>', 'fields that exported events have, or do not have'),
  enableExportAggregation: booleanSetting(
    'export events that are equal but for their time as one event with their number',
  ),
  exportAggregationWindowSize: durationSetting('<time>', 'equal events of this time are one', '15s', 1),
  exportAggregationBufferSize: integerSetting('<number>', 'most different events in this time', 1, 1_000_000, 10_000),
  exportRateLimit: integerSetting(
    '<events>',
    'most exported events in a minute; -1 is no limit',
    -1,
    1_000_000_000,
    -1,
  ),
  exportOtlpEndpoint: urlSetting('<url>', 'send events as OpenTelemetry logs to this collector'),
  exportOtlpProtocol: choiceSetting(
    '<protocol>',
    'how the collector is asked',
    ['http/protobuf', 'grpc'],
    'http/protobuf',
  ),
  exportOtlpHeaders: headersSetting('<headers>', 'headers for the collector: NAME=VALUE, separated by commas'),
  exportOtlpTlsCa: stringSetting('<file>', 'certificates of who signed the certificate of the collector (PEM)'),
  exportOtlpSpoolDir: stringSetting('<folder>', 'events wait in this folder while the collector does not answer'),
  exportOtlpSpoolMaxSizeMb: integerSetting('<mebibytes>', 'most mebibytes of events in this folder', 1, 1_048_576, 64),
  fleet: listSetting('<url>', 'NATS servers of the fleet, for events and policies: tls://HOST:PORT'),
  fleetCredentials: stringSetting('<file>', 'credentials for these servers: a .creds file, or the seed of an NKey'),
  fleetCa: stringSetting('<file>', 'certificates of who signed the certificates of these servers (PEM)'),
  fleetCert: stringSetting('<file>', 'certificate for these servers (PEM)'),
  fleetKey: stringSetting('<file>', 'key of this certificate (PEM)'),
  fleetSpoolDir: stringSetting(
    '<folder>',
    'events wait in this folder until the fleet has stored them',
    '/var/lib/polytrace/fleet-events',
  ),
  fleetSpoolMaxSizeMb: integerSetting('<mebibytes>', 'most mebibytes of events in this folder', 1, 1_048_576, 256),
  fleetPolicyKey: listSetting(
    '<file>',
    'public keys of the operators of the fleet (PEM): its policies are loaded if one of them has signed them',
  ),
  fleetGateKey: listSetting(
    '<file>',
    'public keys that may sign how far rollouts go (PEM), besides those of operators',
  ),
  fleetController: stringSetting('<file>', 'private key (PEM): this agent decides how far rollouts of the fleet go'),
  fleetPolicyDir: stringSetting(
    '<folder>',
    'folder for the last good policies of the fleet',
    '/var/lib/polytrace/fleet-policies',
  ),
  fleetLabels: listSetting('<labels>', 'labels of this node in the fleet: role=web,zone=a'),
  fleetLabelsFile: stringSetting('<file>', 'YAML or JSON file with labels of this node, such as that of cloud-init'),
  alerts: receiversSetting('<receivers>', 'receivers of alerts: objects with name and type, see alerts.md'),
  alertsDeduplicate: durationSetting('<time>', 'equal events of this time are one alert; 0: each event is one', '5m'),
  alertsSpoolDir: stringSetting('<folder>', 'alerts wait in this folder while their receiver does not take them'),
  alertsSpoolMaxSizeMb: integerSetting('<mebibytes>', 'most mebibytes of alerts of a receiver there', 1, 1_048_576, 16),
  metricsServer: listenAddressSetting('<address>', 'serve /metrics and /healthz over HTTP at HOST:PORT or :PORT'),
  healthServer: listenAddressSetting(
    '<address>',
    'serve only /healthz over HTTP at HOST:PORT, for probes that no client of the metrics can hold up',
  ),
  metricsLabelFilter: listSetting(
    '<labels>',
    `labels of metrics about events that have values: ${PROCESS_LABELS.join(', ')}`,
    PROCESS_LABELS,
    PROCESS_LABELS,
  ),
  metricsCountSeriesMax: integerSetting(
    '<number>',
    'most values of the action Count with a series of their own; the others are added up as (others)',
    0,
    1_000_000,
    10_000,
  ),
  metricsOtlpEndpoint: urlSetting(
    '<url>',
    'send the numbers that policies count as OpenTelemetry metrics to this collector',
  ),
  metricsOtlpInterval: durationSetting('<time>', 'time between two exports of these metrics', '1m', 1000),
  metricsOtlpProtocol: choiceSetting(
    '<protocol>',
    'how this collector is asked',
    ['http/protobuf', 'grpc'],
    'http/protobuf',
  ),
  metricsOtlpHeaders: headersSetting('<headers>', 'headers for this collector: NAME=VALUE, separated by commas'),
  metricsOtlpTlsCa: stringSetting('<file>', 'certificates of who signed the certificate of this collector (PEM)'),
} as const;

export type SettingKey = keyof typeof SETTINGS;

/** The values of all settings. */
export type AgentOptions = {
  readonly [K in SettingKey]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;
};

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** Returns the name in flags and files: `logLevel` becomes `log-level`. */
export function settingName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Returns the name in the environment: `logLevel` becomes `POLYTRACE_LOG_LEVEL`. */
export function variableName(key: string): string {
  return `POLYTRACE_${settingName(key).replaceAll('-', '_').toUpperCase()}`;
}

const KEYS_BY_NAME = new Map(SETTING_KEYS.map((key) => [settingName(key), key]));

/** Finds a setting by its name in files. */
export function findSettingKey(name: string): SettingKey | undefined {
  return KEYS_BY_NAME.get(name);
}
