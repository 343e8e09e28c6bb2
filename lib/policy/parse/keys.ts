/** Accepts keys in another case, such as `matchPids`: gives them their own spelling, and warns about it. */
import type { Node } from 'yaml';
import { isMap, isScalar, isSeq } from './yaml-package.js';
import type { Field, Shape } from '../language/shape.js';
import { quote, type Report } from './report.js';

/** Changes the keys of the document. */
export function spellKeys(node: unknown, shape: Shape, report: Report): void {
  if (isSeq(node) && shape.kind === 'list') {
    for (const item of node.items) spellKeys(item, shape.of, report);
  } else if (isMap(node) && shape.kind === 'map') {
    for (const { value } of node.items) spellKeys(value, shape.of, report);
  } else if (isMap(node) && shape.kind === 'object') {
    for (const { key, value } of node.items) {
      const field = fieldOf(key as Node, shape.fields, report);
      if (field !== undefined) spellKeys(value, field.shape, report);
    }
  }
}

function fieldOf(key: Node, fields: Readonly<Record<string, Field>>, report: Report): Field | undefined {
  if (!isScalar(key) || typeof key.value !== 'string') return undefined;
  const written = key.value;
  if (Object.hasOwn(fields, written)) return fields[written];
  const name = Object.keys(fields).find((each) => each.toLowerCase() === written.toLowerCase());
  if (name === undefined) return undefined;
  const [start = 0, end = 0] = key.range ?? [];
  const hint = `write ${quote(name)}: a Kubernetes cluster ignores or refuses other spellings`;
  report.add('KEY_CASE', { start, end }, `the field ${quote(name)} is written ${quote(written)}`, hint);
  key.value = name;
  return fields[name];
}
