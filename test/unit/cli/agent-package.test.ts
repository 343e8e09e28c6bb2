/** The package polytrace-agent is needed for `polytrace agent`, and for no other command. */
import assert from 'node:assert/strict';
import * as agent from '../../../agent/lib/index.js';
import type { AgentPackage } from '../../../lib/cli/context.js';
import { FakeCommand } from './fake.js';

/** Here the compiler checks the package against the type that the command expects. */
const typedPackage: AgentPackage = agent;

describe('the commands of the agent', () => {
  it('`agent` runs the package', async () => {
    const command = new FakeCommand();
    command.agentPackage = () => typedPackage;
    assert.equal(await command.run('agent', '--no-such-option'), 2);
    assert.match(command.stderr.text, /--no-such-option/);
  });

  it('without the package, `agent` says what to install', async () => {
    const command = new FakeCommand();
    assert.equal(await command.run('agent'), 2);
    assert.match(command.stderr.text, /AGENT_MISSING: .*npm install polytrace-agent/);
  });

  it('without the package, the other commands ask for an agent', async () => {
    for (const args of [['status'], ['policy', 'list'], ['getevents'], ['getevents', '--server', 'unix:///nowhere']]) {
      const command = new FakeCommand();
      command.env = { POLYTRACE_SOCKET: '/nowhere' };
      assert.equal(await command.run(...args), 5, args.join(' '));
      assert.match(command.stderr.text, /no agent answers at unix:\/\/\/nowhere/);
    }
  });

  it('options that exclude each other are refused', async () => {
    const wrong: [string[], RegExp][] = [
      [['--server', 'unix:///x', '--policy', __filename], /--policy makes a tracer, which --server excludes/],
      [['--input', '-', '--enforcement'], /--enforcement makes a tracer/],
      [['--input', '-', '--server', 'unix:///x'], /exclude each other/],
      [['--reconnect', '--policy', __filename], /--reconnect needs an agent/],
    ];
    for (const [args, reason] of wrong) {
      const command = new FakeCommand();
      assert.equal(await command.run('getevents', ...args), 2);
      assert.match(command.stderr.text, reason);
    }
  });
});
