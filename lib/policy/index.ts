/**
 * The interface of lib/policy to the other folders: parse, validate, explain and compile policies. It needs no addon
 * and no privileges, and it works on any operating system.
 */
import type {
  CompileOptions,
  ExplainOptions,
  ParseOptions,
  Policy,
  PolicyExplanation,
  ValidateOptions,
} from '../../types/policy.js';
import type { PolicyBypass } from '../../types/bypass.js';
import type { KernelInfo } from '../../types/kernel.js';
import { PolicyError, type Diagnostic } from '../errors.js';
import { runToCompletion, type Steps } from '../cooperative.js';
import { compileAnalysis } from './compile/compile.js';
import { renderPolicy } from './parse/define.js';
import { locateBypasses, warnBypasses } from './explain/bypass/bypasses.js';
import { explainAnalysis } from './explain/explain.js';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { checkAgainstKernel } from './kernel/check.js';
import type { HostFiles } from '../elf/elf-info.js';
import { checkAgainstHost } from './kernel/host.js';
import { hostArchitecture, type Architecture } from '../names/syscalls.js';
import { analyse, analyseFor, mergeDiagnostics, type Analysis } from './analyse.js';
import { policyHookKeys as hookKeys } from './hooks/uses.js';
import { isProgramHook } from './language/vocabulary.js';
import { untypedValues } from './kernel/infer.js';
import { compareWithTetragon } from './like/tetragon.js';
import type { Hook } from './model/model.js';
import { quote, Report } from './parse/report.js';
import { findUnsupported } from './compile/unsupported.js';
import { setParameters } from './parameters/parameters.js';

export { formatBypasses } from './explain/bypass/format.js';
export { formatExplanation } from './explain/format.js';
export { policySchema } from './language/schema.js';
export type { CompiledPolicy } from '../compiled/compiled-policy.js';
export { findFieldAccess } from './kernel/fields.js';
export { fieldStart, isFailure, resolveSteps, startType, type ResolveFailure } from './kernel/resolve.js';
export { suggestFunction } from './kernel/suggestions.js';
export { findHook as findHookIn, listHooks as listHooksIn, type HookPlace } from './hooks/hooks.js';
export { AVAILABLE_HOOK_KINDS } from './hooks/names.js';
export { formatHook, hookPolicy } from './hooks/policy.js';
export { POLICY_BYTES_MAX } from './language/limits.js';
export { compute } from './cel/arithmetic.js';
export { expandFunctionList, compileRegExp } from './model/lists.js';
export { familyNumber, parseNetwork, protocolNumber, stateNumber } from './model/numbers.js';
export { nearestHint } from './parse/nearest-name.js';
export { parsePolicyTest } from './scenarios/parse.js';
export { listParameters as listPolicyParameters } from './parameters/parameters.js';
export type { DiagnosticCode } from './parse/codes.js';

type ValidationInput = Omit<ValidateOptions, 'files'> & { readonly files?: HostFiles };

const DEFAULT_FILE = '<policy>';

/** The analysis of each policy that parsePolicy returned. The compiler needs it. */
const analyses = new WeakMap<Policy, Analysis>();
/** The YAML text of each policy. A policy is sent to an agent as text. */
const texts = new WeakMap<Policy, string>();

/** Returns true for what parsePolicy or definePolicy of this library has returned. */
export function isPolicy(value: object): value is Policy {
  return analyses.has(value as Policy);
}

/** Throws PolicyError for exactly the policies in which `validatePolicy` finds an error, with the same diagnostics. */
export function parsePolicy(yaml: string, options: ParseOptions = {}): Policy {
  return runToCompletion(parsePolicySteps(yaml, options));
}

/** Does the work of parsePolicy in steps. */
export function* parsePolicySteps(yaml: string, options: ParseOptions = {}): Steps<Policy> {
  return yield* makePolicy(yield* analyse(yaml, options.file ?? DEFAULT_FILE), yaml);
}

