/**
 * The manifests of deploy/kubernetes in a test cluster, with the container image of this checkout. There is no controller of
 * DaemonSets, so `runPod` does its work.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { IMAGE, saveImage } from '../image/image.js';
import { NODE, type Cluster } from './cluster.js';
import { ROOT } from './support.js';

export const DEPLOY = join(ROOT, 'deploy/kubernetes');
const [IMAGE_NAME = '', IMAGE_TAG = ''] = IMAGE.split(/:(?=[^:/]*$)/);

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
export function openatPolicy(name: string, operator: 'Equal' | 'Prefix', path: string): object {
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

interface DaemonSet {
  readonly metadata: { readonly uid: string };
  readonly spec: { readonly template: { readonly metadata: object; readonly spec: object } };
}

export class Deployment {
  readonly #cluster: Cluster;
  #pods = 0;
  /** The pod of the agent. */
  running: string | undefined;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Brings the image into the cluster, and starts the pods whose events the tests read. */
  static async prepare(cluster: Cluster): Promise<Deployment> {
    cluster.addTools();
    const archive = join(cluster.folder, 'polytrace.tar');
    saveImage(archive);
    cluster.containerd.importImage(archive);
    const bpf = join(cluster.folder, 'bpf');
    mkdirSync(bpf);
    // shared, as systemd mounts it
    execFileSync('mount', ['-t', 'bpf', '--make-shared', 'bpf', bpf]);
    // no controller makes it
    const certificate = `--from-file=ca.crt=${cluster.certificate}`;
    await cluster.kubectl('create', 'configmap', '-n', 'kube-system', 'kube-root-ca.crt', certificate);
    await cluster.runPod({ name: 'xwing', labels: { class: 'xwing', org: 'alliance' } });
    await cluster.runPod({ name: 'tiefighter', labels: { class: 'tiefighter', org: 'empire' } });
    return new Deployment(cluster);
  }

  /** Writes a kustomization for this cluster: the image, its folders, and the address of the API server. */
  writeOverlay(variant: string): string {
    const cluster = this.#cluster;
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

  /** Applies the manifests, and runs the pod of this node. */
  async deploy(variant: string): Promise<void> {
    await this.#cluster.kubectl('apply', '-k', this.writeOverlay(variant));
    await this.runPod();
  }

  /** Runs the pod of this node in place of the one before, as the controller of a DaemonSet does it. */
  async runPod(): Promise<void> {
    const cluster = this.#cluster;
    if (this.running !== undefined) {
      await cluster.kubectl('delete', '-n', 'kube-system', '--timeout=60s', `pod/${this.running}`);
    }
    const { metadata, spec } = await cluster.getJson<DaemonSet>('-n', 'kube-system', 'daemonset/polytrace');
    const { template } = spec;
    const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'polytrace', uid: metadata.uid, controller: true };
    const name = `polytrace-${++this.#pods}`;
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name, namespace: 'kube-system', ownerReferences: [owner] },
      spec: { ...template.spec, nodeName: NODE },
    });
    await cluster.kubectl('wait', '-n', 'kube-system', '--for=condition=Ready', '--timeout=90s', `pod/${name}`);
    this.running = name;
  }
}
