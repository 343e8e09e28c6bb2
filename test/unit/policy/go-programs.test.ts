/**
 * Policies as programs in Go write them: a struct is written with its empty members. Each optional string, number and
 * list of the table of fields is added to each real policy and example. The policies then mean the same.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { formatDiagnostic } from '../../../lib/errors.js';
import { compilePolicy, validatePolicy } from '../../../lib/policy/index.js';
import { policyShape } from '../../../lib/policy/language/policy.js';
import type { Field, Shape } from '../../../lib/policy/language/shape.js';
import { ROOT } from '../../project.js';
import { readCorpus } from './corpus.js';
import { policyYaml } from './marked-policies.js';
import { checkSchema } from './schema-agreement.js';

const EMPTY: Readonly<Partial<Record<Shape['kind'], unknown>>> = { text: '', integer: 0, list: [] };

/** Go writes an empty namespace nowhere: its struct leaves it out. Here it stands for the processes in no container. */
const NOT_WRITTEN = 'namespace';
/** matchCmdArgs is ours, and its index is a pointer in Go: 0 is the name of the program, and absent any argument. */
const POINTER = 'matchCmdArgs';

/** Adds the absent fields of an object with an empty value, and counts them by name. */
function addEmpty(value: unknown, shape: Shape, empty: typeof EMPTY, counts: Map<string, number>): void {
  if (shape.kind === 'list') for (const item of value as unknown[]) addEmpty(item, shape.of, empty, counts);
  if (shape.kind === 'map') for (const item of Object.values(value as object)) addEmpty(item, shape.of, empty, counts);
  if (shape.kind !== 'object') return;
  const object = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(shape.fields)) {
    if (name === POINTER) continue;
    if (object[name] !== undefined && object[name] !== null) addEmpty(object[name], field.shape, empty, counts);
    else if (isWritten(name, field, empty)) {
      object[name] = empty[field.shape.kind];
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
}

function isWritten(name: string, { shape, required }: Field, empty: typeof EMPTY): boolean {
  return required !== true && name !== NOT_WRITTEN && shape.kind in empty;
}

function withEmpty(text: string, empty = EMPTY, counts = new Map<string, number>()): string {
  const policy: unknown = parse(text);
  addEmpty(policy, policyShape, empty, counts);
  return JSON.stringify(policy, null, 2);
}

/** The compiled policy without the positions, which differ in another text. */
function compile(text: string): unknown {
  return JSON.parse(
    JSON.stringify(compilePolicy(text), (key, value: unknown) => {
      if (key === 'position') return undefined;
      return typeof value === 'bigint' ? `${value}n` : value;
    }),
  );
}

function messages(text: string): string[] {
  return validatePolicy(text)
    .map(({ severity, code, message, hint }) => `${severity} ${code} ${message} ${hint}`)
    .sort();
}

describe('policy: written by programs in Go', () => {
  const folders = [join(ROOT, 'examples'), join(ROOT, 'policies')];
  const own = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') })),
  );
  const counts = new Map<string, number>();

  for (const { name, text } of [...own, ...readCorpus()]) {
    it(name, () => {
      const written = withEmpty(text, EMPTY, counts);
      const found = validatePolicy(written);
      // A value without quotes and a key in other capitals are mistakes of the YAML text. Go writes them correctly.
      assert.deepEqual(messages(written), messages(JSON.stringify(parse(text), null, 2)), found.map(formatDiagnostic).join('\n')); // prettier-ignore
      checkSchema(written, found);
      // The API server and other programs write null.
      const nulls = withEmpty(text, { text: null, integer: null, list: null });
      assert.deepEqual(messages(nulls), messages(written));
      if (found.some(({ severity }) => severity === 'error')) return;
      assert.deepEqual(compile(written), compile(text));
      assert.deepEqual(compile(nulls), compile(text));
    });
  }

  it('have each of these fields somewhere', function () {
    if (readCorpus().length === 0) return this.skip();
    for (const name of [
      'label',
      'source',
      'argUrl',
      'argFqdn',
      'rateLimit',
      'rateLimitScope',
      'argSig',
      'argError',
      'sizeArgIndex',
      'returnArgAction',
      'tags',
      'values',
      'argRegs',
    ])
      // prettier-ignore
      assert.ok((counts.get(name) ?? 0) > 0, name);
  });

  it('need the fields that an action needs, and a list with kprobes still has hooks', () => {
    const kprobe = (action: string): string =>
      withEmpty(policyYaml(`kprobes: [{call: sys_dup, selectors: [{matchActions: [${action}]}]}]`));
    for (const action of ['Signal', 'GetUrl', 'DnsLookup'])
      assert.ok(
        validatePolicy(kprobe(`{action: ${action}}`)).some(({ code }) => code === 'ACTION_ARGUMENT_MISSING'),
        action,
      );
    assert.deepEqual(
      validatePolicy(withEmpty(policyYaml('loader: true'))).map(({ code }) => code),
      [],
    );
  });

  it('keep an error of 0 that is alone, and ignore it beside the registers of a uprobe', () => {
    const override = (fields: string): string =>
      policyYaml(`uprobes: [{path: /bin/a, symbols: [f], selectors: [{matchActions: [{action: Override, ${fields}}]}]}]`); // prettier-ignore
    assert.deepEqual(compile(withEmpty(override('argError: 0'))), compile(override('argError: 0')));
    assert.deepEqual(compile(withEmpty(override('argRegs: [rax=1]'))), compile(override('argRegs: [rax=1]')));
  });
});
