// node scripts/bpf-arm64.mjs: compiles each BPF program for arm64, at night in each flavour. Warnings are errors. The
// programs of groups must have the same tables as on x86, because user space fills them. It needs clang and the headers of
// libbpf, as the build does, and readelf.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = promisify(execFile);
const flags = ['-target', 'bpf', '-O2', '-g', '-mcpu=v3', '-Wall', '-Wextra', '-Werror'];
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

/** Compiles a program for an architecture, with further arguments. */
const compile = (source, architecture, output, flavour = []) =>
  run(compiler, [
    ...[...flags, `-D__TARGET_ARCH_${architecture}`, ...headers, ...flavour],
    ...['-c', join(root, 'bpf', source), '-o', output],
  ]);

async function runWorker() {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const { source, flavour } = job;
    await compile(source, 'arm64', '/dev/null', flavour).catch((error) => {
      console.error(`${source} ${flavour.join(' ')} for arm64:\n${error.stderr ?? error.message}`);
      process.exitCode = 1;
    });
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, runWorker));

const folder = mkdtempSync(join(tmpdir(), 'polytrace-arm64-'));

/** The tables of groups in a program. */
async function listGroupTables(source, architecture) {
  const object = join(folder, 'program.o');
  await compile(source, architecture, object);
  const { stdout } = await run('readelf', ['-sW', object]);
  return [...new Set(stdout.match(/\bgroup_[a-z]+$/gm) ?? [])].sort().join(', ');
}

try {
  for (const source of sources.filter((name) => name.startsWith('group_'))) {
    const onArm64 = await listGroupTables(source, 'arm64');
    const onX86 = await listGroupTables(source, 'x86');
    if (onArm64 === onX86 && onX86 !== '') continue;
    console.error(`${source} has not the same tables on arm64 and on x86:\n${onArm64}\n${onX86}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`BPF programs for arm64: ${total} objects in ${((Date.now() - started) / 1000).toFixed(0)} s`);
