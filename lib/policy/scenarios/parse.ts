/** Parses a policy test into plain data with positions. Errors are diagnostics, as in policies. */
import type { PolicyTest, Scenario, EventPattern } from '../../../types/policy-test.js';
import type { ParseOptions } from '../../../types/policy.js';
import { PolicyError } from '../../errors.js';
import { runToCompletion } from '../../cooperative.js';
import { compileRegExp } from '../model/lists.js';
import { quote, type Report } from '../parse/report.js';
import { walkTree } from '../parse/walk.js';
import { parseYaml } from '../parse/yaml.js';
import { policyTestShape } from './language.js';

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
  const data = document?.contents
    ? (walkTree(document.contents, policyTestShape, report, 'the test') as TestData)
    : undefined;
  if (data === undefined || report.hasErrors) throw new PolicyError(report.diagnostics());
  const scenarios = data.scenarios.map((scenario) => parseScenario(scenario, report));
  reportRepeatedNames(data, report);
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

function parseScenario(data: ScenarioData, report: Report): Scenario {
  const { name, run, recording, status, timeout = 60n, expect = [], never = [], exact = false } = data;
  const reportUnclear = (message: string, hint: string): void =>
    report.add('SCENARIO_UNCLEAR', report.positions.value(data), `the scenario ${quote(name)} ${message}`, hint);
  if ((run === undefined) === (recording === undefined)) {
    reportUnclear(
      run === undefined ? 'does nothing' : 'has both `run` and `recording`',
      'give it either `run` or `recording`',
    );
  }
  if (expect.length === 0 && never.length === 0 && !exact) {
    reportUnclear('asks nothing', 'add `expect` or `never`: `never: [{}]` means that no event may come');
  }
  if (recording !== undefined && status !== undefined)
    reportUnclear('has a `status`, but no commands', 'remove `status`');
  return {
    name,
    ...(run === undefined ? {} : { run }),
    ...(recording === undefined ? {} : { recording }),
    ...(status === undefined ? {} : { status: Number(status) }),
    timeout: Number(timeout),
    expect: expect.map((pattern) => parseEventPattern(pattern, report)),
    never: never.map((pattern) => parseEventPattern(pattern, report)),
    exact,
    position: report.positions.toPosition(report.positions.value(data)),
  };
}

const REGEXP_FIELDS = ['messageMatches', 'binaryMatches', 'pathMatches'] as const;

function parseEventPattern(data: PatternData, report: Report): EventPattern {
  for (const field of REGEXP_FIELDS) {
    const text = data[field];
    const compiled = typeof text === 'string' ? compileRegExp(text) : undefined;
    if (!(compiled instanceof SyntaxError)) continue;
    const message = `${quote(text)} is not a regular expression: ${compiled.message}`;
    report.add('SCENARIO_PATTERN', report.positions.value(data, field), message, 'write one of JavaScript');
  }
  const { count, selector, ...strings } = data;
  return {
    ...strings,
    ...(count === undefined ? {} : { count: Number(count) }),
    ...(selector === undefined ? {} : { selector: Number(selector) }),
    position: report.positions.toPosition(report.positions.value(data)),
  };
}

/** Reports names that two scenarios have: a name identifies a scenario in the results. */
function reportRepeatedNames({ scenarios }: TestData, report: Report): void {
  const names = new Set<string>();
  for (const scenario of scenarios) {
    if (names.has(scenario.name)) {
      const message = `two scenarios are called ${quote(scenario.name)}`;
      report.add(
        'SCENARIO_UNCLEAR',
        report.positions.value(scenario, 'name'),
        message,
        'give each one a name of its own',
      );
    }
    names.add(scenario.name);
  }
}
