/**
 * Builds the container image for the tests from Debian packages, without a registry. It uses the base images of
 * deploy/build-base.sh, which /var/cache/polytrace caches, and the addon of this checkout. `tsx image.ts FILE` saves
 * the image to a file.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { retry } from '../retry.js';
import { ROOT } from '../project.js';

const CACHE = '/var/cache/polytrace';

/** The name of the image, with the host that podman gives to local images. */
export const IMAGE = 'localhost/polytrace:test';

/** Returns the folder with base.tar and node.tar. Each Debian release, Node.js and version of the script has its own. */
function prepareBaseFolder(): string {
  const script = join(ROOT, 'deploy/build-base.sh');
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
  const hash = createHash('sha256').update(readFileSync(script)).digest('hex').slice(0, 12);
  const folder = join(CACHE, `base-${release}-node-${process.version}-${process.arch}-${hash}`);
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'part-'));
  try {
    execFileSync('bash', [script, work], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(work, folder);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

export type Engine = (...args: readonly string[]) => string;

/**
 * Builds the image with docker or podman. `engine` runs one of their commands, and `options` are options of `build`.
 */
export function buildImage(engine: Engine, options: readonly string[]): void {
  const folder = prepareBaseFolder();
  const staged = 'build/image';
  execFileSync(process.execPath, [join(ROOT, 'scripts/stage-image.mjs'), join(ROOT, staged)]);
  for (const name of ['base', 'node'])
    engine('import', join(folder, `${name}.tar`), `localhost/polytrace-${name}:test`);
  const args = {
    PACKAGE: 'checkout',
    STAGED: staged,
    BASE_IMAGE: 'localhost/polytrace-base:test',
    NODE_IMAGE: 'localhost/polytrace-node:test',
  };
  const buildArgs = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  engine('build', ...options, ...buildArgs, '--file', join(ROOT, 'deploy/Dockerfile'), '--tag', IMAGE, ROOT);
}

/** Returns a function that runs one podman command, with all files of podman in `folder`, and returns its output. */
export function podmanEngine(folder: string, runtime?: 'crun' | 'runc'): Engine {
  const env = { ...process.env, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' };
  return (...args) =>
    execFileSync('podman', [...podmanOptions(folder, runtime), ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
}

/** Options of podman without a service, a registry, or state outside of `folder`. */
export function podmanOptions(folder: string, runtime: 'crun' | 'runc' = 'runc'): string[] {
  const folders = [
    '--root',
    join(folder, 'storage'),
    '--runroot',
    join(folder, 'run'),
    '--tmpdir',
    join(folder, 'tmp'),
  ];
  return [...folders, '--cgroup-manager=cgroupfs', '--events-backend=none', `--runtime=${runtime}`];
}

/** The limits of this process. Without CAP_SYS_RESOURCE, podman could not set its own default limits, which are higher. */
export function podmanBuildOptions(): string[] {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hardLimit = (title: string): string | undefined =>
    new RegExp(`^${title}\\s+\\S+\\s+(\\d+|unlimited)`, 'm').exec(limits)?.[1];
  const ulimits = { nofile: hardLimit('Max open files'), nproc: hardLimit('Max processes') };
  return Object.entries(ulimits)
    .map(([name, value = '-1']) => `${name}=${value}`.replace('unlimited', '-1'))
    .flatMap((limit) => ['--ulimit', limit])
    .concat('--network=none');
}

/**
 * Stops a container and the commands that `exec` runs in it. podman signals all of them, and refuses to clean up if the
 * container ends before one of the commands. The stop can be repeated.
 */
export async function stopContainer(engine: Engine, name: string): Promise<void> {
  const mayPass = (error: unknown): boolean => String(error).includes('active exec sessions');
  await retry(() => engine('stop', '--time=120', name), { tries: 300, ms: 200, mayPass });
}

/** Kills all containers of a folder, and removes the folder. */
export function removePodman(folder: string, runtime?: 'crun' | 'runc'): void {
  podmanEngine(folder, runtime)('rm', '--all', '--force', '--time=0');
  const overlay = join(folder, 'storage/overlay');
  const isMounted = (): boolean => readFileSync('/proc/self/mounts', 'utf8').includes(` ${overlay} `);
  try {
    if (isMounted()) execFileSync('umount', [overlay], { stdio: 'pipe' });
  } catch (error) {
    // Podman's own clean-up may have been faster.
    if (isMounted()) throw error;
  }
  removeEngineFolder(folder);
}

/**
 * Removes the folder, with retries, because processes that clean up after containers may still run. Node's own retries do
 * not remove a file that such a process writes between two of them.
 */
export function removeEngineFolder(folder: string): void {
  for (let left = 50; ; left--) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (error) {
      if (left === 1 || !['ENOTEMPTY', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}

/** Writes the image to a file that podman and containerd can load. */
export function saveImage(file: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-image-'));
  try {
    const podman = podmanEngine(folder);
    buildImage(podman, podmanBuildOptions());
    podman('save', '--output', file, IMAGE);
  } finally {
    removePodman(folder);
  }
}

if (require.main === module) saveImage(process.argv[2] as string);
