// node scripts/nightly-run-packages.mjs [RUNS]: installs twenty real packages with install scripts or native builds under
// `polytrace run`, as root and with npm's registry. The first run writes the lock file; each of RUNS (5) further clean runs
// must do nothing new. Prints what is new, and fails then.
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

try {
  const manifest = { name: 'packages', version: '1.0.0', private: true, dependencies: PACKAGES };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  execFileSync('npm', ['install', '--package-lock-only', '--silent'], { cwd: project, env, stdio: 'inherit' });
  let failures = 0;
  for (let i = 0; i <= runs; i++) {
    for (const folder of [join(project, 'node_modules'), join(home, '.npm')])
      rmSync(folder, { recursive: true, force: true });
    const handle = await run(['npm', 'ci', '--loglevel=error'], { cwd: project, env, lock });
    const [summary, violations] = [await handle.summary, await handle.violations];
    if (summary.exitCode !== 0) throw new Error(`npm ci ended with status ${summary.exitCode}`);
    if (i === 0) {
      const facts = parseLock(readFileSync(lock, 'utf8'));
      const packages = new Set(facts.map((fact) => fact.package));
      console.log(`lock file: ${facts.length} facts, ${packages.size - 1} packages with scripts`);
      console.log(formatRunSummary(summary, 'text'));
      if (process.env.KEEP_LOCK !== undefined) writeFileSync(process.env.KEEP_LOCK, readFileSync(lock));
    } else {
      console.log(
        `run ${i}: ${violations.length} differences, ${summary.execs} programs, ${summary.durationMs} ms, ${summary.lost} lost`,
      );
      for (const { package: name = '.', kind, fact, subject } of violations)
        console.log(`  + ${name}: ${kind} ${fact} (${subject})`);
    }
    failures += violations.length;
  }
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(shop, { recursive: true, force: true });
}
