/** Checks matchArgs, matchReturnArgs and matchData: arguments must exist, and operators and values must fit them. */
import { findFilteredArg, findFilteredData } from '../model/arguments.js';
import { findFilteredSlots, type FilterList } from '../model/slots.js';
import { EQUAL_BYTES_MAX } from '../language/limits.js';
import type { ArgData, Hook, SelectorData, ValueFilter } from '../model/model.js';
import { quote, type Report } from '../parse/report.js';
import {
  ARG_TYPES,
  COMPARED_AS,
  operatorRule,
  OPERATORS_BY_CLASS,
  type ArgTypeName,
  hasReturn,
  type Operator,
} from '../language/vocabulary.js';
import { needsWholeString } from './plain-values.js';
import { checkValues } from './values.js';

export function checkValueFilters(hook: Hook, selector: SelectorData, report: Report): void {
  const { args = [], data = [], returnArg } = hook.data;
  for (const filter of selector.matchArgs ?? []) checkValueFilter(hook, args, 'matchArgs', filter, report);
  for (const filter of selector.matchData ?? []) checkValueFilter(hook, data, 'matchData', filter, report);
  for (const filter of selector.matchReturnArgs ?? []) {
    if (hook.data.return === true && returnArg !== undefined)
      checkValueFilter(hook, [returnArg], 'matchReturnArgs', filter, report);
  }
  checkInodeFilters(hook, selector, report);
  const [first] = selector.matchReturnArgs ?? [];
  if (first !== undefined && hook.data.return !== true) {
    report.add(
      'RETURN_FILTER_WITHOUT_RETURN',
      report.positions.key(selector, 'matchReturnArgs'),
      'matchReturnArgs needs the return value, which this hook does not read',
      'add `return: true` and a returnArg to the hook',
    );
  }
}

/** The field of the hook with the values that each list of filters compares. */
const HOOK_FIELDS = { matchArgs: 'args', matchData: 'data', matchReturnArgs: 'returnArg' } as const;

function checkValueFilter(
  hook: Hook,
  args: readonly ArgData[],
  list: FilterList,
  filter: ValueFilter,
  report: Report,
): void {
  const { positions } = report;
  const { operator } = filter;
  if (operator !== undefined && operatorRule(operator).compares === 'named') {
    checkValuePresence(filter, operator, report);
    warnUnusedTarget(hook, list, filter, report);
    warnDeprecated(list, filter, report);
    return; // expressions.ts checks the names and types
  }
  const found = list === 'matchData' ? findFilteredData(args, filter) : findFilteredArg(hook, args, filter);
  if (found === undefined) reportMissingArg(hook, args, HOOK_FIELDS[list], filter, report);
  if (operator === undefined) return;
  checkPositions(args, filter, operator, report);
  checkValuePresence(filter, operator, report);
  const type = found?.arg.type;
  if (type === undefined) return;
  const allowed: readonly Operator[] = OPERATORS_BY_CLASS[ARG_TYPES[type].class];
  if (!allowed.includes(operator)) {
    report.add(
      'OPERATOR_NOT_FOR_TYPE',
      positions.value(filter, 'operator'),
      `${operator} cannot be used on an argument of type ${type}`,
      operatorHint(type, allowed),
    );
    return;
  }
  checkValues(filter, operator, type, report);
  checkOperatorRules(hook, list, filter, found?.arg ?? {}, report);
}

/** Checks the filters of a macro that no hook uses. Without a hook, the types of the arguments are not known. */
export function checkMacroFilters(selector: SelectorData, report: Report): void {
  const { matchArgs = [], matchData = [], matchReturnArgs = [] } = selector;
  for (const filter of [...matchArgs, ...matchData, ...matchReturnArgs]) {
    if (filter.operator !== undefined) checkValuePresence(filter, filter.operator, report);
  }
}

