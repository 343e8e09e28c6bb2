/** The examples do what their comments say. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { checkout, describeOn } from './support.js';

interface RunningExample {
  readonly output: () => string;
  readonly until: (text: string) => Promise<void>;
  readonly interrupt: () => Promise<number | null>;
  readonly ended: Promise<unknown[]>;
}

const running = new Set<ChildProcess>();

function startExample(...args: readonly string[]): RunningExample {
  const child = spawn(process.execPath, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const ended = once(child, 'exit');
  let output = '';
  let onOutput = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      onOutput();
    });
  }
  return {
    output: () => output,
    ended,
    until: (text) =>
      new Promise((resolve, reject) => {
        onOutput = () => {
          if (output.includes(text)) resolve();
        };
        void ended.then(() => reject(new Error(`it ended before it printed ${text}:\n${output}`)));
        onOutput();
      }),
    interrupt: async () => {
      child.kill('SIGINT');
      const [status] = (await ended) as [number | null];
      return status;
    },
  };
}

const readSecret = (): Buffer => execFileSync('cat', ['/etc/shadow']);

describeOn('6.1', 'examples', () => {
  afterEach(() => {
    for (const child of running) child.kill('SIGKILL'); // A failed test may leave one running.
    running.clear();
  });

  it('watch-files.mjs shows who reads a sensitive file, and ends at Ctrl-C', async () => {
    const example = startExample(join('examples', 'watch-files.mjs'));
    // The example prints nothing when it is ready, so the file is read until an event appears.
    let seen = false;
    const shown = example.until('cat /etc/shadow').then(() => (seen = true));
    while (!seen) {
      readSecret();
      await Promise.race([shown, new Promise((resolve) => setTimeout(resolve, 100))]);
    }
    assert.match(example.output(), /^📚 read +\S+ \S*cat \/etc\/shadow$/m);
    assert.equal(await example.interrupt(), 0);
  });

  it('embed.ts adds the policy while it runs and counts the accesses', async () => {
    const example = startExample('--require', 'tsx/cjs', join('examples', 'embed.ts'), '280');
    await example.until('file-monitoring: ');
    readSecret();
    // it prints its counts only at its end
    await new Promise((resolve) => setTimeout(resolve, 5000));
    assert.equal(await example.interrupt(), 0, example.output());
    assert.match(example.output(), /^2\t\S*cat \/etc\/shadow$/m);
    assert.match(example.output(), /, 0 lost, /);
  });
});
