/** Fixed events for the tracers, and the rows that a tracer makes of them. */
import assert from 'node:assert/strict';
import { RowTable } from '../../../lib/cli/row-table.js';
import { makeEvent } from '../../../lib/testing/make-event.js';
import { TRACERS, type Row, type TraceOptions, type TracerDefinition } from '../../../lib/tracers/index.js';
import type { ArgumentMembers, EventMembers, PlainEvent } from '../../../types/index.js';

export const OPTIONS: TraceOptions = { pids: [], binaries: [], policyName: 'trace', isWanted: () => true };

export function findTracer(name: string): TracerDefinition {
  const found = TRACERS.find((each) => each.name === name);
  assert.ok(found, name);
  return found;
}

export const CAT = { pid: 77, uid: 1000, user: 'ann', binary: '/usr/bin/cat', argv: ['a b'] };

/** Nanoseconds since 1970 of an event: 2026-01-31T12:00:00Z and some milliseconds. */
export const at = (ms: number): bigint => 1_769_860_800_000_000_000n + BigInt(ms) * 1_000_000n;

export function kprobe(
  functionName: string,
  ms: number,
  args: readonly ArgumentMembers[],
  more: Partial<EventMembers<'process_kprobe'>> = {},
): PlainEvent {
  return makeEvent('process_kprobe', { functionName, timeNs: at(ms), args, process: CAT, ...more });
}

export function tracepoint(
  name: string,
  ms: number,
  args: readonly ArgumentMembers[],
  more: Partial<EventMembers<'process_tracepoint'>> = {},
): PlainEvent {
  const [subsystem = '', event = ''] = name.split('/');
  return makeEvent('process_tracepoint', { subsystem, event, timeNs: at(ms), args, process: CAT, ...more });
}

export function rowsOf(name: string, events: readonly PlainEvent[], options: Partial<TraceOptions> = {}): Row[] {
  const collector = findTracer(name).createCollector({ ...OPTIONS, ...options });
  return events.flatMap((event) => collector.take(event));
}

/** The table of a tracer for a terminal, in lines. */
export function tableOf(
  name: string,
  width: number,
  events: readonly PlainEvent[],
  options: Partial<TraceOptions> = {},
): string[] {
  const table = new RowTable(findTracer(name).columns({ ...OPTIONS, ...options }), width);
  const lines = [table.formatTitles(), ...rowsOf(name, events, options).map((row) => table.formatRow(row))];
  for (const line of lines) assert.ok(line.length <= width + 1, line);
  return lines.map((line) => line.trimEnd());
}
