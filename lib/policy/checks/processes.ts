/** Checks the filters on the process: its id and its binary. */
import type { BinaryFilter, SelectorData } from '../model.js';
import type { Report } from '../report.js';
import { checkAbsolute, checkText } from './values.js';

export function checkProcessFilters(selector: SelectorData, report: Report): void {
  for (const filter of selector.matchBinaries ?? []) checkBinaries(filter, report);
  for (const filter of selector.matchParentBinaries ?? []) checkBinaries(filter, report);
}

function checkBinaries(filter: BinaryFilter, report: Report): void {
  const { operator, values = [] } = filter;
  if (operator === undefined) return;
  values.forEach((value, i) => {
    const span = report.places.value(values, i);
    checkText(value, operator, span, report);
    checkAbsolute(value, operator, span, report);
  });
}
