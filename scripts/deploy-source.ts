/**
 * The one source of the manifests for Kubernetes: objects in which some values are settings. `gen-deploy.ts` writes them as a
 * kustomization, with the defaults of the settings, and as a Helm chart, whose templates read the settings.
 */

/** A value that a user can set. `path` is its name in the values of the chart. */
export class Setting {
  constructor(
    readonly path: string,
    readonly fallback: unknown,
    readonly comment: string,
  ) {}
}

/** Something that is there only if a setting is true, or has content. */
export class When {
  constructor(
    readonly setting: Setting,
    readonly then: unknown,
    readonly otherwise?: unknown,
  ) {}
}

/** A mapping with more entries from a setting. */
export class With {
  constructor(
    readonly own: object,
    readonly more: Setting,
  ) {}
}

/** The items of a list that come from a setting with names and values: `--NAME=VALUE`. */
export class Flags {
  constructor(readonly setting: Setting) {}
}

/** Text with settings in it. */
export class Joined {
  constructor(readonly parts: readonly (string | Setting | Special)[]) {}
}

/** What only the tool knows that renders: in the kustomization it is a fixed text. */
export class Special {
  constructor(
    readonly template: string,
    readonly fixed: string,
  ) {}
}

const NAMESPACE = new Special('.Release.Namespace', 'kube-system');
const join = (...parts: (string | Setting | Special)[]): Joined => new Joined(parts);
const when = (setting: Setting, then: unknown, otherwise?: unknown): When => new When(setting, then, otherwise);

const settings: Setting[] = [];
function setting(path: string, fallback: unknown, comment: string): Setting {
  const made = new Setting(path, fallback, comment);
  settings.push(made);
  return made;
}

