/** Checks the annotations and tags that polytrace reads: the severity of alerts, the maturity and the runbook. */
import {
  isRunbook,
  isSeverity,
  MATURITIES,
  MATURITY_ANNOTATION,
  RUNBOOK_ANNOTATION,
  SEVERITIES,
  SEVERITY_ANNOTATION,
  SEVERITY_TAG,
} from '../../names/severity.js';
import type { Hook, PolicyData } from '../model/model.js';
import { nearestHint } from '../parse/nearest-name.js';
import { quote, type Report } from '../parse/report.js';

const OWN_PREFIX = 'polytrace.io/';
const KNOWN = [SEVERITY_ANNOTATION, MATURITY_ANNOTATION, RUNBOOK_ANNOTATION];

export function checkAnnotations({ metadata }: PolicyData, report: Report): void {
  const annotations = metadata?.annotations;
  if (annotations === undefined) return;
  for (const [name, value] of Object.entries(annotations)) {
    const span = report.positions.value(annotations, name);
    if (name === SEVERITY_ANNOTATION) {
      if (!isSeverity(value)) {
        const hint = nearestHint(value, SEVERITIES, `use one of ${SEVERITIES.join(', ')}`);
        report.add('SEVERITY_UNKNOWN', span, `there is no severity ${quote(value)}, so it has no effect`, hint);
      }
    } else if (name === MATURITY_ANNOTATION) {
      if (!MATURITIES.some((each) => each === value)) {
        const hint = nearestHint(value, MATURITIES, `use one of ${MATURITIES.join(', ')}`);
        report.add('ANNOTATION_VALUE', span, `there is no maturity ${quote(value)}, so it has no effect`, hint);
      }
    } else if (name === RUNBOOK_ANNOTATION) {
      if (!isRunbook(value)) {
        const message = `the runbook ${quote(value)} is no URL, so alerts do not have it`;
        report.add('ANNOTATION_VALUE', span, message, 'write https://…');
      }
    } else if (name.startsWith(OWN_PREFIX)) {
      const hint = nearestHint(name, KNOWN, `polytrace reads ${KNOWN.join(', ')}`);
      const key = report.positions.key(annotations, name);
      report.add('ANNOTATION_VALUE', key, `polytrace knows no annotation ${quote(name)}`, hint);
    }
  }
}

export function checkTags({ data }: Hook, report: Report): void {
  (data.tags ?? []).forEach((tag, i, tags) => {
    if (!tag.startsWith(SEVERITY_TAG) || isSeverity(tag.slice(SEVERITY_TAG.length))) return;
    const names = SEVERITIES.map((each) => SEVERITY_TAG + each);
    const hint = nearestHint(tag, names, `use one of ${names.join(', ')}`);
    report.add('SEVERITY_UNKNOWN', report.positions.value(tags, i), `${quote(tag)} names no severity`, hint);
  });
}
