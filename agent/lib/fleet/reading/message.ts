/** Takes a message of the stream apart. A server does not know what is in it, so nothing of it is believed. */
import { DEFAULT_CLUSTER, escapeToken, HEADERS, parseEventSubject, unescapeToken } from '../names.js';
import { countParts, parseNumbers } from '../events/batches.js';
import type { MergedMessage } from './merger.js';

export interface StoredMessage {
  readonly subject: string;
  readonly header: (name: string) => string;
  readonly text: string;
  readonly storedMs: number;
  /** The types that the reader gets, as tokens. Undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
}

export interface ReadMessage {
  /** Undefined: the message is not one of an agent. */
  readonly message: MergedMessage | undefined;
  /** What is wrong with some of its lines. */
  readonly problem: string | undefined;
}

/** A node may only report its own events. Lines with the name of another node or cluster are left out. */
export function readMessage({ subject, header, text, storedMs, types }: StoredMessage): ReadMessage {
  const parsed = parseEventSubject(subject);
  const [lines, boot, batch] = [text.split('\n'), header(HEADERS.boot), Number(header(HEADERS.batch))];
  const numbers = parseNumbers(header(HEADERS.numbers), lines.length);
  if (parsed === undefined || numbers === undefined || boot === '' || !Number.isSafeInteger(batch)) {
    return { message: undefined, problem: `${subject}: a message is not of an agent` };
  }
  const { cluster, node } = parsed;
  const isOwn = lines.map((line) => hasNames(line, cluster, node));
  const others = isOwn.filter((each) => !each).length;
  const name = unescapeToken(node);
  const problem = `node ${name}: ${others} lines are not events of this node, and are left out`;
  const own = <T>(values: readonly T[]): readonly T[] => (others === 0 ? values : values.filter((_, i) => isOwn[i]));
  const parts = countParts(header(HEADERS.parts), types);
  const message = {
    node: `${cluster}.${node}`,
    boot,
    batch,
    parts,
    numbers: own(numbers),
    lines: own(lines),
    storedMs,
  };
  return { message, problem: others === 0 ? undefined : problem };
}

function hasNames(line: string, cluster: string, node: string): boolean {
  try {
    const { node_name: nodeName = '', cluster_name: clusterName = DEFAULT_CLUSTER } = JSON.parse(line) as Record<
      string,
      unknown
    >;
    return isToken(nodeName, node) && isToken(clusterName, cluster);
  } catch {
    return false;
  }
}

function isToken(name: unknown, token: string): boolean {
  return typeof name === 'string' && (name === token || escapeToken(name) === token);
}
