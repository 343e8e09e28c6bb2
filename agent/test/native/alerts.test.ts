/** Alerts of a running agent: to Alertmanager and journald, which are real, to syslog, and to the command. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sendDatagram } from 'polytrace';
import type { Alert } from '../../lib/alerts/alert.js';
import { Engines } from '../../../test/native/engines.js';
import { ROOT } from '../../../test/project.js';
import { TestReceiver } from '../unit/alerts/support.js';
import { waitUntil } from '../unit/grpc/server.js';
import { listenAsManager, Machine, needsRoot, needsTracefs, OutputReader, plainEnvironment, runCommand } from './support.js';

const ALERTMANAGER = '/usr/bin/prometheus-alertmanager';
const JOURNALD = '/usr/lib/systemd/systemd-journald';

/** Skips the test if a program is missing; with REQUIRE_ALL=1, fails. */
function needsProgram(this: Mocha.Context, path: string): void {
  if (existsSync(path)) return;
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(`${path} is missing: run scripts/setup.sh --vm`);
  this.skip();
}

/** Each program that opens the path is reported. */
/** Podman with the image `polytrace-test:1`. */
async function startPodman() {
  const engines = new Engines();
  const daemon = await engines.podman().start();
  const env = { ...process.env, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' };
  const podman = (...args: readonly string[]): unknown =>
    execFileSync('podman', [...engines.podmanOptions, ...args], { env, stdio: 'ignore' });
  podman('import', engines.image, 'polytrace-test:1');
  return { engines, daemon, podman };
}

function policy(name: string, path: string, more = ''): string {
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: ${name}
  annotations:
    polytrace.io/severity: high
    polytrace.io/runbook: https://wiki.example/${name}
spec:
  tracepoints:
    - subsystem: syscalls
      event: sys_enter_openat
      message: A marked file was opened
      tags: [mitre.T1003.008]
      args: [{ index: 6, type: string }]
      selectors: [{ matchArgs: [{ index: 6, operator: Equal, values: ["${path}"] }] }]
${more}`;
}

/** An alert in the API of Alertmanager. */
interface ManagerAlert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

describe('the alerts of the agent', function () {
  this.timeout(90_000);
  let machine: Machine;
  let marked: string;
  let config: string;
  const children: ChildProcess[] = [];

  before(needsRoot);
  before(needsTracefs);
  beforeEach(() => {
    machine = new Machine();
    marked = join(machine.folder, 'marked');
    config = join(machine.folder, 'agent.yaml');
    writeFileSync(marked, '');
    writeFileSync(join(machine.policies, 'marked.yaml'), policy('marked', marked));
  });
  afterEach(async () => {
    await machine?.remove();
    for (const child of children.splice(0)) {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
    }
  });

  function start(receivers: readonly object[], ...args: readonly string[]): ReturnType<Machine['start']> {
    writeFileSync(config, `alerts: ${JSON.stringify(receivers)}\n`);
    return machine.start('--config-file', config, ...args);
  }
  const openMarked = (...args: string[]): void => void execFileSync('/bin/cat', [marked, ...args]);

  /** Waits for a page of a server over HTTP. */
  async function fetchUntil<T>(url: string, holds: (answer: T) => boolean): Promise<T> {
    for (;;) {
      try {
        const answer = (await (await fetch(url)).json()) as T;
        if (holds(answer)) return answer;
      } catch {
        // it does not answer yet
      }
      await nextTurn();
    }
  }

  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  /** Returns the address of an Alertmanager that answers. */
  async function startAlertmanager(): Promise<string> {
    const port = await freePort();
    const file = join(machine.folder, 'alertmanager.yml');
    writeFileSync(file, 'route: { receiver: none }\nreceivers: [{ name: none }]\n');
    const flags = ['--config.file', file, '--storage.path', join(machine.folder, 'am'), '--cluster.listen-address='];
    children.push(spawn(ALERTMANAGER, [...flags, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' }));
    const url = `http://127.0.0.1:${port}`;
    await fetchUntil(`${url}/api/v2/status`, () => true);
    return url;
  }

  it('reach Alertmanager, which groups them by their labels and resolves them', async function () {
    needsProgram.call(this, ALERTMANAGER);
    const url = await startAlertmanager();
    await start([{ name: 'am', type: 'alertmanager', url }], '--node-name', 'node-7');
    const program = join(machine.folder, 'hostile "name"\n<b>');
    copyFileSync('/bin/cat', program);
    const before = Date.now();
    execFileSync(program, [marked]);
    openMarked();
    const alerts = await fetchUntil<ManagerAlert[]>(`${url}/api/v2/alerts`, (list) => list.length === 2);
    const after = Date.now();
    const byBinary = new Map(alerts.map((alert) => [alert.labels['binary'], alert]));
    const cat = byBinary.get('/bin/cat');
    const { binary: _, ...labels } = cat?.labels ?? {};
    assert.deepEqual(labels, {
      alertname: 'marked',
      policy: 'marked',
      hook: 'syscalls/sys_enter_openat',
      severity: 'high',
      node: 'node-7',
      instance: 'node-7',
    });
    assert.equal(cat?.annotations['summary'], 'A marked file was opened');
    assert.equal(cat.annotations['runbook_url'], 'https://wiki.example/marked');
    assert.equal(cat.annotations['command'], `/bin/cat ${marked}`);
    assert.equal(cat.generatorURL, 'https://wiki.example/marked');
    assert.ok(Date.parse(cat.startsAt) >= before - 1000 && Date.parse(cat.startsAt) <= after);
    assert.ok(Date.parse(cat.endsAt) > after + 4 * 60_000);
    assert.ok(byBinary.has(program.replace('\n', '\\n')), [...byBinary.keys()].join());
    assert.ok(after - before < 20_000, `${after - before} ms`);
  });

  it('reach journald, which keeps each field, and syslog; a receiver that is away gets them when it is back', async function () {
    needsProgram.call(this, JOURNALD);
    // a journal in mounts of its own
    const script = `mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/log/journal /run/systemd/journal &&
      echo 0123456789abcdef0123456789abcdef > /run/machine-id && touch /etc/machine-id && mount --bind /run/machine-id /etc/machine-id &&
      exec ${JOURNALD}`;
    const journald = spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: 'ignore' });
    children.push(journald);
    const root = `/proc/${journald.pid}/root`;
    const socket = `${root}/run/systemd/journal/socket`;
    await waitUntil(() => existsSync(socket));
    const syslog = join(machine.folder, 'log');
    await start([
      { name: 'journal', type: 'journald', socket },
      { name: 'log', type: 'syslog', address: `unix://${syslog}`, facility: 'local1' },
    ]);
    openMarked('/dev/null');
    const query = ['-t', String(journald.pid), '-m', 'journalctl', '--no-pager', '-o', 'json', 'SYSLOG_IDENTIFIER=polytrace'];
    const readJournal = (): string => execFileSync('nsenter', query, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    await waitUntil(() => readJournal() !== '');
    const entry = JSON.parse(readJournal()) as Record<string, string>;
    assert.deepEqual([entry['PRIORITY'], entry['POLYTRACE_POLICY'], entry['POLYTRACE_BINARY']], ['3', 'marked', '/bin/cat']);
    assert.equal(entry['POLYTRACE_ARGUMENTS'], `${marked} /dev/null`);
    assert.match(entry['MESSAGE'] ?? '', /^\[high\] A marked file was opened: /);
    // syslog was not there until now
    await machine.agent.stderr.waitFor('the receiver does not take alerts; trying again');
    const { child, messages } = await listenAsManager(syslog);
    children.push(child);
    await messages.waitFor('severity="high"');
    assert.match(messages.text, /^<139>1 \S+ \S+ polytrace \d+ marked \[alert@32473 severity="high" policy="marked"/m);
  });

  it('name the container', async function () {
    needsProgram.call(this, '/usr/bin/podman');
    const receiver = await new TestReceiver().start();
    const { engines, daemon, podman } = await startPodman();
    try {
      const inContainer = policy('marked', '/bin/true')
        .replace('subsystem: syscalls', 'subsystem: sched')
        .replace('sys_enter_openat', 'sched_process_exec')
        .replaceAll('index: 6', 'index: 4');
      writeFileSync(join(machine.policies, 'marked.yaml'), inContainer);
      await start([{ name: 'r', type: 'webhook', format: 'json', url: receiver.url }], '--containers', '--podman-endpoint', daemon.socket);
      const options = ['--network=none', '--security-opt=apparmor=unconfined', '--rm'];
      const findNamed = (): Alert | undefined => receiver.alerts.find(({ container }) => /^web-\d+$/.test(container));
      // a container that ends at once can be gone before the runtime has told its name
      for (let i = 0; findNamed() === undefined && i < 20; i++) {
        podman('run', ...options, `--name=web-${i}`, 'polytrace-test:1', '/bin/true');
        await waitUntil(() => receiver.posts.length > i);
      }
      const alert = findNamed();
      assert.match(alert?.image ?? '', /polytrace-test:1$/);
    } finally {
      podman('rm', '--all', '--force', '--time=0');
      await daemon.stop();
      await engines.remove();
      await receiver.stop();
    }
  });

  it('of an attack in a container reach Alertmanager, by a policy of the library', async function () {
    for (const program of [ALERTMANAGER, '/usr/bin/podman', '/bin/dash']) needsProgram.call(this, program);
    const { engines, daemon, podman } = await startPodman();
    try {
      const options = ['--network=none', '--security-opt=apparmor=unconfined', '--volume=/bin/dash:/bin/ash:ro'];
      podman('run', '--detach', '--name=web', ...options, 'polytrace-test:1', '/bin/sleep', '600');
      const url = await startAlertmanager();
      copyFileSync(join(ROOT, 'policies/container-shell.yaml'), join(machine.policies, 'marked.yaml'));
      await start([{ name: 'am', type: 'alertmanager', url }], '--containers', '--podman-endpoint', daemon.socket);
      const before = Date.now();
      podman('exec', '--tty', 'web', '/bin/ash', '-c', ':');
      const [alert] = await fetchUntil<ManagerAlert[]>(`${url}/api/v2/alerts`, (list) => list.length > 0);
      const after = Date.now();
      const { alertname, container, image, severity, binary } = alert?.labels ?? {};
      assert.deepEqual([alertname, container, severity, binary], ['container-shell', 'web', 'medium', '/bin/ash']);
      assert.match(image ?? '', /polytrace-test:1$/);
      assert.equal(alert?.annotations['summary'], 'A shell with a terminal was started in a container');
      const started = Date.parse(alert.startsAt);
      assert.ok(started >= before - 1000 && started <= after, `${before} ${started} ${after}`);
    } finally {
      podman('rm', '--all', '--force', '--time=0');
      await daemon.stop();
      await engines.remove();
    }
  });

  it('that a receiver did not take are sent by the next agent', async () => {
    const receiver = await new TestReceiver().start();
    try {
      const settings = { name: 'r', type: 'webhook', format: 'json', url: receiver.url };
      const spool = ['--alerts-spool-dir', join(machine.folder, 'spool')];
      await receiver.stop();
      await start([settings], ...spool);
      openMarked();
      await machine.agent.stderr.waitFor('the receiver does not take alerts; trying again');
      openMarked();
      // also the one that was only counted
      assert.equal(await machine.stop(), 0);
      await receiver.start();
      await start([settings], ...spool);
      await waitUntil(() => receiver.posts.length === 2);
      assert.deepEqual(receiver.alerts.map(({ policy: name, count }) => [name, count]), [['marked', 1], ['marked', 1]]);
      await waitUntil(() => readdirSync(join(machine.folder, 'spool/r')).length === 0);
    } finally {
      await receiver.stop();
    }
  });

  it('are shown and acknowledged by the command; a reader may not, and the journal says who did', async () => {
    const reader = `unix://${join(machine.folder, 'reader.sock')}`;
    const metrics = `127.0.0.1:${await freePort()}`;
    const agent = await start(
      [{ name: 'gone', type: 'webhook', url: 'http://127.0.0.1:9/secret/path', 'min-severity': 'critical' }, { name: 'down', type: 'webhook', url: 'http://127.0.0.1:9' }],
      '--read-only-address', reader, '--metrics-server', metrics, '--redaction-filters', '{"redact":["--token (\\\\S+)"]}',
    ); // prettier-ignore
    const alerts = (...args: string[]): ReturnType<typeof runCommand> => runCommand('alerts', ...args, '--server', machine.address);
    assert.equal((await alerts()).stdout, 'no alerts\n');
    const script = join(machine.folder, 'script');
    writeFileSync(script, `#!/bin/sh\nread -r _ < ${marked}\nexit 0\n`, { mode: 0o755 });
    for (let i = 0; i < 3; i++) execFileSync(script, ['--token s3cret']);
    openMarked();
    await agent.stderr.waitFor('the receiver does not take alerts');
    const list = async (...args: string[]): Promise<{ alerts: Record<string, unknown>[]; total: number; receivers: Record<string, unknown>[] }> =>
      JSON.parse((await alerts('-o', 'json', ...args)).stdout) as never;
    let found = await list();
    while (found.alerts.length < 2) found = await list();
    assert.deepEqual(found.alerts.map(({ id, severity, policy: name, binary, receivers }) => [id, severity, name, binary, receivers]), [
      [1, 'high', 'marked', script, ['down']],
      [2, 'high', 'marked', '/bin/cat', ['down']],
    ]);
    assert.deepEqual(found.alerts[0]?.['links'], ['https://wiki.example/marked', 'https://attack.mitre.org/techniques/T1003/008/']);
    assert.match(String(found.alerts[0]?.['arguments']), /--token \*\*\*\*\*/);
    const table = (await alerts()).stdout;
    assert.match(table, /^ID +TIME +SEVERITY +POLICY +EVENTS +CONTAINER +PROGRAM +MESSAGE\n1 +\S+Z +high +marked +1 +- +\S+script +A marked file was opened\n2 /);
    assert.match(table, /^receiver down: takes no alerts \(connect ECONNREFUSED 127\.0\.0\.1:9\), 0 lost$/m);
    assert.equal((await alerts('--min-severity', 'critical')).stdout.split('\n')[0], 'no alerts');
    assert.equal((await list('--limit', '1')).alerts[0]?.['id'], 2);

    const denied = await runCommand('alerts', 'ack', '1', '--server', reader);
    assert.deepEqual([denied.status, /may only read/.test(denied.stderr)], [1, true]);
    const unknown = await alerts('ack', '1', '99');
    assert.deepEqual([unknown.status, unknown.stderr], [1, 'polytrace: the agent keeps no alert 99\n']);
    assert.equal((await alerts('ack')).status, 2);
    assert.deepEqual([(await alerts('ack', '1')).stdout, (await alerts('ack', '1')).stdout], ['acknowledged: 1\n', 'acknowledged: 0\n']);
    assert.deepEqual((await list()).alerts.map(({ id }) => id), [2]);
    const all = await list('--all');
    assert.match(String(all.alerts[0]?.['acknowledgedBy']), /^uid 0, pid \d+/);
    assert.equal((await alerts('ack', '--all')).stdout, 'acknowledged: 1\n');
    const said = agent.stderr.lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    const acknowledged = said.filter(({ msg }) => msg === 'a client acknowledged alerts');
    assert.deepEqual(acknowledged.map(({ after }) => after), ['1', 'all']);
    assert.equal((acknowledged[0]?.['by'] as { uid: number }).uid, 0);

    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    for (const line of ['polytrace_alerts_total{severity="high"} 2', 'polytrace_alert_events_total 4', 'polytrace_alerts_failing{receiver="down"} 1', 'polytrace_alerts_lost_total{receiver="down"} 0', 'polytrace_alerts_failing{receiver="gone"} 0']) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    const health = (await (await fetch(`http://${metrics}/healthz`)).json()) as Record<string, unknown>;
    assert.equal(health['failingReceivers'], 1);
    const info = await runCommand('info', '--server', machine.address);
    assert.ok(info.stdout.includes('http://127.0.0.1:9/*****') && !/secret\/path|s3cret/.test(info.stdout + agent.stderr.text + table), info.stdout);
    assert.equal(await machine.stop(), 0);
    assert.match(agent.stderr.text, /"receiver":"down","lost":3,"msg":"alerts were not sent before the end"/);
  });

  it('have a severity that changes with the policy', async () => {
    await start([]);
    const severities = async (): Promise<unknown[]> => {
      const { stdout } = await runCommand('alerts', '-o', 'json', '--server', machine.address);
      return (JSON.parse(stdout) as { alerts: { severity: string }[] }).alerts.map(({ severity }) => severity);
    };
    openMarked();
    while ((await severities()).length === 0);
    const file = join(machine.folder, 'new.yaml');
    writeFileSync(file, policy('marked', marked).replace('severity: high', 'severity: low'));
    rmSync(join(machine.policies, 'marked.yaml'));
    copyFileSync(file, join(machine.policies, 'marked.yaml'));
    await machine.agent.stderr.waitFor('a policy was replaced');
    openMarked();
    while ((await severities()).length === 1);
    assert.deepEqual(await severities(), ['high', 'low']);
  });

  it('with bad files or settings end the agent with their place, before it traces', async () => {
    writeFileSync(config, 'alerts:\n  - name: a\n    type: webhook\n    url: http://x\n    min-severity: loud\n');
    const wrong = await runCommand('agent', '--config-file', config);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /agent\.yaml:5:5: CONFIG_VALUE: alerts: receiver 1 \(a\): min-severity: it has to be one of/);
    writeFileSync(config, `alerts:\n  - name: a\n    type: webhook\n    url-file: ${machine.folder}/none\n`);
    for (const args of [['--check'], []]) {
      const missing = await runCommand('agent', '--config-file', config, ...args);
      assert.deepEqual([missing.status, missing.stdout], [2, '']);
      assert.match(missing.stderr, /agent\.yaml:1:1: CONFIG_FILE: alerts: a: ENOENT/);
    }
  });
});

describe('sendDatagram', function () {
  this.timeout(30_000);
  it('returns the code of the error, and never waits', async () => {
    const folder = new Machine();
    const path = join(folder.folder, 'socket');
    assert.equal(sendDatagram(path, Buffer.from('x')), 'ENOENT');
    // a receiver that never reads
    const child = spawn('perl', ['-e', 'use Socket; $|=1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, pack_sockaddr_un($ARGV[0])); print "x\\n"; sleep 1 while 1;', path], { stdio: ['ignore', 'pipe', 'inherit'], env: plainEnvironment() }); // prettier-ignore
    try {
      await new OutputReader(child.stdout).waitFor('x\n');
      let error: string | undefined;
      for (let i = 0; i < 100_000 && error === undefined; i++) error = sendDatagram(path, Buffer.alloc(1000));
      assert.equal(error, 'EAGAIN');
      assert.equal(sendDatagram(path, Buffer.alloc(16 * 1024 * 1024)), 'EMSGSIZE');
      assert.equal(sendDatagram('relative', Buffer.alloc(1)), 'EINVAL');
      assert.equal(sendDatagram(`/${'x'.repeat(200)}`, Buffer.alloc(1)), 'ENAMETOOLONG');
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await folder.remove();
    }
  });
});
