/** `polytrace validate`: prints all mistakes of all files. */
import { statSync } from 'node:fs';
import type { Diagnostic } from '../../types/index.js';
import { formatDiagnostic } from '../errors.js';
import { isOfLibrary } from '../names/policy-library.js';
import { GOOD, POLICY_ERRORS, UsageError, type Context } from './context.js';
import { chooseKernel, type CheckedAgainst, type KernelOptions } from './kernel.js';
import { print } from './output.js';
import type { FileResult } from './file-result.js';
import { sarif } from './sarif.js';
import { safe } from './text.js';

export const FORMATS = ['text', 'json', 'sarif'] as const;

export interface ValidateOptions extends KernelOptions {
  readonly format: (typeof FORMATS)[number];
  readonly strict?: boolean;
}

export async function validate(paths: readonly string[], options: ValidateOptions, context: Context): Promise<number> {
  for (const path of paths) demand(path);
  const against = chooseKernel(options, context);
  const results = paths.flatMap((path) => checkPath(path, against, context));
  const fails = (d: Diagnostic): boolean =>
    d.severity === 'error' || (options.strict === true && d.severity === 'warning');
  const failed = results.some(({ diagnostics }) => diagnostics.some(fails));
  const text =
    options.format === 'text' ? textOf(results, fails) : options.format === 'json' ? jsonOf(results) : sarif(results);
  await print(context.stdout, options.format === 'text' ? safe(text) : text);
  return failed ? POLICY_ERRORS : GOOD;
}

/** A path that does not exist is an error in the command line, not in a policy. */
function demand(path: string): void {
  if (isOfLibrary(path)) return;
  try {
    statSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

function checkPath(path: string, against: CheckedAgainst, { api }: Context): FileResult[] {
  const attempt = <T>(file: string, run: () => T): T | FileResult => {
    try {
      return run();
    } catch (error) {
      if (error instanceof api.PolicyError) return { file, diagnostics: error.diagnostics };
      throw error;
    }
  };
  const files = attempt(path, () => api.expandPolicyPaths(path));
  if (!Array.isArray(files)) return [files];
  return files.map((file) => {
    const yaml = attempt(file, () => api.loadPolicyFile(file));
    return typeof yaml === 'string' ? { file, diagnostics: api.validatePolicy(yaml, { file, ...against }) } : yaml;
  });
}

function textOf(results: readonly FileResult[], fails: (diagnostic: Diagnostic) => boolean): string {
  return results
    .map(({ file, diagnostics }) => {
      const lines = diagnostics.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join('');
      return diagnostics.some(fails) ? lines : `${lines}${file}: ${verdict(diagnostics)}\n`;
    })
    .join('');
}

/** `ok` says that everything was checked. */
function verdict(diagnostics: readonly Diagnostic[]): string {
  const notes = diagnostics.filter(({ severity }) => severity === 'note').length;
  const words = notes === 0 ? 'ok' : 'no mistakes found, but not everything was checked';
  return `${words}${warnings(diagnostics.length - notes)}`;
}

function warnings(count: number): string {
  if (count === 0) return '';
  return count === 1 ? ', 1 warning' : `, ${count} warnings`;
}

function jsonOf(results: readonly FileResult[]): string {
  const count = (severity: Diagnostic['severity']): number =>
    results.reduce((sum, { diagnostics }) => sum + diagnostics.filter((d) => d.severity === severity).length, 0);
  const counts = { errors: count('error'), warnings: count('warning'), notes: count('note') };
  return `${JSON.stringify({ ...counts, files: results }, null, 2)}\n`;
}
