/**
 * Parameters of a policy file: lists of values that a comment gives a name, `values: # parameter: NAME`. The file stays a
 * policy that every tool reads. Setting a parameter makes a new text.
 */
import type { Document, YAMLSeq } from 'yaml';
import type { PolicyParameter } from '../../../types/policy.js';
import { PolicyError } from '../../errors.js';
import { isScalar, isSeq, loadYaml } from '../parse/yaml-package.js';
import { findNearestName } from '../parse/nearest-name.js';
import type { DiagnosticCode } from '../parse/codes.js';
import { addException, EXCEPTION_NAMES } from './exceptions.js';

const MARKER = /^ ?parameter: ([a-z][a-z0-9-]*)$/m;

/** Returns the parameters of a policy with their values, and those that every policy has. */
export function listParameters(yaml: string): PolicyParameter[] {
  const lists = findLists(parse(yaml));
  const own = [...lists].map(([name, [first]]) => ({ name, values: first === undefined ? [] : readValues(first) }));
  return [...own, ...EXCEPTION_NAMES.map((name) => ({ name, values: [] }))].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Sets parameters: `NAME=VALUE,VALUE` replaces the values, and `NAME+=VALUE` adds some. Returns the text of the new policy.
 * Throws PolicyError PARAMETER_INVALID or PARAMETER_UNKNOWN; the position is that within the setting.
 */
export function setParameters(yaml: string, settings: readonly string[], file: string): string {
  const document = parse(yaml);
  const lists = findLists(document);
  for (const setting of settings) {
    const { name, isAdded, values } = parseSetting(setting, file);
    const targets = lists.get(name);
    if (targets !== undefined) for (const list of targets) setValues(document, list, values, isAdded);
    else if (EXCEPTION_NAMES.includes(name)) addException(document, name, values);
    else throw unknownParameter(setting, name, [...lists.keys(), ...EXCEPTION_NAMES], file);
  }
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}

interface Setting {
  readonly name: string;
  readonly isAdded: boolean;
  readonly values: readonly string[];
}

function parseSetting(setting: string, file: string): Setting {
  const match = /^([^=+]+)(\+?)=(.*)$/s.exec(setting);
  const values = (match?.[3] ?? '').split(',').map((value) => value.trim());
  if (match?.[1] === undefined || values.includes('')) {
    const hint = 'write NAME=VALUE,VALUE to replace the values, or NAME+=VALUE to add some';
    throw failure('PARAMETER_INVALID', file, setting, `${JSON.stringify(setting)} sets no parameter`, hint);
  }
  return { name: match[1].trim(), isAdded: match[2] === '+', values };
}

function unknownParameter(setting: string, name: string, names: readonly string[], file: string): PolicyError {
  const close = findNearestName(name, names);
  const hint = `${close === undefined ? '' : `did you mean ${JSON.stringify(close)}? `}the policy has ${names.join(', ')}`;
  return failure('PARAMETER_UNKNOWN', file, setting, `the policy has no parameter ${JSON.stringify(name)}`, hint);
}

function failure(code: DiagnosticCode, file: string, text: string, message: string, hint: string): PolicyError {
  return new PolicyError([{ code, severity: 'error', message, hint, file, line: 1, column: 1, text }]);
}

function parse(yaml: string): Document {
  return loadYaml().parseDocument(yaml);
}

/** The lists of each parameter. Several lists of a policy may have the same name: they are set together. */
function findLists(document: Document): Map<string, YAMLSeq[]> {
  const lists = new Map<string, YAMLSeq[]>();
  loadYaml().visit(document, {
    Pair: (_, { key, value }) => {
      if (!isScalar(key) || key.value !== 'values' || !isSeq(value)) return;
      const name = MARKER.exec(value.commentBefore ?? '')?.[1] ?? MARKER.exec(value.comment ?? '')?.[1];
      if (name !== undefined) lists.set(name, [...(lists.get(name) ?? []), value]);
    },
  });
  return lists;
}

const readValues = (list: YAMLSeq): string[] => list.items.map((item) => String(isScalar(item) ? item.value : item));

function setValues(document: Document, list: YAMLSeq, values: readonly string[], isAdded: boolean): void {
  const present = new Set(isAdded ? readValues(list) : []);
  const added = values.filter((value) => !present.has(value)).map((value) => document.createNode(value));
  if (isAdded) list.items.push(...added);
  else list.items.splice(0, list.items.length, ...added);
}
