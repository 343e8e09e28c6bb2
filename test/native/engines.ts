/** Starts real container engines in a folder of their own: Docker, Podman and containerd. Images are made here. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { removeEngineFolder } from '../image/image.js';

/** A system call that no kernel has. */
export const NO_CALL = 7171;

/** The first thing that the program /bin/first does is that call. */
const FIRST = `void _start(void) {
#ifdef __x86_64__
  __asm__ volatile("mov $${NO_CALL}, %eax; syscall; mov $231, %eax; xor %edi, %edi; syscall");
#else
  __asm__ volatile("mov x8, #${NO_CALL}; svc #0; mov x8, #94; mov x0, #0; svc #0");
#endif
}`;

/** A folder for the files of the engines, and a tar of an image with some programs. */
export class Engines {
  /** Sockets have short paths. */
  readonly folder = mkdtempSync(join(tmpdir(), 'pt-'));
  readonly image = join(this.folder, 'image.tar');
  readonly #running: Daemon[] = [];

  constructor() {
    const root = join(this.folder, 'image');
    for (const program of ['/bin/cat', '/bin/sleep', '/bin/true']) {
      const linked = execFileSync('ldd', [program], { encoding: 'utf8' });
      for (const file of [program, ...[...linked.matchAll(/(\/\S+) \(0x/g)].map(([, found]) => found as string)]) {
        mkdirSync(join(root, dirname(file)), { recursive: true });
        if (!existsSync(join(root, file))) copyFileSync(file, join(root, file));
      }
    }
    execFileSync('g++', ['-x', 'c', '-static', '-nostdlib', '-o', join(root, 'bin/first'), '-'], { input: FIRST });
    symlinkSync('/bin/first', join(root, 'bin/again'));
    symlinkSync('../../../../../../usr/bin/env', join(root, 'bin/outside'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
    execFileSync('tar', ['-C', root, '-cf', this.image, '.']);
  }

  /** The Docker Engine. */
  docker(): Daemon {
    const at = (name: string): string => join(this.folder, name);
    const socket = at('docker.sock');
    const paths = ['--data-root', at('docker'), '--exec-root', at('docker-run'), '--pidfile', at('docker.pid')];
    const network = ['--iptables=false', '--ip6tables=false', '--bridge=none', '--live-restore'];
    const args = ['--host', `unix://${socket}`, ...paths, ...network, ...dockerNamespaces(this.folder)];
    return this.#daemon('dockerd', args, socket);
  }

  /** Podman's service, which has the API of Docker. */
  podman(): Daemon {
    const socket = join(this.folder, 'podman.sock');
    return this.#daemon('podman', [...this.podmanOptions, 'system', 'service', '--time=0', `unix://${socket}`], socket);
  }

  get podmanOptions(): readonly string[] {
    const at = (name: string): string => join(this.folder, name);
    const paths = ['--root', at('storage'), '--runroot', at('podman-run'), '--tmpdir', at('podman-tmp')];
    return [...paths, '--runtime=runc', '--cgroup-manager=cgroupfs', '--events-backend=file'];
  }

  /** containerd with CRI and NRI. */
  containerd(): Daemon {
    const at = (name: string): string => join(this.folder, 'containerd', name);
    mkdirSync(at(''), { recursive: true });
    writeFileSync(
      at('config.toml'),
      `version = 2
root = "${at('root')}"
state = "${at('state')}"
[grpc]
  address = "${at('sock')}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${at('opt')}"
[plugins."io.containerd.nri.v1.nri"]
  disable = false
  socket_path = "${at('nri')}"
  plugin_path = "${at('plugins')}"
  plugin_config_path = "${at('plugins.d')}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  sandbox_image = "docker.io/library/polytrace-test:1"
`,
    );
    return this.#daemon('containerd', ['--config', at('config.toml')], at('sock'));
  }

  get nriSocket(): string {
    return join(this.folder, 'containerd', 'nri');
  }

  #daemon(program: string, args: readonly string[], socket: string): Daemon {
    const daemon = new Daemon(program, args, socket, join(this.folder, `${program}.log`));
    this.#running.push(daemon);
    return daemon;
  }

  /** The image in the form that containerd imports, with a command. */
  dockerArchive(): string {
    const work = join(this.folder, 'archive');
    mkdirSync(work);
    const layer = readFileSync(this.image);
    const digest = createHash('sha256').update(layer).digest('hex');
    writeFileSync(join(work, 'layer.tar'), layer);
    const config = {
      architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as 'x64'] ?? process.arch,
      os: 'linux',
      config: { Cmd: ['/bin/sleep', '100000'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    };
    writeFileSync(join(work, 'config.json'), JSON.stringify(config));
    const manifest = [{ Config: 'config.json', RepoTags: ['polytrace-test:1'], Layers: ['layer.tar'] }];
    writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));
    const file = join(this.folder, 'archive.tar');
    execFileSync('tar', ['-C', work, '-cf', file, 'manifest.json', 'config.json', 'layer.tar']);
    return file;
  }

  async remove(): Promise<void> {
    for (const daemon of this.#running) await daemon.stop();
    // overlays of containers that a failed test left
    for (const mount of readFileSync('/proc/self/mounts', 'utf8').split('\n').reverse()) {
      const [, point = ''] = mount.split(' ');
      if (point.startsWith(`${this.folder}/`)) execFileSync('umount', ['--lazy', point]);
    }
    removeEngineFolder(this.folder);
  }
}

/**
 * Options of dockerd for its containerd. The machine may have a containerd, which dockerd then shares with the Docker
 * Engine of the machine. With own namespaces, neither sees the containers of the other.
 */
export function dockerNamespaces(folder: string): string[] {
  const name = basename(folder);
  return [`--containerd-namespace=${name}`, `--containerd-plugins-namespace=${name}-plugins`];
}

export class Daemon {
  #child: ChildProcess | undefined;

  constructor(
    readonly program: string,
    readonly args: readonly string[],
    readonly socket: string,
    readonly log: string,
  ) {}

  /** Resolves when it accepts connections. */
  async start(): Promise<this> {
    if (this.#child !== undefined) return this;
    const child = spawn(this.program, this.args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const log = createWriteStream(this.log, { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    for (let tries = 0; tries < 600; tries++) {
      if (await accepts(this.socket)) return this;
      if (child.exitCode !== null) break;
      await pause(50);
    }
    throw new Error(`${this.program} does not start: ${readFileSync(this.log, 'utf8').slice(-2000)}`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    // Podman's service keeps no state, and ends slowly
    child.kill(this.program === 'podman' ? 'SIGKILL' : 'SIGTERM');
    await ended;
  }
}

async function accepts(socket: string): Promise<boolean> {
  const connection = connect(socket);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}
