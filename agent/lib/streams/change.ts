/** Makes the events of changes that the agent reports itself. */
import type { AgentEvent, ChangeEvent, PlainOf } from 'polytrace';
import { makeAgentEvent } from 'polytrace/protocol';

type Change = Omit<PlainOf<ChangeEvent>, 'type' | 'time' | 'timeNs' | 'nodeName'>;

export function toChangeEvent(change: Change, nodeName: string): AgentEvent {
  const milliseconds = Date.now();
  const time = new Date(milliseconds).toISOString().replace('Z', '000000Z');
  return makeAgentEvent({ ...change, type: 'change', time, timeNs: BigInt(milliseconds) * 1_000_000n, nodeName });
}
