/** Compares the evaluator with the kernel: over the recorded events of the matrix, both must choose the same selector. */
import { compilePolicy, loadKernelInfo, recorder, recordingReader, replayer } from '../../lib/index.js';
import type { ProcessKprobeEvent, RecordedEvent } from '../../types/index.js';
import type { Plan } from './matrix-policy.js';

export interface Comparison {
  /** Calls for which the kernel and the evaluator chose the same selector. */
  calls: number;
  /** Rows of the matrix with such a call. */
  readonly rows: Set<string>;
  /** Calls for which the evaluator has no certain answer, with its reasons. */
  readonly unknown: string[];
  readonly differences: string[];
}

/** Events go through a recording, as `polytrace replay` reads it. */
export function compareWithKernel(plans: readonly Plan[], events: readonly ProcessKprobeEvent[]): Comparison {
  const comparison: Comparison = { calls: 0, rows: new Set(), unknown: [], differences: [] };
  const { recorded, hooks } = recordAndRead(events);
  const kernel = loadKernelInfo();
  for (const plan of plans) {
    const own = recorded.filter(({ hook }) => hook?.policyName === plan.policyName);
    if (own.length === 0) continue;
    const replay = replayer(
      compilePolicy(plan.yaml, { kernel }),
      hooks.filter(({ policyName }) => policyName === plan.policyName),
    );
    for (const call of own) compareCall(plan, call, replay.replay(call), comparison);
  }
  return comparison;
}

function recordAndRead(events: readonly ProcessKprobeEvent[]): {
  recorded: RecordedEvent[];
  hooks: ReturnType<typeof recordingReader>['hooks'];
} {
  const { header, lines } = recorder();
  const reader = recordingReader();
  const text = header + events.map((event) => lines(event)).join('');
  const recorded = text.split('\n').flatMap((line) => (line === '' ? [] : (reader.read(line) ?? [])));
  return { recorded, hooks: reader.hooks };
}

function compareCall(
  plan: Plan,
  { event }: RecordedEvent,
  answers: ReturnType<ReturnType<typeof replayer>['replay']>,
  comparison: Comparison,
): void {
  if (event.type !== 'process_kprobe') return;
  const name = event.data[0]?.type === 'string' ? event.data[0].value : '';
  const row = plan.cases.find(({ matchName, missName }) => name === matchName || name === missName);
  const title = `${plan.subject.title}: ${row?.title ?? 'expected value'} (${name})`;
  const [answer, ...others] = answers;
  if (answer === undefined || others.length > 0) {
    comparison.differences.push(`${title}: ${answers.length} answers`);
    return;
  }
  const { reported, selector, doubts } = answer.verdict;
  if (reported !== 'no' && selector === undefined) {
    comparison.unknown.push(`${title}: ${doubts.map(({ code, about }) => `${code} ${about}`).join(', ')}`);
  } else if (reported !== 'yes' || selector !== event.selector) {
    comparison.differences.push(
      `${title}: the kernel matched ${event.selector}, the evaluator ${selector} (${reported})`,
    );
  } else {
    comparison.calls += 1;
    if (row !== undefined) comparison.rows.add(`${plan.policyName} ${row.message} ${row.selector}`);
  }
}
