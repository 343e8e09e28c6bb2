/** The CustomResourceDefinitions, in a real API server: what it accepts, keeps and refuses, and what kubectl shows. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parse } from 'yaml';
import { plainEnvironment } from '../../agent/test/native/support.js';
import { readCorpus } from '../unit/policy/corpus.js';
import { Cluster, eventually } from './cluster.js';
import { needsCluster, ROOT } from './support.js';
import { NIGHTLY } from '../nightly.js';
import { WRONG_SCHEMA } from './wrong-policies.js';

const CRDS = join(ROOT, 'deploy/kubernetes/crds');

interface Policy {
  metadata: { name: string };
  spec: Record<string, unknown>;
}

describe('CustomResourceDefinitions', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  before(needsCluster);
  before(async () => {
    cluster = await Cluster.start({ withNode: false });
    await cluster.applyCrds(CRDS);
  });
  after(() => cluster?.stop());

  const makePolicy = (name: string, spec: unknown, kind = 'TracingPolicy'): object => ({
    apiVersion: 'cilium.io/v1alpha1',
    kind,
    metadata: { name },
    spec,
  });

  /** What kubectl says about a manifest that the API server does not accept. */
  async function findError(manifest: object): Promise<string> {
    try {
      await cluster.apply(manifest);
    } catch (error) {
      return (error as { stderr: string }).stderr;
    }
    throw new Error('the API server accepted it');
  }

  it('have no schema that the API server complains about', async () => {
    const { items } = await cluster.getJson<{
      items: { status: { conditions: { type: string; status: string; message: string }[] } }[];
    }>('crd');
    assert.equal(items.length, 3);
    for (const { status } of items) {
      const states = Object.fromEntries(status.conditions.map(({ type, status: state }) => [type, state]));
      assert.equal(states['NamesAccepted'], 'True');
      assert.equal(states['Established'], 'True');
      assert.equal(states['NonStructuralSchema'], undefined);
    }
  });

  it('accept every policy that polytrace accepts, and give it back unchanged', async function () {
    // kubectl makes five requests a second to a server of this version
    const chosen = readCorpus().filter((_, i) => NIGHTLY || i % 4 === 0);
    const policies = chosen.map(({ text }) => parse(text) as Policy);
    if (policies.length === 0) this.skip();
    assert.ok(policies.length >= 12, String(policies.length));
    for (const [i, each] of policies.entries()) each.metadata = { name: `corpus-${i}` };
    await cluster.apply({ apiVersion: 'v1', kind: 'List', items: policies });
    const kinds = 'tracingpolicies,tracingpoliciesnamespaced';
    const { items } = await cluster.getJson<{ items: Policy[] }>(kinds, '-n', 'default');
    const back = new Map(items.map(({ metadata, spec }) => [metadata.name, spec]));
    for (const { metadata, spec } of policies) assert.deepEqual(back.get(metadata.name), spec, metadata.name);
    await cluster.kubectl('delete', kinds, '--all');
  });

  it('accept fields without a value', async () => {
    const spec = { tracepoints: [{ subsystem: 'a', event: 'b', selectors: null, args: [{ index: 0, type: null }] }] };
    await cluster.apply(makePolicy('nothing', spec));
  });

  for (const { title, spec, says } of WRONG_SCHEMA) {
    it(`refuse ${title}`, async () => {
      // the API server publishes a schema for clients some time after it has accepted it
      await eventually('the schema is published', async () => {
        const error = await findError(makePolicy('refused', spec));
        assert.match(error, says);
        console.log(error.trimEnd().replaceAll(/^/gm, '      '));
      });
    });
  }

  it('explain their fields', async () => {
    const text = await cluster.kubectl('explain', 'tracingpolicy.spec.kprobes.selectors.matchArgs.operator');
    assert.match(text, /How the value is compared/);
  });

  it('take numbers as values of filters', async () => {
    await cluster.apply(
      makePolicy('bare', { kprobes: [withFilter({ index: 0, operator: 'Equal', values: [1, '2'] })] }),
    );
  });

  it('have short names and columns, and a status with an entry for each node', async () => {
    await cluster.apply(makePolicy('shown', { kprobes: [{ call: 'f' }] }));
    await applyStatus(cluster, 'shown', 'node-a', {
      conditions: [LOADED],
      nodes: [{ name: 'node-a', state: 'enabled', hooks: 1 }],
    });
    const failed = { type: 'Failed', status: 'True', message: 'spec.kprobes[0].call: no such function' };
    await applyStatus(cluster, 'shown', 'node-b', {
      conditions: [LOADED, failed],
      nodes: [{ name: 'node-b', state: 'failed', error: failed.message }],
    });
    const { status } = await cluster.getJson<{ status: { nodes: { name: string }[] } }>('tgtp', 'shown');
    assert.deepEqual(
      status.nodes.map(({ name }) => name),
      ['node-a', 'node-b'],
    );
    const [head, line] = (await cluster.kubectl('get', 'tgtp', 'shown', '-o', 'wide')).split('\n');
    assert.match(head ?? '', /^NAME +LOADED +FAILED +AGE +ERROR/);
    assert.match(line ?? '', /^shown +True +True +\S+ +spec\.kprobes\[0\]\.call: no such function/);
    // what a node owned goes with it; what both own stays
    await applyStatus(cluster, 'shown', 'node-b', {});
    const after = await cluster.getJson<{ status: { nodes: object[]; conditions: { type: string }[] } }>(
      'tgtp',
      'shown',
    );
    assert.equal(after.status.nodes.length, 1);
    assert.deepEqual(
      after.status.conditions.map(({ type }) => type),
      ['Loaded'],
    );
    await applyStatus(cluster, 'shown', 'node-a', {});
    const nothing = await cluster.getJson<{ status?: { nodes?: object[] | null } }>('tgtp', 'shown');
    assert.deepEqual(nothing.status?.nodes ?? [], []);
  });

  it('refuse a status with more nodes than the limit', async () => {
    await cluster.apply(makePolicy('full', { kprobes: [{ call: 'f' }] }));
    const nodes = (count: number): object[] =>
      Array.from({ length: count }, (_, i) => ({ name: `n${i}`, state: 'enabled' }));
    await applyStatus(cluster, 'full', 'all', { nodes: nodes(100) });
    await assert.rejects(
      applyStatus(cluster, 'full', 'more', { nodes: [{ name: 'other', state: 'enabled' }] }),
      /at most 100 items/,
    );
  });

  it('are installed by the command, which leaves those of another program as they are', async () => {
    const install = (): string =>
      execFileSync(
        process.execPath,
        [join(ROOT, 'dist/cli/main.js'), 'agent', 'install-crds', `--k8s-kubeconfig-path=${cluster.kubeconfig}`],
        { encoding: 'utf8', env: plainEnvironment() },
      );
    assert.match(install(), /^tracingpolicies\.cilium\.io: updated$/m);
    const name = 'tracingpolicies.cilium.io';
    await cluster.kubectl('label', 'crd', name, 'app.kubernetes.io/part-of-');
    const before = await cluster.kubectl('get', 'crd', name, '-o', 'yaml');
    assert.match(
      install(),
      /^tracingpolicies\.cilium\.io: kept.*\ntracingpoliciesnamespaced\.cilium\.io: updated\npodinfo\.cilium\.io: updated$/m,
    );
    assert.equal(await cluster.kubectl('get', 'crd', name, '-o', 'yaml'), before);
  });

  it('have a namespaced kind', async () => {
    await cluster.apply(makePolicy('own', { kprobes: [{ call: 'f' }] }, 'TracingPolicyNamespaced'));
    assert.match(await cluster.kubectl('get', 'tgtpn', '-n', 'default'), /^own /m);
  });
});

const LOADED = { type: 'Loaded', status: 'True' };

function withFilter(filter: object): object {
  return { call: 'f', selectors: [{ matchArgs: [filter] }] };
}

async function applyStatus(cluster: Cluster, name: string, manager: string, status: object): Promise<void> {
  const object = { apiVersion: 'cilium.io/v1alpha1', kind: 'TracingPolicy', metadata: { name }, status };
  await cluster.apply(
    object,
    '--validate=false',
    '--server-side',
    '--subresource=status',
    `--field-manager=${manager}`,
    '--force-conflicts',
  );
}
