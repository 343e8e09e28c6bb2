/**
 * Runs the blocks of README and docs/kubernetes.md that are marked for this file, in the order of the pages, as a reader types them.
 * `kubectl` takes the manifests with the folders of this cluster, and a policy for kernels without kprobes.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunningCommand } from '../image/running-command.js';
import { readProjectFile } from '../project.js';
import { Cluster } from './cluster.js';
import { Deployment, openatPolicy } from './deployment.js';
import { needsCluster, needsTracefs, ROOT } from './support.js';

const HERE = 'test/kubernetes/documented.test.ts';
const PAGES = ['README.md', 'docs/kubernetes.md'];
const VARIANTS = ['agent', 'least-privilege'];

const loadBlocks = () => import('../documentation/blocks.mjs');
const isComplete = (script: string): boolean => spawnSync('bash', ['-n'], { input: script }).status === 0;

/** The policy of this test is on a tracepoint, so its line differs from that of the page. */
const adaptLine = (line: string): string => line.replace(/^📚 read +(\S+ \S+) .*/, '📍 tracepoint $1 …');

describe('the commands of the pages about Kubernetes', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let deployment: Deployment;
  let env: NodeJS.ProcessEnv;
  /** The last output of getevents. */
  let printed: readonly string[] = [];
  before(needsCluster);
  before(needsTracefs);
  before(async () => {
    cluster = await Cluster.start();
    deployment = await Deployment.prepare(cluster);
    env = { ...process.env, HOME: cluster.folder, PATH: `${writeKubectl()}:${process.env['PATH']}` };
  });
  after(() => cluster?.stop());
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(cluster?.logs());
  });

  /** Writes a kubectl that knows this cluster, and returns its folder. */
  function writeKubectl(): string {
    const folder = join(cluster.folder, 'bin');
    mkdirSync(folder);
    const policy = join(cluster.folder, 'file-monitoring.json');
    writeFileSync(policy, JSON.stringify(openatPolicy('file-monitoring', 'Equal', '/etc/shadow')));
    const overlays = VARIANTS.map((each) => `deploy/kubernetes/${each}) word=${deployment.writeOverlay(each)} ;;`);
    const script = `#!/bin/bash
for word; do
  case $word in
  ${overlays.join('\n  ')}
  policies/file-monitoring.yaml) word=${policy} ;;
  esac
  words+=("$word")
done
exec kubectl --kubeconfig ${cluster.kubeconfig} "\${words[@]}"
`;
    const kubectl = execFileSync('which', ['kubectl'], { encoding: 'utf8' }).trim();
    writeFileSync(join(folder, 'kubectl'), script.replace('exec kubectl', `exec ${kubectl}`), { mode: 0o755 });
    return folder;
  }

  /** Starts commands, which may go on. */
  const start = (script: string): RunningCommand =>
    new RunningCommand(
      spawn('bash', ['-c', script], { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }),
    );

  /** Runs commands that end, and returns what they print. */
  async function run(script: string): Promise<string> {
    const command = start(script);
    assert.equal(await command.status(), 0, `${script}\n${command.output}`);
    return command.output;
  }

  /** Reads events until the end of a process of `during`. */
  async function readEvents(statement: string, during: string): Promise<void> {
    const events = start(statement);
    await events.line(/^ready/);
    await run(during);
    await events.line(/^💥 exit /);
    process.kill(-(events.child.pid as number), 'SIGKILL');
    await events.ended;
    printed = events.output.split('\n');
  }

  async function runStatement(statement: string, during: string | undefined): Promise<void> {
    if (during !== undefined) return readEvents(statement, during);
    assert.notEqual(await run(statement), '', `${statement} printed nothing`);
    if (/ -k /.test(statement)) await deployment.runPod();
  }

  for (const page of PAGES)
    it(page, async () => {
      const { matchLines, readBlocks, splitStatements } = await loadBlocks();
      const blocks = readBlocks(page, readProjectFile(page)).filter(({ marks }) => marks['shown-by'] === HERE);
      assert.ok(blocks.length > 0);
      for (const { language, text, marks } of blocks) {
        if (marks['before'] !== undefined) await run(marks['before']);
        if (language === 'sh')
          for (const statement of splitStatements(text, isComplete)) await runStatement(statement, marks['during']);
        const expected = language === 'text' ? text : marks['shows'];
        const { missing } = matchLines((expected ?? '').split('\n').map(adaptLine), printed);
        assert.equal(missing, undefined, printed.join('\n'));
      }
    });

  it('are all commands of the page', async () => {
    const { readBlocks } = await loadBlocks();
    const blocks = readBlocks('docs/kubernetes.md', readProjectFile('docs/kubernetes.md'));
    // other tests of this folder show some of them
    const isShown = (by: string | undefined): boolean => by?.startsWith('test/kubernetes/') === true;
    const others = blocks.filter(({ marks }) => !isShown(marks['shown-by']) && marks['skip'] === undefined);
    assert.deepEqual(others.map(({ line, text }) => `${line}: ${text}`), []); // prettier-ignore
  });
});
