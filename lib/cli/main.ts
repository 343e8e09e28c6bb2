#!/usr/bin/env node
/** The `polytrace` command. */
import * as api from '../index.js';
import { runCommand } from './program.js';

// When standard error has failed, no output is left for a message.
process.stderr.on('error', () => undefined);

void runCommand(process.argv.slice(2), {
  api,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
  exit: (status) => process.exit(status),
}).then((status) => {
  process.exitCode = status;
});
