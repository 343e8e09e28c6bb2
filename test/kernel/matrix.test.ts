/**
 * Tests each argument type with each of its operators: the policy of the row, one action that must match, and one that
 * must not match although the same hook sees it; and the value in the event. All rows share one tracer and one
 * workload.
 */
import assert from 'node:assert/strict';
import { toJson } from '../../lib/index.js';
import { NIGHTLY } from '../nightly.js';
import type { HookArgument, ProcessKprobeEvent } from '../../types/index.js';
import { assertGrouped, policiesBeside } from './matrix-beside.js';
import { isUnsupported, planSubject, type Case, type Plan } from './matrix-policy.js';
import { compareWithKernel } from './matrix-replay.js';
import { runActions, prepareMatrix } from './matrix-setup.js';
import { REFUSED_TYPES, SUBJECTS } from './matrix.js';
import {
  assertPart,
  kernel,
  MECHANISMS,
  kprobePolicy,
  onKernelWithGroups,
  Recording,
  type Mechanism,
} from './support.js';

/** The events of each action, by the name of the thread. */
class EventsByAction {
  readonly #events = new Map<string, ProcessKprobeEvent[]>();

  constructor(events: readonly ProcessKprobeEvent[]) {
    for (const event of events) {
      const name = event.data[0];
      if (name?.type !== 'string') continue;
      const key = `${event.policyName} ${name.value}`;
      const same = this.#events.get(key);
      if (same === undefined) this.#events.set(key, [event]);
      else same.push(event);
    }
  }

  find(plan: Plan, name: string): readonly ProcessKprobeEvent[] {
    return this.#events.get(`${plan.policyName} ${name}`) ?? [];
  }
}

function testedValue(event: ProcessKprobeEvent, plan: Plan): HookArgument | undefined {
  const { source: place } = plan.subject;
  return place === 'args' ? event.args[0] : place === 'data' ? event.data[1] : event.return;
}

function testedJson(event: ProcessKprobeEvent, plan: Plan): unknown {
  const { process_kprobe: fields } = JSON.parse(toJson(event)) as {
    process_kprobe: { args?: unknown[]; data?: unknown[]; return?: unknown };
  };
  const { source: place } = plan.subject;
  return place === 'args' ? fields.args?.[0] : place === 'data' ? fields.data?.[1] : fields.return;
}

function checkCase(plan: Plan, { title, message, selector, matchName, missName }: Case, seen: EventsByAction): void {
  const own = (name: string): ProcessKprobeEvent[] =>
    seen.find(plan, name).filter((event) => event.message === message);
  const missed = own(missName);
  assert.ok(missed.length > 0, `${title}: the hook did not see the action that must not match`);
  assert.ok(!missed.some((event) => event.selector === selector), `${title}: what must not match did`);
  const matched = own(matchName);
  assert.ok(matched.length > 0, `${title}: the hook did not see the action that must match`);
  assert.ok(
    matched.some((event) => event.selector === selector),
    `${title}: what must match did not; the value was ${describeValue(matched[0], plan)}`,
  );
}

function describeValue(event: ProcessKprobeEvent | undefined, plan: Plan): string {
  return event === undefined ? 'not reported' : JSON.stringify(testedJson(event, plan));
}

/** Kprobes are tested on the oldest kernel only. They would take half of the newest kernel's time for all its tests. */
const MATRIX_MECHANISMS = kernel === '6.12' ? (['fentry'] as const) : MECHANISMS;

/** In the nightly tests, other policies share the functions of the matrix. */
const BESIDE = NIGHTLY && onKernelWithGroups() ? [0, 50] : [0];

for (const attach of MATRIX_MECHANISMS) for (const beside of BESIDE) describeMatrix(attach, beside);

