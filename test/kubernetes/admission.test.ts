/** The admission webhook of an agent in a real API server: what kubectl says about a policy that the schema accepts. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificates, type Certificates } from '../../agent/test/unit/grpc/server.js';
import { ClusterAgent } from './agent.js';
import { renderChart } from './chart.js';
import { Cluster, eventually, NODE } from './cluster.js';
import { needsGo } from './go.js';
import { readProjectFile } from '../project.js';
import { needsCluster, needsTracefs, ROOT } from './support.js';

const DEPLOY = join(ROOT, 'deploy/kubernetes');

interface Webhooks {
  webhooks: { clientConfig: object }[];
}

const filter = (more: object): object => ({
  kprobes: [
    {
      call: 'security_file_permission',
      syscall: false,
      args: [
        { index: 0, type: 'file' },
        { index: 1, type: 'int' },
      ],
      selectors: [{ matchArgs: [{ index: 1, operator: 'Equal', values: ['4'], ...more }] }],
    },
  ],
});

/** The schema and its rules accept these. */
const WRONG: readonly { readonly title: string; readonly spec: unknown; readonly says: RegExp }[] = [
  { title: 'an argument that is not read', spec: filter({ index: 3 }), says: /matchArgs\[0\]\.index: INDEX_WITHOUT_ARG: .*index 3/ },
  { title: 'a text for a number', spec: filter({ values: ['read'] }), says: /values\[0\]: \w+: .*read/ },
  { title: 'a list that is not defined', spec: { kprobes: [{ call: 'list:none', syscall: false }] }, says: /call: \w+: .*none/ },
  { title: 'an unsafe number', spec: { kprobes: [{ call: 'f', syscall: false, args: [{ index: 0, type: 'int', maxData: false, label: 'x', returnCopy: false, sizeArgIndex: 9 }] }] }, says: /sizeArgIndex: \w+/ },
]; // prettier-ignore

describe('the admission webhook', function () {
  // the first rendering of the chart builds a program
  this.timeout(240_000);
  let cluster: Cluster;
  let agent: ClusterAgent;
  let certificates: Certificates;
  let webhooks: Webhooks;
  before(needsCluster);
  before(needsTracefs);
  before(needsGo);
  before(async () => {
    webhooks = (await renderChart({ tetragon: { admission: { enabled: true } } })).get(
      'validating-webhook.yaml',
    ) as Webhooks;
    cluster = await Cluster.start({ withNode: false });
    await cluster.applyCrds(join(DEPLOY, 'crds'));
    await cluster.kubectl('apply', '-k', join(DEPLOY, 'agent'));
    await cluster.request('POST', '/api/v1/nodes', { metadata: { name: NODE } });
    const kubeconfig = await cluster.serviceAccountConfig('kube-system', 'polytrace');
    const folder = join(cluster.folder, 'admission');
    mkdirSync(folder);
    certificates = createCertificates(folder, 'admission');
    const { cert, key } = certificates;
    const args = ['--admission-server=127.0.0.1:0', `--admission-tls-cert=${cert}`, `--admission-tls-key=${key}`];
    agent = await ClusterAgent.start(cluster, { kubeconfig, args });
    const url = /"(https:[^"]+)"/.exec(agent.log.join('\n'))?.[1];
    assert.ok(url !== undefined, agent.log.join('\n'));
    // the chart names a service, which nobody provides here
    const caBundle = readFileSync(certificates.ca).toString('base64');
    for (const webhook of webhooks.webhooks) webhook.clientConfig = { url: `${url}/validate`, caBundle };
    await cluster.apply(webhooks);
    // the API server reads its webhooks a little later
    await eventually('the webhook is asked', async () => {
      assert.match(await findError('probe', WRONG[0]?.spec), /denied the request/);
    });
  });
  after(async () => {
    await agent?.stop('SIGKILL');
    await cluster?.stop();
  });

  const makePolicy = (name: string, spec: unknown): object => ({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name },
    spec,
  });

  /** Returns the error of kubectl for a policy that the API server refuses. An accepted policy is removed, and the result is empty. */
  async function findError(name: string, spec: unknown): Promise<string> {
    try {
      await cluster.apply(makePolicy(name, spec));
    } catch (error) {
      return (error as { stderr: string }).stderr;
    }
    await cluster.kubectl('delete', 'tracingpolicy', name);
    return '';
  }

  for (const { title, spec, says } of WRONG) {
    it(`refuses ${title}, and names the field, the code and the remedy`, async () => {
      const error = await findError('wrong', spec);
      assert.match(error, /admission webhook "policies\.polytrace\.cilium\.io" denied the request: spec\./);
      assert.match(error, says);
    });
  }

  it('says what the page shows', async () => {
    const shown = /\$ kubectl apply -f policy\.yaml\n([^`]+)\n```/.exec(readProjectFile('docs/kubernetes.md'))?.[1];
    const selectors = [{ matchArgs: [{ index: 3, operator: 'Equal', values: ['4'] }] }];
    const spec = { kprobes: [{ call: 'f', syscall: false, args: [{ index: 0, type: 'file' }], selectors }] };
    const toWords = (text: string): string => text.replace(/\s+/g, ' ').trim();
    const said = (await findError('page', spec)).replace(/"[^"]*manifest-[^"]*"/, '"policy.yaml"');
    assert.equal(toWords(said), toWords(shown ?? ''));
  });

  it('accepts a policy without mistakes, and refuses a change that makes one', async () => {
    await cluster.apply(makePolicy('right', filter({})));
    await assert.rejects(cluster.apply(makePolicy('right', filter({ index: 3 }))), /denied the request/);
    const { spec } = await cluster.getJson<{ spec: object }>('tracingpolicy', 'right');
    assert.deepEqual(spec, filter({}));
  });

  it('does not prevent a policy while no agent answers', async () => {
    assert.equal(await agent.stop(), 0);
    await cluster.apply(makePolicy('unchecked', WRONG[0]?.spec));
    await cluster.kubectl('delete', 'tracingpolicy', 'unchecked', 'right');
  });
});
