/**
 * What takes enforcement away: what people, programs and machines do to a running agent is tried, and only the explicit
 * ways end it. The test prints the table.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { Machine, ProtocolClient, spawnCommand } from '../../agent/test/native/support.js';
import { NIGHTLY } from '../nightly.js';
import { checkout, onOneKernel } from './support.js';

const TRIES = 3;
const PINS = '/sys/fs/bpf/enforcement-ends';
const INOTIFY = '/proc/sys/fs/inotify';

// it takes ten minutes, because it waits for files that settle
if (NIGHTLY && onOneKernel('6.12'))
  describe('what takes enforcement away', function () {
    this.timeout(900_000);

    const machine = new Machine();
    const victim = join(machine.folder, 'victim');
    const guarded = join(machine.folder, 'guarded');
    const guard = join(machine.policies, 'guard.yaml');
    const away = join(machine.folder, 'away');
    const rows: string[] = [];
    let client: ProtocolClient;
    let seen = 0;

    const policy = (name: string, path: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  kprobes:
    - call: security_file_permission
      syscall: false
      args: [{ index: 0, type: file }, { index: 1, type: int }]
      selectors:
        - matchArgs: [{ index: 0, operator: Equal, values: [${path}] }]
          matchBinaries: [{ operator: In, values: [${victim}] }]
          matchActions: [{ action: Sigkill }]
`;

    before(() => {
      copyFileSync('/usr/bin/cat', victim);
      writeFileSync(guarded, 'secret\n');
      writeFileSync(guard, policy('guard', guarded));
    });
    after(async () => {
      client?.close();
      await machine.remove();
      console.log(['', 'way to take enforcement away | what happens', '--- | ---', ...rows].join('\n'));
    });

    async function start(...args: readonly string[]): Promise<void> {
      client?.close();
      seen = 0;
      await machine.start('--enforcement', '--persist', PINS, ...args);
      client = new ProtocolClient(machine.address);
    }
    /** Waits for a text in the part of the log that no earlier call has waited for. */
    async function waitForLog(text: string): Promise<void> {
      const { stderr, child } = machine.agent;
      while (!stderr.text.slice(seen).includes(text)) await once(child.stderr, 'data');
      seen = stderr.text.indexOf(text, seen) + text.length;
    }
    const killedCount = (): number =>
      Array.from({ length: TRIES }, () => spawnSync(victim, [guarded], { stdio: 'ignore' }).signal).filter(
        (signal) => signal === 'SIGKILL',
      ).length;
    function assertStays(way: string): void {
      const killed = killedCount();
      rows.push(`${way} | enforcement ${killed === TRIES ? 'stays' : 'ENDS'}`);
      assert.equal(killed, TRIES, way);
    }
    function assertEnds(way: string): void {
      const killed = killedCount();
      rows.push(`${way} | ${killed === 0 ? 'ends: explicit' : 'DOES NOT END'}`);
      assert.equal(killed, 0, way);
    }
    function fill(count: number, open: () => Socket): () => void {
      const sockets = Array.from({ length: count }, () => open().on('error', () => undefined));
      return () => sockets.forEach((socket) => socket.destroy());
    }

    it('with the kernel out of inotify: changes of the folder', async () => {
      for (const limit of ['max_user_instances', 'max_user_watches']) writeFileSync(join(INOTIFY, limit), '0');
      await start('--metrics-server', '127.0.0.1:0');
      assertStays('inotify has no instance and no watch left');
      writeFileSync(join(machine.policies, 'second.yaml'), policy('second', '/never'));
      await waitForLog('"policy":"second"');
      rmSync(join(machine.policies, 'second.yaml'));
      await waitForLog('"msg":"a policy was removed"');
      assertStays('another policy is added and removed without inotify');

      copyFileSync(guard, `${away}.yaml`);
      copyFileSync(guard, join(machine.policies, 'guard-old.yaml'));
      await waitForLog('is loaded already, from');
      rmSync(join(machine.policies, 'guard-old.yaml'));
      await waitForLog('the state is good again');
      assertStays('a backup of the policy is copied and removed');

      renameSync(machine.policies, away);
      await waitForLog('PATH_AWAY');
      assertStays('the folder is moved away');
      mkdirSync(machine.policies);
      await waitForLog('an empty folder has its place');
      assertStays('the folder is removed and made again, empty');
      rmSync(machine.policies, { recursive: true });
      symlinkSync('/no/such/folder', machine.policies);
      await waitForLog('it does not exist');
      assertStays('a link that leads nowhere has its place');
      rmSync(machine.policies);
      renameSync(away, machine.policies);
      await waitForLog('the state is good again');
      assertStays('the folder is back');
    });

    it('files that are no policies, or that others may change', async () => {
      execFileSync('mkfifo', [join(machine.policies, 'pipe.yaml')]);
      await waitForLog('FILE_NOT_REGULAR');
      assertStays('a FIFO is in the folder');
      rmSync(join(machine.policies, 'pipe.yaml'));
      await waitForLog('the state is good again');
      chmodSync(guard, 0o666);
      await waitForLog('FILE_UNTRUSTED');
      assertStays('everybody may write the file of the policy');
      chmodSync(guard, 0o644);
      await waitForLog('the state is good again');
      writeFileSync(guard, 'kind: [TracingPolicy');
      await waitForLog('YAML_');
      assertStays('the file of the policy is damaged');
      renameSync(`${away}.yaml`, guard);
      await waitForLog('the state is good again');
    });

    it('clients, scrapers, a second agent, and floods', async () => {
      await assert.rejects(client.call('DeleteTracingPolicy', { name: 'guard' }), /comes from/);
      assertStays('a client deletes the policy of a file');
      await assert.rejects(client.call('AddTracingPolicy', { yaml: policy('guard', '/never') }));
      assertStays('a client adds another policy with its name');
      const port = Number(/"http:\/\/127\.0\.0\.1:(\d+)"/.exec(machine.agent.stderr.text)?.[1]);
      const end = [fill(80, () => connect(port, '127.0.0.1')), fill(200, () => connect(machine.socket))];
      assertStays('80 connections to the port of metrics, and 200 to the socket');
      end.forEach((close) => close());

      const second = spawnCommand('agent', '--server-address', machine.address, '--tracing-policy-dir', away);
      const [status] = (await once(second.child, 'exit')) as [number];
      assert.notEqual(status, 0);
      assertStays('a second agent is started on the same socket');

      const load = join(machine.folder, 'load');
      execFileSync('cc', ['-O2', '-o', load, join(checkout, 'agent/test/native/programs/load.c')]);
      await client.call('AddTracingPolicy', { yaml: FLOOD });
      machine.agent.child.kill('SIGSTOP');
      const flood = spawn(load, ['200000', '3'], { stdio: 'ignore' });
      await once(flood, 'exit');
      assertStays('the ring buffer is full, and the agent is stopped (SIGSTOP)');
      machine.agent.child.kill('SIGCONT');
      await client.call('DeleteTracingPolicy', { name: 'flood' });
      assertStays('the agent goes on after the flood');
    });

    it('the end of the agent, with --persist', async () => {
      await machine.stop('SIGKILL');
      assertStays('the agent is killed (SIGKILL)');
      const hanging = createServer(() => undefined).listen(0, '127.0.0.1');
      await once(hanging, 'listening');
      const config = join(machine.folder, 'kubeconfig');
      writeFileSync(config, kubeConfig((hanging.address() as AddressInfo).port));
      await start('--enable-k8s-api', '--k8s-kubeconfig-path', config, '--keep-sensors-on-exit');
      assertStays('the next agent starts while the API server does not answer');
      assert.equal(await machine.stop(), 0);
      hanging.close();
      assertStays('SIGTERM, with --keep-sensors-on-exit');
      assert.ok(existsSync(PINS));

      await assert.rejects(start('--group', 'no-such-group'), /there is no group/);
      assertStays('the next agent cannot start, because a setting is wrong');
      const yaml = readFileSync(guard, 'utf8');
      writeFileSync(guard, 'kind: [TracingPolicy');
      await start('--keep-sensors-on-exit');
      assertStays('the file of the policy is damaged when the next agent starts');
      writeFileSync(guard, yaml);
      await waitForLog('the state is good again');
      assertStays('the file is mended');
      assert.equal(await machine.stop(), 0);
    });

    it('the explicit ways', async () => {
      await start();
      await client.call('ConfigureTracingPolicy', { name: 'guard', enable: false });
      assertEnds('a client disables the policy');
      await client.call('ConfigureTracingPolicy', { name: 'guard', enable: true });
      await client.call('ConfigureTracingPolicy', { name: 'guard', mode: 'TP_MODE_MONITOR' });
      assertEnds('a client sets its mode to monitor');
      await client.call('ConfigureTracingPolicy', { name: 'guard', mode: 'TP_MODE_ENFORCE' });
      assertStays('enabled again, in mode enforce');
      const yaml = readFileSync(guard, 'utf8');
      rmSync(guard);
      await waitForLog('"msg":"a policy was removed"');
      assertEnds('its file is removed');
      writeFileSync(guard, yaml);
      await waitForLog('"policy":"guard"');
      assertStays('its file is back');
      execFileSync('umount', ['--lazy', '/sys/fs/bpf']);
      assertStays('/sys/fs/bpf is unmounted');
      execFileSync('mount', ['-t', 'bpf', 'bpf', '/sys/fs/bpf']);
      assert.equal(await machine.stop(), 0);
      assertEnds('SIGTERM, without --keep-sensors-on-exit');
    });
  });

const FLOOD = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: flood }
spec:
  tracepoints: [{ subsystem: syscalls, event: sys_enter_lseek }]
`;

const kubeConfig = (port: number): string => `apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: "http://127.0.0.1:${port}" } }]
users: [{ name: u, user: { token: t } }]
contexts: [{ name: x, context: { cluster: c, user: u } }]
current-context: x
`;
