/** Learns exceptions for a policy from recordings, and checks them against recordings. */
import type { CompileOptions } from '../../types/policy.js';
import type {
  CheckedExceptions,
  LearnedException,
  LearnedExceptions,
  LearnExceptionsOptions,
} from '../../types/learn.js';
import type { RecordedEvent } from '../../types/recording.js';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { PolicyError, PolytraceError } from '../errors.js';
import { compilePolicy } from '../policy/index.js';
import { replayer } from '../recording/replay.js';
import { Collector, type Remaining } from './collector.js';
import { isCovered } from './cover.js';
import { describeEvidence, describeHidden, describeHook, describeNote } from './describe.js';
import { proposeExceptions, type Exception } from './exceptions.js';
import type { HookEvent } from './identity.js';
import { isInContainers } from './scope.js';
import { readAll, readHooks, type RecordedHooks } from './recordings.js';
import { countFreeSelectors, describeReason, writePolicy } from './write-policy.js';

/** What a policy reports of a recorded call. `isCertain` is false if the recording does not decide it. */
interface Alert {
  readonly hook: number;
  readonly event: HookEvent;
  readonly isCertain: boolean;
}

type Judge = (call: RecordedEvent) => Alert[];

function makeJudge(policy: CompiledPolicy, { hooks }: RecordedHooks): Judge {
  const { replay } = replayer(policy, hooks);
  return (call) =>
    replay(call).flatMap(({ hook, verdict, event }) =>
      verdict.reported === 'no' || event === undefined || !('selector' in event)
        ? []
        : [{ hook, event, isCertain: verdict.reported === 'yes' }],
    );
}

function compile(
  text: string,
  file: string,
  { architecture }: RecordedHooks,
  kernel: CompileOptions['kernel'],
): CompiledPolicy {
  return compilePolicy(text, {
    file,
    ...(architecture === undefined ? {} : { architecture }),
    ...(kernel === undefined ? {} : { kernel }),
  });
}

export async function learnExceptions(
  recordings: readonly string[],
  { policy: text, file = '<policy>', kernel, ...scope }: LearnExceptionsOptions,
): Promise<LearnedExceptions> {
  const recorded = await readHooks(recordings);
  const policy = compile(text, file, recorded, kernel);
  const judge = makeJudge(policy, recorded);
  const collector = new Collector(policy);
  for await (const call of readAll(recordings))
    for (const { hook, event } of judge(call)) if (isInContainers(event.process, scope)) collector.add(hook, event);
  const { exceptions, leftOut } = proposeExceptions(collector.groups);
  const fitting = fitHooks(policy, exceptions);
  const remaining = sortRemaining(collector.remaining);
  const cut = describeCut(collector, leftOut, exceptions.length - fitting.length);
  const introduction = { sources: recordings, events: collector.events, remaining, cut };
  const written = fitKernel(fitting, (some) => {
    const yaml = writePolicy(text, policy, some, introduction);
    compile(yaml, file, recorded, kernel);
    return yaml;
  });
  const result: LearnedExceptions = {
    yaml: written.yaml,
    policy: policy.name,
    alerts: collector.events,
    exceptions: written.exceptions.map((each) => describeException(policy, each)),
    remaining: remaining.map(({ hook, program, reason, evidence }) => ({
      hook: describeHook(policy, hook),
      program,
      reason: describeReason(reason),
      evidence: describeEvidence(evidence),
      example: evidence.example,
    })),
    cut: [
      ...cut,
      ...(written.exceptions.length < fitting.length ? [tooMany(fitting.length - written.exceptions.length)] : []),
    ],
  };
  internals.set(result, { policy, exceptions: written.exceptions, file, kernel });
  return result;
}

/** What a check needs. It is not part of the result, which is plain data. */
const internals = new WeakMap<
  LearnedExceptions,
  {
    readonly policy: CompiledPolicy;
    readonly exceptions: readonly Exception[];
    readonly file: string;
    readonly kernel: CompileOptions['kernel'];
  }
>();

function describeException(policy: CompiledPolicy, exception: Exception): LearnedException {
  const { hook, identity, evidence, notes } = exception;
  return {
    hook: describeHook(policy, hook),
    programs: identity.programs,
    ...(identity.script === undefined ? {} : { script: identity.script }),
    ...(identity.ancestor === undefined ? {} : { ancestor: identity.ancestor }),
    ...(identity.container === undefined ? {} : { container: identity.container.value }),
    filters: exception.filters,
    events: evidence.events,
    processes: evidence.processes.size,
    first: evidence.first,
    last: evidence.last,
    example: evidence.example,
    hides: describeHidden(exception),
    review: notes.map(describeNote),
  };
}

