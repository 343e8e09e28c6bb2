// Measures the workload beside another tool, in the virtual machine.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { minimumOfThree, type Step } from './guest-workload.mjs';

/** Starts a tool and waits until it writes the text that tells that it has attached. */
async function startTool(command: string, args: readonly string[], ready: RegExp): Promise<ChildProcess> {
  const tool = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      if (ready.test(output)) resolve();
    };
    tool.stdout.on('data', read);
    tool.stderr.on('data', read);
    tool.once('error', reject);
    tool.once('exit', (code) => reject(new Error(`${command} ended with status ${code}: ${output}`)));
  });
  return tool;
}

/** Counts the instructions of the steps while the tool is attached, but stopped. */
export async function countBeside(
  command: string,
  args: readonly string[],
  ready: RegExp,
  steps: readonly Step[],
): Promise<Record<string, number>> {
  const tool = await startTool(command, args, ready);
  tool.removeAllListeners('exit');
  tool.kill('SIGSTOP');
  const counts = minimumOfThree(steps);
  const ended = once(tool, 'exit');
  tool.kill('SIGKILL');
  await ended;
  return counts;
}
