/** `polytrace completion`: completion scripts for shells, generated from the definition of the command line. */
import type { Argument, Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completion(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](program);
}

const choicesOf = (of: Option | Argument): readonly string[] => of.argChoices ?? [];

/** Words after an option are its choices, or file names when the option has a file. */
function bash(program: Command): string {
  const commands = program.commands;
  const names = commands.map((command) => command.name()).join(' ');
  const cases = commands.map((command) => {
    const options = visible(command);
    const values = options.filter((option) => option.required || option.optional).map((option) => bashValue(option));
    const words = options.flatMap((option) => [option.short, option.long]).filter((word) => word !== undefined);
    const plain = command.registeredArguments.flatMap(choicesOf);
    return `    ${command.name()})
      case "$previous" in
${values.join('\n')}
      esac
      words="${words.join(' ')}"
      others="${plain.join(' ')}"
      ;;`;
  });
  return `# polytrace completion for bash: source this file.
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
  const flags = [option.short, option.long].filter((word) => word !== undefined).join('|');
  const choices = choicesOf(option);
  const kind = choices.length > 0 ? `-W "${choices.join(' ')}"` : takesFile(option) ? '-f' : '-W ""';
  return `        ${flags}) COMPREPLY=($(compgen ${kind} -- "$current")); return ;;`;
}

function zsh(program: Command): string {
  const commands = program.commands;
  const described = commands.map((command) => `    '${command.name()}:${plain(command.description())}'`);
  const cases = commands.map((command) => {
    const specs = [...visible(command).flatMap(zshOption), ...command.registeredArguments.map(zshArgument)];
    return `    ${command.name()})\n      _arguments \\\n${specs.map((spec) => `        '${spec}'`).join(' \\\n')}\n      ;;`;
  });
  return `#compdef polytrace
# polytrace completion for zsh: put this file into a folder of $fpath as _polytrace.
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
  const choices = choicesOf(option);
  const value = choices.length > 0 ? `:value:(${choices.join(' ')})` : takesFile(option) ? ':file:_files' : ':value: ';
  const tail = option.required || option.optional ? value : '';
  const many = option.variadic ? '*' : '';
  return [option.short, option.long]
    .filter((word) => word !== undefined)
    .map((word) => `${many}${word}[${plain(option.description)}]${tail}`);
}

function zshArgument(argument: Argument): string {
  const choices = choicesOf(argument);
  const values = choices.length > 0 ? `(${choices.join(' ')})` : '_files';
  return `${argument.variadic ? '*' : ''}:${plain(argument.description)}:${values}`;
}

function fish(program: Command): string {
  const names = program.commands.map((command) => command.name());
  const isFirst = `not __fish_seen_subcommand_from ${names.join(' ')}`;
  const lines = program.commands.flatMap((command) => [
    fishLine(isFirst, `-f -a ${command.name()}`, command.description()),
    ...fishCommand(command, `__fish_seen_subcommand_from ${command.name()}`),
  ]);
  return `# polytrace completion for fish: save it as ~/.config/fish/completions/polytrace.fish.
complete -c polytrace -e
${lines.join('\n')}
`;
}

/** The lines of a command that was written: its own commands, its options, and its arguments. */
function fishCommand(command: Command, isWritten: string): string[] {
  const names = command.commands.map((each) => each.name());
  const isFirst = `${isWritten}; and not __fish_seen_subcommand_from ${names.join(' ')}`;
  const ofCommands = command.commands.flatMap((each) => [
    fishLine(isFirst, `-f -a ${each.name()}`, each.description()),
    ...fishCommand(each, `${isWritten}; and __fish_seen_subcommand_from ${each.name()}`),
  ]);
  const ofOptions = visible(command).map((option) => fishLine(isWritten, fishOption(option), option.description));
  const ofArguments = command.registeredArguments
    .filter((argument) => choicesOf(argument).length > 0)
    .map((argument) => fishLine(isWritten, `-f -a '${choicesOf(argument).join(' ')}'`, argument.description));
  return [...ofCommands, ...ofOptions, ...ofArguments];
}

function fishOption(option: Option): string {
  // The first of two long names is the short one of commander.
  const names = [option.short, option.long]
    .filter((name) => name !== undefined)
    .map((name) => name.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s '));
  const choices = choicesOf(option);
  const value = choices.length > 0 ? `-x -a '${choices.join(' ')}'` : takesFile(option) ? '-r -F' : '-x';
  return [...names, ...(option.required || option.optional ? [value] : [])].join(' ');
}

function fishLine(condition: string, words: string, description: string): string {
  return `complete -c polytrace -n '${condition}' ${words} -d '${description.replace(/[\\']/g, '\\$&')}'`;
}

function visible(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

function takesFile(option: Option): boolean {
  return /<(file|file-or-folder)/.test(option.flags);
}

/** Escapes characters that would end a quoted description or a part of it. */
function plain(text: string): string {
  return text.replaceAll("'", "'\\''").replace(/[[\]:]/g, ' ');
}