function sortRemaining(remaining: readonly Remaining[]): Remaining[] {
  return [...remaining].sort(
    (one, other) => other.evidence.events - one.evidence.events || (one.program < other.program ? -1 : 1),
  );
}

function describeCut({ more }: Collector, leftOut: number, unfitting: number): string[] {
  return [
    ...(more === 0 ? [] : [`${more} more alerts stay, which are not described.`]),
    ...(leftOut === 0 ? [] : [`${leftOut} alerts have too many different values for exceptions; they stay.`]),
    ...(unfitting === 0 ? [] : [tooMany(unfitting)]),
  ];
}

const tooMany = (number: number): string =>
  `${number} exceptions with the fewest events found no room in their hooks or in the kernel; their alerts stay.`;

/** Keeps those of a hook that have the most events, if there are too many. */
function fitHooks(policy: CompiledPolicy, exceptions: readonly Exception[]): Exception[] {
  const free = countFreeSelectors(policy);
  const kept = new Set(
    policy.hooks.flatMap((_, index) =>
      byEvents(exceptions.filter(({ hook }) => hook === index)).slice(0, Math.max(free[index] ?? 0, 0)),
    ),
  );
  return exceptions.filter((each) => kept.has(each));
}

const byEvents = (exceptions: readonly Exception[]): Exception[] =>
  [...exceptions].sort((one, other) => other.evidence.events - one.evidence.events);

/** Leaves out exceptions until the policy is within the limits of the kernel's programs. */
function fitKernel(
  exceptions: readonly Exception[],
  write: (some: readonly Exception[]) => string,
): { readonly yaml: string; readonly exceptions: readonly Exception[] } {
  for (let some = exceptions; ;) {
    try {
      return { yaml: write(some), exceptions: some };
    } catch (error) {
      const isLimit = error instanceof PolicyError && error.diagnostics.some(({ code }) => code.startsWith('LIMIT_'));
      if (!isLimit || some.length === 0) throw error;
      const kept = new Set(byEvents(some).slice(0, Math.floor(some.length / 2)));
      some = some.filter((each) => kept.has(each));
    }
  }
}

const EXAMPLES_MAX = 20;

/**
 * Evaluates the policy without and with the exceptions over recordings. `attacks` are recordings of which nothing may be
 * hidden.
 */
export async function checkExceptions(
  learned: LearnedExceptions,
  recordings: readonly string[],
  attacks: readonly string[] = [],
): Promise<CheckedExceptions> {
  const known = internals.get(learned);
  if (known === undefined) {
    throw new PolytraceError(
      'BAD_OPTION',
      'this is no result of learn',
      'give the object that learn returned, unchanged',
    );
  }
  const checked = { before: 0, after: 0, missed: 0, excess: 0, scoped: 0, attacksBefore: 0, attacksAfter: 0 };
  const problems: string[] = [];
  const note = (problem: string): void => void (problems.length < EXAMPLES_MAX && problems.push(problem));
  for (const [files, isAttack] of [
    [recordings, false],
    [attacks, true],
  ] as const) {
    const recorded = await readHooks(files);
    const before = makeJudge(known.policy, recorded);
    const after = makeJudge(compile(learned.yaml, known.file, recorded, known.kernel), recorded);
    for await (const call of readAll(files)) {
      const reported = before(call);
      if (reported.length === 0) continue;
      const left = new Map(after(call).map((alert) => [alert.hook, alert]));
      for (const { hook, event } of reported) {
        const stays = left.get(hook);
        const about = `${describeHook(known.policy, hook)} of ${event.process.executable} (pid ${event.process.pid})`;
        if (isAttack) {
          checked.attacksBefore++;
          if (stays !== undefined) checked.attacksAfter++;
          else note(`an attack is hidden: ${about}`);
          continue;
        }
        checked.before++;
        const covered = isCovered(known.policy, known.exceptions, hook, event);
        const inContainer = (event.process.container ?? event.process.pod) !== undefined;
        if (covered && stays !== undefined && !stays.isCertain && inContainer) checked.scoped++;
        else if (stays !== undefined) checked.after++;
        if (covered && stays !== undefined && (stays.isCertain || !inContainer)) {
          checked.missed++;
          note(`a learned alert stays: ${about}`);
        }
        if (!covered && stays === undefined) {
          checked.excess++;
          note(`an alert that was not learned is hidden: ${about}`);
        }
      }
    }
  }
  const { missed, excess, attacksBefore, attacksAfter } = checked;
  return { ...checked, problems, passed: missed === 0 && excess === 0 && attacksBefore === attacksAfter };
}
