/** Checks the values of a filter against the type of the argument that it compares. */
import type { ValueFilter } from '../model/model.js';
import type { Report } from '../parse/report.js';
import {
  ARG_TYPES,
  COMPARED_AS,
  positiveOperator,
  type ArgTypeName,
  type Operator,
  type ValueClass,
} from '../language/vocabulary.js';
import type { Span } from '../parse/positions.js';
import { checkAbsolutePath, checkAlgorithm, checkStringValue, warnPattern, warnRepeated } from './plain-values.js';
import { normaliseUnixName } from '../model/values.js';
import { warnDecimalMask, warnUnlikelyPath } from './likely-mistakes.js';
import { checkNamedNumber, OPERATOR_CHECKS } from './special-values.js';

export function checkValues(filter: ValueFilter, operator: Operator, type: ArgTypeName, report: Report): void {
  const values = filter.values ?? [];
  warnRepeated(values, report);
  values.forEach((value, i) => {
    const span = report.positions.value(values, i);
    const check = OPERATOR_CHECKS[positiveOperator(operator)];
    if (check === undefined) checkPlainValue(value, operator, type, span, report);
    else check(value, type, span, report);
  });
}

/** Checks a value of an operator that compares values of several classes. */
function checkPlainValue(value: string, operator: Operator, type: ArgTypeName, span: Span, report: Report): void {
  const valueClass: ValueClass = ARG_TYPES[type].class;
  switch (COMPARED_AS[valueClass]) {
    case 'number':
      warnDecimalMask(value, operator, span, report);
      return checkNamedNumber(value, type, span, report);
    case 'string':
      if (valueClass === 'algorithmAddress') checkAlgorithm(value, operator, span, report);
      checkStringValue(valueClass === 'unixAddress' ? normaliseUnixName(value) : value, operator, span, report);
      return warnPattern(value, operator, span, report);
    case 'path':
      checkStringValue(value, operator, span, report);
      checkAbsolutePath(value, operator, span, report);
      warnUnlikelyPath(value, operator, span, report);
      return warnPattern(value, operator, span, report);
    case 'socket':
    case 'address':
    case 'nothing':
      return; // these have no such operator, or the type is not known yet
  }
}
