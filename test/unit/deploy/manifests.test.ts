/** The manifests for Kubernetes: as they are generated, and the same from the kustomization and from the chart. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { deployFiles } from '../../../scripts/deploy-files.js';
import { renderTemplate } from './helm.js';

const ROOT = join(__dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const CHART = 'deploy/helm/polytrace';
const AGENT = 'deploy/kubernetes/agent';

interface Values {
  tetragon: Record<string, unknown>;
  podAnnotations: object;
}
interface Container {
  args: string[];
  image: string;
  env: object[];
  securityContext: { privileged: boolean; capabilities?: { add: string[] } };
}
interface DaemonSet {
  metadata: { namespace: string };
  spec: { template: { metadata: { annotations?: object }; spec: { containers: [Container] } } };
}

const values = (): Values => parse(read(`${CHART}/values.yaml`)) as Values;
const templates = (): string[] => readdirSync(join(ROOT, CHART, 'templates'));
const daemonSet = (with_: Values, namespace = 'kube-system'): DaemonSet =>
  renderTemplate(read(`${CHART}/templates/daemon-set.yaml`), with_ as never, namespace) as DaemonSet;

describe('deployment: manifests', () => {
  it('are as they are generated', () => {
    for (const [file, text] of deployFiles()) assert.equal(read(file), text, `${file}: run \`npm run gen\``);
  });

  it('of the chart and of the kustomization are equal', () => {
    const { resources } = parse(read(`${AGENT}/kustomization.yaml`)) as { resources: string[] };
    assert.deepEqual([...resources].sort(), templates().sort());
    for (const name of templates()) {
      const rendered = renderTemplate(read(`${CHART}/templates/${name}`), values() as never, 'kube-system');
      assert.deepEqual(rendered, parse(read(`${AGENT}/${name}`)), name);
    }
  });

  it('without privileges are equal, too', () => {
    const changed = values();
    changed.tetragon['securityContext'] = { privileged: false };
    const { patches } = parse(read('deploy/kubernetes/least-privilege/kustomization.yaml')) as {
      patches: { patch: string }[];
    };
    const [{ value }] = JSON.parse(patches[0]?.patch as string) as [{ value: object }];
    const [container] = daemonSet(changed).spec.template.spec.containers;
    assert.deepEqual(container.securityContext, value);
    assert.equal(container.securityContext.privileged, false);
    assert.deepEqual(container.securityContext.capabilities?.add.includes('SYS_ADMIN'), false);
  });

  it('of the chart follow the values', () => {
    const changed = values();
    changed.podAnnotations = { a: 'b' };
    Object.assign(changed.tetragon, {
      image: { repository: 'registry.invalid/p', tag: '1.2' },
      clusterName: 'c1',
      enforcement: false,
      persist: false,
      extraArgs: ['--log-level=debug'],
      extraEnv: [{ name: 'A', value: '1' }],
    });
    const { metadata, spec } = daemonSet(changed, 'security');
    const [{ image, args, env }] = spec.template.spec.containers;
    assert.equal(metadata.namespace, 'security');
    assert.deepEqual(spec.template.metadata.annotations, { a: 'b' });
    assert.equal(image, 'registry.invalid/p:1.2');
    assert.deepEqual(args.slice(-3), ['--cluster-name=c1', '--log-format=json', '--log-level=debug']);
    assert.deepEqual(env.at(-1), { name: 'A', value: '1' });
  });
});
