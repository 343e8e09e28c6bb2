/**
 * The commands in the first bundle of the command, without the others. A process of validate or explain lives for a tenth of a
 * second, and most of that was the code of the other commands. The agent keeps what is loaded in its memory.
 */
import { Option, type Command } from 'commander';
import { loadAgentPackage } from './agent-package.js';
import type { Context } from './context.js';
import { explain, type ExplainOptions } from './explain.js';
import { runProgram } from './run-program.js';
import { AGENTS, FORMATS, validate, type ValidateOptions } from './validate.js';

const KERNEL_HELP = `
On Linux, the command also looks up the policy's hooks and values in the
running kernel. --btf FILE uses the types of another kernel instead.
--kernel none omits this check.
`;

export function isFirstCommand(name: string | undefined): boolean {
  return name === 'validate' || name === 'explain' || name === 'agent';
}

/** Runs a command line with such a command. */
export function runFirstCommand(args: readonly string[], context: Context): Promise<number> {
  return runProgram(args, context, (...rest) => {
    addCheckCommands(...rest);
    addAgentCommand(...rest);
  });
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

/** The package polytrace-agent parses all arguments that follow the command. */
export function addAgentCommand(program: Command, context: Context, done: (status: number) => void): void {
  program
    .command('agent')
    .description('Run the agent (package polytrace-agent); `polytrace agent --help` shows its options')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .argument('[options...]', 'options of the agent')
    .action(async (args: string[]) => done(await loadAgentPackage(context).runAgent(args, context)));
}
