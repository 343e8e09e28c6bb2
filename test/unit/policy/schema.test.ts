/** The JSON Schema: the published file, the real policies, and the structural mistakes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { policyShape } from '../../../lib/policy/language/policy.js';
import { policySchema } from '../../../lib/policy/language/schema.js';
import type { Shape } from '../../../lib/policy/language/shape.js';
import { HOOK_KINDS } from '../../../lib/policy/language/vocabulary.js';
import { corpus, facts } from './corpus.js';
import { STRUCTURE } from './structure-cases.js';
import { marked } from './marked.js';

const root = join(__dirname, '../../..');
const validate = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, strictTypes: false }).compile(
  policySchema(),
);

/** Mistakes that JSON cannot contain, or that a schema cannot find. */
const BEYOND_SCHEMA = /^(YAML_|BAD_NAME|NAME_NOT_PORTABLE|POLICY_WITHOUT_HOOKS|VALUE_NOT_QUOTED)/;

describe('policy: JSON Schema', () => {
  it('is published as it is generated', () => {
    const published = readFileSync(join(root, 'schema/tracing-policy.schema.json'), 'utf8');
    assert.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(policySchema())), 'run `npm run gen`');
    const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
    assert.ok(files.includes('schema'));
  });

  for (const file of corpus()) {
    it(`accepts ${file.name}`, () => {
      assert.ok(validate(parse(file.text)), JSON.stringify(validate.errors));
    });
  }

  for (const [name, text] of STRUCTURE) {
    const { yaml, expected } = marked(text);
    const codes = expected
      .map(({ code }) => code)
      .filter((code) => !BEYOND_SCHEMA.test(code) && !code.startsWith('UNSUPPORTED'));
    if (codes.length === 0) continue;
    it(`refuses ${name}`, () => {
      assert.equal(validate(parse(yaml)), false);
    });
  }

  it('refuses mistakes that depend on an action or its hook', () => {
    const policy = (kind: string, hook: object, action: object): object => ({
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'TracingPolicy',
      metadata: { name: 'a' },
      spec: { [kind]: [{ ...hook, selectors: [{ matchActions: [action] }] }] },
    });
    assert.ok(validate(policy('kprobes', { call: 'f' }, { action: 'Signal', argSig: 9 })));
    assert.ok(!validate(policy('kprobes', { call: 'f' }, { action: 'Signal' })));
    assert.ok(!validate(policy('kprobes', { call: 'f' }, { action: 'Set', argIndex: 0, argValue: 1 })));
    assert.ok(!validate(policy('kprobes', { call: 'f' }, { action: 'Post', imaHash: true })));
    assert.ok(validate(policy('lsmhooks', { hook: 'file_open' }, { action: 'Post', imaHash: true })));
  });
});

/** Fields of the format that are not part of the Kubernetes resource. */
const OWN_FIELDS = [
  ...['matchArgs', 'matchReturnArgs', 'matchData'].map((list) => `spec.kprobes[].selectors[].${list}[].inode`),
  ...HOOK_KINDS.map((kind) => `spec.${kind}[].optional`),
];

describe('policy: the table of the language', () => {
  it('has every field of the resource, and no other', function () {
    const rows = facts();
    if (rows === undefined) return this.skip();
    const wanted = new Map<string, string>();
    for (const [path = '', type = '', presence = ''] of rows) {
      if (path.startsWith('metadata.')) continue;
      // The selectors are the same under the other hooks and macros.
      wanted.set(path, `${type} ${presence === 'item' ? 'optional' : presence}`);
    }
    const found = new Map<string, string>();
    collect(policyShape, '', found);
    const canonical = (path: string): string =>
      path
        .replace(
          /^spec\.(fentries|tracepoints|uprobes|usdts|lsmhooks)\[\]\.selectors\[\]\./,
          'spec.kprobes[].selectors[].',
        )
        .replace(/^spec\.selectorsMacros\{key\}\./, 'spec.kprobes[].selectors[].');
    const names = new Set([...found.keys()].map(canonical));
    assert.deepEqual(
      [...names].filter((name) => !wanted.has(name)),
      OWN_FIELDS,
      'fields that the resource has not',
    );
    assert.deepEqual(
      [...wanted.keys()].filter((name) => !names.has(name)),
      [],
      'fields that are missing',
    );
    for (const [path, facts_] of found) {
      if (OWN_FIELDS.includes(canonical(path))) continue;
      const fact = wanted.get(canonical(path)) ?? '';
      if (path === 'apiVersion' || path === 'kind' || path === 'spec') continue; // A cluster requires these fields itself.
      assert.equal(facts_, fact, path);
    }
  });
});

function collect(shape: Shape, path: string, found: Map<string, string>): void {
  const note = (name: string, inner: Shape, required: boolean): void => {
    const type =
      inner.kind === 'list' ? 'array' : inner.kind === 'text' ? 'string' : inner.kind === 'map' ? 'object' : inner.kind;
    found.set(name, `${type} ${required ? 'required' : 'optional'}`);
    if (name !== 'metadata') collect(inner, name, found);
  };
  if (shape.kind === 'object') {
    for (const [name, field] of Object.entries(shape.fields))
      note(path === '' ? name : `${path}.${name}`, field.shape, field.required === true);
  } else if (shape.kind === 'map') {
    note(`${path}{key}`, shape.of, false);
  } else if (shape.kind === 'list') {
    note(`${path}[]`, shape.of, false);
  }
}
