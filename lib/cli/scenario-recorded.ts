/** Runs scenarios over recorded events, by evaluating the policies over the recorded calls. */
import { dirname, resolve } from 'node:path';
import type { PolicyTest, Scenario } from '../../types/index.js';
import type { Context } from './context.js';
import type { KernelOptions } from './kernel.js';
import { compilePolicies, readHooks, readRecordedEvents } from './recorded-calls.js';
import type { ScenarioOutcome } from './scenario-outcome.js';

export async function runRecordedScenario(
  { file, policies }: PolicyTest,
  { recording = '' }: Scenario,
  options: KernelOptions,
  context: Context,
): Promise<ScenarioOutcome> {
  const path = resolve(dirname(file), recording);
  const recordedHooks = await readHooks(path, context);
  const compiledPolicies = compilePolicies(policies, options, recordedHooks, context);
  const replayers = compiledPolicies.map((compiledPolicy) => context.api.replayer(compiledPolicy, recordedHooks.hooks));
  const problems = compiledPolicies.flatMap(
    ({ name }, i) =>
    (replayers[i]?.uncovered ?? []).map(({ call }) => `CALLS_NOT_RECORDED: no hook of the recording has those of ${name} ${call}`), // prettier-ignore
  );
  const outcome: Omit<ScenarioOutcome, 'metrics'> & {
    events: ScenarioOutcome['events'][number][];
    uncertain: ScenarioOutcome['uncertain'][number][];
  } = {
    events: [],
    uncertain: [],
    problems,
  };
  for await (const item of readRecordedEvents(path, context, (text) => problems.push(text))) {
    if (item.event.type === 'lost') problems.push(`EVENTS_LOST: ${item.event.count} events while it was recorded`);
    else if (item.hook === undefined) outcome.events.push(item.event);
    for (const { verdict, event } of replayers.flatMap(({ replay }) => replay(item))) {
      if (event === undefined) continue;
      if (verdict.reported === 'yes') outcome.events.push(event);
      else outcome.uncertain.push({ event, uncertainties: verdict.doubts });
    }
  }
  return { ...outcome, metrics: replayers.flatMap(({ metrics }) => metrics()) };
}
