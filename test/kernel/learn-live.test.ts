/**
 * `polytrace learn --for` while a machine works: its exceptions for logins and for packages leave no alerts of the same
 * work, and the attacks on the policy are still found. It runs at night, and prints the table of docs/learn.md.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isHookEvent } from '../../lib/cli/event-pattern.js';
import { LiveScenarios } from '../../lib/cli/scenario-live.js';
import { formatCompact, openTracer, parsePolicyTest, policyLibrary } from '../../lib/index.js';
import type { PlainEvent, Scenario } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { ORDINARY_TASKS, prepareTasks } from './ordinary-tasks.js';
import { checkout, kernel } from './support.js';

const POLICY = 'file-monitoring';
const SERVICES = [
  ['sshd', 'logins by ssh'],
  ['apt', 'a package is installed'],
  ['podman', 'a container of podman'],
] as const;

function shellLines(title: string): string {
  const task = ORDINARY_TASKS.find((each) => each.title.startsWith(title));
  assert.ok(task !== undefined, title);
  return `export PATH=$PATH:/usr/sbin:/sbin; bash -c '${task.script.replaceAll("'", `'\\''`)}' > /tmp/task 2>&1`;
}

const scenario = (run: string): Scenario => ({
  name: 'work',
  run,
  timeout: 240,
  expect: [],
  never: [],
  metrics: [],
  exact: false,
  position: { line: 1, column: 1 },
});

if (NIGHTLY && kernel === '6.12')
  describe('polytrace learn, live', () => {
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-learn-'));
    const { file } = policyLibrary().find(({ name }) => name === POLICY) ?? { file: '' };
    const test = join(dirname(file), 'tests', basename(file));
    const attacks = parsePolicyTest(readFileSync(test, 'utf8'), { file: test }).scenarios.filter(({ name }) => name.startsWith('fires')); // prettier-ignore

    before(() => {
      mkdirSync('/mnt', { recursive: true });
      prepareTasks();
    });

    for (const [service, title] of SERVICES) {
      it(`${service}: alerts before and after, and the attacks`, async () => {
        const learned = join(folder, `${service}.yaml`);
        const args = ['learn', '--policy', `polytrace:${POLICY}`, '--for', '1h', '-o', learned, '--check'];
        const learner = spawn(process.execPath, [join(checkout, 'dist/cli/main.js'), ...args], { stdio: ['ignore', 'ignore', 'pipe'] }); // prettier-ignore
        let said = '';
        const ended = once(learner, 'exit');
        await new Promise<void>((resolve, reject) => {
          learner.stderr.setEncoding('utf8').on('data', (text: string) => {
            said += text;
            if (/^ready/m.test(said)) resolve();
          });
          ended.then(() => reject(new Error(said)), reject);
        });
        const { status } = spawnSync('/bin/sh', ['-c', shellLines(title)], { stdio: 'ignore' });
        assert.equal(status, 0, readFileSync('/tmp/task', 'utf8'));
        learner.kill('SIGINT');
        assert.deepEqual(await ended, [0, null], said);
        const [, before = ''] = /^check: (\d+) alerts before/m.exec(said) ?? [];

        const live = new LiveScenarios(await openTracer({ policies: [learned] }));
        try {
          const run = async (each: Scenario): Promise<readonly PlainEvent[]> =>
            (await live.run(each)).events.filter(isHookEvent);
          const after = await run(scenario(shellLines(title)));
          const found: string[] = [];
          for (const attack of attacks) if ((await run(attack)).length > 0) found.push(attack.name);
          const count = `${found.length} of ${attacks.length}`;
          console.log(`learned| ${service} | \`${POLICY}\` | ${before} | ${after.length} | ${count} |`);
          assert.deepEqual(found, attacks.map(({ name }) => name)); // prettier-ignore
          const left = after.slice(0, 20).map((event) => formatCompact(event as never, { who: true }));
          const many = [`${before} alerts before, ${after.length} after`, said, ...left].join('\n');
          assert.ok(Number(before) > 0 && 2 * after.length < Number(before), many);
        } finally {
          await live.close();
        }
      });
    }
  });
