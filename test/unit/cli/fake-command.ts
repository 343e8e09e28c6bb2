/** The command as a process of its own, with a tracer that makes events up: for signals and pipes as they really are. */
import { runCommand } from '../../../lib/cli/program.js';
import { execOf, exitOf } from '../output/events.js';
import { FakeCommand } from './fake.js';

const command = new FakeCommand();
command.tracer.remaining = [exitOf({ binary: '/bin/last' })];

// `endless` events come as fast as they are taken; else one, and the event loop is kept alive as a real tracer does it.
const alive = setInterval(() => undefined, 1000);
command.tracer.onClose = () => {
  clearInterval(alive);
  return process.env['FAKE'] === 'stuck' ? new Promise(() => setInterval(() => undefined, 1000)) : Promise.resolve();
};
command.tracer.endless = process.env['FAKE'] === 'endless' ? [execOf()] : undefined;
command.tracer.push(execOf());

void runCommand(process.argv.slice(2), {
  api: command.api,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
  exit: (status) => process.exit(status),
}).then((status) => {
  process.exitCode = status;
});
