/**
 * The policies of the package, all loaded together: ordinary work causes no alerts, and each policy reports its attacks.
 * At night, all tasks and all variants of attacks run, and the run prints the tables of docs/policy-library.md.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LiveScenarios } from '../../lib/cli/scenario-live.js';
import { isHookEvent, matchesPattern } from '../../lib/cli/event-pattern.js';
import { eventPath, formatCompact, openTracer, parsePolicyTest, policyLibrary } from '../../lib/index.js';
import type { PlainEvent, PolicyTest, TracerEvent } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { MACHINE, ORDINARY_TASKS, prepareTasks } from './ordinary-tasks.js';
import { checkout, kernel } from './support.js';

const POLICIES = policyLibrary();
/** The most alerts of an hour. Policies of the severity `info` are records, and no alerts. */
const BUDGETS = { critical: 0, high: 0, medium: 3, low: 3, info: Infinity } as const;
/** On an idle machine the longest task, a boot with all services, takes a tenth of it. */
const TASK_SECONDS = 600;
const TASKS = ORDINARY_TASKS.filter(
  ({ short, needs = [], onMachine = false }) =>
    (NIGHTLY || short === true) && needs.every(isInstalled) && (MACHINE || !onMachine),
);

function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status === 0;
}

function loadTest(file: string): PolicyTest {
  const path = join(dirname(file), 'tests', basename(file));
  return parsePolicyTest(readFileSync(path, 'utf8'), { file: path });
}

interface Alert {
  readonly key: string;
  readonly line: string;
}

/** As the agent counts: equal events are one alert within five minutes, and no task takes longer. */
const alertKey = (event: PlainEvent): string =>
  [event.type, 'message' in event && event.message, 'process' in event && event.process.binary].join(' ');

const printRow = (table: string, cells: readonly (string | number)[]): void =>
  console.log(`${table}| ${cells.join(' | ')} |`);

