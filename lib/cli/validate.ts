/** `polytrace validate`: prints all diagnostics of all files. */
import { statSync } from 'node:fs';
import type { Diagnostic } from '../../types/index.js';
import { formatDiagnostic } from '../errors.js';
import { isLibraryPolicy } from '../names/policy-library.js';
import { POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import { chooseKernel, type CheckedAgainst, type KernelOptions } from './kernel.js';
import { print } from './output.js';
import type { FileResult } from './file-result.js';
import { formatSarif } from './sarif.js';
import { escapeControls, formatJson } from '../output/terminal-text.js';

export const FORMATS = ['text', 'json', 'sarif'] as const;

/** The agents whose differences are known. */
export const AGENTS = ['tetragon'] as const;

export interface ValidateOptions extends KernelOptions {
  readonly format: (typeof FORMATS)[number];
  readonly like?: (typeof AGENTS)[number];
  readonly strict?: boolean;
}

export async function validate(paths: readonly string[], options: ValidateOptions, context: Context): Promise<number> {
  for (const path of paths) requireExisting(path);
  const { like } = options;
  const against = { ...chooseKernel(options, context), ...(like === undefined ? {} : { like }) };
  const results = paths.flatMap((path) => checkPath(path, against, context));
  const isFailure = (d: Diagnostic): boolean =>
    d.severity === 'error' || (options.strict === true && d.severity === 'warning');
  const failed = results.some(({ diagnostics }) => diagnostics.some(isFailure));
  const text =
    options.format === 'text'
      ? formatText(results, isFailure)
      : options.format === 'json'
        ? formatJsonResults(results)
        : formatSarif(results);
  await print(context.stdout, options.format === 'text' ? escapeControls(text) : text);
  return failed ? POLICY_ERRORS : SUCCESS;
}

type Checks = CheckedAgainst & Pick<ValidateOptions, 'like'>;

/** Throws a UsageError for a path that does not exist. */
function requireExisting(path: string): void {
  if (isLibraryPolicy(path)) return;
  try {
    statSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

function checkPath(path: string, against: Checks, { api }: Context): FileResult[] {
  const tryFile = <T>(file: string, run: () => T): T | FileResult => {
    try {
      return run();
    } catch (error) {
      if (error instanceof api.PolicyError) return { file, diagnostics: error.diagnostics };
      throw error;
    }
  };
  const files = tryFile(path, () => api.expandPolicyPaths(path));
  if (!Array.isArray(files)) return [files];
  return files.map((file) => {
    const yaml = tryFile(file, () => api.loadPolicyFile(file));
    return typeof yaml === 'string' ? { file, diagnostics: api.validatePolicy(yaml, { file, ...against }) } : yaml;
  });
}

function formatText(results: readonly FileResult[], isFailure: (diagnostic: Diagnostic) => boolean): string {
  return results
    .map(({ file, diagnostics }) => {
      const lines = diagnostics.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join('');
      return diagnostics.some(isFailure) ? lines : `${lines}${file}: ${summarizeDiagnostics(diagnostics)}\n`;
    })
    .join('');
}

/** Summarizes a file without failures. `ok` means that everything was checked. */
function summarizeDiagnostics(diagnostics: readonly Diagnostic[]): string {
  const notes = diagnostics.filter(({ severity }) => severity === 'note').length;
  const summary = notes === 0 ? 'ok' : 'no mistakes found, but not everything was checked';
  return `${summary}${formatWarningCount(diagnostics.length - notes)}`;
}

function formatWarningCount(count: number): string {
  if (count === 0) return '';
  return count === 1 ? ', 1 warning' : `, ${count} warnings`;
}

function formatJsonResults(results: readonly FileResult[]): string {
  const countSeverity = (severity: Diagnostic['severity']): number =>
    results.reduce((sum, { diagnostics }) => sum + diagnostics.filter((d) => d.severity === severity).length, 0);
  const counts = { errors: countSeverity('error'), warnings: countSeverity('warning'), notes: countSeverity('note') };
  return formatJson({ ...counts, files: results });
}
