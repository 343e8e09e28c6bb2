/**
 * `polytrace learn --for` while a machine works: its exceptions for logins and for packages leave no alerts of the same
 * work, and the attacks on the policy are still found. It runs at night, and prints the table of docs/learn.md.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isHookEvent } from '../../lib/cli/event-pattern.js';
import { LiveScenarios } from '../../lib/cli/scenario-live.js';
import { formatCompact, openTracer, parsePolicyTest, policyLibrary } from '../../lib/index.js';
import type { PlainEvent, Scenario } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { ORDINARY_TASKS, prepareTasks } from './ordinary-tasks.js';
import { checkout, kernel } from './support.js';

interface Service {
  readonly service: string;
  /** The beginning of the title of an ordinary task. */
  readonly task: string;
  /** The name of a policy of the package; or a policy, if none of the package has alerts of the service. */
  readonly policy: string;
  readonly attacks: readonly Scenario[];
}

const scenario = (run: string, name = 'work'): Scenario => ({
  ...{ name, run, timeout: 280, expect: [], never: [], metrics: [], exact: false },
  position: { line: 1, column: 1 },
});

const MONITORING = policyLibrary().find(({ name }) => name === 'file-monitoring')?.file ?? '';
const MONITORING_TEST = join(dirname(MONITORING), 'tests', basename(MONITORING));
const ATTACKS = parsePolicyTest(readFileSync(MONITORING_TEST, 'utf8'), { file: MONITORING_TEST }).scenarios.filter(
  ({ name }) => name.startsWith('fires'),
);

const files = (service: string, task: string): Service => ({
  ...{ service, task, policy: 'file-monitoring', attacks: ATTACKS },
});

/** Reports user namespaces, which sandboxes of browsers make, and TCP connections. */
const SANDBOXES = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: sandboxes }
spec:
  kprobes:
    - call: security_create_user_ns
      syscall: false
      message: A user namespace was made
    - call: tcp_connect
      syscall: false
      message: A connection was made
      args: [{ index: 0, type: sock }]
`;

const SERVICES: readonly Service[] = [
  files('sshd', 'logins by ssh'),
  files('apt', 'a package is installed'),
  files('podman', 'a container of podman'),
  {
    ...{ service: 'browser', task: 'a browser', policy: SANDBOXES },
    attacks: [
      scenario('unshare -U /bin/true', 'another program makes a user namespace'),
      scenario('curl -s http://127.0.0.1:9/', 'another program connects'),
    ],
  },
];

function shellLines(title: string): string {
  const task = ORDINARY_TASKS.find((each) => each.title.startsWith(title));
  assert.ok(task !== undefined, title);
  return `export PATH=$PATH:/usr/sbin:/sbin; bash -c '${task.script.replaceAll("'", `'\\''`)}' > /tmp/task 2>&1`;
}

if (NIGHTLY && kernel === '6.12')
  describe('polytrace learn, live', () => {
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-learn-'));

    before(() => {
      mkdirSync('/mnt', { recursive: true });
      prepareTasks();
    });

    for (const { service, task, policy, attacks } of SERVICES) {
      it(`${service}: alerts before and after, and the attacks`, async function () {
        this.timeout(900_000);
        const learned = join(folder, `${service}.yaml`);
        const own = join(folder, `${service}-policy.yaml`);
        if (policy.includes('\n')) writeFileSync(own, policy);
        const source = policy.includes('\n') ? own : `polytrace:${policy}`;
        const args = ['learn', '--policy', source, '--for', '1h', '-o', learned, '--check'];
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
        const { status } = spawnSync('/bin/sh', ['-c', shellLines(task)], { stdio: 'ignore' });
        assert.equal(status, 0, readFileSync('/tmp/task', 'utf8'));
        learner.kill('SIGINT');
        assert.deepEqual(await ended, [0, null], said);
        const [, before = ''] = /^check: (\d+) alerts before/m.exec(said) ?? [];

        console.log(`      ${service}: ${before} alerts before\n${said.replaceAll(/^/gm, '        ')}`);
        const tracer = await openTracer({ policies: [learned] });
        const live = new LiveScenarios(tracer);
        // of all processes: daemons are no descendants of the commands
        const collected: PlainEvent[] = [];
        let sawEnd: () => void = () => undefined;
        const end = new Promise<void>((resolve) => (sawEnd = resolve));
        const collecting = (async () => {
          for await (const event of tracer) {
            const plain = event.toObject();
            if (isHookEvent(plain)) collected.push(plain);
            else if (plain.type === 'process_exec' && formatCompact(plain).includes('end-of-work')) sawEnd();
          }
        })();
        try {
          const { problems } = await live.run({ ...scenario(shellLines(task)), status: 0 });
          assert.deepEqual(problems, [], readFileSync('/tmp/task', 'utf8'));
          await live.run(scenario('/bin/true end-of-work'));
          await Promise.race([end, collecting]);
          const after = [...collected];
          const found: string[] = [];
          for (const attack of attacks) if ((await live.run(attack)).events.some(isHookEvent)) found.push(attack.name);
          const count = `${found.length} of ${attacks.length}`;
          console.log(
            `learned| ${service} | \`${policy.includes('\n') ? 'sandboxes' : policy}\` | ${before} | ${after.length} | ${count} |`,
          );
          assert.deepEqual(found, attacks.map(({ name }) => name)); // prettier-ignore
          const left = after.slice(0, 20).map((event) => formatCompact(event as never, { who: true }));
          const many = [`${before} alerts before, ${after.length} after`, said, ...left].join('\n');
          assert.ok(Number(before) > 0 && 2 * after.length < Number(before), many);
        } finally {
          await live.close();
          await collecting;
        }
      });
    }
  });
