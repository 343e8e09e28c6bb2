/**
 * The source of the manifests for Kubernetes: objects in which some values are settings. `gen-deploy.ts` writes them as
 * a kustomization with the defaults of the settings, and as a Helm chart whose templates read the settings.
 */

/** A value that a user can set. `path` is its name in the values of the chart. */
export class Setting {
  constructor(
    readonly path: string,
    readonly fallback: unknown,
    readonly comment: string,
  ) {}
}

/** A value that is present only if a setting is true, or not empty. */
export class Conditional {
  constructor(
    readonly setting: Setting,
    readonly then: unknown,
    readonly otherwise?: unknown,
  ) {}
}

/** A map with further entries from a setting. */
export class ExtendedMap {
  constructor(
    readonly own: object,
    readonly more: Setting,
  ) {}
}

/** List items `--NAME=VALUE` from a setting with names and values. */
export class Flags {
  constructor(readonly setting: Setting) {}
}

/** A string that contains settings. */
export class Concatenation {
  constructor(readonly parts: readonly (string | Setting | ReleaseValue)[]) {}
}

/** A value that Helm knows when it renders a template. In the kustomization, it is a fixed string, or left out. */
export class ReleaseValue {
  constructor(
    readonly template: string,
    readonly fixed?: string,
  ) {}
}

const NAMESPACE = new ReleaseValue('$.Release.Namespace', 'kube-system');
const NAME = new ReleaseValue('include "polytrace.name" $', 'polytrace');
const SERVICE_ACCOUNT = new ReleaseValue('include "polytrace.serviceAccountName" $', 'polytrace');
/** A new configuration makes new pods, because the agent reads it when it starts. */
const CHECKSUM = new ReleaseValue('include (print $.Template.BasePath "/config-map.yaml") $ | sha256sum');
const GRPC_PORT = new ReleaseValue('$.Values.tetragon.grpc.address | splitList ":" | last');
const CRI_FOLDER = new ReleaseValue('dir $.Values.tetragon.cri.socketHostPath');
const concat = (...parts: (string | Setting | ReleaseValue)[]): Concatenation => new Concatenation(parts);
const when = (setting: Setting, then: unknown, otherwise?: unknown): Conditional =>
  new Conditional(setting, then, otherwise);

const settings: Setting[] = [];
function defineSetting(path: string, fallback: unknown, comment: string): Setting {
  const added = new Setting(path, fallback, comment);
  settings.push(added);
  return added;
}

