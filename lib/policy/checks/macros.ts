/** Checks selectorsMacros and the selectors that use them. */
import { NOT_IN_MACROS } from '../language/vocabulary.js';
import { policyMacros } from '../model/hooks.js';
import type { Hook, PolicyData, SelectorData } from '../model/model.js';
import { nearestHint } from '../parse/nearest-name.js';
import { quote, type Report } from '../parse/report.js';
import { checkMacroFilters } from './filters.js';

/** A selector can have each of these fields only once, so two macros with the same field cannot be combined. */
const SINGLE_FIELDS = ['matchBinaries', 'matchParentBinaries', 'matchWorkloads'] as const;

export function checkMacros(policy: PolicyData, hooks: readonly Hook[], report: Report): void {
  const macros = policyMacros(policy);
  const used = new Set(hooks.flatMap(({ data }) => data.selectors ?? []).flatMap(({ macros: names = [] }) => names));
  for (const [name, macro] of Object.entries(macros)) {
    if (!used.has(name)) checkMacroFilters(macro, report);
    for (const field of NOT_IN_MACROS) {
      if (macro[field] === undefined) continue;
      const message =
        field === 'macros' ? 'a macro cannot use other macros' : `a macro contains filters only, not ${field}`;
      report.add(
        'MACRO_NESTED',
        report.positions.key(macro, field),
        message,
        'write it in the selectors that use the macro',
      );
    }
  }
  for (const hook of hooks) {
    for (const selector of hook.data.selectors ?? []) checkMacroUse(selector, macros, report);
  }
}

function checkMacroUse(selector: SelectorData, macros: Readonly<Record<string, SelectorData>>, report: Report): void {
  const names = selector.macros ?? [];
  names.forEach((name, i) => {
    const span = report.positions.value(names, i);
    const macro = macros[name];
    if (macro === undefined) {
      const hint = nearestHint(name, Object.keys(macros), 'define it under selectorsMacros');
      report.add('UNKNOWN_MACRO', span, `there is no macro ${quote(name)}`, hint);
      return;
    }
    if (names.indexOf(name) !== i) {
      report.add('MACRO_COLLISION', span, `${quote(name)} is listed twice`, 'keep one of the two');
      return;
    }
    const others = [selector, ...names.slice(0, i).flatMap((other) => macros[other] ?? [])];
    for (const field of SINGLE_FIELDS) {
      if (macro[field] === undefined || !others.some((other) => other[field] !== undefined)) continue;
      const message = `${quote(name)} adds a second ${field}; a selector can have only one`;
      report.add('MACRO_COLLISION', span, message, 'use another selector, or one macro that contains all the values');
    }
  });
}
