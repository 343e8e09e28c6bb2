// node scripts/bpf-arm64.mjs: compiles each BPF program for arm64, at night in each flavour. Warnings are errors. It needs
// clang and the headers of libbpf, as the build does.
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = promisify(execFile);
const flags = ['-target', 'bpf', '-O2', '-g', '-mcpu=v3', '-D__TARGET_ARCH_arm64', '-Wall', '-Wextra', '-Werror'];
const headers = ['-idirafter', '/usr/include/x86_64-linux-gnu', '-idirafter', '/usr/include/aarch64-linux-gnu'];

/** The newest clang of this machine, as cmake/tools.cmake chooses it. */
async function findClang() {
  for (let version = 40; version >= 16; version--) {
    const name = `clang-${version}`;
    const found = await run(name, ['-dumpversion']).catch(() => undefined);
    if (found !== undefined) return name;
  }
  return 'clang';
}

const PROBE = ['-DREAD_PROBE'];
const FLAVOURS = process.env.POLYTRACE_NIGHTLY === '1' ? [[], PROBE, [...PROBE, '-DOLD_KERNEL']] : [PROBE];

const started = Date.now();
const compiler = await findClang();
const sources = readdirSync(join(root, 'bpf')).filter((name) => name.endsWith('.bpf.c'));
const jobs = sources.flatMap((source) => FLAVOURS.map((flavour) => ({ source, flavour })));
const total = jobs.length;

async function runWorker() {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const { source, flavour } = job;
    await run(compiler, [...flags, ...headers, ...flavour, '-c', join(root, 'bpf', source), '-o', '/dev/null']).catch(
      (error) => {
        console.error(`${source} ${flavour.join(' ')} for arm64:\n${error.stderr ?? error.message}`);
        process.exitCode = 1;
      },
    );
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, runWorker));
console.log(`BPF programs for arm64: ${total} objects in ${((Date.now() - started) / 1000).toFixed(0)} s`);
