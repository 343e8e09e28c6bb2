/** Writes the help of the command line into docs/cli.md and the manual page. */
import { Writable } from 'node:stream';
import * as agent from '../agent/lib/index.js';
import type { Context } from '../lib/cli/context.js';
import * as api from '../lib/index.js';
import { buildCommandLine, runCommand } from '../lib/cli/program.js';
import { manPage } from './man-page.js';

/** Returns the output of `polytrace COMMAND --help`. Without a command, the help of the program. */
async function commandHelp(command?: string): Promise<string> {
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  await inEightyColumns(() => runCommand([...(command === undefined ? [] : [command]), '--help'], helpContext(stdout)));
  return text;
}

function helpContext(stdout: Writable): Context {
  const exit = (): void => undefined;
  const streams = { stdin: process.stdin, stdout, stderr: stdout, signals: process };
  return { api, agentPackage: () => agent, env: {}, exit, ...streams };
}

/** Returns the text of man/polytrace.1. */
export function manualText(): string {
  return manPage(buildCommandLine(helpContext(new Writable()), () => undefined));
}

/** Runs an action without a terminal, whose width would change the line breaks. */
async function inEightyColumns<T>(action: () => Promise<T>): Promise<T> {
  const { isTTY } = process.stdout;
  process.stdout.isTTY = false;
  try {
    return await action();
  } finally {
    process.stdout.isTTY = isTTY;
  }
}

/** Returns the names of the commands from the help of the program, without `help`. */
export async function commandNames(): Promise<string[]> {
  const [, list = ''] = /^Commands:\n([^]*?)\n\n/m.exec(await commandHelp()) ?? [];
  const names = [...list.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name ?? '');
  return names.filter((name) => name !== 'help');
}

/**
 * Returns the page with the current help between `<!-- help COMMAND -->` and `<!-- /help -->`. The command `polytrace`
 * is the program itself.
 */
export async function withHelp(page: string): Promise<string> {
  let text = page;
  for (const [block, name = ''] of page.matchAll(/<!-- help (\w+) -->[^]*?<!-- \/help -->/g)) {
    const help = await commandHelp(name === 'polytrace' ? undefined : name);
    const content = `<!-- help ${name} -->\n\n\`\`\`text\n${help.trim()}\n\`\`\`\n\n<!-- /help -->`;
    text = text.replace(block, () => content);
  }
  return text;
}
