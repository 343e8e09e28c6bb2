/**
 * The manifests with the container image of this checkout: the events of a pod by its name, metrics, and a rollout under load.
 * documented.test.ts runs the commands of the pages.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunningCommand } from '../image/running-command.js';
import { NIGHTLY } from '../nightly.js';
import { Cluster, eventually } from './cluster.js';
import { DEPLOY, Deployment, openatPolicy } from './deployment.js';
import { needsCluster, needsTracefs } from './support.js';

const VARIANTS = NIGHTLY ? ['agent', 'least-privilege'] : ['agent'];

/** Reports each open of /etc/shadow. */
const POLICY = openatPolicy('file-monitoring', 'Equal', '/etc/shadow');

/** Each number is one call. */
const NUMBERS = openatPolicy('numbers', 'Prefix', '/tmp/number-');

/** Makes about a thousand calls a second, until the file is gone. The pipe is a clock without a process. */
const PRODUCER = `exec 3<> <(:); echo >/tmp/go; n=0; echo begun
while [ -e /tmp/go ]; do read -r _ </tmp/number-$n; n=$((n + 1)); read -rt 0.001 _ <&3; done 2>/dev/null
echo "produced $n"`;

/** Events of the policy `numbers` that a record counts as lost, or that the export has dropped. */
function countLost(line: string): number {
  const { lost } = JSON.parse(line) as { lost: { policy_name?: string; reason: string; count: number } };
  return lost.policy_name === 'numbers' || lost.reason === 'export' ? lost.count : 0;
}

describe('the manifests in a cluster, with the container image', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let deployment: Deployment;
  before(needsCluster);
  before(needsTracefs);
  before(async () => {
    cluster = await Cluster.start();
    deployment = await Deployment.prepare(cluster);
    await cluster.applyCrds(join(DEPLOY, 'crds'));
  });
  after(() => cluster?.stop());
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(cluster?.logs());
  });

  /** The numbers that both agents have exported for the policy `numbers`. */
  function readExport(): { readonly received: ReadonlySet<number>; readonly twice: number; readonly lost: number } {
    const received = new Set<number>();
    let [twice, lost] = [0, 0];
    const text = readFileSync(join(cluster.folder, 'export/events.log'), 'utf8');
    for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n')) {
      const number = /"string_arg":"\/tmp\/number-(\d+)"/.exec(line)?.[1];
      if (number !== undefined) {
        if (received.has(Number(number))) twice++;
        received.add(Number(number));
      } else if (line.startsWith('{"lost":')) lost += countLost(line);
    }
    return { received, twice, lost };
  }

  /** A kubectl that goes on. */
  function startKubectl(...args: readonly string[]): RunningCommand {
    const words = ['--kubeconfig', cluster.kubeconfig, ...args];
    return new RunningCommand(spawn('kubectl', words, { stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  for (const variant of VARIANTS) {
    it(`${variant}: the events of a pod, by its name`, async () => {
      await deployment.deploy(variant);
      await cluster.apply(POLICY);
      await cluster.kubectl('wait', '--for=condition=Loaded', '--timeout=30s', 'tracingpolicy/file-monitoring');
      const words = ['getevents', '-o', 'compact', '--pods', 'xwing'];
      const events = startKubectl('exec', '-n', 'kube-system', 'ds/polytrace', '--', ...words);
      await events.line(/^ready/);
      await cluster.kubectl('exec', 'tiefighter', '--', 'bash', '-c', 'cat /etc/shadow');
      await cluster.kubectl('exec', 'xwing', '--', 'bash', '-c', 'cat /etc/shadow; true');
      await events.line(/^💥 exit +default\/xwing \/usr\/bin\/bash -c "cat \/etc\/shadow; true"/);
      const lines = events.output.split('\n').filter((line) => line !== '' && !line.startsWith('ready'));
      console.log(lines.map((line) => `      ${line}`).join('\n'));
      assert.ok(lines.every((line) => line.includes(' default/xwing ')));
      assert.ok(lines.some((line) => /^🚀 process +default\/xwing \/usr\/bin\/cat \/etc\/shadow$/.test(line)));
      assert.ok(
        lines.some((line) =>
          /^📍 tracepoint default\/xwing \/usr\/bin\/cat .*\/etc\/shadow # file-monitoring$/.test(line),
        ),
      );
      events.child.kill('SIGKILL');
      await events.ended;
      await cluster.kubectl('delete', 'tracingpolicy/file-monitoring');
    });
  }

  it('the metrics of the agent, where the annotations of its pod say', async () => {
    const name = deployment.running as string;
    const { metadata } = await cluster.getJson<{ metadata: { annotations: Record<string, string> } }>(
      '-n',
      'kube-system',
      `pod/${name}`,
    );
    const annotation = (setting: string): string => metadata.annotations[`prometheus.io/${setting}`] as string;
    const response = await fetch(`http://127.0.0.1:${annotation('port')}${annotation('path')}`);
    const metrics = await response.text();
    assert.match(metrics, /^tetragon_events_total\{/m);
    assert.match(metrics, /^polytrace_build_info\{/m);
  });

  it('a rollout under load loses nothing: the next agent reports what happened in between, once', async () => {
    await cluster.apply(NUMBERS);
    await cluster.kubectl('wait', '--for=condition=Loaded', '--timeout=30s', 'tracingpolicy/numbers');
    const producer = startKubectl('exec', 'xwing', '--', 'bash', '-c', PRODUCER);
    await producer.line(/^begun/);
    await eventually('events of the first agent', () => assert.ok(readExport().received.size > 500));
    const [rolled, before] = [Date.now(), readExport().received.size];
    await deployment.deploy('agent');
    const seconds = (Date.now() - rolled) / 1000;
    const after = readExport().received.size;
    await eventually('events of the second agent', () => assert.ok(readExport().received.size > after + 500));
    await cluster.kubectl('exec', 'xwing', '--', 'rm', '/tmp/go');
    await producer.line(/^produced \d+$/);
    const produced = Number(/^produced (\d+)$/m.exec(producer.output)?.[1]);
    await eventually('the last event', () => assert.ok(readExport().received.has(produced - 1)));
    const { received, twice, lost } = readExport();
    console.log(
      `      ${produced} produced, ${received.size} received (${after - before} of them in a rollout of ${seconds.toFixed(1)} s), ` +
        `${twice} twice, ${lost} counted as lost`,
    );
    assert.ok(after - before > 1000, 'the rollout was under load');
    assert.deepEqual([received.size, twice, lost], [produced, 0, 0]);
  });
});
