// Builds the published image: deploy/Dockerfile for both architectures, with the prebuilt addons, Debian's packages and Node.js of
// the npm registry. No program of the image runs while it is built. The result is one file in the layout of OCI, whose manifests
// have Docker's types, because those of OCI have no HEALTHCHECK. `podman load` and `skopeo copy --all oci-archive:FILE` read it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAptConfig } from '../debian.mjs';
import { TARGETS } from '../prebuilds/targets.mjs';
import { cachedFolder } from '../prebuilds/toolchain.mjs';
import { cleanEnvironment } from './environment.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const PURPOSE = 'the image';
const SUITE = 'trixie';

/** Node.js of the npm registry, pinned by its hash: packages node-linux-ARCH. */
const NODE_VERSION = '22.23.3';
const NODE_INTEGRITY = {
  x64: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  arm64: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
};

const run = (program, args, env = cleanEnvironment(process.env)) =>
  execFileSync(program, args, { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();

/** Returns the program node for an architecture, with its licence two folders above. */
function downloadNode(arch) {
  const folder = cachedFolder(`node-${arch}`, [NODE_VERSION, NODE_INTEGRITY[arch]], (made) => {
    const name = run('npm', ['pack', '--silent', '--pack-destination', made, `node-linux-${arch}@${NODE_VERSION}`]);
    const file = join(made, name.split('\n').at(-1));
    const hash = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
    if (hash !== NODE_INTEGRITY[arch]) throw new Error(`${PURPOSE}: ${name} has the hash ${hash}`);
    run('tar', ['-xzf', file, '-C', made, 'package/bin/node', 'package/LICENSE']);
    rmSync(file);
  });
  return join(folder, 'package/bin/node');
}

/** Writes base.tar and node.tar for an architecture to a new folder, and returns it. */
function makeBases(arch, work) {
  const [apt, folder] = [join(work, `apt-${arch}`), join(work, `base-${arch}`)];
  const config = writeAptConfig(PURPOSE, apt, SUITE, TARGETS[arch].debian);
  const env = { ...cleanEnvironment(process.env), APT_CONFIG: config };
  run('bash', ['deploy/build-base.sh', folder, downloadNode(arch)], env);
  return folder;
}

function podmanCommand(work) {
  const folders = ['root', 'runroot', 'tmpdir'].map((name) => `--${name}=${join(work, 'podman', name)}`);
  // vfs mounts nothing: it also works in a container of CI, and its folder can be removed
  const options = [
    ...folders,
    '--storage-driver=vfs',
    '--cgroup-manager=cgroupfs',
    '--events-backend=none',
    '--log-level=error',
  ];
  return (...args) => run('podman', [...options, ...args]);
}

function buildOne(podman, arch, work, time) {
  const platform = TARGETS[arch].debian;
  const staged = `build/image-${arch}`;
  const bases = makeBases(arch, work);
  for (const name of ['base', 'node'])
    podman(
      'import',
      '--quiet',
      '--os=linux',
      `--arch=${platform}`,
      join(bases, `${name}.tar`),
      `localhost/${name}:${arch}`,
    );
  run('node', ['scripts/stage-image.mjs', staged, '--prebuilt', arch]);
  const settings = {
    PACKAGE: 'checkout',
    STAGED: staged,
    BASE: 'plain',
    BASE_IMAGE: `localhost/base:${arch}`,
    NODE_IMAGE: `localhost/node:${arch}`,
  };
  const image = `localhost/polytrace:${arch}`;
  // the cache does not ask for which architecture a layer was made
  const options = [
    '--quiet',
    '--no-cache',
    '--layers=false',
    '--pull=never',
    '--network=none',
    '--format=docker',
    `--timestamp=${time}`,
  ];
  const args = Object.entries(settings).map(([name, value]) => `--build-arg=${name}=${value}`);
  podman(
    'build',
    ...options,
    `--platform=linux/${platform}`,
    ...args,
    '--file=deploy/Dockerfile',
    `--tag=${image}`,
    '.',
  );
  rmSync(join(root, staged), { recursive: true });
  return image;
}

/** Turns the files of skopeo's `dir:` into the layout of OCI. */
export function writeLayout(from, to, name) {
  mkdirSync(join(to, 'blobs/sha256'), { recursive: true });
  for (const file of readdirSync(from)) {
    const hash = /^([0-9a-f]{64})(\.manifest\.json)?$/.exec(file)?.[1];
    if (hash !== undefined) copyFileSync(join(from, file), join(to, 'blobs/sha256', hash));
  }
  const list = readFileSync(join(from, 'manifest.json'));
  const hash = createHash('sha256').update(list).digest('hex');
  writeFileSync(join(to, 'blobs/sha256', hash), list);
  const { mediaType } = JSON.parse(list);
  // the names that Podman and Docker give to the image
  const annotations = {
    'org.opencontainers.image.ref.name': name,
    'io.containerd.image.name': `docker.io/library/${name}`,
  };
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType, digest: `sha256:${hash}`, size: list.length, annotations }],
  };
  writeFileSync(join(to, 'index.json'), JSON.stringify(index));
  writeFileSync(join(to, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

/** Builds the image of a version into `output`, and returns the file. `time` is its date in seconds since 1970. */
export function buildImage(output, version, time) {
  const work = mkdtempSync(join(tmpdir(), 'polytrace-image-'));
  const podman = podmanCommand(work);
  try {
    const images = Object.keys(TARGETS).map((arch) => buildOne(podman, arch, work, time));
    podman('manifest', 'create', 'localhost/all');
    for (const image of images) podman('manifest', 'add', 'localhost/all', `containers-storage:${image}`);
    const [plain, packed, layout] = ['plain', 'packed', 'layout'].map((name) => join(work, name));
    podman('manifest', 'push', '--quiet', '--all', '--format=v2s2', 'localhost/all', `dir:${plain}`);
    run('skopeo', ['copy', '--quiet', '--all', '--format=v2s2', '--dest-compress', `dir:${plain}`, `dir:${packed}`]);
    writeLayout(packed, layout, `polytrace:${version}`);
    const file = join(output, `polytrace-image-${version}.tar`);
    run('tar', [
      '--sort=name',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      `--mtime=@${time}`,
      '-cf',
      file,
      '-C',
      layout,
      '.',
    ]);
    return file;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
