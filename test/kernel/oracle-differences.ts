/**
 * The events that only one of the two reports, with the reasons. oracle-differences.yaml lists them one by one, and
 * docs/from-tetragon.md explains them to users.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ComparedEvent } from './oracle.js';

/**
 * `fault`: Tetragon is known to be wrong there. `hidden`: polytrace matches what a process hides from it, and lets no
 * policy or fork hide a change from another policy. `choice`: polytrace decides in another way.
 */
type DifferenceKind = 'fault' | 'hidden' | 'choice';

export interface Difference {
  readonly kind: DifferenceKind;
  readonly reason: string;
  /** The events that only Tetragon reports, as `summarizeEvent` writes them. */
  readonly tetragon?: readonly string[];
  /** The events that only polytrace reports. */
  readonly polytrace?: readonly string[];
}

/** Returns the differences by policy. A policy without an entry is equal event by event. */
export function readDifferences(): Readonly<Partial<Record<string, readonly Difference[]>>> {
  const text = readFileSync(join(__dirname, 'oracle-differences.yaml'), 'utf8');
  return parse(text) as Record<string, readonly Difference[]>;
}

/** Writes an event as one short line: the function with its values, then the message of the hook. */
export function summarizeEvent(event: ComparedEvent): string {
  const {
    function_name: name,
    symbol,
    args,
    return: result,
    data,
    message,
  } = event as Readonly<Record<string, string>>;
  const parts = [
    `${name ?? symbol ?? ''}(${summarizeValues(args)})`,
    ...(result === undefined ? [] : [`= ${summarizeValue(result)}`]),
    ...(data === undefined ? [] : [`data ${summarizeValues(data)}`]),
    ...(message === undefined ? [] : [message]),
  ];
  return parts.join(' ');
}

function summarizeValues(values: unknown): string {
  return (values as readonly unknown[]).map(summarizeValue).join(', ');
}

/** A value has one member, whose name is its type. The type is left out for numbers and texts. */
function summarizeValue(value: unknown): string {
  const [[type, content] = ['', undefined]] = Object.entries(value as Record<string, string | number | object>);
  if (type === 'error_arg') return 'unreadable';
  return typeof content === 'object' ? `${type} ${shorten(JSON.stringify(content))}` : shorten(String(content));
}

const LONGEST_TEXT = 200;

function shorten(text: string): string {
  if (text.length > LONGEST_TEXT) return `${text.slice(0, 8)}…${text.slice(-8)} (${text.length} characters)`;
  return text.replace(/[^ -~]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}
