/** Options of the commands that print events: output format and filters. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { EventType } from '../../types/index.js';
import { EVENT_TYPES } from '../names/event-types.js';
import { COLUMN_NAMES } from './event-table.js';

export function addFormatOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-o, --output <format>', 'format of the events')
        .choices(['compact', 'json', 'table', 'tree'])
        .default('compact'),
    )
    .option('--pretty', 'with --output json: several lines for each event')
    .option(
      '--fields <field...>',
      `columns of the table: ${COLUMN_NAMES.join(', ')}, or fields of the JSON such as process.cwd; with --output json, only these fields`,
      parseList,
    )
    .addOption(
      new Option(
        '--processes <which>',
        'starts and ends of all processes, or only of those (and their ancestors) that an event of a policy is about',
      )
        .choices(['all', 'matched'])
        .default('all'),
    )
    .addOption(
      new Option('--color <when>', 'colours in the compact format')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('--timestamps', 'start lines of the compact format with the time')
    .addOption(
      new Option(
        '--style <style>',
        'compact lines of hooks that have no line of their own in Tetragon: with their values, or as Tetragon shows them',
      )
        .choices(['detailed', 'tetragon'])
        .default('detailed'),
    )
    .option('--who', 'end compact lines with process id, user id and parent (default: in a wide terminal)')
    .addOption(new Option('--no-who', 'never do that').hideHelp())
    .option(
      '-f, --include-fields <field...>',
      'write only these fields of events: process.binary,args; compact lines need an agent for it',
      parseList,
    )
    .option('-F, --exclude-fields <field...>', 'leave these fields of events out', parseList);
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--process <regex...>', 'report only processes whose binary matches', appendValue)
    .option('-e, --event-types <type...>', `report only these types: ${EVENT_TYPES.join(', ')}`, parseEventTypes)
    .option('--policy-names <name...>', 'report only events of these policies, and exec and exit', parseList)
    .option('--pods <regex...>', 'report only processes of pods whose name matches', appendValue)
    .option(
      '-n, --namespaces <name...>',
      "report only processes of pods in these namespaces; '' is outside of pods",
      parseList,
    )
    .option('--namespace-regex <regex...>', 'report only processes of pods whose namespace matches (agent)', parseList)
    .option(
      '--filter <expression...>',
      'report only events for which the CEL expression is true: process.pid == 1 && event_type == "process_exec"',
      appendValue,
    )
    .option('--cel-expression <expression...>', 'the same as --filter', appendValue)
    .option('--containers <regex...>', 'report only processes of containers whose name matches', appendValue)
    .option('--labels <selector...>', 'report only processes of pods with these labels, such as app=web', appendValue)
    .option('--host', 'report only processes that are in no container');
}

export function parseList(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(',')];
}

/**
 * Appends a pattern, a selector or an expression, which may contain commas. The value is not checked here: an agent and
 * a tracer accept different patterns.
 */
function appendValue(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function parseEventTypes(text: string, before: readonly EventType[] = []): EventType[] {
  const types = text.split(',').map((name) => {
    const type = EVENT_TYPES.find((known) => known === name.toLowerCase());
    if (type === undefined) throw new InvalidArgumentError(`Allowed types are ${EVENT_TYPES.join(', ')}.`);
    return type;
  });
  return [...before, ...types];
}

/** Limit of a timer: 2^31 - 1 milliseconds. */
const SECONDS_MAX = 2_147_483;

export function parseSeconds(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value > 0 && value <= SECONDS_MAX)) {
    throw new InvalidArgumentError(`The value must be a number of seconds above 0 and at most ${SECONDS_MAX}.`);
  }
  return value;
}

/** Parses an interval such as `1s` or `500ms` into seconds; a number without a unit is seconds. */
export function parseInterval(text: string): number {
  const [, number, unit] = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text) ?? [];
  const seconds = number === undefined ? NaN : Number(number) * (unit === 'ms' ? 0.001 : unit === 'm' ? 60 : 1);
  if (!(seconds >= INTERVAL_MIN && seconds <= INTERVAL_MAX)) {
    throw new InvalidArgumentError('Write a time from 100ms to 60m, such as 1s.');
  }
  return seconds;
}

/** Shortest and longest interval in seconds. */
const INTERVAL_MIN = 0.1;
const INTERVAL_MAX = 3600;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Parses a date, or the time since then, into nanoseconds since 1970. */
export function parseSince(text: string): bigint {
  const [, number, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const isTime = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text);
  let ms = isTime ? Date.parse(text) : NaN;
  // eslint-disable-next-line no-restricted-properties -- a time of day
  if (number !== undefined) ms = Date.now() - Number(number) * (UNITS[unit] ?? NaN) * 1000;
  if (Number.isNaN(ms)) {
    throw new InvalidArgumentError('A time is like 2026-01-31, 2026-01-31T12:00:00Z, 90s, 10m, 6h or 2d.');
  }
  return BigInt(ms) * 1_000_000n;
}
