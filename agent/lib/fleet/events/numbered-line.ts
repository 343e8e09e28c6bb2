/**
 * The lines that wait for the fleet. Before its JSON, a line has what its message needs: the numbering and the sequence
 * number, and the type and policy of its event as tokens of a subject.
 *
 *   TYPE.POLICY {json}                      in memory
 *   NUMBERING:NUMBER TYPE.POLICY {json}     on the disk
 */
import type { LossReason } from '../../delivery/delivery.js';
import { escapeToken } from '../names.js';

export interface NumberedLine {
  readonly numbering: string;
  readonly number: number;
  /** `TYPE.POLICY` */
  readonly topic: string;
  readonly json: string;
}

const NUMBERED = /^([0-9a-f]+-[0-9a-f]+):(\d{1,15}) ([\w=~-]+\.[\w=~-]+) (\{.*)$/s;

/** Returns undefined for a line that is damaged. */
export function parseNumberedLine(line: string): NumberedLine | undefined {
  const [, numbering, number, topic, json] = NUMBERED.exec(line) ?? [];
  if (numbering === undefined || number === undefined || topic === undefined || json === undefined) return undefined;
  return { numbering, number: Number(number), topic, json };
}

export function formatNumberedLine(numbering: string, number: number, line: string): string {
  return `${numbering}:${number} ${line}`;
}

/** Topics that are remembered. Policies come and go. */
const TOPICS_MAX = 1000;

/** Makes the topics of events, each once. */
export class Topics {
  readonly #topics = new Map<string, string>();

  find(type: string, policyName: string): string {
    const key = `${type} ${policyName}`;
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      if (this.#topics.size >= TOPICS_MAX) this.#topics.clear();
      topic = `${escapeToken(type)}.${escapeToken(policyName)}`;
      this.#topics.set(key, topic);
    }
    return topic;
  }
}

const COUNT = /,"aggregation_info":\{"count":"(\d+)"\}\}$/;
const LOSS = '{"lost":';

/** Returns the number of events that a line stands for, with or without its number. */
export function countLineEvents(line: string): number {
  return line.endsWith('"}}') ? Number(COUNT.exec(line)?.[1] ?? 1) : 1;
}

/** Returns the number of lost events that a line reports, or undefined for another line. */
export function countLineLosses(line: string): number | undefined {
  return readLoss(line)?.count;
}

const REASONS: ReadonlySet<string> = new Set<LossReason>([
  'agent_ended',
  'disk',
  'queue_full',
  'refused',
  'spool_full',
  'spool_removed',
]);

/** Returns the reason of a line that reports a loss. That of another part of the agent stays in the line only. */
export function lineLossReason(line: string): LossReason {
  const reason = readLoss(line)?.reason ?? '';
  return REASONS.has(reason) ? (reason as LossReason) : 'queue_full';
}

function readLoss(line: string): { readonly count: number; readonly reason: string } | undefined {
  const start = line.indexOf('{');
  if (!line.startsWith(LOSS, start)) return undefined;
  const { count, reason } = (JSON.parse(line.slice(start)) as { readonly lost: { count?: number; reason?: string } })
    .lost;
  return { count: count ?? 0, reason: reason ?? '' };
}

/** The events of a line, or those that it reports as lost. They all have a sequence number. */
export function countNumbers(line: string): number {
  return countLineLosses(line) ?? countLineEvents(line);
}
