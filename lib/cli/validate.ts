/** `polytrace validate`: every mistake of every file, without a kernel. */
import { readFileSync } from 'node:fs';
import { formatDiagnostic } from '../errors.js';
import { GOOD, POLICY_ERRORS, UsageError, type Context } from './context.js';
import { print } from './output.js';
import { safe } from './text.js';

export async function validate(files: readonly string[], { api, stdout }: Context): Promise<number> {
  const sources = files.map((file) => ({ file, yaml: read(file) }));
  let status = GOOD;
  let text = '';
  for (const { file, yaml } of sources) {
    const diagnostics = api.validatePolicy(yaml, { file });
    for (const diagnostic of diagnostics) text += `${formatDiagnostic(diagnostic)}\n`;
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length;
    if (errors > 0) status = POLICY_ERRORS;
    else text += `${file}: ok${warnings(diagnostics.length)}\n`;
  }
  await print(stdout, safe(text));
  return status;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

function warnings(count: number): string {
  if (count === 0) return '';
  return count === 1 ? ', 1 warning' : `, ${count} warnings`;
}
