/** Checks lists and references to lists. */
import { findList, isGeneratedList, listName, compileRegExp } from '../model/lists.js';
import type { Hook, ListData, PolicyData } from '../model/model.js';
import { findNearestName } from '../parse/nearest-name.js';
import type { Span } from '../parse/positions.js';
import { quote, type Report } from '../parse/report.js';
import { parseInteger } from '../model/values.js';
import { isSyscallName } from './special-values.js';

export function checkLists(policy: PolicyData, hooks: readonly Hook[], report: Report): void {
  const seen = new Set<string>();
  for (const list of policy.spec?.lists ?? []) {
    if (list.name !== undefined && seen.has(list.name)) {
      report.add(
        'LIST_REPEATED',
        report.positions.value(list, 'name'),
        `there are two lists with the name ${quote(list.name)}`,
        'give it another name',
      );
    }
    seen.add(list.name ?? '');
    checkList(list, report);
  }
  const { positions } = report;
  for (const hook of hooks) {
    if (hook.data.call !== undefined)
      checkReference(policy, hook.data.call, positions.value(hook.data, 'call'), report);
    for (const selector of hook.selectors) {
      for (const filter of [
        ...(selector.matchArgs ?? []),
        ...(selector.matchReturnArgs ?? []),
        ...(selector.matchData ?? []),
      ]) {
        const { values = [] } = filter;
        if (filter.operator !== 'InMap' && filter.operator !== 'NotInMap') continue;
        values.forEach((value, i) => {
          checkReference(policy, value, positions.value(values, i), report);
          checkMembers(policy, value, positions.value(values, i), report);
        });
      }
    }
  }
  for (const enforcer of policy.spec?.enforcers ?? []) {
    const { calls = [] } = enforcer;
    calls.forEach((call, i) => {
      checkReference(policy, call, positions.value(calls, i), report);
      const list = findList(policy, listName(call) ?? '');
      if (list === undefined || !isGeneratedList(list)) return;
      const message = `the generated list ${quote(list.name)} cannot be used in an enforcer: each of its functions would need a program`;
      report.add('UNSUPPORTED_LIST', positions.value(calls, i), message, 'list the functions to enforce by name');
    });
  }
}

function checkList(list: ListData, report: Report): void {
  const { positions } = report;
  const generated = isGeneratedList(list);
  if (!generated && (list.values ?? []).length === 0 && !(list.values && positions.isIncomplete(list.values))) {
    report.add(
      'LIST_EMPTY',
      positions.value(list, 'name'),
      `the list ${quote(list.name ?? '')} has no values`,
      'list functions under `values`, or use a generated type',
    );
  }
  if (list.type === 'generated_ftrace' && list.pattern === undefined && !positions.hasField(list, 'pattern')) {
    report.add(
      'LIST_WITHOUT_PATTERN',
      positions.value(list, 'type'),
      'generated_ftrace needs a pattern',
      'add `pattern`, a regular expression',
    );
  }
  if (list.pattern !== undefined && list.type === 'generated_ftrace') checkPattern(list, list.pattern, report);
  if (list.pattern !== undefined && list.type !== 'generated_ftrace') {
    report.add(
      'LIST_FIELD_UNUSED',
      positions.key(list, 'pattern'),
      'pattern is for generated_ftrace only',
      'remove it, or set the type',
    );
  }
  if (generated && (list.values ?? []).length > 0) {
    report.add(
      'LIST_FIELD_UNUSED',
      positions.key(list, 'values'),
      `a list of type ${list.type} is filled automatically and cannot have values`,
      'remove the values, or the type',
    );
  }
}

function checkPattern(list: ListData, text: string, report: Report): void {
  const pattern = compileRegExp(text);
  if (pattern instanceof RegExp) return;
  report.add(
    'LIST_PATTERN_INVALID',
    report.positions.value(list, 'pattern'),
    `${quote(text)} is not a regular expression: ${pattern.message.replace(/^.*: /, '')}`,
    'the pattern is matched against function names; an example is "^ksys_"',
  );
}

function checkReference(policy: PolicyData, text: string, span: Span, report: Report): void {
  const name = listName(text);
  if (name === undefined || findList(policy, name) !== undefined) return;
  const names = (policy.spec?.lists ?? []).flatMap((list) => list.name ?? []);
  const close = findNearestName(name, names);
  const hint = close === undefined ? 'define it under lists' : `did you mean "list:${close}"?`;
  report.add('UNKNOWN_LIST', span, `there is no list ${quote(name)}`, hint);
}

/** Checks the list in a filter value: each of its members must stand for a number. */
function checkMembers(policy: PolicyData, text: string, span: Span, report: Report): void {
  const list = findList(policy, listName(text) ?? '');
  if (list !== undefined && isGeneratedList(list)) {
    const message = `the list ${quote(list.name)} contains functions, which do not stand for numbers`;
    report.add('UNSUPPORTED_LIST', span, message, 'put the system calls into a list of type syscalls');
  }
  const isNumber = (value: string): boolean => parseInteger(value) !== undefined || isSyscallName(value);
  const wrong = list?.values?.find((value) => !isNumber(value));
  if (wrong === undefined) return;
  const message = `${quote(wrong)} in the list ${quote(list?.name)} is neither a system call nor a number`;
  report.add('SYSCALL_UNKNOWN', span, message, 'use a list of system calls, such as sys_dup');
}
