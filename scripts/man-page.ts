/** Generates the manual page from the definition of the command line. */
import type { Argument, Command, Option } from 'commander';

export function manPage(program: Command): string {
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  const after = textAfterHelp(program);
  return [
    `.TH POLYTRACE 1 "" "polytrace ${program.version() ?? ''}" "User Commands"`,
    '.SH NAME',
    `polytrace \\- ${escapeRoff(program.description())}`,
    '.SH SYNOPSIS',
    `.B polytrace`,
    escapeRoff(program.usage()),
    '.SH OPTIONS',
    ...program.createHelp().visibleOptions(program).flatMap(formatEntry),
    '.SH COMMANDS',
    ...commands.flatMap(formatSection),
    '.SH EXIT STATUS',
    ...formatExample(after.replace(/^\s*Exit status:\n/, '')),
    '.SH SEE ALSO',
    escapeRoff('The pages in the folder docs of the package, which begin with docs/README.md.'),
    '',
  ].join('\n');
}

function formatSection(command: Command): string[] {
  const help = command.createHelp();
  return [
    `.SS ${escapeRoff(commandName(command))}`,
    ...escapeLines(command.description()),
    '.PP',
    `.B ${escapeRoff(`${commandName(command)} ${command.usage()}`)}`,
    ...help.visibleArguments(command).flatMap(formatEntry),
    ...help.visibleOptions(command).flatMap(formatEntry),
    ...formatExample(textAfterHelp(command)),
  ];
}

function commandName(command: Command): string {
  return command.parent === null ? command.name() : `${commandName(command.parent)} ${command.name()}`;
}

function formatEntry(definition: Option | Argument): string[] {
  const term = 'flags' in definition ? definition.flags : definition.name();
  const choices = definition.argChoices === undefined ? [] : [`choices: ${definition.argChoices.join(', ')}`];
  const fallback = definition.defaultValue as string | number | boolean | readonly string[] | undefined;
  const notes = [...choices, ...(fallback === undefined ? [] : [`default: ${String(fallback)}`])].join('; ');
  return [
    '.TP',
    `.B ${escapeRoff(term)}`,
    ...escapeLines(notes === '' ? definition.description : `${definition.description} (${notes})`),
  ];
}

/** Returns the text that addHelpText has added after the help. */
function textAfterHelp(command: Command): string {
  let text = '';
  // The types of commander do not declare that a command is an event emitter.
  (command as unknown as NodeJS.EventEmitter).emit('afterHelp', {
    error: false,
    command,
    write: (part: string) => (text += part),
  });
  return text;
}

/** Formats text with its line breaks. */
function formatExample(text: string): string[] {
  const trimmed = text.replace(/^\n+|\s+$/g, '');
  return trimmed === '' ? [] : ['.PP', '.EX', ...escapeLines(trimmed), '.EE'];
}

function escapeLines(text: string): string[] {
  return text.split('\n').map(escapeRoff);
}

/**
 * Escapes characters that have a meaning in roff: backslash, minus, and a dot or an apostrophe at the start of a line.
 */
function escapeRoff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
