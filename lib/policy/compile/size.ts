/** Checks that a compiled hook fits into the room that the BPF programs have. */
import type { DiagnosticCode } from '../parse/codes.js';
import { valuesOf } from '../../compiled/compiled-hook.js';
import type { CompiledHook, IntGroup } from '../../compiled/compiled-policy.js';
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

export type SizedHook = Pick<CompiledHook, 'args' | 'data' | 'returnArg' | 'process' | 'sets' | 'changes'>;

/** All groups of comparisons: of the process and of the hook's values. */
export function groupsOf(hook: SizedHook): IntGroup[] {
  return [...hook.process, ...valuesOf(hook).flatMap(({ ints, net }) => [...ints, ...(net.groups ?? [])])];
}

export function checkHookSize(hook: Hook, image: SizedHook, report: Report): void {
  const limit = (code: DiagnosticCode, count: number, most: number, what: string, hint: string): void => {
    if (count <= most) return;
    const message = `this hook has ${count} ${what}; at most ${most} are allowed`;
    report.add(code, report.places.key(hook.data, 'selectors'), message, hint);
  };
  const groups = groupsOf(image);
  const tests = groups.reduce((sum, group) => sum + group.tests.length, 0);
  const fewer = 'split the hook into two, or use Mask, InRange, GreaterThan and LessThan instead of many values';
  limit('LIMIT_INT_TESTS', tests, INT_TESTS_MAX, 'comparisons of numbers', fewer);
  limit('LIMIT_INT_GROUPS', groups.length, INT_GROUPS_MAX, 'filters on numbers next to each other', fewer);
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
    'split the hook into two',
  );
  checkSubstrings(image, limit);
}

const fewerSets = 'use the same filter in several selectors, or split the hook into two';

type Limit = (code: DiagnosticCode, count: number, most: number, what: string, hint: string) => void;

function checkSubstrings(image: SizedHook, limit: Limit): void {
  const scans = valuesOf(image).map(({ texts }) => texts.substrings ?? []);
  const hint = 'put the texts into one filter, where one match is enough, or split the hook into two';
  const most = Math.max(0, ...scans.map((each) => each.length));
  limit('LIMIT_SUBSTRINGS', most, SUBSTRING_PASSES_MAX, 'SubString filters on one value', hint);
  const needles = scans.flat().flatMap((scan) => scan.needles);
  const bytes = needles.reduce((sum, { text }) => sum + Buffer.byteLength(text), scans.flat().length);
  limit(
    'LIMIT_SUBSTRINGS',
    bytes,
    AUTOMATON_STATES_MAX,
    'characters in values of SubString',
    'split the hook into two',
  );
}
