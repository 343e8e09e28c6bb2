/**
 * Scopes on a full kernel: the policies that Tetragon publishes for file monitoring, limited to one container of one pod.
 * No process outside of the container is reported or killed.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { openTracer } from '../../lib/index.js';
import type { ContainerInfo, ContainerSink, ContainerSource, TracerOptions } from '../../types/index.js';
import { corpus, kprobeEvents, kernel, Recording } from './support.js';

const MOUNT = '/sys/fs/cgroup';
/** Only these tests start it, so that a policy that kills cannot affect another process. */
const CAT = '/tmp/scoped-cat';
const SECRET = '/etc/shadow';

const id = (digit: string): string => digit.repeat(64);
const WEB = `/docker-${id('a')}.scope`;
const SIDECAR = `/docker-${id('b')}.scope`;
const OTHER = `/docker-${id('c')}.scope`;
const FOREIGN = `/docker-${id('d')}.scope`;
const UNNAMED = `/docker-${id('e')}.scope`;
const OF_RUNC = `/docker-${id('f')}.scope`;
const CGROUPS = [WEB, `${WEB}/inside`, SIDECAR, OTHER, FOREIGN, UNNAMED];

class Source implements ContainerSource {
  readonly name = 'test';
  sink: ContainerSink | undefined;

  async start(sink: ContainerSink): Promise<void> {
    this.sink = sink;
    sink.state(true);
    await this.putContainer(WEB, 'main', 'shop', 'web');
    await this.putContainer(SIDECAR, 'proxy', 'shop', 'web');
    await this.putContainer(OTHER, 'main', 'shop', 'db');
    await this.putContainer(FOREIGN, 'main', 'default', 'web');
  }

  async stop(): Promise<void> {}

  async putContainer(cgroupPath: string, name: string, namespace: string, app: string): Promise<void> {
    const container: ContainerInfo = {
      id: cgroupPath.slice('/docker-'.length, -'.scope'.length),
      runtime: 'docker',
      name,
      cgroupPath,
      pod: { namespace, name: app, labels: { app } },
    };
    await this.sink?.add(container);
  }
}

/** A published policy, for one container of one pod. */
function scopePolicy(file: string): { yaml: string } {
  const text = readFileSync(join(corpus, file), 'utf8');
  const selectors = '  podSelector: {matchLabels: {app: web}}\n  containerSelector: {matchLabels: {name: main}}\n';
  const yaml = text
    .replace(/^kind: .*$/m, 'kind: TracingPolicyNamespaced')
    .replace(/^ {2}name: .*$/m, '  name: scoped\n  namespace: shop')
    .replace(/^spec:\n/m, `spec:\n${selectors}`);
  assert.ok(yaml.includes(selectors) && yaml.includes('namespace: shop'));
  return { yaml };
}

/** Reads the file in a process that moves into the cgroup first, as the runtimes do for `exec`. */
function readIn(cgroup: string, file = SECRET): { status: number | null; signal: string | null } {
  const script = 'echo $$ > "$0/cgroup.procs" && exec "$1" "$2"';
  const { status, signal } = spawnSync('sh', ['-c', script, MOUNT + cgroup, CAT, file], { stdio: 'ignore' });
  return { status, signal };
}

const SUCCESS = { status: 0, signal: null };
const KILLED = { status: null, signal: 'SIGKILL' };

