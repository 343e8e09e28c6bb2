/** The JSON Schema: the published file, the real policies, and the structural mistakes. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { policyCrds } from '../../../lib/policy/language/crd.js';
import { policyShape } from '../../../lib/policy/language/policy.js';
import { policySchema } from '../../../lib/policy/language/schema.js';
import type { Shape } from '../../../lib/policy/language/shape.js';
import { HOOK_KINDS } from '../../../lib/policy/language/vocabulary.js';
import { crdFiles } from '../../../scripts/crd-files.js';
import { readCorpus, readFacts } from './corpus.js';
import { checkSchema, schemaAccepts } from './schema-agreement.js';
import { ROOT, readProjectFile } from '../../project.js';

describe('policy: JSON Schema', () => {
  it('is published in its current form', () => {
    const published = readProjectFile('schema/tracing-policy.schema.json');
    assert.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(policySchema())), 'run `npm run gen`');
    const { files } = JSON.parse(readProjectFile('package.json')) as { files: string[] };
    assert.ok(files.includes('schema'));
  });

  it('is also published in custom resource definitions', () => {
    const files = crdFiles();
    assert.deepEqual([...files.keys()].map((file) => basename(file, '.yaml')), ['tracingpolicies', 'tracingpoliciesnamespaced', 'podinfo']); // prettier-ignore
    for (const [file, text] of files) assert.equal(readProjectFile(file), text, 'run `npm run gen`');
  });

  it('fits into a Kubernetes resource together with the last-applied copy of kubectl', () => {
    for (const crd of policyCrds()) assert.ok(JSON.stringify(crd).length < 0.9 * 256 * 1024);
  });

  it('is closed in custom resource definitions, but for values of any type', () => {
    const text = JSON.stringify(policyCrds());
    const open = text.match(/"x-kubernetes-preserve-unknown-fields":true/g)?.length;
    assert.ok(open !== undefined);
    assert.equal(text.match(/\{"x-kubernetes-preserve-unknown-fields":true\}|\{"description":"For (?:(?:Post|Mark): time|Count: the value)[^{}]*/g)?.length, open); // prettier-ignore
  });

  for (const file of readCorpus()) {
    it(`accepts ${file.name}`, () => {
      assert.ok(schemaAccepts(parse(file.text)), JSON.stringify(schemaAccepts.errors));
    });
  }

  it('refuses mistakes that depend on an action or its hook', () => {
    const policyWithAction = (kind: string, hook: object, action: object): object => ({
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'TracingPolicy',
      metadata: { name: 'a' },
      spec: { [kind]: [{ ...hook, selectors: [{ matchActions: [action] }] }] },
    });
    assert.ok(schemaAccepts(policyWithAction('kprobes', { call: 'f' }, { action: 'Signal', argSig: 9 })));
    assert.ok(!schemaAccepts(policyWithAction('kprobes', { call: 'f' }, { action: 'Signal' })));
    assert.ok(!schemaAccepts(policyWithAction('kprobes', { call: 'f' }, { action: 'Signal', argSig: null })));
    assert.ok(!schemaAccepts(policyWithAction('kprobes', { call: 'f' }, { action: 'Override', argRegs: ['rax=1'] })));
    assert.ok(schemaAccepts(policyWithAction('uprobes', { path: '/a' }, { action: 'Override', argRegs: ['rax=1'] })));
    assert.ok(!schemaAccepts(policyWithAction('kprobes', { call: 'f' }, { action: 'Set', argIndex: 0, argValue: 1 })));
  });

  it('agrees with validatePolicy about policies with random mistakes of structure', function () {
    this.timeout(120_000);
    const folders = [join(__dirname, 'golden'), join(ROOT, 'policies')];
    const own = folders.flatMap((folder) =>
      readdirSync(folder).flatMap((name) => (name.endsWith('.yaml') ? [readFileSync(join(folder, name), 'utf8')] : [])),
    );
    const originals = [...own, ...readCorpus().map(({ text }) => text)].map((text): unknown => parse(text));
    let [accepted, refused] = [0, 0];
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 2 }), (which, places) => {
        const changed = { policy: structuredClone(originals[which % originals.length]) };
        for (const [where, how] of places) mutate(changed, where, how);
        if (checkSchema(JSON.stringify(changed.policy))) accepted++;
        else refused++;
      }),
      { numRuns: 1500 },
    );
    assert.ok(accepted > 100 && refused > 100, `${accepted} accepted, ${refused} refused`);
  });
});

/** Values of every type, and numbers at the limits. */
const VALUES: readonly unknown[] = [
  null, '', 'text', 'Equal', 'In', 'Post', '7', 0, 7, -1, 1.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 40, 2 ** 65, true, false, [],
  [null], ['text'], [7], [{}], {}, { index: 0 }, { unknown: 'text' }, Array.from({ length: 17 }, () => 'text'),
]; // prettier-ignore

/** Removes, replaces, renames or repeats one value of the tree. */
function mutate(tree: object, where: number, how: number): void {
  const members: (readonly [Record<string, unknown>, string])[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      members.push([value as Record<string, unknown>, key]);
      visit((value as Record<string, unknown>)[key]);
    }
  };
  visit(tree);
  const [container, key] = members[where % members.length] ?? [{}, ''];
  const value = structuredClone(VALUES[how % VALUES.length]);
  switch (how % 5) {
    case 0:
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else if (container !== tree) delete container[key];
      break;
    case 1:
      if (Array.isArray(container)) container.push(structuredClone(container[Number(key)]));
      else container[`${key}s`] = container[key];
      break;
    case 2:
      container[key] = [container[key]];
      break;
    default:
      container[key] = value;
  }
}

