/** A containerd of the test's own, with its own folders, sockets and images. CRI and NRI are enabled. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from './daemon.js';
import { writeImage, type ImageOptions } from './image.js';

const SANDBOX_IMAGE = 'test.invalid/pause:1';

export class Containerd {
  readonly socket: string;
  readonly nriSocket: string;
  readonly #folder: string;
  #daemon: Daemon | undefined;
  #execs = 0;

  readonly #snapshotter: string;

  /** `folder` must exist, and belongs to this object. The snapshotter `native` copies files, for kernels without overlays. */
  constructor(folder: string, snapshotter: 'overlayfs' | 'native' = 'overlayfs') {
    this.#folder = folder;
    this.#snapshotter = snapshotter;
    this.socket = join(folder, 'containerd.sock');
    this.nriSocket = join(folder, 'nri.sock');
  }

  async start(): Promise<void> {
    const config = join(this.#folder, 'config.toml');
    writeFileSync(config, containerdConfig(this.#folder, this, this.#snapshotter));
    for (const name of ['cni-bin', 'cni-conf', 'nri-plugins', 'nri-conf', 'opt'])
      mkdirSync(join(this.#folder, name), { recursive: true });
    this.#daemon = await Daemon.start('containerd', ['--config', config], {
      ready: /containerd successfully booted/,
      log: join(this.#folder, 'containerd.log'),
    });
    this.addImage({ name: SANDBOX_IMAGE, programs: ['/usr/bin/sleep'], command: ['/usr/bin/sleep', 'infinity'] });
  }

  /** Builds an image from programs of this machine, and imports it. */
  addImage(options: ImageOptions): void {
    const archive = join(this.#folder, 'image.tar');
    writeImage(archive, options);
    this.importImage(archive);
  }

  importImage(archive: string): void {
    this.ctr('images', 'import', `--snapshotter=${this.#snapshotter}`, archive);
  }

  /** Runs ctr in the namespace of CRI. */
  ctr(...args: readonly string[]): string {
    return execFileSync('ctr', ['--address', this.socket, '--namespace', 'k8s.io', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Runs a program in the first container of a pod, without Kubernetes. Returns what it printed. */
  execInPod(pod: string, command: readonly string[]): string {
    const filter = `labels."io.kubernetes.pod.name"==${pod},labels."io.cri-containerd.kind"==container`;
    const [id] = this.ctr('containers', 'list', '--quiet', filter).split('\n');
    return this.ctr('tasks', 'exec', '--exec-id', `test-${++this.#execs}`, id as string, ...command);
  }

  get log(): string {
    return this.#daemon?.tail(60) ?? '';
  }

  /** Ends all containers and the daemon. */
  async stop(): Promise<void> {
    try {
      for (const id of this.#tasks()) {
        try {
          this.ctr('tasks', 'delete', '--force', id);
        } catch {
          // The task has ended by itself. If not, its shim is killed below.
        }
      }
    } finally {
      await this.#daemon?.stop();
      for (const pid of findProcessesWithArgument(this.socket)) kill(pid);
      unmountBelow(this.#folder);
    }
  }

  #tasks(): string[] {
    try {
      return this.ctr('tasks', 'list', '--quiet')
        .split('\n')
        .filter((id) => id !== '');
    } catch {
      return [];
    }
  }
}

/** Finds the processes that have the argument. Only shims have the path of the socket as an argument. */
function findProcessesWithArgument(argument: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument);
      } catch {
        return false;
      }
    })
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has ended.
  }
}

/** Unmounts everything below a folder, the newest mount first. */
export function unmountBelow(folder: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) => path.replaceAll('\\040', ' '))
    .filter((path) => path.startsWith(`${folder}/`));
  for (const mount of mounts.reverse()) {
    if (existsSync(mount)) execFileSync('umount', ['--lazy', mount], { stdio: 'ignore' });
  }
}

/** A configuration that needs no CNI, no AppArmor profiles, and no right to lower the OOM score. */
function containerdConfig(folder: string, { socket, nriSocket }: Containerd, snapshotter: string): string {
  return `
version = 2
root = "${folder}/root"
state = "${folder}/state"
imports = []
[grpc]
  address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"
[plugins."io.containerd.nri.v1.nri"]
  disable = false
  socket_path = "${nriSocket}"
  plugin_path = "${folder}/nri-plugins"
  plugin_config_path = "${folder}/nri-conf"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${SANDBOX_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${folder}/cni-bin"
    conf_dir = "${folder}/cni-conf"
`;
}
