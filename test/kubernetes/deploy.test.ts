/**
 * The steps of docs/kubernetes.md: the manifests with the container image of this checkout, a policy, a pod, and the events
 * of the pod by `kubectl exec`. There is no controller of DaemonSets, so the test creates its pod.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { IMAGE, saveImage } from '../image/image.js';
import { RunningCommand } from '../image/running-command.js';
import { Cluster, eventually, NODE } from './cluster.js';
import { needsCluster, needsTracefs, ROOT } from './support.js';
import { NIGHTLY } from '../nightly.js';

const DEPLOY = join(ROOT, 'deploy/kubernetes');
const [IMAGE_NAME = '', IMAGE_TAG = ''] = IMAGE.split(/:(?=[^:/]*$)/);

const VARIANTS = NIGHTLY ? ['agent', 'least-privilege'] : ['agent'];

/** Bits of the capabilities of the variant without `privileged`. */
const CAPABILITIES = { BPF: 39, PERFMON: 38, SYS_PTRACE: 19, DAC_READ_SEARCH: 2, SYS_RESOURCE: 24 };

/** The capabilities that a container can have on this machine. SYS_RESOURCE is for kernels before Linux 5.11. */
function availableCapabilities(): string[] {
  const [, mask = '0'] = /^CapBnd:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Object.entries(CAPABILITIES).flatMap(([name, bit]) =>
    (BigInt(`0x${mask}`) >> BigInt(bit)) & 1n ? [name] : [],
  );
}

/** A policy of openat, by a hook that every kernel has. */
function openatPolicy(name: string, operator: 'Equal' | 'Prefix', path: string): object {
  const hook = {
    subsystem: 'syscalls',
    event: 'sys_enter_openat',
    args: [{ index: 6, type: 'string' }],
    selectors: [{ matchArgs: [{ index: 6, operator, values: [path] }] }],
  };
  return {
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name },
    spec: { tracepoints: [hook] },
  };
}

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

interface DaemonSet {
  readonly metadata: { readonly uid: string };
  readonly spec: { readonly template: { readonly metadata: object; readonly spec: object } };
}