/** Checks that the filter has values, or no values if its operator takes none. */
function checkValuePresence(filter: ValueFilter, operator: Operator, report: Report): void {
  const { positions } = report;
  if (filter.values === undefined || filter.values.length === 0) {
    // If all of `values` is wrong, the walker has reported that.
    const isInvalid =
      positions.isIncomplete(filter) ||
      (filter.values === undefined ? positions.hasField(filter, 'values') : positions.isIncomplete(filter.values));
    if (operatorRule(operator).values === 'required' && !isInvalid) {
      report.add(
        'VALUES_MISSING',
        positions.value(filter, 'operator'),
        `${operator} has nothing to compare with`,
        'add `values`',
      );
    }
  }
  if (operatorRule(operator).values === 'none' && (filter.values ?? []).length > 0) {
    report.add('VALUES_UNUSED', positions.key(filter, 'values'), `${operator} does not take values`, 'remove `values`');
  }
}

/** Warns about CelExpr where matchCEL can do the same. The return value has no name in matchCEL. */
function warnDeprecated(list: FilterList, filter: ValueFilter, report: Report): void {
  const { operator, values = [], fromMatchCel } = filter;
  if (operator !== 'CelExpr' || list === 'matchReturnArgs' || fromMatchCel === true || values.length === 0) return;
  const all = values.length === 1 ? values : values.map((value) => `(${value})`);
  const expression = list === 'matchData' ? undefined : all.join(' || ');
  report.add(
    'OPERATOR_DEPRECATED',
    report.positions.value(filter, 'operator'),
    'Tetragon replaces CelExpr by matchCEL in its version 1.9; polytrace accepts both',
    expression === undefined
      ? 'write `matchCEL` with the names data0, data1, …'
      : `write \`matchCEL: {expr: ${quote(expression)}}\` in place of this filter`,
  );
}

/** Warns about `index` or `args` of a filter that do not name the values in its expression. */
function warnUnusedTarget(hook: Hook, list: FilterList, filter: ValueFilter, report: Report): void {
  const field = filter.args !== undefined ? 'args' : 'index';
  if (filter[field] === undefined || filter[field] === 0) return;
  const slots = filter.args ?? [hook.data.args?.findIndex((arg) => arg.index === filter.index)];
  const used = findFilteredSlots(hook, list, filter);
  if (list !== 'matchArgs' || used.every((slot) => slot !== undefined && slots.includes(slot.slot))) return;
  report.add(
    'EXPRESSION_PLACE_UNUSED',
    report.positions.key(filter, field),
    `${field} has no effect on CelExpr: arg0, arg1, … are the positions in the args of the hook`,
    `remove ${field}, and check the numbers in the expression`,
  );
}

/** Checks the rules that hold for one operator only. */
function checkOperatorRules(hook: Hook, list: FilterList, filter: ValueFilter, arg: ArgData, report: Report): void {
  const { positions } = report;
  const { operator = 'Equal', args: argPositions = [] } = filter;
  if (operatorRule(operator).compares === 'two') {
    const second = findFilteredSlots(hook, list, filter)[1]?.arg.type;
    if (second !== undefined && ARG_TYPES[second].class !== 'capabilities') {
      const message = `${operator} cannot be used on an argument of type ${second}`;
      const hint = 'both arguments must be sets: kernel_cap_t, cap_effective, cap_inheritable or cap_permitted';
      report.add('OPERATOR_NOT_FOR_TYPE', positions.value(argPositions, 1), message, hint);
    }
  }
  if (arg.maxData === true && needsWholeString(operator)) {
    const message = `${operator} needs the whole text, but only its first ${EQUAL_BYTES_MAX} bytes are compared`;
    report.add(
      'FILTER_NOT_WITH_MAX_DATA',
      positions.value(filter, 'operator'),
      message,
      'use Prefix, or remove maxData',
    );
  }
}

/**
 * Checks that `inode` is set only with an operator that compares whole paths. Filters of a selector on the same path
 * must have the same value of `inode`.
 */
