/** The command as a separate process with a fake tracer, for tests with real signals and pipes. */
import { runCommand } from '../../../lib/cli/program.js';
import { execEvent, exitEvent } from '../output/events.js';
import { FakeCommand } from './fake.js';

const command = new FakeCommand();
command.tracer.remaining = [exitEvent({ binary: '/bin/last' })];

// `endless` delivers events as fast as they are read. Otherwise there is one event.
// The timer keeps the event loop alive, as a real tracer does.
const alive = setInterval(() => undefined, 1000);
command.tracer.onClose = () => {
  clearInterval(alive);
  return process.env['FAKE'] === 'stuck' ? new Promise(() => setInterval(() => undefined, 1000)) : Promise.resolve();
};
command.tracer.endless = process.env['FAKE'] === 'endless' ? [execEvent()] : undefined;
command.tracer.push(execEvent());

void runCommand(process.argv.slice(2), {
  api: command.api,
  agentPackage: () => command.agentPackage(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
  exit: (status) => process.exit(status),
}).then((status) => {
  process.exitCode = status;
});
