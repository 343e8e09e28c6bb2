/**
 * A cluster of one node, for tests: etcd, kube-apiserver, containerd and kubelet, all real, in folders of their own. There is no
 * scheduler and no controller: pods name their node, and use the network of the host.
 */
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Containerd, unmountBelow } from '../containers/containerd.js';
import { Daemon, findFreePorts } from '../containers/daemon.js';
import type { ImageOptions } from '../containers/image.js';

const execFileAsync = promisify(execFile);

/** The programs that binaries.mjs builds. */
const CACHE =
  process.env['POLYTRACE_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'polytrace');
const PROGRAMS = join(CACHE, `kubernetes-1.20.2-${process.arch}`);

const CGROUPS = '/sys/fs/cgroup';
const TOKEN = randomBytes(16).toString('hex');

export const NODE = 'worker-1';
/** Programs that a shell session in a pod needs. */
const TOOLS = ['bash', 'cat', 'sleep', 'true', 'id', 'ls', 'touch', 'readlink', 'rm'].map((name) => `/usr/bin/${name}`);
const TOOLS_IMAGE = 'test.invalid/tools:1';

/** The reason why a cluster cannot run here; undefined if it can. */
export function clusterObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root';
  if (!existsSync(PROGRAMS)) return 'kube-apiserver is not built: run `node test/kubernetes/binaries.mjs`';
  const missing = ['etcd', 'kubectl', 'containerd', 'runc'].filter((name) => !isInstalled(name));
  return missing.length === 0 ? undefined : `these programs are missing: ${missing.join(', ')}`;
}

function isInstalled(name: string): boolean {
  return ['/usr/bin', '/usr/sbin', '/usr/local/bin'].some((folder) => existsSync(join(folder, name)));
}

