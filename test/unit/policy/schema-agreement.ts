/** Checks that the JSON Schema and `validatePolicy` agree about the structure of policies. */
import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import type { Diagnostic } from '../../../types/errors.js';
import { validatePolicy } from '../../../lib/policy/index.js';
import { policySchema } from '../../../lib/policy/language/schema.js';
import type { DiagnosticCode } from '../../../lib/policy/parse/codes.js';

export const schemaAccepts = new Ajv({ strict: true }).compile(policySchema());

/** The schema also refuses policies with these mistakes. */
const STRUCTURE: ReadonlySet<string> = new Set<DiagnosticCode>([
  'NOT_A_POLICY',
  'YAML_EMPTY',
  'UNKNOWN_FIELD',
  'MISSING_FIELD',
  'WRONG_TYPE',
  'UNKNOWN_VALUE',
  'NUMBER_OUT_OF_RANGE',
  'TOO_MANY_ITEMS',
  'EMPTY_LIST',
  'EMPTY_TEXT',
  'VALUES_MISSING',
  'LABEL_VALUES',
  'ACTION_NOT_FOR_HOOK',
  'MACRO_NESTED',
]);

/** Codes for mistakes in the YAML text. A schema cannot find them, because it gets only the data. */
const TEXT_CODES = /^(YAML_(?!EMPTY)|KEY_CASE|FILE_)/;

/** Parses YAML to JSON data. JSON has no NaN and no infinity, so another non-integer number replaces them. */
function parseJsonData(text: string): { readonly data: unknown } | undefined {
  const toFinite = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isFinite(value) ? 0.5 : value;
  try {
    return { data: JSON.parse(JSON.stringify(parse(text, { logLevel: 'error' }), toFinite) ?? 'null') };
  } catch {
    return undefined; // This is not YAML.
  }
}

/** Returns true if the policy is accepted. */
export function checkSchema(text: string, found: readonly Diagnostic[] = validatePolicy(text)): boolean {
  const errors = found.filter(({ severity }) => severity === 'error');
  if (found.some(({ code }) => TEXT_CODES.test(code))) return errors.length === 0;
  const read = parseJsonData(text);
  if (read === undefined) assert.ok(errors.length > 0, `only the YAML parser refuses it: ${text}`);
  const accepted = read !== undefined && schemaAccepts(read.data);
  const reason = `${JSON.stringify(schemaAccepts.errors?.slice(0, 5))}\n${text.slice(0, 2000)}`;
  const structural = errors.filter(({ code }) => STRUCTURE.has(code));
  if (structural.length > 0) assert.ok(!accepted, `the schema accepts it: ${JSON.stringify(structural[0])}\n${reason}`);
  if (!accepted) assert.ok(errors.length > 0, `only the schema refuses it: ${reason}`);
  return accepted;
}
