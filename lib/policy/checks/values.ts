/** Checks the values of one filter against the type of the argument that it compares. */
import type { ValueFilter } from '../model/model.js';
import type { Report } from '../parse/report.js';
import { ARG_TYPES, type ArgTypeName, type Operator, type ValueClass } from '../language/vocabulary.js';
import { checkAbsolute, checkText, warnPattern, warnRepeated } from './plain-values.js';
import { unixName } from '../model/values.js';
import { checkNamedNumber, OTHER_VALUES } from './special-values.js';

export function checkValues(filter: ValueFilter, operator: Operator, type: ArgTypeName, report: Report): void {
  const values = filter.values ?? [];
  warnRepeated(values, report);
  const compared: ValueClass = ARG_TYPES[type].class;
  values.forEach((value, i) => {
    const span = report.places.value(values, i);
    const other = OTHER_VALUES[operator];
    if (other !== undefined) {
      other(value, type, span, report);
    } else if (compared === 'text' || compared === 'unixAddress' || compared === 'path' || compared === 'file') {
      checkText(compared === 'unixAddress' ? unixName(value) : value, operator, span, report);
      if (compared === 'path' || compared === 'file') checkAbsolute(value, operator, span, report);
      warnPattern(value, operator, span, report);
    } else if (compared !== 'auto') {
      checkNamedNumber(value, type, span, report);
    }
  });
}
