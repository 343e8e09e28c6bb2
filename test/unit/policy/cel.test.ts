/** Expressions: their values, computed from their steps, and the positions of mistakes. */
import assert from 'node:assert/strict';
import { runInThisContext } from 'node:vm';
import fc from 'fast-check';
import { CelError, compileExpression, type CelScope } from '../../../lib/policy/cel/cel.js';
import { compute } from '../../../lib/policy/cel/arithmetic.js';
import { generateSteps } from '../../../lib/policy/cel/generate.js';
import type { CelStep, CompiledHook } from '../../../lib/compiled/compiled-policy.js';
import { validatePolicy } from '../../../lib/policy/index.js';
import { checkMarked, compileHook, kprobeYaml, policyYaml } from './marked-policies.js';

const SCOPE: CelScope = new Map([
  ['i', { slot: 0, type: 'int', atReturn: false }],
  ['j', { slot: 1, type: 'int', atReturn: false }],
  ['u', { slot: 2, type: 'uint', atReturn: false }],
  ['n', { slot: 3, type: 'int32', atReturn: false }],
  ['name', { refused: 'of type string, which is no number' }],
]);

/** Returns register 0 after the steps, or undefined for an error. `both`, `either` and `select` can stop an error. */
function runSteps(steps: readonly CelStep[], values: readonly bigint[]): bigint | undefined {
  const registers: (bigint | undefined)[] = Array.from({ length: 8 }, () => undefined);
  for (const { op, to, a, b, imm } of steps) {
    assert.ok(Math.max(to, a, b) < 8);
    const [x, y] = [registers[a], registers[b]];
    if (op === 'const') registers[to] = imm;
    else if (op === 'value') registers[to] = BigInt.asUintN(64, values[Number(imm)] ?? 0n);
    else if (op === 'select') registers[to] = x === undefined ? undefined : x !== 0n ? registers[to] : y;
    else if (op === 'both')
      registers[to] = x === 0n || y === 0n ? 0n : x === undefined || y === undefined ? undefined : 1n;
    else if (op === 'either')
      registers[to] = (x ?? 0n) !== 0n || (y ?? 0n) !== 0n ? 1n : x === undefined || y === undefined ? undefined : 0n;
    else
      registers[to] =
        x === undefined || (y === undefined && !ONE_OPERAND.has(op)) ? undefined : compute(op, x, y ?? 0n, imm);
  }
  return registers[0];
}

const ONE_OPERAND = new Set(['not', 'invert', 'negate', 'signExtend', 'zeroExtend']);

function evaluate(text: string, i = 0n, j = 0n, u = 0n): boolean | undefined {
  const steps = generateSteps(compileExpression(text, SCOPE));
  assert.ok(steps);
  const result = runSteps(steps, [i, j, u]);
  return result === undefined ? undefined : result !== 0n;
}

const I = -7n;
const J = 3n;
const U = 0xffff_ffff_ffff_fff0n;

