/** Prints the events of a fleet: `polytrace getevents --fleet` and `polytrace report --fleet`. */
import type { ClientEvent } from '../protocol/index.js';
import type { RecordedLine } from '../recording/lines.js';
import type { Context, FleetReader } from './context.js';
import { requestedNodes, withFleet } from './fleet-options.js';
import { printMessage } from './output.js';
import type { EventDestination } from './printer.js';
import { printEventLines, type RecordedOptions } from './recorded-events.js';

/** Without `--since`, the events from now on. With it, those until now, and with `--follow` also those that come. */
export function followFleet(
  options: RecordedOptions,
  context: Context,
  target?: EventDestination<ClientEvent> & { readonly onInvalidLine: () => void },
): Promise<number> {
  return withFleet(options, context, (fleet) => {
    printMessage(context, `ready: events of the fleet at ${(options.fleet ?? []).join(', ')}`);
    const read = (signal: AbortSignal): AsyncIterable<readonly RecordedLine[]> =>
      readLines(fleet, options, context, signal);
    return printEventLines([{ name: 'the fleet', isStream: true, read }], options, context, target);
  });
}

async function* readLines(
  fleet: FleetReader,
  options: RecordedOptions,
  context: Context,
  signal: AbortSignal,
): AsyncGenerator<readonly RecordedLine[], void> {
  const { since, follow = since === undefined, eventTypes: types } = options;
  const request = {
    ...requestedNodes(options),
    types,
    since: since === undefined ? undefined : Number(since / 1_000_000n),
    follow,
    signal,
    onProblem: (text: string) => printMessage(context, `warning: ${text}`),
  };
  let number = 0;
  for await (const lines of fleet.lines(request)) {
    yield lines.map(({ text }): RecordedLine => ({ text, number: (number += 1) }));
  }
}
