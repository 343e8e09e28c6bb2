import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CelOp, CelStep } from '../../../../types/index.js';
import { KernelError } from '../../../../lib/errors.js';
import { encodeCel } from '../../../../lib/wire/encode/cel.js';
import { compilePolicy } from '../../../../lib/policy/index.js';
import { encodeHook, type EncodedHook } from '../../../../lib/wire/encode/hook.js';
import { AbiLimit, HookConfig } from '../../../../lib/wire/layout.gen.js';
import { runInstructions } from './bpf-machine.js';
import { anyNumber, anySteps, anyValues, BINARY, DIVISIONS, EDGES, evaluateSteps, step } from './cel-steps.js';
import { encodeContext } from '../../compiled-hooks.js';

const { CEL_INSTRUCTIONS } = AbiLimit;
const ALL = 2n ** 64n - 1n;
const filterStep = (from: number, ...selectors: number[]): CelStep => ({ ...step('filter', 0, from), selectors });
const remainingCandidates = (steps: readonly CelStep[], values: readonly bigint[], candidates = ALL): bigint =>
  runInstructions(encodeCel(steps, CEL_INSTRUCTIONS, 'hook'), values, candidates);

/** Register 2 has the result. Selector 0 remains if the result equals value 2, selector 1 if the result is not an error. */
const compared = [
  step('value', 3, 0, 0, 2n),
  step('eq', 3, 2, 3),
  filterStep(3, 0),
  step('eq', 2, 2, 2),
  filterStep(2, 1),
] as const;

function numberSteps(op: CelOp): CelStep[] {
  return [step('value', 0, 0, 0, 0n), step('value', 1, 0, 0, 1n), step(op, 2, 0, 1), ...compared];
}

describe('expressions as instructions', () => {
  for (const [op, expected] of Object.entries(BINARY)) {
    it(`${op} of any two numbers`, () => {
      const code = encodeCel(numberSteps(op as CelOp), CEL_INSTRUCTIONS, 'hook');
      for (const a of EDGES) {
        for (const b of EDGES) {
          const result = BigInt.asUintN(64, BigInt(expected(a, b)));
          assert.equal(runInstructions(code, [a, b, result], 3n), 3n, `${a} ${op} ${b} is ${result}`);
          assert.equal(runInstructions(code, [a, b, result ^ 1n], 3n), 2n, `${a} ${op} ${b} is nothing else`);
        }
      }
    });
  }

  for (const [op, expected] of Object.entries(DIVISIONS)) {
    it(`${op} of any two numbers, and by zero`, () => {
      const code = encodeCel(numberSteps(op as CelOp), CEL_INSTRUCTIONS, 'hook');
      for (const a of EDGES) {
        for (const b of EDGES.filter((each) => each !== 0n)) {
          const result = BigInt.asUintN(64, expected(a, b));
          assert.equal(runInstructions(code, [a, b, result], 3n), 3n, `${a} ${op} ${b} is ${result}`);
        }
        assert.equal(runInstructions(code, [a, 0n, 0n], 3n), 0n, `${a} ${op} 0`);
        assert.equal(runInstructions(code, [a, 0n, a], 3n), 0n, `${a} ${op} 0`);
      }
    });
  }

  for (const bits of [1n, 8n, 16n, 32n, 64n]) {
    it(`extends ${bits} bits`, () => {
      for (const [op, expected] of [
        ['signExtend', (width: number, value: bigint) => BigInt.asIntN(width, value)],
        ['zeroExtend', (width: number, value: bigint) => BigInt.asUintN(width, value)],
      ] as const) {
        const code = encodeCel([step('value', 0), step(op, 2, 0, 0, bits), ...compared], CEL_INSTRUCTIONS, 'hook');
        for (const a of EDGES)
          assert.equal(runInstructions(code, [a, 0n, BigInt.asUintN(64, expected(Number(bits), a))], 3n), 3n);
      }
    });
  }

  it('a constant of any size', () => {
    for (const a of [...EDGES, 0x1234_5678_9abc_def0n, 0xdead_beefn << 32n]) {
      assert.equal(remainingCandidates([step('const', 2, 0, 0, a), ...compared], [0n, 0n, a], 3n), 3n);
    }
  });

  it('a filter does not change the candidates of other selectors', () => {
    const steps = [step('value', 0), filterStep(0, 1, 40, 63)];
    for (const value of [1n, 2n, 2n ** 63n]) assert.equal(remainingCandidates(steps, [value]), ALL);
    assert.equal(remainingCandidates(steps, [0n]), ALL & ~((1n << 1n) | (1n << 40n) | (1n << 63n)));
    assert.equal(remainingCandidates(steps, [0n], 0x102n), 0x100n);
  });

  it('an error counts only if the other side does not decide', () => {
    const failing = [step('const', 0, 0, 0, 0n), step('const', 1, 0, 0, 7n), step('divS', 0, 1, 0)];
    const candidatesBesideError = (op: CelOp, other: bigint): bigint[] =>
      [step(op, 3, 0, 2), step(op, 3, 2, 0)].map((own) =>
        remainingCandidates(
          [...failing, step('value', 2), own, filterStep(3, 0), step('not', 3, 3), filterStep(3, 1)],
          [other],
          3n,
        ),
      );
    assert.deepEqual(candidatesBesideError('both', 0n), [2n, 2n], 'false');
    assert.deepEqual(candidatesBesideError('both', 5n), [0n, 0n], 'an error');
    assert.deepEqual(candidatesBesideError('either', 5n), [1n, 1n], 'true');
    assert.deepEqual(candidatesBesideError('either', 0n), [0n, 0n], 'an error');
  });

  it('a conditional is an error if its condition or its chosen side is an error', () => {
    const choiceSteps = (condition: bigint, to: bigint, b: bigint): CelStep[] => [
      step('const', 7, 0, 0, 12n),
      ...[condition, to, b].flatMap((by, own) => [step('const', own, 0, 0, by), step('div', own, 7, own)]),
      step('select', 1, 0, 2),
      filterStep(1, 0),
    ];
    assert.equal(remainingCandidates(choiceSteps(0n, 1n, 1n), [], 1n), 0n);
    assert.equal(remainingCandidates(choiceSteps(1n, 1n, 0n), [], 1n), 1n);
    assert.equal(remainingCandidates(choiceSteps(1n, 0n, 1n), [], 1n), 0n);
    assert.equal(remainingCandidates(choiceSteps(13n, 0n, 1n), [], 1n), 1n, '12 / 13 is 0: the other one');
    assert.equal(remainingCandidates(choiceSteps(13n, 1n, 0n), [], 1n), 0n);
  });

  it('any steps give the same result as their evaluation', () => {
    fc.assert(
      fc.property(anySteps, anyValues, anyNumber, (steps, values, candidates) => {
        assert.equal(remainingCandidates(steps, values, candidates), evaluateSteps(steps, values, candidates));
      }),
      { numRuns: 1000 },
    );
  }).timeout(30_000);

  it('fills its capacity exactly, and refuses more', () => {
    const repeatSteps = (count: number): CelStep[] => Array.from({ length: count }, () => step('const', 0));
    // Two instructions keep the parameters, and two return the result.
    const [own] = [encodeCel(repeatSteps(10), 24, 'hook')];
    assert.equal(own.length, 24 * 8);
    assert.equal(runInstructions(own, [], 5n), 5n);
    assert.throws(
      () => encodeCel(repeatSteps(11), 24, 'do_it'),
      (error) =>
        error instanceof KernelError && error.code === 'LIMIT_CEL' && /^do_it: .* 26 .* 24 /.test(error.message),
    );
  });

  it('refuses invalid steps', () => {
    assert.throws(() => encodeCel([step('not', 0, 1)], CEL_INSTRUCTIONS, 'hook'), /register 1/);
    assert.throws(() => encodeCel([step('const', 8)], CEL_INSTRUCTIONS, 'hook'), /register 8/);
    assert.throws(() => encodeCel([step('value', 0, 0, 0, 9n)], CEL_INSTRUCTIONS, 'hook'), /value 9/);
    assert.throws(
      () => encodeCel([step('const', 0), step('signExtend', 0, 0, 0, 0n)], CEL_INSTRUCTIONS, 'hook'),
      /0 bits/,
    );
  });
});

