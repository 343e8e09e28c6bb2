// Uses of the package: publint and attw find no problem, each version of TypeScript accepts its types, and bundles that
// esbuild builds with the commands of docs/install.md can trace.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  publint: (folder, tarball) =>
    runCommand(folder, 'node', join(npmModules('publint@0.3'), 'publint/src/cli.js'), tarball, '--strict'),
  attw: (folder, tarball) =>
    runCommand(
      folder,
      'node',
      join(npmModules('@arethetypeswrong/cli@0.18'), '@arethetypeswrong/cli/dist/index.js'),
      tarball,
    ),
  ...Object.fromEntries(TYPESCRIPTS.map((version) => [`TypeScript ${version}`, (folder) => compile(folder, version)])),
  esbuild: bundle,
};

/** Compiles the program as both kinds of modules, with and without the types of Node.js. */
function compile(folder, version) {
  const tsc = join(npmModules(`typescript@${version}`), 'typescript/bin/tsc');
  copyFileSync(join(here, 'consumer.ts.txt'), join(folder, 'consumer.mts'));
  copyFileSync(join(here, 'consumer.ts.txt'), join(folder, 'consumer.cts'));
  cpSync(join(npmModules('@types/node@20'), '.'), join(folder, 'node_modules'), { recursive: true });
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

const APP = `import { openTracer } from 'polytrace';
import { spawnSync } from 'node:child_process';
void (async () => {
  const tracer = await openTracer();
  const events = tracer.events({ types: ['process_exec'] });
  const next = events.next();
  spawnSync('/bin/true');
  await next;
  await tracer.close();
  console.log('TRACED');
})();
`;

/** Runs each command of docs/install.md that calls esbuild, and then the bundle, without the package if it contains it. */
function bundle(folder) {
  const section = /^## Bundlers$(.*?)^## /ms.exec(readFileSync(join(root, 'docs/install.md'), 'utf8'))[1];
  const pieces = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands);
  cpSync(npmModules('esbuild@0.28'), join(folder, 'node_modules'), { recursive: true });
  writeFileSync(join(folder, 'app.ts'), APP);
  const bundles = [];
  for (const commands of pieces) {
    runCommand(folder, 'sh', '-e', '-c', commands);
    bundles.push(...[...commands.matchAll(/--outfile=(\S+)/g)].map(([, file]) => file));
  }
  for (const file of bundles) {
    const away = mkdtempSync(join(tmpdir(), 'polytrace-bundle-'));
    const isAlone = file.startsWith('out/');
    cpSync(isAlone ? join(folder, 'out') : folder, away, { recursive: true });
    const output = runCommand(away, 'node', isAlone ? file.slice('out/'.length) : file);
    rmSync(away, { recursive: true });
    if (!/^TRACED$/m.test(output)) throw new Error(`${file}: ${output}`);
  }
  if (bundles.length !== 4) throw new Error(`docs/install.md has ${bundles.length} bundles`);
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
        USES[name](folder, tarball);
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
