/**
 * Random expressions: their generated instructions give the same result as an independent evaluator of the Common
 * Expression Language.
 */
import assert from 'node:assert/strict';
import { CelScalar, celEnv, celFunc, celUint, isCelError, isCelUint, parse, plan, type CelUint } from '@bufbuild/cel';
import fc from 'fast-check';
import { compileExpression, type CelScope } from '../../../lib/policy/cel/cel.js';
import { generateSteps } from '../../../lib/policy/cel/generate.js';
import { typeRange, NUMBER_TYPES, type NumberType } from '../../../lib/policy/cel/typed-expression.js';
import { CelError } from '../../../lib/policy/cel/error.js';
import { CEL_STEPS_MAX } from '../../../lib/policy/language/limits.js';
import { encodeCel } from '../../../lib/wire/encode/cel.js';
import { AbiLimit } from '../../../lib/wire/layout.gen.js';
import { runInstructions } from '../wire/encode/bpf-machine.js';
import { EDGES } from '../wire/encode/cel-steps.js';

const EXPRESSIONS = 10_000;
const TYPES = Object.keys(NUMBER_TYPES) as NumberType[];
/** A value of each type: arg0 is an int, arg1 is an int32, and so on. */
const SCOPE: CelScope = new Map(TYPES.map((type, slot) => [`arg${slot}`, { slot, type, atReturn: false }]));

const wrap = (type: NumberType, value: bigint): bigint =>
  NUMBER_TYPES[type].signed
    ? BigInt.asIntN(NUMBER_TYPES[type].bits, value)
    : BigInt.asUintN(NUMBER_TYPES[type].bits, value);

/* ---- The other evaluator. Its numbers are 64-bit int and uint, and functions add the rest. ---- */

const { INT, UINT } = CelScalar;
const toBigInt = (value: bigint | CelUint): bigint => (isCelUint(value) ? value.value : value);
const toCelValue = (type: NumberType, value: bigint): bigint | CelUint =>
  NUMBER_TYPES[type].signed ? wrap(type, value) : celUint(wrap(type, value));

/** Casts from int and uint, and bit functions with operands of the same kind. */
const casts = TYPES.flatMap((type) =>
  [INT, UINT].map((from) =>
    NUMBER_TYPES[type].signed
      ? celFunc(`to_${type}`, [from], INT, (value) => wrap(type, toBigInt(value)))
      : celFunc(`to_${type}`, [from], UINT, (value) => celUint(wrap(type, toBigInt(value)))),
  ),
);
const BITS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};
const bits = Object.entries(BITS).flatMap(([name, compute]) => [
  celFunc(name, [INT, INT], INT, compute),
  celFunc(name, [UINT, UINT], UINT, (a, b) => celUint(compute(a.value, b.value))),
]);
const inversions = [
  celFunc('not', [INT], INT, (a) => ~a),
  celFunc('not', [UINT], UINT, (a) => celUint(BigInt.asUintN(64, ~a.value))),
];
const environment = celEnv({ funcs: [...casts, ...bits, ...inversions] });

/** Undefined for an error. The other evaluator reports an overflow of 64 bits as an error; the instructions wrap around. */
function evaluateReference(text: string, values: readonly bigint[]): boolean | undefined {
  const bindings = Object.fromEntries(TYPES.map((type, i) => [`arg${i}`, toCelValue(type, values[i] ?? 0n)]));
  const result = plan(environment, parse(text))(bindings);
  if (isCelError(result)) return undefined;
  assert.equal(typeof result, 'boolean', text);
  return result as boolean;
}

/* ---- Random expressions, in the syntax of policies and in the syntax of the other evaluator. ---- */

interface Expression {
  readonly ours: string;
  readonly other: string;
}

const makeExpression = (make: (pick: (part: Expression) => string) => string): Expression => ({
  ours: make((part) => part.ours),
  other: make((part) => part.other),
});

/** A literal of the type. Both evaluators read the same digits, and a narrow type needs a cast. */
function literal(type: NumberType): fc.Arbitrary<Expression> {
  const { signed, bits: width } = NUMBER_TYPES[type];
  const any = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: -300n, max: 300n }));
  return any.map((value) => {
    const digits = `${wrap(type, value)}${signed ? '' : 'u'}`;
    const [smallest] = typeRange('int');
    // The other evaluator has no literal for the smallest int.
    const safe = digits === String(smallest) ? '0' : digits;
    return width === 64 ? { ours: safe, other: safe } : { ours: `${type}(${safe})`, other: `to_${type}(${safe})` };
  });
}

function leaf(type: NumberType): fc.Arbitrary<Expression> {
  const name = `arg${TYPES.indexOf(type)}`;
  return fc.oneof(fc.constant<Expression>({ ours: name, other: name }), literal(type));
}

/** Casts the result of arithmetic to a narrow type, because the other evaluator computes with 64 bits. */
const narrow = (type: NumberType, { ours, other }: Expression): Expression => ({
  ours,
  other: NUMBER_TYPES[type].bits === 64 ? other : `to_${type}(${other})`,
});

