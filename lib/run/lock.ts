/** Lock files of behaviour: YAML with one fact a line, sorted, one section a package. */
import type * as Yaml from 'yaml';
import type { Node } from 'yaml';
import type { Behavior, LockDifference, LockFact } from '../../types/run.js';
import { PolytraceError } from '../errors.js';

/** Section of the command itself. */
const MAIN = '.';
const VERSION = 1;
/** Limit of a file. */
const LOCK_BYTES_MAX = 8 * 1024 * 1024;

const HEADER = `# What a command does, as \`polytrace run --lock\` has seen it. Review it like code, and commit it.
# $PWD, $HOME, $TMP and $CACHE are folders; * stands for what differs in each run.
version: ${VERSION}
packages:
`;

/** The line of a behavior: script, kind, subject. */
export function lockFact({ package: name = MAIN, script, kind, fact }: Behavior): LockFact {
  return { package: name, fact: `${script === undefined ? '' : `${script}: `}${kind} ${fact}` };
}

export function formatLock(behaviors: readonly Behavior[]): string {
  const sections = new Map<string, Set<string>>();
  for (const behavior of behaviors) {
    // what was refused has not happened
    if (behavior.refused === true) continue;
    const { package: name, fact } = lockFact(behavior);
    sections.set(name, (sections.get(name) ?? new Set()).add(fact));
  }
  const names = [...sections.keys()].sort();
  if (names.length === 0) return `${HEADER.trimEnd()} {}\n`;
  return HEADER + names.map((name) => `  ${quote(name)}:\n${formatFacts(sections.get(name) ?? new Set())}`).join('');
}

function formatFacts(facts: ReadonlySet<string>): string {
  return [...facts]
    .sort()
    .map((fact) => `    - ${quote(fact)}\n`)
    .join('');
}

/** JSON strings are YAML, and no other style is needed: each fact stays on its line. */
const quote = (text: string): string => JSON.stringify(text.replace(/[\ud800-\udfff]/gu, '\ufffd'));

/** The package takes longer to load than the rest of the library. */
function loadYaml(): typeof Yaml {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require('yaml') as typeof Yaml;
}

/** Throws PolytraceError LOCK_INVALID. */
export function parseLock(text: string, file = '<lock>'): LockFact[] {
  const { LineCounter, parseDocument, isMap, isScalar, isSeq } = loadYaml();
  const lines = new LineCounter();
  const anew = 'write the file anew with --update-lock, or take it from version control';
  const fail = (message: string, node?: Node | null, hint = anew): never => {
    const { line, col } = lines.linePos(node?.range?.[0] ?? 0);
    throw new PolytraceError('LOCK_INVALID', `${file}:${line}:${col}: ${message}`, hint);
  };
  if (text.length > LOCK_BYTES_MAX) fail('the file is larger than 8 MiB');
  const document = parseDocument(text, { lineCounter: lines, maxAliasCount: 0 } as object);
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new PolytraceError(
      'LOCK_INVALID',
      `${file}:${line}:${col}: ${error.message.split('\n')[0] ?? ''}`,
      'correct the YAML',
    );
  }
  const root = document.contents;
  if (!isMap(root)) return fail('this is no lock file: it has no version and no packages', root);
  for (const { key } of root.items) {
    if (!isScalar(key) || (key.value !== 'version' && key.value !== 'packages'))
      fail('a lock file has only the fields version and packages', key);
  }
  const version = root.get('version', true) as Node | undefined;
  const isNewer = isScalar(version) && typeof version.value === 'number' && version.value > VERSION;
  if (isNewer) fail('a newer version of polytrace has written this file', version, 'update polytrace');
  if (!isScalar(version) || version.value !== VERSION) fail(`the version is not ${VERSION}`, version ?? root);
  const packages = root.get('packages', true) as Node | undefined;
  if (!isMap(packages)) return fail('packages must be a map of package names', packages ?? root);
  return packages.items.flatMap(({ key, value }) => {
    if (!isScalar(key) || typeof key.value !== 'string')
      return fail('the name of a package must be a text', key as Node);
    const name = key.value;
    if (!isSeq(value))
      return fail(`the section ${JSON.stringify(name)} must be a list of facts`, (value as Node | null) ?? key);
    return value.items.map((item): LockFact => {
      if (!isScalar(item) || typeof item.value !== 'string') return fail('a fact must be a text', item as Node);
      return { package: name, fact: item.value };
    });
  });
}

const factKey = ({ package: name, fact }: LockFact): string => `${name}\0${fact}`;

export function compareLocks(before: readonly LockFact[], after: readonly LockFact[]): LockDifference {
  const [old, now] = [new Set(before.map(factKey)), new Set(after.map(factKey))];
  return {
    added: after.filter((fact) => !old.has(factKey(fact))),
    removed: before.filter((fact) => !now.has(factKey(fact))),
  };
}

/**
 * The behaviors that a lock file does not have. A write covers reads of the same file: the first run makes a file, such as
 * a cache, and a later one finds it.
 */
export function findViolations(behaviors: readonly Behavior[], lock: readonly LockFact[]): Behavior[] {
  const known = new Set(lock.map(factKey));
  const isKnown = (behavior: Behavior): boolean => known.has(factKey(lockFact(behavior)));
  return behaviors.filter((behavior) => {
    if (behavior.refused === true) return true;
    return !isKnown(behavior) && !(behavior.kind === 'read' && isKnown({ ...behavior, kind: 'write' }));
  });
}
