/** A running command of a container engine, and its output. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export class RunningCommand {
  readonly ended: Promise<unknown[]>;
  output = '';
  #onOutput = (): void => undefined;

  constructor(readonly child: ChildProcess) {
    this.ended = once(child, 'close');
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        this.#onOutput();
      });
    }
  }

  /** Resolves with the first line that matches. Rejects if the command ends before. */
  async line(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#onOutput = () => {
        const found = this.output
          .split('\n')
          .slice(0, -1)
          .find((line) => pattern.test(line));
        if (found !== undefined) resolve(found);
      };
      void this.ended.then(() => reject(new Error(`it ended before ${String(pattern)}:\n${this.output}`)));
      this.#onOutput();
    });
  }

  async status(): Promise<unknown> {
    const [status] = await this.ended;
    return status;
  }
}
