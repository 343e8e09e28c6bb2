/** The unit under a real systemd, which is process 1 of its own namespaces. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMAND, ProtocolClient, OutputReader, listenAsManager, Machine, needsRoot, needsTracefs, openatPolicy } from './support.js';

const UNIT = join(__dirname, '../../../deploy/systemd/polytrace.service');
const SYSTEMD = '/usr/lib/systemd/systemd';

/**
 * $1: a folder, $2: the name of a cgroup. Systemd sees only the units of the folder, so it starts nothing else. It
 * has its own network, devices and writable folders, and cannot change kernel settings.
 */
const BOOT = `
set -e
mount --make-rprivate /
mkdir "$1/cgroup"
mount -t cgroup2 none "$1/cgroup"
mkdir "$1/cgroup/$2"
echo $$ > "$1/cgroup/$2/cgroup.procs"
umount "$1/cgroup"
# the cgroup is the root of systemd's cgroup namespace
exec unshare --cgroup sh -ec '
  umount -R /sys/fs/cgroup || true
  mount -t cgroup2 none /sys/fs/cgroup
  mkdir "$1/dev"
  mount -t tmpfs tmpfs "$1/dev"
  for device in null zero full random urandom tty; do touch "$1/dev/$device"; mount --bind /dev/$device "$1/dev/$device"; done
  mkdir "$1/dev/pts" "$1/dev/shm" "$1/dev/mqueue" "$1/dev/hugepages"
  ln -s pts/ptmx "$1/dev/ptmx"
  mount --bind /dev/pts "$1/dev/pts"
  mount --rbind "$1/dev" /dev
  for folder in /run /var/lib /var/log; do mount -t tmpfs tmpfs $folder; done
  mount -t bpf bpf /sys/fs/bpf
  mount --bind -o ro /proc/sys /proc/sys
  export container=test NOTIFY_SOCKET="$1/notify" SYSTEMD_UNIT_PATH="$1/units" SYSTEMD_GENERATOR_PATH="$1/none"
  exec ${SYSTEMD} --unit=basic.target --show-status=no --log-target=null
' sh "$1"
`;

/** Units that every service depends on. */
const TARGETS = ['basic', 'sysinit', 'shutdown', 'local-fs', 'umount'];

