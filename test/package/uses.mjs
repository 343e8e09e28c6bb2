// Uses of the package: publint and attw find no problem, each version of TypeScript accepts its types, and bundles that
// are built as docs/bundlers.md says can trace.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmModules } from '../../scripts/npm-modules.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

const TYPESCRIPTS = ['5.2', '5.3', '5.4', '5.5', '5.6', '5.7', '5.8', '5.9', '6', '7'];

const runCommand = (cwd, program, ...args) => {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')}:\n${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`, {
      cause: error,
    });
  }
};
const npm = (cwd, ...specifiers) =>
  runCommand(cwd, 'npm', 'install', '--no-audit', '--no-fund', '--loglevel=error', '--no-save', ...specifiers);

/** The names of the checks, and what they do with the package in an empty folder with it. */
const USES = {
  'size of the installation': (folder) => checkSize(folder),
  'commands without an addon': (folder) => checkCommands(folder),
  publint: (folder, tarball) =>
    runCommand(folder, 'node', join(npmModules('publint@0.3'), 'publint/src/cli.js'), tarball, '--strict'),
  attw: (folder, tarball) =>
    runCommand(
      folder,
      'node',
      join(npmModules('@arethetypeswrong/cli@0.18'), '@arethetypeswrong/cli/dist/index.js'),
      tarball,
      // it is for the package polytrace-agent, which has types of its own
      '--exclude-entrypoints',
      './protocol',
    ),
  ...Object.fromEntries(TYPESCRIPTS.map((version) => [`TypeScript ${version}`, (folder) => compile(folder, version)])),
  esbuild: bundle,
  webpack,
  rollup,
  '@vercel/nft': trace,
  'single executable': makeExecutable,
  'Electron archive': packArchive,
  'Next.js standalone': buildNext,
};

const MAX_PACKAGES = 8;
const MAX_KILOBYTES = 15 * 1024;

/** Counts the installed packages, and what they need on the disk. */
function checkSize(folder) {
  const modules = join(folder, 'node_modules');
  const packages = readdirSync(modules, { recursive: true }).filter((file) =>
    /^(@[^/]+\/)?[^/]+\/package\.json$/.test(file.split('node_modules/').at(-1)),
  );
  if (packages.length > MAX_PACKAGES) throw new Error(`${packages.length} packages: ${packages.join(', ')}`);
  const [kilobytes] = runCommand(folder, 'du', '-sk', modules).split('\t');
  if (Number(kilobytes) > MAX_KILOBYTES) throw new Error(`${kilobytes} KB, more than ${MAX_KILOBYTES}`);
  return `${packages.length} packages, ${kilobytes} KB`;
}

/** Runs the commands that need no kernel, without the addon, as on macOS and Windows. */
function checkCommands(folder) {
  const away = mkdtempSync(join(tmpdir(), 'polytrace-commands-'));
  try {
    cpSync(join(folder, 'node_modules'), join(away, 'node_modules'), { recursive: true });
    rmSync(join(away, 'node_modules/polytrace/prebuilds'), { recursive: true, force: true });
    const event =
      '{"process_exec":{"process":{"exec_id":"bm9kZTox","pid":7,"uid":0,"cwd":"/","binary":"/usr/bin/cat","arguments":"/etc/passwd","flags":"execve","start_time":"2026-01-31T12:00:00Z","parent_exec_id":""}},"node_name":"node","time":"2026-01-31T12:00:00Z"}\n';
    writeFileSync(join(away, 'events.jsonl'), event);
    const run = (...args) => runCommand(away, 'node', 'node_modules/polytrace/dist/cli/main.js', ...args);
    const expect = (text, part) => {
      if (!text.includes(part)) throw new Error(`not in the output: ${part}\n${text}`);
    };
    expect(run('read', 'events.jsonl', '--filter', 'process.pid == 7'), '/usr/bin/cat');
    expect(run('getevents', '--input', 'events.jsonl', '-o', 'json'), '"pid":7');
    run('report', 'events.jsonl', '-o', 'report.html');
    expect(readFileSync(join(away, 'report.html'), 'utf8'), '<title>polytrace report</title>');
    expect(run('policies', 'list'), 'file-integrity');
    expect(run('validate', 'polytrace:file-integrity'), '');
    const status = spawnSync(process.execPath, ['node_modules/polytrace/dist/cli/main.js', 'status'], {
      cwd: away,
      encoding: 'utf8',
      env: { ...process.env, POLYTRACE_SOCKET: '/nowhere' },
    });
    expect(status.stderr, 'no agent answers at unix:///nowhere');
  } finally {
    rmSync(away, { recursive: true });
  }
}

