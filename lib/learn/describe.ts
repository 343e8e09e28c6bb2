/** Words for exceptions: whose events they are about, what they hide, and what to look at. Pure. */
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { quoteForComment } from '../generalize/policy-text.js';
import type { ArgumentFilter, Exception, ReviewNote } from './exceptions.js';
import type { Evidence } from './collector.js';
import type { Identity } from './identity.js';

const LISTED = 4;

function listTexts(texts: readonly string[]): string {
  const shown = texts.slice(0, LISTED).map(quoteForComment).join(', ');
  return texts.length <= LISTED ? shown : `${shown} and ${texts.length - LISTED} more`;
}

function describeIdentity({ programs, script, ancestor, container }: Identity): string {
  if (container !== undefined)
    return `any program in containers with the ${container.key === 'repo' ? 'image' : 'name'} ${quoteForComment(container.value)}`;
  const own = listTexts(programs);
  if (script !== undefined) return `${own} with the script ${quoteForComment(script)}`;
  return ancestor === undefined ? own : `${own} below ${quoteForComment(ancestor)}`;
}

const OPERATOR_WORDS: Readonly<Record<string, string>> = {
  Equal: 'is',
  Prefix: 'begins with',
  Postfix: 'ends with',
  DPort: 'has the remote port',
  SPort: 'has the port',
  DAddr: 'has the remote address',
  SAddr: 'has the address',
  NotDAddr: 'has any remote address but',
  NotSAddr: 'has any address but',
};

function describeFilters(filters: readonly ArgumentFilter[]): string {
  if (filters.length === 0) return 'with any values';
  const parts = filters.map(
    ({ position, operator, values }) =>
      `value ${position} ${OPERATOR_WORDS[operator] ?? operator} ${values.length > 1 && operator !== 'NotDAddr' ? 'one of ' : ''}${listTexts(values)}`,
  );
  return `where ${parts.join(' and ')}`;
}

export function describeHook(policy: CompiledPolicy, index: number): string {
  const hook = policy.hooks[index];
  if (hook === undefined) return `hook ${index}`;
  const { tracepoint, call, message } = hook;
  const name = tracepoint === undefined ? call : `${tracepoint.subsystem}/${tracepoint.event}`;
  return message === undefined ? name : `${name} (${quoteForComment(message)})`;
}

/** One sentence: everything that the exception hides, not only what was seen. */
export function describeHidden({ identity, filters }: Exception): string {
  return `every such call of ${describeIdentity(identity)}, whoever starts it, ${describeFilters(filters)}`;
}

const NOTES: Readonly<Record<ReviewNote, string>> = {
  secret: 'a secret is among the values',
  pattern: 'files that were not seen are hidden, too',
  package_manager: 'a package manager does what packages say: a hostile package is hidden, too',
  interpreter: 'an interpreter also runs what its environment variables name',
  ancestor: 'everything that the program above starts with this tool is hidden',
  container: 'programs of containers cannot be told apart by their paths',
  all_addresses: 'data that this program sends to another address is hidden, too',
  any_number: 'a number that differs each time is not compared',
  no_value: 'the hook has no value to compare',
};

export const describeNote = (note: ReviewNote): string => NOTES[note];

export function describeEvidence({ events, processes, users, first, last }: Evidence): string {
  const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  const ids = [...users].sort((one, other) => one - other);
  const who =
    ids.length === 1 ? `user ${ids[0]}` : `users ${ids.slice(0, LISTED).join(', ')}${ids.length > LISTED ? ', …' : ''}`;
  const seconds = (time: string): string => time.replace(/\.\d+/, '');
  return `${count(events, 'event')} of ${processes.size === 1 ? '1 process' : `${processes.size} processes`} (${who}), ${seconds(first)} to ${seconds(last)}`;
}
