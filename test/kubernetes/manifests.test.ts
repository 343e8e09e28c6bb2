/** The manifests, in a real API server: each is accepted, and kubectl builds what it applies. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { renderTemplate } from '../unit/deploy/helm.js';
import { Cluster } from './cluster.js';
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

  it('resources of policies', async () => {
    const text = await dryRun('-f', join(DEPLOY, 'kubernetes/crds'));
    assert.equal(text.match(/created \(server dry run\)/g)?.length, 2);
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

  it('templates of the chart', async () => {
    const chart = join(DEPLOY, 'helm/polytrace');
    const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Record<string, unknown>;
    const folder = join(cluster.folder, 'rendered');
    mkdirSync(folder);
    for (const name of readdirSync(join(chart, 'templates'))) {
      const object = renderTemplate(readFileSync(join(chart, 'templates', name), 'utf8'), values, 'default');
      // a template can be empty with the default values
      if (object !== null) writeFileSync(join(folder, name), stringify(object));
    }
    const text = await dryRun('-f', folder);
    assert.equal(text.match(/created \(server dry run\)/g)?.length, 6);
  });
});
