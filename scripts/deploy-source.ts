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

/** Something that is there only if a setting is true. */
export class When {
  constructor(
    readonly setting: Setting,
    readonly then: unknown,
    readonly otherwise?: unknown,
  ) {}
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

// Names are those of Tetragon's chart where the meaning is the same, so that its values file works here.
const S = {
  pullPolicy: setting('imagePullPolicy', 'IfNotPresent', 'When the image is pulled.'),
  pullSecrets: setting('imagePullSecrets', [], 'Secrets for the registry.'),
  priorityClass: setting('priorityClassName', 'system-node-critical', 'Pods of this class are not evicted for others.'),
  podAnnotations: setting('podAnnotations', {}, 'Annotations of the pods.'),
  nodeSelector: setting('nodeSelector', { 'kubernetes.io/os': 'linux' }, 'Nodes on which the agent runs.'),
  tolerations: setting('tolerations', [{ operator: 'Exists' }], 'With the default, the agent runs on every node.'),
  affinity: setting('affinity', {}, 'Affinity of the pods.'),
  updateStrategy: setting(
    'updateStrategy',
    { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    'How a new version reaches the nodes. Policies stay active meanwhile, see tetragon.persist.',
  ),
  annotations: setting('serviceAccount.annotations', {}, 'Annotations of the service account.'),
  repository: setting('tetragon.image.repository', 'polytrace', 'Image of the agent.'),
  tag: setting('tetragon.image.tag', 'latest', 'Tag of the image.'),
  privileged: setting('tetragon.securityContext.privileged', true, 'false: single capabilities instead.'),
  resources: setting(
    'tetragon.resources',
    { requests: { cpu: '50m', memory: '192Mi' }, limits: { memory: '512Mi' } },
    'Resources of the agent. docs/kubernetes.md has measurements.',
  ),
  clusterName: setting('tetragon.clusterName', '', 'Name of the cluster in events.'),
  cred: setting('tetragon.enableProcessCred', false, 'Events have capabilities, user and group ids.'),
  ns: setting('tetragon.enableProcessNs', false, 'Events have namespaces.'),
  annotationsInEvents: setting('tetragon.enablePodAnnotations', false, 'Events have the annotations of pods.'),
  enforcement: setting('tetragon.enforcement', true, 'Policies can signal processes and override functions.'),
  persist: setting('tetragon.persist', true, 'Policies stay active while no agent runs, as in an update.'),
  args: setting('tetragon.extraArgs', [], 'Further options of `polytrace agent`.'),
  env: setting('tetragon.extraEnv', [], 'Further environment variables.'),
};

export const SETTINGS: readonly Setting[] = settings;

const NAME = 'polytrace';
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
const PROBE = { exec: { command: ['node', '-e', CONNECT] }, timeoutSeconds: 10 };

const container = {
  name: NAME,
  image: join(S.repository, ':', S.tag),
  imagePullPolicy: S.pullPolicy,
  args: [
    'agent',
    '--enable-k8s-api',
    '--tracing-policy-dir=/etc/polytrace/policies.d',
    when(S.clusterName, join('--cluster-name=', S.clusterName)),
    when(S.annotationsInEvents, '--enable-pod-annotations'),
    when(S.cred, '--enable-process-cred'),
    when(S.ns, '--enable-process-ns'),
    when(S.enforcement, '--enforcement'),
    when(S.persist, '--persist=/sys/fs/bpf/polytrace'),
    when(S.persist, '--keep-sensors-on-exit'),
    '--log-format=json',
    S.args,
  ],
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
  livenessProbe: { ...PROBE, initialDelaySeconds: 10, periodSeconds: 30, failureThreshold: 3 },
  readinessProbe: { ...PROBE, periodSeconds: 10 },
  resources: S.resources,
  volumeMounts: [
    mount('policies', '/etc/polytrace/policies.d', { readOnly: true }),
    mount('run', '/run/polytrace'),
    mount('containerd', '/run/containerd', { readOnly: true }),
    mount('nri', '/run/nri', { readOnly: true }),
    mount('crio', '/run/crio', { readOnly: true }),
    mount('cgroup', '/sys/fs/cgroup', { readOnly: true }),
    mount('tracing', '/sys/kernel/tracing', { readOnly: true }),
    mount('bpf', '/sys/fs/bpf'),
  ],
};

const podSpec = {
  serviceAccountName: NAME,
  priorityClassName: S.priorityClass,
  // the host's process ids are those of the kernel
  hostPID: true,
  hostNetwork: true,
  dnsPolicy: 'ClusterFirstWithHostNet',
  terminationGracePeriodSeconds: 10,
  imagePullSecrets: S.pullSecrets,
  nodeSelector: S.nodeSelector,
  tolerations: S.tolerations,
  affinity: S.affinity,
  containers: [container],
  volumes: [
    { name: 'policies', configMap: { name: 'polytrace-policies', optional: true } },
    { name: 'run', emptyDir: {} },
    hostPath('containerd', '/run/containerd', 'DirectoryOrCreate'),
    hostPath('nri', '/run/nri', 'DirectoryOrCreate'),
    hostPath('crio', '/run/crio', 'DirectoryOrCreate'),
    hostPath('cgroup', '/sys/fs/cgroup', 'Directory'),
    hostPath('tracing', '/sys/kernel/tracing', 'Directory'),
    hostPath('bpf', '/sys/fs/bpf', 'Directory'),
  ],
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
  'daemon-set.yaml': {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: inNamespace,
    spec: {
      selector: { matchLabels: { 'app.kubernetes.io/name': NAME } },
      updateStrategy: S.updateStrategy,
      template: {
        metadata: { labels: LABELS, annotations: S.podAnnotations },
        spec: podSpec,
      },
    },
  },
};
