/** `polytrace explain`: describes a policy in English or as JSON. */
import { statSync } from 'node:fs';
import { formatDiagnostic } from '../errors.js';
import { isLibraryPolicy } from '../names/policy-library.js';
import { SUCCESS, UsageError, type Context } from './context.js';
import { chooseKernel, type KernelOptions } from './kernel.js';
import { print } from './output.js';
import { escapeControls, formatJson } from '../output/terminal-text.js';

export interface ExplainOptions extends KernelOptions {
  readonly format: 'text' | 'json';
  /** Lists the ways around the policy instead of a description. */
  readonly bypass?: boolean;
}

export async function explain(file: string, options: ExplainOptions, context: Context): Promise<number> {
  const { api, stdout, stderr } = context;
  try {
    if (!isLibraryPolicy(file) && statSync(file).isDirectory())
      throw new UsageError(`${file} is a folder; name one policy file`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  const { kernel, files } = chooseKernel(options, context);
  const kernelOption = kernel === undefined ? {} : { kernel };
  const yaml = api.loadPolicyFile(file);
  if (options.bypass === true) {
    const bypasses = api.findBypasses(yaml, { file, ...kernelOption });
    const text = options.format === 'json' ? formatJson(bypasses) : escapeControls(api.formatBypasses(bypasses));
    await print(stdout, text);
    return SUCCESS;
  }
  const explanation = api.explainPolicy(yaml, { file, ...kernelOption });
  // The explanation itself lists what cannot be loaded yet.
  for (const d of api.validatePolicy(yaml, { file, files, ...kernelOption })) {
    if (!d.code.startsWith('UNSUPPORTED_')) stderr.write(escapeControls(`${formatDiagnostic(d)}\n`));
  }
  const json = (): string => `${JSON.stringify(explanation, bigintToString, 2)}\n`;
  await print(stdout, options.format === 'json' ? json() : escapeControls(api.formatExplanation(explanation)));
  return SUCCESS;
}

/** Converts 64-bit values to strings, because JSON numbers would lose digits. */
function bigintToString(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
