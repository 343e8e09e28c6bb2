/** Parses a policy test into plain data with positions. Errors are diagnostics, as in policies. */
import type { EventPattern, MetricPattern, PolicyTest, Scenario } from '../../../types/policy-test.js';
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

interface MetricData extends Pick<MetricPattern, 'metric' | 'policy' | 'calls' | 'sum'> {
  readonly labels?: Readonly<Record<string, string>>;
  readonly other?: boolean;
}

type ParsedField = 'expect' | 'never' | 'metrics' | 'status' | 'timeout' | 'exact' | 'position';

interface ScenarioData extends Omit<Scenario, ParsedField> {
  readonly status?: bigint;
  readonly timeout?: bigint;
  readonly exact?: boolean;
  readonly expect?: readonly PatternData[];
  readonly never?: readonly PatternData[];
  readonly metrics?: readonly MetricData[];
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
  const { name, run, recording, status, timeout = 60n, expect = [], never = [], metrics = [], exact = false } = data;
  const reportUnclear = (message: string, hint: string): void =>
    report.add('SCENARIO_UNCLEAR', report.positions.value(data), `the scenario ${quote(name)} ${message}`, hint);
  if ((run === undefined) === (recording === undefined)) {
    reportUnclear(
      run === undefined ? 'does nothing' : 'has both `run` and `recording`',
      'give it either `run` or `recording`',
    );
  }
  if (expect.length === 0 && never.length === 0 && metrics.length === 0 && !exact) {
    reportUnclear('asks nothing', 'add `expect`, `never` or `metrics`: `never: [{}]` means that no event may come');
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
    metrics: metrics.map((pattern) => parseMetricPattern(pattern, report)),
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

function parseMetricPattern(data: MetricData, report: Report): MetricPattern {
  const { metric, policy, labels = {}, other = false, calls, sum } = data;
  const { positions } = report;
  const reportUnclear = (field: string, message: string, hint: string): void =>
    report.add('SCENARIO_UNCLEAR', positions.value(data, field), `${quote(metric)} ${message}`, hint);
  if (calls === undefined && sum === undefined) reportUnclear('metric', 'expects nothing', 'add `calls` or `sum`');
  if (other && Object.keys(labels).length > 0)
    reportUnclear('other', 'has `labels` and `other`', 'remove one of them: calls in `other` have no labels');
  return {
    metric,
    ...(policy === undefined ? {} : { policy }),
    labels: Object.entries(labels).map(([name, text]) => ({
      name,
      text,
      position: positions.toPosition(positions.key(labels, name)),
    })),
    other,
    ...(calls === undefined ? {} : { calls }),
    ...(sum === undefined ? {} : { sum }),
    position: positions.toPosition(positions.value(data, 'metric')),
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
