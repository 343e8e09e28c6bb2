/** The hooks of a policy as checks and compiler look at them: macros worked into the selectors. */
import { FILTER_LISTS, type Hook, type PolicyData, type SelectorData } from './model.js';
import type { Report } from './report.js';
import { HOOK_KINDS } from './vocabulary.js';

export function hooksOf(policy: PolicyData, report: Report): Hook[] {
  const { spec } = policy;
  if (spec === undefined) return [];
  const macros = spec.selectorsMacros ?? {};
  return HOOK_KINDS.flatMap((kind) =>
    (spec[kind] ?? []).map((data) => ({
      kind,
      data,
      selectors: (data.selectors ?? []).map((selector) => withMacros(selector, macros, report)),
    })),
  );
}

/** The selector's own filters first, then those of its macros in their order. */
function withMacros(
  selector: SelectorData,
  macros: Readonly<Record<string, SelectorData>>,
  report: Report,
): SelectorData {
  const names = (selector.macros ?? []).filter((name) => macros[name] !== undefined);
  if (names.length === 0) return selector;
  const merged: Record<string, unknown> = { ...selector };
  for (const list of FILTER_LISTS) {
    const all = [selector, ...names.map((name) => macros[name] as SelectorData)].flatMap(
      (from): readonly object[] => from[list] ?? [],
    );
    if (all.length > 0) merged[list] = all;
  }
  report.places.copy(selector, merged);
  return merged as SelectorData;
}