// Names are those of Tetragon's chart where the meaning is the same. docs/kubernetes.md says what differs.
const S = {
  pullPolicy: setting('imagePullPolicy', 'IfNotPresent', 'When the image is pulled.'),
  pullSecrets: setting('imagePullSecrets', [], 'Secrets for the registry.'),
  priorityClass: setting('priorityClassName', 'system-node-critical', 'Pods of this class are not evicted for others.'),
  daemonSetAnnotations: setting('daemonSetAnnotations', {}, 'Annotations of the DaemonSet.'),
  podAnnotations: setting('podAnnotations', {}, 'Further annotations of the pods.'),
  podLabels: setting('podLabels', {}, 'Further labels of the pods.'),
  podSecurityContext: setting('podSecurityContext', {}, 'Security context of the pods.'),
  nodeSelector: setting('nodeSelector', { 'kubernetes.io/os': 'linux' }, 'Nodes on which the agent runs.'),
  tolerations: setting('tolerations', [{ operator: 'Exists' }], 'With the default, the agent runs on every node.'),
  affinity: setting('affinity', {}, 'Affinity of the pods.'),
  dnsPolicy: setting('dnsPolicy', 'ClusterFirstWithHostNet', 'How the pods find names, such as that of a collector.'),
  extraVolumes: setting('extraVolumes', [], 'Further volumes of the pods.'),
  updateStrategy: setting(
    'updateStrategy',
    { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    'How a new version reaches the nodes. Policies stay active meanwhile, see tetragon.enableKeepSensorsOnExit.',
  ),
  annotations: setting('serviceAccount.annotations', {}, 'Annotations of the service account.'),
  exportDirectory: setting('exportDirectory', '/var/run/polytrace', 'Folder of the node for tetragon.exportFilename.'),
  image: setting('tetragon.image.override', '', 'Image with its tag, in place of the next two.'),
  repository: setting('tetragon.image.repository', 'polytrace', 'Image of the agent.'),
  tag: setting('tetragon.image.tag', 'latest', 'Tag of the image.'),
  privileged: setting('tetragon.securityContext.privileged', true, 'false: single capabilities instead.'),
  resources: setting(
    'tetragon.resources',
    { requests: { cpu: '50m', memory: '192Mi' }, limits: { memory: '512Mi' } },
    'Resources of the agent. docs/kubernetes.md has measurements.',
  ),
  livenessProbe: setting('tetragon.livenessProbe', {}, 'Probe in place of the one of the template.'),
  api: setting('tetragon.enableK8sAPI', true, 'Labels, workloads and policies come from the API server.'),
  clusterName: setting('tetragon.clusterName', '', 'Name of the cluster in events.'),
  cred: setting('tetragon.enableProcessCred', false, 'Events have capabilities, user and group ids.'),
  ns: setting('tetragon.enableProcessNs', false, 'Events have namespaces.'),
  annotationsInEvents: setting('tetragon.podAnnotations.enabled', false, 'Events have the annotations of pods.'),
  enforcement: setting('tetragon.enforcement', true, 'Policies can signal processes and override functions.'),
  keep: setting('tetragon.enableKeepSensorsOnExit', true, 'Policies stay active while no agent runs, as in an update.'),
  debug: setting('tetragon.debug', false, 'The log has details.'),
  prometheus: setting('tetragon.prometheus.enabled', true, 'Serve /metrics and /healthz over HTTP.'),
  address: setting('tetragon.prometheus.address', '', 'Address of the node for that; empty: all of them.'),
  port: setting('tetragon.prometheus.port', 2112, 'Port of the node for that.'),
  metricsLabels: setting(
    'tetragon.prometheus.metricsLabelFilter',
    'namespace,workload,pod,binary',
    'Labels of metrics about events that have values.',
  ),
  monitor: setting('tetragon.prometheus.serviceMonitor.enabled', false, 'Make a ServiceMonitor (Prometheus Operator).'),
  monitorLabels: setting('tetragon.prometheus.serviceMonitor.extraLabels', {}, 'Further labels of it.'),
  interval: setting('tetragon.prometheus.serviceMonitor.scrapeInterval', '60s', 'How often metrics are read.'),
  exportFilename: setting('tetragon.exportFilename', '', 'File for events as JSON lines; empty: none.'),
  exportPerm: setting('tetragon.exportFilePerm', '600', 'Rights of that file.'),
  exportSize: setting('tetragon.exportFileMaxSizeMB', 10, 'The file is rotated at this size.'),
  exportBackups: setting('tetragon.exportFileMaxBackups', 5, 'Rotated files that are kept.'),
  exportCompress: setting('tetragon.exportFileCompress', false, 'Rotated files are compressed.'),
  exportRate: setting('tetragon.exportRateLimit', -1, 'Most events in a minute; -1: no limit.'),
  exportAllow: setting('tetragon.exportAllowList', '', 'Export only events that one of these filters matches.'),
  exportDeny: setting('tetragon.exportDenyList', '', 'Do not export events that one of these filters matches.'),
  fields: setting('tetragon.fieldFilters', '', 'Fields that exported events have, or do not have.'),
  redaction: setting('tetragon.redactionFilters', '', 'Hide parts of the arguments of processes.'),
  args: setting('tetragon.extraArgs', {}, 'Further settings of the agent, NAME: VALUE. They replace those above.'),
  env: setting('tetragon.extraEnv', [], 'Further environment variables.'),
  mounts: setting('tetragon.extraVolumeMounts', [], 'Further mounts of the agent.'),
};

export const SETTINGS: readonly Setting[] = settings;

const NAME = 'polytrace';
const CONFIGURATION = 'polytrace-config';
const LABELS = { 'app.kubernetes.io/name': NAME, 'app.kubernetes.io/part-of': NAME };
const inNamespace = { name: NAME, namespace: join(NAMESPACE), labels: LABELS };

const rule = (groups: string[], resources: string[], verbs: string[], more: object = {}): object => ({
  apiGroups: groups,
  resources,
  verbs,
  ...more,
});

const POLICIES = ['tracingpolicies', 'tracingpoliciesnamespaced'];

const rules = [
  // labels, owners and containers of the node's pods; nodes for nodeSelector, and to count them
  rule([''], ['pods', 'nodes'], ['get', 'list', 'watch']),
  rule(['cilium.io'], POLICIES, ['get', 'list', 'watch']),
  rule(
    ['cilium.io'],
    POLICIES.map((name) => `${name}/status`),
    ['patch'],
  ),
  // a policy that does not load
  rule([''], ['events'], ['create']),
  // whether the resources of policies are our own
  rule(['apiextensions.k8s.io'], ['customresourcedefinitions'], ['get'], {
    resourceNames: POLICIES.map((name) => `${name}.cilium.io`),
  }),
];

const CAPABILITIES = ['BPF', 'PERFMON', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'SYS_RESOURCE'];

const hostPath = (name: string, path: string, type: string): object => ({ name, hostPath: { path, type } });
const mount = (name: string, mountPath: string, more: object = {}): object => ({ name, mountPath, ...more });

/** Does the agent take connections on its socket? */
const CONNECT =
  "require('net').connect('/run/polytrace/polytrace.sock', () => process.exit(0)).on('error', () => process.exit(1))";
/** /healthz answers when the policies are loaded. The kubelet asks the address of the node, unless the agent uses another one. */
const PROBE = when(S.prometheus, { path: '/healthz', port: S.port, host: S.address });
const probe = (timing: object): object => ({
  httpGet: PROBE,
  exec: when(S.prometheus, undefined, { command: ['node', '-e', CONNECT] }),
  timeoutSeconds: 10,
  ...timing,
});

const text = (value: Setting): Joined => join(value);
const ifAny = (value: Setting): When => when(value, text(value));

/** The settings of the agent, by their names. It reads the folder /etc/polytrace/agent.conf.d. */
const configuration = {
  'enable-k8s-api': text(S.api),
  'cluster-name': ifAny(S.clusterName),
  'enable-pod-annotations': text(S.annotationsInEvents),
  'enable-process-cred': text(S.cred),
  'enable-process-ns': text(S.ns),
  enforcement: text(S.enforcement),
  persist: when(S.keep, '/sys/fs/bpf/polytrace'),
  'keep-sensors-on-exit': text(S.keep),
  'log-format': 'json',
  'log-level': when(S.debug, 'debug', 'info'),
  'metrics-server': when(S.prometheus, join(S.address, ':', S.port)),
  'metrics-label-filter': text(S.metricsLabels),
  'export-filename': when(S.exportFilename, join(S.exportDirectory, '/', S.exportFilename)),
  'export-file-perm': text(S.exportPerm),
  'export-file-max-size-mb': text(S.exportSize),
  'export-file-max-backups': text(S.exportBackups),
  'export-file-compress': text(S.exportCompress),
  'export-rate-limit': text(S.exportRate),
  'export-allowlist': ifAny(S.exportAllow),
  'export-denylist': ifAny(S.exportDeny),
  'field-filters': ifAny(S.fields),
  'redaction-filters': ifAny(S.redaction),
};

const container = {
  name: NAME,
  image: when(S.image, text(S.image), join(S.repository, ':', S.tag)),
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
  startupProbe: probe({ periodSeconds: 2, failureThreshold: 150 }),
  livenessProbe: when(S.livenessProbe, S.livenessProbe, probe({ periodSeconds: 30, failureThreshold: 3 })),
  readinessProbe: probe({ periodSeconds: 10 }),
  resources: S.resources,
  volumeMounts: [
    mount('configuration', '/etc/polytrace/agent.conf.d', { readOnly: true }),
    mount('policies', '/etc/polytrace/policies.d', { readOnly: true }),
    mount('run', '/run/polytrace'),
    mount('containerd', '/run/containerd', { readOnly: true }),
    mount('nri', '/run/nri', { readOnly: true }),
    mount('crio', '/run/crio', { readOnly: true }),
    mount('cgroup', '/sys/fs/cgroup', { readOnly: true }),
    mount('tracing', '/sys/kernel/tracing', { readOnly: true }),
    mount('bpf', '/sys/fs/bpf'),
    when(S.exportFilename, { name: 'export', mountPath: S.exportDirectory }),
    S.mounts,
  ],
};

const podSpec = {
  serviceAccountName: NAME,
  priorityClassName: S.priorityClass,
  // the host's process ids are those of the kernel
  hostPID: true,
  hostNetwork: true,
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
    hostPath('containerd', '/run/containerd', 'DirectoryOrCreate'),
    hostPath('nri', '/run/nri', 'DirectoryOrCreate'),
    hostPath('crio', '/run/crio', 'DirectoryOrCreate'),
    hostPath('cgroup', '/sys/fs/cgroup', 'Directory'),
    hostPath('tracing', '/sys/kernel/tracing', 'Directory'),
    hostPath('bpf', '/sys/fs/bpf', 'Directory'),
    when(S.exportFilename, { name: 'export', hostPath: { path: S.exportDirectory, type: 'DirectoryOrCreate' } }),
    S.extraVolumes,
  ],
};

