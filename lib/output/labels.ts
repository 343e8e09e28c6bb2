/** Parses label selectors in the syntax of Kubernetes: `app=web,tier!=db,env in (a, b),!legacy`. */
import { PolytraceError } from '../errors.js';

type LabelMap = Readonly<Record<string, string>>;
const SELECTOR_MAX = 4096;

type Requirement = (labels: LabelMap) => boolean;

const KEY = '[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?';
const VALUE = '[A-Za-z0-9_.-]*';
const FORMS: readonly (readonly [RegExp, (key: string, values: readonly string[]) => Requirement])[] = [
  [new RegExp(`^(${KEY})$`), (key) => (labels) => Object.hasOwn(labels, key)],
  [new RegExp(`^!\\s*(${KEY})$`), (key) => (labels) => !Object.hasOwn(labels, key)],
  [new RegExp(`^(${KEY})\\s*==?\\s*(${VALUE})$`), (key, values) => (labels) => hasLabelIn(labels, key, values)],
  [new RegExp(`^(${KEY})\\s*!=\\s*(${VALUE})$`), (key, values) => (labels) => !hasLabelIn(labels, key, values)],
  [new RegExp(`^(${KEY})\\s+in\\s*\\(([^()]*)\\)$`), (key, values) => (labels) => hasLabelIn(labels, key, values)],
  [new RegExp(`^(${KEY})\\s+notin\\s*\\(([^()]*)\\)$`), (key, values) => (labels) => !hasLabelIn(labels, key, values)],
];

/** Returns a function that tests whether labels meet all parts of the selector. Throws LABELS_INVALID. */
export function parseLabelSelector(text: string): (labels: LabelMap) => boolean {
  if (text.length > SELECTOR_MAX)
    throw labelError(`${text.slice(0, 40)}…`, `it has more than ${SELECTOR_MAX} characters`);
  // A comma in parentheses separates values.
  const requirements = text.split(/,(?![^()]*\))/).map((part) => parseRequirement(part.trim(), text));
  return (labels) => requirements.every((holds) => holds(labels));
}

function parseRequirement(part: string, text: string): Requirement {
  for (const [form, make] of FORMS) {
    const [, key, list] = form.exec(part) ?? [];
    if (key === undefined) continue;
    const values = (list ?? '').split(',').map((value) => value.trim());
    if (values.every((value) => new RegExp(`^${VALUE}$`).test(value))) return make(key, values);
  }
  throw labelError(text, `'${part}'`);
}

function labelError(text: string, why: string): PolytraceError {
  return new PolytraceError(
    'LABELS_INVALID',
    `'${text}' is not a label selector: ${why}`,
    'use KEY=VALUE, KEY!=VALUE, KEY in (A, B), KEY notin (A, B), KEY or !KEY, with commas between them',
  );
}

/** False for a label that does not exist. `!=` and `notin` therefore match it, as in Kubernetes. */
function hasLabelIn(labels: LabelMap, key: string, values: readonly string[]): boolean {
  return Object.hasOwn(labels, key) && values.includes(labels[key] as string);
}
