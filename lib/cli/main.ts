#!/usr/bin/env node
/** The `polytrace` command. */
// before the others
import './v8-flags.js';
import { fstatSync } from 'node:fs';
import type * as Library from '../index.js';
import type { AgentPackage } from './agent-api.js';
import { runCommand } from './program.js';

// When standard error has failed, no output is left for a message.
process.stderr.on('error', () => undefined);

void runCommand(process.argv.slice(2), {
  // It is loaded when a command uses it: `--help` and the commands of the agent do not.
  get api() {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return require('../index.js') as typeof Library;
  },
  // A plain import would need the package always.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  agentPackage: () => require('polytrace-agent') as AgentPackage,
  // It is opened when a command reads it.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  ...(isFile(1) ? { stdoutFile: 1 } : {}),
  stderr: process.stderr,
  env: process.env,
  signals: process,
  exit: (status) => process.exit(status),
}).then((status) => {
  process.exitCode = status;
});

/** True for a file and for a device that is not a terminal. Node.js gives up such an output after its first error. */
function isFile(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor);
    return status.isFile() || (status.isCharacterDevice() && process.stdout.isTTY !== true);
  } catch {
    return false;
  }
}