// Names are those of Tetragon's chart where the meaning is the same. docs/kubernetes.md says what differs.
const S = {
  nameOverride: defineSetting('nameOverride', '', 'Name of all objects; empty: polytrace.'),
  pullPolicy: defineSetting('imagePullPolicy', 'IfNotPresent', 'When the image is pulled.'),
  pullSecrets: defineSetting('imagePullSecrets', [], 'Secrets for the registry.'),
  priorityClass: defineSetting(
    'priorityClassName',
    'system-node-critical',
    'Pods of this class are not evicted for others.',
  ),
  daemonSetAnnotations: defineSetting('daemonSetAnnotations', {}, 'Annotations of the DaemonSet.'),
  podAnnotations: defineSetting('podAnnotations', {}, 'Further annotations of the pods.'),
  podLabels: defineSetting('podLabels', {}, 'Further labels of the pods.'),
  podSecurityContext: defineSetting('podSecurityContext', {}, 'Security context of the pods.'),
  nodeSelector: defineSetting('nodeSelector', { 'kubernetes.io/os': 'linux' }, 'Nodes on which the agent runs.'),
  tolerations: defineSetting(
    'tolerations',
    [{ operator: 'Exists' }],
    'With the default, the agent runs on every node.',
  ),
  affinity: defineSetting('affinity', {}, 'Affinity of the pods.'),
  dnsPolicy: defineSetting(
    'dnsPolicy',
    'ClusterFirstWithHostNet',
    'How the pods find names, such as that of a collector.',
  ),
  extraVolumes: defineSetting('extraVolumes', [], 'Further volumes of the pods.'),
  updateStrategy: defineSetting(
    'updateStrategy',
    { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    'How a new version reaches the nodes. Policies stay active meanwhile, see tetragon.enableKeepSensorsOnExit.',
  ),
  hostNetwork: defineSetting(
    'hostNetwork',
    true,
    'false: the pods have a network of their own. Only then a network policy has an effect.',
  ),
  createAccount: defineSetting('serviceAccount.create', true, 'false: the service account exists already.'),
  account: defineSetting('serviceAccount.name', '', 'Name of the service account; empty: that of the other objects.'),
  annotations: defineSetting('serviceAccount.annotations', {}, 'Annotations of the service account.'),
  exportDirectory: defineSetting(
    'exportDirectory',
    '/var/run/polytrace',
    'Folder of the node for tetragon.exportFilename.',
  ),
  image: defineSetting('tetragon.image.override', '', 'Image with its tag, in place of the next two.'),
  repository: defineSetting('tetragon.image.repository', 'polytrace', 'Image of the agent.'),
  tag: defineSetting('tetragon.image.tag', 'latest', 'Tag of the image.'),
  privileged: defineSetting('tetragon.securityContext.privileged', true, 'false: single capabilities instead.'),
  resources: defineSetting(
    'tetragon.resources',
    { requests: { cpu: '50m', memory: '192Mi' }, limits: { memory: '512Mi' } },
    'Resources of the agent. docs/kubernetes.md has measurements.',
  ),
  livenessProbe: defineSetting('tetragon.livenessProbe', {}, 'Probe in place of the one of the template.'),
  api: defineSetting('tetragon.enableK8sAPI', true, 'Labels, workloads and policies come from the API server.'),
  clusterName: defineSetting('tetragon.clusterName', '', 'Name of the cluster in events.'),
  cred: defineSetting('tetragon.enableProcessCred', false, 'Events have capabilities, user and group ids.'),
  ns: defineSetting('tetragon.enableProcessNs', false, 'Events have namespaces.'),
  podInfo: defineSetting(
    'tetragon.enablePodInfo',
    false,
    'Agents write the addresses and workloads of pods as PodInfo resources.',
  ),
  admission: defineSetting(
    'tetragon.admission.enabled',
    false,
    'Check policies before the cluster stores them (validating webhook).',
  ),
  admissionPort: defineSetting('tetragon.admission.port', 9443, 'Port of the pods for that.'),
  admissionSecret: defineSetting(
    'tetragon.admission.tls.secretName',
    'polytrace-admission',
    'Secret with tls.crt and tls.key, for the name polytrace-admission.NAMESPACE.svc.',
  ),
  admissionCa: defineSetting(
    'tetragon.admission.tls.caBundle',
    '',
    'Certificates of who signed tls.crt, in base64. Empty: something else sets it, such as cert-manager.',
  ),
  admissionAnnotations: defineSetting(
    'tetragon.admission.annotations',
    {},
    'Annotations of the webhook, such as cert-manager.io/inject-ca-from.',
  ),
  admissionFailure: defineSetting(
    'tetragon.admission.failurePolicy',
    'Ignore',
    'Ignore: while no agent answers, policies are stored without the check. Fail: they are refused.',
  ),
  annotationsInEvents: defineSetting('tetragon.podAnnotations.enabled', false, 'Events have the annotations of pods.'),
  enforcement: defineSetting('tetragon.enforcement', true, 'Policies can signal processes and override functions.'),
  keep: defineSetting(
    'tetragon.enableKeepSensorsOnExit',
    true,
    'Policies stay active while no agent runs, as in an update.',
  ),
  criSocket: defineSetting(
    'tetragon.cri.socketHostPath',
    '',
    'Socket of the container runtime of k3s, RKE2 and others. docs/kubernetes.md has their paths.',
  ),
  grpc: defineSetting(
    'tetragon.grpc.enabled',
    false,
    'Serve clients outside of the pod, with certificates of both sides.',
  ),
  grpcAddress: defineSetting('tetragon.grpc.address', '0.0.0.0:54321', 'Address of the node for them.'),
  grpcSecret: defineSetting(
    'tetragon.grpc.tls.secretName',
    'polytrace-grpc',
    'Secret with tls.crt and tls.key of the server, and ca.crt, which has signed the certificates of clients.',
  ),
  debug: defineSetting('tetragon.debug', false, 'The log has details.'),
  healthPort: defineSetting(
    'tetragon.healthPort',
    2113,
    'Port for the probes: of 127.0.0.1 of the node, or of the pod without hostNetwork.',
  ),
  prometheus: defineSetting('tetragon.prometheus.enabled', true, 'Serve /metrics and /healthz over HTTP.'),
  address: defineSetting('tetragon.prometheus.address', '', 'Address of the node for that; empty: all of them.'),
  port: defineSetting('tetragon.prometheus.port', 2112, 'Port of the node for that.'),
  metricsLabels: defineSetting(
    'tetragon.prometheus.metricsLabelFilter',
    'namespace,workload,pod,binary',
    'Labels of metrics about events that have values.',
  ),
  monitor: defineSetting(
    'tetragon.prometheus.serviceMonitor.enabled',
    false,
    'Make a ServiceMonitor (Prometheus Operator).',
  ),
  monitorLabels: defineSetting('tetragon.prometheus.serviceMonitor.extraLabels', {}, 'Further labels of it.'),
  interval: defineSetting('tetragon.prometheus.serviceMonitor.scrapeInterval', '60s', 'How often metrics are read.'),
  podMonitor: defineSetting(
    'tetragon.prometheus.podMonitor.enabled',
    false,
    'Make a PodMonitor (Prometheus Operator), in place of a ServiceMonitor.',
  ),
  podMonitorLabels: defineSetting('tetragon.prometheus.podMonitor.extraLabels', {}, 'Further labels of it.'),
  podInterval: defineSetting('tetragon.prometheus.podMonitor.scrapeInterval', '60s', 'How often metrics are read.'),
  alerts: defineSetting(
    'tetragon.prometheus.alerts.enabled',
    false,
    'Make a PrometheusRule (Prometheus Operator) with the alerts of alerts/polytrace.yaml.',
  ),
  alertLabels: defineSetting('tetragon.prometheus.alerts.extraLabels', {}, 'Further labels of it.'),
  dashboard: defineSetting(
    'tetragon.prometheus.dashboard.enabled',
    false,
    'Make a ConfigMap with dashboards/polytrace.json, which Grafana finds by the label grafana_dashboard.',
  ),
  dashboardLabels: defineSetting('tetragon.prometheus.dashboard.extraLabels', {}, 'Further labels of it.'),
  networkPolicy: defineSetting(
    'networkPolicy.enabled',
    false,
    'Allow only connections to the metrics and to the gRPC server, from networkPolicy.from.',
  ),
  networkFrom: defineSetting('networkPolicy.from', [], 'Peers that may connect; empty: all.'),
  exportFilename: defineSetting('tetragon.exportFilename', '', 'File for events as JSON lines; empty: none.'),
  exportPerm: defineSetting('tetragon.exportFilePerm', '600', 'Rights of that file.'),
  exportSize: defineSetting('tetragon.exportFileMaxSizeMB', 10, 'The file is rotated at this size.'),
  exportBackups: defineSetting('tetragon.exportFileMaxBackups', 5, 'Rotated files that are kept.'),
  exportCompress: defineSetting('tetragon.exportFileCompress', false, 'Rotated files are compressed.'),
  exportRate: defineSetting('tetragon.exportRateLimit', -1, 'Most events in a minute; -1: no limit.'),
  exportAllow: defineSetting('tetragon.exportAllowList', '', 'Export only events that one of these filters matches.'),
  exportDeny: defineSetting('tetragon.exportDenyList', '', 'Do not export events that one of these filters matches.'),
  fleetUrls: defineSetting(
    'fleet.urls',
    '',
    'NATS servers of a fleet: tls://HOST:PORT, separated by commas. Events go there. docs/fleet.md has the rest.',
  ),
  fleetSecret: defineSetting(
    'fleet.secretName',
    '',
    'Secret with user.creds (credentials), ca.crt, operators.pem and controllers.pem (public keys).',
  ),
  fleetPolicies: defineSetting(
    'fleet.policies',
    false,
    'Policies come from the fleet, signed by operators.pem, in place of the resources of the cluster.',
  ),
  fields: defineSetting('tetragon.fieldFilters', '', 'Fields that exported events have, or do not have.'),
  redaction: defineSetting('tetragon.redactionFilters', '', 'Hide parts of the arguments of processes.'),
  args: defineSetting(
    'tetragon.extraArgs',
    {},
    'Further settings of the agent, NAME: VALUE. They replace those above.',
  ),
  env: defineSetting('tetragon.extraEnv', [], 'Further environment variables.'),
  mounts: defineSetting('tetragon.extraVolumeMounts', [], 'Further mounts of the agent.'),
};

export const SETTINGS: readonly Setting[] = settings;

const CONFIGURATION = concat(NAME, '-config');
const LABELS = { 'app.kubernetes.io/name': concat(NAME), 'app.kubernetes.io/part-of': 'polytrace' };
const inNamespace = { name: concat(NAME), namespace: concat(NAMESPACE), labels: LABELS };

const makeRule = (groups: string[], resources: string[], verbs: string[], more: object = {}): object => ({
  apiGroups: groups,
  resources,
  verbs,
  ...more,
});

const POLICIES = ['tracingpolicies', 'tracingpoliciesnamespaced'];

const rules = [
  // policies that stay active end when it is deleted
  makeRule(['apps'], ['daemonsets'], ['get'], { resourceNames: [concat(NAME)] }),
  // labels, owners and containers of the node's pods; nodes for nodeSelector, and to count them
  makeRule([''], ['pods', 'nodes'], ['get', 'list', 'watch']),
  makeRule(['cilium.io'], POLICIES, ['get', 'list', 'watch']),
  makeRule(
    ['cilium.io'],
    POLICIES.map((name) => `${name}/status`),
    ['patch'],
  ),
  // events about policies that do not load
  makeRule([''], ['events'], ['create']),
  when(S.podInfo, makeRule(['cilium.io'], ['podinfo'], ['create', 'patch'])),
  // checks that the CustomResourceDefinitions of policies are those of polytrace
  makeRule(['apiextensions.k8s.io'], ['customresourcedefinitions'], ['get'], {
    resourceNames: POLICIES.map((name) => `${name}.cilium.io`),
  }),
];

const CAPABILITIES = ['BPF', 'PERFMON', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'SYS_RESOURCE'];

const hostPathVolume = (name: string, path: string, type: string): object => ({ name, hostPath: { path, type } });
const volumeMount = (name: string, mountPath: string, more: object = {}): object => ({ name, mountPath, ...more });

/**
 * /healthz responds when the policies are loaded. Pods of the node's network reach 127.0.0.1, and no others, so nobody
 * else can keep the kubelet from its answer. The kubelet reaches a pod with a network of its own only at its address.
 */
const HEALTH_HOST = '127.0.0.1';
const makeProbe = (timing: object): object => ({
  httpGet: { path: '/healthz', port: S.healthPort, host: when(S.hostNetwork, HEALTH_HOST) },
  timeoutSeconds: 10,
  ...timing,
});

const settingText = (value: Setting): Concatenation => concat(value);
const ifSet = (value: Setting): Conditional => when(value, settingText(value));

const SOCKET = 'unix:///run/polytrace/polytrace.sock';
const GRPC_FOLDER = '/etc/polytrace/grpc';
const ADMISSION_FOLDER = '/etc/polytrace/admission';
const ADMISSION = concat(NAME, '-admission');
const FLEET_FOLDER = '/etc/polytrace/fleet';

/** The settings of the agent, by their names. It reads the folder /etc/polytrace/agent.conf.d. */
const configuration = {
  'enable-k8s-api': settingText(S.api),
  'cluster-name': ifSet(S.clusterName),
  'enable-pod-annotations': settingText(S.annotationsInEvents),
  'enable-pod-info': settingText(S.podInfo),
  fleet: ifSet(S.fleetUrls),
  'fleet-credentials': when(S.fleetSecret, `${FLEET_FOLDER}/user.creds`),
  'fleet-ca': when(S.fleetSecret, `${FLEET_FOLDER}/ca.crt`),
  'fleet-spool-dir': when(S.fleetUrls, '/var/lib/polytrace/fleet-events'),
  'fleet-policy-dir': when(S.fleetPolicies, '/var/lib/polytrace/fleet-policies'),
  'fleet-policy-key': when(S.fleetPolicies, `${FLEET_FOLDER}/operators.pem`),
  'fleet-gate-key': when(S.fleetPolicies, `${FLEET_FOLDER}/controllers.pem`),
  'tracing-policy-crd': when(S.fleetPolicies, 'false'),
  'admission-server': when(S.admission, concat(':', S.admissionPort)),
  'admission-tls-cert': when(S.admission, `${ADMISSION_FOLDER}/tls.crt`),
  'admission-tls-key': when(S.admission, `${ADMISSION_FOLDER}/tls.key`),
  'enable-process-cred': settingText(S.cred),
  'enable-process-ns': settingText(S.ns),
  enforcement: settingText(S.enforcement),
  persist: when(S.keep, '/sys/fs/bpf/polytrace'),
  'keep-sensors-on-exit': settingText(S.keep),
  'keep-sensors-owner': when(S.keep, when(S.api, concat(NAMESPACE, '/', NAME))),
  'cri-endpoint': ifSet(S.criSocket),
  'server-address': when(S.grpc, concat(SOCKET, ',', S.grpcAddress)),
  'tls-cert': when(S.grpc, `${GRPC_FOLDER}/tls.crt`),
  'tls-key': when(S.grpc, `${GRPC_FOLDER}/tls.key`),
  'tls-client-ca': when(S.grpc, `${GRPC_FOLDER}/ca.crt`),
  'log-format': 'json',
  'log-level': when(S.debug, 'debug', 'info'),
  'health-server': when(S.hostNetwork, concat(HEALTH_HOST, ':', S.healthPort), concat(':', S.healthPort)),
  'metrics-server': when(S.prometheus, concat(S.address, ':', S.port)),
  'metrics-label-filter': settingText(S.metricsLabels),
  'export-filename': when(S.exportFilename, concat(S.exportDirectory, '/', S.exportFilename)),
  'export-file-perm': settingText(S.exportPerm),
  'export-file-max-size-mb': settingText(S.exportSize),
  'export-file-max-backups': settingText(S.exportBackups),
  'export-file-compress': settingText(S.exportCompress),
  'export-rate-limit': settingText(S.exportRate),
  'export-allowlist': ifSet(S.exportAllow),
  'export-denylist': ifSet(S.exportDeny),
  'field-filters': ifSet(S.fields),
  'redaction-filters': ifSet(S.redaction),
};

const container = {
  name: 'polytrace',
  image: when(S.image, settingText(S.image), concat(S.repository, ':', S.tag)),
  imagePullPolicy: S.pullPolicy,
  args: ['agent', new Flags(S.args)],
  env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }, S.env],
  securityContext: when(
    S.privileged,
    { privileged: true, readOnlyRootFilesystem: true },
    {
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: CAPABILITIES },
    },
  ),
  ports: when(S.prometheus, [{ name: 'metrics', containerPort: S.port }]),
  // hundreds of policies take minutes to load
  startupProbe: makeProbe({ periodSeconds: 2, failureThreshold: 150 }),
  livenessProbe: when(S.livenessProbe, S.livenessProbe, makeProbe({ periodSeconds: 30, failureThreshold: 3 })),
  readinessProbe: makeProbe({ periodSeconds: 10 }),
  resources: S.resources,
  volumeMounts: [
    volumeMount('configuration', '/etc/polytrace/agent.conf.d', { readOnly: true }),
    volumeMount('policies', '/etc/polytrace/policies.d', { readOnly: true }),
    volumeMount('run', '/run/polytrace'),
    volumeMount('containerd', '/run/containerd', { readOnly: true }),
    volumeMount('nri', '/run/nri', { readOnly: true }),
    volumeMount('crio', '/run/crio', { readOnly: true }),
    when(S.criSocket, { name: 'cri', mountPath: concat(CRI_FOLDER), readOnly: true }),
    when(S.grpc, { name: 'grpc', mountPath: GRPC_FOLDER, readOnly: true }),
    when(S.admission, { name: 'admission', mountPath: ADMISSION_FOLDER, readOnly: true }),
    when(S.fleetSecret, { name: 'fleet', mountPath: FLEET_FOLDER, readOnly: true }),
    when(S.fleetUrls, { name: 'fleet-state', mountPath: '/var/lib/polytrace' }),
    volumeMount('cgroup', '/sys/fs/cgroup', { readOnly: true }),
    volumeMount('tracing', '/sys/kernel/tracing', { readOnly: true }),
    // what the agent mounts there stays on the node
    volumeMount('bpf', '/sys/fs/bpf', { mountPropagation: when(S.privileged, 'Bidirectional') }),
    when(S.exportFilename, { name: 'export', mountPath: S.exportDirectory }),
    S.mounts,
  ],
};

