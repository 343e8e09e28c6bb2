/** Runs the stages before the compiler: from the text of a policy to a checked policy. */
import type { Diagnostic } from '../../types/errors.js';
import type { KernelInfo } from '../../types/kernel.js';
import type { Steps } from '../cooperative.js';
import { checkSemantics } from './checks/semantics.js';
import { collectHooks } from './model/hooks.js';
import { policyShape } from './language/policy.js';
import type { Hook, PolicyData } from './model/model.js';
import { normaliseKeyCase } from './parse/key-case.js';
import { inferTypes, untypedValues } from './kernel/infer.js';
import { type Positions } from './parse/positions.js';
import { Report } from './parse/report.js';
import { walkTree } from './parse/walk.js';
import { parseYaml } from './parse/yaml.js';

export interface Analysis {
  readonly file: string;
  readonly data: PolicyData;
  readonly hooks: readonly Hook[];
  readonly positions: Positions;
  /** Mistakes of YAML and structure. */
  readonly structure: readonly Diagnostic[];
  /** All mistakes and warnings. Features that are not supported yet are not among them: the compiler finds them. */
  readonly diagnostics: readonly Diagnostic[];
  readonly valid: boolean;
}

/** Never throws, for any text. `isFromObject`: the text was made of an object. */
export function* analyse(text: string, file: string, isFromObject = false): Steps<Analysis> {
  const { report, document } = yield* parseYaml(text, file, 'policy', isFromObject);
  yield;
  let data: PolicyData = {};
  if (document?.contents) {
    normaliseKeyCase(document.contents, policyShape, report);
    data = walkTree(document.contents, policyShape, report) ?? {};
    yield;
  }
  const own = new Report(report.positions);
  const hooks = document?.contents ? yield* checkMeaning(data, own) : [];
  return assembleAnalysis(
    { file, data, hooks, positions: report.positions, structure: report.diagnostics() },
    own.diagnostics(),
  );
}

/** The last result of analyseFor(). A tracer compiles a policy and then checks it, for the same kernel. */
const lastFor = new WeakMap<Analysis, { readonly kernel: KernelInfo; readonly result: Analysis }>();

/** Finds the types that the policy leaves to the kernel, and checks the policy with them. */
export function* analyseFor(analysis: Analysis, kernel: KernelInfo): Steps<Analysis> {
  // A type that is written wrong is not one that the kernel should say.
  const isBroken = analysis.structure.some(({ severity }) => severity === 'error');
  if (isBroken || untypedValues(analysis.data).length === 0) return analysis;
  const last = lastFor.get(analysis);
  if (last?.kernel === kernel) return last.result;
  const result = yield* withTypes(analysis, kernel);
  lastFor.set(analysis, { kernel, result });
  return result;
}

function* withTypes(analysis: Analysis, kernel: KernelInfo): Steps<Analysis> {
  const own = new Report(analysis.positions);
  const data = inferTypes(analysis.data, kernel, own);
  yield;
  const hooks = yield* checkMeaning(data, own);
  return assembleAnalysis({ ...analysis, data, hooks }, own.diagnostics());
}

function* checkMeaning(data: PolicyData, report: Report): Steps<readonly Hook[]> {
  const hooks = collectHooks(data, report);
  yield* checkSemantics(data, hooks, report);
  return hooks;
}

function assembleAnalysis(parsed: Omit<Analysis, 'diagnostics' | 'valid'>, own: readonly Diagnostic[]): Analysis {
  const diagnostics = mergeDiagnostics(parsed.structure, own);
  return { ...parsed, diagnostics, valid: !diagnostics.some(({ severity }) => severity === 'error') };
}

/** Merges lists of diagnostics, sorted by position. */
export function mergeDiagnostics(...lists: readonly (readonly Diagnostic[])[]): Diagnostic[] {
  return lists.flat().sort((a, b) => a.line - b.line || a.column - b.column || (a.code < b.code ? -1 : 1));
}
