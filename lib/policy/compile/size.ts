/** Whether a compiled hook fits into what the kernel side has room for. */
import type { DiagnosticCode } from '../parse/codes.js';
import type { HookImage, IntGroup, ValueImage } from '../../image/image.js';
import {
  AUTOMATON_STATES_MAX,
  CHANGE_TESTS_MAX,
  INT_GROUPS_MAX,
  INT_TESTS_MAX,
  PROCESS_TESTS_MAX,
  SUBSTRING_PASSES_MAX,
} from '../language/limits.js';
import type { Hook } from '../model/model.js';
import type { Report } from '../parse/report.js';

export type SizedHook = Pick<HookImage, 'args' | 'data' | 'returnArg' | 'process' | 'sets' | 'changes'>;

/** Every value that the hook reads. */
export function valuesOf({ args, data, returnArg }: Pick<HookImage, 'args' | 'data' | 'returnArg'>): ValueImage[] {
  return [...args, ...data, ...(returnArg === undefined ? [] : [returnArg])];
}

/** All comparisons of numbers, of the process and of values. */
export function groupsOf(hook: SizedHook): IntGroup[] {
  return [...hook.process, ...valuesOf(hook).flatMap(({ ints, net }) => [...ints, ...(net.groups ?? [])])];
}

export function checkHookSize(hook: Hook, image: SizedHook, report: Report): void {
  const limit = (code: DiagnosticCode, count: number, most: number, what: string, hint: string): void => {
    if (count <= most) return;
    const message = `${count} ${what}; a hook has at most ${most}`;
    report.add(code, report.places.key(hook.data, 'selectors'), message, hint);
  };
  const groups = groupsOf(image);
  const tests = groups.reduce((sum, group) => sum + group.tests.length, 0);
  const fewer = 'make two hooks of it, or use Mask, InRange, GreaterThan and LessThan instead of many values';
  limit('LIMIT_INT_TESTS', tests, INT_TESTS_MAX, 'comparisons of numbers', fewer);
  limit('LIMIT_INT_GROUPS', groups.length, INT_GROUPS_MAX, 'filters on numbers side by side', fewer);
  limit(
    'LIMIT_PROCESS_TESTS',
    image.sets.length,
    PROCESS_TESTS_MAX,
    'filters on binaries and followed processes',
    fewerSets,
  );
  limit(
    'LIMIT_CHANGES',
    image.changes.length,
    CHANGE_TESTS_MAX,
    'different filters on changes',
    'make two hooks of it',
  );
  checkSubstrings(image, limit);
}

const fewerSets = 'use the same filter in several selectors, or make two hooks of it';

type Limit = (code: DiagnosticCode, count: number, most: number, what: string, hint: string) => void;

function checkSubstrings(image: SizedHook, limit: Limit): void {
  const scans = valuesOf(image).map(({ texts }) => texts.substrings ?? []);
  const hint = 'put the texts into one filter, where any of them is enough, or make two hooks of it';
  const most = Math.max(0, ...scans.map((each) => each.length));
  limit('LIMIT_SUBSTRINGS', most, SUBSTRING_PASSES_MAX, 'filters of SubString on one value side by side', hint);
  const needles = scans.flat().flatMap((scan) => scan.needles);
  const bytes = needles.reduce((sum, { text }) => sum + Buffer.byteLength(text), scans.flat().length);
  limit('LIMIT_SUBSTRINGS', bytes, AUTOMATON_STATES_MAX, 'characters in values of SubString', 'make two hooks of it');
}