const podSpec = {
  serviceAccountName: concat(SERVICE_ACCOUNT),
  priorityClassName: S.priorityClass,
  // the host's process ids are those of the kernel
  hostPID: true,
  hostNetwork: S.hostNetwork,
  dnsPolicy: S.dnsPolicy,
  securityContext: S.podSecurityContext,
  terminationGracePeriodSeconds: 10,
  imagePullSecrets: S.pullSecrets,
  nodeSelector: S.nodeSelector,
  tolerations: S.tolerations,
  affinity: S.affinity,
  containers: [container],
  volumes: [
    { name: 'configuration', configMap: { name: CONFIGURATION } },
    { name: 'policies', configMap: { name: 'polytrace-policies', optional: true } },
    { name: 'run', emptyDir: {} },
    hostPathVolume('containerd', '/run/containerd', 'DirectoryOrCreate'),
    hostPathVolume('nri', '/run/nri', 'DirectoryOrCreate'),
    hostPathVolume('crio', '/run/crio', 'DirectoryOrCreate'),
    when(S.criSocket, { name: 'cri', hostPath: { path: concat(CRI_FOLDER), type: 'Directory' } }),
    when(S.grpc, { name: 'grpc', secret: { secretName: S.grpcSecret } }),
    when(S.admission, { name: 'admission', secret: { secretName: S.admissionSecret } }),
    when(S.fleetSecret, { name: 'fleet', secret: { secretName: S.fleetSecret } }),
    when(S.fleetUrls, { name: 'fleet-state', hostPath: { path: '/var/lib/polytrace', type: 'DirectoryOrCreate' } }),
    hostPathVolume('cgroup', '/sys/fs/cgroup', 'Directory'),
    hostPathVolume('tracing', '/sys/kernel/tracing', 'Directory'),
    hostPathVolume('bpf', '/sys/fs/bpf', 'Directory'),
    when(S.exportFilename, { name: 'export', hostPath: { path: S.exportDirectory, type: 'DirectoryOrCreate' } }),
    S.extraVolumes,
  ],
};

