// Uses of the package: publint and attw find no problem, each version of TypeScript accepts its types, and bundles that
// are built as docs/bundlers.md says can trace.
import { spawnSync } from 'node:child_process';
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
import { BUNDLES } from './bundles.mjs';
import { addModules, runCommand } from './commands.mjs';
import { buildNext } from './next.mjs';

const here = dirname(fileURLToPath(import.meta.url));

const TYPESCRIPTS = ['5.2', '5.3', '5.4', '5.5', '5.6', '5.7', '5.8', '5.9', '6', '7'];

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
  ...BUNDLES,
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
  addModules(folder, '@types/node@20');
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
