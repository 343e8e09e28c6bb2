/** `run`: what a command and its descendants do, and nothing of others. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Behavior, BehaviorKind, RunOptions, RunSummary } from '../../types/index.js';
import { needsRoot, polytrace } from './support.js';

describe('run', function () {
  this.timeout(90_000);
  before(needsRoot);
  before(function () {
    if (process.arch !== 'x64') this.skip();
  });

  let shop: string;
  before(() => {
    shop = realpathSync(mkdtempSync(join(tmpdir(), 'polytrace-run-')));
  });
  after(() => {
    rmSync(shop, { recursive: true, force: true });
  });

  /** A folder for a project, with a home. */
  function makeProject(): { readonly folder: string; readonly env: Record<string, string> } {
    const folder = mkdtempSync(join(shop, 'project-'));
    const home = mkdtempSync(join(shop, 'home-'));
    mkdirSync(join(home, '.ssh'));
    writeFileSync(join(home, '.ssh', 'id_rsa'), 'secret');
    writeFileSync(join(home, 'tool'), '');
    const env = { PATH: process.env['PATH'] ?? '', HOME: home };
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
mkdir sub; touch $HOME/up $HOME/down; rm sub/../../$(basename $HOME)/up "$PWD/sub/../../$(basename $HOME)/down"
mkdir a; touch a/in; mv a/in b; ln b a/hard; ln -s b a/soft; rm -r a "$PWD/b"
( setsid sh -c '( sh -c "echo deep > ${env['HOME']}/deep" & ) ; wait' ); until [ -s ${env['HOME']}/deep ]; do :; done; exit 7`;
    const [summary] = await runIn(folder, ['sh', '-c', script], { env });
    const home = env['HOME'] ?? '';
    assert.equal(summary.exitCode, 7);
    assert.deepEqual(subjects(summary, 'secret'), [`${home}/.ssh/id_rsa`]);
    assert.deepEqual(subjects(summary, 'write'), [`${home}/.bashrc`, `${home}/deep`, `${home}/down`, `${home}/up`]);
    assert.deepEqual(subjects(summary, 'mode'), [`${home}/tool (executable)`]);
    assert.deepEqual(subjects(summary, 'rename'), [`${home}/tool → ${home}/moved`]);
    // a path can leave the folder and come back to it; what stays in it is no line
    assert.deepEqual(subjects(summary, 'remove'), [`${home}/down`, `${home}/moved`, `${home}/up`]);
    assert.equal(summary.lost, 0);
  });

  it('a program in the folder that the lock file does not have is new, also behind a link', async () => {
    const { folder, env } = makeProject();
    const lock = join(folder, 'lock.yaml');
    const own = 'cp /usr/bin/true tool; ln -sf tool link; ./link';
    await runIn(folder, ['sh', '-c', own], { env, lock });
    const [, again] = await runIn(folder, ['sh', '-c', own], { env, lock });
    assert.deepEqual(again, []);
    const [, violations] = await runIn(folder, ['sh', '-c', `${own}; cp tool x; ln -sf x link; ./link`], { env, lock });
    assert.deepEqual(violations.map(({ fact }) => fact), ['$PWD/x']);
  });

  it('a script with a name that differs in each run: its interpreter is a fact, too, for --enforce to know it', async () => {
    const { folder, env } = makeProject();
    const wrapper = 'd=$(mktemp -d); printf "#!/usr/bin/env sh\\n" > $d/tool; chmod 755 $d/tool; $d/tool; rm -r $d';
    const lock = join(folder, 'lock.yaml');
    await runIn(folder, ['dash', '-c', wrapper], { env, lock });
    const programs = polytrace.parseLock(readFileSync(lock, 'utf8')).flatMap(({ fact }) => /^exec (.*)$/.exec(fact)?.[1] ?? []);
    const tool = programs.find((path) => path.endsWith('*/tool'));
    assert.ok(tool !== undefined && programs.includes(realpathSync('/usr/bin/env')), programs.join());
    const [, again] = await runIn(folder, ['dash', '-c', wrapper], { env, lock });
    assert.deepEqual(again, []);
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

  it('enforce: what is not allowed fails, or ends the process where the kernel cannot refuse it', async () => {
    const { folder, env } = makeProject();
    const home = env['HOME'] ?? '';
    const script = `cat ${home}/.ssh/id_rsa; sh -c 'echo x > ${home}/.bashrc && echo x > ${home}/after'; echo x > inside; echo x > ${shop}/allowed`;
    const handle = await polytrace.run(['sh', '-c', script], { cwd: folder, env, enforce: { denySecrets: true, allowWrite: [`${shop}/allowed`] } });
    const { exitCode, behaviors } = await handle.summary;
    assert.equal(exitCode, 0);
    assert.ok(existsSync(`${shop}/allowed`) && existsSync(join(folder, 'inside')));
    assert.ok(!existsSync(join(home, 'after')));
    const refused = behaviors.filter((each) => each.refused === true).map(({ kind, subject }) => `${kind} ${subject.replace(/ \(pid \d+\)$/, '')}`);
    const isKilled = handle.enforcement === 'kill';
    const killed = ['cat', 'sh'].map((name) => `killed /usr/bin/${name}`);
    assert.deepEqual(refused, isKilled ? killed : [`secret ${home}/.ssh/id_rsa`, `write ${home}/.bashrc`]);
    // where the call has happened, it is seen
    for (const subject of [`${home}/.ssh/id_rsa`, `${home}/.bashrc`])
      assert.ok(behaviors.some((each) => each.subject === subject), subject);
  });

  it('enforce: a lock file that does not exist allows nothing, and is an error', async () => {
    const { folder, env } = makeProject();
    const options = { cwd: folder, env, lock: join(folder, 'lock.yaml'), enforce: true };
    await assert.rejects(polytrace.run(['true'], options), { code: 'RUN_RULES' });
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
