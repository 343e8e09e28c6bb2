/** Turns a policy that is written in code into YAML. After that it is handled like a policy from a file. */
import { API_VERSION, POLICY_KINDS } from '../language/policy.js';
import { YAML_DEPTH_MAX } from '../language/limits.js';
import { loadYaml } from './yaml-package.js';

interface RenderedPolicy {
  /** Stands for the name of a file in messages. */
  readonly file: string;
  readonly text: string;
}

/** Renders a policy that is given as plain data as YAML. Throws TypeError for anything that is not plain data. */
export function renderPolicy(policy: object): RenderedPolicy {
  const data: object = { apiVersion: API_VERSION, kind: POLICY_KINDS[0], ...(toPlainValue(policy, []) as object) };
  const { Document } = loadYaml();
  const document = new Document(data, { aliasDuplicateObjects: false });
  const text = document.toString({ lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
  return { file: formatName(data), text };
}

const NAME_LENGTH_MAX = 64;

/** The name of the policy tells its messages from those of another one. */
function formatName(data: object): string {
  const metadata: unknown = 'metadata' in data ? data.metadata : undefined;
  const name = typeof metadata === 'object' && metadata !== null && 'name' in metadata ? metadata.name : undefined;
  const isPlain = typeof name === 'string' && name !== '' && !/[^ -~]/.test(name) && name.length <= NAME_LENGTH_MAX;
  return isPlain ? `<policy ${name}>` : '<policy>';
}

/** The fields and indexes that lead to a value. */
type ObjectPath = readonly (string | number)[];

function toPlainValue(value: unknown, path: ObjectPath): unknown {
  if (path.length > YAML_DEPTH_MAX) {
    throw new TypeError(`a policy must be plain data: ${formatPath(path)} is nested too deeply, or contains itself`);
  }
  if (Array.isArray(value)) return value.map((item, i) => toPlainValue(item, [...path, i]));
  switch (typeof value) {
    case 'object':
      return value === null ? null : toPlainObject(value, path);
    case 'number':
    case 'bigint':
      return isComparedValue(path) ? value.toString() : value;
    case 'string':
    case 'boolean':
      return value;
    case 'undefined':
    case 'symbol':
    case 'function':
      throw new TypeError(`a policy must be plain data: ${formatPath(path)} is a ${typeof value}`);
  }
}

/** The format expects strings for values that are compared, and numbers for process ids. */
function isComparedValue(path: ObjectPath): boolean {
  return path.findLast((part) => typeof part === 'string') === 'values' && !path.includes('matchPIDs');
}

function formatPath(path: ObjectPath): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return text.replace(/^\./, '') || 'the policy';
}

function toPlainObject(value: object, path: ObjectPath): object {
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(fields.map(([name, item]) => [name, toPlainValue(item, [...path, name])]));
}