export class Cluster {
  /** The path is short, because paths of sockets have at most 107 bytes. */
  readonly folder = mkdtempSync('/run/pk-');
  readonly kubeconfig = join(this.folder, 'admin.conf');
  readonly containerd = new Containerd(this.#makeFolder('containerd'));
  #etcd: Daemon | undefined;
  #api: Daemon | undefined;
  #kubelet: Daemon | undefined;
  #ports: readonly number[] = [];
  readonly #cgroup = `pk${process.pid}`;
  readonly #connections = new Agent({ keepAlive: true, rejectUnauthorized: false });
  readonly #tokens = new Map<string, string>([[TOKEN, `admin,1,system:masters`]]);

  /** Starts everything, or ends what it has started. `withNode`: false for tests that need the API server only. */
  static async start({ withNode = true } = {}): Promise<Cluster> {
    const cluster = new Cluster();
    try {
      await cluster.#start(withNode);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #start(withNode: boolean): Promise<void> {
    this.#ports = await findFreePorts(4);
    this.#writeKeys();
    const containerd = withNode ? this.containerd.start() : Promise.resolve();
    await Promise.all([this.#startEtcd().then(() => this.startApi()), containerd]);
    // no controller makes it
    await this.kubectl('create', 'serviceaccount', 'default');
    if (withNode) await this.startKubelet();
  }

  /** The port of the API server. */
  get port(): number {
    return this.#ports[2] as number;
  }

  /** The certificate of the API server, and of who has signed it. */
  get certificate(): string {
    return join(this.folder, 'api/apiserver.crt');
  }

  #makeFolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  #writeKeys(): void {
    const key = join(this.folder, 'service-account.key');
    execFileSync('openssl', ['genrsa', '-out', key, '2048'], { stdio: 'ignore' });
    const tokens = [...this.#tokens].map(([token, [...rest]]) => `${token},${rest.join('')}`).join('\n');
    writeFileSync(join(this.folder, 'tokens.csv'), `${tokens}\n`);
    writeFileSync(this.kubeconfig, kubeconfig(`https://127.0.0.1:${this.port}`, TOKEN));
  }

  async #startEtcd(): Promise<void> {
    const [client, peer] = this.#ports as [number, number];
    const at = (port: number): string => `http://127.0.0.1:${port}`;
    const args = [
      `--data-dir=${this.#makeFolder('etcd')}`,
      `--listen-client-urls=${at(client)}`,
      `--advertise-client-urls=${at(client)}`,
      `--listen-peer-urls=${at(peer)}`,
      `--initial-advertise-peer-urls=${at(peer)}`,
      `--initial-cluster=default=${at(peer)}`,
      '--unsafe-no-fsync',
    ];
    this.#etcd = await Daemon.start('etcd', args, { ready: /ready to serve client requests/, log: this.#log('etcd') });
  }

  /** Starts the API server, also again after stopApi(). */
  async startApi(): Promise<void> {
    const key = join(this.folder, 'service-account.key');
    const args = [
      `--etcd-servers=http://127.0.0.1:${this.#ports[0]}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${this.port}`,
      `--cert-dir=${this.#makeFolder('api')}`,
      '--service-account-issuer=https://test.invalid',
      `--service-account-signing-key-file=${key}`,
      `--service-account-key-file=${key}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      `--token-auth-file=${join(this.folder, 'tokens.csv')}`,
      '--authorization-mode=RBAC',
      // pods get tokens of their service accounts without a controller
      '--feature-gates=BoundServiceAccountTokenVolume=true',
      '--allow-privileged',
      '--kubelet-preferred-address-types=InternalIP',
      '--min-request-timeout=300',
    ];
    this.#api = await Daemon.start(join(PROGRAMS, 'kube-apiserver'), args, {
      ready: /Serving securely on/,
      log: this.#log('api'),
    });
    await eventually('the API server is ready', () => this.kubectl('get', '--raw', '/readyz'));
  }

  /** The API server is away, at once. */
  async stopApi(): Promise<void> {
    await this.#api?.stop('SIGKILL');
  }

  async startKubelet(): Promise<void> {
    const name = this.#cgroup;
    for (const hierarchy of hierarchies()) mkdirSync(join(hierarchy, name), { recursive: true });
    const config = join(this.folder, 'kubelet.conf');
    // 1.20 reads most settings from flags
    writeFileSync(config, readFileSync(this.kubeconfig));
    const args = [
      `--kubeconfig=${config}`,
      `--root-dir=${this.#makeFolder('kubelet')}`,
      `--cert-dir=${this.#makeFolder('kubelet/pki')}`,
      `--hostname-override=${NODE}`,
      '--container-runtime=remote',
      `--container-runtime-endpoint=unix://${this.containerd.socket}`,
      `--port=${this.#ports[3]}`,
      '--read-only-port=0',
      '--healthz-port=0',
      '--cgroup-driver=cgroupfs',
      `--cgroup-root=/${name}`,
      '--fail-swap-on=false',
      '--enforce-node-allocatable=',
      '--eviction-hard=',
      '--node-labels=polytrace.test/role=worker',
      '--sync-frequency=1s',
      `--volume-plugin-dir=${this.#makeFolder('kubelet-plugins')}`,
    ];
    this.#kubelet = await Daemon.start(join(PROGRAMS, 'kubelet'), args, {
      ready: /Successfully registered node|was previously registered/,
      log: this.#log('kubelet'),
    });
  }

  addImage(options: ImageOptions): void {
    this.containerd.addImage(options);
  }

  /** The image of pods that tests run: a shell and some programs. */
  addTools(): void {
    const files = {
      'etc/group': 'root:x:0:\n',
      'etc/passwd': 'root:x:0:0:root:/root:/usr/bin/bash\n',
      'etc/shadow': 'root:*:0:0:99999:7:::\n',
    };
    this.addImage({ name: TOOLS_IMAGE, programs: TOOLS, files, command: ['/usr/bin/sleep', 'infinity'] });
  }

  /** Runs kubectl, and returns what it printed. */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { stdout } = await execFileAsync('kubectl', ['--kubeconfig', this.kubeconfig, ...args], {
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, HOME: this.folder },
    });
    return stdout;
  }

