// node scripts/nightly-run-packages.mjs [RUNS]: installs twenty real packages with install scripts or native builds under
// `polytrace run`, as root and with npm's registry. The first run writes the lock file; each of RUNS (5) further clean runs
// must do nothing new. Then one package is updated: all that is new must be in its section, or in those of packages that
// came with the update. Prints what is new, and fails if it should not be.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

const { run, parseLock, formatRunSummary } = createRequire(import.meta.url)('..');

/** Every one has a script that npm runs when it is installed. */
const PACKAGES = {
  '@parcel/watcher': '2.5.1',
  argon2: '0.44.0',
  bcrypt: '6.0.0',
  'bigint-buffer': '1.1.5',
  bufferutil: '4.0.9',
  'cbor-extract': '2.2.0',
  'classic-level': '3.0.0',
  'core-js': '3.45.0',
  'es5-ext': '0.10.64',
  esbuild: '0.25.9',
  keccak: '3.0.4',
  leveldown: '6.1.1',
  lmdb: '3.4.2',
  microtime: '3.1.1',
  'msgpackr-extract': '3.0.3',
  protobufjs: '7.5.4',
  secp256k1: '5.0.1',
  'simple-git-hooks': '2.13.1',
  'unrs-resolver': '1.11.1',
  'utf-8-validate': '6.0.5',
};

/** The package that is updated. */
const UPDATE = { name: 'esbuild', version: '0.25.10' };

const runs = Number(process.argv[2] ?? 5);
const shop = mkdtempSync(join(tmpdir(), 'polytrace-packages-'));
const [project, home] = ['project', 'home'].map((name) => join(shop, name));
mkdirSync(project);
mkdirSync(home);
const lock = join(shop, 'polytrace-lock.yaml');
const env = {
  ...process.env,
  HOME: home,
  npm_config_userconfig: process.env.npm_config_userconfig ?? join(homedir(), '.npmrc'),
  npm_config_cache: join(home, '.npm'),
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  // sources are compiled with the headers of this machine
  ...(existsSync('/usr/include/node/node_api.h') ? { npm_config_nodedir: '/usr' } : {}),
};

async function install() {
  for (const folder of [join(project, 'node_modules'), join(home, '.npm')])
    rmSync(folder, { recursive: true, force: true });
  const handle = await run(['npm', 'ci', '--loglevel=error'], { cwd: project, env, lock });
  const [summary, violations] = [await handle.summary, await handle.violations];
  if (summary.exitCode !== 0) throw new Error(`npm ci ended with status ${summary.exitCode}`);
  return { summary, violations };
}

function writeLockfile(dependencies) {
  const manifest = { name: 'packages', version: '1.0.0', private: true, dependencies };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  execFileSync('npm', ['install', '--package-lock-only', '--silent'], { cwd: project, env, stdio: 'inherit' });
}

const installed = () => Object.entries(JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')).packages);

function print(what, { summary, violations }) {
  console.log(
    `${what}: ${violations.length} differences, ${summary.execs} programs, ${summary.durationMs} ms, ${summary.lost} lost`,
  );
  for (const { package: name = '.', fact, kind, subject } of violations)
    console.log(`  + ${name}: ${kind} ${fact} (${subject})`);
}

/** Returns the number of differences that the update does not explain. */
async function checkUpdate() {
  const before = new Map(installed().map(([path, { version }]) => [path, version]));
  writeLockfile({ ...PACKAGES, [UPDATE.name]: UPDATE.version });
  const changed = installed()
    .filter(([path, { version }]) => path !== '' && before.get(path) !== version)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
  console.log(`update: ${UPDATE.name} ${UPDATE.version} changes ${changed.join(', ')}`);
  if (!changed.includes(UPDATE.name)) throw new Error(`${UPDATE.name} was not updated`);
  const result = await install();
  print('run with the update', result);
  const { summary, violations } = result;
  const wrong = violations.filter(({ package: name }) => !changed.includes(name));
  // the script of the new version runs, and is seen
  if (!summary.behaviors.some((each) => each.package === UPDATE.name))
    throw new Error(`the script of ${UPDATE.name} was not seen`);
  // a script that does what it did before is no difference; one that does more is
  addScript();
  const more = await install();
  print('run with a script that does more', more);
  const added = more.violations.map(({ package: name, kind, fact }) => `${name} ${kind} ${fact}`);
  const expected = `${UPDATE.name} write $HOME/added-by-the-update`;
  if (!added.includes(expected)) throw new Error(`${expected} is no difference`);
  const others = more.violations.filter(({ package: name }) => !changed.includes(name));
  return wrong.length + others.length;
}

/** The new version of the package from a folder of this machine, with one thing more in its script. */
function addScript() {
  const folder = join(shop, 'changed');
  mkdirSync(folder);
  const [file] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', `${UPDATE.name}@${UPDATE.version}`], {
      cwd: folder, env, encoding: 'utf8',
    }),
  ); // prettier-ignore
  execFileSync('tar', ['xzf', file.filename], { cwd: folder });
  const manifestFile = join(folder, 'package', 'package.json');
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
  manifest.scripts.postinstall += ' && node add.js';
  writeFileSync(manifestFile, JSON.stringify(manifest));
  writeFileSync(
    join(folder, 'package', 'add.js'),
    `require('node:fs').writeFileSync(process.env.HOME + '/added-by-the-update', 'x')`,
  );
  execFileSync('tar', ['czf', join(project, 'changed.tgz'), 'package'], { cwd: folder });
  writeLockfile({ ...PACKAGES, [UPDATE.name]: 'file:changed.tgz' });
}

try {
  writeLockfile(PACKAGES);
  let failures = 0;
  for (let i = 0; i <= runs; i++) {
    const result = await install();
    if (i === 0) {
      const facts = parseLock(readFileSync(lock, 'utf8'));
      const packages = new Set(facts.map((fact) => fact.package));
      console.log(`lock file: ${facts.length} facts, ${packages.size - 1} packages with scripts`);
      console.log(formatRunSummary(result.summary, 'text'));
      if (process.env.KEEP_LOCK !== undefined) writeFileSync(process.env.KEEP_LOCK, readFileSync(lock));
    } else {
      print(`run ${i}`, result);
    }
    failures += result.violations.length;
  }
  failures += await checkUpdate();
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(shop, { recursive: true, force: true });
}
