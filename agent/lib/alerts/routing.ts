/** Decides which receivers get an alert. */
import { SEVERITIES } from 'polytrace/protocol';
import type { ReceiverSettings } from '../config/receivers.js';
import type { Alert } from './alert.js';

export type Route = (alert: Alert) => boolean;

/** A report of a loss belongs to one receiver, and is not routed. */
export function compileRoute({
  minSeverity,
  policies,
  tags,
}: Pick<ReceiverSettings, 'minSeverity' | 'policies' | 'tags'>): Route {
  const least = SEVERITIES.indexOf(minSeverity);
  const isPolicy = compilePatterns(policies);
  const isTag = compilePatterns(tags);
  return (alert) => {
    if (SEVERITIES.indexOf(alert.severity) > least) return false;
    if (policies.length > 0 && !isPolicy(alert.policy)) return false;
    return tags.length === 0 || alert.tags.some(isTag);
  };
}

/** `*` stands for any characters. Other characters stand for themselves. */
function compilePatterns(patterns: readonly string[]): (text: string) => boolean {
  const compiled = patterns.map((pattern) => {
    // repeated stars would make the time of a match grow
    const parts = pattern.replace(/\*+/g, '*').split('*');
    return (text: string): boolean => matchParts(parts, text);
  });
  return (text) => compiled.some((matches) => matches(text));
}

/** Needs time linear in the text. */
function matchParts(parts: readonly string[], text: string): boolean {
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return text === first;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
