/** Runs scenarios over recorded events: what the policies would have reported of them. */
import { dirname, resolve } from 'node:path';
import type { PolicyTest, Scenario } from '../../types/index.js';
import type { Context } from './context.js';
import type { KernelOptions } from './kernel.js';
import { compiled, recordedItems, readHooks } from './recorded-calls.js';
import type { Outcome } from './scenario-verdict.js';

export async function runRecorded(
  { file, policies }: PolicyTest,
  { recording = '' }: Scenario,
  options: KernelOptions,
  context: Context,
): Promise<Outcome> {
  const path = resolve(dirname(file), recording);
  const known = await readHooks(path, context);
  const images = compiled(policies, options, known, context);
  const replayers = images.map((image) => context.api.replayer(image, known.hooks));
  const troubles = images.flatMap(
    ({ name }, i) =>
    (replayers[i]?.uncovered ?? []).map(({ call }) => `CALLS_NOT_RECORDED: no hook of the recording has those of ${name} ${call}`), // prettier-ignore
  );
  const outcome: Outcome & { events: Outcome['events'][number][]; uncertain: Outcome['uncertain'][number][] } = {
    events: [],
    uncertain: [],
    troubles,
  };
  for await (const item of recordedItems(path, context, (text) => troubles.push(text))) {
    if (item.event.type === 'lost') troubles.push(`EVENTS_LOST: ${item.event.count} events while it was recorded`);
    else if (item.hook === undefined) outcome.events.push(item.event);
    for (const { verdict, event } of replayers.flatMap(({ replay }) => replay(item))) {
      if (event === undefined) continue;
      if (verdict.reported === 'yes') outcome.events.push(event);
      else outcome.uncertain.push({ event, doubts: verdict.doubts });
    }
  }
  return outcome;
}
