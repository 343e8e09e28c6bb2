/** The manifests for Kubernetes are up to date, and the kustomization and the chart give the same manifests. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { findSettingKey, settingName, SETTINGS, type SettingKey } from '../../../agent/lib/config/settings.js';
import { deployFiles } from '../../../scripts/deploy-files.js';
import { renderTemplate } from './helm.js';
import { ROOT, readProjectFile } from '../../project.js';

const CHART = 'deploy/helm/polytrace';
const AGENT = 'deploy/kubernetes/agent';

interface Values {
  tetragon: Record<string, unknown>;
  podAnnotations: object;
}
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
  metadata: { namespace: string };
  spec: {
    template: { metadata: { annotations?: object }; spec: { containers: [Container]; volumes: { name: string }[] } };
  };
}

const readValues = (): Values => parse(readProjectFile(`${CHART}/values.yaml`)) as Values;
const listTemplates = (): string[] => readdirSync(join(ROOT, CHART, 'templates'));
const render = (name: string, with_: Values, namespace = 'kube-system'): unknown =>
  renderTemplate(readProjectFile(`${CHART}/templates/${name}`), with_ as never, namespace);
const daemonSet = (with_: Values, namespace?: string): DaemonSet =>
  render('daemon-set.yaml', with_, namespace) as DaemonSet;
/** The settings of the agent. */
const renderSettings = (with_: Values): Record<string, string> =>
  (render('config-map.yaml', with_) as { data: Record<string, string> }).data;

