/** The commands that look at policies without loading them: validate, explain, schema, and completion of the command line. */
import { Argument, Option, type Command } from 'commander';
import { completion, SHELLS, type Shell } from './completion.js';
import { GOOD, type Context } from './context.js';
import { explain, type ExplainOptions } from './explain.js';
import { print } from './output.js';
import { FORMATS, validate, type ValidateOptions } from './validate.js';

const KERNEL_HELP = `
On Linux, what a policy hooks and reads is looked up in the running kernel as well; --btf FILE takes another kernel's
types instead, --kernel none leaves that out.
`;

export function policyCommands(program: Command, context: Context, done: (status: number) => void): void {
  withKernel(program.command('validate'))
    .description('Check policies without loading them: no root needed')
    .argument('<file...>', 'policies in YAML, or folders of them')
    .addOption(new Option('--format <format>', 'form of the result').choices([...FORMATS]).default('text'))
    .option('--strict', 'let warnings fail, too')
    .addHelpText('after', KERNEL_HELP)
    .action(async (files: string[], options: ValidateOptions) => done(await validate(files, options, context)));

  withKernel(program.command('explain'))
    .description('Tell in words what a policy does')
    .argument('<file>', 'policy in YAML')
    .addOption(new Option('--format <format>', 'form of the result').choices(['text', 'json']).default('text'))
    .addHelpText('after', KERNEL_HELP)
    .action(async (file: string, options: ExplainOptions) => done(await explain(file, options, context)));

  program
    .command('schema')
    .description('Print the JSON Schema of policies, for editors')
    .action(async () => {
      await print(context.stdout, `${JSON.stringify(context.api.policySchema(), null, 2)}\n`);
      done(GOOD);
    });

  program
    .command('completion')
    .description('Print the completion of this command for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices([...SHELLS]))
    .addHelpText(
      'after',
      '\n  source <(polytrace completion bash)\n  polytrace completion zsh > "${fpath[1]}/_polytrace"\n',
    )
    .action(async (shell: Shell) => {
      await print(context.stdout, completion(program, shell));
      done(GOOD);
    });
}

function withKernel(command: Command): Command {
  return command
    .addOption(new Option('--btf <file>', 'check against the kernel whose BTF this is').conflicts('kernel'))
    .addOption(
      new Option('--kernel <which>', 'check against the running kernel, or none').choices(['running', 'none']),
    );
}