describe('the unit for systemd', function () {
  this.timeout(120_000);
  const cgroup = `polytrace-test-${process.pid}`;
  let machine: Machine;
  let manager: ChildProcess | undefined;
  let systemd: ChildProcess | undefined;
  let pid = 0;

  before(needsRoot);
  before(needsTracefs);
  before(function () {
    if (existsSync(SYSTEMD)) return;
    if (process.env['REQUIRE_ALL'] === '1') throw new Error('systemd is not installed');
    this.skip();
  });
  beforeEach(() => (machine = new Machine()));
  afterEach(async () => {
    if (systemd !== undefined) {
      const ended = once(systemd, 'close');
      // all processes of its namespace end with systemd
      if (pid > 0) process.kill(pid, 'SIGKILL');
      else systemd.kill('SIGKILL');
      await ended;
      removeCgroups();
    }
    systemd = undefined;
    manager?.kill('SIGKILL');
    await machine?.remove();
  });

  function removeCgroups(): void {
    const root = join(machine.folder, 'cgroup');
    execFileSync('mount', ['-t', 'cgroup2', 'none', root]);
    try {
      const removeCgroup = (folder: string): void => {
        for (const each of readdirSync(folder, { withFileTypes: true })) {
          if (each.isDirectory()) removeCgroup(join(folder, each.name));
        }
        rmdirSync(folder);
      };
      removeCgroup(join(root, cgroup));
    } finally {
      execFileSync('umount', [root]);
    }
  }

  /** Boots systemd with the unit and a drop-in file. */
  async function boot(dropIn: string): Promise<void> {
    const units = join(machine.folder, 'units');
    mkdirSync(join(units, 'polytrace.service.d'), { recursive: true });
    writeFileSync(join(units, 'polytrace.service'), readFileSync(UNIT));
    writeFileSync(join(units, 'polytrace.service.d', 'test.conf'), dropIn);
    for (const name of TARGETS) writeFileSync(join(units, `${name}.target`), `[Unit]\nDescription=${name}\n`);
    const notified = await listenAsManager(join(machine.folder, 'notify'));
    manager = notified.child;
    const flags = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--uts', '--ipc', '--net', 'sh', '-c', BOOT];
    const child = spawn('unshare', [...flags, 'sh', machine.folder, cgroup], { stdio: ['ignore', 'ignore', 'pipe'] });
    systemd = child;
    const stderr = new OutputReader(child.stderr);
    const ended = once(child, 'exit').then(() => {
      throw new Error(`systemd does not start: ${stderr.text}`);
    });
    await Promise.race([notified.messages.waitFor('READY=1'), ended]);
    ended.catch(() => undefined);
    pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'));
    assert.ok(pid > 0);
  }

  const runInside = (file: string, ...args: readonly string[]): string =>
    execFileSync('nsenter', ['-t', String(pid), '-m', '-p', '-C', file, ...args], { encoding: 'utf8', stdio: 'pipe' });
  const readProperty = (name: string): string =>
    runInside('systemctl', 'show', '--value', '-p', name, 'polytrace').trim();

  /** Waits until the log of the agent contains the text `times` times. */
  async function waitForLog(text: string, times = 1): Promise<void> {
    const file = join(machine.folder, 'log');
    const watcher = watch(file);
    try {
      while (readFileSync(file, 'utf8').split(text).length <= times) await once(watcher, 'change');
    } finally {
      watcher.close();
    }
  }

  it('has no mistake that systemd-analyze finds', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', UNIT], { encoding: 'utf8' });
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });

  it('starts when it is ready, reloads, is restarted by the watchdog, and stops', async () => {
    const bin = join(machine.folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'polytrace'), `#!/bin/sh\nexec ${process.execPath} ${COMMAND} "$@"\n`);
    chmodSync(join(bin, 'polytrace'), 0o755);
    writeFileSync(join(machine.policies, 'opens.yaml'), openatPolicy('opens', '/never'));
    await boot(`[Service]
Environment=PATH=${bin}:/usr/bin:/bin POLYTRACE_TRACING_POLICY_DIR=${machine.policies} POLYTRACE_CONTAINERS=false
StandardError=append:${machine.folder}/log
WatchdogSec=5
`);
    runInside('systemctl', 'start', 'polytrace');
    assert.deepEqual(
      ['ActiveState', 'StatusText', 'NRestarts'].map(readProperty),
      ['active', 'serving unix:///run/polytrace/polytrace.sock', '0'],
    );
    // only systemd and its services see the file system with the socket
    const client = new ProtocolClient(`unix:///proc/${pid}/root/run/polytrace/polytrace.sock`);
    const { policies = [] } = await client.call('ListTracingPolicies');
    client.close();
    assert.deepEqual(
      (policies as { name: string; state: string }[]).map(({ name, state }) => [name, state]),
      [['opens', 'TP_STATE_ENABLED']],
    );
    const main = readProperty('MainPID');
    const status = runInside('cat', `/proc/${main}/status`);
    // CAP_DAC_READ_SEARCH (2), CAP_SYS_PTRACE (19), CAP_PERFMON (38), CAP_BPF (39); a filter of system calls
    for (const line of ['CapEff:\t000000c000080004', 'CapBnd:\t000000c000080004', 'NoNewPrivs:\t1', 'Seccomp:\t2']) {
      assert.ok(status.includes(`${line}\n`), status);
    }

    runInside('systemctl', 'reload', 'polytrace');
    await waitForLog('policies are read again');
    assert.deepEqual(['ActiveState', 'MainPID'].map(readProperty), ['active', main]);

    // an event loop that is blocked
    runInside('kill', '-STOP', main);
    await waitForLog('"msg":"ready"', 2);
    assert.deepEqual(['ActiveState', 'NRestarts'].map(readProperty), ['active', '1']);
    assert.notEqual(readProperty('MainPID'), main);

    runInside('systemctl', 'stop', 'polytrace');
    assert.deepEqual(['ActiveState', 'Result'].map(readProperty), ['inactive', 'success']);
    const pins = readdirSync(`/proc/${pid}/root/sys/fs/bpf/polytrace`);
    assert.ok(pins.length > 0, 'policies stay active');
  });
});