describe('the manifests in a cluster, with the container image', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let pods = 0;
  /** The pod of the agent. */
  let running: string | undefined;
  before(needsCluster);
  before(needsTracefs);
  before(async () => {
    cluster = await Cluster.start();
    cluster.addTools();
    const archive = join(cluster.folder, 'polytrace.tar');
    saveImage(archive);
    cluster.containerd.importImage(archive);
    const bpf = join(cluster.folder, 'bpf');
    mkdirSync(bpf);
    execFileSync('mount', ['-t', 'bpf', 'bpf', bpf]);
    await cluster.applyCrds(join(DEPLOY, 'crds'));
    // no controller makes it
    const certificate = `--from-file=ca.crt=${cluster.certificate}`;
    await cluster.kubectl('create', 'configmap', '-n', 'kube-system', 'kube-root-ca.crt', certificate);
    await cluster.runPod({ name: 'xwing', labels: { class: 'xwing', org: 'alliance' } });
    await cluster.runPod({ name: 'tiefighter', labels: { class: 'tiefighter', org: 'empire' } });
  });
  after(() => cluster?.stop());
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(cluster?.logs());
  });

  /** Writes a kustomization for this cluster: the image, its folders, and the address of the API server. */
  function writeOverlay(variant: string): string {
    const folder = mkdtempSync(join(cluster.folder, 'overlay-'));
    const bpf = join('bpf', variant);
    mkdirSync(join(cluster.folder, bpf), { recursive: true });
    const paths = { containerd: 'containerd', nri: 'containerd', bpf, export: 'export' };
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(cluster.port) };
    mkdirSync(join(cluster.folder, 'export'), { recursive: true });
    const settings = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'polytrace-config', namespace: 'kube-system' },
      data: { 'export-filename': '/export/events.log', 'export-file-max-size-mb': '1000' },
    };
    const container = {
      name: 'polytrace',
      volumeMounts: [{ name: 'export', mountPath: '/export' }],
      env: Object.entries(env).map(([name, value]) => ({ name, value })),
      ...(variant === 'agent' ? {} : { securityContext: { capabilities: { add: availableCapabilities() } } }),
    };
    const patch = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'polytrace', namespace: 'kube-system' },
      spec: {
        template: {
          spec: {
            containers: [container],
            volumes: Object.entries(paths).map(([name, path]) => ({
              name,
              hostPath: { path: join(cluster.folder, path) },
            })),
          },
        },
      },
    };
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: [relative(folder, join(DEPLOY, variant))],
      images: [{ name: 'polytrace', newName: IMAGE_NAME, newTag: IMAGE_TAG }],
      patches: [patch, settings].map((each) => ({ patch: JSON.stringify(each) })),
    };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    return folder;
  }

  /** Applies the manifests, and runs the pod of this node in place of the one before, as the controller of a DaemonSet does it. */
  async function deploy(variant: string): Promise<string> {
    await cluster.kubectl('apply', '-k', writeOverlay(variant));
    if (running !== undefined) {
      await cluster.kubectl('delete', '-n', 'kube-system', '--timeout=60s', `pod/${running}`);
    }
    const { metadata, spec } = await cluster.getJson<DaemonSet>('-n', 'kube-system', 'daemonset/polytrace');
    const { template } = spec;
    const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'polytrace', uid: metadata.uid, controller: true };
    const name = `polytrace-${++pods}`;
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name, namespace: 'kube-system', ownerReferences: [owner] },
      spec: { ...template.spec, nodeName: NODE },
    });
    await cluster.kubectl('wait', '-n', 'kube-system', '--for=condition=Ready', '--timeout=90s', `pod/${name}`);
    running = name;
    return name;
  }

  /** The numbers that both agents have exported for the policy `numbers`. */
  function readExport(): { readonly received: ReadonlySet<number>; readonly lost: number } {
    const received = new Set<number>();
    let lost = 0;
    const text = readFileSync(join(cluster.folder, 'export/events.log'), 'utf8');
    for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n')) {
      const number = /"string_arg":"\/tmp\/number-(\d+)"/.exec(line)?.[1];
      if (number !== undefined) received.add(Number(number));
      else if (line.startsWith('{"lost":')) lost += countLost(line);
    }
    return { received, lost };
  }

  /** A kubectl that goes on. */
  function startKubectl(...args: readonly string[]): RunningCommand {
    const words = ['--kubeconfig', cluster.kubeconfig, ...args];
    return new RunningCommand(spawn('kubectl', words, { stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  for (const variant of VARIANTS) {
    it(`${variant}: the events of a pod, by its name`, async () => {
      await deploy(variant);
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
    const name = running as string;
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

  it('a rollout under load: each event is received or counted as lost', async () => {
    await cluster.apply(NUMBERS);
    await cluster.kubectl('wait', '--for=condition=Loaded', '--timeout=30s', 'tracingpolicy/numbers');
    const producer = startKubectl('exec', 'xwing', '--', 'bash', '-c', PRODUCER);
    await producer.line(/^begun/);
    await eventually('events of the first agent', () => assert.ok(readExport().received.size > 500));
    const rolled = Date.now();
    await deploy('agent');
    const seconds = (Date.now() - rolled) / 1000;
    const before = readExport().received.size;
    await eventually('events of the second agent', () => assert.ok(readExport().received.size > before + 500));
    await cluster.kubectl('exec', 'xwing', '--', 'rm', '/tmp/go');
    await producer.line(/^produced \d+$/);
    const produced = Number(/^produced (\d+)$/m.exec(producer.output)?.[1]);
    await eventually('the last event', () => assert.ok(readExport().received.has(produced - 1)));
    const { received, lost } = readExport();
    const missing = produced - received.size;
    console.log(
      `      ${produced} produced, ${received.size} received, ${lost} counted as lost, in a rollout of ${seconds.toFixed(1)} s`,
    );
    assert.ok(missing > 0, 'the rollout was under load');
    // while both agents are attached, the second one receives an event that the first one counts as lost
    assert.ok(lost >= missing, `${missing} are missing, ${lost} are counted`);
    assert.ok(lost < produced);
  });
});
