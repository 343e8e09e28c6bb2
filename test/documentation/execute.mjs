// Executes the blocks of pages as a reader would, in an empty folder with the package installed:
// node execute.mjs FOLDER PAGE... FOLDER has app/ (an installed package) and prints a line of JSON for each block.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { matchLines, readBlocks, readTranscript, splitStatements } from './blocks.mjs';
import { Terminals } from './terminals.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** The guest is emulated. On a busy machine, a container with the agent needs some minutes there. */
const COMMAND_MS = 480_000;
const OUTPUT_MS = 60_000;

const isComplete = (script) => spawnSync('bash', ['-n'], { input: script }).status === 0;

/** Runs a page. Yields `{ page, line, language, result, problem }` for each block. */
async function* executePage(page, folder) {
  const cwd = join(folder, 'pages', page.replaceAll(/\W/g, '-'));
  mkdirSync(cwd, { recursive: true });
  cpSync(join(folder, 'app'), cwd, { recursive: true, verbatimSymlinks: true });
  // what a page installs globally comes before what the folder had
  const { PATH, npm_config_prefix: prefix } = process.env;
  const env = { ...process.env, CHECKOUT: root, PATH: `${prefix}/bin:${cwd}/node_modules/.bin:${PATH}` };
  const terminals = new Terminals(cwd, env);
  let position = 0;

  /** The lines of the program in the first terminal, from the last one that was expected. */
  async function expectLines(expected) {
    if (terminals.program === undefined) throw new Error('no program runs in the first terminal');
    const { lines, hasEnded } = terminals.program;
    const match = () => matchLines(expected, lines.all, position);
    await lines.waitFor(() => (match().missing === undefined ? true : undefined), hasEnded ? 0 : OUTPUT_MS);
    const { next, missing } = match();
    position = next;
    if (missing !== undefined) throw new Error(`expected the line\n  ${missing}\nof\n  ${lines.all.join('\n  ')}`);
  }

  async function runFirst(command, { status = '0' }) {
    position = 0;
    const program = await terminals.runFirst(command, COMMAND_MS);
    if (program.hasEnded && String(program.status) !== status)
      throw new Error(`${command}\nended with status ${program.status}:\n${program.lines.all.join('\n')}`);
  }

  async function runSecond(command, expected = []) {
    const { lines } = await terminals.runSecond(command, COMMAND_MS);
    const { missing } = matchLines(expected, lines);
    if (missing !== undefined)
      throw new Error(`second# ${command}\nexpected the line\n  ${missing}\nof\n  ${lines.join('\n  ')}`);
  }

  /** Runs a command of a comment, which has to succeed. */
  async function runBeside(command) {
    const { status, lines } = await terminals.runSecond(command, COMMAND_MS);
    if (status !== 0) throw new Error(`${command}\nended with status ${status}:\n${lines.join('\n')}`);
  }

  async function execute({ line, language, text, marks }) {
    if (marks.before !== undefined) await runBeside(marks.before);
    if (marks.file !== undefined) writeFileSync(join(terminals.cwd, marks.file), `${text}\n`);
    else if (language === 'sh')
      for (const statement of splitStatements(text, isComplete)) await runFirst(statement, marks);
    else if (language === 'console')
      for (const { terminal, command, shown } of readTranscript(text)) {
        if (terminal === 'second') await runSecond(command, shown);
        else if (command !== undefined) await runFirst(command, marks);
        if (terminal === 'first') await expectLines(shown);
      }
    else if (language === 'js' || language === 'ts') {
      const file = `program-${line}.${language === 'js' ? 'mjs' : 'mts'}`;
      writeFileSync(join(terminals.cwd, file), `${text}\n`);
      await runFirst(language === 'js' ? `node ${file}` : `npx tsc --noEmit --strict --module nodenext ${file}`, marks);
    } else throw new Error(`a block of ${language} needs a comment: file="…", shown-by="TEST" or skip="REASON"`);
    if (marks.during !== undefined) await runBeside(marks.during);
    if (marks.shows !== undefined) await expectLines(marks.shows.split('\n'));
  }

  for (const block of readBlocks(page, readFileSync(join(root, page), 'utf8'))) {
    const { line, language, marks } = block;
    const row = { page, line, language };
    if (marks.skip !== undefined) yield { ...row, result: 'not run', problem: marks.skip };
    else if (marks['shown-by'] !== undefined) yield { ...row, result: 'compared', problem: marks['shown-by'] };
    else {
      const started = Date.now();
      try {
        await execute(block);
        yield { ...row, result: 'ok', seconds: Math.round((Date.now() - started) / 1000) };
      } catch (error) {
        yield { ...row, result: 'FAILED', problem: error.message };
      }
    }
  }
  await terminals.close();
}

const [folder, ...pages] = process.argv.slice(2);
for (const page of pages) for await (const row of executePage(page, folder)) console.log(JSON.stringify(row));
process.exit(0);
