/** Policies written in code: rendered as YAML, so that they go the same way as those from files. */
import { Document } from 'yaml';
import { API_VERSION, KINDS } from '../language/policy.js';
import { YAML_DEPTH_MAX } from '../language/limits.js';

/** The YAML of a policy that is given as plain data. Throws TypeError for what is no plain data. */
export function renderPolicy(policy: object): string {
  const data = { apiVersion: API_VERSION, kind: KINDS[0], ...(plain(policy, []) as object) };
  const document = new Document(data, { aliasDuplicateObjects: false });
  return document.toString({ lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}

/** `path`: the names of the fields that lead here. */
function plain(value: unknown, path: readonly string[]): unknown {
  const name = path.at(-1) ?? 'the policy';
  if (path.length > YAML_DEPTH_MAX) {
    throw new TypeError(`a policy is plain data: ${name} is nested too deep, or contains itself`);
  }
  if (Array.isArray(value)) return value.map((item) => plain(item, [...path, name]));
  switch (typeof value) {
    case 'object':
      return value === null ? null : plainObject(value, path);
    case 'number':
    case 'bigint':
      // The format has text where values are compared, and numbers where process ids are.
      return name === 'values' && !path.includes('matchPIDs') ? value.toString() : value;
    case 'string':
    case 'boolean':
      return value;
    default:
      throw new TypeError(`a policy is plain data: ${name} is a ${typeof value}`);
  }
}

function plainObject(value: object, path: readonly string[]): object {
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(fields.map(([name, item]) => [name, plain(item, [...path, name])]));
}