function numberExpression(type: NumberType, depth: number): fc.Arbitrary<Expression> {
  if (depth === 0) return leaf(type);
  const same = numberExpression(type, depth - 1);
  const { signed } = NUMBER_TYPES[type];
  const binary = fc.tuple(same, fc.constantFrom('+', '-', '*', '/', '%'), same).map(([a, op, b]) =>
    narrow(
      type,
      makeExpression((pick) => `(${pick(a)} ${op} ${pick(b)})`),
    ),
  );
  const onBits = fc
    .tuple(fc.constantFrom('and', 'or', 'xor'), same, same)
    .map(([name, a, b]) => makeExpression((pick) => `${name}(${pick(a)}, ${pick(b)})`));
  const inverted = same.map((a) =>
    narrow(
      type,
      makeExpression((pick) => `not(${pick(a)})`),
    ),
  );
  const negated = same.map((a) =>
    narrow(
      type,
      makeExpression((pick) => `(-${pick(a)})`),
    ),
  );
  const cast = fc.constantFrom(...TYPES).chain((from) =>
    numberExpression(from, depth - 1).map(({ ours, other }): Expression => ({
      ours: `${type}(${ours})`,
      other: `to_${type}(${other})`,
    })),
  );
  const chosen = fc
    .tuple(condition(depth - 1), same, same)
    .map(([c, a, b]) => makeExpression((pick) => `(${pick(c)} ? ${pick(a)} : ${pick(b)})`));
  return fc.oneof(leaf(type), binary, onBits, inverted, ...(signed ? [negated] : []), cast, chosen);
}

function condition(depth: number): fc.Arbitrary<Expression> {
  const compared = fc.constantFrom(...TYPES).chain((type) => {
    const side = numberExpression(type, depth);
    return fc
      .tuple(side, fc.constantFrom('==', '!=', '<', '<=', '>', '>='), side)
      .map(([a, op, b]) => makeExpression((pick) => `${pick(a)} ${op} ${pick(b)}`));
  });
  if (depth === 0) return compared;
  const inner = condition(depth - 1).map((a) => makeExpression((pick) => `(${pick(a)})`));
  const member = fc
    .constantFrom(...TYPES)
    .chain((type) =>
      fc
        .tuple(numberExpression(type, depth - 1), fc.array(numberExpression(type, 0), { minLength: 1, maxLength: 3 }))
        .map(([a, list]) => makeExpression((pick) => `${pick(a)} in [${list.map(pick).join(', ')}]`)),
    );
  return fc.oneof(
    compared,
    member,
    fc
      .tuple(inner, fc.constantFrom('&&', '||'), inner)
      .map(([a, op, b]) => makeExpression((pick) => `${pick(a)} ${op} ${pick(b)}`)),
    inner.map((a) => makeExpression((pick) => `!${pick(a)}`)),
  );
}

const anyValues = fc.array(fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: -300n, max: 300n })), {
  minLength: TYPES.length,
  maxLength: TYPES.length,
});

/** True if the candidate remains after the instructions. Undefined if the expression exceeds the limits of a hook. */
function evaluateInstructions(text: string, values: readonly bigint[]): boolean | undefined {
  const steps = generateSteps(compileExpression(text, SCOPE));
  if (steps === undefined || steps.length > CEL_STEPS_MAX) return undefined;
  const filter = { op: 'filter', to: 0, a: 0, b: 0, imm: 0n, selectors: [0] } as const;
  const slots = TYPES.map((type, i) => BigInt.asUintN(64, wrap(type, values[i] ?? 0n)));
  return runInstructions(encodeCel([...steps, filter], AbiLimit.CEL_INSTRUCTIONS, 'test'), slots, 1n) === 1n;
}

describe('policy: expressions compared with another evaluator', function () {
  this.timeout(120_000);

  it(`${EXPRESSIONS} random expressions have the same result`, () => {
    let [compared, held, failed] = [0, 0, 0];
    const sample = fc.sample(fc.tuple(condition(2), anyValues), { numRuns: 2 * EXPRESSIONS, seed: 20261125 });
    for (const [{ ours, other }, values] of sample) {
      if (compared === EXPRESSIONS) break;
      if (ours.length > 1000) continue;
      const expected = evaluateReference(other, values);
      const found = evaluateInstructions(ours, values);
      if (found === undefined) continue;
      if (expected === undefined) {
        failed++;
        continue;
      }
      assert.equal(found, expected, `${ours} with ${values.join(', ')}`);
      compared++;
      if (expected) held++;
    }
    console.log(
      `      ${compared} compared, ${held} of them true; ${failed} are an overflow or a division by zero there`,
    );
    assert.equal(compared, EXPRESSIONS);
    assert.ok(held > EXPRESSIONS / 4 && held < (3 * EXPRESSIONS) / 4, `${held} are true`);
  });

  it('32 bits wrap around, and 64 bits do not', () => {
    const largest = TYPES.map(() => 2n ** 31n - 1n);
    assert.equal(evaluateReference('to_int32(arg1 + arg1) < 0', largest), true);
    assert.equal(evaluateInstructions('arg1 + arg1 < 0', largest), true);
    assert.equal(evaluateInstructions('int(arg1) + int(arg1) < 0', largest), false);
  });

  it('operands of different types are refused', () => {
    for (const one of TYPES) {
      for (const other of TYPES.filter((type) => type !== one)) {
        const text = `arg${TYPES.indexOf(one)} == arg${TYPES.indexOf(other)}`;
        assert.throws(() => compileExpression(text, SCOPE), CelError, text);
      }
    }
  });
});
