/** Names and pods of containers, from real engines: Docker, Podman, and containerd by CRI and NRI. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ContainerOptions, EventsOptions, ProcessExecEvent, Tracer, TracerEvent } from '../../types/index.js';
import { CriClient, type PodSpec } from './cri-client.js';
import { Engines, NO_CALL, type Daemon } from './engines.js';
import { isExec, isLost, leaveMark, needsRoot, openTracer, polytrace, readUntil } from './support.js';

const IMAGE = 'polytrace-test:1';
const execFileAsync = promisify(execFile);

const needsPrograms = (...names: readonly string[]): void => {
  for (const name of names) {
    const isThere = ['/usr/bin/', '/usr/sbin/', '/sbin/', '/bin/'].some((folder) => existsSync(folder + name));
    assert.ok(isThere, `${name} is missing: scripts/setup.sh --vm installs it`);
  }
};

async function withTracer<T>(containers: ContainerOptions, use: (tracer: Tracer) => Promise<T>): Promise<T> {
  const tracer = await openTracer({ containers });
  try {
    return await use(tracer);
  } finally {
    await tracer.close();
  }
}

async function traced(tracer: Tracer, body: () => unknown, options: EventsOptions = {}): Promise<TracerEvent[]> {
  const events = tracer.events(options);
  await body();
  const all = await readUntil(leaveMark(), events);
  await events.return?.();
  assert.deepEqual(all.filter(isLost), []);
  return all;
}

/** The execs of programs in containers. */
const execsInContainers = (events: readonly TracerEvent[]): ProcessExecEvent[] =>
  events.filter(isExec).filter(({ process }) => process.container !== undefined && !process.binary.includes('runc'));

const findExec = (events: readonly TracerEvent[], argument: string): ProcessExecEvent => {
  const found = events.filter(isExec).filter(({ process }) => process.argv.at(-1) === argument);
  const inside = found.find(({ process }) => process.container !== undefined);
  assert.ok(inside !== undefined, `${argument}: ${found.length} outside`);
  return inside;
};

/** Asks again until it is so: a runtime reports in its own time. */
async function eventually(what: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 200, what);
    await pause(50);
  }
}

const isConnected = (tracer: Tracer, name: string): boolean =>
  tracer.containerSources().find((source) => source.name === name)?.connected === true;

/** Reports the system call of /bin/first in the pods of one label. */
const FIRST_CALLS = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: {name: first-calls, namespace: default}
spec:
  podSelector: {matchLabels: {app: ship}}
  tracepoints:
  - subsystem: raw_syscalls
    event: sys_enter
    raw: true
    args: [{index: 1, type: int64}]
    selectors: [{matchArgs: [{index: 1, operator: Equal, values: ["${NO_CALL}"]}]}]
