/** `polytrace top --fleet`: counts the events of all nodes while they come. */
import type { PlainEvent } from '../../types/index.js';
import { loadProtocol } from '../protocol/load.js';
import type { Context, FleetReader } from './context.js';
import { requestedNodes, withFleet, type FleetOptions } from './fleet-options.js';
import { printMessage } from './output.js';
import { runTop, type CountRow, type TopOptions, type TopSource } from './top.js';

/** Rows of a table that are counted. The events of further ones are one row. */
const ROWS_MAX = 10_000;
const OTHERS = '(others)';

export function runFleetTop(options: TopOptions & FleetOptions, context: Context): Promise<number> {
  return withFleet(options, context, async (fleet) => {
    const counts = new FleetCounts();
    const stopped = new AbortController();
    const counting = counts.count(fleet, options, context, stopped.signal);
    try {
      return await runTop(counts, options, context);
    } finally {
      stopped.abort();
      await counting;
    }
  });
}

class Rows {
  readonly #rows = new Map<string, { matched: number; lost: number }>();

  add(name: string, matched: number, lost: number): void {
    const key = this.#rows.has(name) || this.#rows.size < ROWS_MAX ? name : OTHERS;
    const row = this.#rows.get(key) ?? { matched: 0, lost: 0 };
    this.#rows.set(key, { matched: row.matched + matched, lost: row.lost + lost });
  }

  list(): CountRow[] {
    return [...this.#rows].map(([name, { matched, lost }]) => ({ name, matched, posted: matched, lost }));
  }
}

/** An agent counts what its policies match. Of a fleet, only the events are known. */
class FleetCounts implements TopSource {
  readonly #policies = new Rows();
  readonly #hooks = new Rows();
  readonly #nodes = new Rows();
  readonly #processes = new Rows();
  #failure: unknown;

  async count(fleet: FleetReader, options: FleetOptions, context: Context, signal: AbortSignal): Promise<void> {
    const parse = loadProtocol().recordedEvents({}, undefined);
    const onProblem = (text: string): void => printMessage(context, `warning: ${text}`);
    try {
      for await (const lines of fleet.lines({ ...requestedNodes(options), follow: true, signal, onProblem })) {
        for (const { text } of lines) {
          const view = parse(text)?.view;
          if (view !== undefined) this.#add(view);
        }
      }
    } catch (error) {
      this.#failure = error;
    }
  }

  #add(event: PlainEvent): void {
    const lost = event.type === 'lost' ? event.count : 0;
    const matched = event.type === 'lost' ? 0 : 1;
    const policy = 'policyName' in event && event.policyName !== '' ? event.policyName : '-';
    const hook = 'functionName' in event ? event.functionName : event.type;
    this.#policies.add(policy, matched, lost);
    this.#hooks.add(`${policy}: ${hook}`, matched, lost);
    this.#nodes.add(event.nodeName, matched, lost);
    if ('process' in event) this.#processes.add(event.process.binary, matched, lost);
  }

  rows(by: TopOptions['by']): Promise<readonly CountRow[]> {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- that of the connection
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const tables = { policies: this.#policies, hooks: this.#hooks, nodes: this.#nodes, processes: this.#processes };
    return Promise.resolve(tables[by].list());
  }
}
