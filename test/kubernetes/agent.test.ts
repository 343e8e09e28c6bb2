/** The agent in a real cluster, with the rights of its manifests: policies, pods, labels, and an API server that goes away. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { processFields, type EventReader, type Reply } from '../../agent/test/native/support.js';
import { NIGHTLY } from '../nightly.js';
import { binaryPath, ClusterAgent, podName, policyName, eventTime } from './agent.js';
import { Cluster, eventually } from './cluster.js';
import { needsCluster, needsTracefs, ROOT } from './support.js';

const DEPLOY = join(ROOT, 'deploy/kubernetes');
/** Time without an API server. */
const AWAY_MS = NIGHTLY ? 60_000 : 15_000;

interface Status {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly message: string }[];
    readonly nodes?: readonly Record<string, unknown>[];
  };
}

/** A policy for opens of a file, on any kernel. */
function openatPolicy(name: string, path: string, more: object = {}, kind = 'TracingPolicy'): object {
  const hook = {
    subsystem: 'syscalls',
    event: 'sys_enter_openat',
    args: [{ index: 6, type: 'string' }],
    selectors: [{ matchArgs: [{ index: 6, operator: 'Equal', values: [path] }] }],
  };
  return { apiVersion: 'cilium.io/v1alpha1', kind, metadata: { name }, spec: { ...more, tracepoints: [hook] } };
}

/** Reads a file about 200 times a second, until another one is gone. The pipe is a clock without a process. */
const READER = `exec 3<> <(:); echo >/tmp/go; touch /tmp/go
while [ -e /tmp/go ]; do read -r _ </etc/group; read -rt 0.005 _ <&3; done; true`;

/** Resolves when no such event has come for a time. */
async function waitForSilence(events: EventReader, fits: (message: Reply) => boolean, quietMs: number): Promise<void> {
  for (let before = -1; ;) {
    const count = events.seen.filter(fits).length;
    if (count === before) return;
    before = count;
    await wait(quietMs);
  }
}

