/** `polytrace test`: runs the scenarios of policies, in this kernel or over recorded events. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { PolicyTest, Scenario, TracerOptions } from '../../types/index.js';
import { isOfLibrary } from '../names/policy-library.js';
import { GOOD, POLICY_ERRORS, UsageError, type Context } from './context.js';
import type { KernelOptions } from './kernel.js';
import { LiveScenarios } from './scenario-live.js';
import { runRecorded } from './scenario-recorded.js';
import { reasonsOf } from './scenario-verdict.js';
import { PRINTERS, type Result, type ResultFormat } from './test-results.js';

export interface TestOptions extends KernelOptions {
  readonly format: ResultFormat;
  readonly recorded?: boolean;
  readonly enforcement?: boolean;
  readonly grep?: string;
}

export async function testPolicies(words: readonly string[], options: TestOptions, context: Context): Promise<number> {
  const tests = words.flatMap((word) => testsOf(word, context)).map((path) => readTest(path, context));
  const runner = new Runner(options, context);
  const printer = PRINTERS[options.format];
  const results: Result[] = [];
  context.stdout.write(printer.start);
  try {
    for (const test of tests) {
      for await (const result of runner.run(test)) {
        results.push(result);
        context.stdout.write(printer.one(result, results.length));
      }
    }
  } finally {
    await runner.close();
  }
  context.stdout.write(printer.end(results));
  if (results.length === 0) throw new UsageError(`no scenario has a name with ${JSON.stringify(options.grep ?? '')}`);
  return results.every(({ reasons }) => reasons.length === 0) ? GOOD : POLICY_ERRORS;
}

/** The files of tests that a word of the command line means: of a policy, those beside it. */
function testsOf(word: string, { api }: Context): string[] {
  const files = api.expandPolicyPaths(word);
  return files.map((file) => {
    if (/^["']?kind["']?:\s*["']?PolicyTest\b/m.test(api.loadPolicyFile(file))) return file;
    const beside = join(dirname(file), 'tests', basename(file));
    if (!existsSync(beside)) throw new UsageError(`${word} has no test: there is no ${beside}`);
    return beside;
  });
}

function readTest(path: string, { api }: Context): PolicyTest {
  return api.parsePolicyTest(api.loadPolicyFile(path), { file: path });
}

/** Loads the policies of one test after the other into one tracer, which is opened for the first that needs it. */
class Runner {
  readonly #options: TestOptions;
  readonly #context: Context;
  #live: LiveScenarios | undefined;

  constructor(options: TestOptions, context: Context) {
    this.#options = options;
    this.#context = context;
  }

  async *run(test: PolicyTest): AsyncGenerator<Result, void> {
    const { grep = '' } = this.#options;
    const policies = test.policies.map((path) => (isOfLibrary(path) ? path : resolve(dirname(test.file), path)));
    const wanted = test.scenarios.filter(({ name }) => name.includes(grep));
    const isLive = this.#options.recorded !== true && wanted.some(({ run }) => run !== undefined);
    const loaded: string[] = [];
    const trouble = isLive ? await this.#load({ ...test, policies }, loaded) : undefined;
    try {
      for (const scenario of wanted) {
        if (trouble === undefined) yield await this.#result({ ...test, policies }, scenario);
        else yield { file: test.file, name: scenario.name, seconds: 0, reasons: [`${test.file}:1:1: ${trouble}`] };
      }
    } finally {
      for (const name of loaded) await this.#live?.tracer.removePolicy(name);
      if (isLive && test.after !== undefined) shell(test.after);
    }
  }

  async close(): Promise<void> {
    await this.#live?.close();
  }

  /** Adds the names of the policies to `loaded`. Returns why the scenarios cannot run. */
  async #load({ policies, before }: PolicyTest, loaded: string[]): Promise<string | undefined> {
    const live = (this.#live ??= await this.#open());
    if (before !== undefined && shell(before) !== 0) return 'BEFORE_FAILED: the lines of `before` failed';
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
    const how: TracerOptions = this.#options.enforcement === true ? { enforcement: true } : { mode: 'monitor' };
    return new LiveScenarios(await this.#context.api.openTracer({ policies: [], containers: true, ...how }));
  }

  async #result(test: PolicyTest, scenario: Scenario): Promise<Result> {
    const started = performance.now();
    const title = { file: test.file, name: scenario.name };
    if (scenario.run !== undefined && this.#options.recorded === true) {
      return { ...title, seconds: 0, reasons: [], skipped: 'its commands need a kernel and root' };
    }
    const outcome =
      scenario.run !== undefined && this.#live !== undefined
        ? await this.#live.run(scenario)
        : await runRecorded(test, scenario, this.#options, this.#context);
    const reasons = reasonsOf(test, scenario, outcome, this.#context);
    return { ...title, seconds: (performance.now() - started) / 1000, reasons };
  }
}

function shell(lines: string): number | null {
  return spawnSync('/bin/sh', ['-e', '-c', lines], { stdio: 'ignore' }).status;
}
