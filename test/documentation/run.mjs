// npm run test:documentation [-- PAGE...]: executes the commands and programs of the documentation from the packed
// tarballs, in an empty folder of a virtual machine with a full kernel, and compares the output where a page shows one.
// Prints a table. It fails if a block fails, or if more than one of twenty blocks is not run.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runInVm } from '../vm/vm.mjs';
import { NOT_RUN_MAX, PAGES } from './blocks.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const folder = join(root, 'build/documentation');
/** Packages that pages install, or that their programs need. */
const USED_PACKAGES = ['esbuild', 'typescript@5.9', '@types/node@20', 'fastify', 'node-addon-api', 'node-api-headers'];

const wanted = process.argv.slice(2);
const pages = wanted.length === 0 ? PAGES : PAGES.filter((page) => wanted.some((name) => page.includes(name)));

const run = (cwd, program, ...args) =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();

/** Packs a package. Without a prebuilt addon, the tarball gets the addon of this checkout. */
function pack(name, workspace) {
  const packed = JSON.parse(
    run(
      root,
      'npm',
      'pack',
      '--json',
      '--silent',
      '--pack-destination',
      folder,
      ...(workspace ? ['-w', workspace] : []),
    ),
  );
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  const tarball = join(folder, `${name}.tgz`);
  renameSync(join(folder, filename), tarball);
  if (workspace === undefined && !existsSync(join(root, 'prebuilds/linux-x64/polytrace.node'))) {
    console.log('documentation: no prebuilt addon; the package gets the addon of build/Release');
    run(folder, 'tar', '-xzf', tarball);
    cpSync(join(root, 'build/Release/polytrace.node'), join(folder, 'package/prebuilds/linux-x64/polytrace.node'), {
      recursive: true,
    });
    run(folder, 'tar', '-czf', tarball, 'package');
  }
  return tarball;
}

/** Makes app/, an empty folder with the package installed, and npm's cache, because the guest has no network. */
function prepare() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const app = join(folder, 'app');
  const [library, agent] = [pack('polytrace'), pack('polytrace-agent', 'agent')];
  const install = ['install', '--no-audit', '--no-fund', '--loglevel=error', '--cache', join(folder, 'cache')];
  const installIn = (cwd, ...packages) => {
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'package.json'), '{"name":"app","version":"1.0.0"}\n');
    run(cwd, 'npm', ...install, ...packages);
  };
  installIn(app, library);
  installIn(join(folder, 'used'), library, ...USED_PACKAGES);
  // by itself, because other packages change the versions of what it needs
  installIn(join(folder, 'agent'), library, agent);
  // `npm install polytrace` takes the tarball, and everything else from the cache
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const npm = run(root, 'which', 'npm');
  writeFileSync(
    join(bin, 'npm'),
    `#!/bin/bash
for word; do
  case $word in
  polytrace) words+=(${library}) ;;
  polytrace-agent) words+=(${agent}) ;;
  *) words+=("$word") ;;
  esac
done
exec ${npm} "\${words[@]}"
`,
    { mode: 0o755 },
  );
  if (pages.some((page) => IMAGE_PAGES.includes(page))) {
    run(root, process.execPath, '--require', 'tsx/cjs', 'test/image/image.ts', join(folder, 'image.tar'));
    writeFileSync(join(bin, 'docker'), PODMAN, { mode: 0o755 });
  }
}

/** Pages that run containers. */
const IMAGE_PAGES = ['README.md', 'docs/deploy.md', 'docs/fleet.md'];
/** `docker` in the guest is Podman without a network, or with that of the host. It loads the image of this checkout as `polytrace`. */
const PODMAN = `#!/bin/bash
podman=(podman --root /tmp/podman/storage --runroot /tmp/podman/run --tmpdir /tmp/podman/tmp)
podman+=(--cgroup-manager=cgroupfs --events-backend=none --runtime=crun)
if ! test -e /tmp/podman/loaded; then
  "\${podman[@]}" load --quiet --input ${folder}/image.tar && "\${podman[@]}" tag localhost/polytrace:test polytrace || exit
  touch /tmp/podman/loaded
fi
case "$*" in
*--network=host*) ;;
run*) set -- run --network=none "\${@:2}" ;;
esac
exec "\${podman[@]}" "$@"
`;

class RowReader extends Writable {
  rows = [];
  #rest = '';

  _write(chunk, _, done) {
    const lines = `${this.#rest}${chunk}`.split('\n');
    this.#rest = lines.pop();
    for (const line of lines) this.#read(line);
    done();
  }

  #read(line) {
    if (!line.startsWith('{"page"')) return console.log(line);
    const row = JSON.parse(line);
    this.rows.push(row);
    const { page, line: at, language, result, seconds, problem } = row;
    console.log(`| ${page}:${at} | ${language} | ${result} | ${seconds ?? ''} |`);
    if (problem !== undefined) console.log(problem.replaceAll(/^/gm, '    '));
  }
}

prepare();
const script = `
hostname machine
# Podman locks a file there
mount -t tmpfs none /var/cache
mkdir -p /tmp/documentation && cp -a ${folder}/cache /tmp/npm-cache
cp -a ${folder}/bin /tmp/documentation/bin
export npm_config_cache=/tmp/npm-cache npm_config_offline=true npm_config_audit=false npm_config_fund=false
export npm_config_update_notifier=false npm_config_prefix=/tmp/npm-global PATH=/tmp/documentation/bin:/tmp/npm-global/bin:$PATH
cp -a ${folder}/app /tmp/documentation/
node ${join(here, 'execute.mjs')} /tmp/documentation ${pages.join(' ')}
`;
const output = new RowReader();
console.log('| block | language | result | seconds |\n| --- | --- | --- | --- |');
const { status } = await runInVm({
  kernel: '6.12',
  script,
  memoryMb: 4096,
  timeoutMs: 3_000_000,
  quietMs: 600_000,
  stdout: output,
});
const { rows } = output;
const count = (result) => rows.filter((row) => row.result === result).length;
const missing = pages.filter((page) => !rows.some((row) => row.page === page));
console.log(
  `\n${rows.length} blocks: ${count('ok')} ok, ${count('compared')} compared by another test, ` +
    `${count('not run')} not run, ${count('FAILED')} failed`,
);
if (missing.length > 0) console.error(`documentation: no block of ${missing.join(', ')} was read`);
const tooMany = wanted.length === 0 && count('not run') > NOT_RUN_MAX * rows.length;
if (tooMany) console.error(`documentation: more than ${NOT_RUN_MAX * 100} % of the blocks are not run`);
if (status !== 0 || count('FAILED') > 0 || missing.length > 0 || tooMany) process.exitCode = 1;
