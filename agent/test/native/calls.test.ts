/** Each call of the service, tested by a client with an independent definition of the protocol. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { status as Code, type ServiceError } from '@grpc/grpc-js';
import { unifiedMount } from '../../../test/native/support.js';
import { ProtocolClient, eventFields, Machine, needsRoot, needsTracefs, openatPolicy, processFields, type Reply } from './support.js';

describe('the calls of the agent', function () {
  this.timeout(90_000);
  let machine: Machine;
  let client: ProtocolClient;

  before(needsRoot);
  before(needsTracefs);
  before(async () => {
    machine = new Machine();
    const rotation = ['--export-file-max-size-mb', '20', '--export-file-rotation-interval', '1h', '--export-file-max-backups', '3'];
    await machine.start('--containers', '--enforcement', '--export-filename', join(machine.folder, 'events.log'), ...rotation);
    client = new ProtocolClient(machine.address);
  });
  after(async () => {
    client?.close();
    await machine?.remove();
  });

  async function assertRejected(code: Code, details: RegExp, name: string, request: object = {}): Promise<void> {
    await assert.rejects(client.call(name, request), (error: ServiceError) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.details, details);
      return true;
    });
  }

  async function listPolicies(): Promise<Reply[]> {
    return ((await client.call('ListTracingPolicies'))['policies'] ?? []) as Reply[];
  }

  async function findPolicy(name: string): Promise<Reply | undefined> {
    return (await listPolicies()).find((each) => each['name'] === name);
  }

  it('GetVersion, GetHealth, GetInfo, ListDomains', async () => {
    assert.match((await client.call('GetVersion'))['version'] as string, /^\d+\.\d+\.\d+/);
    const { health_status: health } = await client.call('GetHealth', { event_set: ['HEALTH_STATUS_TYPE_STATUS'] });
    assert.deepEqual(health, [
      { event: 'HEALTH_STATUS_TYPE_STATUS', status: 'HEALTH_STATUS_RUNNING', details: 'running' },
    ]);
    const info = await client.call('GetInfo');
    assert.equal(info['name'], 'polytrace');
    const probes = info['probes'] as { Name: string; Enabled: { value?: boolean } }[];
    assert.deepEqual(probes.find(({ Name }) => Name === 'ring_buffer')?.Enabled, { value: true });
    assert.deepEqual(probes.find(({ Name }) => Name === 'signal')?.Enabled, { value: true });
    assert.ok((info['conf'] as { key: string }[]).some(({ key }) => key === 'server-address'));
    assert.deepEqual(await client.call('ListDomains'), { domains: [''] });
  });

  it('AddTracingPolicy, ListTracingPolicies, DeleteTracingPolicy', async () => {
    await client.call('AddTracingPolicy', { yaml: openatPolicy('added', '/tmp/never') });
    const added = await findPolicy('added');
    assert.ok(added !== undefined);
    const { id, state, mode, namespace = '', sensors, error = '', enabled, stats } = added;
    assert.deepEqual(
      { state, mode, namespace, sensors, error, enabled },
      {
        state: 'TP_STATE_ENABLED',
        mode: 'TP_MODE_MONITOR_ONLY',
        namespace: '',
        sensors: ['tracepoint'],
        error: '',
        enabled: true,
      },
    );
    assert.ok(Number(id) > 0 && Number(added['kernel_memory_bytes']) > 0);
    assert.ok((stats as { action_counters: Reply }).action_counters !== undefined);
    await assertRejected(Code.ALREADY_EXISTS, /added/, 'AddTracingPolicy', { yaml: openatPolicy('added', '/tmp/never') });
    await client.call('DeleteTracingPolicy', { name: 'added' });
    assert.equal(await findPolicy('added'), undefined);
    await assertRejected(Code.NOT_FOUND, /added/, 'DeleteTracingPolicy', { name: 'added' });
  });

  it('a policy with mistakes is refused with all of them', async () => {
    await assertRejected(Code.INVALID_ARGUMENT, /yaml/, 'AddTracingPolicy');
    await assertRejected(Code.INVALID_ARGUMENT, /:\d+:\d+: YAML_/, 'AddTracingPolicy', { yaml: 'a: [' });
    const yaml = openatPolicy('bad', '/x').replace('operator: Equal', 'operator: Equals');
    await assertRejected(Code.INVALID_ARGUMENT, /UNKNOWN_VALUE: .*Equal/, 'AddTracingPolicy', { yaml });
    await assertRejected(Code.NOT_FOUND, /domain/, 'AddTracingPolicy', { yaml: openatPolicy('x', '/x'), domain: 'other' });
  });

  it('ConfigureTracingPolicy: a field that is absent changes nothing', async () => {
    await client.call('AddTracingPolicy', { yaml: openatPolicy('switched', '/tmp/never', 'Sigkill') });
    const stateAndMode = async (): Promise<unknown[]> => {
      const now = await findPolicy('switched');
      return [now?.['state'], now?.['mode']];
    };
    await client.call('ConfigureTracingPolicy', { name: 'switched', mode: 'TP_MODE_MONITOR' });
    assert.deepEqual(await stateAndMode(), ['TP_STATE_ENABLED', 'TP_MODE_MONITOR']);
    await client.call('ConfigureTracingPolicy', { name: 'switched', enable: false });
    assert.deepEqual(await stateAndMode(), ['TP_STATE_DISABLED', 'TP_MODE_MONITOR']);
    await client.call('ConfigureTracingPolicy', { name: 'switched' });
    assert.deepEqual(await stateAndMode(), ['TP_STATE_DISABLED', 'TP_MODE_MONITOR']);
    await client.call('ConfigureTracingPolicy', { name: 'switched', enable: true, mode: 'TP_MODE_ENFORCE' });
    assert.deepEqual(await stateAndMode(), ['TP_STATE_ENABLED', 'TP_MODE_ENFORCE']);
    await assertRejected(Code.NOT_FOUND, /nobody/, 'ConfigureTracingPolicy', { name: 'nobody', enable: true });
    await assertRejected(Code.INVALID_ARGUMENT, /^mode: /, 'ConfigureTracingPolicy', { name: 'switched', mode: 'TP_MODE_UNKNOWN' });
    // the calls of older clients
    await client.call('DisableTracingPolicy', { name: 'switched' });
    assert.deepEqual(await stateAndMode(), ['TP_STATE_DISABLED', 'TP_MODE_ENFORCE']);
    await client.call('EnableTracingPolicy', { name: 'switched' });
    assert.deepEqual(await stateAndMode(), ['TP_STATE_ENABLED', 'TP_MODE_ENFORCE']);
    await client.call('DeleteTracingPolicy', { name: 'switched' });
  });

  it('GetDebug and SetDebug: the level of the log', async () => {
    const readLevel = async (): Promise<unknown> => (await client.call('GetDebug', { flag: 'CONFIG_FLAG_LOG_LEVEL' }))['level'];
    assert.equal(await readLevel(), 'LOG_LEVEL_INFO');
    await client.call('SetDebug', { flag: 'CONFIG_FLAG_LOG_LEVEL', level: 'LOG_LEVEL_DEBUG' });
    assert.equal(await readLevel(), 'LOG_LEVEL_DEBUG');
    await client.call('SetDebug', { flag: 'CONFIG_FLAG_LOG_LEVEL', level: 'LOG_LEVEL_INFO' });
  });

  it('GetDebug: the processes that run', async () => {
    const running = spawn('/bin/sleep', ['1000']);
    try {
      const request = { flag: 'CONFIG_FLAG_DUMP_PROCESS_CACHE', dump: { skip_zero_refcnt: true } };
      // the process runs before its event is read
      for (;;) {
        const dump = (await client.call('GetDebug', request))['processes'] as { processes: { process: Reply }[] };
        const findProcess = (pid: unknown): Reply | undefined =>
          dump.processes.map(({ process }) => process).find((each) => (each['pid'] as { value: number }).value === pid);
        assert.ok(findProcess(process.pid) !== undefined);
        const found = findProcess(running.pid);
        if (found?.['binary'] !== '/bin/sleep') continue;
        assert.deepEqual([found['arguments'], found['parent_exec_id']], ['1000', findProcess(process.pid)?.['exec_id']]);
        break;
      }
    } finally {
      running.kill('SIGKILL');
    }
  });

  it('RuntimeHook: a container has its name and its pod from its first event', async () => {
    const id = randomBytes(32).toString('hex');
    const pod = { podName: 'web-0', podNamespace: 'shop', podUID: 'u-1' };
    const container = { containerID: id, containerName: 'web', containerImage: 'nginx:1', cgroupsPath: `/x/${id}` };
    await client.call('RuntimeHook', { createContainer: { ...container, ...pod } });
    const cgroup = join(unifiedMount(), `docker-${id}.scope`);
    mkdirSync(cgroup);
    const events = client.events();
    await events.open;
    try {
      execFileSync('sh', ['-c', 'echo $$ > "$0/cgroup.procs" && exec /bin/true "$1"', cgroup, id]);
      const exec = await events.waitFor((each) => processFields(each)['arguments'] === id && each['event'] === 'process_exec');
      const { docker, pod: found } = processFields(exec);
      assert.equal(docker, id.slice(0, 31));
      const { namespace, name, uid, container: own } = found as Reply;
      assert.deepEqual([namespace, name, uid], ['shop', 'web-0', 'u-1']);
      assert.deepEqual([(own as Reply)['name'], ((own as Reply)['image'] as Reply)['name']], ['web', 'nginx:1']);
    } finally {
      events.cancel();
      rmdirSync(cgroup);
    }
    await assertRejected(Code.INVALID_ARGUMENT, /createContainer/, 'RuntimeHook');
    await assertRejected(Code.INVALID_ARGUMENT, /containerID/, 'RuntimeHook', { createContainer: { podName: 'x' } });
    await assertRejected(Code.FAILED_PRECONDITION, /CONTAINER_INVALID/, 'RuntimeHook', { createContainer: { containerID: 'x'.repeat(300) } });
  });

  it('what is deprecated or not supported says so', async () => {
    for (const name of ['ListSensors', 'EnableSensor', 'DisableSensor', 'RemoveSensor']) {
      await assertRejected(Code.UNIMPLEMENTED, new RegExp(`^${name} is deprecated and not supported: use \\w+$`), name);
    }
    const log = new ProtocolClient(machine.address, undefined, 'EventLogService');
    const { max_size: size, rotation_interval: interval, max_backups: backups } = await log.call('GetEventLogParams');
    assert.deepEqual([size, interval, backups], [20, '1h', 3]);
    // a request without fields changes nothing
    await log.call('SetEventLogParams');
    assert.equal((await log.call('GetEventLogParams'))['max_size'], 20);
    log.close();
  });

  it('GetEvents: the processes that start, and what a policy reports', async () => {
    const path = `/tmp/polytrace-${process.pid}-\u{1f680} x`;
    await client.call('AddTracingPolicy', { yaml: openatPolicy('opens', path) });
    const events = client.events();
    await events.open;
    assert.throws(() => execFileSync('/bin/cat', [path], { stdio: 'ignore' }));
    const exec = await events.waitFor((each) => processFields(each)['arguments'] === `"${path}"` && each['event'] === 'process_exec');
    const { binary, pid, uid, in_init_tree: inTree } = processFields(exec);
    assert.deepEqual({ binary, uid, inTree }, { binary: '/bin/cat', uid: {}, inTree: {} });
    assert.equal(((eventFields(exec)['parent'] as Reply)['pid'] as { value: number }).value, process.pid);
    const opened = await events.waitFor((each) => each['event'] === 'process_tracepoint');
    const { subsys, event, args, action, policy_name: name } = eventFields(opened);
    assert.deepEqual(
      { subsys, event, action, name, pid: processFields(opened)['pid'] },
      { subsys: 'syscalls', event: 'sys_enter_openat', action: 'KPROBE_ACTION_POST', name: 'opens', pid },
    );
    assert.equal((args as { string_arg: string }[])[0]?.string_arg, path);
    const exit = await events.waitFor((each) => each['event'] === 'process_exit' && processFields(each)['exec_id'] === processFields(exec)['exec_id']);
    assert.equal(eventFields(exit)['status'], 1);
    events.cancel();
    await client.call('DeleteTracingPolicy', { name: 'opens' });
  });
});
