/**
 * The page about Kubernetes, executed: the manifests with the container image of this checkout, a policy, a pod, and the events of
 * the pod by `kubectl exec`. There is no controller of DaemonSets, so the test makes the pod that it would make.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { IMAGE, saveImage } from '../image/image.js';
import { Running } from '../image/running.js';
import { Cluster, NODE } from './cluster.js';
import { needsCluster, needsTracefs, ROOT } from './support.js';

const DEPLOY = join(ROOT, 'deploy/kubernetes');
const [IMAGE_NAME = '', IMAGE_TAG = ''] = IMAGE.split(/:(?=[^:/]*$)/);

const VARIANTS = process.env['POLYTRACE_NIGHTLY'] === '1' ? ['agent', 'least-privilege'] : ['agent'];

/** Bits of the capabilities of the variant without `privileged`. */
const CAPABILITIES = { BPF: 39, PERFMON: 38, SYS_PTRACE: 19, DAC_READ_SEARCH: 2, SYS_RESOURCE: 24 };

/** Those that a container can have on this machine. SYS_RESOURCE is for kernels before Linux 5.11. */
function available(): string[] {
  const [, mask = '0'] = /^CapBnd:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Object.entries(CAPABILITIES).flatMap(([name, bit]) =>
    (BigInt(`0x${mask}`) >> BigInt(bit)) & 1n ? [name] : [],
  );
}

/** What `file-monitoring.yaml` does, by a hook that every kernel has. */
const POLICY = {
  apiVersion: 'cilium.io/v1alpha1',
  kind: 'TracingPolicy',
  metadata: { name: 'file-monitoring' },
  spec: {
    tracepoints: [
      {
        subsystem: 'syscalls',
        event: 'sys_enter_openat',
        args: [{ index: 6, type: 'string' }],
        selectors: [{ matchArgs: [{ index: 6, operator: 'Equal', values: ['/etc/shadow'] }] }],
      },
    ],
  },
};

interface DaemonSet {
  readonly metadata: { readonly uid: string };
  readonly spec: { readonly template: { readonly metadata: object; readonly spec: object } };
}

describe('the manifests in a cluster, with the container image', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let pods = 0;
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
    await cluster.kubectl('apply', '-f', join(DEPLOY, 'crds'));
    await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all');
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

  /** Where this cluster differs from others: the image, its folders, and no service leads to the API server. */
  function overlay(variant: string): string {
    const folder = mkdtempSync(join(cluster.folder, 'overlay-'));
    const bpf = join('bpf', variant);
    mkdirSync(join(cluster.folder, bpf));
    const paths = { containerd: 'containerd', nri: 'containerd', bpf };
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(cluster.port) };
    const container = {
      name: 'polytrace',
      env: Object.entries(env).map(([name, value]) => ({ name, value })),
      ...(variant === 'agent' ? {} : { securityContext: { capabilities: { add: available() } } }),
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
      patches: [{ patch: JSON.stringify(patch) }],
    };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    return folder;
  }

  /** Applies the manifests, and runs the pod of this node. Returns the pod's name. */
  async function deploy(variant: string): Promise<string> {
    await cluster.kubectl('apply', '-k', overlay(variant));
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
    return name;
  }

  /** A kubectl that goes on. */
  function start(...args: readonly string[]): Running {
    const words = ['--kubeconfig', cluster.kubeconfig, ...args];
    return new Running(spawn('kubectl', words, { stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  for (const variant of VARIANTS) {
    it(`${variant}: the events of a pod, by its name`, async () => {
      const name = await deploy(variant);
      await cluster.apply(POLICY);
      await cluster.kubectl('wait', '--for=condition=Loaded', '--timeout=30s', 'tracingpolicy/file-monitoring');
      const words = ['getevents', '-o', 'compact', '--pods', 'xwing'];
      const events = start('exec', '-n', 'kube-system', 'ds/polytrace', '--', ...words);
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
      // at once, so that `ds/polytrace` is the next one
      await cluster.kubectl('delete', '-n', 'kube-system', '--force', '--grace-period=0', `pod/${name}`);
    });
  }
});
