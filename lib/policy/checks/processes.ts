/** Checks the filters on the process: on its binary, pid, namespaces, capabilities and container. */
import { ARGUMENT_VALUE_MAX } from '../language/limits.js';
import type { BinaryFilter, CmdArgFilter, SelectorData, SetFilter } from '../model/model.js';
import { nearestHint } from '../parse/nearest-name.js';
import { quote, type Report } from '../parse/report.js';
import { parseInteger, stripFinalNul } from '../model/values.js';
import { NAMESPACES } from '../../names/namespaces.js';
import { warnUnlikelyPath } from './likely-mistakes.js';
import { checkCapabilityName } from './special-values.js';
import { checkAbsolutePath, checkStringValue, warnPattern, warnRepeated } from './plain-values.js';
import { checkWorkloads } from './scopes.js';

export function checkProcessFilters(selector: SelectorData, report: Report): void {
  for (const filter of selector.matchBinaries ?? []) checkBinaries(filter, report);
  for (const filter of selector.matchParentBinaries ?? []) checkBinaries(filter, report);
  checkCmdArgs(selector, report);
  for (const filter of selector.matchPIDs ?? []) warnRepeated(filter.values ?? [], report);
  for (const filter of selector.matchNamespaces ?? []) checkNamespaces(filter, report);
  for (const filter of selector.matchNamespaceChanges ?? []) checkNamespaceNames(filter, report);
  for (const filter of [...(selector.matchCapabilities ?? []), ...(selector.matchCapabilityChanges ?? [])]) {
    const { values = [] } = filter;
    values.forEach((value, i) => checkCapabilityName(value, report.positions.value(values, i), report));
    warnRepeated(values, report);
  }
  checkWorkloads(selector.matchWorkloads ?? {}, report);
}

function checkBinaries(filter: BinaryFilter, report: Report): void {
  const { operator, values = [] } = filter;
  if (operator === undefined) return;
  values.forEach((value, i) => {
    const span = report.positions.value(values, i);
    checkStringValue(value, operator, span, report);
    checkAbsolutePath(value, operator, span, report);
    warnUnlikelyPath(value, operator, span, report);
    warnPattern(value, operator, span, report);
  });
  warnRepeated(values, report);
  if (filter.followChildren === true && operator !== 'In' && operator !== 'NotIn') {
    const span = report.positions.key(filter, 'followChildren');
    report.add(
      'FOLLOW_NOT_FOR_OPERATOR',
      span,
      `followChildren is not supported with ${operator}`,
      'use In or NotIn with whole paths',
    );
  }
}

function checkCmdArgs(selector: SelectorData, report: Report): void {
  const { matchCmdArgs = [] } = selector;
  if (matchCmdArgs.length === 0) return;
  report.add(
    'FIELD_UNRELEASED',
    report.positions.key(selector, 'matchCmdArgs'),
    'no version of Tetragon has matchCmdArgs yet, and one that has it may give it another meaning',
    'compare the meaning again when Tetragon has it',
  );
  for (const filter of matchCmdArgs) checkCmdArgFilter(filter, report);
}

function checkCmdArgFilter(filter: CmdArgFilter, report: Report): void {
  const { operator, values = [] } = filter;
  if (operator === undefined) return;
  values.forEach((value, i) => {
    const span = report.positions.value(values, i);
    checkStringValue(value, operator, span, report);
    warnPattern(value, operator, span, report);
    const bytes = Buffer.byteLength(stripFinalNul(value));
    if (bytes <= ARGUMENT_VALUE_MAX) return;
    const message = `the value has ${bytes} bytes; matchCmdArgs compares at most ${ARGUMENT_VALUE_MAX}`;
    report.add('VALUE_TOO_LONG', span, message, 'use Prefix or Postfix with a part of the argument');
  });
  warnRepeated(values, report);
}

/** Checks that each value is `host_ns` or an inode number. Inode numbers of namespaces have 32 bits. */
function checkNamespaces(filter: SetFilter, report: Report): void {
  const { values = [] } = filter;
  values.forEach((value, i) => {
    const number = parseInteger(value);
    if (value === 'host_ns' || (number !== undefined && number > 0n && number < 2n ** 32n)) return;
    const hint = 'use the inode number that `readlink /proc/PID/ns/*` shows, or "host_ns"';
    report.add('NAMESPACE_INVALID', report.positions.value(values, i), `${quote(value)} is not a namespace`, hint);
  });
  warnRepeated(values, report);
}

function checkNamespaceNames(filter: SetFilter, report: Report): void {
  const { values = [] } = filter;
  values.forEach((value, i) => {
    if ((NAMESPACES as readonly string[]).includes(value)) return;
    const hint = nearestHint(value, NAMESPACES, `known: ${NAMESPACES.join(', ')}`);
    report.add(
      'NAMESPACE_INVALID',
      report.positions.value(values, i),
      `${quote(value)} is not a kind of namespace`,
      hint,
    );
  });
  warnRepeated(values, report);
}
