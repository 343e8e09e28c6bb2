/** The chart as Helm renders it: the same manifests as the kustomizations, and what follows from its values. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadConfiguration } from '../../agent/lib/config/load.js';
import { findSettingKey, settingName, SETTINGS, type SettingKey } from '../../agent/lib/config/settings.js';
import { readProjectFile } from '../project.js';
import { CHART, renderChart } from './chart.js';
import { needsGo } from './go.js';

const AGENT = 'deploy/kubernetes/agent';

type Values = Parameters<typeof renderChart>[0];

interface Probe {
  httpGet?: object;
  exec?: object;
}
interface Container {
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
  volumeMounts: { mountPath: string }[];
  args: string[];
  image: string;
  env: object[];
  securityContext: { privileged: boolean; capabilities?: { add: string[] } };
}
interface DaemonSet {
  metadata: { name: string; namespace: string };
  spec: {
    template: {
      metadata: { annotations?: Record<string, string>; labels?: Record<string, string> };
      spec: { containers: [Container]; volumes: { name: string }[]; hostNetwork: boolean; priorityClassName: string };
    };
  };
}
interface Labelled {
  metadata: { labels: Record<string, string> };
  spec: Record<string, unknown>;
  data: Record<string, string>;
}

const daemonSet = async (values: Values, namespace?: string): Promise<DaemonSet> =>
  (await renderChart(values, namespace)).get('daemon-set.yaml') as DaemonSet;
const agentContainer = async (values: Values): Promise<Container> =>
  (await daemonSet(values)).spec.template.spec.containers[0];
/** The settings of the agent. */
const renderSettings = async (values: Values): Promise<Record<string, string>> =>
  ((await renderChart(values)).get('config-map.yaml') as { data: Record<string, string> }).data;
const prometheus = (values: object): Values => ({ tetragon: { prometheus: values } });

