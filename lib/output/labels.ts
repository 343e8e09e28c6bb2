/** Label selectors in the syntax of Kubernetes: `app=web,tier!=db,env in (a, b),!legacy`. */
import { PolytraceError } from '../errors.js';

type Pairs = Readonly<Record<string, string>>;
const TEXT_MAX = 4096;

type Requirement = (labels: Pairs) => boolean;

const KEY = '[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?';
const VALUE = '[A-Za-z0-9_.-]*';
const FORMS: readonly (readonly [RegExp, (key: string, values: readonly string[]) => Requirement])[] = [
  [new RegExp(`^(${KEY})$`), (key) => (labels) => Object.hasOwn(labels, key)],
  [new RegExp(`^!\\s*(${KEY})$`), (key) => (labels) => !Object.hasOwn(labels, key)],
  [new RegExp(`^(${KEY})\\s*==?\\s*(${VALUE})$`), (key, values) => (labels) => isOneOf(labels, key, values)],
  [new RegExp(`^(${KEY})\\s*!=\\s*(${VALUE})$`), (key, values) => (labels) => !isOneOf(labels, key, values)],
  [new RegExp(`^(${KEY})\\s+in\\s*\\(([^()]*)\\)$`), (key, values) => (labels) => isOneOf(labels, key, values)],
  [new RegExp(`^(${KEY})\\s+notin\\s*\\(([^()]*)\\)$`), (key, values) => (labels) => !isOneOf(labels, key, values)],
];

/** Returns a function that says whether labels meet all parts of the selector. Throws LABELS_INVALID. */
export function labelSelector(text: string): (labels: Pairs) => boolean {
  if (text.length > TEXT_MAX) throw invalid(`${text.slice(0, 40)}…`, `it has more than ${TEXT_MAX} characters`);
  // a comma in parentheses separates values
  const requirements = text.split(/,(?![^()]*\))/).map((part) => requirement(part.trim(), text));
  return (labels) => requirements.every((holds) => holds(labels));
}

function requirement(part: string, text: string): Requirement {
  for (const [form, make] of FORMS) {
    const [, key, list] = form.exec(part) ?? [];
    if (key === undefined) continue;
    const values = (list ?? '').split(',').map((value) => value.trim());
    if (values.every((value) => new RegExp(`^${VALUE}$`).test(value))) return make(key, values);
  }
  throw invalid(text, `'${part}'`);
}

function invalid(text: string, why: string): PolytraceError {
  return new PolytraceError(
    'LABELS_INVALID',
    `'${text}' is not a label selector: ${why}`,
    'use KEY=VALUE, KEY!=VALUE, KEY in (A, B), KEY notin (A, B), KEY or !KEY, with commas between them',
  );
}

/** A label that does not exist has no value: Kubernetes means the same by `!=` and `notin`. */
function isOneOf(labels: Pairs, key: string, values: readonly string[]): boolean {
  return Object.hasOwn(labels, key) && values.includes(labels[key] as string);
}