describe('expressions of a hook', () => {
  const context = encodeContext({ id: 8, selfTgid: 0 });

  function encodeFilters(filters: string): EncodedHook {
    const policy = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: expressions}
spec:
  kprobes:
  - call: vfs_read
    syscall: false
    return: true
    args: [{index: 1, type: int}, {index: 2, type: uint32}]
    returnArg: {index: 0, type: int}
    selectors:
    - ${filters}
`;
    const [hook] = compilePolicy(policy).hooks;
    assert.ok(hook);
    return encodeHook(hook, context);
  }
  const celFlags = ({ config }: EncodedHook): unknown[] => [
    config[HookConfig.hasCelEntry],
    config[HookConfig.hasCelReturn],
  ];
  const entry = 'matchArgs: [{operator: CelExpr, values: ["arg0 / int32(arg1) == 3", "arg1 == 0u"]}]';
  const returned = 'matchReturnArgs: [{args: [0], operator: CelExpr, values: ["arg0 < 0"]}]';

  it('without expressions, the program keeps its own bodies', () => {
    const hook = encodeFilters('matchArgs: [{index: 1, operator: Equal, values: ["3"]}]');
    assert.deepEqual([hook.code, ...celFlags(hook)], [[], 0, 0]);
  });

  it('at the entry', () => {
    const hook = encodeFilters(entry);
    assert.deepEqual([hook.code.map(({ mark }) => mark), ...celFlags(hook)], [[AbiLimit.CEL_ENTRY_MARK], 1, 0]);
    const [code] = hook.code;
    assert.ok(code);
    const isMatch = (...values: bigint[]): bigint => runInstructions(code.instructions, values, 1n);
    assert.deepEqual(
      [isMatch(7n, 2n), isMatch(8n, 2n), isMatch(7n, 0n), isMatch(BigInt.asUintN(64, -7n), 2n)],
      [1n, 0n, 1n, 0n],
    );
  });

  it('at the return', () => {
    const hook = encodeFilters(returned);
    assert.deepEqual([hook.code.map(({ mark }) => mark), ...celFlags(hook)], [[AbiLimit.CEL_RETURN_MARK], 0, 1]);
    const [code] = hook.code;
    assert.ok(code);
    const isMatch = (value: bigint): bigint =>
      runInstructions(code.instructions, [1n, 1n, BigInt.asUintN(64, value)], 1n);
    assert.deepEqual([isMatch(-1n), isMatch(0n), isMatch(5n)], [1n, 0n, 0n]);
  });

  it('at both', () => {
    const hook = encodeFilters(`${entry}\n      ${returned}`);
    const marks = [AbiLimit.CEL_ENTRY_MARK, AbiLimit.CEL_RETURN_MARK];
    assert.deepEqual([hook.code.map(({ mark }) => mark), ...celFlags(hook)], [marks, 1, 1]);
    for (const { instructions } of hook.code) assert.equal(instructions.length, 8 * CEL_INSTRUCTIONS);
  });
});