function* makePolicy(analysis: Analysis, text: string): Steps<Policy> {
  const diagnostics = mergeDiagnostics(analysis.diagnostics, (yield* compileIfSupported(analysis)).diagnostics);
  if (diagnostics.some(({ severity }) => severity === 'error')) throw new PolicyError(diagnostics);
  const { kind, metadata } = analysis.data;
  const policy: Policy = Object.freeze({
    name: metadata?.name ?? '',
    ...(kind === 'TracingPolicyNamespaced' ? { namespace: metadata?.namespace ?? 'default' } : {}),
    file: analysis.file,
    ...(metadata?.annotations === undefined ? {} : { annotations: Object.freeze({ ...metadata.annotations }) }),
  });
  analyses.set(policy, analysis);
  texts.set(policy, text);
  return policy;
}

/** The public signature in types/policy.d.ts is stricter: it checks the fields of the policy. */
export function definePolicy(policy: object): Policy {
  const { file, text } = renderPolicy(policy);
  return runToCompletion(makePolicy(runToCompletion(analyse(text, file, true)), text));
}

/** Reads no files by itself: `files` reads those of the machine to check against. */
export function validatePolicy(yaml: string, options: ValidationInput = {}): Diagnostic[] {
  const analysis = runToCompletion(withKernelTypes(analyse(yaml, options.file ?? DEFAULT_FILE), options.kernel));
  const outside = new Report(analysis.positions);
  if (options.kernel !== undefined) {
    runToCompletion(checkAgainstKernel(analysis.data, analysis.hooks, options.kernel, outside));
  }
  if (options.files !== undefined) checkAgainstHost(analysis.hooks, options.files, outside);
  if (analysis.valid) warnBypasses(analysis, options.kernel, outside);
  if (options.reportUnchecked === true && analysis.valid) noteUnchecked(analysis, options, outside);
  const found = mergeDiagnostics(
    analysis.diagnostics,
    runToCompletion(compileIfSupported(analysis)).diagnostics,
    outside.diagnostics(),
  );
  return options.like === undefined ? found : mergeDiagnostics(found, compareWithTetragon(analysis, found));
}

/** Adds a note for each kind of check that the options leave out. */
function noteUnchecked({ data, hooks, positions }: Analysis, { kernel, files }: ValidationInput, report: Report): void {
  const isProgram = ({ kind }: Hook): boolean => isProgramHook(kind);
  if (kernel === undefined && !hooks.every(isProgram)) {
    const message = 'functions, tracepoints and types were not checked, because there is no kernel to check against';
    report.add('NOT_CHECKED', positions.value(data, 'spec'), message, 'check on a Linux machine, or give a BTF file of the kernel'); // prettier-ignore
  }
  for (const hook of files !== undefined ? [] : hooks.filter(isProgram)) {
    const message = `${quote(hook.data.path)} was not checked: symbols and probes are those of this machine's file`;
    report.add('NOT_CHECKED', positions.value(hook.data, 'path'), message, 'check on the machine that runs the policy');
  }
}

export function explainPolicy(policy: Policy | string, options: ExplainOptions = {}): PolicyExplanation {
  const analysis = runToCompletion(withKernelTypes(analysePolicy(policy, options), options.kernel));
  if (!analysis.valid) throw new PolicyError(analysis.diagnostics);
  const { compiled, diagnostics } = runToCompletion(compileIfSupported(analysis));
  const reasons = diagnostics.map((d) => `${d.line}:${d.column} ${d.code}: ${d.message}`);
  return explainAnalysis(analysis, compiled, compiled === undefined ? reasons : [], options.kernel);
}

export function findBypasses(policy: Policy | string, options: ExplainOptions = {}): PolicyBypass[] {
  const analysis = runToCompletion(withKernelTypes(analysePolicy(policy, options), options.kernel));
  if (!analysis.valid) throw new PolicyError(analysis.diagnostics);
  return locateBypasses(analysis, options.kernel).map(({ bypass }) => bypass);
}

export function compilePolicy(policy: Policy | string, options: CompileOptions = {}): CompiledPolicy {
  return runToCompletion(compilePolicySteps(policy, options));
}

/** Does the work of compilePolicy in steps. */
export function* compilePolicySteps(policy: Policy | string, options: CompileOptions = {}): Steps<CompiledPolicy> {
  return yield* compileOrThrow(
    yield* withKernelTypes(analysePolicy(policy, options), options.kernel),
    options.architecture,
  );
}