// 6.12 has what the tasks need: modules for overlays. The newest kernel has attacks only.
if (kernel === '6.12' || (NIGHTLY && kernel === 'newest'))
  describe('policies of the package, all together', () => {
    let live: LiveScenarios | undefined;
    const collected: TracerEvent[] = [];
    let collecting: Promise<void> | undefined;

    const runShell = (lines: string | undefined): number | null =>
      lines === undefined ? 0 : spawnSync('/bin/sh', ['-e', '-c', lines], { stdio: 'ignore' }).status;

    /** Returns when the events of the commands have been read. */
    const runTask = async (name: string, run: string): Promise<readonly string[]> => {
      const scenario = { name, run, timeout: TASK_SECONDS, expect: [], never: [], metrics: [], exact: false };
      // a guest that prints nothing counts as hung
      const beat = setInterval(() => console.log(`      ${name}: it still runs`), 120_000);
      try {
        return (await (live as LiveScenarios).run({ ...scenario, position: { line: 1, column: 1 } })).problems;
      } finally {
        clearInterval(beat);
      }
    };

    before(async function () {
      mkdirSync('/mnt', { recursive: true });
      // a busy machine takes minutes, and a guest that prints nothing counts as hung
      this.timeout(1_200_000);
      const tracer = await openTracer();
      for (const { name } of POLICIES) {
        await tracer.addPolicy(`polytrace:${name}`, { mode: 'monitor' });
        console.log(`      ${name} is loaded`);
      }
      live = new LiveScenarios(tracer);
      collecting = (async () => {
        for await (const event of tracer) collected.push(event);
      })();
    });
    after(async () => {
      await live?.close();
      await collecting;
    });

    // by day, ordinary-work.test.ts has the work beside policies that kill
    if (NIGHTLY && kernel === '6.12')
      describe('ordinary work', () => {
        const alerts = new Map<string, Map<string, Alert[]>>();

        before(async () => {
          prepareTasks();
          // the events of the preparation are those of no task
          await runTask('preparation', 'true');
        });

        for (const { title, script } of TASKS) {
          it(title, async function () {
            this.timeout(2000 * TASK_SECONDS);
            const from = collected.length;
            const run = `export PATH=$PATH:/usr/sbin:/sbin; bash -c '${script.replaceAll("'", `'\\''`)}' > /tmp/task 2>&1; echo $? > /tmp/task-status`;
            const problems = await runTask(title, run);
            const status = readFileSync('/tmp/task-status', 'utf8').trim();
            // events of daemons of the task as well, which are no descendants
            for (const event of collected.slice(from).map((each) => each.toObject())) {
              if (!isHookEvent(event) || !('policyName' in event)) continue;
              const ofPolicy = alerts.get(event.policyName) ?? new Map<string, Alert[]>();
              const ofTask = ofPolicy.get(title) ?? [];
              ofTask.push({ key: alertKey(event), line: formatCompact(event, { who: true }) });
              alerts.set(event.policyName, ofPolicy.set(title, ofTask));
            }
            assert.deepEqual(problems, []);
            assert.equal(status, '0', readFileSync('/tmp/task', 'utf8'));
          });
        }

        for (const { name, severity } of POLICIES) {
          it(`${name}: at most ${BUDGETS[severity]} alerts (${severity})`, () => {
            const tasks = [...(alerts.get(name) ?? [])];
            const count = new Set(tasks.flatMap(([, events]) => events.map(({ key }) => key))).size;
            const events = tasks.reduce((sum, [, each]) => sum + each.length, 0);
            const causes = tasks.map(([title, each]) => `${title} (${each.length})`).join('; ');
            printRow('noise', [`\`${name}\``, severity, events, count, causes]);
            const lines = tasks.flatMap(([title, each]) => each.slice(0, 12).map(({ line }) => `${title}: ${line}`));
            assert.ok(count <= BUDGETS[severity], lines.join('\n'));
          });
        }
      });

    describe('attacks', () => {
      for (const { name, file } of POLICIES) {
        const { before: setUp, after: tearDown, scenarios } = loadTest(file);
        const attacks = scenarios.filter((scenario) => scenario.name.startsWith('fires'));
        for (const scenario of NIGHTLY ? attacks : attacks.slice(0, 1)) {
          it(`${name}: ${scenario.name.replace('fires: ', '')}`, async () => {
            assert.equal(runShell(setUp), 0, 'the lines of `before` failed');
            try {
              const { events, problems } = await (live as LiveScenarios).run(scenario);
              const own = events.filter((event) => 'policyName' in event && event.policyName === name);
              const others = events.flatMap((event) =>
                isHookEvent(event) && 'policyName' in event ? event.policyName : [],
              );
              const also = [...new Set(others)].filter((other) => other !== name).sort();
              const missing = scenario.expect.filter(
                (pattern) => !own.some((event) => matchesPattern(pattern, event, { eventPath })),
              );
              const result = missing.length === 0 ? 'found' : 'not found';
              printRow('attack', [`\`${name}\``, scenario.name.replace('fires: ', ''), result, also.join(', ')]);
              const came = events.filter(isHookEvent).map((event) => formatCompact(event, { who: true }));
              // a loss is a reason to miss an attack, so it is part of the message
              const seen = [...problems, ...came].join('\n');
              assert.deepEqual([missing.map(({ message }) => message), problems], [[], []], seen);
            } finally {
              runShell(tearDown?.replaceAll('\n', ' || true\n'));
            }
          });
        }
      }
    });
  });

// Each policy by itself, with the scenarios that must not fire: about two minutes.
if (NIGHTLY && kernel === '6.12')
  describe('policies of the package, by the command', () => {
    for (const { name, file } of POLICIES) {
      it(`polytrace test polytrace:${name}`, () => {
        const command = [join(checkout, 'dist/cli/main.js'), 'test', `polytrace:${name}`];
        const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
        assert.equal(status, 0, stdout + stderr);
        const { length } = loadTest(file).scenarios;
        assert.match(stdout, new RegExp(`^${length} scenarios: ${length} passed, 0 failed, 0 skipped$`, 'm'));
      });
    }
  });