  /** Applies manifests: objects, or YAML. */
  async apply(manifest: object | string, ...args: readonly string[]): Promise<string> {
    const file = join(this.folder, `manifest-${randomBytes(4).toString('hex')}.yaml`);
    writeFileSync(file, typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
    try {
      return await this.kubectl('apply', '-f', file, ...args);
    } finally {
      rmSync(file, { force: true });
    }
  }

  /** A request to the API server without kubectl, which takes longer to start than some measured times. */
  async request<T>(method: string, path: string, body?: object, contentType = 'application/json'): Promise<T> {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': contentType };
    const options = { method, headers, agent: this.#connections };
    const sent = request(`https://127.0.0.1:${this.port}${path}`, options);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const answer = await text(response);
    if ((response.statusCode ?? 0) >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`);
    return JSON.parse(answer) as T;
  }

  /** Sets labels of an object; null removes one. Resolves with the time at which the request was sent, in milliseconds since 1970. */
  async label(path: string, labels: Readonly<Record<string, string | null>>): Promise<number> {
    // the connection is open when the time is taken
    await this.request('GET', path);
    const sent = Date.now();
    await this.request('PATCH', path, { metadata: { labels } }, 'application/merge-patch+json');
    return sent;
  }

  /** Applies the CustomResourceDefinitions of a folder, and waits until the API server has them. */
  async applyCrds(folder: string): Promise<void> {
    // with client-side apply, the copy of each manifest has to fit into an annotation
    await this.kubectl('apply', '-f', folder);
    // `kubectl wait` fails on a definition that has no conditions yet
    await eventually('the definitions are established', () =>
      this.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'),
    );
  }

  async getJson<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as T;
  }

  /** Runs a pod, and waits until its containers are ready. */
  async runPod(pod: PodOptions): Promise<void> {
    await this.apply(podManifest(pod));
    await this.kubectl(
      'wait',
      '--timeout=60s',
      '--for=condition=Ready',
      '-n',
      pod.namespace ?? 'default',
      `pod/${pod.name}`,
    );
  }

  /** Process ids of etcd and the API server, for measurements. */
  get pids(): { readonly etcd: number; readonly api: number } {
    return { etcd: this.#etcd?.pid ?? 0, api: this.#api?.pid ?? 0 };
  }

  /** A kubeconfig with the rights of a service account. */
  async serviceAccountConfig(namespace: string, name: string): Promise<string> {
    const token = await this.kubectl('create', 'token', '-n', namespace, name);
    const file = join(this.folder, `${namespace}-${name}.conf`);
    writeFileSync(file, kubeconfig(`https://127.0.0.1:${this.port}`, token.trim()));
    return file;
  }

  /** The ends of the logs, for a test that failed. */
  logs(): string {
    return [this.#api, this.#kubelet].map((daemon) => `---- ${daemon?.title}\n${daemon?.tail(30)}`).join('\n');
  }

  /** Ends everything and removes all its files, mounts and cgroups. */
  async stop(): Promise<void> {
    this.#connections.destroy();
    await this.#kubelet?.stop();
    await this.containerd.stop();
    await Promise.all([this.#api?.stop('SIGKILL'), this.#etcd?.stop('SIGKILL')]);
    unmountBelow(this.folder);
    for (const hierarchy of hierarchies()) removeCgroup(join(hierarchy, this.#cgroup));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #log(name: string): string {
    return join(this.folder, `${name}.log`);
  }
}

export interface PodOptions {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly object[];
  readonly command?: readonly string[];
  /** Command of a liveness probe, which kubelet executes each second. */
  readonly probe?: readonly string[];
}

function podManifest({ name, namespace = 'default', command, probe, ...metadata }: PodOptions): object {
  const container = {
    name: 'main',
    image: TOOLS_IMAGE,
    imagePullPolicy: 'Never',
    ...(command && { command }),
    ...(probe && { livenessProbe: { exec: { command: probe }, periodSeconds: 1 } }),
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, ...metadata },
    spec: {
      nodeName: NODE,
      hostNetwork: true,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [container],
    },
  };
}

/** Asks again until it does not fail. For states that nothing announces. */
export async function eventually<T>(what: string, ask: () => T | Promise<T>, limitMs = 30_000): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > end) throw new Error(`not in ${limitMs} ms: ${what}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function kubeconfig(server: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    'current-context': 'test',
  });
}

/** The mounted hierarchies of cgroups, of both versions. */
function hierarchies(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const mounts = lines.filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(' ')[4] as string);
  return mounts.length > 0 ? mounts : [CGROUPS];
}

function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch {
    // a process in it is still ending
  }
}