/** Fields of the format that are not part of the Kubernetes resource. */
const OWN_FIELDS = [
  ...['matchArgs', 'matchReturnArgs', 'matchData'].map((list) => `spec.kprobes[].selectors[].${list}[].inode`),
  // in Tetragon's main branch, but not yet in the published schema
  ...['matchCEL', 'matchCEL.expr'].map((name) => `spec.kprobes[].selectors[].${name}`),
  // metrics: an extension
  ...['', '.operator', '.values', '.values[]'].map((part) => `spec.kprobes[].selectors[].matchDuration${part}`),
  // planned for Tetragon
  ...['', '[]', '[].index', '[].operator', '[].values', '[].values[]'].map(
    (part) => `spec.kprobes[].selectors[].matchCmdArgs${part}`,
  ),
  ...['', '[]', '[].operator', '[].values', '[].values[]', '[].scope', '[].shared'].map(
    (part) => `spec.kprobes[].selectors[].matchMarks${part}`,
  ),
  ...['matchActions', 'matchReturnActions'].flatMap((list) =>
    ['mark', 'ttl', 'inherit', 'scope', 'shared', 'metric', 'by', 'by[]', 'folders', 'value', 'kind', 'maxKeys'].map(
      (field) => `spec.kprobes[].selectors[].${list}[].${field}`,
    ),
  ),
  ...HOOK_KINDS.flatMap((kind) => [
    ...(kind === 'uprobes' ? ['spec.uprobes[].resolvePathInContainer'] : []),
    `spec.${kind}[].optional`,
  ]),
  'status',
];

describe('policy: the table of the language', () => {
  it('has every field of the resource, and no other', function () {
    const rows = readFacts();
    if (rows === undefined) return this.skip();
    const wanted = new Map<string, string>();
    for (const [path = '', type = '', presence = ''] of rows) {
      if (path.startsWith('metadata.')) continue;
      // The selectors are the same under the other hooks and macros.
      wanted.set(path, `${type} ${presence === 'item' ? 'optional' : presence}`);
    }
    const found = new Map<string, string>();
    collectFields(policyShape, '', found);
    const canonicalPath = (path: string): string =>
      path
        .replace(
          /^spec\.(fentries|tracepoints|uprobes|usdts|lsmhooks)\[\]\.selectors\[\]\./,
          'spec.kprobes[].selectors[].',
        )
        .replace(/^spec\.selectorsMacros\{key\}\./, 'spec.kprobes[].selectors[].');
    const names = new Set([...found.keys()].map(canonicalPath));
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
      if (OWN_FIELDS.includes(canonicalPath(path))) continue;
      const fact = wanted.get(canonicalPath(path)) ?? '';
      if (path === 'apiVersion' || path === 'kind' || path === 'spec') continue; // A cluster requires these fields itself.
      if (fact === 'string required' && path.endsWith('.type')) continue; // It has a default, so it can be left out.
      assert.equal(facts_, fact, path);
    }
  });
});

describe('policy: the enumerations of the language', () => {
  it('have every value of the resource', function () {
    const rows = readFacts();
    if (rows === undefined) return this.skip();
    const enums = new Map<string, readonly string[]>();
    collectEnums(policyShape, '', enums);
    const known = rows.flatMap(([path = '', , , constraints = '']) => {
      const values = /enum=([^;]*)/.exec(constraints)?.[1]?.split('|') ?? [];
      return values.length === 0 ? [] : [{ path, values, own: enums.get(path) ?? [] }];
    });
    assert.ok(known.length > 30);
    for (const { path, values, own } of known) {
      assert.deepEqual(
        values.filter((value) => !own.includes(value)),
        [],
        path,
      );
    }
  });
});

function collectEnums(shape: Shape, path: string, found: Map<string, readonly string[]>): void {
  if (shape.kind === 'text' && shape.enum !== undefined) found.set(path, shape.enum);
  if (shape.kind === 'map') collectEnums(shape.of, `${path}{key}`, found);
  if (shape.kind === 'list') collectEnums(shape.of, `${path}[]`, found);
  if (shape.kind !== 'object') return;
  for (const [name, field] of Object.entries(shape.fields)) {
    collectEnums(field.shape, path === '' ? name : `${path}.${name}`, found);
  }
}

function collectFields(shape: Shape, path: string, found: Map<string, string>): void {
  const addField = (name: string, inner: Shape, required: boolean): void => {
    const type =
      inner.kind === 'list' ? 'array' : inner.kind === 'text' ? 'string' : inner.kind === 'map' ? 'object' : inner.kind;
    found.set(name, `${type} ${required ? 'required' : 'optional'}`);
    if (name !== 'metadata') collectFields(inner, name, found);
  };
  if (shape.kind === 'object') {
    for (const [name, field] of Object.entries(shape.fields))
      addField(path === '' ? name : `${path}.${name}`, field.shape, field.required === true);
  } else if (shape.kind === 'map') {
    addField(`${path}{key}`, shape.of, false);
  } else if (shape.kind === 'list') {
    addField(`${path}[]`, shape.of, false);
  }
}
