/** `polytrace lock diff`, `explain` and `policy`: lock files of behaviour for people, and for the kernel. */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import type { LockFact } from '../../types/index.js';
import { POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import { print } from './output.js';
import { escapeControls } from '../output/terminal-text.js';

/** The words of facts, for people. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  secret: 'reads a file with secrets',
  memory: 'reads or writes the memory or the environment of another process',
  kernel: 'changes the kernel',
  privilege: 'changes its privileges',
  mount: 'mounts',
  signal: 'sends a signal to a process outside of the run',
  unseen: 'does something that is not seen completely',
  write: 'writes a file outside of the working folder',
  remove: 'removes a file outside of the working folder',
  rename: 'renames a file outside of the working folder',
  mode: 'changes permissions outside of the working folder',
  connect: 'connects to',
  dns: 'asks for the address of',
  listen: 'listens on',
  exec: 'executes',
  read: 'reads a file outside of the working folder',
};

function readLockFile(path: string, { api }: Context): LockFact[] {
  try {
    return api.parseLock(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error)
      throw new UsageError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? error.message}`);
    throw error;
  }
}

export function addLockCommands(program: Command, context: Context, done: (status: number) => void): void {
  const lock = program.command('lock').description('Compare and explain lock files of `polytrace run --lock`');
  lock
    .command('diff')
    .description('Print what the second file has and the first has not (+), and the other way round (-)')
    .argument('<before>', 'lock file')
    .argument('<after>', 'lock file')
    .action(async (before: string, after: string) => {
      done(await printDifference(before, after, context));
    });
  lock
    .command('explain')
    .description('Say in words what the packages of a lock file do')
    .argument('<file>', 'lock file')
    .action(async (file: string) => {
      await print(context.stdout, explainLock(readLockFile(file, context)));
      done(SUCCESS);
    });
  lock
    .command('policy')
    .description('Print a policy that reports what the lock file does not have')
    .argument('<file>', 'lock file')
    .option('--section <package>', 'only this package; . is the command itself')
    .option('--var <name=folder>', 'folder of PWD (always needed), HOME, TMP or CACHE; can be repeated', addPair, {})
    .option('--address <host=network>', 'address or network of a host name; can be repeated', addPair, {})
    .option('--program <path>', 'only about this program and all that it starts; can be repeated', addText, [])
    .action(async (file: string, { section, var: variables, address: addresses, program: programs }: PolicyOptions) => {
      const facts = readLockFile(file, context);
      const options = { variables, addresses, programs, ...(section === undefined ? {} : { section }) };
      await print(context.stdout, context.api.lockPolicy(facts, options));
      done(SUCCESS);
    });
}

interface PolicyOptions {
  readonly section?: string;
  readonly var: Readonly<Record<string, readonly string[]>>;
  readonly address: Readonly<Record<string, readonly string[]>>;
  readonly program: readonly string[];
}

const addText = (text: string, before: readonly string[]): readonly string[] => [...before, text];

function addPair(
  text: string,
  before: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, readonly string[]>> {
  const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('it has the form NAME=VALUE.');
  return { ...before, [name]: [...(before[name] ?? []), value] };
}

async function printDifference(before: string, after: string, context: Context): Promise<number> {
  const { added, removed } = context.api.compareLocks(readLockFile(before, context), readLockFile(after, context));
  const lines = [...removed.map((fact) => ['-', fact] as const), ...added.map((fact) => ['+', fact] as const)];
  lines.sort(([, one], [, other]) => (formatFactKey(one) < formatFactKey(other) ? -1 : 1));
  const text = lines.map(([sign, { package: name, fact }]) => `${sign} ${name === '.' ? fact : `${name}: ${fact}`}\n`);
  await print(context.stdout, escapeControls(text.join('')));
  return added.length > 0 ? POLICY_ERRORS : SUCCESS;
}

const formatFactKey = ({ package: name, fact }: LockFact): string => `${name}\0${fact}`;

function explainLock(facts: readonly LockFact[]): string {
  const packages = new Map<string, string[]>();
  for (const { package: name, fact } of facts) {
    const [, script, kind = '', subject = ''] = /^(?:(\S+): )?(\S+) (.*)$/s.exec(fact) ?? [];
    const what = `${EXPLANATIONS[kind] ?? kind} ${subject}`;
    const lines = packages.get(name) ?? [];
    lines.push(script === undefined ? what : `in its script ${script}, ${what}`);
    packages.set(name, lines);
  }
  const sections = [...packages].map(
    ([name, lines]) => `${name === '.' ? 'The command' : name}:\n${lines.map((line) => `  - ${line}\n`).join('')}`,
  );
  return escapeControls(
    sections.length === 0 ? 'The command does nothing outside of its folder.\n' : sections.join('\n'),
  );
}
