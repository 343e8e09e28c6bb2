/**
 * `run` with npm, pnpm, yarn 1 and yarn 4: attacks of packages that they install from a registry on loopback are seen, belong
 * to their package, and are new against the lock file, which fits a second clean installation.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Behavior, BehaviorKind, RunSummary } from '../../types/index.js';
import { attackScript } from './run/attack.js';
import { CACHES, findManagers, MANAGER_NAMES, managerEnvironment, type Manager } from './run/managers.js';
import { Registry, type TestPackage } from './run/registry.js';
import { needsRoot, polytrace } from './support.js';

describe('run with package managers', function () {
  this.timeout(120_000);
  before(needsRoot);
  before(function () {
    if (process.arch !== 'x64') this.skip();
  });

  let shop: string;
  let managers: readonly Manager[];
  let registry: Registry;
  let attacks: Buffer;
  let server: Server;
  let resolver: Socket;
  let victim: ChildProcess;
  before(async () => {
    managers = await findManagers();
    shop = realpathSync(mkdtempSync(join(tmpdir(), 'polytrace-managers-')));
    registry = await Registry.start(mkdtempSync(join(shop, 'registry-')));
    const program = join(shop, 'attacks');
    execFileSync('cc', ['-static', '-O1', '-o', program, join(__dirname, 'run', 'attacks.c')]);
    attacks = readFileSync(program);
    server = createServer((request, response) => void request.resume().on('end', () => response.end('thanks')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    resolver = createSocket('udp4');
    victim = spawn('sleep', ['300']);
  });
  after(async () => {
    victim?.kill('SIGKILL');
    resolver?.close();
    server?.close();
    await registry?.stop();
    if (shop !== undefined) rmSync(shop, { recursive: true, force: true });
  });

  /** A folder for a project that needs the package `nice`, and a home. */
  function makeProject(): { readonly folder: string; readonly home: string; readonly env: Record<string, string> } {
    const folder = mkdtempSync(join(shop, 'project-'));
    const home = mkdtempSync(join(shop, 'home-'));
    mkdirSync(join(home, '.ssh'));
    writeFileSync(join(home, '.npmrc'), '//registry.invalid/:_authToken=secret\n');
    writeFileSync(join(home, '.ssh', 'id_rsa'), 'secret');
    writeFileSync(join(home, 'tool'), '');
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'project', version: '1.0.0', dependencies: { nice: '*' } }));
    return { folder, home, env: managerEnvironment(home, registry.url) };
  }

  const subjects = (behaviors: readonly Behavior[], kind: BehaviorKind, name?: string): string[] =>
    behaviors.filter((each) => each.kind === kind && each.package === name).map(({ subject }) => subject);

  for (const [i, name] of MANAGER_NAMES.entries()) {
    it(`${name}: each attack of a package is seen, belongs to it, and is new against the lock file`, async () => {
      const { install } = managers[i] as Manager;
      const { folder, home, env } = makeProject();
      const lock = join(folder, 'polytrace-lock.yaml');
      const run = async (): Promise<[RunSummary, readonly Behavior[]]> => {
        rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
        for (const cache of CACHES) rmSync(join(home, cache), { recursive: true, force: true });
        const handle = await polytrace.run(install, { cwd: folder, env, lock, killRemaining: true });
        return [await handle.summary, await handle.violations];
      };
      const harmless: TestPackage = { name: 'nice', scripts: { postinstall: 'node -e 0' } };
      registry.publish(harmless);
      const [first] = await run();
      assert.equal(first.exitCode, 0);
      assert.match(readFileSync(lock, 'utf8'), /^ {2}"nice":\n {4}- "postinstall: exec .*node"$/m);
      const [, again] = await run();
      assert.deepEqual(again.map(({ subject, fact }) => `${fact} (${subject})`), []);

      const { port } = server.address() as AddressInfo;
      const script = attackScript({ home, port, victim: victim.pid ?? 0 });
      const files = { 'index.js': script, attacks, 'attacks.js': '' };
      registry.publish({ ...harmless, version: '1.0.1', scripts: { postinstall: 'node index.js' }, files });
      const [summary, violations] = await run();
      const seen = (kind: BehaviorKind): string[] => subjects(violations, kind, 'nice');
      assert.equal(summary.exitCode, 0);
      assert.equal(summary.lost, 0);
      assert.deepEqual(seen('secret'), [`${home}/.npmrc`, `${home}/.ssh/id_rsa`]);
      assert.deepEqual(seen('write'), ['.bashrc', 'by-grandchild', 'by-thread'].map((file) => join(home, file)));
      assert.deepEqual(seen('dns'), ['deadbeef0.evil.invalid']);
      const posted = violations.find(({ kind, package: owner }) => kind === 'connect' && owner === 'nice');
      assert.equal(posted?.subject, `127.0.0.1:${port}`);
      assert.ok((posted.sent ?? 0) > 40 && (posted.received ?? 0) > 0, JSON.stringify(posted));
      assert.equal(posted.script, 'postinstall');
      const memory = seen('memory').join('\n');
      for (const part of [/ptrace attach of .*sleep .* outside of the run/, /read \/proc\/\d+\/environ of .*node/, /read \/proc\/\d+\/mem of/, /read memory of/])
        assert.match(memory, part);
      assert.ok(seen('rename').some((subject) => subject.endsWith(`→ ${home}/tool`)), seen('rename').join());
      assert.deepEqual(summary.remaining.map(({ binary, killed }) => [binary.endsWith('/sleep'), killed]), [[true, true]]);
      // the package manager itself does nothing new
      assert.deepEqual(violations.filter((each) => each.package !== 'nice').map(({ fact }) => fact), []);
      assert.match(polytrace.formatRunSummary(summary, 'text', violations), /\+ nice: postinstall: write \$HOME\/\.bashrc\n.*(npm|pnpm|yarn)/);
    });
  }
});