/** Checks a parsed policy against a kernel. */
export function checkPolicy(policy: Policy, kernel: KernelInfo): readonly Diagnostic[] {
  return runToCompletion(checkPolicySteps(policy, kernel));
}

/** Does the work of checkPolicy in steps. */
export function* checkPolicySteps(policy: Policy, kernel: KernelInfo): Steps<readonly Diagnostic[]> {
  const analysis = yield* withKernelTypes(analysePolicy(policy), kernel);
  const report = new Report(analysis.positions);
  yield* checkAgainstKernel(analysis.data, analysis.hooks, kernel, report);
  return report.diagnostics();
}

/** Returns the YAML text of a policy. */
export function policyYaml(policy: Policy): string {
  getAnalysis(policy);
  return texts.get(policy) ?? '';
}

/** Returns the keys of the hooks of a policy, see hooks/uses.ts. */
export function policyHookKeys(yaml: string): string[] {
  return hookKeys(runToCompletion(analyse(yaml, DEFAULT_FILE)));
}

/** True if the checks of the policy need the names of the functions that can be probed. */
export function needsFunctionNames(policy: Policy): boolean {
  const { data, hooks } = getAnalysis(policy);
  const hooksFunction = ({ kind }: Hook): boolean => kind !== 'tracepoints' && kind !== 'uprobes' && kind !== 'usdts';
  return data.spec?.enforcers !== undefined || data.spec?.lists !== undefined || hooks.some(hooksFunction);
}

function* analysePolicy(policy: Policy | string, options: ParseOptions = {}): Steps<Analysis> {
  return typeof policy === 'string' ? yield* analyse(policy, options.file ?? DEFAULT_FILE) : getAnalysis(policy);
}

function getAnalysis(policy: Policy): Analysis {
  const analysis = analyses.get(policy);
  if (analysis === undefined) throw new TypeError('not a policy: use what parsePolicy or definePolicy returned');
  return analysis;
}

/** Adds the types that the policy leaves to the kernel. */
function* withKernelTypes(steps: Steps<Analysis>, kernel: KernelInfo | undefined): Steps<Analysis> {
  const analysis = yield* steps;
  return kernel === undefined ? analysis : yield* analyseFor(analysis, kernel);
}

/** Throws PolicyError with all diagnostics. */
function* compileOrThrow(analysis: Analysis, architecture?: Architecture): Steps<CompiledPolicy> {
  const { compiled, diagnostics } = yield* compileIfSupported(analysis, architecture);
  if (compiled !== undefined) return compiled;
  const report = new Report(analysis.positions);
  const hasErrors = [...analysis.diagnostics, ...diagnostics].some(({ severity }) => severity === 'error');
  for (const value of hasErrors ? [] : untypedValues(analysis.data)) {
    const message = 'the type of this value comes from the kernel, and is not known here';
    const hint = 'give the types of the kernel (`kernel: loadKernelInfo()`), or write the type';
    report.add('TYPE_NOT_INFERRED', analysis.positions.value(value, 'type'), message, hint);
  }
  throw new PolicyError(mergeDiagnostics(analysis.diagnostics, diagnostics, report.diagnostics()));
}

/** Compiles nothing if the BPF programs do not support the policy, or if a type is not known. */
function* compileIfSupported(
  analysis: Analysis,
  architecture = hostArchitecture(),
): Steps<{ compiled?: CompiledPolicy; diagnostics: readonly Diagnostic[] }> {
  const report = new Report(analysis.positions);
  findUnsupported(analysis.data, analysis.hooks, report);
  const isOpen = untypedValues(analysis.data).length > 0;
  if (report.hasErrors || !analysis.valid || isOpen) return { diagnostics: report.diagnostics() };
  const compiled = yield* compileAnalysis(analysis, report, architecture);
  const diagnostics = report.diagnostics();
  return report.hasErrors ? { diagnostics } : { compiled, diagnostics };
}

export function setPolicyParameters(
  yaml: string,
  settings: readonly string[],
  options: { file?: string } = {},
): string {
  const { file = DEFAULT_FILE } = options;
  const text = setParameters(yaml, settings, file);
  parsePolicy(text, { file });
  return text;
}