const SELECTOR = { 'app.kubernetes.io/name': concat(NAME) };

/** For a Prometheus that finds its targets by the annotations of pods. */
const SCRAPED = {
  'prometheus.io/scrape': when(S.prometheus, 'true'),
  'prometheus.io/port': when(S.prometheus, settingText(S.port)),
  'prometheus.io/path': when(S.prometheus, '/metrics'),
};

/** The objects, by the names of their files. */
export const MANIFESTS: Readonly<Record<string, object>> = {
  'service-account.yaml': when(S.createAccount, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { ...inNamespace, name: concat(SERVICE_ACCOUNT), annotations: S.annotations },
  }),
  'cluster-role.yaml': {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: concat(NAME), labels: LABELS },
    rules,
  },
  'cluster-role-binding.yaml': {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: concat(NAME), labels: LABELS },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: concat(NAME) },
    subjects: [{ kind: 'ServiceAccount', name: concat(SERVICE_ACCOUNT), namespace: concat(NAMESPACE) }],
  },
  'config-map.yaml': {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...inNamespace, name: CONFIGURATION },
    data: configuration,
  },
  'daemon-set.yaml': {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { ...inNamespace, annotations: S.daemonSetAnnotations },
    spec: {
      selector: { matchLabels: SELECTOR },
      updateStrategy: S.updateStrategy,
      template: {
        metadata: {
          labels: new ExtendedMap(LABELS, S.podLabels),
          annotations: new ExtendedMap({ 'checksum/config': concat(CHECKSUM), ...SCRAPED }, S.podAnnotations),
        },
        spec: podSpec,
      },
    },
  },
  // a headless service: each pod is a separate target
  'service.yaml': when(S.prometheus, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: inNamespace,
    spec: {
      clusterIP: 'None',
      selector: SELECTOR,
      ports: [{ name: 'metrics', port: 2112, protocol: 'TCP', targetPort: S.port }],
    },
  }),
  'service-monitor.yaml': when(S.monitor, {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { ...inNamespace, labels: new ExtendedMap(LABELS, S.monitorLabels) },
    spec: {
      selector: { matchLabels: SELECTOR },
      namespaceSelector: { matchNames: [concat(NAMESPACE)] },
      endpoints: [{ port: 'metrics', interval: S.interval, path: '/metrics' }],
    },
  }),
  'pod-monitor.yaml': when(S.podMonitor, {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: { ...inNamespace, labels: new ExtendedMap(LABELS, S.podMonitorLabels) },
    spec: {
      selector: { matchLabels: SELECTOR },
      namespaceSelector: { matchNames: [concat(NAMESPACE)] },
      podMetricsEndpoints: [{ port: 'metrics', interval: S.podInterval, path: '/metrics' }],
    },
  }),
  'admission-service.yaml': when(S.admission, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...inNamespace, name: ADMISSION },
    spec: {
      selector: SELECTOR,
      ports: [{ name: 'admission', port: 443, protocol: 'TCP', targetPort: S.admissionPort }],
    },
  }),
  'validating-webhook.yaml': when(S.admission, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: concat(NAME), labels: LABELS, annotations: S.admissionAnnotations },
    webhooks: [
      {
        name: 'policies.polytrace.cilium.io',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 5,
        failurePolicy: S.admissionFailure,
        matchPolicy: 'Equivalent',
        rules: [
          {
            apiGroups: ['cilium.io'],
            apiVersions: ['v1alpha1'],
            operations: ['CREATE', 'UPDATE'],
            resources: POLICIES,
          },
        ],
        clientConfig: {
          service: { name: ADMISSION, namespace: concat(NAMESPACE), path: '/validate', port: 443 },
          caBundle: S.admissionCa,
        },
      },
    ],
  }),
  'network-policy.yaml': when(S.networkPolicy, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: inNamespace,
    spec: {
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ['Ingress'],
      ingress: [
        {
          ports: [
            when(S.prometheus, { port: S.port, protocol: 'TCP' }),
            when(S.grpc, { port: GRPC_PORT, protocol: 'TCP' }),
            when(S.admission, { port: S.admissionPort, protocol: 'TCP' }),
          ],
          from: S.networkFrom,
        },
      ],
    },
  }),
};