const SELECTOR = { 'app.kubernetes.io/name': NAME };

/** For a Prometheus that finds its targets by the annotations of pods. */
const SCRAPED = {
  'prometheus.io/scrape': when(S.prometheus, 'true'),
  'prometheus.io/port': when(S.prometheus, text(S.port)),
  'prometheus.io/path': when(S.prometheus, '/metrics'),
};

/** The objects, by the names of their files. */
export const MANIFESTS: Readonly<Record<string, object>> = {
  'service-account.yaml': {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { ...inNamespace, annotations: S.annotations },
  },
  'cluster-role.yaml': {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: NAME, labels: LABELS },
    rules,
  },
  'cluster-role-binding.yaml': {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: NAME, labels: LABELS },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAME },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: join(NAMESPACE) }],
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
          labels: new With(LABELS, S.podLabels),
          annotations: new With(SCRAPED, S.podAnnotations),
        },
        spec: podSpec,
      },
    },
  },
  // without an address of its own: each pod is a target of its own
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
    metadata: { ...inNamespace, labels: new With(LABELS, S.monitorLabels) },
    spec: {
      selector: { matchLabels: SELECTOR },
      namespaceSelector: { matchNames: [join(NAMESPACE)] },
      endpoints: [{ port: 'metrics', interval: S.interval, path: '/metrics' }],
    },
  }),
};
