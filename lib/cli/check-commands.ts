/**
 * The commands validate and explain. They are in the first bundle of the command, without the other commands: such a
 * process lives for a tenth of a second, and most of that was the code of the others.
 */
import { Option, type Command } from 'commander';
import type { Context } from './context.js';
import { explain, type ExplainOptions } from './explain.js';
import { runProgram } from './run-program.js';
import { AGENTS, FORMATS, validate, type ValidateOptions } from './validate.js';

const KERNEL_HELP = `
On Linux, the command also looks up the policy's hooks and values in the
running kernel. --btf FILE uses the types of another kernel instead.
--kernel none omits this check.
`;

export function isCheckCommand(name: string | undefined): boolean {
  return name === 'validate' || name === 'explain';
}

/** Runs a command line with such a command. */
export function runCheckCommand(args: readonly string[], context: Context): Promise<number> {
  return runProgram(args, context, addCheckCommands);
}

export function addCheckCommands(program: Command, context: Context, done: (status: number) => void): void {
  addKernelOptions(program.command('validate'))
    .description('Check policies without loading them (root is not needed)')
    .argument('<file...>', 'YAML files with policies, or folders of them')
    .addOption(new Option('--format <format>', 'format of the result').choices([...FORMATS]).default('text'))
    .addOption(new Option('--like <agent>', 'warn where this agent does something else').choices([...AGENTS]))
    .option('--strict', 'treat warnings as errors')
    .addHelpText('after', KERNEL_HELP)
    .action(async (files: string[], options: ValidateOptions) => done(await validate(files, options, context)));

  addKernelOptions(program.command('explain'))
    .description('Describe in words what a policy does')
    .argument('<file>', 'YAML file with a policy')
    .addOption(new Option('-o, --format <format>', 'format of the result').choices(['text', 'json']).default('text'))
    .option('--bypass', 'list the ways around its hooks and filters, and what closes them')
    .addHelpText('after', KERNEL_HELP)
    .action(async (file: string, options: ExplainOptions) => done(await explain(file, options, context)));
}

export function addKernelOptions(command: Command): Command {
  return command
    .addOption(new Option('--btf <file>', 'check against the kernel of this BTF file').conflicts('kernel'))
    .addOption(
      new Option('--kernel <which>', 'check against the running kernel, or against none').choices(['running', 'none']),
    );
}
