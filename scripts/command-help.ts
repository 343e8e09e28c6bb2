/** The help of the command line, as docs/cli.md shows it. */
import { Writable } from 'node:stream';
import * as agent from '../agent/lib/index.js';
import * as api from '../lib/index.js';
import { runCommand } from '../lib/cli/program.js';

/** What `polytrace COMMAND --help` prints to a pipe; of the program itself, without COMMAND. */
async function helpOf(command?: string): Promise<string> {
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const exit = (): void => undefined;
  const context = {
    api,
    agentPackage: () => agent,
    stdin: process.stdin,
    stdout,
    stderr: stdout,
    env: {},
    signals: process,
    exit,
  };
  await inEightyColumns(() => runCommand([...(command === undefined ? [] : [command]), '--help'], context));
  return text;
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
