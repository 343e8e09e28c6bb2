import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const SCRIPT = join(__dirname, 'fake-command.ts');

describe('polytrace as a process', () => {
  let child: ChildProcessWithoutNullStreams;

  function startCommand(fake: string, ...args: string[]): void {
    child = spawn(process.execPath, ['--require', 'tsx/cjs', SCRIPT, 'getevents', ...args], {
      env: { ...process.env, FAKE: fake },
      stdio: 'pipe',
    });
  }

  /** Collects the output of a stream. `waitFor` resolves when the output contains a string. */
  function collectOutput(stream: NodeJS.ReadableStream): { text: string; waitFor: (text: string) => Promise<void> } {
    const seen = {
      text: '',
      waitFor: async (text: string): Promise<void> => {
        while (!seen.text.includes(text)) await once(stream, 'data');
      },
    };
    stream.on('data', (chunk: Buffer) => (seen.text += chunk.toString()));
    return seen;
  }

  afterEach(() => {
    child.kill('SIGKILL');
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`exits with 0 on ${signal}, after the last events are printed`, async () => {
      startCommand('quiet');
      const stdout = collectOutput(child.stdout);
      await stdout.waitFor('/etc/shadow');
      child.kill(signal);
      assert.deepEqual(await once(child, 'close'), [0, null]);
      assert.match(stdout.text, /\/bin\/last [^\n]*\n$/);
    });
  }

  it('exits with 130 on the second Ctrl-C when closing takes long', async () => {
    startCommand('stuck');
    const stdout = collectOutput(child.stdout);
    const stderr = collectOutput(child.stderr);
    const exited = once(child, 'close');
    await stdout.waitFor('/etc/shadow');
    // Two pending signals of one kind become one, so the signal is sent until the process has exited.
    const again = setInterval(() => child.kill('SIGINT'), 20);
    assert.deepEqual(await exited, [130, null]);
    clearInterval(again);
    assert.match(stderr.text, /ended by a second signal: events that were still to be printed are missing\n/);
  });

  it('exits with 141 and prints no error when its reader exits', async () => {
    startCommand('endless');
    const stderr = collectOutput(child.stderr);
    const exited = once(child, 'close');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    assert.deepEqual(await exited, [141, null]);
    assert.match(stderr.text, /^ready[^\n]*\n$/);
  });

  it('exits by itself after --duration', async () => {
    startCommand('quiet', '--duration', '0.05', '-o', 'json');
    const stdout = collectOutput(child.stdout);
    assert.deepEqual(await once(child, 'close'), [0, null]);
    const kinds = stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => Object.keys(JSON.parse(line) as object)[0]);
    assert.deepEqual(kinds, ['process_exec', 'process_exit']);
  });
});
