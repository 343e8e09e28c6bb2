/** `polytrace test`: runs the scenarios of policy tests, in this kernel or over recorded events. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { PolicyTest, Scenario, TracerOptions } from '../../types/index.js';
import { isLibraryPolicy } from '../names/policy-library.js';
import { POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import type { KernelOptions } from './kernel.js';
import { print } from './output.js';
import { LiveScenarios } from './scenario-live.js';
import { runRecordedScenario } from './scenario-recorded.js';
import { findFailures } from './scenario-outcome.js';
import { RESULT_PRINTERS, type ResultFormat, type ScenarioResult } from './test-results.js';

export interface TestOptions extends KernelOptions {
  readonly format: ResultFormat;
  readonly recorded?: boolean;
  readonly enforcement?: boolean;
  readonly grep?: string;
}

export async function testPolicies(paths: readonly string[], options: TestOptions, context: Context): Promise<number> {
  const tests = paths.flatMap((path) => findTests(path, context)).map((file) => loadTest(file, context));
  const runner = new TestRunner(options, context);
  const printer = RESULT_PRINTERS[options.format];
  const results: ScenarioResult[] = [];
  await print(context.stdout, printer.start);
  try {
    for (const test of tests) {
      for await (const result of runner.run(test)) {
        results.push(result);
        await print(context.stdout, printer.format(result, results.length));
      }
    }
  } finally {
    await runner.close();
  }
  await print(context.stdout, printer.end(results));
  if (results.length === 0) throw new UsageError(`no scenario has a name with ${JSON.stringify(options.grep ?? '')}`);
  return results.every(({ reasons }) => reasons.length === 0) ? SUCCESS : POLICY_ERRORS;
}

/** Returns the test files of a path. The test of a policy is in the folder `tests` beside it. */
function findTests(path: string, { api }: Context): string[] {
  const files = api.expandPolicyPaths(path);
  return files.map((file) => {
    if (/^["']?kind["']?:\s*["']?PolicyTest\b/m.test(api.loadPolicyFile(file))) return file;
    const beside = join(dirname(file), 'tests', basename(file));
    if (!existsSync(beside)) throw new UsageError(`${path} has no test: there is no ${beside}`);
    return beside;
  });
}

function loadTest(path: string, { api }: Context): PolicyTest {
  return api.parsePolicyTest(api.loadPolicyFile(path), { file: path });
}

/** Runs tests one after the other in one tracer. The first test that needs the tracer opens it. */
class TestRunner {
  readonly #options: TestOptions;
  readonly #context: Context;
  #live: LiveScenarios | undefined;

  constructor(options: TestOptions, context: Context) {
    this.#options = options;
    this.#context = context;
  }

  async *run(test: PolicyTest): AsyncGenerator<ScenarioResult, void> {
    const { grep = '' } = this.#options;
    const policies = test.policies.map((path) => (isLibraryPolicy(path) ? path : resolve(dirname(test.file), path)));
    const scenarios = test.scenarios.filter(({ name }) => name.includes(grep));
    const isLive = this.#options.recorded !== true && scenarios.some(({ run }) => run !== undefined);
    const loaded: string[] = [];
    const problem = isLive ? await this.#load({ ...test, policies }, loaded) : undefined;
    try {
      for (const scenario of scenarios) {
        if (problem === undefined) yield await this.#runScenario({ ...test, policies }, scenario);
        else yield { file: test.file, name: scenario.name, seconds: 0, reasons: [`${test.file}:1:1: ${problem}`] };
      }
    } finally {
      for (const name of loaded) await this.#live?.tracer.removePolicy(name);
      if (isLive && test.after !== undefined) runShell(test.after);
    }
  }

  async close(): Promise<void> {
    await this.#live?.close();
  }

  /** Loads policies, and adds their names to `loaded`. Returns the reason if the scenarios cannot run. */
  async #load({ policies, before }: PolicyTest, loaded: string[]): Promise<string | undefined> {
    const live = (this.#live ??= await this.#open());
    if (before !== undefined && runShell(before) !== 0) return 'BEFORE_FAILED: the lines of `before` failed';
    try {
      for (const policy of policies) {
        for (const { name } of await live.tracer.addPolicy(policy)) loaded.push(name);
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof this.#context.api.PolytraceError)) throw error;
      return `${error.code}: ${error.message}`;
    }
  }

  /** Actions are only reported, unless the command line allows them. */
  async #open(): Promise<LiveScenarios> {
    const options: TracerOptions = this.#options.enforcement === true ? { enforcement: true } : { mode: 'monitor' };
    return new LiveScenarios(await this.#context.api.openTracer({ policies: [], containers: true, ...options }));
  }

  async #runScenario(test: PolicyTest, scenario: Scenario): Promise<ScenarioResult> {
    const started = performance.now();
    const title = { file: test.file, name: scenario.name };
    if (scenario.run !== undefined && this.#options.recorded === true) {
      return { ...title, seconds: 0, reasons: [], skipped: 'its commands need a kernel and root' };
    }
    const outcome =
      scenario.run !== undefined && this.#live !== undefined
        ? await this.#live.run(scenario)
        : await runRecordedScenario(test, scenario, this.#options, this.#context);
    const reasons = findFailures(test, scenario, outcome, this.#context);
    return { ...title, seconds: (performance.now() - started) / 1000, reasons };
  }
}

function runShell(lines: string): number | null {
  return spawnSync('/bin/sh', ['-e', '-c', lines], { stdio: 'ignore' }).status;
}
