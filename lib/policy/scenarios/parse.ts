/** Reads a file that tests policies: its text to plain data with places. Mistakes are diagnostics, as those of policies. */
import type { PolicyTest, Scenario, EventPattern } from '../../../types/policy-test.js';
import type { ParseOptions } from '../../../types/policy.js';
import { PolicyError } from '../../errors.js';
import { runToCompletion } from '../../cooperative.js';
import { patternOf } from '../model/lists.js';
import { quote, type Report } from '../parse/report.js';
import { walk } from '../parse/walk.js';
import { parseYaml } from '../parse/yaml.js';
import { testShape } from './language.js';

interface PatternData {
  readonly count?: bigint;
  readonly selector?: bigint;
  readonly [field: string]: unknown;
}

interface ScenarioData extends Omit<Scenario, 'expect' | 'never' | 'status' | 'timeout' | 'exact' | 'position'> {
  readonly status?: bigint;
  readonly timeout?: bigint;
  readonly exact?: boolean;
  readonly expect?: readonly PatternData[];
  readonly never?: readonly PatternData[];
}

interface TestData extends Omit<PolicyTest, 'scenarios' | 'file'> {
  readonly scenarios: readonly ScenarioData[];
}

export function parsePolicyTest(yaml: string, { file = '<test>' }: ParseOptions = {}): PolicyTest {
  const { report, document } = runToCompletion(parseYaml(yaml, file, 'test'));
  const data = document?.contents ? (walk(document.contents, testShape, report, 'the test') as TestData) : undefined;
  if (data === undefined || report.hasErrors) throw new PolicyError(report.diagnostics());
  const scenarios = data.scenarios.map((scenario) => scenarioOf(scenario, report));
  reportRepeated(data, report);
  if (report.hasErrors) throw new PolicyError(report.diagnostics());
  const { policies, before, after } = data;
  return {
    file,
    policies,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    scenarios,
  };
}

function scenarioOf(data: ScenarioData, report: Report): Scenario {
  const { name, run, recording, status, timeout = 60n, expect = [], never = [], exact = false } = data;
  const unclear = (message: string, hint: string): void =>
    report.add('SCENARIO_UNCLEAR', report.places.value(data), `the scenario ${quote(name)} ${message}`, hint);
  if ((run === undefined) === (recording === undefined)) {
    unclear(
      run === undefined ? 'does nothing' : 'has both `run` and `recording`',
      'give it either `run` or `recording`',
    );
  }
  if (expect.length === 0 && never.length === 0 && !exact) {
    unclear('asks nothing', 'add `expect` or `never`: `never: [{}]` means that no event may come');
  }
  if (recording !== undefined && status !== undefined) unclear('has a `status`, but no commands', 'remove `status`');
  return {
    name,
    ...(run === undefined ? {} : { run }),
    ...(recording === undefined ? {} : { recording }),
    ...(status === undefined ? {} : { status: Number(status) }),
    timeout: Number(timeout),
    expect: expect.map((pattern) => patternIn(pattern, report)),
    never: never.map((pattern) => patternIn(pattern, report)),
    exact,
    position: report.places.position(report.places.value(data)),
  };
}

const EXPRESSIONS = ['messageMatches', 'binaryMatches', 'pathMatches'] as const;

function patternIn(data: PatternData, report: Report): EventPattern {
  for (const field of EXPRESSIONS) {
    const text = data[field];
    const compiled = typeof text === 'string' ? patternOf(text) : undefined;
    if (!(compiled instanceof SyntaxError)) continue;
    const message = `${quote(text)} is not a regular expression: ${compiled.message}`;
    report.add('SCENARIO_PATTERN', report.places.value(data, field), message, 'write one of JavaScript');
  }
  const { count, selector, ...texts } = data;
  return {
    ...texts,
    ...(count === undefined ? {} : { count: Number(count) }),
    ...(selector === undefined ? {} : { selector: Number(selector) }),
    position: report.places.position(report.places.value(data)),
  };
}

/** A name identifies a scenario in the results. */
function reportRepeated({ scenarios }: TestData, report: Report): void {
  const names = new Set<string>();
  for (const scenario of scenarios) {
    if (names.has(scenario.name)) {
      const message = `two scenarios are called ${quote(scenario.name)}`;
      report.add('SCENARIO_UNCLEAR', report.places.value(scenario, 'name'), message, 'give each one a name of its own');
    }
    names.add(scenario.name);
  }
}
