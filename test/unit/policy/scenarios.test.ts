/** Files with tests of policies: how they are parsed, and every mistake with its position. */
import assert from 'node:assert/strict';
import { parsePolicyTest, PolicyError } from '../../../lib/index.js';

const policyTestYaml = (...scenarios: readonly string[]): string => `apiVersion: polytrace/v1
kind: PolicyTest
policies: [policy.yaml]
scenarios:
${scenarios.map((each) => `  - ${each}\n`).join('')}`;

/** Lists the line, column, code and message of each mistake. */
function listMistakes(yaml: string): string[] {
  try {
    parsePolicyTest(yaml, { file: 't.yaml' });
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.diagnostics.map(({ code, line, column, message }) => `${line}:${column} ${code} ${message}`);
  }
  return [];
}

describe('a file that tests policies', () => {
  it('has its commands, defaults and positions', () => {
    const yaml = `${policyTestYaml('{ name: one, run: "true", never: [{}] }').trimEnd()}\nbefore: "true"\nafter: rm x\n`;
    assert.deepEqual(parsePolicyTest(yaml, { file: 't.yaml' }), {
      file: 't.yaml',
      policies: ['policy.yaml'],
      before: 'true',
      after: 'rm x',
      scenarios: [
        {
          name: 'one',
          run: 'true',
          timeout: 60,
          expect: [],
          never: [{ position: { line: 5, column: 39 } }],
          metrics: [],
          exact: false,
          position: { line: 5, column: 5 },
        },
      ],
    });
  });

  it('has every field of a scenario', () => {
    const pattern = '{ count: 2, selector: 1, messageMatches: "^a" }';
    const [live, recorded] = parsePolicyTest(
      policyTestYaml(
        `{ name: live, run: x, status: 3, timeout: 5, exact: true, expect: [${pattern}] }`,
        '{ name: recorded, recording: calls.jsonl, expect: [{ path: /etc/shadow }] }',
      ),
    ).scenarios;
    assert.deepEqual([live?.status, live?.timeout, live?.exact], [3, 5, true]);
    const { position, ...rest } = live?.expect[0] ?? {};
    assert.deepEqual([rest, position?.line], [{ count: 2, selector: 1, messageMatches: '^a' }, 5]);
    assert.deepEqual([recorded?.recording, recorded?.run], ['calls.jsonl', undefined]);
  });

  it('expects numbers, with the position of each name', () => {
    const metrics =
      '[{ metric: bytes, policy: p, labels: { binary: /bin/dd, arg0.port: 9 }, calls: 2, sum: 18446744073709551615 }, { metric: few, other: true, calls: 0 }]';
    const [scenario] = parsePolicyTest(policyTestYaml(`{ name: a, run: x, metrics: ${metrics} }`)).scenarios;
    assert.deepEqual(scenario?.metrics, [
      {
        metric: 'bytes',
        policy: 'p',
        labels: [
          { name: 'binary', text: '/bin/dd', position: { line: 5, column: 72 } },
          { name: 'arg0.port', text: '9', position: { line: 5, column: 89 } },
        ],
        other: false,
        calls: 2n,
        sum: 2n ** 64n - 1n,
        position: { line: 5, column: 44 },
      },
      { metric: 'few', labels: [], other: true, calls: 0n, position: { line: 5, column: 154 } },
    ]);
  });

  for (const [scenario, expected] of [
    ['{ name: a, never: [{}] }', '5:5 SCENARIO_UNCLEAR the scenario "a" does nothing'],
    [
      '{ name: a, run: x, recording: y, never: [{}] }',
      '5:5 SCENARIO_UNCLEAR the scenario "a" has both `run` and `recording`',
    ],
    ['{ name: a, run: x }', '5:5 SCENARIO_UNCLEAR the scenario "a" asks nothing'],
    [
      '{ name: a, recording: x, status: 1, exact: true }',
      '5:5 SCENARIO_UNCLEAR the scenario "a" has a `status`, but no commands',
    ],
    ['{ name: a, run: x, metrics: [{ metric: m }] }', '5:44 SCENARIO_UNCLEAR "m" expects nothing'],
    [
      '{ name: a, run: x, metrics: [{ metric: m, other: true, labels: { uid: "0" }, calls: 1 }] }',
      '5:54 SCENARIO_UNCLEAR "m" has `labels` and `other`',
    ],
    ['{ name: a, run: x, metrics: [{ metric: m, calls: -1 }] }', '5:54 NUMBER_OUT_OF_RANGE'],
    ['{ name: a, run: x, expect: [{ pathMatches: "(" }] }', '5:48 SCENARIO_PATTERN'],
    ['{ name: a, run: x, never: [{ binaryMatches: "[" }] }', '5:49 SCENARIO_PATTERN'],
  ] as const) {
    it(`is refused with ${scenario}`, () => {
      const [mistake = '', ...others] = listMistakes(policyTestYaml(scenario));
      assert.deepEqual(others, []);
      assert.ok(mistake.startsWith(expected), mistake);
    });
  }

  it('is refused with two scenarios of one name, an unknown field, or nothing', () => {
    const one = '{ name: a, run: x, exact: true }';
    assert.match(listMistakes(policyTestYaml(one, one)).join(), /^6:13 SCENARIO_UNCLEAR two scenarios are called "a"$/);
    assert.match(listMistakes(policyTestYaml('{ name: a, runs: x, exact: true }')).join(), /^5:16 \w+ .*runs/);
    assert.equal(listMistakes('').length, 1);
    assert.equal(listMistakes('kind: [').length, 1);
  });
});
