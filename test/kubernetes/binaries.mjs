// kube-apiserver and kubelet, built from the source package of another Debian suite. They are built once for a machine:
// the cache is outside this folder, so that every checkout shares it. `node test/kubernetes/binaries.mjs` builds them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { privateApt, runProgram } from '../../scripts/debian.mjs';

const PURPOSE = 'build of Kubernetes';
/** The newest version that Debian has. It needs a compiler of its time. */
const VERSION = '1.20.2';
const SOURCE_SUITE = 'bookworm';
const COMPILER_SUITE = 'bullseye';
const COMPILER = 'golang-1.15';

const cache = process.env.POLYTRACE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'polytrace');
/** The folder with the programs. */
export const kubernetesFolder = join(cache, `kubernetes-${VERSION}-${process.arch}`);

/** Builds the programs unless they are there: 6 to 8 minutes on two processors. */
async function buildKubernetes() {
  if (existsSync(kubernetesFolder)) return;
  console.error(`kubernetes: building ${VERSION} (once, into ${kubernetesFolder})`);
  // one folder for each build: another one may run at the same time
  const work = `${kubernetesFolder}.${process.pid}`;
  try {
    const source = join(work, 'source');
    for (const name of ['source', 'go', 'bin']) mkdirSync(join(work, name), { recursive: true });
    fetchSource(join(work, 'packages'), source);
    fetchCompiler(join(work, 'packages-go'), join(work, 'go'));
    const words = [source, join(work, 'go/usr/lib', COMPILER.replace('golang', 'go')), join(work, 'bin')];
    const script = join(dirname(fileURLToPath(import.meta.url)), 'build.sh');
    const child = spawn('bash', [script, ...words], { stdio: ['ignore', 'inherit', 'inherit'] });
    const [status] = await once(child, 'exit');
    if (status !== 0) throw new Error(`${PURPOSE}: build.sh ended with status ${status}`);
    if (!existsSync(kubernetesFolder)) renameSync(join(work, 'bin'), kubernetesFolder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fetchSource(packages, source) {
  mkdirSync(packages);
  const apt = privateApt(PURPOSE, packages, SOURCE_SUITE);
  apt('apt-get', 'update');
  apt('apt-get', 'source', '--download-only', 'kubernetes');
  const archive = readdirSync(packages).find((name) => name.endsWith('.orig.tar.gz'));
  runProgram(PURPOSE, 'tar', ['xzf', join(packages, archive), '--strip-components=1', '-C', source]);
}

function fetchCompiler(packages, folder) {
  mkdirSync(packages);
  const apt = privateApt(PURPOSE, packages, COMPILER_SUITE);
  apt('apt-get', 'update');
  for (const name of [`${COMPILER}-go`, `${COMPILER}-src`]) {
    apt('apt-get', 'download', name);
    const file = readdirSync(packages).find((each) => each.startsWith(`${name}_`));
    runProgram(PURPOSE, 'dpkg-deb', ['-x', join(packages, file), folder]);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildKubernetes();
