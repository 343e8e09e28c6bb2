/** Names of containers outside of Kubernetes, from the agent to its clients. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Engines, type Daemon } from '../../../test/native/engines.js';
import { polytrace } from '../../../test/native/support.js';
import type { Container } from '../../../types/index.js';
import { Machine, needsRoot, spawnCommand } from './support.js';

const IMAGE = 'agent-containers:1';

describe('containers of clients', function () {
  this.timeout(120_000);
  let machine: Machine;
  let engines: Engines | undefined;
  let daemon: Daemon;
  const docker = (...args: readonly string[]): string =>
    execFileSync('docker', ['--host', `unix://${daemon.socket}`, ...args], { encoding: 'utf8' }).trim();
  const run = async (name: string, mark: string): Promise<void> => {
    const options = ['--network=none', '--security-opt=apparmor=unconfined', '--rm', '--label=app=shop', `--name=${name}`];
    await promisify(execFile)('docker', ['--host', `unix://${daemon.socket}`, 'run', ...options, IMAGE, '/bin/true', mark]);
  };

  before(needsRoot);
  before(async function () {
    try {
      execFileSync('dockerd', ['--version']);
    } catch {
      if (process.env['REQUIRE_ALL'] === '1') throw new Error('dockerd is missing');
      return this.skip();
    }
    engines = new Engines();
    daemon = await engines.docker().start();
    docker('import', engines.image, IMAGE);
    machine = new Machine();
    await machine.start('--containers', '--docker-endpoint', daemon.socket);
  });
  after(async () => {
    await machine?.remove();
    await daemon?.stop();
    await engines?.remove();
  });

  it('events have the container that a tracer reports', async () => {
    const find = async (events: AsyncIterable<unknown>): Promise<Container | undefined> => {
      for await (const event of events as AsyncIterable<{ type: string; process?: { arguments: string; container?: Container } }>) {
        if (event.type === 'process_exec' && event.process?.arguments === 'same') return event.process.container;
      }
      return undefined;
    };
    const containers = { sources: ['docker' as const], sockets: { docker: daemon.socket }, waitMs: 10_000 };
    const tracer = await polytrace.openTracer({ containers });
    const agent = await polytrace.connect(machine.address);
    try {
      const found = Promise.all([find(tracer.events()), find(agent.events({ containers: [/^first/] }))]);
      await run('second', 'same');
      // the agent's stream may begin later than the call of events()
      let isFound = false;
      void found.then(() => (isFound = true));
      while (!isFound) await run('first-one', 'same');
      const [second, first] = await found;
      assert.equal(second?.name, 'second');
      assert.equal(first?.name, 'first-one');
      assert.match(first.id, /^[0-9a-f]{64}$/);
      // the start time may be known only after the start
      const { id, startTime: started, ...rest } = first;
      void started;
      const { id: otherId, startTime: otherStarted, ...others } = second;
      void otherStarted;
      assert.notEqual(id, otherId);
      assert.deepEqual(rest, { ...others, name: 'first-one', labels: { ...others.labels } });
      assert.equal(rest.runtime, 'docker');
      assert.equal(rest.image?.name, IMAGE);
    } finally {
      await tracer.close();
      await agent.close();
    }
  });

  it('--containers is a filter of the agent', async () => {
    const lines = spawnCommand('getevents', '--server', machine.address, '-o', 'compact', '--containers', '^wanted$', '-e', 'process_exec');
    await lines.stderr.waitFor('ready: events of the agent');
    await run('other', 'no');
    await run('wanted', 'yes');
    await lines.stdout.waitFor('yes');
    lines.child.kill('SIGINT');
    assert.ok(lines.stdout.lines().every((line) => line.includes(' wanted ')), lines.stdout.text);
  });
});
