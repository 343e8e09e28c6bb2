/** Reads the definition of the command line: the names of its commands, and its manual page. */
import { Writable } from 'node:stream';
import * as agent from '../agent/lib/index.js';
import * as api from '../lib/index.js';
import { buildCommandLine } from '../lib/cli/program.js';
import { manPage } from './man-page.js';

function buildProgram(): ReturnType<typeof buildCommandLine> {
  const nowhere = new Writable();
  const streams = { stdin: process.stdin, stdout: nowhere, stderr: nowhere, signals: process };
  const context = { api, agentPackage: () => agent, env: {}, exit: (): void => undefined, ...streams };
  return buildCommandLine(context, () => undefined);
}

/** Returns the text of man/polytrace.1. */
export const manualText = (): string => manPage(buildProgram());

/** Returns the names of the commands. */
export const commandNames = (): string[] => buildProgram().commands.map((command) => command.name());

/** Returns the options of a command, such as --lock. */
export const commandOptions = (name: string): string[] =>
  buildProgram()
    .commands.filter((command) => command.name() === name)
    .flatMap((command) => command.options.flatMap(({ long }) => (long === null || long === undefined ? [] : [long])));
