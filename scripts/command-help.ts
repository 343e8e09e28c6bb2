/** The help of the command line, as docs/cli.md shows it. */
import { Writable } from 'node:stream';
import * as agent from '../agent/lib/index.js';
import type { Context } from '../lib/cli/context.js';
import * as api from '../lib/index.js';
import { commandLine, runCommand } from '../lib/cli/program.js';
import { manPage } from './man-page.js';

/** What `polytrace COMMAND --help` prints to a pipe; of the program itself, without COMMAND. */
async function helpOf(command?: string): Promise<string> {
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  await inEightyColumns(() => runCommand([...(command === undefined ? [] : [command]), '--help'], contextOf(stdout)));
  return text;
}

function contextOf(stdout: Writable): Context {
  const exit = (): void => undefined;
  const streams = { stdin: process.stdin, stdout, stderr: stdout, signals: process };
  return { api, agentPackage: () => agent, env: {}, exit, ...streams };
}

/** The text of man/polytrace.1. */
export function manual(): string {
  return manPage(commandLine(contextOf(new Writable()), () => undefined));
}

/** A terminal of another width would change where lines break. */
async function inEightyColumns<T>(action: () => Promise<T>): Promise<T> {
  const { isTTY } = process.stdout;
  process.stdout.isTTY = false;
  try {
    return await action();
  } finally {
    process.stdout.isTTY = isTTY;
  }
}

/** The names of the commands, from the help of the program; `help` explains only itself. */
export async function commandNames(): Promise<string[]> {
  const [, list = ''] = /^Commands:\n([^]*?)\n\n/m.exec(await helpOf()) ?? [];
  const names = [...list.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name ?? '');
  return names.filter((name) => name !== 'help');
}

/** The page with the help of now between `<!-- help COMMAND -->` and `<!-- /help -->`; `polytrace` is the program itself. */
export async function withHelp(page: string): Promise<string> {
  let text = page;
  for (const [block, name = ''] of page.matchAll(/<!-- help (\w+) -->[^]*?<!-- \/help -->/g)) {
    const help = await helpOf(name === 'polytrace' ? undefined : name);
    const shown = `<!-- help ${name} -->\n\n\`\`\`text\n${help.trim()}\n\`\`\`\n\n<!-- /help -->`;
    text = text.replace(block, () => shown);
  }
  return text;
}