/** Compiles the program as both kinds of modules, with and without the types of Node.js. */
function compile(folder, version) {
  const tsc = join(npmModules(`typescript@${version}`), 'typescript/bin/tsc');
  copyFileSync(join(here, 'consumer.ts.txt'), join(folder, 'consumer.mts'));
  copyFileSync(join(here, 'consumer.ts.txt'), join(folder, 'consumer.cts'));
  cpSync(join(npmModules('@types/node@20'), '.'), join(folder, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  for (const types of [[], ['node']]) {
    const compilerOptions = { ...OPTIONS, types };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['consumer.*'] }));
    runCommand(folder, 'node', tsc);
  }
}

const OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  target: 'es2022',
  lib: ['es2022'],
  module: 'node16',
  moduleResolution: 'node16',
};

const APP = `import { openTracer, policyLibrary } from 'polytrace';
import { spawnSync } from 'node:child_process';
void (async () => {
  const tracer = await openTracer();
  const events = tracer.events({ types: ['process_exec'] });
  const next = events.next();
  spawnSync('/bin/true');
  await next;
  await tracer.close();
  if (policyLibrary().length === 0) throw new Error('the policies are missing');
  console.log('TRACED');
})();
`;

const page = () => readFileSync(join(root, 'docs/bundlers.md'), 'utf8');

/** Runs a program in a copy of the folder, without the package that the copy does not contain. */
function checkTraces(folder, file) {
  const away = mkdtempSync(join(tmpdir(), 'polytrace-bundle-'));
  cpSync(folder, away, { recursive: true });
  const output = runCommand(away, 'node', file);
  rmSync(away, { recursive: true });
  if (!/^TRACED$/m.test(output)) throw new Error(`${file}: ${output}`);
}

/** Runs each command of docs/bundlers.md that calls esbuild, and then the bundle, without the package if it contains it. */
function bundle(folder) {
  const pieces = shellBlocks().filter((commands) => !commands.includes('NODE_SEA_BLOB'));
  cpSync(npmModules('esbuild@0.28'), join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(folder, 'app.ts'), APP);
  const bundles = [];
  for (const commands of pieces) {
    runCommand(folder, 'sh', '-e', '-c', commands);
    bundles.push(...[...commands.matchAll(/--outfile=(\S+)/g)].map(([, file]) => file));
  }
  for (const file of bundles) {
    const isAlone = file.startsWith('out/');
    checkTraces(isAlone ? join(folder, 'out') : folder, isAlone ? file.slice('out/'.length) : file);
  }
  if (bundles.length !== 4) throw new Error(`docs/bundlers.md has ${bundles.length} bundles of esbuild`);
}

const shellBlocks = () => [...page().matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands);

/** Runs the commands of docs/bundlers.md for a single executable, and then the executable without the package. */
function makeExecutable(folder) {
  for (const specifier of ['esbuild@0.28', 'postject@1.0.0-alpha.6'])
    cpSync(npmModules(specifier), join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(folder, 'app.ts'), APP);
  const commands = shellBlocks().find((block) => block.includes('NODE_SEA_BLOB'));
  runCommand(folder, 'sh', '-e', '-c', commands);
  const away = mkdtempSync(join(tmpdir(), 'polytrace-executable-'));
  cpSync(join(folder, 'single'), away, { recursive: true });
  const files = readdirSync(away).sort().join();
  const output = runCommand(away, join(away, 'app'));
  rmSync(away, { recursive: true });
  if (files !== 'app,policies,prebuilds') throw new Error(`the folder has ${files}`);
  if (!/^TRACED$/m.test(output)) throw new Error(output);
}

/** Packs the program as Electron's packagers do it, and checks what lies outside of the archive. Electron does not run. */
function packArchive(folder) {
  const source = join(folder, 'electron');
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'app.mjs'), APP);
  cpSync(join(folder, 'node_modules'), join(source, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  const [, pattern] = /unpackDir: '([^']+)'/.exec(page()) ?? [];
  const asar = join(npmModules('@electron/asar@3'), '@electron/asar/bin/asar.js');
  runCommand(folder, 'node', asar, 'pack', source, 'app.asar', '--unpack-dir', pattern);
  const unpacked = join(folder, 'app.asar.unpacked', 'node_modules', 'polytrace');
  const files = readdirSync(unpacked, { recursive: true });
  for (const name of ['prebuilds/linux-x64/polytrace.node', 'policies/file-integrity.yaml', 'dist/index.js']) {
    if (!files.includes(name)) throw new Error(`${name} is in the archive`);
  }
}