function checkInodeFilters(hook: Hook, selector: SelectorData, report: Report): void {
  const seen = new Map<number, boolean>();
  for (const list of ['matchArgs', 'matchData', 'matchReturnArgs'] as const) {
    for (const filter of selector[list] ?? []) {
      const [found] = findFilteredSlots(hook, list, filter);
      const { operator, inode = false } = filter;
      const isEqual = operator === 'Equal' || operator === 'NotEqual';
      const type = found?.arg.type;
      if (found === undefined || operator === undefined || type === undefined) continue;
      const isPath = COMPARED_AS[ARG_TYPES[type].class] === 'path';
      const span = report.positions.key(filter, 'inode');
      if (inode && !(isEqual && isPath)) {
        const message = `inode has no effect on ${operator} for an argument of type ${type}`;
        report.add(
          'INODE_NOT_FOR_FILTER',
          span,
          message,
          'use it with Equal and NotEqual on arguments of type file, path, fd, dentry and linux_binprm',
        );
      } else if (isEqual && isPath && (seen.get(found.slot) ?? inode) !== inode) {
        const message = 'another filter of this selector on the same path has a different value of inode';
        report.add('INODE_NOT_FOR_FILTER', span, message, 'set inode in both filters, or make two selectors');
      }
      if (isEqual && isPath && !seen.has(found.slot)) seen.set(found.slot, inode);
    }
  }
}

/** Checks the number of positions: CapabilitiesGained compares two values, every other operator one. */
function checkPositions(args: readonly ArgData[], filter: ValueFilter, operator: Operator, report: Report): void {
  const { positions } = report;
  const argPositions = filter.args ?? [];
  if (operatorRule(operator).compares === 'two') {
    if (argPositions.length !== 2) {
      const hint = 'write `args: [BEFORE, AFTER]` with the positions of the two sets';
      report.add('OPERATOR_NEEDS_ARGS', positions.value(filter, 'operator'), `${operator} compares two values`, hint);
    }
  } else if (argPositions.length > 1) {
    report.add(
      'TOO_MANY_POSITIONS',
      positions.value(filter, 'args'),
      `${operator} compares one value, not ${argPositions.length}`,
      'write a filter for each value',
    );
  }
  argPositions.slice(1).forEach((position, i) => {
    if (args[position] !== undefined) return;
    const message = `there is no position ${position} in the ${args.length} args of the hook`;
    report.add('INDEX_WITHOUT_ARG', positions.value(argPositions, i + 1), message, 'positions count from 0');
  });
}

function reportMissingArg(
  { kind, data }: Hook,
  args: readonly ArgData[],
  where: (typeof HOOK_FIELDS)[FilterList],
  filter: ValueFilter,
  report: Report,
): void {
  const { positions } = report;
  if (where === 'data' && !hasReturn(kind)) {
    const message = `${kind} have no \`data\`, so matchData has nothing to compare`;
    const hint = 'read the value under `args`, and filter it with matchArgs';
    report.add('INDEX_WITHOUT_ARG', positions.value(filter, 'index'), message, hint);
    return;
  }
  // The walker has reported args, or one of them, that are wrong.
  if (positions.isIncomplete(args) || (args.length === 0 && positions.hasField(data, where))) return;
  const position = filter.args?.[0] ?? (where === 'data' ? (filter.index ?? 0) : undefined);
  const known = args.flatMap((arg) => (arg.index === undefined ? [] : [String(arg.index)]));
  const hint =
    known.length === 0
      ? `the hook reads no ${where}: add it there`
      : `the hook's ${where} have index ${known.join(', ')}`;
  if (position !== undefined) {
    const message = `there is no position ${position} in the ${args.length} ${where} of the hook`;
    const field = filter.args === undefined ? 'index' : 'args';
    report.add(
      'INDEX_WITHOUT_ARG',
      positions.value(filter, field),
      message,
      args.length === 0 ? hint : 'positions count from 0',
    );
    return;
  }
  // The walker has reported an argument with a wrong index.
  if (args.some((arg) => arg.index === undefined)) return;
  const message = `no argument with index ${filter.index ?? 0} in ${where}`;
  report.add('INDEX_WITHOUT_ARG', positions.value(filter, 'index'), message, hint);
}

function operatorHint(type: ArgTypeName, allowed: readonly Operator[]): string {
  if (allowed.length > 0) return `for ${type}: ${allowed.join(', ')}`;
  return type === 'nop'
    ? 'the value of a nop argument is not read: give the argument its real type'
    : `arguments of type ${quote(type)} are only shown and cannot be compared`;
}
