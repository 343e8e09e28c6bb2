/** Options of commands that select processes by their containers, and by themselves. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { UsageError } from './context.js';
import { parseList } from './event-options.js';
import type { ContainerFilters } from './proc.js';

/** The options as commander gives them. */
export interface ProcessOptions {
  readonly pid?: readonly number[];
  readonly binary?: readonly string[];
  readonly comm?: readonly string[];
  readonly containers?: readonly string[];
  readonly pods?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly host?: boolean;
}

export function addProcessOptions(command: Command): Command {
  return command
    .option('--pid <number...>', 'only these processes', parsePids)
    .option('--binary <path...>', 'only programs with this path, or this end of it, such as nginx', parseList)
    .addOption(new Option('--comm <name...>', 'the same as --binary').argParser(parseList))
    .option('--containers <regex...>', 'only containers whose name matches', parseTexts)
    .option('--pods <regex...>', 'only pods whose name matches', parseTexts)
    .option('-n, --namespaces <name...>', "only pods in these namespaces; '' is outside of pods", parseList)
    .option('--host', 'only processes in no container');
}

export function parseTexts(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

const PID_MAX = 4_194_304;

function parsePids(text: string, before: readonly number[] = []): number[] {
  const pids = text.split(',').map((each) => (/^\d{1,10}$/.test(each) ? Number(each) : 0));
  if (pids.some((pid) => pid < 1 || pid > PID_MAX))
    throw new InvalidArgumentError(`A process id is a number from 1 to ${PID_MAX}.`);
  return [...before, ...pids];
}

/** `note` follows the reason in the message about a pattern that is no regular expression. */
export function compilePatterns(
  option: string,
  patterns: readonly string[] | undefined,
  note = '',
): RegExp[] | undefined {
  return patterns?.map((pattern) => {
    try {
      return new RegExp(pattern);
    } catch (error) {
      throw new UsageError(`${option} '${pattern}': ${error instanceof Error ? error.message : String(error)}${note}`);
    }
  });
}

/** Returns the filters of the options that are given, with regular expressions for names. */
export function compileContainerFilters({ containers, pods, namespaces, host }: ProcessOptions): ContainerFilters {
  const all = {
    containers: compilePatterns('--containers', containers),
    pods: compilePatterns('--pods', pods),
    namespaces,
    host,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Returns a test of a process by its id and the paths of its executable. */
export function processTest({ pid: pids = [], binary = [], comm = [] }: ProcessOptions): (pid: number, ...paths: readonly string[]) => boolean {
  const ends = [...binary, ...comm].map((path) => (path.startsWith('/') ? path : `/${path}`));
  return (pid, ...paths) =>
    (pids.length === 0 || pids.includes(pid)) &&
    (ends.length === 0 || ends.some((end) => paths.some((path) => path.endsWith(end))));
} // prettier-ignore
