/** The agent as a service: systemd's protocol, signals, and policies that stay active. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProtocolClient, listenAsManager, Machine, needsRoot, needsTracefs, openatPolicy, runCommand, withUnitCapabilities, type OutputReader, type Reply } from './support.js';

describe('the agent as a service', function () {
  this.timeout(90_000);
  let machine: Machine;
  let manager: ChildProcess | undefined;

  before(needsRoot);
  before(needsTracefs);
  beforeEach(() => (machine = new Machine()));
  afterEach(async () => {
    manager?.kill('SIGKILL');
    manager = undefined;
    await machine?.remove();
  });

  async function listen(socket: string): Promise<OutputReader> {
    const { child, messages } = await listenAsManager(socket);
    manager = child;
    return messages;
  }

  async function listPolicies(): Promise<Reply[]> {
    const client = new ProtocolClient(machine.address);
    const { policies: list = [] } = await client.call('ListTracingPolicies');
    client.close();
    return list as Reply[];
  }

  it('tells systemd when it is ready, that it runs, and that it ends', async () => {
    const socket = join(machine.folder, 'notify');
    const messages = await listen(socket);
    await machine.startWith({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' });
    await messages.waitFor(`READY=1 STATUS=serving ${machine.address}\n`);
    await messages.waitFor('WATCHDOG=1\nWATCHDOG=1\n');
    assert.equal(await machine.stop(), 0);
    await messages.waitFor('STOPPING=1\n');
  });

  it('runs with the capabilities of the unit, and takes the variables of a service that is not its own', async () => {
    machine.wrapper = withUnitCapabilities();
    writeFileSync(join(machine.policies, 'opens.yaml'), openatPolicy('opens', '/never'));
    await machine.startWith({ NOTIFY_SOCKET: join(machine.folder, 'nobody'), WATCHDOG_USEC: '300000', WATCHDOG_PID: '1' });
    assert.deepEqual(
      (await listPolicies()).map(({ state }) => state),
      ['TP_STATE_ENABLED'],
    );
    assert.equal(await machine.stop(), 0);
  });

  it('a second agent at the same socket says so, and ends', async () => {
    await machine.start();
    const flags = ['--tracing-policy-dir', machine.policies, '--server-address', machine.address, '--no-containers'];
    const { status, stderr } = await runCommand('agent', ...flags);
    assert.equal(status, 2, stderr);
    assert.ok(stderr.includes(`another server uses ${machine.socket}`), stderr);
    assert.equal(await machine.stop(), 0);
  });

  it('SIGHUP reads policies again, also one that failed', async () => {
    const library = join(machine.folder, 'library.so');
    const policy = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: later
spec:
  uprobes:
    - path: ${library}
      symbols: ["malloc"]
`;
    writeFileSync(join(machine.policies, 'later.yaml'), policy);
    const agent = await machine.start();
    assert.deepEqual((await listPolicies()).map(({ state }) => state), ['TP_STATE_LOAD_ERROR']);
    // the agent does not watch the library of the probe
    const [libc = ''] = /\/\S*libc\.so\.\S*/.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
    copyFileSync(libc, library);
    agent.child.kill('SIGHUP');
    await agent.stderr.waitFor('a policy was loaded');
    assert.deepEqual((await listPolicies()).map(({ name, state }) => [name, state]), [['later', 'TP_STATE_ENABLED']]);
    assert.equal(await machine.stop(), 0);
  });

  it('--persist: policies stay active when it is killed, and the next agent takes them over', async function () {
    const mount = join(machine.folder, 'bpffs');
    mkdirSync(mount);
    if (spawnSync('mount', ['-t', 'bpf', 'bpf', mount]).status !== 0) {
      if (process.env['REQUIRE_ALL'] === '1') throw new Error('bpffs cannot be mounted');
      this.skip();
    }
    try {
      const pins = join(mount, 'pins');
      const listPins = (): string[] => readdirSync(pins).sort();
      writeFileSync(join(machine.policies, 'opens.yaml'), openatPolicy('opens', '/never'));
      await machine.start('--persist', pins);
      const before = listPins();
      assert.ok(before.length > 0);
      await machine.stop('SIGKILL');
      assert.deepEqual(listPins(), before, 'they are active while no agent runs');
      await machine.start('--persist', pins, '--keep-sensors-on-exit');
      assert.deepEqual((await listPolicies()).map(({ name, state }) => [name, state]), [['opens', 'TP_STATE_ENABLED']]);
      assert.equal(await machine.stop(), 0);
      assert.ok(listPins().length > 0, 'they stay, because the option says so');
      await machine.start('--persist', pins);
      rmSync(join(machine.policies, 'opens.yaml'));
      await machine.agent.stderr.waitFor('a policy was removed');
      assert.equal(await machine.stop(), 0);
      assert.ok(!existsSync(pins) || listPins().length === 0, 'without the option, nothing stays');
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });

  it('a manager that has gone does not matter', async () => {
    const socket = join(machine.folder, 'notify');
    await listen(socket);
    const exited = once(manager as ChildProcess, 'exit');
    manager?.kill('SIGKILL');
    await exited;
    await machine.startWith({ NOTIFY_SOCKET: socket });
    assert.equal(await machine.stop(), 0);
  });
});
