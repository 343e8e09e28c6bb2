/** The package polytrace-agent has everything that the command uses of it. */
import assert from 'node:assert/strict';
import * as agent from '../../../agent/lib/index.js';
import type { AgentPackage } from '../../../lib/cli/agent-api.js';
import { FakeCommand } from './fake.js';

/** Here the compiler checks the package against the type that the command expects. */
const typedPackage: AgentPackage = agent;
const NAMES = [
  'runAgent',
  'AgentClient',
  'AgentError',
  'celFilter',
  'recordedEvents',
  'ReportRows',
  'ReportFile',
  'LiveReport',
] as const;

describe('the commands of the agent', () => {
  it('the package exports everything that the command uses', () => {
    for (const name of NAMES) {
      assert.equal(typeof typedPackage[name], 'function', name);
    }
  });

  it('without the package, the command says what to install', async () => {
    for (const args of [['agent'], ['status'], ['policy', 'list'], ['getevents', '--server', 'unix:///x']]) {
      const command = new FakeCommand();
      assert.equal(await command.run(...args), 2, args.join(' '));
      assert.match(command.stderr.text, /npm install polytrace-agent/);
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
