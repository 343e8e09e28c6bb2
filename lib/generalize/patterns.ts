/**
 * Replaces many paths by few patterns that the kernel can compare. Every path that it gets matches a pattern of the result.
 * Pure.
 */
import { generalizeName } from './paths.js';
import { isShared, mayBecomePattern, mayBeginPattern, mayVary } from './trust.js';

/** A path; or every path that begins with `before`, and ends with `after` if there is one. */
export type PathPattern =
  | { readonly kind: 'equal'; readonly path: string }
  | { readonly kind: 'prefix'; readonly before: string }
  | { readonly kind: 'between'; readonly before: string; readonly after: string };

export interface PatternOptions {
  /** The files are executed or mapped as code: each is named. */
  readonly isExecuted?: boolean;
  /** The program that uses them. Package managers may change all folders of programs. */
  readonly program?: string;
  /** Only whole paths and their beginnings: a list of negated filters cannot compare both ends of the same path. */
  readonly onlyBeginnings?: boolean;
}

/** Different names of a form that are seen before the form is a pattern. */
const NAMES_MIN = 3;
/** Different files of a folder, or patterns, that are seen before the folder is a pattern. */
const FOLDER_MIN = 12;

/**
 * The letters and digits with which mkstemp(3) makes a name unique: `extended_states.3g5iV2`. Six of one kind are a word or
 * a number.
 */
const UNIQUE_SUFFIX = /(?<=[^.]\.)(?![a-z]{6}$|[A-Z]{6}$|\d{6}$)[0-9A-Za-z]{6}$/;

export function matchesPattern(path: string, pattern: PathPattern): boolean {
  switch (pattern.kind) {
    case 'equal':
      return path === pattern.path;
    case 'prefix':
      return path.startsWith(pattern.before);
    case 'between':
      // the kernel compares both ends by themselves: they may overlap
      return path.startsWith(pattern.before) && path.endsWith(pattern.after);
  }
}

/** The text of a pattern for people, in which `*` stands for any characters. */
export function formatPattern(pattern: PathPattern): string {
  if (pattern.kind === 'equal') return pattern.path;
  return `${pattern.before}*${pattern.kind === 'prefix' ? '' : pattern.after}`;
}

/** The patterns are sorted by their text. */
export function generalizePaths(paths: Iterable<string>, options: PatternOptions = {}): PathPattern[] {
  const all = [...new Set(paths)];
  if (options.isExecuted === true) return sortPatterns(all.map((path) => ({ kind: 'equal', path })));
  const { patterns, rest } = replaceNames(all, options.onlyBeginnings === true);
  const folders = replaceFolders([...rest, ...patterns.map(({ before }) => before)], options.program);
  const covers = (path: string): boolean => folders.some((folder) => path.startsWith(folder));
  return sortPatterns([
    ...folders.map((before) => ({ kind: 'prefix' as const, before })),
    ...patterns.filter(({ before }) => !covers(before)),
    ...rest.filter((path) => !covers(path)).map((path) => ({ kind: 'equal' as const, path })),
  ]);
}

function sortPatterns(patterns: readonly PathPattern[]): PathPattern[] {
  const keyed = patterns.map((pattern) => [formatPattern(pattern), pattern] as const);
  return keyed.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)).map(([, pattern]) => pattern);
}

type Between = Extract<PathPattern, { kind: 'prefix' | 'between' }>;

/** Names that differ in each run. */
function replaceNames(paths: readonly string[], onlyBeginnings: boolean): { patterns: Between[]; rest: string[] } {
  const byForm = new Map<string, string[]>();
  const rest: string[] = [];
  for (const path of paths) {
    const form = path.includes('*') || !mayVary(path) ? path : generalizeNames(path);
    if (form === path) rest.push(path);
    else byForm.set(form, [...(byForm.get(form) ?? []), path]);
  }
  const patterns: Between[] = [];
  for (const [form, seen] of byForm) {
    const before = form.slice(0, form.indexOf('*'));
    const end = form.slice(form.lastIndexOf('*') + 1);
    // an end that is not compared is only the end of the name
    const after = onlyBeginnings && !end.includes('/') && !before.endsWith('/') ? '' : end;
    if (seen.length < NAMES_MIN || !mayBeginPattern(before, after)) rest.push(...seen);
    else if (after === '') patterns.push({ kind: 'prefix', before });
    else if (onlyBeginnings) rest.push(...seen);
    else patterns.push({ kind: 'between', before, after });
  }
  return { patterns, rest };
}

function generalizeNames(path: string): string {
  const named = path.replace(/^\/proc\/\d+(?=\/)/, '/proc/*');
  const isTemporary = isShared(path);
  return named
    .split('/')
    .map((name) => generalizeName(name, isTemporary).replace(UNIQUE_SUFFIX, '*'))
    .join('/');
}

interface Folder {
  readonly folders: Map<string, Folder>;
  files: number;
}

/** The folders, each with a slash at its end, that have many of the paths. */
function replaceFolders(paths: readonly string[], program: string | undefined): string[] {
  const root: Folder = { folders: new Map(), files: 0 };
  for (const path of paths.filter((each) => each.startsWith('/') && mayVary(each))) {
    let folder = root;
    for (const name of path.split('/').slice(1, -1)) {
      const next: Folder = folder.folders.get(name) ?? { folders: new Map(), files: 0 };
      folder.folders.set(name, next);
      folder = next;
    }
    folder.files++;
  }
  return findFolders(root, '', program);
}

/** Folders first, so that one with many folders of many files is one, too. */
function findFolders({ folders, files }: Folder, path: string, program: string | undefined): string[] {
  const below = [...folders].flatMap(([name, folder]) => findFolders(folder, `${path}/${name}`, program));
  const entries = files + countEntries(folders);
  return entries >= FOLDER_MIN && path !== '' && mayBecomePattern(path, program) ? [`${path}/`] : below;
}

/** Folders with something in them. */
function countEntries(folders: ReadonlyMap<string, Folder>): number {
  return folders.size;
}
