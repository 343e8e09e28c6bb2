/** `polytrace explain`: describes a policy in words or as data. */
import { statSync } from 'node:fs';
import { formatDiagnostic } from '../errors.js';
import { isOfLibrary } from '../names/policy-library.js';
import { GOOD, UsageError, type Context } from './context.js';
import { chooseKernel, type KernelOptions } from './kernel.js';
import { print } from './output.js';
import { safe } from './text.js';

export interface ExplainOptions extends KernelOptions {
  readonly format: 'text' | 'json';
}

export async function explain(file: string, options: ExplainOptions, context: Context): Promise<number> {
  const { api, stdout, stderr } = context;
  try {
    if (!isOfLibrary(file) && statSync(file).isDirectory())
      throw new UsageError(`${file} is a folder; name one policy file`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  const { kernel, files } = chooseKernel(options, context);
  const against = kernel === undefined ? {} : { kernel };
  const yaml = api.loadPolicyFile(file);
  const explanation = api.explainPolicy(yaml, { file, ...against });
  // The explanation itself lists what cannot be loaded yet.
  for (const d of api.validatePolicy(yaml, { file, files, ...against })) {
    if (!d.code.startsWith('UNSUPPORTED_')) stderr.write(safe(`${formatDiagnostic(d)}\n`));
  }
  const json = (): string => `${JSON.stringify(explanation, numbersAsText, 2)}\n`;
  await print(stdout, options.format === 'json' ? json() : safe(api.formatExplanation(explanation)));
  return GOOD;
}

/** JSON numbers would lose digits of 64-bit values. */
function numbersAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
