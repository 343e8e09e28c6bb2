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

export function chooseSubjects({ cluster, nodes, types }: SubjectFilter): string[] {
  const prefix = `${EVENTS_PREFIX}.${cluster === undefined ? '*' : escapeToken(cluster)}`;
  const nodeTokens = nodes === undefined ? ['*'] : [...new Set(nodes)].map(escapeToken);
  const typeTokens = types === undefined ? ['*'] : [...new Set([...types, LOSS])].map(escapeToken);
  if (nodeTokens.length > SUBJECTS_MAX) return [`${prefix}.>`];
  if (nodeTokens.length * typeTokens.length > SUBJECTS_MAX) return nodeTokens.map((node) => `${prefix}.${node}.>`);
  return nodeTokens.flatMap((node) => typeTokens.map((type) => `${prefix}.${node}.${type}.*`));
}
