/** The journal of an agent: each change is an event for clients and in the export, and says who made it, and how. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '../../../lib/index.js';
import type { AgentConnection, ChangeEvent, TracerIterator } from '../../../types/index.js';
import { COMMAND, Machine, needsRoot, needsTracefs, plainEnvironment, ProtocolClient, runCommand } from './support.js';

const policyText = (name: string, message: string, action = ''): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  options: [{ name: policy-mode, value: monitor }]
  tracepoints:
    - subsystem: syscalls
      event: sys_enter_getpid
      message: ${message}
      selectors: [{ matchBinaries: [{ operator: In, values: [/no/such/program] }]${action} }]
`;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the journal of an agent', function () {
  this.timeout(120_000);
  before(needsRoot);
  before(needsTracefs);

  let machine: Machine;
  let connection: AgentConnection;
  let changes: TracerIterator<unknown>;
  let exported: string;

  beforeEach(async () => {
    machine = new Machine();
    exported = join(machine.folder, 'events.jsonl');
    await machine.start('--export-filename', exported, '--export-allowlist', '{"event_set":["CHANGE"]}');
    connection = await connect(machine.address);
    changes = connection.events({ types: ['change'] });
  });
  afterEach(async () => {
    await connection.close();
    await machine.remove();
  });

  const nextChange = async (): Promise<ChangeEvent> => {
    const { value } = await changes.next();
    const event = value as ChangeEvent;
    assert.equal(event.type, 'change');
    return event;
  };
  const readExport = (): { readonly change: Record<string, unknown>; readonly time: string }[] =>
    readFileSync(exported, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { change: Record<string, unknown>; time: string });

  it('says what changed by a file, by a client and by the agent, from what to what, and who did it', async () => {
    const file = join(machine.policies, 'guard.yaml');
    const [one, two] = [policyText('guard', 'one'), policyText('guard', 'two', ', matchActions: [{ action: Sigkill }]')];
    writeFileSync(file, one);
    const added = await nextChange();
    assert.deepEqual(
      [added.operation, added.policyName, added.way, added.source, added.before, added.after, added.client],
      ['policy_add', 'guard', 'file', file, undefined, sha256(one), undefined],
    );
    writeFileSync(file, two);
    const replaced = await nextChange();
    assert.deepEqual(
      [replaced.operation, replaced.before, replaced.after],
      ['policy_replace', sha256(one), sha256(two)],
    );
    const client = spawnSync(process.execPath, [COMMAND, 'policy', 'set-mode', 'monitor', 'guard', '--server', machine.address], { env: plainEnvironment() });
    assert.equal(client.status, 0, client.stderr.toString());
    const configured = await nextChange();
    assert.deepEqual(
      [configured.operation, configured.mode, configured.before, configured.after, configured.way],
      ['policy_configure', 'monitor', sha256(two), sha256(two), 'client'],
    );
    assert.deepEqual(
      [configured.client?.address, configured.client?.pid, configured.client?.uid, configured.client?.binary],
      ['unix', client.pid, 0, process.execPath],
    );
    assert.match(Buffer.from(configured.client?.execId ?? '', 'base64').toString(), new RegExp(`:${client.pid}$`));
    assert.equal((await runCommand('policy', 'disable', 'guard', '--server', machine.address)).status, 0);
    assert.deepEqual([(await nextChange()).enabled, configured.enabled], [false, undefined]);
    const other = new ProtocolClient(machine.address);
    await other.call('SetDebug', { flag: 'CONFIG_FLAG_LOG_LEVEL', level: 'LOG_LEVEL_DEBUG' });
    other.close();
    const { operation, setting, before, after } = await nextChange();
    assert.deepEqual([operation, setting, before, after], ['setting_change', 'log-level', 'info', 'debug']);
    rmSync(file);
    assert.deepEqual([(await nextChange()).operation], ['policy_remove']);
    await machine.stop();
    assert.equal((await nextChange()).operation, 'agent_stop');
    const lines = readExport();
    assert.deepEqual(
      lines.map(({ change }) => change['operation']),
      ['agent_start', 'policy_add', 'policy_replace', 'policy_configure', 'policy_configure', 'setting_change', 'policy_remove', 'agent_stop'],
    );
    assert.deepEqual(lines[3]?.change['client'], {
      address: 'unix',
      pid: client.pid,
      uid: 0,
      gid: 0,
      exec_id: configured.client?.execId,
      binary: process.execPath,
    });
    const logged = machine.agent.stderr.text;
    assert.ok(logged.includes(sha256(two)) && logged.includes('a client changed a policy'));
  });

  it('a client that does not know the event gets none', async () => {
    const other = new ProtocolClient(machine.address);
    const events = other.events({ allow_list: [{ event_set: ['PROCESS_EXEC'] }, { policy_names: ['guard'] }] });
    const every = other.events({});
    await Promise.all([events.open, every.open]);
    writeFileSync(join(machine.policies, 'guard.yaml'), policyText('guard', 'one'));
    await nextChange();
    spawnSync('/bin/true');
    await every.waitFor((message) => message['event'] === 'process_exec');
    for (const message of [...events.seen, ...every.seen]) assert.ok(message['event'] !== undefined, JSON.stringify(message));
    events.cancel();
    every.cancel();
    other.close();
  });

  it('is part of the compact lines of getevents, and of its filters', async () => {
    await connection.close();
    writeFileSync(join(machine.policies, 'guard.yaml'), policyText('guard', 'one'));
    await machine.agent.stderr.waitFor('a policy was loaded');
    await machine.stop();
    const { stdout } = await runCommand('read', exported, '-e', 'change', '--policy-names', 'guard');
    assert.match(stdout, /^📝 change {2}\S+ policy_add guard -→[0-9a-f]{12} \(file \S+guard\.yaml\)\n$/);
  });
});