/** Builds a server of Next.js with `output: 'standalone'`, and asks it for an event in a folder without the sources. */
function buildNext(folder) {
  const source = join(folder, 'next');
  mkdirSync(join(source, 'app/api'), { recursive: true });
  writeFileSync(join(source, 'package.json'), '{"name":"app","version":"1.0.0","private":true}');
  writeProgram(source, 'next.config.mjs');
  writeFileSync(join(source, 'app/layout.js'), 'export default ({ children }) => children;\n');
  writeFileSync(join(source, 'app/api/route.js'), NEXT_ROUTE);
  cpSync(npmModules('next@15', 'react@19', 'react-dom@19'), join(source, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  cpSync(join(folder, 'node_modules/polytrace'), join(source, 'node_modules/polytrace'), { recursive: true });
  for (const name of ['node-gyp-build', 'yaml', 're2js', 'commander', '@bufbuild'])
    cpSync(join(folder, 'node_modules', name), join(source, 'node_modules', name), { recursive: true });
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
  const next = join(source, 'node_modules/next/dist/bin/next');
  const { status, stdout, stderr } = spawnSync('node', [next, 'build'], { cwd: source, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`next build: ${stdout}${stderr}`);
  const away = mkdtempSync(join(tmpdir(), 'polytrace-next-'));
  cpSync(join(source, '.next/standalone'), away, { recursive: true });
  try {
    runCommand(away, 'node', '--input-type=module', '-e', ASK_NEXT);
  } finally {
    rmSync(away, { recursive: true });
  }
}

const NEXT_ROUTE = `import { openTracer, policyLibrary } from 'polytrace';
import { spawnSync } from 'node:child_process';
export const dynamic = 'force-dynamic';
export async function GET() {
  const tracer = await openTracer();
  const next = tracer.events({ types: ['process_exec'] }).next();
  spawnSync('/bin/true');
  await next;
  await tracer.close();
  return new Response(policyLibrary().length === 0 ? 'no policies' : 'TRACED');
}
`;

/** Starts the server, and fails unless it answers TRACED. */
const ASK_NEXT = `import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
const probe = createServer().listen(0, '127.0.0.1');
await new Promise((resolve) => probe.once('listening', resolve));
const { port } = probe.address();
await new Promise((resolve) => probe.close(resolve));
const env = { ...process.env, PORT: String(port), HOSTNAME: '127.0.0.1' };
const server = spawn('node', ['server.js'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
const isReady = new Promise((resolve) => server.stdout.on('data', (text) => /Ready/.test(text) && resolve()));
await Promise.race([isReady, new Promise((resolve, reject) => server.once('exit', reject))]);
const answer = await (await fetch('http://127.0.0.1:' + port + '/api')).text();
server.kill();
if (answer !== 'TRACED') throw new Error(answer);
`;

/** Writes the program, and the configuration that docs/bundlers.md shows under this name. */
function writeProgram(folder, configuration) {
  writeFileSync(join(folder, 'app.mjs'), APP);
  if (configuration === undefined) return;
  const blocks = [...page().matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);
  writeFileSync(
    join(folder, configuration),
    blocks.find((text) => text.startsWith(`// ${configuration}\n`)),
  );
}

function webpack(folder) {
  writeProgram(folder, 'webpack.config.cjs');
  const modules = npmModules('webpack@5', 'webpack-cli@6');
  runCommand(folder, 'node', join(modules, 'webpack-cli/bin/cli.js'), '--config', 'webpack.config.cjs');
  for (const name of ['prebuilds', 'policies']) {
    cpSync(join(folder, 'node_modules/polytrace', name), join(folder, 'packed', name), { recursive: true });
  }
  checkTraces(join(folder, 'packed'), 'app.cjs');
}

function rollup(folder) {
  writeProgram(folder, 'rollup.config.mjs');
  runCommand(folder, 'node', join(npmModules('rollup@4'), 'rollup/dist/bin/rollup'), '--config', '--silent');
  checkTraces(folder, 'rolled.mjs');
}

/** Copies only what @vercel/nft finds, as Next.js and Nitro do it. */
function trace(folder) {
  writeProgram(folder);
  const module = join(npmModules('@vercel/nft@1'), '@vercel/nft/out/index.js');
  const script = `require(${JSON.stringify(module)}).nodeFileTrace(['app.mjs'], { base: process.cwd() }).then(({ fileList }) => {
    for (const file of fileList) require('node:fs').cpSync(file, 'traced/' + file);
  });`;
  runCommand(folder, 'node', '-e', script);
  checkTraces(join(folder, 'traced'), 'app.mjs');
}

/** Installs the tarball into an empty folder, and runs the checks with it. Returns the problems, and prints a row for each. */
export function checkUses(tarball, names = Object.keys(USES)) {
  const problems = [];
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-uses-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{"name":"app","version":"1.0.0","private":true}');
    npm(folder, tarball);
    mkdirSync(join(folder, 'out'), { recursive: true });
    for (const name of names) {
      const started = Date.now();
      let result = 'good';
      try {
        const figures = USES[name](folder, tarball);
        if (typeof figures === 'string' && name.startsWith('size')) result = figures;
      } catch (error) {
        result = 'FAILED';
        problems.push(`${name}: ${error.message}`);
      }
      console.log(`| ${[name, ((Date.now() - started) / 1000).toFixed(0), result].join(' | ')} |`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkUses(process.argv[2], process.argv.slice(3).length > 0 ? process.argv.slice(3) : undefined);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
