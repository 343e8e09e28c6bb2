/** Checks the values of a filter against the type of the argument that it compares. */
import type { ValueFilter } from '../model/model.js';
import type { Report } from '../parse/report.js';
import { ARG_TYPES, type ArgTypeName, type Operator, type ValueClass } from '../language/vocabulary.js';
import { checkAbsolutePath, checkStringValue, warnPattern, warnRepeated } from './plain-values.js';
import { normaliseUnixName } from '../model/values.js';
import { checkNamedNumber, OPERATOR_CHECKS } from './special-values.js';

export function checkValues(filter: ValueFilter, operator: Operator, type: ArgTypeName, report: Report): void {
  const values = filter.values ?? [];
  warnRepeated(values, report);
  const valueClass: ValueClass = ARG_TYPES[type].class;
  values.forEach((value, i) => {
    const span = report.positions.value(values, i);
    const check = OPERATOR_CHECKS[operator];
    if (check !== undefined) {
      check(value, type, span, report);
    } else if (
      valueClass === 'text' ||
      valueClass === 'unixAddress' ||
      valueClass === 'path' ||
      valueClass === 'file'
    ) {
      checkStringValue(valueClass === 'unixAddress' ? normaliseUnixName(value) : value, operator, span, report);
      if (valueClass === 'path' || valueClass === 'file') checkAbsolutePath(value, operator, span, report);
      warnPattern(value, operator, span, report);
    } else if (valueClass !== 'auto') {
      checkNamedNumber(value, type, span, report);
    }
  });
}
