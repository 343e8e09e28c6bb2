/** Lists the hooks of a kernel or of a file, and finds one by its name. */
import type { ElfInfo } from '../../elf/elf-info.js';
import type { AvailableHook, AvailableHookKind } from '../../../types/hooks.js';
import type { KernelInfo } from '../../../types/kernel.js';
import { PolytraceError } from '../../errors.js';
import { findNearestName } from '../../names/nearest-name.js';
import { describeKernelHook, listFileHooks } from './describe.js';
import { hookPattern, listHookNames, sortHooks, listTracepoints, type HookName } from './names.js';
import { hookKey } from './uses.js';

/** Number of names that an error suggests. */
const SUGGESTIONS = 3;
/** Maximum edit distance of a suggestion. It is small because a kernel has tens of thousands of names. */
const EDITS_MAX = 3;
/** Minimum length of a word that other names share, and the number of names from which on it says nothing. */
const WORD_MIN = 4;
const COMMON_NAMES = 200;

/** The place that is searched: a kernel, or the contents of a file. */
export type HookPlace =
  { readonly kernel: KernelInfo } | { readonly file: string; readonly realPath: string; readonly elf: ElfInfo };

/** `usersOf` returns the policies that use the hook of a key. */
export type UsersOf = (key: string) => readonly string[];

export function listHooks(
  pattern: string,
  place: HookPlace,
  kinds: readonly AvailableHookKind[] | undefined,
  usersOf: UsersOf,
): AvailableHook[] {
  const matches = hookPattern(pattern);
  const { names, describe } = openPlace(place, pattern, usersOf);
  const found = names.filter(({ kind, name }) => (kinds === undefined || kinds.includes(kind)) && matches(name));
  return sortHooks(found, pattern).map(describe);
}

/** Throws PolytraceError HOOK_NOT_FOUND. */
export function findHook(
  wanted: string,
  place: HookPlace,
  kinds: readonly AvailableHookKind[] | undefined,
  usersOf: UsersOf,
): AvailableHook {
  const { names, describe } = openPlace(place, wanted, usersOf);
  const candidates = kinds === undefined ? names : names.filter(({ kind }) => kinds.includes(kind));
  const [found] = sortHooks(candidates.filter(({ name }) => name === wanted), wanted); // prettier-ignore
  if (found !== undefined) return describe(found);
  throw hookNotFound(wanted, candidates.map(({ name }) => name), 'kernel' in place ? place.kernel.name : place.file); // prettier-ignore
}

/** Makes the error for a name that does not exist, with the nearest names. */
function hookNotFound(wanted: string, names: readonly string[], where: string): PolytraceError {
  const close = nearestNames(wanted, [...new Set(names)]);
  const hint =
    close.length === 0
      ? 'search with a shorter part of the name: the function may be inlined, or part of a module that is not loaded'
      : `did you mean ${close.join(', ')}?`;
  return new PolytraceError('HOOK_NOT_FOUND', `${where} has no hook ${JSON.stringify(wanted)}`, hint);
}

/** Returns the closest names by edit distance. If there is none, returns short names with a word of the wanted one. */
function nearestNames(wanted: string, names: readonly string[]): string[] {
  const found: string[] = [];
  while (found.length < SUGGESTIONS) {
    const rest = names.filter((name) => !found.includes(name));
    const next = findNearestName(wanted, rest, Math.min(EDITS_MAX, Math.floor(wanted.length / 3)));
    if (next === undefined) break;
    found.push(next);
  }
  return found.length > 0 ? found : namesWithWord(wanted, names);
}

/** The longest word of which only some names consist is probably the one that matters. */
function namesWithWord(wanted: string, names: readonly string[]): string[] {
  const words = wanted.toLowerCase().split(/[^a-z0-9]+/).filter((word) => word.length >= WORD_MIN); // prettier-ignore
  for (const word of words.sort((a, b) => b.length - a.length)) {
    const found = names.filter((name) => name.toLowerCase().includes(word));
    if (found.length === 0 || found.length > COMMON_NAMES) continue;
    return found.sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).slice(0, SUGGESTIONS);
  }
  return [];
}

interface OpenPlace {
  readonly names: readonly HookName[];
  readonly describe: (hook: HookName) => AvailableHook;
}

function openPlace(place: HookPlace, wanted: string, usersOf: UsersOf): OpenPlace {
  if ('kernel' in place) {
    const { kernel } = place;
    const tracepoints = listTracepoints(kernel);
    const groups = new Map(tracepoints.map(({ group, event }) => [event, group]));
    return {
      names: listHookNames(kernel, tracepoints, wanted),
      describe: ({ kind, name }) => ({
        kind,
        name,
        ...describeKernelHook({ kind, name }, kernel, groups),
        policies: usersOf(hookKey(kind, name)),
      }),
    };
  }
  const { file, realPath, elf } = place;
  const hooks = listFileHooks(elf);
  return {
    names: hooks,
    describe: (hook) => ({
      ...hook,
      file: realPath,
      policies: [...new Set([file, realPath].flatMap((path) => usersOf(hookKey(hook.kind, hook.name, path))))],
    }),
  };
}
