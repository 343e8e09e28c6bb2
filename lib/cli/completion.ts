/** `polytrace completion`: completion scripts for shells, generated from the definition of the command line. */
import type { Argument, Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
/** A function of bash and zsh: the names of the kernel's hooks that begin with a text of at least 3 characters. */
const HOOK_NAMES = '_polytrace_hooks() { [ "${#1}" -lt 3 ] || polytrace hooks list "$1*" -o names 2>/dev/null; }';
const FISH_HOOK_NAMES = `function _polytrace_hooks
  test (string length -- "$argv[1]") -ge 3; and polytrace hooks list "$argv[1]*" -o names 2>/dev/null
end`;

/** The arguments of these subcommands are names of hooks. */
const completesHooks = (command: Command): boolean =>
  [command, command.parent].some((each) => each?.name() === 'hooks');

/** The options of a command, and of its subcommands. */
function allOptions(command: Command): readonly Option[] {
  const all = [command, ...command.commands].flatMap(visibleOptions);
  return [...new Map(all.map((option) => [option.long, option])).values()];
}

export type Shell = (typeof SHELLS)[number];

export function completionScript(program: Command, shell: Shell): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](program);
}

const argumentChoices = (definition: Option | Argument): readonly string[] => definition.argChoices ?? [];

/** An option is completed with its choices, or with file names if its value is a file. */
function bashScript(program: Command): string {
  const commands = program.commands;
  const names = commands.map((command) => command.name()).join(' ');
  const cases = commands.map((command) => {
    const options = allOptions(command);
    const values = options.filter((option) => option.required || option.optional).map((option) => bashValue(option));
    const flags = options.flatMap((option) => [option.short, option.long]).filter((flag) => flag !== undefined);
    const plain = [
      ...command.commands.map((each) => each.name()),
      ...command.registeredArguments.flatMap(argumentChoices),
    ];
    const names = completesHooks(command)
      ? '\n      case "$previous" in show|list) others="$(_polytrace_hooks "$current")" ;; esac'
      : '';
    return `    ${command.name()})
      case "$previous" in
${values.join('\n')}
      esac
      words="${flags.join(' ')}"
      others="${plain.join(' ')}"${names}
      ;;`;
  });
  return `# polytrace completion for bash: source this file.
${HOOK_NAMES}
_polytrace() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words="" others=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names} help --help --version" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    help) others="${names}" ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *)
      if [ -n "$others" ]; then
        COMPREPLY=($(compgen -W "$others" -- "$current"))
      else
        COMPREPLY=($(compgen -f -- "$current"))
      fi
      ;;
  esac
}
complete -o filenames -F _polytrace polytrace
`;
}

function bashValue(option: Option): string {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined).join('|');
  const choices = argumentChoices(option);
  const kind = choices.length > 0 ? `-W "${choices.join(' ')}"` : takesFile(option) ? '-f' : '-W ""';
  return `        ${flags}) COMPREPLY=($(compgen ${kind} -- "$current")); return ;;`;
}

function zshScript(program: Command): string {
  const commands = program.commands;
  const described = commands.map((command) => `    '${command.name()}:${escapeDescription(command.description())}'`);
  const cases = commands.map((command) => {
    const subcommands = command.commands.map((each) => each.name()).join(' ');
    const specs = [
      ...allOptions(command).flatMap(zshOption),
      ...(subcommands === '' ? [] : [`1:command:(${subcommands})`]),
      ...(completesHooks(command) ? ['*:hook:{compadd -- ${(f)"$(_polytrace_hooks "$PREFIX")"}}'] : []),
      ...command.registeredArguments.map(zshArgument),
    ];
    return `    ${command.name()})\n      _arguments \\\n${specs.map((spec) => `        '${spec}'`).join(' \\\n')}\n      ;;`;
  });
  return `#compdef polytrace
# polytrace completion for zsh: put this file into a folder of $fpath as _polytrace.
${HOOK_NAMES}
_polytrace() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_polytrace" ]; then _polytrace "$@"; else compdef _polytrace polytrace; fi
`;
}

function zshOption(option: Option): string[] {
  const choices = argumentChoices(option);
  const value = choices.length > 0 ? `:value:(${choices.join(' ')})` : takesFile(option) ? ':file:_files' : ':value: ';
  const tail = option.required || option.optional ? value : '';
  const many = option.variadic ? '*' : '';
  return [option.short, option.long]
    .filter((flag) => flag !== undefined)
    .map((flag) => `${many}${flag}[${escapeDescription(option.description)}]${tail}`);
}

function zshArgument(argument: Argument): string {
  const choices = argumentChoices(argument);
  const values = choices.length > 0 ? `(${choices.join(' ')})` : '_files';
  return `${argument.variadic ? '*' : ''}:${escapeDescription(argument.description)}:${values}`;
}

function fishScript(program: Command): string {
  const names = program.commands.map((command) => command.name());
  const isFirstCondition = `not __fish_seen_subcommand_from ${names.join(' ')}`;
  const lines = program.commands.flatMap((command) => [
    fishLine(isFirstCondition, `-f -a ${command.name()}`, command.description()),
    ...fishCommand(command, `__fish_seen_subcommand_from ${command.name()}`),
  ]);
  return `# polytrace completion for fish: save it as ~/.config/fish/completions/polytrace.fish.
${FISH_HOOK_NAMES}
complete -c polytrace -e
${lines.join('\n')}
`;
}

/**
 * Completes what follows a command: its subcommands, its options and its arguments. `condition` tests for the command.
 */
function fishCommand(command: Command, condition: string): string[] {
  const names = command.commands.map((each) => each.name());
  const isFirstCondition = `${condition}; and not __fish_seen_subcommand_from ${names.join(' ')}`;
  const commandLines = command.commands.flatMap((each) => [
    fishLine(isFirstCondition, `-f -a ${each.name()}`, each.description()),
    ...fishCommand(each, `${condition}; and __fish_seen_subcommand_from ${each.name()}`),
  ]);
  const optionLines = visibleOptions(command).map((option) =>
    fishLine(condition, fishOption(option), option.description),
  );
  const argumentLines = command.registeredArguments
    .filter((argument) => argumentChoices(argument).length > 0)
    .map((argument) => fishLine(condition, `-f -a '${argumentChoices(argument).join(' ')}'`, argument.description));
  const takesHook = completesHooks(command) && command.registeredArguments.length > 0;
  const hookLines = takesHook ? [fishLine(condition, "-f -a '(_polytrace_hooks (commandline -ct))'", 'hook')] : [];
  return [...commandLines, ...optionLines, ...argumentLines, ...hookLines];
}

function fishOption(option: Option): string {
  // An option with two long names has the first of them in `short`.
  const names = [option.short, option.long]
    .filter((name) => name !== undefined)
    .map((name) => name.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s '));
  const choices = argumentChoices(option);
  const value = choices.length > 0 ? `-x -a '${choices.join(' ')}'` : takesFile(option) ? '-r -F' : '-x';
  return [...names, ...(option.required || option.optional ? [value] : [])].join(' ');
}

function fishLine(condition: string, flags: string, description: string): string {
  return `complete -c polytrace -n '${condition}' ${flags} -d '${description.replace(/[\\']/g, '\\$&')}'`;
}

function visibleOptions(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

function takesFile(option: Option): boolean {
  return /<(file|file-or-folder)/.test(option.flags);
}

/** Escapes characters that have a meaning in a quoted description of zsh. */
function escapeDescription(text: string): string {
  return text.replaceAll("'", "'\\''").replace(/[[\]:]/g, ' ');
}