function describeMatrix(attach: Mechanism, beside: number): void {
  describe(`matrix by ${attach}${beside === 0 ? '' : `, beside ${beside} policies on each function`}`, function () {
    this.timeout(900_000); // loading all policies took four minutes on a free machine, and eight beside other work
    const plans = SUBJECTS.map((subject, number) => planSubject(subject, number, kernel));
    const failures = new Map<Plan, unknown>();
    let recording: Recording | undefined;
    let seen = new EventsByAction([]);
    let events: readonly ProcessKprobeEvent[] = [];

    before(async () => {
      prepareMatrix();
      recording = await Recording.open(undefined, { attach });
      const supported = plans.filter(({ subject }) => !isUnsupported(subject, kernel, attach));
      const others = policiesBeside(supported, beside, kernel);
      for (const [i, yaml] of others.entries()) {
        if (i % 200 === 199) console.log(`    ${i + 1} of ${others.length} policies beside`);
        await recording.tracer.addPolicy({ yaml });
      }
      for (const [i, plan] of plans.entries()) {
        // a guest that prints nothing for minutes counts as hung
        if (i % 20 === 19) console.log(`    ${i + 1} of ${plans.length} policies`);
        await recording.tracer.addPolicy({ yaml: plan.yaml }).catch((error: unknown) => failures.set(plan, error));
      }
      const actions = plans.filter((plan) => !failures.has(plan)).flatMap((plan) => plan.actions);
      events = await recording.hooksDuring(() => runActions(actions));
      seen = new EventsByAction(events);
      assert.equal(recording.tracer.stats().lost, 0);
      if (beside > 0) assertGrouped(recording.tracer.policies());
    });
    after(() => recording?.close());

    for (const plan of plans) {
      const { subject } = plan;
      describe(subject.title, () => {
        if (isUnsupported(subject, kernel, attach)) {
          it('is refused with a code', () => assertKernelError(failures.get(plan)));
          return;
        }
        it('is loaded', () => {
          if (failures.has(plan)) throw failures.get(plan);
        });
        for (const each of plan.cases) {
          it(each.title, () => {
            assert.ok(!failures.has(plan), 'not loaded');
            checkCase(plan, each, seen);
          });
        }
        for (const value of plan.expected) {
          it(`is reported: ${value.action.join(' ').slice(0, 60)}`, () => {
            assert.ok(!failures.has(plan), 'not loaded');
            const event = seen.find(plan, value.name).find(({ message }) => message === plan.message);
            assert.ok(event !== undefined, 'the hook did not see the action');
            assertPart(testedValue(event, plan), value.value, 'value');
            assertPart(testedJson(event, plan), value.json, 'json');
          });
        }
      });
    }

    // on one kernel: the programs that compare are the same on each
    if (kernel === '6.12') {
      it('the evaluator matches the same selectors over a recording', () => {
        const { calls, rows, unknown, differences } = compareWithKernel(plans, events);
        assert.deepEqual(differences, []);
        // an address of another family is not read, so its family is not in the event
        assert.deepEqual(
          unknown.filter((each) => !/^sockaddr_(un|alg): Family AF_/.test(each)),
          [],
        );
        assert.ok(rows.size > 500 && calls > 2 * rows.size, `${calls} calls of ${rows.size} rows`);
      });
    }

    for (const [type, code] of Object.entries(REFUSED_TYPES)) {
      it(`${type} is refused with a code`, async () => {
        const hook = `call: sys_lseek\nsyscall: true\nargs:\n- {index: 0, type: ${type}}`;
        const refused = recording?.tracer.addPolicy({ yaml: kprobePolicy('refused', hook) });
        await assert.rejects(async () => refused, { name: 'PolicyError', code });
      });
    }
  });
}

/** Asserts that the error is a KernelError with a code and a position in the policy. */
function assertKernelError(error: unknown): void {
  assert.ok(error instanceof Error && error.name === 'KernelError', `not refused: ${String(error)}`);
  assert.match((error as Error & { code: string }).code, /^[A-Z_]+$/);
  assert.match(error.message, /^\S+:\d+:\d+: /);
}
