// What a program in C needs for the lines of the realistic stream: the bound of all other programs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout } from '../test/vm/vm.mjs';
import { REALISTIC_RECORDS } from './realistic.mjs';
import { BOOTED_NS, NODE_NAME, subjectRecords } from './stream.mjs';

export class CProgram {
  readonly #folder = mkdtempSync(join(tmpdir(), 'polytrace-bench-'));
  readonly #program = join(this.#folder, 'lines');
  readonly #records = join(this.#folder, 'records');
  readonly #file = join(this.#folder, 'lines.json');

  constructor() {
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', this.#program, join(checkout, 'bench/lines.c')], {
      stdio: 'inherit',
    });
    writeFileSync(this.#records, Buffer.concat(subjectRecords('realistic')));
  }

  /** Returns the nanoseconds of processor time for each event. The lines stay in memory, or go into a file. */
  measure(target: 'memory' | 'file'): number {
    return Number(this.#run(target === 'file' ? [this.#file] : []));
  }

  /** Returns the lines of the first events. */
  readLines(): string {
    this.#run([this.#file]);
    return readFileSync(this.#file, 'utf8');
  }

  #run(files: readonly string[]): string {
    const args = [this.#records, String(REALISTIC_RECORDS), String(BOOTED_NS), NODE_NAME, ...files];
    return execFileSync(this.#program, args, { encoding: 'utf8' });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