describe(`scopes on ${kernel}`, () => {
  let source: Source;
  const moved = `/tmp/scopes-root-${process.pid}`;

  before(function () {
    if (!existsSync(corpus)) {
      if (process.env['REQUIRE_ALL'] === '1') throw new Error(`${corpus} is missing`);
      this.skip();
    }
    copyFileSync('/bin/cat', CAT);
    for (const cgroup of CGROUPS) mkdirSync(MOUNT + cgroup);
    mkdirSync(moved);
    execFileSync('mount', ['--rbind', '/', moved]);
  });
  after(() => {
    spawnSync('umount', ['-l', moved]);
    for (const cgroup of CGROUPS.toReversed()) if (existsSync(MOUNT + cgroup)) rmdirSync(MOUNT + cgroup);
  });

  async function openRecording(file: string, options: TracerOptions = {}): Promise<Recording> {
    source = new Source();
    const containers = { sources: [source] };
    return new Recording(await openTracer({ ...options, containers, policies: [scopePolicy(file)] }));
  }

  const recordPaths = async (recording: Recording, run: () => void | Promise<void>): Promise<string[]> =>
    kprobeEvents(await recording.eventsDuring(run)).flatMap(({ args: [arg] }) =>
      arg !== undefined && 'path' in arg ? [arg.path] : [],
    );

  it('file_monitoring: events only from the container', async () => {
    const recording = await openRecording('quickstart__file_monitoring.yaml');
    try {
      assert.deepEqual(
        recording.tracer.policies().map(({ name, scope }) => [name, scope]),
        [['shop/scoped', { state: 'active', containers: 1 }]],
      );
      for (const cgroup of [WEB, `${WEB}/inside`]) {
        const found = await recordPaths(recording, () => void readIn(cgroup));
        assert.ok(found.length > 0 && found.every((path) => path === SECRET), `${cgroup}: ${found.join(', ')}`);
      }
      for (const cgroup of ['', SIDECAR, OTHER, FOREIGN, UNNAMED]) {
        assert.deepEqual(await recordPaths(recording, () => void readIn(cgroup)), [], cgroup);
      }
    } finally {
      await recording.close();
    }
  });

  it('file_monitoring_enforce: kills only in the container', async () => {
    const recording = await openRecording('quickstart__file_monitoring_enforce.yaml', { enforcement: true });
    try {
      assert.deepEqual(readIn(WEB), KILLED);
      assert.deepEqual(readIn(`${WEB}/inside`), KILLED);
      for (const cgroup of ['', SIDECAR, OTHER, FOREIGN, UNNAMED]) assert.deepEqual(readIn(cgroup), SUCCESS, cgroup);
      // the root of the host, bound to another place, is the same files
      assert.deepEqual(readIn(OTHER, moved + SECRET), SUCCESS);
      await recording.tracer.setPolicyMode('shop/scoped', 'monitor');
      assert.deepEqual(readIn(WEB), SUCCESS);
    } finally {
      await recording.close();
    }
  });

  it('who enters the container is in it, and who leaves it is not', async () => {
    const recording = await openRecording('quickstart__file_monitoring_enforce.yaml', { enforcement: true });
    const script =
      'echo ready; while read -r cgroup; do echo $$ > "$cgroup/cgroup.procs"; "$0" "$1" > /dev/null; echo $?; done';
    const child = spawn('sh', ['-c', script, CAT, SECRET], { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      await once(child.stdout, 'data');
      const statuses: number[] = [];
      for (const cgroup of [OTHER, WEB, '', WEB]) {
        child.stdin.write(`${MOUNT}${cgroup}\n`);
        statuses.push(Number(String(await once(child.stdout, 'data'))));
      }
      assert.deepEqual(statuses, [0, 128 + 9, 0, 128 + 9]);
      const enter = (...args: readonly string[]): object => {
        const words = ['--target', String(child.pid), '--mount', ...args, '--', CAT, SECRET];
        const { status, signal } = spawnSync('nsenter', words, { stdio: 'ignore' });
        return { status, signal };
      };
      assert.deepEqual(enter('--cgroup'), SUCCESS, 'the namespaces alone are not the container');
      assert.deepEqual(enter('--join-cgroup'), KILLED);
    } finally {
      child.kill('SIGKILL');
      await recording.close();
    }
  });

  it('runc exec: its process starts outside of the container', async () => {
    const recording = await openRecording('quickstart__file_monitoring_enforce.yaml', { enforcement: true });
    const bundle = mkdtempSync('/tmp/scopes-runc-');
    const runc = (...args: readonly string[]): number | null =>
      spawnSync('runc', ['--root', join(bundle, 'state'), ...args], { stdio: 'ignore' }).status;
    const config = {
      ociVersion: '1.0.2',
      process: { user: { uid: 0, gid: 0 }, args: ['sleep', 'infinity'], env: ['PATH=/usr/bin'], cwd: '/' },
      root: { path: moved },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        // runc replaces /dev/ptmx: without a /dev of its own, that of the machine
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      ],
      linux: { cgroupsPath: OF_RUNC, namespaces: [{ type: 'pid' }, { type: 'mount' }] },
    };
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
    try {
      assert.equal(runc('run', '--detach', '--bundle', bundle, 'web'), 0);
      await source.putContainer(OF_RUNC, 'main', 'shop', 'web');
      assert.equal(runc('exec', 'web', CAT, SECRET), 128 + 9);
      await source.putContainer(OF_RUNC, 'main', 'shop', 'db');
      assert.equal(runc('exec', 'web', CAT, SECRET), 0);
    } finally {
      runc('delete', '--force', 'web');
      await recording.close();
      rmSync(bundle, { recursive: true });
    }
  });

  it('a label that changes moves the container in and out', async () => {
    const recording = await openRecording('quickstart__file_monitoring_enforce.yaml', { enforcement: true });
    try {
      assert.deepEqual(readIn(OTHER), SUCCESS);
      await source.putContainer(OTHER, 'main', 'shop', 'web');
      assert.deepEqual([readIn(OTHER), readIn(WEB)], [KILLED, KILLED]);
      await source.putContainer(OTHER, 'main', 'shop', 'db');
      assert.deepEqual([readIn(OTHER), readIn(WEB)], [SUCCESS, KILLED]);
    } finally {
      await recording.close();
    }
  });
});