/** Expressions and their values, with i = -7, j = 3, u = 2 ** 64 - 16. */
const truths: readonly (readonly [string, boolean | undefined])[] = [
  ['i == -7', true],
  ['i != -7', false],
  ['i < j && j <= 3 && j >= 3 && 4 > j', true],
  ['i + j * 2 == -1', true],
  ['(i + j) * 2 == -8', true],
  ['i - j - 1 == -11', true],
  ['i / 2 == -3 && i % 2 == -1', true],
  ['u / 16u == 1152921504606846975u', true],
  ['u % 7u == 1u', false],
  ['u > 5', true],
  ['u < 5u', false],
  ['int(u) == -16', true],
  ['int(u) < 0 && uint(i) > 0', true],
  ['u8(u) == 0xf0', true],
  ['s8(u) == -16', true],
  ['s16(0xffff) == -1 && u16(-1) == 0xffff && s32(0x80000000) < 0', true],
  ['u32(u) == 0xfffffff0 && s64(u) == -16 && u64(i) == uint(-7)', true],
  ['uint(1) == 1u && u64(1) == 1', true],
  ['int(i < 0) == 1', true],
  ['j & 1 == 1', true],
  ['j | 4 == 7 && j ^ 1 == 2 && ~j == -4', true],
  ['j << 2 == 12 && j >> 1 == 1 && i >> 1 == -4', true],
  ['u >> 60 == 15', true],
  ['j << 64 == 0 && i >> 64 == -1 && u >> 99 == 0', true],
  ['bitand(j, 1) == 1 && bitor(j, 4) == 7 && bitxor(j, 1) == 2 && bitnot(j) == -4', true],
  ['shl(1, j) == 8 && shr(i, 1) == -4', true],
  ['j + 1 << 2 == 7', true],
  ['1 | 2 * 2 == 5', true],
  ['!(i == j) || false', true],
  ['!true', false],
  ['!!true', true],
  ['-(-j) == 3', true],
  ['i < 0 ? j == 3 : j == 4', true],
  ['(i > 0 ? 1 : 2) == 2', true],
  ['(true ? i : j) == -7', true],
  ['(i > 0 ? j > 0 ? 1 : 2 : j > 5 ? 3 : 4) == 4', true],
  ['j in [1, 2, 3]', true],
  ['j in [1, 2]', false],
  ['i in [-7]', true],
  ['u in [1, 0xfffffffffffffff0]', true],
  ['(j == 3) == true', true],
  ['(j == 3) != (i == -7)', false],
  ['9223372036854775807 + 1 == -9223372036854775808', true],
  ['i * 0 == 0 || i / 0 == 1', true],
  ['1 / 0 == 1', undefined],
  ['j / (j - 3) == 1', undefined],
  ['u % (u - u) == 0', undefined],
  ['j / 0 == 1 || true', true],
  ['false && j / 0 == 1', false],
  ['true && j / 0 == 1', undefined],
  ['j == 3 ? true : j / 0 == 1', true],
  ['0xFF == 255 && 0x0 == 0 && 10U == 10u', true],
  ['true', true],
  ['1 + 2 == 3', true],
  ['and(j, 1) == 1 && or(j, 4) == 7 && xor(j, 1) == 2 && not(j) == -4', true],
  ['int32(u) == -16 && uint32(u) == 0xfffffff0', true],
  ['int32(2147483647) + int32(1) < 0', true],
  ['int32(5) == 5 && uint32(5u) == 5u && uint32(5u) == 5', true],
  ['uint8(200) + uint8(100) == 44', true],
  ['not(uint16(1)) == 0xfffe && not(int16(1)) == -2', true],
  ['-int8(-128) == -128', true],
  ['int8(-128) / int8(-1) == -128', true],
  ['uint32(1) << 32 == 0 && uint32(1) << 31 == 0x80000000', true],
  ['int(int32(0x80000000)) == -2147483648', true],
  ['int32(j) in [1, 3]', true],
];