describe('the chart', function () {
  this.timeout(240_000);
  before(needsGo);

  it('has the manifests of the kustomization', async () => {
    const { resources } = parse(readProjectFile(`${AGENT}/kustomization.yaml`)) as { resources: string[] };
    const rendered = new Map(await renderChart());
    assert.deepEqual([...resources].sort(), [...rendered.keys()].sort());
    const { annotations } = (rendered.get('daemon-set.yaml') as DaemonSet).spec.template.metadata;
    // a kustomization cannot compute it
    assert.match(annotations?.['checksum/config'] ?? '', /^[0-9a-f]{64}$/);
    delete annotations?.['checksum/config'];
    for (const [name, object] of rendered) assert.deepEqual(object, parse(readProjectFile(`${AGENT}/${name}`)), name);
  });

  it('has the security context of the kustomization without privileges', async () => {
    const { patches } = parse(readProjectFile('deploy/kubernetes/least-privilege/kustomization.yaml')) as {
      patches: { patch: string }[];
    };
    const [{ value }] = JSON.parse(patches[0]?.patch as string) as [{ value: object }];
    const { securityContext } = await agentContainer({ tetragon: { securityContext: { privileged: false } } });
    assert.deepEqual(securityContext, value);
    assert.equal(securityContext.privileged, false);
    assert.ok(securityContext.capabilities?.add.includes('SYS_ADMIN') === false);
  });

  it('follows its values', async () => {
    const tetragon = {
      image: { override: null, repository: 'registry.invalid/p', tag: '1.2' },
      extraEnv: [{ name: 'A', value: '1' }],
    };
    const { metadata, spec } = await daemonSet(
      { podAnnotations: { a: 'b' }, podLabels: { c: 'd' }, priorityClassName: 'own', tetragon },
      'security',
    );
    const [{ image, env }] = spec.template.spec.containers;
    assert.equal(metadata.namespace, 'security');
    assert.equal(spec.template.spec.priorityClassName, 'own');
    const { annotations, labels } = spec.template.metadata;
    assert.equal(annotations?.['a'], 'b');
    assert.equal(labels?.['c'], 'd');
    assert.equal(annotations?.['prometheus.io/port'], '2112');
    assert.equal(image, 'registry.invalid/p:1.2');
    assert.deepEqual(env.at(-1), { name: 'A', value: '1' });
    const other = await agentContainer({ tetragon: { image: { override: 'other:1', repository: 'x', tag: 'y' } } });
    assert.equal(other.image, 'other:1');
  });

  it('restarts the pods when the configuration of the agent changes, and only then', async () => {
    const checksum = async (values: Values): Promise<string | undefined> =>
      (await daemonSet(values)).spec.template.metadata.annotations?.['checksum/config'];
    assert.notEqual(await checksum({ tetragon: { clusterName: 'a' } }), await checksum({}));
    assert.equal(await checksum({ daemonSetAnnotations: { a: 'b' } }), await checksum({}));
  });

  it('gives flags of any type to the agent, which reads them', async () => {
    const extraArgs = {
      'event-queue-bytes': 8_388_608,
      'export-rate-limit': -1,
      'enable-process-cred': true,
      'cache-paths': false,
      'log-level': 'debug',
      'metrics-label-filter': ['pod', 'binary'],
    };
    const { args } = await agentContainer({ tetragon: { extraArgs } });
    assert.deepEqual([...args].sort(), [
      '--cache-paths=false',
      '--enable-process-cred=true',
      '--event-queue-bytes=8388608',
      '--export-rate-limit=-1',
      '--log-level=debug',
      '--metrics-label-filter=pod,binary',
      'agent',
    ]);
    const command = [join(__dirname, '../../dist/cli/main.js'), ...args, '--check'];
    // the agent refuses variables of the tests
    const env = { PATH: process.env['PATH'] };
    const printed = execFileSync(process.execPath, command, { encoding: 'utf8', env });
    assert.match(printed, /^event-queue-bytes: 8388608 /m);
    assert.match(printed, /^enable-process-cred: true /m);
    assert.match(printed, /^cache-paths: false /m);
  });

  it('gives the agent settings that it has, with the values', async () => {
    const names = Object.keys(SETTINGS).map(settingName);
    const filters = '{"health_check":true}\n{"namespace":["", "kube-system"]}';
    const tetragon = {
      clusterName: 'c1',
      enforcement: false,
      enableKeepSensorsOnExit: false,
      exportFilename: 'events.log',
      exportFileMaxSizeMB: 1_048_576,
      exportAllowList: filters,
      exportDenyList: filters,
      fieldFilters: '{"fields":"parent","action":"EXCLUDE"}',
      redactionFilters: '{"redact":["--password(?:\\\\s+|=)(\\\\S*)"]}',
      grpc: { enabled: true },
      cri: { socketHostPath: '/run/k3s/containerd/containerd.sock' },
    };
    for (const values of [{}, { tetragon }]) {
      for (const [name, value] of Object.entries(await renderSettings(values))) {
        assert.ok(names.includes(name), `the agent has no setting ${name}`);
        assert.equal(typeof value, 'string', name);
        assert.doesNotThrow(() => SETTINGS[findSettingKey(name) as SettingKey].parse(value), name);
      }
    }
    const rendered = await renderSettings({ tetragon });
    assert.equal(rendered['cluster-name'], 'c1');
    assert.equal(rendered['enforcement'], 'false');
    assert.equal(rendered['persist'], undefined);
    assert.equal(rendered['export-filename'], '/var/run/polytrace/events.log');
    assert.equal(rendered['export-file-max-size-mb'], '1048576');
    assert.equal(rendered['export-denylist'], filters);
    const { volumes, containers } = (await daemonSet({ tetragon })).spec.template.spec;
    assert.ok(volumes.some(({ name }) => name === 'export'));
    assert.ok(containers[0].volumeMounts.some(({ mountPath }) => mountPath === '/var/run/polytrace'));
    assert.ok(!(await daemonSet({})).spec.template.spec.volumes.some(({ name }) => name === 'export'));
  });

  it('joins a fleet: settings that an agent takes, their files in the container, and one source of policies', async () => {
    const urls = 'tls://nats-1:4222,tls://nats-2:4222';
    const fleetSettings = async (fleet: object): Promise<Record<string, string>> =>
      Object.fromEntries(Object.entries(await renderSettings({ fleet })).filter(([name]) => /^fleet|crd$/.test(name)));
    assert.deepEqual(await fleetSettings({}), {});
    const events = { fleet: urls, 'fleet-spool-dir': '/var/lib/polytrace/fleet-events' };
    assert.deepEqual(await fleetSettings({ urls }), events);
    const secret = {
      'fleet-credentials': '/etc/polytrace/fleet/user.creds',
      'fleet-ca': '/etc/polytrace/fleet/ca.crt',
    };
    const fleet = { urls, secretName: 'fleet-keys', policies: true };
    assert.deepEqual(await fleetSettings(fleet), {
      ...events,
      ...secret,
      'fleet-policy-dir': '/var/lib/polytrace/fleet-policies',
      'fleet-policy-key': '/etc/polytrace/fleet/operators.pem',
      'fleet-gate-key': '/etc/polytrace/fleet/controllers.pem',
      'tracing-policy-crd': 'false',
    });
    // the agent accepts them together: with the resources of the cluster as well, it would not
    const flags = Object.entries(await renderSettings({ fleet })).filter(([name]) =>
      /^fleet|crd$|^enable-k8s/.test(name),
    );
    const command = [join(__dirname, '../../dist/cli/main.js'), 'agent', '--check'];
    const check = (more: readonly string[]): string =>
      execFileSync(process.execPath, [...command, ...more], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] },
        stdio: 'pipe',
      });
    const args = flags.map(([name, value]) => `--${name}=${value}`);
    assert.match(check(args), /^fleet: \["tls:\/\/nats-1:4222","tls:\/\/nats-2:4222"\]/m);
    assert.throws(() => check(args.filter((each) => !each.includes('crd'))), /tracing-policy-crd/);
    const { volumes, containers } = (await daemonSet({ fleet })).spec.template.spec;
    const mounts = (containers[0].volumeMounts as { name?: string; mountPath: string; readOnly?: boolean }[]).filter(
      ({ name = '' }) => name.startsWith('fleet'),
    );
    assert.deepEqual(mounts, [
      { name: 'fleet', mountPath: '/etc/polytrace/fleet', readOnly: true },
      { name: 'fleet-state', mountPath: '/var/lib/polytrace' },
    ]);
    assert.deepEqual(
      volumes.filter(({ name }) => name.startsWith('fleet')),
      [
        { name: 'fleet', secret: { secretName: 'fleet-keys' } },
        { name: 'fleet-state', hostPath: { path: '/var/lib/polytrace', type: 'DirectoryOrCreate' } },
      ],
    );
  });

  it('gives the agent the right to write PodInfo only with its setting', async () => {
    const find = async (values: Values): Promise<unknown[]> => {
      const { rules } = (await renderChart(values)).get('cluster-role.yaml') as { rules: { resources: string[] }[] };
      return [
        (await renderSettings(values))['enable-pod-info'],
        rules.filter(({ resources }) => resources.includes('podinfo')),
      ];
    };
    const rule = { apiGroups: ['cilium.io'], resources: ['podinfo'], verbs: ['create', 'patch'] };
    assert.deepEqual(await find({}), ['false', []]);
    assert.deepEqual(await find({ tetragon: { enablePodInfo: true } }), ['true', [rule]]);
  });

  it('has probes, metrics and a service for them', async () => {
    const PROBES = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;
    const container = await agentContainer({});
    const loopback = { path: '/healthz', port: 2113, host: '127.0.0.1' };
    for (const name of PROBES) assert.deepEqual(container[name].httpGet, loopback, name);
    assert.equal((await renderSettings({}))['health-server'], '127.0.0.1:2113');
    assert.equal((await renderSettings({}))['metrics-server'], ':2112');
    const { spec } = (await renderChart()).get('service.yaml') as { spec: { ports: object[] } };
    assert.deepEqual(spec.ports, [{ name: 'metrics', port: 2112, protocol: 'TCP', targetPort: 2112 }]);

    const moved = prometheus({ address: '10.0.0.1', port: 9100 });
    const elsewhere = await agentContainer({
      tetragon: { prometheus: { address: '10.0.0.1', port: 9100 }, healthPort: 9101 },
    });
    for (const name of PROBES) assert.deepEqual(elsewhere[name].httpGet, { ...loopback, port: 9101 }, name);
    assert.equal((await renderSettings(moved))['metrics-server'], '10.0.0.1:9100');

    const off = prometheus({ enabled: false });
    const without = await agentContainer(off);
    for (const name of PROBES) assert.deepEqual(without[name].httpGet, loopback, name);
    assert.equal((await renderSettings(off))['metrics-server'], undefined);
    assert.equal((await renderChart(off)).get('service.yaml'), undefined);
    const own = await agentContainer({ tetragon: { livenessProbe: { tcpSocket: { port: 1 } } } });
    assert.deepEqual(own.livenessProbe, { tcpSocket: { port: 1 } });
  });

  it('has probes that the kubelet can reach in a pod with a network of its own', async () => {
    const values = { hostNetwork: false, tetragon: { healthPort: 9101 } };
    const container = await agentContainer(values);
    for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      assert.deepEqual(container[name].httpGet, { path: '/healthz', port: 9101 }, name);
    }
    assert.equal((await renderSettings(values))['health-server'], ':9101');
  });

  it('makes objects for the operator of Prometheus, and a dashboard', async () => {
    const more = { enabled: true, extraLabels: { team: 'a' } };
    const objects = await renderChart(
      prometheus({
        serviceMonitor: { ...more, scrapeInterval: '15s' },
        podMonitor: more,
        alerts: more,
        dashboard: more,
      }),
    );
    const find = (name: string): Labelled => objects.get(name) as Labelled;
    const names = ['service-monitor.yaml', 'pod-monitor.yaml', 'alerts.yaml', 'dashboard.yaml'];
    for (const name of names) assert.equal(find(name).metadata.labels['team'], 'a', name);
    assert.deepEqual(find('service-monitor.yaml').spec['endpoints'], [{ port: 'metrics', interval: '15s', path: '/metrics' }]); // prettier-ignore
    assert.deepEqual(find('alerts.yaml').spec, parse(readFileSync(join(CHART, 'alerts/polytrace.yaml'), 'utf8')));
    const dashboard = find('dashboard.yaml');
    assert.equal(dashboard.metadata.labels['grafana_dashboard'], '1');
    const text = readFileSync(join(CHART, 'dashboards/polytrace.json'), 'utf8');
    assert.deepEqual(JSON.parse(dashboard.data['polytrace.json'] as string), JSON.parse(text));
  });

  it('names all objects alike, also with another name and service account', async () => {
    const objects = await renderChart({ nameOverride: 'tracer', serviceAccount: { create: false, name: 'own' } });
    assert.equal(objects.get('service-account.yaml'), undefined);
    const text = JSON.stringify([...objects.values()]);
    const { roleRef, subjects } = objects.get('cluster-role-binding.yaml') as {
      roleRef: { name: string };
      subjects: { name: string }[];
    };
    assert.equal(roleRef.name, 'tracer');
    assert.equal(subjects[0]?.name, 'own');
    const { metadata, spec } = objects.get('daemon-set.yaml') as DaemonSet & { spec: { selector: object } };
    assert.equal(metadata.name, 'tracer');
    assert.deepEqual(spec.selector, { matchLabels: { 'app.kubernetes.io/name': 'tracer' } });
    assert.equal(spec.template.metadata.labels?.['app.kubernetes.io/name'], 'tracer');
    assert.match(text, /"configMap":\{"name":"tracer-config"/);
    assert.match(text, /"serviceAccountName":"own"/);
  });

  it('serves clients outside of the pod only with certificates of both sides', async () => {
    const values = { tetragon: { grpc: { enabled: true, tls: { secretName: 'keys' } } } };
    const settings = await renderSettings(values);
    const flags = Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [findSettingKey(name) as SettingKey, value]),
    );
    const { options } = loadConfiguration({ env: {}, flags, folders: [] });
    assert.deepEqual(options.serverAddress, ['unix:///run/polytrace/polytrace.sock', '0.0.0.0:54321']);
    assert.equal(options.insecureClients, false);
    assert.equal(options.tlsClientCa, '/etc/polytrace/grpc/ca.crt');
    const { volumes } = (await daemonSet(values)).spec.template.spec;
    assert.deepEqual(volumes.find(({ name }) => name === 'grpc'), { name: 'grpc', secret: { secretName: 'keys' } }); // prettier-ignore
  });

  it('mounts the folder of another runtime', async () => {
    const socketHostPath = '/var/snap/microk8s/common/run/containerd.sock';
    const { volumes, containers } = (await daemonSet({ tetragon: { cri: { socketHostPath } } })).spec.template.spec;
    const folder = '/var/snap/microk8s/common/run';
    assert.deepEqual(volumes.find(({ name }) => name === 'cri'), { name: 'cri', hostPath: { path: folder, type: 'Directory' } }); // prettier-ignore
    assert.ok(containers[0].volumeMounts.some(({ mountPath }) => mountPath === folder));
    assert.equal((await renderSettings({ tetragon: { cri: { socketHostPath } } }))['cri-endpoint'], socketHostPath);
  });

  it('limits connections to its ports', async () => {
    const from = [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }];
    const values = {
      networkPolicy: { enabled: true, from },
      hostNetwork: false,
      tetragon: { grpc: { enabled: true } },
    };
    const objects = await renderChart(values);
    const { spec } = objects.get('network-policy.yaml') as Labelled;
    const ports = [2112, 54321].map((port) => ({ port, protocol: 'TCP' }));
    assert.deepEqual(spec['ingress'], [{ ports, from }]);
    assert.equal((objects.get('daemon-set.yaml') as DaemonSet).spec.template.spec.hostNetwork, false);
  });
});
