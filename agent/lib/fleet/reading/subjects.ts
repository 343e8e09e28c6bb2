/** Chooses the subjects that a reader asks the server for. What they cannot express is filtered later. */
import { EVENTS_PREFIX, escapeToken } from '../names.js';

export interface SubjectFilter {
  readonly cluster?: string | undefined;
  /** Names of nodes. Undefined: all. */
  readonly nodes?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
}

/** A server compares each message with each subject. */
const SUBJECTS_MAX = 256;
/** Losses are always wanted. */
const LOSS = 'lost';

export interface ChosenSubjects {
  readonly subjects: readonly string[];
  /** The types that come, as tokens. Undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
}

export function chooseSubjects({ cluster, nodes, types }: SubjectFilter): ChosenSubjects {
  const prefix = `${EVENTS_PREFIX}.${cluster === undefined ? '*' : escapeToken(cluster)}`;
  const nodeTokens = nodes === undefined ? ['*'] : [...new Set(nodes)].map(escapeToken);
  const typeTokens = types === undefined ? undefined : new Set([...types, LOSS].map(escapeToken));
  const ofNodes = (rest: readonly string[]): string[] =>
    nodeTokens.flatMap((node) => rest.map((each) => `${prefix}.${node}.${each}`));
  if (nodeTokens.length > SUBJECTS_MAX) return { subjects: [`${prefix}.>`], types: undefined };
  if (typeTokens === undefined) return { subjects: ofNodes(['*.*']), types: undefined };
  if (nodeTokens.length * typeTokens.size > SUBJECTS_MAX) return { subjects: ofNodes(['>']), types: undefined };
  return { subjects: ofNodes([...typeTokens].map((type) => `${type}.*`)), types: typeTokens };
}
