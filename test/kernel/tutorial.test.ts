/** The commands of docs/tutorial.md, run in a shell under its policies, give the lines that the page shows. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatCompact } from '../../lib/index.js';
import type { TracerEvent, TracerOptions } from '../../types/index.js';
import { checkout, describeOn, Recording } from './support.js';

const page = readFileSync(join(checkout, 'docs/tutorial.md'), 'utf8');

/** A tracer of the tutorial: its options, the lines typed in the second terminal, and the lines that it prints. */
interface Step {
  readonly options: readonly string[];
  readonly typed: string[];
  readonly shown: string[];
}

function parseSteps(): Step[] {
  const found: Step[] = [];
  for (const line of page.split('\n')) {
    const [, options] = /^# npx polytrace getevents(.*)$/.exec(line) ?? [];
    const [, typed] = /^second# (.*)$/.exec(line) ?? [];
    if (options !== undefined) found.push({ options: options.trim().split(' '), typed: [], shown: [] });
    else if (line.startsWith('# node ')) break;
    else if (typed !== undefined) found.at(-1)?.typed.push(typed);
    else if (/^\p{Extended_Pictographic}/u.test(line)) found.at(-1)?.shown.push(line);
  }
  return found;
}

/** The policy that the page calls FILE, without the mistake that is in it first. */
function stepPolicy({ options }: Step): string | undefined {
  const name = /--policy (\S+)\.yaml/.exec(options.join(' '))?.[1];
  const policies = [...page.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, yaml]) => yaml ?? '');
  return policies.find((yaml) => yaml.includes(`name: ${name}\n`))?.replace('Prefx', 'Prefix');
}

/** Runs the lines in one shell, as if they were typed. Returns its process id when it has ended. */
async function typeLines(lines: readonly string[]): Promise<number | undefined> {
  const shell = spawn('bash', { stdio: ['pipe', 'ignore', 'ignore'] });
  shell.stdin.end(lines.map((line) => `${line}\n`).join(''));
  await once(shell, 'exit');
  return shell.pid;
}

describeOn('6.1', 'docs/tutorial.md', () => {
  const clean = (): void => ['/etc/example.conf', '/etc/tutorial'].forEach((path) => rmSync(path, { recursive: true, force: true })); // prettier-ignore
  before(clean);
  after(clean);

  it('has four runs of getevents', () => {
    assert.deepEqual(
      parseSteps().map(({ typed, shown }) => typed.length > 0 && shown.length > 0),
      [true, true, true, true],
    );
  });

  for (const step of parseSteps()) {
    it(`getevents ${step.options.join(' ')}`, async () => {
      const options: TracerOptions = {
        nodeName: 'machine',
        enforcement: step.options.includes('--enforcement'),
        ...(step.options.includes('monitor') ? { mode: 'monitor' } : {}),
      };
      const recording = await Recording.open(stepPolicy(step), options);
      let shell: number | undefined;
      const events = await recording.eventsDuring(async () => void (shell = await typeLines(step.typed)));
      await recording.close();
      const own = (event: TracerEvent): boolean => {
        if (!('process' in event)) return false;
        if (event.process.pid !== shell) return event.parent?.pid === shell;
        return event.type === 'process_kprobe'; // the shell of the page was there before, and stays
      };
      assert.deepEqual(events.filter(own).map((event) => formatCompact(event)), step.shown); // prettier-ignore
    });
  }
});
