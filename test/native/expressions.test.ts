/** Expressions as instructions: the verifier accepts them and processes them once, and their results are correct. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { CelStep } from '../../types/index.js';
import { anyNumber, anySteps, anyValues, BINARY, DIVISIONS, EDGES, evaluateSteps, step, VALUES } from '../unit/wire/encode/cel-steps.js';
import { needsRoot } from './support.js';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const { encodeCel } = require('../../dist/wire/encode/cel.js') as {
  encodeCel: (steps: readonly CelStep[], room: number, hook: string) => Uint8Array;
};

const CAPACITY = 512;
const ALL = 2n ** 64n - 1n;

interface Case {
  readonly steps: readonly CelStep[];
  /** Each run has nine values and the candidates. */
  readonly runs: readonly (readonly bigint[])[];
}

interface ExpressionResult {
  readonly verified: bigint;
  readonly left: readonly bigint[];
}

describe('expressions in the kernel', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-expressions-'));
  const program = join(folder, 'expressions');
  before(needsRoot);
  before(() => execFileSync('cc', ['-O1', '-Wall', '-o', program, join(__dirname, 'programs', 'expressions.c')]));
  after(() => rmSync(folder, { recursive: true, force: true }));

  function runExpressions(cases: readonly Case[]): ExpressionResult[] {
    const input = cases.map(({ steps, runs }) => {
      const code = encodeCel(steps, CAPACITY, 'hook');
      const counts = Uint32Array.from([code.length / 8, runs.length]);
      return Buffer.concat([new Uint8Array(counts.buffer), code, new Uint8Array(BigUint64Array.from(runs.flat()).buffer)]);
    });
    const output = execFileSync(program, { input: Buffer.concat(input), maxBuffer: 64 << 20 });
    const numbers = Array.from({ length: output.length / 8 }, (_, i) => output.readBigUInt64LE(8 * i));
    return cases.map(({ runs }) => {
      const [verified = 0n, ...left] = numbers.splice(0, 1 + runs.length);
      return { verified, left };
    });
  }

  function check(cases: readonly Case[]): void {
    const given = runExpressions(cases);
    for (const [i, { steps, runs }] of cases.entries()) {
      const expected = runs.map((run) => evaluateSteps(steps, run.slice(0, VALUES), run[VALUES] as bigint));
      assert.deepEqual(given[i]?.left, expected, JSON.stringify(steps, (_, value) => String(value)));
      // Each instruction is verified once, and some twice, where two branches meet. Paths that multiply exceed the limit.
      assert.ok((given[i]?.verified ?? 0n) <= CAPACITY + CAPACITY / 4, `${given[i]?.verified} instructions verified`);
    }
  }

  it('every operation on numbers at the edges', () => {
    const pairs = EDGES.flatMap((a) => EDGES.map((b) => [a, b] as const));
    const operations = [...Object.keys(BINARY), ...Object.keys(DIVISIONS)] as CelStep['op'][];
    check(
      operations.map((op) => ({
        // Compares the result with value 2, which is correct for a part of the runs.
        steps: [
          step('value', 0, 0, 0, 0n),
          step('value', 1, 0, 0, 1n),
          step('value', 2, 0, 0, 2n),
          step(op, 3, 0, 1),
          step('eq', 4, 3, 2),
          { ...step('filter', 0, 4), selectors: [0] },
          step('not', 4, 4),
          { ...step('filter', 0, 4), selectors: [1, 63] },
        ],
        runs: pairs.map(([a, b]) => {
          const known = BINARY[op as keyof typeof BINARY] ?? DIVISIONS[op as keyof typeof DIVISIONS];
          const right = op in DIVISIONS && b === 0n ? 0n : BigInt.asUintN(64, BigInt(known(a, b)));
          return [a, b, right, 0n, 0n, 0n, 0n, 0n, 0n, ALL];
        }),
      })),
    );
  });

  it('any steps', () => {
    const cases = fc.record({
      steps: anySteps,
      runs: fc.array(fc.tuple(anyValues, anyNumber), { minLength: 4, maxLength: 4 }),
    });
    const sample = fc.sample(cases, 400);
    check(sample.map(({ steps, runs }) => ({ steps, runs: runs.map(([values, candidates]) => [...values, candidates]) })));
  });

  it('the largest number of comparisons is verified once', () => {
    const comparisons = Array.from({ length: 24 }, (_, i) => [
      step('value', 1, 0, 0, BigInt(i % VALUES)),
      step('ltS', 1, 1, 2),
      step('either', 0, 0, 1),
    ]);
    const steps = [
      step('const', 0),
      step('const', 2, 0, 0, 0x1_0000_0000n),
      ...comparisons.flat(),
      { ...step('filter', 0, 0), selectors: [0] },
    ];
    const none = Array.from({ length: VALUES }, () => 2n ** 40n);
    check([{ steps, runs: [[...none, 1n], [...none.with(4, 5n), 1n], [...none.with(8, ALL), 3n]] }]);
  });
});
