/** Searches with libFuzzer, which sees what an input reaches in the C++ of the addon. The sanitizers watch. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from './search.js';

const ROOT = join(__dirname, '../..');
const SOURCES = [
  'btf/btf_types',
  'btf/type_depth',
  'btf/type_description',
  'base/log',
  'base/errno_name',
  'base/handles',
].map((name) => `native/${name}.cc`);
const FLAGS = [
  '-std=c++20', '-g', '-O1',   
  '-fsanitize=fuzzer,address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all',
  '-iquote', 'native',
]; // prettier-ignore
const CLANG = 'clang++-19';
/** A single input that takes longer, or more memory, is reported. */
const LIMITS = ['-timeout=10', '-rss_limit_mb=1024', '-malloc_limit_mb=512', '-max_len=8192'];

/** The reason why libFuzzer cannot run here; undefined if it can. */
export function libFuzzerObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  try {
    const library = execFileSync(CLANG, ['-print-file-name=libclang_rt.fuzzer-x86_64.a'], { encoding: 'utf8' }).trim();
    const other = execFileSync(CLANG, ['-print-runtime-dir'], { encoding: 'utf8' }).trim();
    const isThere =
      existsSync(library) || (existsSync(other) && readdirSync(other).some((name) => name.includes('fuzzer')));
    return isThere ? undefined : 'it needs the Debian package libclang-rt-19-dev';
  } catch {
    return 'it needs clang-19';
  }
}

/** Builds the fuzzer of test/fuzz/native/NAME.cc. */
function buildFuzzer(name: string): string {
  const folder = join(ROOT, 'build/fuzz');
  mkdirSync(folder, { recursive: true });
  const program = join(folder, name);
  execFileSync(CLANG, [...FLAGS, `test/fuzz/native/${name}.cc`, ...SOURCES, '-lbpf', '-o', program], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  return program;
}

/** Runs the fuzzer. `work` is its own folder of inputs. */
async function runFuzzer(name: string, wanted: (work: string) => readonly string[]): Promise<Outcome> {
  const program = buildFuzzer(name);
  const work = mkdtempSync(join(tmpdir(), 'polytrace-fuzz-'));
  try {
    const args = [...LIMITS, `-artifact_prefix=${join(ROOT, 'build/fuzz', name)}-`, ...wanted(work)];
    const [isClean, text] = await new Promise<[boolean, string]>((resolve) => {
      execFile(program, args, { cwd: ROOT, maxBuffer: 1 << 26 }, (error, _, stderr) =>
        resolve([error === null, stderr]),
      );
    });
    const total = /stat::number_of_executed_units:\s*(\d+)/.exec(text)?.[1];
    const inputs = total === undefined ? (text.match(/^Executed /gm)?.length ?? 0) : Number(total);
    if (isClean) return { inputs };
    const file = /Test unit written to (\S+)/.exec(text)?.[1] ?? text.match(/(?<=^Running: )\S+/gm)?.at(-1) ?? '';
    return { inputs, found: { message: failureMessage(text), file } };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function failureMessage(text: string): string {
  return /^.*(?:runtime error: |ERROR: ).*$/m.exec(text)?.[0] ?? text.slice(-2000);
}

export const checkNative = (name: string, files: readonly string[]): Promise<Outcome> => runFuzzer(name, () => files);

/** `corpus` is a folder of inputs to begin with. */
export function searchNative(name: string, seed: number, ms: number, corpus: string): Promise<Outcome> {
  const time = `-max_total_time=${Math.ceil(ms / 1000)}`;
  return runFuzzer(name, (work) => [`-seed=${seed >>> 0}`, time, '-print_final_stats=1', work, corpus]);
}