describe('the agent in a cluster', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let agent: ClusterAgent;
  let kubeconfig: string;
  before(needsCluster);
  before(needsTracefs);
  before(async () => {
    cluster = await Cluster.start();
    cluster.addTools();
    await cluster.applyCrds(join(DEPLOY, 'crds'));
    await cluster.kubectl('apply', '-k', join(DEPLOY, 'agent'));
    kubeconfig = await cluster.serviceAccountConfig('kube-system', 'polytrace');
    agent = await ClusterAgent.start(cluster, { kubeconfig });
  });
  after(async () => {
    await agent?.stop('SIGKILL');
    await cluster?.stop();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(`${agent?.log.join('\n')}\n${cluster?.logs()}`);
  });

  const waitForCondition = (condition: string, name: string, kind = 'tgtp'): Promise<string> =>
    cluster.kubectl('wait', `--for=condition=${condition}`, '--timeout=30s', `${kind}/${name}`);
  const getStatus = async (name: string): Promise<NonNullable<Status['status']>> =>
    (await cluster.getJson<Status>('tgtp', name)).status ?? {};
  const execInPod = (pod: string, script: string): Promise<string> =>
    cluster.kubectl('exec', pod, '--', 'bash', '-c', script);

  it('loads a policy that is applied, and says so in its status', async () => {
    await cluster.apply(openatPolicy('shadow', '/etc/shadow'));
    await waitForCondition('Loaded', 'shadow');
    const { nodes = [], conditions = [] } = await getStatus('shadow');
    assert.deepEqual(nodes, [
      { name: 'worker-1', state: 'enabled', generation: 1, loadedGeneration: 1, mode: 'monitor_only', hooks: 1 },
    ]);
    assert.deepEqual(
      conditions.map(({ type }) => type),
      ['Loaded'],
    );
  });

  it("names the pod in each event of its container, from the container's first process on", async () => {
    const events = await agent.events();
    await cluster.runPod({ name: 'xwing', labels: { class: 'xwing' } });
    const first = await events.waitFor(
      (message) => binaryPath(message) === '/usr/bin/sleep' && podName(message) === 'default/xwing',
    );
    assert.equal(first['event'], 'process_exec');
    await execInPod('xwing', 'cat /etc/shadow');
    const read = await events.waitFor(
      (message) => policyName(message) === 'shadow' && binaryPath(message) === '/usr/bin/cat',
    );
    assert.equal(podName(read), 'default/xwing');
    const ofPod = events.seen.filter((message) => ['/usr/bin/cat', '/usr/bin/bash'].includes(binaryPath(message)));
    assert.ok(ofPod.length >= 3);
    events.cancel();
  });

  it('knows which processes may be probes of kubelet', async () => {
    const probes = await agent.events({ allow_list: [{ health_check: { value: true } }] });
    const others = await agent.events({ allow_list: [{ binary_regex: ['/cat$'], health_check: { value: false } }] });
    await cluster.runPod({ name: 'probed', probe: ['cat', '/etc/hostname'] });
    const probe = await probes.waitFor((message) => message['event'] === 'process_exec');
    assert.deepEqual([podName(probe), binaryPath(probe)], ['default/probed', '/usr/bin/cat']);
    await execInPod('probed', 'cat /etc/hosts');
    const words = (message: Reply): unknown => processFields(message)['arguments'];
    await others.waitFor((message) => podName(message) === 'default/probed' && words(message) === '/etc/hosts');
    assert.ok(probes.seen.every((message) => words(message) === '/etc/hostname'));
    probes.cancel();
    others.cancel();
    await cluster.kubectl('delete', 'pod', 'probed', '--wait=false');
  });

  it('limits a policy to the pods of its namespace', async () => {
    await cluster.kubectl('create', 'namespace', 'team-a');
    await cluster.kubectl('create', 'serviceaccount', '-n', 'team-a', 'default');
    await cluster.apply(openatPolicy('own', '/etc/passwd', {}, 'TracingPolicyNamespaced'), '-n', 'team-a');
    await cluster.kubectl('wait', '--for=condition=Loaded', '--timeout=30s', '-n', 'team-a', 'tgtpn/own');
    await cluster.runPod({ name: 'falcon', namespace: 'team-a' });
    const events = await agent.events();
    await execInPod('xwing', 'cat /etc/passwd');
    await cluster.kubectl('exec', '-n', 'team-a', 'falcon', '--', 'cat', '/etc/passwd');
    // runc opens the file as well, in the container's cgroup, as a process that began outside of it
    const isRead = (message: Reply): boolean => policyName(message) === 'own' && binaryPath(message) === '/usr/bin/cat';
    assert.equal(podName(await events.waitFor(isRead)), 'team-a/falcon');
    // the other pod's event would have come before it
    assert.equal(events.seen.filter(isRead).length, 1);
    events.cancel();
    await cluster.kubectl('delete', '-n', 'team-a', 'tgtpn/own');
  });

  /** Runs `change` while the pod reads a file without an end. Resolves with the events of the policy, until it reports nothing more. */
  async function collectWhileReading(
    policy: string,
    change: (isSeen: () => Promise<Reply>) => Promise<void>,
  ): Promise<Reply[]> {
    const events = await agent.events();
    const isRead = (message: Reply): boolean => policyName(message) === policy;
    const reader = execInPod('xwing', READER);
    await events.waitFor((message) => binaryPath(message) === '/usr/bin/touch');
    await change(() => events.waitFor(isRead));
    await waitForSilence(events, isRead, 1000);
    await execInPod('xwing', 'rm /tmp/go');
    await reader;
    events.cancel();
    return events.seen.filter(isRead);
  }

  const XWING = '/api/v1/namespaces/default/pods/xwing';

  it('moves a pod into a policy and out of it when its labels change, within a second', async () => {
    await cluster.apply(openatPolicy('watched', '/etc/group', { podSelector: { matchLabels: { watched: 'yes' } } }));
    await waitForCondition('Loaded', 'watched');
    let [into, out] = [0, 0];
    const reads = await collectWhileReading('watched', async (isSeen) => {
      into = await cluster.label(XWING, { watched: 'yes' });
      await isSeen();
      out = await cluster.label(XWING, { watched: null });
    });
    const [first, last] = [reads[0], reads.at(-1)].map((each) => eventTime(each as Reply)) as [number, number];
    console.log(
      `      into the policy after ${(first - into).toFixed(0)} ms, out of it after ${(last - out).toFixed(0)} ms`,
    );
    assert.ok(first - into < 1000, `${first - into} ms`);
    assert.ok(last - out < 1000, `${last - out} ms`);
    await cluster.kubectl('delete', 'tgtp', 'watched');
  });

  it('sees that a pod has lost the last label, which it was made with', async () => {
    await cluster.apply(openatPolicy('classed', '/etc/group', { podSelector: { matchLabels: { class: 'xwing' } } }));
    await waitForCondition('Loaded', 'classed');
    let out = 0;
    const reads = await collectWhileReading('classed', async (isSeen) => {
      await isSeen();
      out = await cluster.label(XWING, { class: null });
    });
    const late = eventTime(reads.at(-1) as Reply) - out;
    console.log(`      out of the policy after ${late.toFixed(0)} ms`);
    assert.ok(late < 1000, `${late} ms`);
    await cluster.label(XWING, { class: 'xwing' });
    await cluster.kubectl('delete', 'tgtp', 'classed');
  });

  it('follows the labels of its node', async () => {
    await cluster.apply(openatPolicy('zoned', '/etc/group', { nodeSelector: { matchLabels: { zone: 'a' } } }));
    const node = '/api/v1/nodes/worker-1';
    const states = async (): Promise<unknown[]> => ((await getStatus('zoned')).nodes ?? []).map(({ state }) => state);
    let [into, out] = [0, 0];
    const reads = await collectWhileReading('zoned', async (isSeen) => {
      assert.deepEqual(await states(), []);
      into = await cluster.label(node, { zone: 'a' });
      await isSeen();
      await waitForCondition('Loaded', 'zoned');
      assert.deepEqual(await states(), ['enabled']);
      out = await cluster.label(node, { zone: null });
    });
    const [first, last] = [reads[0], reads.at(-1)].map((each) => eventTime(each as Reply)) as [number, number];
    console.log(`      on the node after ${(first - into).toFixed(0)} ms, off it after ${(last - out).toFixed(0)} ms`);
    assert.ok(first - into < 1000, `${first - into} ms`);
    assert.ok(last - out < 1000, `${last - out} ms`);
    await eventually('its entry is gone', async () => assert.deepEqual(await states(), []));
    await cluster.kubectl('delete', 'tgtp', 'zoned');
  });

  it('reports a broken policy in its status and as an event; others go on, and the earlier version too', async () => {
    await cluster.apply(openatPolicy('other', '/etc/passwd'));
    await waitForCondition('Loaded', 'other');
    const broken = openatPolicy('other', '/etc/passwd') as { spec: { tracepoints: [Record<string, unknown>] } };
    // the filter has no argument then, which only the agent finds
    broken.spec.tracepoints[0]['args'] = [{ index: 5, type: 'uint64' }];
    await cluster.apply(broken);
    await waitForCondition('Failed', 'other');
    const { nodes = [], conditions = [] } = await getStatus('other');
    const [node] = nodes;
    assert.equal(node?.['state'], 'failed');
    assert.equal(node?.['generation'], 2);
    assert.equal(node?.['loadedGeneration'], 1);
    assert.match(
      String(node?.['error']),
      /^spec\.tracepoints\[0\]\.selectors\[0\]\.matchArgs\[0\]\.index: INDEX_WITHOUT_ARG: /,
    );
    assert.deepEqual(
      conditions.map(({ type }) => type),
      ['Failed'],
    );
    await assert.rejects(cluster.kubectl('wait', '--for=condition=Loaded', '--timeout=2s', 'tgtp/other'));
    const seen = await eventually('an event', async () => {
      const text = await cluster.kubectl(
        'get',
        'events',
        '-o',
        'jsonpath={range .items[*]}{.reason} {.message}{"\\n"}{end}',
      );
      assert.match(text, /PolicyNotLoaded/);
      return text;
    });
    assert.match(seen, /PolicyNotLoaded spec\.tracepoints\[0\]\.selectors/);
    const events = await agent.events();
    await execInPod('xwing', 'cat /etc/shadow /etc/passwd');
    for (const policy of ['shadow', 'other']) await events.waitFor((message) => policyName(message) === policy);
    events.cancel();

    await cluster.apply(openatPolicy('other', '/etc/passwd'));
    const mended = await eventually('the policy is mended', async () => {
      const status = await getStatus('other');
      assert.deepEqual(
        status.conditions?.map(({ type }) => type),
        ['Loaded'],
      );
      return status;
    });
    assert.deepEqual(
      mended.nodes?.map(({ state, error }) => [state, error]),
      [['enabled', undefined]],
    );
  });

  it('goes on while the API server is away, and catches up', async () => {
    await cluster.apply(openatPolicy('early', '/etc/group'));
    await waitForCondition('Loaded', 'early');
    const path = '/apis/cilium.io/v1alpha1/tracingpolicies';
    const { metadata } = await cluster.request<{ metadata: { resourceVersion: string } }>('GET', path);
    await cluster.stopApi();
    const since = Date.now();
    await agent.waitForLog('the API server is away');
    const events = await agent.events();
    /** No kubectl now: a process in the container's cgroup. */
    const readsShadow = async (): Promise<void> => {
      const count = events.seen.length;
      cluster.containerd.execInPod('xwing', ['/usr/bin/cat', '/etc/shadow']);
      const isNew = (message: Reply): boolean =>
        policyName(message) === 'shadow' && events.seen.indexOf(message) >= count;
      assert.equal(podName(await events.waitFor(isNew)), 'default/xwing');
    };
    await readsShadow();
    await wait(AWAY_MS);
    await readsShadow();
    events.cancel();
    const away = Date.now() - since;
    await cluster.startApi();
    const back = Date.now();
    // the server has forgotten what the agent knows: everything has to be listed again
    const query = `?watch=1&timeoutSeconds=5&resourceVersion=${metadata.resourceVersion}`;
    const answer = await cluster.request<{ type: string; object: { code: number } }>('GET', path + query);
    assert.deepEqual([answer.type, answer.object.code], ['ERROR', 410]);
    await cluster.apply(openatPolicy('late', '/etc/hosts'));
    await cluster.kubectl('delete', 'tgtp', 'early');
    await eventually(
      'the new policy runs, and the deleted one is gone',
      async () => {
        const { policies = [] } = (await agent.facts.call('ListTracingPolicies')) as { policies?: { name: string }[] };
        assert.deepEqual(policies.map(({ name }) => name).sort(), ['late', 'other', 'shadow']);
      },
      60_000,
    );
    console.log(
      `      away for ${(away / 1000).toFixed(0)} s, caught up ${((Date.now() - back) / 1000).toFixed(1)} s after its return`,
    );
    await waitForCondition('Loaded', 'late');
  });

  it('takes less memory than its limit', () => {
    const { RssAnon = 0, VmRSS } = agent.memory();
    console.log(
      `      anonymous memory ${(RssAnon / 1024).toFixed(0)} MiB, all ${(Number(VmRSS) / 1024).toFixed(0)} MiB`,
    );
    assert.ok(RssAnon < 220 * 1024, `${RssAnon} KiB`);
  });

  it('is replaced by another one, which finds its policies and its status', async () => {
    await agent.stop();
    agent = await ClusterAgent.start(cluster, { kubeconfig });
    const { policies = [] } = (await agent.facts.call('ListTracingPolicies')) as { policies?: { name: string }[] };
    assert.deepEqual(policies.map(({ name }) => name).sort(), ['late', 'other', 'shadow']);
    const events = await agent.events();
    await execInPod('xwing', 'cat /etc/shadow');
    const read = await events.waitFor(
      (message) => policyName(message) === 'shadow' && binaryPath(message) === '/usr/bin/cat',
    );
    assert.equal(podName(read), 'default/xwing');
    events.cancel();
  });

  it('leaves its policies to the next agent, but not when its DaemonSet is deleted', async () => {
    await agent.stop();
    const bpf = join(cluster.folder, 'bpf');
    mkdirSync(bpf);
    execFileSync('mount', ['-t', 'bpf', 'bpf', bpf]);
    const kept = join(bpf, 'kept');
    const args = [`--persist=${kept}`, '--keep-sensors-on-exit', '--keep-sensors-owner=kube-system/polytrace'];
    agent = await ClusterAgent.start(cluster, { kubeconfig, args });
    await agent.stop();
    assert.notDeepEqual(readdirSync(kept), []);

    // a broken version that is applied before an upgrade: the version that ran before goes on
    const broken = openatPolicy('shadow', '/etc/shadow') as { spec: { tracepoints: [Record<string, unknown>] } };
    broken.spec.tracepoints[0]['args'] = [{ index: 5, type: 'uint64' }];
    await cluster.apply(broken);
    agent = await ClusterAgent.start(cluster, { kubeconfig, args });
    await agent.waitForLog('"policies":["shadow"]');
    const events = await agent.events();
    await execInPod('xwing', 'cat /etc/shadow');
    await events.waitFor((message) => policyName(message) === 'shadow' && binaryPath(message) === '/usr/bin/cat');
    events.cancel();
    await cluster.apply(openatPolicy('shadow', '/etc/shadow'));
    await eventually('one agent has all policies', () => assert.equal(readdirSync(kept).length, 1));

    await cluster.kubectl('delete', '-k', join(DEPLOY, 'agent'));
    await agent.stop();
    assert.ok(agent.log.some((line) => line.includes('the DaemonSet of the agent is deleted: its policies end')));
    assert.deepEqual(existsSync(kept) ? readdirSync(kept) : [], []);
  });
});
