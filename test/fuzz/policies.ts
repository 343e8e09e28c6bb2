/** Policies in YAML: made from the shape of the language, so that every field occurs, and then changed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parse } from 'yaml';
import { KernelError } from '../../lib/errors.js';
import { compilePolicy, explainPolicy, formatExplanation } from '../../lib/policy/index.js';
import { policyShape } from '../../lib/policy/language/policy.js';
import { ARG_TYPE_NAMES, OPERATORS, type ArgTypeName } from '../../lib/policy/language/vocabulary.js';
import type { Field, Shape } from '../../lib/policy/language/shape.js';
import { renderPolicy } from '../../lib/policy/parse/define.js';
import { CAPABILITIES } from '../../lib/names/capabilities.js';
import { encodeHook } from '../../lib/wire/encode/hook.js';
import { checkCompiles, checkRefused, checkText } from '../unit/policy/marked-policies.js';
import { encodeContext } from '../unit/compiled-hooks.js';
import { applyChanges, changes, rarely } from './mutations.js';
import type { Target } from './target.js';

const numbers = fc.oneof(
  fc.integer({ min: -2, max: 70 }).map(String),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
);

/** Expressions for CelExpr. The types are correct in most of them. */
const { expression } = fc.letrec<{ number: string; truth: string; expression: string }>((tie) => ({
  number: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.nat(70).map(String), fc.constantFrom('arg0', 'arg1', 'arg0', '0x10u', '9223372036854775807', 'ret', 'x.y')),
    fc.tuple(tie('number'), fc.constantFrom('+', '-', '*', '/', '%', '<<', '>>', '&', '|', '^'), tie('number')).map((words) => words.join(' ')),
    fc.tuple(fc.constantFrom('-', '~', 's8', 'u64', 'int', 'uint', 'bitnot'), tie('number')).map(([name, of]) => `${name}(${of})`),
    fc.tuple(fc.constantFrom('bitand', 'bitor', 'constructor', '__proto__'), tie('number'), tie('number')).map(([name, x, y]) => `${name}(${x}, ${y})`),
    fc.tuple(tie('truth'), tie('number'), tie('number')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
  truth: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(tie('number'), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), tie('number')).map((words) => words.join(' ')),
    fc.tuple(tie('truth'), fc.constantFrom('&&', '||'), tie('truth')).map((words) => `(${words.join(' ')})`),
    tie('truth').map((of) => `!(${of})`),
    fc.tuple(tie('number'), fc.array(tie('number'), { maxLength: 3 })).map(([of, list]) => `${of} in [${list.join(', ')}]`),
  ),
  expression: fc.oneof(
    { weight: 9, arbitrary: tie('truth') },
    tie('number'),
    fc.tuple(tie('truth'), fc.constantFrom('==', '+', 'in', '?', ')', '(', ','), tie('number')).map((words) => words.join(' ')),
  ),
})); // prettier-ignore

const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(
    'f', 'sys_openat', 'list:l', 'l', '/bin/sh', '/a/', 'mm.owner', 'current_task', 'pt_regs', 'rax=1', 'main', 'm', 'syscalls',
    '10.0.0.0/8', '::1', 'fe80::/10', '1:5', '0x7f', '017', 'IPPROTO_TCP', 'AF_INET', 'TCP_LISTEN', 'host_ns', 'Pid', 'User', 'reg',
    'sched', 'sched_process_exec', 'bprm_check_security', 'file_open', '5s', 'https://a.example/', 'a.example', '^x.*$', `sha256:${'a'.repeat(64)}`,
    'disable-kprobe-multi', 'true', '1', 'policy-mode', 'monitor', '%di',
  ) },
  { weight: 1, arbitrary: fc.constantFrom(...CAPABILITIES) },
  { weight: 2, arbitrary: numbers },
  { weight: 2, arbitrary: expression },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom('', 'x'.repeat(5000), 'constructor', '__proto__', 'toString', '\u{d800}', 'a\nb', '((((((((') },
); // prettier-ignore

/** Values of each shape. Few values have the wrong kind. */
const values = new Map<Shape, fc.Arbitrary<unknown>>();

function valueArbitrary(shape: Shape): fc.Arbitrary<unknown> {
  const known = values.get(shape);
  if (known !== undefined) return known;
  const wrong = fc.constantFrom<unknown>(null, '', 'x', 1n, true, [], {});
  const value = fc.oneof({ weight: 60, arbitrary: validArbitrary(shape) }, wrong);
  values.set(shape, value);
  return value;
}

function validArbitrary(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case 'object':
      return objectArbitrary(shape.fields);
    case 'map':
      return fc.dictionary(fc.constantFrom('m', 'app', 'x/y', '__proto__', 'constructor'), valueArbitrary(shape.of), {
        maxKeys: 2,
      });
    case 'list':
      return fc.array(valueArbitrary(shape.of), {
        minLength: shape.minItems,
        maxLength: Math.min(shape.maxItems ?? 3, 3),
      });
    case 'text':
      return shape.enum === undefined ? word : fc.constantFrom(...shape.enum);
    case 'integer':
      return fc.oneof(
        { weight: 6, arbitrary: fc.bigInt({ min: 0n, max: 4n }) },
        fc.constantFrom(shape.minimum, shape.maximum, shape.maximum + 1n),
      );
    case 'boolean':
      return fc.boolean();
    case 'any':
      return fc.constantFrom<unknown>('x', 1n, null, {});
  }
}

