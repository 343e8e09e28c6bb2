/** The manual page of the command, made from the definition of its command line. */
import type { Argument, Command, Option } from 'commander';

export function manPage(program: Command): string {
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  const after = textAfter(program);
  return [
    `.TH POLYTRACE 1 "" "polytrace ${program.version() ?? ''}" "User Commands"`,
    '.SH NAME',
    `polytrace \\- ${escaped(program.description())}`,
    '.SH SYNOPSIS',
    `.B polytrace`,
    escaped(program.usage()),
    '.SH OPTIONS',
    ...program.createHelp().visibleOptions(program).flatMap(entry),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH EXIT STATUS',
    ...example(after.replace(/^\s*Exit status:\n/, '')),
    '.SH SEE ALSO',
    escaped('The pages in the folder docs of the package, which begin with docs/README.md.'),
    '',
  ].join('\n');
}

function section(command: Command): string[] {
  const help = command.createHelp();
  return [
    `.SS ${escaped(nameOf(command))}`,
    ...lines(command.description()),
    '.PP',
    `.B ${escaped(`${nameOf(command)} ${command.usage()}`)}`,
    ...help.visibleArguments(command).flatMap(entry),
    ...help.visibleOptions(command).flatMap(entry),
    ...example(textAfter(command)),
  ];
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function entry(of: Option | Argument): string[] {
  const term = 'flags' in of ? of.flags : of.name();
  const choices = of.argChoices === undefined ? [] : [`choices: ${of.argChoices.join(', ')}`];
  const usual: unknown = of.defaultValue;
  const notes = [...choices, ...(usual === undefined ? [] : [`default: ${String(usual)}`])].join('; ');
  return ['.TP', `.B ${escaped(term)}`, ...lines(notes === '' ? of.description : `${of.description} (${notes})`)];
}

/** The text that addHelpText has put after the help. */
function textAfter(command: Command): string {
  let text = '';
  // Its types do not say that it is one.
  (command as unknown as NodeJS.EventEmitter).emit('afterHelp', {
    error: false,
    command,
    write: (part: string) => (text += part),
  });
  return text;
}

/** Text whose line breaks stay. */
function example(text: string): string[] {
  const trimmed = text.replace(/^\n+|\s+$/g, '');
  return trimmed === '' ? [] : ['.PP', '.EX', ...lines(trimmed), '.EE'];
}

function lines(text: string): string[] {
  return text.split('\n').map(escaped);
}

/** A backslash and a minus have a meaning in roff, and so have a dot and an apostrophe at the start of a line. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
