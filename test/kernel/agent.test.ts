/** The agent on a full kernel: file monitoring as its clients see it, and policies that change by file and over gRPC. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  spawnCommand,
  ProtocolClient,
  eventFields,
  Machine,
  processFields,
  withUnitCapabilities,
  type EventReader,
  type RunningCommand,
} from '../../agent/test/native/support.js';
import { corpus, needsFile, describeOn } from './support.js';

const UPSTREAM = join(corpus, 'quickstart__file_monitoring.yaml');
const NODE = 'minion';

function readPolicy(name: string, path: string): string {
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  kprobes:
    - call: security_file_permission
      syscall: false
      args: [{ index: 0, type: file }, { index: 1, type: int }]
      selectors:
        - matchArgs: [{ index: 0, operator: Equal, values: [${path}] }]
`;
}

// One kernel is enough: the agent does not depend on it, and three programs take long to start here. The guest with 6.1
// is the first to end.
describeOn('6.1', 'the agent', () => {
  const machine = new Machine();
  let facts: ProtocolClient;
  let lines: RunningCommand;
  let kprobes: EventReader;

  before(async function () {
    needsFile(this, UPSTREAM);
    copyFileSync(UPSTREAM, join(machine.policies, 'files.yaml'));
    // all that follows works with the capabilities of the unit for systemd, enforcement as well
    machine.wrapper = withUnitCapabilities();
    await machine.start('--node-name', NODE, '--enforcement');
    facts = new ProtocolClient(machine.address);
    lines = spawnCommand(
      'getevents',
      '--server',
      machine.address,
      '-o',
      'compact',
      '--process',
      '^/usr/bin/(bash|cat)$',
    );
    await lines.stderr.waitFor('ready: events of the agent');
    kprobes = facts.events({ allow_list: [{ event_set: ['PROCESS_KPROBE'], binary_regex: ['/cat$'] }] });
    await kprobes.open;
  });
  after(async () => {
    facts?.close();
    lines?.child.kill('SIGKILL');
    await machine.remove();
  });

  /** The lines from here to the exit of `cat`. */
  async function collectLines(...args: readonly string[]): Promise<string[]> {
    const before = lines.stdout.lines().length;
    execFileSync(args[0] as string, args.slice(1));
    const newLines = (): string[] => lines.stdout.lines().slice(before);
    const isOver = (): boolean => newLines().some((line) => line.startsWith('💥') && line.includes('/usr/bin/cat'));
    while (!isOver()) await new Promise((resolve) => lines.child.stdout.once('data', resolve));
    return newLines();
  }

  const catLines = (path: string, ...reads: readonly string[]): string[] => [
    `🚀 process ${NODE} /usr/bin/cat ${path}`,
    ...reads,
    `💥 exit    ${NODE} /usr/bin/cat ${path} 0`,
  ];
  const readLine = (path: string): string => `📚 read    ${NODE} /usr/bin/cat ${path}`;

  it('two clients with different filters see a read of /etc/shadow under the published policy', async () => {
    assert.deepEqual(await collectLines('/usr/bin/bash', '-c', 'cat /etc/shadow'), [
      `🚀 process ${NODE} /usr/bin/bash -c "cat /etc/shadow"`,
      ...catLines('/etc/shadow', readLine('/etc/shadow'), readLine('/etc/shadow')),
    ]);
    const event = await kprobes.waitFor(() => true);
    const { function_name: name, args, action } = eventFields(event);
    assert.deepEqual(
      [name, action, processFields(event)['binary']],
      ['security_file_permission', 'KPROBE_ACTION_POST', '/usr/bin/cat'],
    );
    assert.equal((args as { file_arg: { path: string } }[])[0]?.file_arg.path, '/etc/shadow');
  });

  it('kills the process that a policy names', async () => {
    const program = join(machine.folder, 'killed');
    copyFileSync('/usr/bin/cat', program);
    const yaml = `${readPolicy('kills', '/etc/hosts')}          matchBinaries: [{ operator: In, values: [${program}] }]
          matchActions: [{ action: Sigkill }]
`;
    await facts.call('AddTracingPolicy', { yaml });
    const { signal } = spawnSync(program, ['/etc/hosts'], { stdio: 'ignore' });
    assert.equal(signal, 'SIGKILL');
    assert.equal(spawnSync('/usr/bin/cat', ['/etc/hosts'], { stdio: 'ignore' }).status, 0);
    await facts.call('DeleteTracingPolicy', { name: 'kills' });
  });

  it('policies are disabled and enabled over gRPC, added over gRPC and by file, and replaced by file', async () => {
    const [{ name: published }] = (await facts.call('ListTracingPolicies'))['policies'] as [{ name: string }];
    await facts.call('ConfigureTracingPolicy', { name: published, enable: false });
    assert.deepEqual(await collectLines('/usr/bin/cat', '/etc/shadow'), catLines('/etc/shadow'));

    await facts.call('AddTracingPolicy', { yaml: readPolicy('asked', '/etc/passwd') });
    const twice = [readLine('/etc/passwd'), readLine('/etc/passwd')];
    assert.deepEqual(await collectLines('/usr/bin/cat', '/etc/passwd'), catLines('/etc/passwd', ...twice));

    // a file that changes is what its owner wants now: the policy is enabled again
    const file = join(machine.policies, 'files.yaml');
    writeFileSync(file, readPolicy(published, '/etc/hostname'));
    await machine.agent.stderr.waitFor('"msg":"a policy was replaced"');
    const host = [readLine('/etc/hostname'), readLine('/etc/hostname')];
    assert.deepEqual(await collectLines('/usr/bin/cat', '/etc/hostname'), catLines('/etc/hostname', ...host));
    assert.deepEqual(await collectLines('/usr/bin/cat', '/etc/shadow'), catLines('/etc/shadow'));
    assert.equal(await machine.stop(), 0);
  });
});