`;

describe('sources of containers', function () {
  this.timeout(120_000);
  let engines: Engines;
  before(needsRoot);
  before(() => {
    needsPrograms('dockerd', 'docker', 'podman', 'containerd', 'ctr', 'runc');
    engines = new Engines();
  });
  after(() => engines?.remove());

  describe('Docker', () => {
    let daemon: Daemon;
    let containers: ContainerOptions;
    const docker = async (...args: readonly string[]): Promise<string> =>
      (await execFileAsync('docker', ['--host', `unix://${daemon.socket}`, ...args])).stdout.trim();
    const RUN = ['run', '--network=none', '--security-opt=apparmor=unconfined'];

    before(async () => {
      daemon = await engines.docker().start();
      containers = { sources: ['docker'], sockets: { docker: daemon.socket }, waitMs: 10_000 };
      await docker('import', engines.image, IMAGE);
    });
    after(async () => {
      await daemon.start(); // a failed test may have stopped it
      // the engine may be removing one that was started with --rm, and refuses then
      for (let all; (all = await docker('ps', '--all', '--quiet')) !== ''; await pause(100))
        await docker('rm', '--force', ...all.split('\n')).catch(() => undefined);
      await daemon.stop();
    });

    it('the first program has the name, the image and the labels', async () => {
      await withTracer(containers, async (tracer) => {
        const events = await traced(tracer, () =>
          docker(...RUN, '--rm', '--name=web', '--label=app=shop', IMAGE, '/bin/cat', '/etc/passwd'),
        );
        const { process } = findExec(events, '/etc/passwd');
        assert.equal(process.container?.runtime, 'docker');
        assert.equal(process.container?.name, 'web');
        assert.equal(process.container?.image?.name, IMAGE);
        assert.match(process.container?.image?.id ?? '', /^sha256:/);
        assert.deepEqual({ ...process.container?.labels }, { app: 'shop' });
        assert.equal(process.container?.privileged, false);
        assert.equal(process.pod, undefined);
        const line = polytrace.formatCompact(findExec(events, '/etc/passwd'));
        assert.equal(line, '🚀 process web /bin/cat /etc/passwd');
      });
    });

    it('a container that ran before, is executed into, renamed, and started again', async () => {
      const id = await docker(...RUN, '--detach', '--privileged', '--name=early', IMAGE, '/bin/sleep', '1000');
      await withTracer(containers, async (tracer) => {
        assert.deepEqual(tracer.containers().map(({ name }) => name), ['early']);
        const first = tracer.containers()[0];
        assert.ok(first?.cgroupPath?.includes(id) === true);
        const events = await traced(tracer, () => docker('exec', id, '/bin/cat', '/etc/passwd'));
        const { container } = findExec(events, '/etc/passwd').process;
        assert.equal(container?.name, 'early');
        assert.equal(container?.privileged, true);
        assert.match(container?.startTime ?? '', /^\d{4}-\d\d-\d\dT.*Z$/);

        await docker('rename', id, 'late');
        await eventually('renamed', () => tracer.containers()[0]?.name === 'late');
        const later = await traced(tracer, () => docker('exec', id, '/bin/cat', '/etc/group'));
        assert.equal(findExec(later, '/etc/group').process.container?.name, 'late');

        const again = await traced(tracer, () => docker('restart', '--time=0', id));
        assert.equal(findExec(again, '1000').process.container?.name, 'late');
        await eventually('in its new cgroup', () => tracer.containers()[0]?.pid !== first.pid);
      });
      await docker('rm', '--force', id);
    });

    it('filters by name, label and host', async () => {
      await withTracer(containers, async (tracer) => {
        const start = (name: string, label: string): Promise<string> =>
          docker(...RUN, '--rm', `--name=${name}`, `--label=app=${label}`, IMAGE, '/bin/cat', `/${name}`).catch(String);
        const collectExecs = (options: EventsOptions): Promise<TracerEvent[]> => {
          const events = tracer.events({ ...options, types: ['process_exec'] });
          const all: TracerEvent[] = [];
          return (async () => {
            for await (const event of events) all.push(event);
            return all;
          })();
        };
        const readers = [
          collectExecs({ containers: ['one'] }),
          collectExecs({ containers: [/^t/] }),
          collectExecs({ labels: ['app in (x),app!=y'] }),
          collectExecs({ host: true }),
          collectExecs({ namespaces: [''] }),
        ];
        await traced(tracer, async () => {
          await start('one', 'x');
          await start('two', 'y');
        });
        await tracer.close(); // every reader gets the rest
        const names = (await Promise.all(readers)).map((events) => {
          const all = execsInContainers(events).map(({ process }) => process.container?.name);
          return [...new Set(all)].sort();
        });
        assert.deepEqual(names, [['one'], ['two'], ['one'], [], ['one', 'two']]);
      });
    });

    it('a restart of the engine loses nothing', async () => {
      // with seccomp, the kernel refuses an unknown call before the tracepoint
      const kept = await docker(...RUN, '--security-opt=seccomp=unconfined', '--detach', '--name=kept', IMAGE, '/bin/sleep', '1000');
      const gone = await docker(...RUN, '--detach', '--name=gone', IMAGE, '/bin/sleep', '1000');
      await withTracer(containers, async (tracer) => {
        await daemon.stop();
        await eventually('not connected', () => !isConnected(tracer, 'docker'));
        assert.deepEqual(tracer.containers().map(({ name }) => name).sort(), ['gone', 'kept']);
        // what ran before is in the scope of a policy that is loaded now, and its status says what is missing
        await tracer.addPolicy({ yaml: FIRST_CALLS.replace('Namespaced', '').replace(', namespace: default', '').replace(/podSelector.*/, 'containerSelector: {matchLabels: {name: kept}}') });
        const scope = (): unknown => tracer.policies()[0]?.scope;
        assert.deepEqual(scope(), { state: 'no_source', containers: 1 });
        const state = tracer.containers().find(({ id }) => id === gone);
        process.kill(state?.pid ?? 0, 'SIGKILL');
        await daemon.start();
        await eventually('connected again', () => isConnected(tracer, 'docker'));
        await eventually('compared', () => tracer.containers().length === 1);
        assert.deepEqual(scope(), { state: 'active', containers: 1 });
        const events = await traced(tracer, async () => {
          await docker('exec', kept, '/bin/cat', '/etc/passwd');
          await docker('exec', kept, '/bin/first');
        });
        assert.equal(findExec(events, '/etc/passwd').process.container?.name, 'kept');
        assert.equal(events.filter(({ type }) => type === 'process_tracepoint').length, 1);
      });
    });
  });

  it('Podman: the first program has the name', async () => {
    const daemon = await engines.podman().start();
    const env = { ...process.env, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' };
    const podman = async (...args: readonly string[]): Promise<string> =>
      (await execFileAsync('podman', [...engines.podmanWords, ...args], { env })).stdout.trim();
    await podman('import', engines.image, IMAGE);
    const containers: ContainerOptions = { sources: ['podman'], sockets: { podman: daemon.socket }, waitMs: 10_000 };
    await withTracer(containers, async (tracer) => {
      assert.deepEqual(tracer.containerSources(), [{ name: 'podman', connected: true, containers: 0 }]);
      const events = await traced(tracer, () =>
        podman('run', '--network=none', '--security-opt=apparmor=unconfined', '--name=p', IMAGE, '/bin/cat', '/etc/passwd'),
      );
      const { container } = findExec(events, '/etc/passwd').process;
      assert.equal(container?.name, 'p');
      assert.match(container?.image?.name ?? '', /polytrace-test:1$/);
    });
    await podman('rm', '--all', '--force', '--time=0');
    await daemon.stop();
  });

  describe('containerd', () => {
    let daemon: Daemon;
    let cri: CriClient;
    let pods = 0;
    const podSpec = (name: string, labels: Readonly<Record<string, string>> = {}): PodSpec => ({
      namespace: 'default',
      name,
      uid: `00000000-0000-0000-0000-${String(++pods).padStart(12, '0')}`,
      labels,
    });
    before(async () => {
      daemon = await engines.containerd().start();
      const archive = engines.dockerArchive();
      execFileSync('ctr', ['--address', daemon.socket, '--namespace', 'k8s.io', 'image', 'import', archive]);
      cri = new CriClient(daemon.socket);
    });
    after(async () => {
      cri?.close();
      await daemon?.stop();
    });

    const XWING = { app: 'ship', 'pod-template-hash': '5d4f' };

    it('CRI: a pod that ran before, a new container of it, and a restart of the runtime', async () => {
      const pod = podSpec('xwing-5d4f-x7abc', XWING);
      const sandbox = await cri.runPod(pod);
      const early = await cri.run(pod, sandbox, 'early', ['/bin/sleep', '1000']);
      const containers: ContainerOptions = { sources: ['cri'], sockets: { cri: daemon.socket }, waitMs: 10_000 };
      await withTracer(containers, async (tracer) => {
        assert.deepEqual(tracer.containers().map(({ id }) => id).sort(), [early, sandbox].sort());
        const events = await traced(tracer, async () => {
          await cri.exec(early, ['/bin/cat', '/etc/passwd']);
          await cri.run(pod, sandbox, 'new', ['/bin/cat', '/etc/group']);
        });
        const executed = findExec(events, '/etc/passwd').process;
        assert.deepEqual([executed.pod?.namespace, executed.pod?.name], ['default', 'xwing-5d4f-x7abc']);
        assert.deepEqual([executed.pod?.workload, executed.pod?.workloadKind], ['xwing', 'Deployment']);
        assert.deepEqual({ ...executed.pod?.labels }, XWING);
        assert.equal(executed.pod?.annotations?.['note'], 'of the test');
        assert.equal(executed.pod?.uid, pod.uid);
        assert.equal(executed.pod?.container?.name, 'early');
        assert.equal(executed.pod?.container?.privileged, false);
        assert.match(executed.pod?.container?.startTime ?? '', /Z$/);
        assert.equal(executed.pod?.container?.image?.name, 'docker.io/library/polytrace-test:1');
        const first = findExec(events, '/etc/group');
        assert.equal(first.process.container?.name, 'new');
        assert.equal(polytrace.formatCompact(first), '🚀 process default/xwing-5d4f-x7abc /bin/cat /etc/group');
        const json = JSON.parse(polytrace.toJson(first)) as { process_exec: { process: { pod: { container: { id: string } } } } };
        assert.equal(json.process_exec.process.pod.container.id, `containerd://${first.process.container?.id ?? ''}`);

        cri.close();
        await daemon.stop();
        await eventually('not connected', () => !isConnected(tracer, 'cri'));
        await daemon.start();
        cri = new CriClient(daemon.socket);
        await eventually('connected again', () => isConnected(tracer, 'cri'));
        const later = await traced(tracer, () => cri.exec(early, ['/bin/cat', '/etc/hosts']));
        assert.equal(findExec(later, '/etc/hosts').process.pod?.name, 'xwing-5d4f-x7abc');
      });
      await cri.removePod(sandbox);
    });

    it('NRI: 30 containers are known before they start, with nothing waiting', async () => {
      const pod = podSpec('tie', { app: 'ship' });
      const sandbox = await cri.runPod(pod);
      const containers: ContainerOptions = { sources: ['nri'], sockets: { nri: engines.nriSocket }, waitMs: 0 };
      await withTracer(containers, async (tracer) => {
        assert.equal(isConnected(tracer, 'nri'), true);
        assert.deepEqual(tracer.containers().map(({ id }) => id), [sandbox]);
        const events = await traced(tracer, async () => {
          for (let i = 0; i < 30; i++) await cri.run(pod, sandbox, `c${i}`, ['/bin/cat', `/first-${i}`]);
        });
        for (let i = 0; i < 30; i++) {
          const { process } = findExec(events, `/first-${i}`);
          assert.equal(process.pod?.name, 'tie');
          assert.equal(process.container?.name, `c${i}`);
          assert.equal(process.pod?.labels?.['app'], 'ship');
        }
        assert.equal(tracer.containerSources()[0]?.late, 0);
        await cri.removePod(sandbox);
        await eventually('all are removed', () => tracer.containers().length === 0);
      });
    });

    it('NRI: a scoped policy reports the first system call of each of 100 containers, and none of the pod beside it', async () => {
      const ship = podSpec('ship', { app: 'ship' });
      const beside = podSpec('beside', { app: 'other' });
      const sandboxes = [await cri.runPod(ship), await cri.runPod(beside)] as const;
      const containers: ContainerOptions = { sources: ['nri'], sockets: { nri: engines.nriSocket }, waitMs: 0 };
      await withTracer(containers, async (tracer) => {
        await tracer.addPolicy({ yaml: FIRST_CALLS });
        const events = await traced(tracer, async () => {
          for (let i = 0; i < 100; i++) {
            await cri.run(ship, sandboxes[0], `c${i}`, ['/bin/first']);
            if (i % 10 === 0) await cri.run(beside, sandboxes[1], `c${i}`, ['/bin/first']);
          }
        });
        const started = execsInContainers(events).filter(({ process }) => process.binary === '/bin/first');
        assert.equal(started.filter(({ process }) => process.pod?.name === 'ship').length, 100);
        assert.equal(started.filter(({ process }) => process.pod?.name === 'beside').length, 10);
        const calls = events.filter((event) => event.type === 'process_tracepoint');
        assert.deepEqual(
          calls.map(({ process }) => `${process.pod?.name ?? ''} ${process.pod?.container?.name ?? ''}`),
          Array.from({ length: 100 }, (_, i) => `ship c${i}`),
        );
        assert.equal(tracer.containerSources()[0]?.late, 0);
      });
      for (const sandbox of sandboxes) await cri.removePod(sandbox);
    });
  });
});
