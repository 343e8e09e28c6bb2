/** The commands about policies that load none, other than validate and explain: policies, schema and completion. */
import { Argument, Option, type Command } from 'commander';
import { isLibraryPolicy, LIBRARY_PREFIX } from '../names/policy-library.js';
import { completionScript, SHELLS, type Shell } from './completion.js';
import { SUCCESS, type Context } from './context.js';
import { addLibraryCommands } from './library-commands.js';
import { print } from './output.js';
import { formatJson, formatTable } from '../output/terminal-text.js';

/** The help of `--set`, of each command that has it. */
export const SET_HELP =
  'set a parameter: NAME=VALUE,VALUE replaces its values, NAME+=VALUE adds one, such as allow.binaries=/usr/bin/tar';

export function addPolicyCommands(
  program: Command,
  context: Context,
  version: string,
  done: (status: number) => void,
): void {
  const library = program.command('policies').description('Show and update the policies of this package');
  library
    .command('list')
    .description('List the policies of the package')
    .addOption(new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table'))
    .action(async ({ output }: { readonly output: 'table' | 'json' }) => {
      const policies = context.api.policyLibrary();
      const rows = policies.map(({ name, severity, maturity, summary }) => [
        LIBRARY_PREFIX + name,
        severity,
        maturity,
        summary,
      ]);
      await print(
        context.stdout,
        output === 'json'
          ? formatJson(policies)
          : formatTable([['POLICY', 'SEVERITY', 'MATURITY', 'WHAT IT REPORTS'], ...rows]),
      );
      done(SUCCESS);
    });
  library
    .command('show')
    .description('Print the file of a policy of the package')
    .argument('<name>', 'name of the policy')
    .option('--set <setting...>', SET_HELP)
    .addHelpText('after', '\n  polytrace policies show egress --set private-networks+=203.0.113.0/24 > egress.yaml\n')
    .action(async (name: string, { set }: { readonly set?: readonly string[] }) => {
      const path = isLibraryPolicy(name) ? name : LIBRARY_PREFIX + name;
      const text = context.api.loadPolicyFile(path);
      await print(
        context.stdout,
        set === undefined ? text : context.api.setPolicyParameters(text, set, { file: path }),
      );
      done(SUCCESS);
    });
  library
    .command('parameters')
    .description('List the parameters of a policy, with their values')
    .argument('<name>', 'name of the policy')
    .addOption(new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table'))
    .action(async (name: string, { output }: { readonly output: 'table' | 'json' }) => {
      const text = context.api.loadPolicyFile(isLibraryPolicy(name) ? name : LIBRARY_PREFIX + name);
      const parameters = context.api.listPolicyParameters(text);
      const rows = parameters.map((each) => [each.name, each.values.length === 0 ? '-' : each.values.join(',')]);
      await print(
        context.stdout,
        output === 'json' ? formatJson(parameters) : formatTable([['PARAMETER', 'VALUES'], ...rows]),
      );
      done(SUCCESS);
    });

  addLibraryCommands(library, context, version, done);

  program
    .command('schema')
    .description('Print the JSON Schema of the policy format, for editors')
    .action(async () => {
      await print(context.stdout, formatJson(context.api.policySchema()));
      done(SUCCESS);
    });

  program
    .command('completion')
    .description('Print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'name of the shell').choices([...SHELLS]))
    .addHelpText(
      'after',
      '\n  source <(polytrace completion bash)\n  polytrace completion zsh > "${fpath[1]}/_polytrace"\n  polytrace completion fish > ~/.config/fish/completions/polytrace.fish\n',
    )
    .action(async (shell: Shell) => {
      await print(context.stdout, completionScript(program, shell));
      done(SUCCESS);
    });
}