/** Valid values of a field by its name. */
const FITTING: Readonly<Record<string, readonly unknown[]>> = {
  apiVersion: ['cilium.io/v1alpha1'],
  kind: [...Array<string>(9).fill('TracingPolicy'), 'TracingPolicyNamespaced'],
  name: ['test', 'l'],
  call: ['f', 'f', 'sys_openat', 'list:l'],
  path: ['/bin/sh', '/usr/lib/libc.so.6'],
  btfPath: ['/a.btf'],
  hook: ['file_open', 'bprm_check_security'],
  index: [0n, 1n],
  source: ['current_task', 'pt_regs'],
  resolve: ['', 'mm.owner.comm', 'rax'],
  symbols: [['main'], ['main', 'f']],
  offsets: [[16n], [16n, 32n]],
  binaryDigests: [[`sha256:${'a'.repeat(64)}`]],
  argRegs: [['rax=1'], ['rax=8(%rsp)']],
  argUrl: ['https://a.example/'],
  argFqdn: ['a.example'],
  argSig: [9n],
  argError: [-1n],
};
/** Fields that make most policies invalid. */
const RARE = /Selector$|^options$|^enforcers$|^macros$|^matchWorkloads$/;

/** An object. The more fields its shape has, the rarer is each optional field. */
function objectArbitrary(fields: Readonly<Record<string, Field>>): fc.Arbitrary<unknown> {
  const names = Object.keys(fields);
  const rarity = Math.max(1, Math.min(6, Math.round(names.length / 3)));
  const members = names.map((name) => {
    const field = fields[name] as Field;
    const fitting = FITTING[name];
    const any = valueArbitrary(field.shape);
    const value = fitting === undefined ? any : fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...fitting) }, any);
    return field.required === true
      ? fc.oneof({ weight: 80, arbitrary: value }, fc.constant(undefined))
      : fc.oneof(
          { weight: RARE.test(name) ? 30 : rarity, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: value },
        );
  });
  return fc
    .tuple(...members)
    .map((all) => Object.fromEntries(names.flatMap((name, i) => (all[i] === undefined ? [] : [[name, all[i]]]))));
}

/** A policy for a function with filters of any kind on its arguments. Most filters are valid. */
const filters = fc
  .tuple(
    fc.array(fc.oneof(fc.constantFrom<ArgTypeName>('int', 'int64', 'uint64'), fc.constantFrom(...ARG_TYPE_NAMES)), { minLength: 1, maxLength: 3 }),
    fc.array(
      fc.tuple(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...OPERATORS) }, { weight: 9, arbitrary: fc.constant('CelExpr') }), fc.array(word, { maxLength: 4 }), expression, fc.nat(2)),
      { minLength: 1, maxLength: 4 },
    ),
    rarely(word),
  )
  .map(([types, list, macro]) => {
    const args = types.map((type, index) => ({ index, type }));
    const matchArgs = list.map(([operator, values, cel, index]) =>
      operator === 'CelExpr' ? { args: [0, 1, 2].slice(0, types.length), operator, values: [cel] } : { index, operator, values },
    );
    const selectors = [{ matchArgs, ...(macro === null ? {} : { macros: [macro] }) }];
    const spec = { kprobes: [{ call: 'f', syscall: false, args, selectors }] };
    return { apiVersion: 'cilium.io/v1alpha1', kind: 'TracingPolicy', metadata: { name: 'test' }, spec };
  }); // prettier-ignore

/** JSON is YAML. A bigint becomes a number. */
function formatJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(formatJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${formatJson(member)}`);
  return `{${members.join(', ')}}`;
}

/** The compiled policy without positions in the source. */
function serializeCompiled(text: string): string {
  return JSON.stringify(compilePolicy(text), (key, value: unknown) =>
    key === 'position' ? undefined : typeof value === 'bigint' ? `${value}n` : value,
  );
}

function check(input: Buffer): void {
  const text = input.toString('utf8');
  const found = checkText(text, checkRefused);
  if (found.some((d) => d.severity === 'error')) return;
  const image = checkCompiles(text);
  if (image === undefined) return;
  assert.equal(typeof formatExplanation(explainPolicy(text)), 'string');
  for (const hook of image.hooks) {
    try {
      encodeHook(
        hook,
        encodeContext({ processBits: image.processSets.map((_, i) => i), scopeBits: image.scopes.map((_, i) => i) }),
      );
    } catch (error) {
      assert.ok(error instanceof KernelError, String((error as Error).stack));
    }
  }
  // with a warning, data and YAML can differ: 0x10 without quotes is a number in data
  if (found.length > 0) return;
  const data = parse(text, { intAsBigInt: true }) as object;
  assert.equal(
    serializeCompiled(renderPolicy(data).text),
    serializeCompiled(text),
    'the policy as data means the same',
  );
}

export const policies: Target = {
  name: 'policies',
  extension: 'yaml',
  inputs: fc
    .tuple(fc.oneof(validArbitrary(policyShape), filters).map(formatJson), changes)
    .map(([text, list]) => applyChanges(Buffer.from(text), list)),
  check,
};
