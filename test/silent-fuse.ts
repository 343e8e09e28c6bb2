/** Starts test/native/programs/silent-fuse.c: a file system that stops answering when a test asks it to. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

const SOURCE = join(__dirname, 'native', 'programs', 'silent-fuse.c');

export class SilentFuse {
  /** The program in the mounted folder. */
  readonly program: string;
  readonly #server: ChildProcess;
  readonly #lines: Interface;

  private constructor(folder: string, server: ChildProcess) {
    this.program = join(folder, 'program');
    this.#server = server;
    this.#lines = createInterface({ input: server.stdout as NodeJS.ReadableStream });
  }

  /** Mounts the file system on the folder, with a copy of `program`. */
  static async mount(folder: string, program: string): Promise<SilentFuse> {
    const server = `${folder}-server`;
    mkdirSync(folder, { recursive: true });
    execFileSync('cc', ['-O1', '-o', server, SOURCE]);
    const fuse = new SilentFuse(folder, spawn(server, [folder, program], { stdio: ['pipe', 'pipe', 'inherit'] }));
    await fuse.#read('ready');
    return fuse;
  }

  /** From now on nothing is answered: requests are taken, and a process that waits for one cannot even be killed. */
  stop(): void {
    this.#server.stdin?.write('stop\n');
  }

  /** Resolves when no request is taken any more: a process that waits for one can be killed. */
  async ignore(): Promise<void> {
    this.#server.stdin?.write('deaf\n');
    await this.#read('deaf');
  }

  /** From now on only the first page of the program can be read. */
  hold(): void {
    this.#server.stdin?.write('hold\n');
  }

  /** Answers everything again. */
  go(): void {
    this.#server.stdin?.write('go\n');
  }

  /** Resolves when the first request waits for its answer. */
  held(): Promise<void> {
    return this.#read('held');
  }

  /** Ends all requests that still wait. */
  async unmount(): Promise<void> {
    if (this.#server.exitCode !== null) return;
    const ended = once(this.#server, 'exit');
    this.#server.stdin?.end();
    await ended;
  }

  async #read(wanted: string): Promise<void> {
    for (;;) {
      const [line] = (await Promise.race([once(this.#lines, 'line'), once(this.#server, 'exit')])) as unknown[];
      if (line === wanted) return;
      if (typeof line !== 'string') throw new Error(`the file system ended with ${String(line)}`);
    }
  }
}
