/** Checks that a compiled hook is within the limits of the BPF programs. */
import type { DiagnosticCode } from '../parse/codes.js';
import { hookValues } from '../../compiled/compiled-hook.js';
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

/** All groups of number comparisons: those of the process and those of the hook's values. */
export function hookIntGroups(hook: SizedHook): IntGroup[] {
  return [...hook.process, ...hookValues(hook).flatMap(({ ints, net }) => [...ints, ...(net.groups ?? [])])];
}

export function checkHookSize(hook: Hook, compiled: SizedHook, report: Report): void {
  const checkLimit = (code: DiagnosticCode, count: number, maximum: number, what: string, hint: string): void => {
    if (count <= maximum) return;
    const message = `this hook has ${count} ${what}; at most ${maximum} are allowed`;
    report.add(code, report.positions.key(hook.data, 'selectors'), message, hint);
  };
  const groups = hookIntGroups(compiled);
  const tests = groups.reduce((sum, group) => sum + group.tests.length, 0);
  const hint = 'split the hook into two, or use Mask, InRange, GreaterThan and LessThan instead of many values';
  checkLimit('LIMIT_INT_TESTS', tests, INT_TESTS_MAX, 'comparisons of numbers', hint);
  checkLimit('LIMIT_INT_GROUPS', groups.length, INT_GROUPS_MAX, 'filters on numbers next to each other', hint);
  checkLimit(
    'LIMIT_PROCESS_TESTS',
    compiled.sets.length,
    PROCESS_TESTS_MAX,
    'filters on binaries and followed processes',
    FEWER_SETS_HINT,
  );
  checkLimit(
    'LIMIT_CHANGES',
    compiled.changes.length,
    CHANGE_TESTS_MAX,
    'different filters on changes',
    'split the hook into two',
  );
  checkSubstrings(compiled, checkLimit);
}

const FEWER_SETS_HINT = 'use the same filter in several selectors, or split the hook into two';

type CheckLimit = (code: DiagnosticCode, count: number, maximum: number, what: string, hint: string) => void;

function checkSubstrings(compiled: SizedHook, checkLimit: CheckLimit): void {
  const scans = hookValues(compiled).map(({ texts }) => texts.substrings ?? []);
  const hint = 'put the texts into one filter, where one match is enough, or split the hook into two';
  const maximum = Math.max(0, ...scans.map((each) => each.length));
  checkLimit('LIMIT_SUBSTRINGS', maximum, SUBSTRING_PASSES_MAX, 'SubString filters on one value', hint);
  const needles = scans.flat().flatMap((scan) => scan.needles);
  const bytes = needles.reduce((sum, { text }) => sum + Buffer.byteLength(text), scans.flat().length);
  checkLimit(
    'LIMIT_SUBSTRINGS',
    bytes,
    AUTOMATON_STATES_MAX,
    'characters in values of SubString',
    'split the hook into two',
  );
}
