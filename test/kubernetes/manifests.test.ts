/** The manifests, in a real API server: each is accepted, and kubectl builds what it applies. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { renderChart } from './chart.js';
import { Cluster } from './cluster.js';
import { needsGo } from './go.js';
import { needsCluster, ROOT } from './support.js';

const DEPLOY = join(ROOT, 'deploy');

describe('manifests for Kubernetes', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  before(needsCluster);
  before(async () => {
    cluster = await Cluster.start({ withNode: false });
  });
  after(() => cluster?.stop());

  const dryRun = (...args: string[]): Promise<string> => cluster.kubectl('apply', '--dry-run=server', ...args);

  it('resources of policies and pods', async () => {
    const text = await dryRun('-f', join(DEPLOY, 'kubernetes/crds'));
    assert.equal(text.match(/created \(server dry run\)/g)?.length, 3);
  });

  for (const name of ['agent', 'least-privilege']) {
    it(`kustomization ${name}`, async () => {
      const text = await dryRun('-k', join(DEPLOY, 'kubernetes', name));
      for (const object of [
        'serviceaccount/polytrace',
        'clusterrole.*/polytrace',
        'configmap/polytrace-config',
        'daemonset.apps/polytrace',
        'service/polytrace',
      ]) {
        assert.match(text, new RegExp(`${object} created`));
      }
    });
  }

  it('templates of the chart', async function () {
    needsGo.call(this);
    const folder = join(cluster.folder, 'rendered');
    mkdirSync(folder);
    const more = { networkPolicy: { enabled: true }, tetragon: { prometheus: { dashboard: { enabled: true } } } };
    for (const [name, object] of await renderChart(more, 'default'))
      writeFileSync(join(folder, name), stringify(object));
    const text = await dryRun('-f', folder);
    assert.equal(text.match(/created \(server dry run\)/g)?.length, 8);
  });
});
