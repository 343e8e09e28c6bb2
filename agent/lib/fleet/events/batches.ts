/** Makes messages of lines. The lines of a batch with the same type and policy are one message, or as many as it takes. */
import { parseNumberedLine } from './numbered-line.js';

export interface EventMessage {
  /** `TYPE.POLICY` */
  readonly topic: string;
  readonly numbering: string;
  /** The first sequence number of the batch, and the numbers of the lines. */
  readonly batch: number;
  readonly numbers: readonly number[];
  /** How many messages the batch has of each type, see `formatParts`. */
  readonly parts: string;
  /** The lines, joined by newlines. */
  readonly payload: string;
  /** The lines as the spool has them. */
  readonly lines: readonly string[];
}

export interface Batch {
  readonly messages: readonly EventMessage[];
  /** Number of damaged lines. */
  readonly unreadable: number;
}

/** Bytes of the subject and the headers of a message, at most. */
const OVERHEAD = 8 * 1024;

/** The same lines always become the same messages. `maxBytes` is the largest payload that the server takes. */
export function makeBatch(lines: readonly string[], maxBytes: number): Batch {
  const limit = Math.max(maxBytes - OVERHEAD, 1);
  const open = new Map<string, OpenMessage>();
  const messages: OpenMessage[] = [];
  let unreadable = 0;
  let batch = 0;
  for (const line of lines) {
    const parsed = parseNumberedLine(line);
    if (parsed === undefined) {
      unreadable += 1;
      continue;
    }
    const { numbering, number, topic, json } = parsed;
    if (batch === 0) batch = number;
    const bytes = Buffer.byteLength(json) + 1;
    const key = `${numbering} ${topic}`;
    let message = open.get(key);
    if (message === undefined || message.bytes + bytes > limit || message.lines.length >= LINES_MAX) {
      message = { topic, numbering, batch, numbers: [], texts: [], lines: [], bytes: 0 };
      open.set(key, message);
      messages.push(message);
    }
    message.bytes += bytes;
    message.numbers.push(number);
    message.texts.push(json);
    message.lines.push(line);
  }
  const parts = formatParts(messages);
  return {
    unreadable,
    messages: messages.map(({ texts, ...rest }) => ({ ...rest, parts, payload: texts.join('\n') })),
  };
}

interface OpenMessage extends Omit<EventMessage, 'numbers' | 'parts' | 'payload' | 'lines'> {
  readonly numbers: number[];
  readonly texts: string[];
  readonly lines: string[];
  bytes: number;
}

/** A header has room for the numbers of so many lines. */
const LINES_MAX = 512;

/** `1,3,5-9` */
export function formatNumbers(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length;) {
    const first = numbers[i] as number;
    let last = first;
    for (i += 1; numbers[i] === last + 1; i++) last += 1;
    parts.push(last === first ? String(first) : `${first}-${last}`);
  }
  return parts.join(',');
}

/** Returns undefined if the text is not of `formatNumbers`, or has more than `count` numbers. */
export function parseNumbers(text: string, count: number): number[] | undefined {
  const numbers: number[] = [];
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) - Number(first) >= count - numbers.length) return undefined;
    for (let number = Number(first); number <= Number(last); number++) numbers.push(number);
  }
  return numbers.length === count ? numbers : undefined;
}

/**
 * `process_exec:1,process_kprobe:3`: a reader knows from it whether a batch is complete, also if it reads only some of the
 * types.
 */
function formatParts(messages: readonly Pick<EventMessage, 'topic'>[]): string {
  const counts = new Map<string, number>();
  for (const { topic } of messages) {
    const type = topic.slice(0, topic.indexOf('.'));
    counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return Array.from(counts, ([type, count]) => `${type}:${count}`).join(',');
}

/** Returns how many messages of these types the batch has. `types` are tokens; undefined: all. */
export function countParts(text: string, types: ReadonlySet<string> | undefined): number | undefined {
  let sum = 0;
  for (const part of text.split(',')) {
    const [, type, count] = /^([\w=~-]+):(\d{1,9})$/.exec(part) ?? [];
    if (type === undefined) return undefined;
    if (types === undefined || types.has(type)) sum += Number(count);
  }
  return sum;
}