describe('policy: expressions', () => {
  for (const [text, expected] of truths) {
    it(text, () => assert.equal(evaluate(text, I, J, U), expected));
  }

  it('computes constants in advance', () => {
    const steps = generateSteps(compileExpression('i == (1 << 4) * 2 - -3', SCOPE));
    assert.deepEqual(steps?.map(({ op, imm }) => [op, imm]).slice(1), [
      ['const', 35n],
      ['eq', 0n],
    ]);
  });

  it('gives the same result as BigInt', () => {
    const leaf = fc.constantFrom('i', 'j', '1', '7', '(-3)', '64');
    const { whole } = fc.letrec<{ whole: string }>((tie) => ({
      whole: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        fc
          .tuple(tie('whole'), fc.constantFrom('+', '-', '*', '&', '|', '^'), tie('whole'))
          .map(([a, op, b]) => `(${a} ${op} ${b})`),
        tie('whole').map((a) => `(-${a})`),
        tie('whole').map((a) => `(~${a})`),
      ),
    }));
    const value = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(whole, value, value, (text, i, j) => {
        const compute = runInThisContext(`(i, j) => ${text.replace(/\d+/g, '$&n')}`) as (...values: bigint[]) => bigint;
        const plain = compute(i, j);
        const steps = generateSteps(compileExpression(`${text} == 0`, SCOPE));
        if (steps === undefined) return;
        assert.equal(runSteps(steps, [i, j]) === 1n, BigInt.asIntN(64, plain) === 0n);
        const wanted = BigInt.asIntN(64, plain);
        if (wanted > -(2n ** 63n)) assert.equal(evaluate(`${text} == ${wanted}`, i, j), true);
      }),
      { numRuns: 500 },
    );
  });

  const mistakes: readonly (readonly [string, string, string])[] = [
    ['', 'CEL_SYNTAX', ''],
    ['i ==', 'CEL_SYNTAX', ''],
    ['i = 1', 'CEL_SYNTAX', '='],
    ['i == 1 1', 'CEL_SYNTAX', '1'],
    ['(i == 1', 'CEL_SYNTAX', ''],
    ['i == 1)', 'CEL_SYNTAX', ')'],
    ['i == 1.5', 'CEL_SYNTAX', '1'],
    ['i == 010', 'CEL_SYNTAX', '010'],
    ['u == 0x10000000000000000', 'CEL_SYNTAX', '0x10000000000000000'],
    ['name == "x"', 'CEL_SYNTAX', '"'],
    ['i.size() > 1', 'CEL_SYNTAX', '.'],
    ['i in 1', 'CEL_SYNTAX', '1'],
    ['i == 1 ? true', 'CEL_SYNTAX', ''],
    ['i == 1 @', 'CEL_SYNTAX', '@'],
    ['k == 1', 'CEL_NAME_UNKNOWN', 'k'],
    ['i == 1 && arg7 == 2', 'CEL_NAME_UNKNOWN', 'arg7'],
    ['size(i) == 1', 'CEL_NAME_UNKNOWN', 'size'],
    ['constructor(i, i) == 1', 'CEL_NAME_UNKNOWN', 'constructor'],
    ['__proto__(i) == 1', 'CEL_NAME_UNKNOWN', '__proto__'],
    ['i', 'CEL_TYPES', 'i'],
    ['1 + 1', 'CEL_TYPES', '1 + 1'],
    ['i == u', 'CEL_TYPES', 'i == u'],
    ['i == n', 'CEL_TYPES', 'i == n'],
    ['n + i > 1', 'CEL_TYPES', 'n + i'],
    ['n == uint32(1)', 'CEL_TYPES', 'n == uint32(1)'],
    ['n == int(1)', 'CEL_TYPES', 'n == int(1)'],
    ['n == 4294967295', 'CEL_TYPES', 'n == 4294967295'],
    ['n in [1, i]', 'CEL_TYPES', 'i'],
    ['and(n, i) == 1', 'CEL_TYPES', 'and(n, i)'],
    ['not(true) == 1', 'CEL_TYPES', 'true'],
    ['int32() == 1', 'CEL_TYPES', 'int32()'],
    ['u == -1', 'CEL_TYPES', 'u == -1'],
    ['i == 1u', 'CEL_TYPES', 'i == 1u'],
    ['i == 18446744073709551615', 'CEL_TYPES', 'i == 18446744073709551615'],
    ['u + i > 1', 'CEL_TYPES', 'u + i'],
    ['i && true', 'CEL_TYPES', 'i'],
    ['true || i', 'CEL_TYPES', 'i'],
    ['!i == 1', 'CEL_TYPES', '!i'],
    ['-u == 1', 'CEL_TYPES', '-u'],
    ['~true == 1', 'CEL_TYPES', 'true'],
    ['true + 1 == 2', 'CEL_TYPES', 'true'],
    ['i == true', 'CEL_TYPES', 'i == true'],
    ['true < false', 'CEL_TYPES', 'true'],
    ['i in []', 'CEL_TYPES', 'i in []'],
    ['i in [1, u]', 'CEL_TYPES', 'u'],
    ['(i ? 1 : 2) == 1', 'CEL_TYPES', 'i'],
    ['(true ? i : u) == 1', 'CEL_TYPES', '(true ? i : u)'],
    ['int(1, 2) == 1', 'CEL_TYPES', 'int(1, 2)'],
    ['shl(1) == 1', 'CEL_TYPES', 'shl(1)'],
    ['name == 1', 'CEL_TYPES', 'name'],
    [`${'('.repeat(80)}true${')'.repeat(80)}`, 'LIMIT_CEL', '('],
    [`${'!'.repeat(80)}true`, 'LIMIT_CEL', '!'],
    [`true${' '.repeat(5000)}`, 'LIMIT_CEL', `true${' '.repeat(5000)}`],
  ];
  for (const [text, code, position] of mistakes) {
    it(`refuses ${text.slice(0, 30)}`, () => {
      assert.throws(
        () => compileExpression(text, SCOPE),
        (error) => {
          assert.ok(error instanceof CelError);
          assert.deepEqual([error.code, text.slice(error.start, error.end)], [code, position], error.message);
          return error.hint !== '';
        },
      );
    });
  }

  it('needs at most eight registers for expressions that are not too long', () => {
    const chain = Array.from({ length: 9 }, (_, i) => `i == ${i} ? j == ${i} : `).join('');
    assert.ok(generateSteps(compileExpression(`${chain}false`, SCOPE)));
    const nestedSum = (depth: number): string =>
      depth === 0 ? 'i' : `(${nestedSum(depth - 1)}+${nestedSum(depth - 1)})`;
    assert.ok(generateSteps(compileExpression(`${nestedSum(3)} == 0`, SCOPE)));
    assert.equal(generateSteps(compileExpression(`${nestedSum(8)}==0`, SCOPE)), undefined);
  });
});

