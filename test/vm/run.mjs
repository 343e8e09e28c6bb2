#!/usr/bin/env node
// Runs a command in a virtual machine: node test/vm/run.mjs [options] [--] COMMAND [ARGUMENT...]
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { knownKernels } from './kernels.mjs';
import { runInVm, VmError } from './vm.mjs';

const usage = `usage: node test/vm/run.mjs [options] [--] COMMAND [ARGUMENT...]
Runs COMMAND (one argument: a line of shell) as root in this checkout, in a virtual machine with this machine's files.
  --kernel VERSION  ${knownKernels.join(', ')}, or the start of another version that is in /boot (6.12)
  --timeout SECONDS time limit, booting included (300)
  --cpus N          (1; more cost more than they bring on a small machine)
  --memory MB       (2048)
  --icount          one CPU whose clock advances one nanosecond an instruction
  --append TEXT     more kernel parameters
  --folder FOLDER   the guest's /run/vm, kept
The guest's files can be written, in its memory only. Exit status: the command's; 125 when the machine failed.`;

function parseOptions() {
  return parseArgs({
    allowPositionals: true,
    options: {
      kernel: { type: 'string', default: '6.12' },
      timeout: { type: 'string', default: '300' },
      cpus: { type: 'string', default: '1' },
      memory: { type: 'string', default: '2048' },
      icount: { type: 'boolean', default: false },
      append: { type: 'string', default: '' },
      folder: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

function quoteCommand(words) {
  return words.length === 1 ? words[0] : words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

async function main() {
  const { values, positionals } = parseOptions();
  if (values.help || positionals.length === 0) {
    (values.help ? console.log : console.error)(usage);
    return values.help ? 0 : 2;
  }
  const { status } = await runInVm({
    kernel: values.kernel,
    script: quoteCommand(positionals),
    timeoutMs: Number(values.timeout) * 1000,
    cpus: Number(values.cpus),
    memoryMb: Number(values.memory),
    icount: values.icount,
    append: values.append,
    ...(values.folder === undefined ? {} : { folder: resolve(values.folder) }),
  });
  return status;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof VmError ? error.message : (error.stack ?? error));
  process.exitCode = 125;
}
