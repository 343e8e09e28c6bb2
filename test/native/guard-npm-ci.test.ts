/** docs/guard-npm-ci.md, executed: its commands show what it says; the action and the GitLab job do what they promise. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readProjectFile } from '../project.js';
import { needsRoot, ROOT } from './support.js';
import { Registry } from './run/registry.js';

const PAGE = 'docs/guard-npm-ci.md';
const OWN = 'test/native/guard-npm-ci.test.ts';

/** `sudo` of a machine where the caller is root already. */
const SUDO = `#!/bin/bash
while [[ $1 == -* ]]; do shift; done
exec "$@"
`;

/** npm, which takes polytrace from this checkout. */
const npmScript = (npm: string, prefix: string): string => `#!/bin/bash
if [[ " $* " == *" --global "* && $1 == install ]]; then
  for word; do [[ $word == polytrace || $word == polytrace@* ]] && found=1; done
  [[ $found ]] || exit 1
  mkdir -p ${prefix}/bin ${prefix}/lib/node_modules
  ln -sfn ${ROOT} ${prefix}/lib/node_modules/polytrace
  printf '#!/bin/sh\\nexec node ${ROOT}/dist/cli/main.js "$@"\\n' > ${prefix}/bin/polytrace
  chmod +x ${prefix}/bin/polytrace
  exit
fi
exec ${npm} "$@"
`;

describe('the page "Guard npm ci"', function () {
  this.timeout(120_000);
  before(needsRoot);
  before(function () {
    if (process.arch !== 'x64') this.skip();
  });

  let shop: string;
  let project: string;
  let home: string;
  let registry: Registry;
  let env: Record<string, string>;
  before(async () => {
    shop = realpathSync(mkdtempSync(join(tmpdir(), 'polytrace-guard-')));
    for (const name of ['bin', 'project', 'home', 'prefix', 'registry']) mkdirSync(join(shop, name));
    [project, home] = [join(shop, 'project'), join(shop, 'home')];
    registry = await Registry.start(join(shop, 'registry'));
    registry.publish({ name: 'tidy', scripts: { postinstall: 'node -e 0' } });
    const npm = realpathSync(spawnSync('which', ['npm'], { encoding: 'utf8' }).stdout.trim());
    writeFileSync(join(shop, 'bin', 'sudo'), SUDO, { mode: 0o755 });
    writeFileSync(join(shop, 'bin', 'npm'), npmScript(npm, join(shop, 'prefix')), { mode: 0o755 });
    env = {
      HOME: home,
      PATH: `${join(shop, 'bin')}:${join(shop, 'prefix', 'bin')}:${process.env['PATH'] ?? ''}`,
      npm_config_registry: registry.url,
      npm_config_prefix: join(shop, 'prefix'),
      npm_config_update_notifier: 'false',
      npm_config_fetch_retries: '0',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
    };
    writeFileSync(join(home, '.npmrc'), '//registry.invalid/:_authToken=secret\n');
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', dependencies: { tidy: '*' } }));
    await runShell('npm install --package-lock-only && git init --quiet && git add package.json');
  });
  after(async () => {
    await registry?.stop();
    if (shop !== undefined) rmSync(shop, { recursive: true, force: true });
  });

  /** The registry is in this process: a command must not block it. */
  async function runShell(script: string, more: Readonly<Record<string, string>> = {}, status = 0): Promise<string> {
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], { cwd: project, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, status, `${script}\n${output}`);
    return output;
  }

  /** What the page tells about, and no reader does. */
  async function publishAttack(): Promise<void> {
    const attack = "const { readFileSync, appendFileSync } = require('fs'); readFileSync(process.env.HOME + '/.npmrc'); appendFileSync(process.env.HOME + '/.bashrc', 'x')";
    registry.publish({ name: 'tidy', version: '1.0.1', scripts: { postinstall: 'node index.js' }, files: { 'index.js': attack } });
    await runShell('rm -r package-lock.json node_modules ~/.npm && npm install --package-lock-only');
  }

  it('shows what its commands show', async () => {
    const { readBlocks, readTranscript, matchLines } = await import('../documentation/blocks.mjs');
    const blocks = readBlocks(PAGE, readProjectFile(PAGE)).filter(({ marks }) => marks['shown-by'] === OWN);
    assert.ok(blocks.length >= 7);
    for (const { language, text, line, marks } of blocks) {
      if (marks['before'] === 'publish-attack') await publishAttack();
      const steps = language === 'console' ? readTranscript(text) : [{ command: text, shown: [] }];
      for (const { command, shown } of steps) {
        const output = await runShell(command ?? '', {}, Number(marks['status'] ?? 0));
        assert.equal(matchLines(shown, output.split('\n')).missing, undefined, `${PAGE}:${line}\n${output}`);
      }
    }
    assert.ok(existsSync(join(project, '.github/actions/polytrace/action.yml')));
  });

  it('the action writes the lock file with a warning, compares later, and fails with what is new', async () => {
    const { inputs, runs } = parse(readProjectFile('action.yml')) as {
      inputs: Record<string, { default: string }>;
      runs: { steps: { run: string; env: Record<string, string> }[] };
    };
    const summary = join(shop, 'summary.md');
    const runAction = async (given: Readonly<Record<string, string>>, status = 0): Promise<string> => {
      writeFileSync(summary, '');
      const outputs: string[] = [];
      for (const { run, env: names } of runs.steps) {
        const variables = Object.entries(names).map(([name, text]): [string, string] => {
          const [, input = ''] = /inputs\.([\w-]+)/.exec(text) ?? [];
          return [name, given[input] ?? inputs[input]?.default ?? assert.fail(input)];
        });
        const isLast = run.includes('polytrace run');
        outputs.push(await runShell(run, { ...Object.fromEntries(variables), GITHUB_STEP_SUMMARY: summary }, isLast ? status : 0));
      }
      return outputs.join('');
    };
    const lock = 'ci-lock.yaml';
    assert.match(await runAction({ lock, command: 'true' }), /::warning::ci-lock\.yaml does not exist/);
    assert.match(readFileSync(summary, 'utf8'), /^### polytrace run$/m);
    assert.doesNotMatch(await runAction({ lock, command: 'true' }), /::warning::/);
    const output = await runAction({ lock, command: 'npm ci', report: 'page.html', sarif: 'out.sarif' }, 7);
    assert.match(output, /\+ tidy: postinstall: write \$HOME\/\.bashrc/);
    assert.match(readFileSync(join(project, 'page.html'), 'utf8'), /^<!doctype html>/);
    assert.match(readFileSync(join(project, 'out.sarif'), 'utf8'), /run-write/);
    await runAction({ lock, command: 'npm ci', 'update-lock': 'true', 'kill-remaining': 'true' });
  });

  it('the job of GitLab leaves its artifacts', async () => {
    const job = (parse(readProjectFile('ci/gitlab.yml')) as Record<string, { variables: Record<string, string>; before_script: string[]; script: string[]; artifacts: { paths: string[] } }>)['.polytrace'] ?? assert.fail();
    await runShell([...job.before_script, ...job.script].join('\n'), { ...job.variables, POLYTRACE_LOCK: 'gitlab-lock.yaml' });
    const paths = job.artifacts.paths.map((path) => path.replace('$POLYTRACE_LOCK', 'gitlab-lock.yaml'));
    for (const path of paths) assert.ok(existsSync(join(project, path)), path);
  });
});