describe('policy: expressions of a hook', () => {
  const compileArgFilters = (filters: string, more = ''): CompiledHook => {
    const yaml = kprobeYaml(
      `call: f\nsyscall: false\nreturn: true\nargs: [{index: 1, type: int, label: flags}, {index: 3, type: uint32}, {index: 0, type: string, label: path}, {index: 2, type: int, label: late, returnCopy: true}, {index: 4, type: kernel_cap_t}, {index: 5, type: cap_effective}]\ndata: [{index: 0, type: uint8, source: current_task, resolve: pid, label: pid}]\nreturnArg: {index: 0, type: int, label: result}\nselectors:\n- matchArgs: [${filters}]\n${more}`,
    );
    return compileHook(yaml);
  };
  const listSlots = (steps: readonly CelStep[]): number[] =>
    steps.filter(({ op }) => op === 'value').map(({ imm }) => Number(imm));
  const listFilters = (steps: readonly CelStep[]): unknown[] =>
    steps.filter(({ op }) => op === 'filter').map(({ a, selectors }) => [a, selectors]);

  for (const selection of ['', 'index: 3, ', 'index: 9, ', 'args: [1, 0], ', 'args: [7], ']) {
    it(`names values by their position in args and by label, with ${selection || 'nothing else'}`, () => {
      const { cel } = compileArgFilters(
        `{${selection}operator: CelExpr, values: ["arg1 == uint32(pid) && arg0 == 2 && flags == 3"]}`,
      );
      assert.deepEqual([listSlots(cel.entry), cel.returned], [[1, 6, 0, 0], []]);
    });
  }

  it('allows an expression of constants', () => {
    const { cel } = compileArgFilters('{operator: CelExpr, values: ["int32(3) + int32(4) == int32(7)"]}');
    assert.deepEqual([cel.entry.map(({ op, imm }) => [op, imm])], [[['const', 1n], ['filter', 0n]]]); // prettier-ignore
  });

  it('in matchData, the positions are those of data', () => {
    const { cel } = compileArgFilters(
      '{operator: CelExpr, values: ["arg0 == 1"]}',
      '  matchData: [{operator: CelExpr, values: ["arg0 == uint8(1)"]}]',
    );
    assert.deepEqual(listSlots(cel.entry), [0, 6]);
  });

  it('matchCEL is an expression on args and data, together with the other filters of the selector', () => {
    const { cel, args } = compileArgFilters(
      '{args: [0], operator: Equal, values: ["7"]}',
      '  matchCEL: {expr: "arg1 == uint32(data0) && flags < 9"}',
    );
    assert.deepEqual([listSlots(cel.entry), cel.returned, listFilters(cel.entry)], [[1, 6, 0], [], [[0, [0]]]]);
    assert.equal(args[0]?.ints.length, 1);
  });

  it('matchCEL with the return value by its label is evaluated at return, and one of a macro is added', () => {
    const yaml = policyYaml(
      'selectorsMacros: {m: {matchCEL: {expr: "arg0 == int32(2)"}}}\nkprobes: [{call: f, syscall: false, return: true, args: [{index: 0, type: int}], returnArg: {index: 0, type: int, label: result}, selectors: [{macros: [m], matchCEL: {expr: "result == arg0"}}]}]',
    );
    const { cel } = compileHook(yaml);
    assert.deepEqual([listSlots(cel.entry), listSlots(cel.returned)], [[0], [1, 0]]);
  });

  it('reports mistakes in matchCEL at their position', () => {
    const policyWith = (field: string): string =>
      kprobeYaml(
        `${args}\ndata: [{index: 0, type: uint8, source: current_task, resolve: pid}]\nselectors:\n- ${field}`,
      );
    checkMarked(policyWith('matchCEL: {expr: "arg0 == 1 && ⟦CEL_NAME_UNKNOWN⟧data1 == 2"}'));
    checkMarked(policyWith('matchCEL:\n    expr: arg0 == 1 && ⟦CEL_TYPES⟧data0 == arg0'));
    checkMarked(policyWith('matchCEL: ⟦MISSING_FIELD⟧{}'));
    checkMarked(policyWith('⟦KEY_CASE⟧MatchCel: {expr: "data0 == uint8(1)"}'));
  });

  it('warns about CelExpr where matchCEL can say the same, and says how', () => {
    const findHints = (list: string, ...values: readonly string[]): string[] => {
      const filter = `{index: 0, operator: CelExpr, values: ${JSON.stringify(values)}}`;
      const yaml = kprobeYaml(
        `call: f\nsyscall: false\nreturn: true\nargs: [{index: 0, type: int}]\ndata: [{index: 0, type: int, source: current_task, resolve: pid}]\nreturnArg: {index: 0, type: int}\nselectors:\n- ${list}: [${filter}]`,
      );
      return validatePolicy(yaml).map(({ code, hint }) => `${code}: ${hint}`);
    };
    assert.deepEqual(findHints('matchArgs', 'arg0 == 1'), [
      'OPERATOR_DEPRECATED: write `matchCEL: {expr: "arg0 == 1"}` in place of this filter',
    ]);
    assert.deepEqual(findHints('matchArgs', 'arg0 == 1', 'arg0 == 3'), [
      'OPERATOR_DEPRECATED: write `matchCEL: {expr: "(arg0 == 1) || (arg0 == 3)"}` in place of this filter',
    ]);
    assert.deepEqual(findHints('matchData', 'arg0 == 1'), [
      'OPERATOR_DEPRECATED: write `matchCEL` with the names data0, data1, …',
    ]);
    assert.deepEqual(findHints('matchReturnArgs', 'arg0 == 1'), []);
  });

  it('warns about a selection in the filter that has no effect', () => {
    const policyWithFilter = (filter: string): string =>
      kprobeYaml(
        `call: f\nsyscall: false\nargs: [{index: 4, type: int}, {index: 2, type: int}]\nselectors:\n- matchArgs: [{${filter}, operator: ⟦OPERATOR_DEPRECATED⟧CelExpr, values: ["arg1 > 2"]}]`,
      );
    for (const filter of ['index: 2', 'args: [1]', 'args: [0, 1]']) checkMarked(policyWithFilter(filter));
    for (const filter of ['index: 4', 'args: [0]', 'index: 7'])
      checkMarked(policyWithFilter(`⟦EXPRESSION_PLACE_UNUSED⟧${filter}`));
  });

  it('is evaluated at return if it needs the return value', () => {
    const { cel } = compileArgFilters(
      '{args: [0], operator: CelExpr, values: ["late == 1"]}, {args: [0], operator: CelExpr, values: ["flags == 1"]}',
      '  matchReturnArgs: [{index: 0, operator: CelExpr, values: ["arg0 < 0 && result == -flags"]}]',
    );
    assert.deepEqual([listSlots(cel.entry), listSlots(cel.returned)], [[0], [3, 7, 7, 0]]);
  });

  it('combines values, and compiles the same expression of two selectors once', () => {
    const { cel } = compileArgFilters(
      '{args: [0], operator: CelExpr, values: ["flags == 1", "flags == 3"]}',
      '- matchArgs: [{args: [0], operator: CelExpr, values: ["arg0 == 1", "arg0 == 3"]}]\n- matchArgs: [{args: [0], operator: CelExpr, values: ["arg0 == 2"]}]',
    );
    assert.deepEqual(listFilters(cel.entry), [
      [0, [0, 1]],
      [0, [2]],
    ]);
    assert.equal(cel.entry.filter(({ op }) => op === 'either').length, 1);
  });

  it('finds added capabilities', () => {
    const hasGained = (values: string, before: bigint, after: bigint): boolean => {
      const { entry } = compileArgFilters(`{args: [4, 5], operator: CapabilitiesGained${values}}`).cel;
      assert.deepEqual(listFilters(entry), [[0, [0]]]);
      return runSteps(entry.slice(0, -1), [0n, 0n, 0n, 0n, before, after]) !== 0n;
    };
    assert.equal(hasGained('', 0b011n, 0b101n), true);
    assert.equal(hasGained('', 0b111n, 0b101n), false);
    assert.equal(hasGained(', values: [CAP_DAC_READ_SEARCH]', 0b011n, 0b101n), true);
    assert.equal(hasGained(', values: [CAP_CHOWN, CAP_KILL]', 0b011n, 0b101n), false);
  });

  it('refuses too many expressions, and one that needs too many registers', () => {
    const policyWithFilter = (values: string): string =>
      kprobeYaml(
        `${args}\n⟦LIMIT_CEL⟧selectors:\n- matchArgs: [{args: [0], operator: ⟦OPERATOR_DEPRECATED⟧CelExpr, values: [${values}]}]`,
      );
    checkMarked(policyWithFilter(Array.from({ length: 49 }, (_, i) => `arg0 == ${i}`).join(', ')));
    const nestedSum = (depth: number): string =>
      depth === 0 ? 'i' : `(${nestedSum(depth - 1)}+${nestedSum(depth - 1)})`;
    checkMarked(
      kprobeYaml(
        `call: f\nargs: [{index: 0, type: int, label: i}]\nselectors:\n- matchArgs: [{args: [0], operator: ⟦OPERATOR_DEPRECATED⟧CelExpr, values: ⟦LIMIT_CEL⟧["${nestedSum(8)}==0"]}]`,
      ),
    );
  });

  const args = 'call: f\nsyscall: false\nargs: [{index: 0, type: int}, {index: 1, type: string, label: path}]';
  const marked: readonly (readonly [string, string])[] = [
    ['in quotes', '["arg0 == 1", "arg0 > ⟦CEL_NAME_UNKNOWN⟧arg2 "]'],
    ['in single quotes', "['arg0 > 0 && ⟦CEL_TYPES⟧path == 1']"],
    ['plain', '[arg0 > 1 && ⟦CEL_NAME_UNKNOWN⟧nothing]'],
    ['over lines', '\n    - |\n      arg0 > 1 &&\n      arg0 < ⟦CEL_SYNTAX⟧"x"\n'],
    ['folded', '\n    - >-\n      arg0 > 1 &&\n\n      ⟦CEL_NAME_UNKNOWN⟧arg2 < 3'],
    ['with escapes', '["arg0 \\x3e 1 && ⟦CEL_NAME_UNKNOWN⟧arg3 < 3"]'],
    ['too many steps', `["arg0 in [${Array.from({ length: 20 }, (_, i) => i).join(', ')}]"]`],
  ];
  for (const [name, values] of marked) {
    it(`reports the position of a mistake ${name}`, () => {
      const text = kprobeYaml(
        `${args}\nselectors:\n- matchArgs:\n  - operator: ⟦OPERATOR_DEPRECATED⟧CelExpr\n    values: ${values}`,
      );
      checkMarked(
        name === 'too many steps'
          ? text.replace('selectors:', '⟦LIMIT_CEL⟧selectors:')
          : name === 'with escapes'
            ? text.replace('⟦CEL_NAME_UNKNOWN⟧', '').replace('["arg0', '[⟦CEL_NAME_UNKNOWN⟧"arg0')
            : text,
      );
    });
  }
});
