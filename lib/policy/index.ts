/**
 * The interface of the policy room: parse, validate, compile. It needs no addon and no privileges and works on any
 * operating system.
 */
import type { ExplainOptions, ParseOptions, Policy, PolicyExplanation, ValidateOptions } from '../../types/policy.js';
import type { KernelInfo } from '../../types/kernel.js';
import { PolicyError, type Diagnostic } from '../errors.js';
import { compile } from './compile/compile.js';
import { renderPolicy } from './parse/define.js';
import { explain } from './explain/explain.js';
import type { PolicyImage } from '../image/image.js';
import { checkAgainstKernel } from './kernel/check.js';
import { hostFiles } from '../elf/elf.js';
import { checkAgainstHost } from './kernel/host.js';
import { hostArchitecture, type Architecture } from '../names/syscalls.js';
import { analyse, type Analysis } from './analyse.js';
import { Report } from './parse/report.js';
import { findUnsupported } from './compile/unsupported.js';

export { formatExplanation } from './explain/format.js';
export { policySchema } from './language/schema.js';
export type { PolicyImage } from '../image/image.js';
export { readField } from './kernel/fields.js';
export { fieldStart, isFailure, resolveSteps, startType, type ResolveFailure } from './kernel/resolve.js';
export { similarFunction } from './kernel/similar.js';
export { FILE_BYTES_MAX } from './language/limits.js';
export { functionsOf } from './model/lists.js';
export type { DiagnosticCode } from './parse/codes.js';

const DEFAULT_FILE = '<policy>';

/** The analysis of each policy that parsePolicy has returned. The compiler needs it. */
const analyses = new WeakMap<Policy, Analysis>();

/** Refuses exactly the policies in which `validatePolicy` finds an error, with the same diagnostics. */
export function parsePolicy(yaml: string, options: ParseOptions = {}): Policy {
  const analysis = analyse(yaml, options.file ?? DEFAULT_FILE);
  imageOf(analysis);
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
  const analysis = analyse(yaml, options.file ?? DEFAULT_FILE);
  const outside = new Report(analysis.places);
  if (options.kernel !== undefined) checkAgainstKernel(analysis.data, analysis.hooks, options.kernel, outside);
  if (options.files === true) checkAgainstHost(analysis.hooks, hostFiles, outside);
  return merge(analysis.diagnostics, toImage(analysis).diagnostics, outside.diagnostics());
}

export function explainPolicy(policy: Policy | string, options: ExplainOptions = {}): PolicyExplanation {
  const analysis = analysisOf(policy, options);
  if (!analysis.valid) throw new PolicyError(analysis.diagnostics);
  const { image, diagnostics } = toImage(analysis);
  const reasons = diagnostics.map((d) => `${d.line}:${d.column} ${d.code}: ${d.message}`);
  return explain(analysis, image, image === undefined ? reasons : [], options.kernel);
}

/** `architecture` decides which numbers the names of system calls stand for. The default is that of this machine. */
export interface CompileOptions extends ParseOptions {
  readonly architecture?: Architecture;
}

export function compilePolicy(policy: Policy | string, options: CompileOptions = {}): PolicyImage {
  return imageOf(analysisOf(policy, options), options.architecture);
}

/** Checks a parsed policy against a kernel. */
export function checkPolicy(policy: Policy, kernel: KernelInfo): readonly Diagnostic[] {
  const analysis = analysisOf(policy);
  const report = new Report(analysis.places);
  checkAgainstKernel(analysis.data, analysis.hooks, kernel, report);
  return report.diagnostics();
}

function analysisOf(policy: Policy | string, options: ParseOptions = {}): Analysis {
  if (typeof policy === 'string') return analyse(policy, options.file ?? DEFAULT_FILE);
  const analysis = analyses.get(policy);
  if (analysis === undefined) throw new TypeError('not a policy: use what parsePolicy or definePolicy returned');
  return analysis;
}

/** Throws PolicyError with all mistakes. */
function imageOf(analysis: Analysis, architecture?: Architecture): PolicyImage {
  const { image, diagnostics } = toImage(analysis, architecture);
  if (image === undefined) throw new PolicyError(merge(analysis.diagnostics, diagnostics));
  return image;
}

/** Returns no image if the BPF programs do not support the policy. */
function toImage(
  analysis: Analysis,
  architecture = hostArchitecture(),
): { image?: PolicyImage; diagnostics: readonly Diagnostic[] } {
  const report = new Report(analysis.places);
  findUnsupported(analysis.data, analysis.hooks, report);
  if (report.hasErrors || !analysis.valid) return { diagnostics: report.diagnostics() };
  const image = compile(analysis, report, architecture);
  const diagnostics = report.diagnostics();
  return report.hasErrors ? { diagnostics } : { image, diagnostics };
}

function merge(...lists: readonly (readonly Diagnostic[])[]): Diagnostic[] {
  return lists.flat().sort((a, b) => a.line - b.line || a.column - b.column || (a.code < b.code ? -1 : 1));
}
