/** Turns a policy that is written in code into YAML. After that it is handled like a policy from a file. */
import { API_VERSION, POLICY_KINDS } from '../language/policy.js';
import { YAML_DEPTH_MAX } from '../language/limits.js';
import { loadYaml } from './yaml-package.js';

/** Returns the YAML of a policy that is given as plain data. Throws TypeError for anything that is not plain data. */
export function renderPolicy(policy: object): string {
  const data = { apiVersion: API_VERSION, kind: POLICY_KINDS[0], ...(toPlainValue(policy, []) as object) };
  const { Document } = loadYaml();
  const document = new Document(data, { aliasDuplicateObjects: false });
  return document.toString({ lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}

/** `path`: the names of the fields that lead to the value. */
function toPlainValue(value: unknown, path: readonly string[]): unknown {
  const name = path.at(-1) ?? 'the policy';
  if (path.length > YAML_DEPTH_MAX) {
    throw new TypeError(`a policy must be plain data: ${name} is nested too deeply, or contains itself`);
  }
  if (Array.isArray(value)) return value.map((item) => toPlainValue(item, [...path, name]));
  switch (typeof value) {
    case 'object':
      return value === null ? null : toPlainObject(value, path);
    case 'number':
    case 'bigint':
      // The format expects strings for values that are compared, and numbers for process ids.
      return name === 'values' && !path.includes('matchPIDs') ? value.toString() : value;
    case 'string':
    case 'boolean':
      return value;
    case 'undefined':
    case 'symbol':
    case 'function':
      throw new TypeError(`a policy must be plain data: ${name} is a ${typeof value}`);
  }
}

function toPlainObject(value: object, path: readonly string[]): object {
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(fields.map(([name, item]) => [name, toPlainValue(item, [...path, name])]));
}
