// Two terminals as a reader has them: programs of the first one are watched and ended with Ctrl-C, and the second one is
// a shell that goes on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A line of a program that goes on until somebody ends it. */
const READY = /^ready\b|^http:\/\/|^\[[\d:.]+\] INFO: ready\b/;

/** Lines of a command that hangs, in its error. */
const SHOWN_LINES = 20;

/** Collects the lines of a stream. Somebody can wait for one of them. */
class Lines {
  all = [];
  #rest = '';
  #wake = () => undefined;

  add(chunk) {
    const lines = `${this.#rest}${chunk}`.split('\n');
    this.#rest = lines.pop();
    this.all.push(...lines);
    this.#wake();
  }

  end() {
    if (this.#rest !== '') this.add('\n');
    this.#wake();
  }

  /** Resolves with the first result of `find` that is not undefined. Resolves with undefined after `ms`. */
  async waitFor(find, ms) {
    const until = Date.now() + ms;
    for (;;) {
      const found = find(this.all);
      if (found !== undefined) return found;
      const left = until - Date.now();
      if (left <= 0) return undefined;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** A program in the first terminal. */
class Program {
  lines = new Lines();
  status;
  #child;
  #exit;

  constructor(command, cwdFile, envFile, env) {
    const before = `. ${envFile}\ncd "$(cat ${cwdFile})" || exit`;
    const script = `${before}\n${command}\nstatus=$?\npwd >${cwdFile}\nexport -p >${envFile}\nexit $status`;
    this.#child = spawn('bash', ['-c', script], { detached: true, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (chunk) => this.lines.add(chunk));
    this.#exit = once(this.#child, 'close').then(([code, signal]) => {
      this.status = code ?? signal;
      this.lines.end();
    });
  }

  get hasEnded() {
    return this.status !== undefined;
  }

  /** Resolves when the program has ended, or has said that it is ready. Throws if it does neither. */
  async settle(ms) {
    const find = (lines) => (this.hasEnded || lines.some((line) => READY.test(line)) ? true : undefined);
    if ((await this.lines.waitFor(find, ms)) === undefined) {
      await this.end();
      throw new Error(`did not end, and was not ready, in ${ms / 1000} s:\n${this.lines.all.join('\n')}`);
    }
  }

  /** Ends the program with Ctrl-C. */
  async end() {
    if (this.hasEnded) return;
    process.kill(-this.#child.pid, 'SIGINT');
    const timer = setTimeout(() => process.kill(-this.#child.pid, 'SIGKILL'), 60_000);
    await this.#exit;
    clearTimeout(timer);
  }
}

export class Terminals {
  #folder = mkdtempSync(join(tmpdir(), 'polytrace-terminals-'));
  #cwdFile = join(this.#folder, 'cwd');
  /** The variables of the first terminal. */
  #envFile = join(this.#folder, 'env');
  #env;
  #program;
  #second;
  #secondLines = new Lines();
  #commands = 0;

  constructor(cwd, env) {
    this.#env = env;
    writeFileSync(this.#cwdFile, `${cwd}\n`);
    writeFileSync(this.#envFile, '');
  }

  /** The folder of the first terminal. */
  get cwd() {
    return readFileSync(this.#cwdFile, 'utf8').trim();
  }

  /** The program that runs in the first terminal, or has ended there. */
  get program() {
    return this.#program;
  }

  /** Ends what runs in the first terminal, and runs a command there until it ends or is ready. Returns the program. */
  async runFirst(command, ms) {
    await this.endFirst();
    this.#program = new Program(command, this.#cwdFile, this.#envFile, this.#env);
    await this.#program.settle(ms);
    return this.#program;
  }

  async endFirst() {
    await this.#program?.end();
  }

  /** Runs a command in the second terminal. Returns its status and the lines that it printed. */
  async runSecond(command, ms) {
    if (this.#second === undefined) {
      this.#second = spawn('bash', [], { cwd: this.cwd, env: this.#env, stdio: ['pipe', 'pipe', 'ignore'] });
      this.#second.stdout.setEncoding('utf8').on('data', (chunk) => this.#secondLines.add(chunk));
      this.#second.stdin.write('exec 2>&1\n');
    }
    const from = this.#secondLines.all.length;
    const end = `end of command ${++this.#commands}: `;
    this.#second.stdin.write(`${command}\nstatus=$?; echo; echo "${end}$status"\n`);
    const last = await this.#secondLines.waitFor((lines) => lines.find((line) => line.startsWith(end)), ms);
    if (last === undefined) {
      const shown = this.#secondLines.all.slice(from).slice(-SHOWN_LINES);
      throw new Error(`second# ${command}: did not end in ${ms / 1000} s:\n${shown.join('\n')}`);
    }
    const printed = this.#secondLines.all.slice(from, this.#secondLines.all.indexOf(last) - 1);
    return {
      status: Number(last.slice(end.length)),
      lines: printed.map((line) => line.replace(/^bash: line \d+: /, 'bash: ')),
    };
  }

  async close() {
    await this.endFirst();
    this.#second?.stdin.end();
  }
}
