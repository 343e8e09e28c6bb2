/**
 * The interface of the policy room: parse, validate, compile. It needs no addon and no privileges and works on any
 * operating system.
 */
import type {
  CompileOptions,
  ExplainOptions,
  ParseOptions,
  Policy,
  PolicyExplanation,
  ValidateOptions,
} from '../../types/policy.js';
import type { KernelInfo } from '../../types/kernel.js';
import { PolicyError, type Diagnostic } from '../errors.js';
import { runToCompletion, type Steps } from '../cooperative.js';
import { compile } from './compile/compile.js';
import { renderPolicy } from './parse/define.js';
import { explain } from './explain/explain.js';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { checkAgainstKernel } from './kernel/check.js';
import { hostFiles } from '../elf/elf.js';
import { checkAgainstHost } from './kernel/host.js';
import { hostArchitecture, type Architecture } from '../names/syscalls.js';
import { analyse, analyseFor, merged, type Analysis } from './analyse.js';
import { openValues } from './kernel/infer.js';
import type { Hook } from './model/model.js';
import { quote, Report } from './parse/report.js';
import { findUnsupported } from './compile/unsupported.js';

export { formatExplanation } from './explain/format.js';
export { policySchema } from './language/schema.js';
export type { CompiledPolicy } from '../compiled/compiled-policy.js';
export { readField } from './kernel/fields.js';
export { fieldStart, isFailure, resolveSteps, startType, type ResolveFailure } from './kernel/resolve.js';
export { similarFunction } from './kernel/similar.js';
export { FILE_BYTES_MAX } from './language/limits.js';
export { compute } from './cel/arithmetic.js';
export { functionsOf, patternOf } from './model/lists.js';
export { familyNumber, parseNetwork, protocolNumber, stateNumber } from './model/numbers.js';
export { nearestHint } from './parse/nearest.js';
export { parsePolicyTest } from './scenarios/parse.js';
export type { DiagnosticCode } from './parse/codes.js';

const DEFAULT_FILE = '<policy>';

/** The analysis of each policy that parsePolicy has returned. The compiler needs it. */
const analyses = new WeakMap<Policy, Analysis>();

/** Refuses exactly the policies in which `validatePolicy` finds an error, with the same diagnostics. */
export function parsePolicy(yaml: string, options: ParseOptions = {}): Policy {
  return runToCompletion(parseSteps(yaml, options));
}

/** The same in steps. */
export function* parseSteps(yaml: string, options: ParseOptions = {}): Steps<Policy> {
  const analysis = yield* analyse(yaml, options.file ?? DEFAULT_FILE);
  const diagnostics = merged(analysis.diagnostics, (yield* toImage(analysis)).diagnostics);
  if (diagnostics.some(({ severity }) => severity === 'error')) throw new PolicyError(diagnostics);
  const { kind, metadata } = analysis.data;
  const policy: Policy = Object.freeze({
    name: metadata?.name ?? '',
    ...(kind === 'TracingPolicyNamespaced' ? { namespace: metadata?.namespace ?? 'default' } : {}),
    file: analysis.file,
  });
  analyses.set(policy, analysis);
  return policy;
}

/** The public signature in types/policy.d.ts is stricter. */
export function definePolicy(policy: object): Policy {
  return parsePolicy(renderPolicy(policy));
}

export function validatePolicy(yaml: string, options: ValidateOptions = {}): Diagnostic[] {
  const analysis = runToCompletion(knownTo(analyse(yaml, options.file ?? DEFAULT_FILE), options.kernel));
  const outside = new Report(analysis.places);
  if (options.kernel !== undefined) {
    runToCompletion(checkAgainstKernel(analysis.data, analysis.hooks, options.kernel, outside));
  }
  if (options.files === true) checkAgainstHost(analysis.hooks, hostFiles, outside);
  if (options.reportUnchecked === true && analysis.valid) noteUnchecked(analysis, options, outside);
  return merged(analysis.diagnostics, runToCompletion(toImage(analysis)).diagnostics, outside.diagnostics());
}

/** Says which kinds of checks the options leave out. */
function noteUnchecked({ data, hooks, places }: Analysis, { kernel, files }: ValidateOptions, report: Report): void {
  const isProgram = ({ kind }: Hook): boolean => kind === 'uprobes' || kind === 'usdts';
  if (kernel === undefined && !hooks.every(isProgram)) {
    const message = 'functions, tracepoints and types were not checked, because there is no kernel to check against';
    report.add('NOT_CHECKED', places.value(data, 'spec'), message, 'check on a Linux machine, or give a BTF file of the kernel'); // prettier-ignore
  }
  for (const hook of files === true ? [] : hooks.filter(isProgram)) {
    const message = `${quote(hook.data.path)} was not checked: symbols and probes are those of this machine's file`;
    report.add('NOT_CHECKED', places.value(hook.data, 'path'), message, 'check on the machine that runs the policy');
  }
}

