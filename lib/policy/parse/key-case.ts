/** Corrects keys in another case, such as `matchPids`, and warns about each one. */
import type { Node } from 'yaml';
import { isMap, isScalar, isSeq } from './yaml-package.js';
import type { Field, Shape } from '../language/shape.js';
import { quote, type Report } from './report.js';

/** Changes the keys in the document itself. */
export function normaliseKeyCase(node: unknown, shape: Shape, report: Report): void {
  if (isSeq(node) && shape.kind === 'list') {
    for (const item of node.items) normaliseKeyCase(item, shape.of, report);
  } else if (isMap(node) && shape.kind === 'map') {
    for (const { value } of node.items) normaliseKeyCase(value, shape.of, report);
  } else if (isMap(node) && shape.kind === 'object') {
    for (const { key, value } of node.items) {
      const field = findFieldIgnoringCase(key as Node, shape.fields, report);
      if (field !== undefined) normaliseKeyCase(value, field.shape, report);
    }
  }
}

function findFieldIgnoringCase(key: Node, fields: Readonly<Record<string, Field>>, report: Report): Field | undefined {
  if (!isScalar(key) || typeof key.value !== 'string') return undefined;
  const written = key.value;
  if (Object.hasOwn(fields, written)) return fields[written];
  const name = Object.keys(fields).find((known) => known.toLowerCase() === written.toLowerCase());
  if (name === undefined) return undefined;
  const [start = 0, end = 0] = key.range ?? [];
  const hint = `write ${quote(name)}: a Kubernetes cluster ignores or refuses other spellings`;
  report.add('KEY_CASE', { start, end }, `the field ${quote(name)} is written ${quote(written)}`, hint);
  key.value = name;
  return fields[name];
}
