#!/usr/bin/env node
/** The `polytrace` command. */
// V8 flags have to be set before other modules are loaded
import './v8-flags.js';
import { fstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type * as Library from '../index.js';
import type * as Policies from '../policies.js';
import type { AgentPackage, Context } from './context.js';
import { isFirstCommand, runFirstCommand } from './first-commands.js';
import type * as Program from './program.js';
import { exitAtLaterSignals } from './stop-signals.js';

/* eslint-disable @typescript-eslint/no-require-imports */
/** It is loaded before the first use of a standard stream: see standard-streams.ts. */
const runCommand = isFirstCommand(process.argv[2])
  ? runFirstCommand
  : (require('./program.js') as typeof Program).runCommand;
const loadPolicies = (): typeof Policies => require('../policies.js') as typeof Policies;
const loadLibrary = (): typeof Library => require('../index.js') as typeof Library;
/* eslint-enable @typescript-eslint/no-require-imports */

// When standard error has failed, no output is left for a message.
process.stderr.on('error', () => undefined);

const context: Context = {
  // The library is loaded when a command uses it. `--help` and the commands of the agent do not use it. Commands that only
  // read policies use a small part of it.
  api: new Proxy({} as typeof Library, {
    get: (_, name) => Reflect.get(name in loadPolicies() ? loadPolicies() : loadLibrary(), name) as unknown,
  }),
  agentPackage: () => loadOptional('polytrace-agent') as AgentPackage,
  // Standard input is opened when a command reads it.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  ...(isFile(1) ? { stdoutFile: 1 } : {}),
  stderr: process.stderr,
  env: process.env,
  signals: process,
  exit: (status) => process.exit(status),
};

void runCommand(process.argv.slice(2), context).then((status) => {
  process.exitCode = status;
  exitAtLaterSignals(context, status);
});

/**
 * True for a file, and for a device that is not a terminal. A stream of Node.js for such an output ends after its first
 * error.
 */
function isFile(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor);
    return status.isFile() || (status.isCharacterDevice() && process.stdout.isTTY !== true);
  } catch {
    return false;
  }
}

/**
 * Loads a package that is installed beside this one. Some clients of npm put only dependencies where this file finds
 * them. Then the package is beside the link through which the command was called.
 */
function loadOptional(name: string): unknown {
  const file = require.resolve(name, { paths: [__dirname, dirname(process.argv[1] ?? __filename)] });
  // Node.js 20 and 22 may keep the link of a package in the names of some of its modules, and load others twice
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(realpathSync(file)) as unknown;
}