describe('deployment: manifests', () => {
  it('are up to date', () => {
    for (const [file, text] of deployFiles()) assert.equal(readProjectFile(file), text, `${file}: run \`npm run gen\``);
  });

  it('are the same from the chart and from the kustomization', () => {
    const { resources } = parse(readProjectFile(`${AGENT}/kustomization.yaml`)) as { resources: string[] };
    const rendered = listTemplates().flatMap((name) => {
      const object = render(name, readValues());
      return object === null ? [] : [[name, object] as const];
    });
    assert.deepEqual([...resources].sort(), rendered.map(([name]) => name).sort());
    for (const [name, object] of rendered) assert.deepEqual(object, parse(readProjectFile(`${AGENT}/${name}`)), name);
  });

  it('are the same without privileges', () => {
    const changed = readValues();
    changed.tetragon['securityContext'] = { privileged: false };
    const { patches } = parse(readProjectFile('deploy/kubernetes/least-privilege/kustomization.yaml')) as {
      patches: { patch: string }[];
    };
    const [{ value }] = JSON.parse(patches[0]?.patch as string) as [{ value: object }];
    const [container] = daemonSet(changed).spec.template.spec.containers;
    assert.deepEqual(container.securityContext, value);
    assert.equal(container.securityContext.privileged, false);
    assert.deepEqual(container.securityContext.capabilities?.add.includes('SYS_ADMIN'), false);
  });

  it('follow the values of the chart', () => {
    const changed = readValues();
    changed.podAnnotations = { a: 'b' };
    Object.assign(changed.tetragon, {
      image: { override: null, repository: 'registry.invalid/p', tag: '1.2' },
      extraArgs: { 'log-level': 'debug', 'event-queue-bytes': 65536 },
      extraEnv: [{ name: 'A', value: '1' }],
    });
    const { metadata, spec } = daemonSet(changed, 'security');
    const [{ image, args, env }] = spec.template.spec.containers;
    assert.equal(metadata.namespace, 'security');
    assert.deepEqual(spec.template.metadata.annotations, {
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': '2112',
      'prometheus.io/path': '/metrics',
      a: 'b',
    });
    assert.equal(image, 'registry.invalid/p:1.2');
    assert.deepEqual(args, ['agent', '--log-level=debug', '--event-queue-bytes=65536']);
    assert.deepEqual(env.at(-1), { name: 'A', value: '1' });
    Object.assign(changed.tetragon, { image: { override: 'other:1', repository: 'x', tag: 'y' } });
    assert.equal(daemonSet(changed).spec.template.spec.containers[0].image, 'other:1');
  });

  it('give the agent settings that it has, with the values', () => {
    const names = Object.keys(SETTINGS).map(settingName);
    const changed = readValues();
    const filters = '{"health_check":true}\n{"namespace":["", "kube-system"]}';
    Object.assign(changed.tetragon, {
      clusterName: 'c1',
      enforcement: false,
      enableKeepSensorsOnExit: false,
      exportFilename: 'events.log',
      exportAllowList: filters,
      exportDenyList: filters,
      fieldFilters: '{"fields":"parent","action":"EXCLUDE"}',
      redactionFilters: '{"redact":["--password(?:\\\\s+|=)(\\\\S*)"]}',
    });
    for (const each of [readValues(), changed]) {
      const rendered = renderSettings(each);
      for (const [name, value] of Object.entries(rendered)) {
        assert.ok(names.includes(name), `the agent has no setting ${name}`);
        assert.equal(typeof value, 'string', name);
        assert.doesNotThrow(() => SETTINGS[findSettingKey(name) as SettingKey].parse(value), name);
      }
    }
    const rendered = renderSettings(changed);
    assert.equal(rendered['cluster-name'], 'c1');
    assert.equal(rendered['enforcement'], 'false');
    assert.equal(rendered['persist'], undefined);
    assert.equal(rendered['export-filename'], '/var/run/polytrace/events.log');
    assert.equal(rendered['export-denylist'], filters);
    const { volumes, containers } = daemonSet(changed).spec.template.spec;
    assert.ok(volumes.some(({ name }) => name === 'export'));
    assert.ok(containers[0].volumeMounts.some(({ mountPath }) => mountPath === '/var/run/polytrace'));
    assert.ok(!daemonSet(readValues()).spec.template.spec.volumes.some(({ name }) => name === 'export'));
  });

  it('have probes, metrics and a service for them', () => {
    const PROBES = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;
    const [container] = daemonSet(readValues()).spec.template.spec.containers;
    const loopback = { path: '/healthz', port: 2113, host: '127.0.0.1' };
    for (const name of PROBES) assert.deepEqual(container[name].httpGet, loopback, name);
    assert.equal(renderSettings(readValues())['health-server'], '127.0.0.1:2113');
    assert.equal(renderSettings(readValues())['metrics-server'], ':2112');
    const { spec } = render('service.yaml', readValues()) as { spec: { ports: object[] } };
    assert.deepEqual(spec.ports, [{ name: 'metrics', port: 2112, protocol: 'TCP', targetPort: 2112 }]);

    const changed = readValues();
    changed.tetragon['healthPort'] = 9101;
    const prometheus = changed.tetragon['prometheus'] as Record<string, unknown>;
    Object.assign(prometheus, { address: '10.0.0.1', port: 9100 });
    const [elsewhere] = daemonSet(changed).spec.template.spec.containers;
    for (const name of PROBES) assert.deepEqual(elsewhere[name].httpGet, { ...loopback, port: 9101 }, name);
    assert.equal(renderSettings(changed)['health-server'], '127.0.0.1:9101');
    assert.equal(renderSettings(changed)['metrics-server'], '10.0.0.1:9100');
    prometheus['serviceMonitor'] = { enabled: true, extraLabels: { team: 'a' }, scrapeInterval: '15s' };
    const monitor = render('service-monitor.yaml', changed) as { metadata: { labels: object }; spec: object };
    assert.equal((monitor.metadata.labels as { team?: string }).team, 'a');

    prometheus['enabled'] = false;
    const [without] = daemonSet(changed).spec.template.spec.containers;
    for (const name of PROBES) assert.deepEqual(without[name].httpGet, { ...loopback, port: 9101 }, name);
    assert.equal(renderSettings(changed)['metrics-server'], undefined);
    assert.equal(render('service.yaml', changed), null);
    changed.tetragon['livenessProbe'] = { tcpSocket: { port: 1 } };
    assert.deepEqual(daemonSet(changed).spec.template.spec.containers[0].livenessProbe, { tcpSocket: { port: 1 } });
  });
});