export function explainPolicy(policy: Policy | string, options: ExplainOptions = {}): PolicyExplanation {
  const analysis = runToCompletion(knownTo(analysisOf(policy, options), options.kernel));
  if (!analysis.valid) throw new PolicyError(analysis.diagnostics);
  const { image, diagnostics } = runToCompletion(toImage(analysis));
  const reasons = diagnostics.map((d) => `${d.line}:${d.column} ${d.code}: ${d.message}`);
  return explain(analysis, image, image === undefined ? reasons : [], options.kernel);
}

export function compilePolicy(policy: Policy | string, options: CompileOptions = {}): CompiledPolicy {
  return runToCompletion(compileSteps(policy, options));
}

/** The same in steps. */
export function* compileSteps(policy: Policy | string, options: CompileOptions = {}): Steps<CompiledPolicy> {
  return yield* imageOf(yield* knownTo(analysisOf(policy, options), options.kernel), options.architecture);
}

/** Checks a parsed policy against a kernel. */
export function checkPolicy(policy: Policy, kernel: KernelInfo): readonly Diagnostic[] {
  return runToCompletion(checkSteps(policy, kernel));
}

/** The same in steps. */
export function* checkSteps(policy: Policy, kernel: KernelInfo): Steps<readonly Diagnostic[]> {
  const analysis = yield* knownTo(analysisOf(policy), kernel);
  const report = new Report(analysis.places);
  yield* checkAgainstKernel(analysis.data, analysis.hooks, kernel, report);
  return report.diagnostics();
}

/** Whether its checks ask which functions of the kernel can be probed: only those of tracepoints and programs do not. */
export function asksForFunctions(policy: Policy): boolean {
  const { data, hooks } = knownAnalysis(policy);
  const isOther = ({ kind }: Hook): boolean => kind !== 'tracepoints' && kind !== 'uprobes' && kind !== 'usdts';
  return data.spec?.enforcers !== undefined || data.spec?.lists !== undefined || hooks.some(isOther);
}

function* analysisOf(policy: Policy | string, options: ParseOptions = {}): Steps<Analysis> {
  return typeof policy === 'string' ? yield* analyse(policy, options.file ?? DEFAULT_FILE) : knownAnalysis(policy);
}

function knownAnalysis(policy: Policy): Analysis {
  const analysis = analyses.get(policy);
  if (analysis === undefined) throw new TypeError('not a policy: use what parsePolicy or definePolicy returned');
  return analysis;
}

/** The policy with the types that it leaves to the kernel. */
function* knownTo(analysed: Steps<Analysis>, kernel: KernelInfo | undefined): Steps<Analysis> {
  const analysis = yield* analysed;
  return kernel === undefined ? analysis : yield* analyseFor(analysis, kernel);
}

/** Throws PolicyError with all mistakes. */
function* imageOf(analysis: Analysis, architecture?: Architecture): Steps<CompiledPolicy> {
  const { image, diagnostics } = yield* toImage(analysis, architecture);
  if (image !== undefined) return image;
  const report = new Report(analysis.places);
  const hasErrors = [...analysis.diagnostics, ...diagnostics].some(({ severity }) => severity === 'error');
  for (const value of hasErrors ? [] : openValues(analysis.data)) {
    const message = 'the type of this value comes from the kernel, and is not known here';
    const hint = 'give the types of the kernel (`kernel: loadKernelInfo()`), or write the type';
    report.add('TYPE_NOT_INFERRED', analysis.places.value(value, 'type'), message, hint);
  }
  throw new PolicyError(merged(analysis.diagnostics, diagnostics, report.diagnostics()));
}

/** Returns no image if the BPF programs do not support the policy, or if a type is not known. */
function* toImage(
  analysis: Analysis,
  architecture = hostArchitecture(),
): Steps<{ image?: CompiledPolicy; diagnostics: readonly Diagnostic[] }> {
  const report = new Report(analysis.places);
  findUnsupported(analysis.data, analysis.hooks, report);
  const isOpen = openValues(analysis.data).length > 0;
  if (report.hasErrors || !analysis.valid || isOpen) return { diagnostics: report.diagnostics() };
  const image = yield* compile(analysis, report, architecture);
  const diagnostics = report.diagnostics();
  return report.hasErrors ? { diagnostics } : { image, diagnostics };
}
