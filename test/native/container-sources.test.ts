/** Names and pods of containers, from real engines: Docker, Podman, and containerd by CRI and NRI. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ContainerInfo, ContainerOptions, EventsOptions, ProcessExecEvent, ProcessExitEvent, ProcessTracepointEvent, Tracer, TracerEvent } from '../../types/index.js';
import { CriClient, type PodSpec } from './cri-client.js';
import { Engines, NO_CALL, type Daemon } from './engines.js';
import { assertNoLoss, isExec, isExit, isTracepoint, leaveMark, needsRoot, openTracer, polytrace, readUntil } from './support.js';

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

/** An argument of one program of this run. The machine may have containers of other engines at the same time. */
const nextMark = (): string => `container-mark-${process.pid}-${++marks}`;
let marks = 0;

/** A container that this test has started. */
const findOwn = (tracer: Tracer, id: string): ContainerInfo | undefined =>
  tracer.containers().find((container) => container.id === id);

const listOwn = (tracer: Tracer, ids: readonly string[]): string[] => ids.filter((id) => findOwn(tracer, id) !== undefined);

/**
 * The events while `run` runs, and further ones until `isComplete`. The runtime may start a container before the container
 * executes its program.
 */
async function traceUntil(
  tracer: Tracer,
  run: () => unknown,
  isComplete: (events: readonly TracerEvent[]) => boolean,
): Promise<TracerEvent[]> {
  const events = tracer.events();
  await run();
  const all = await readUntil(leaveMark(), events);
  for (let tries = 0; !isComplete(all) && tries < TRIES; tries++) {
    await pause(PAUSE_MS);
    all.push(...(await readUntil(leaveMark(), events)));
  }
  await events.return();
  assertNoLoss(all);
  return all;
}

/** The events while `run` runs, and further ones until each of these arguments was passed to a program in a container. */
const traceMarks = (tracer: Tracer, run: () => unknown, ...expected: readonly string[]): Promise<TracerEvent[]> =>
  traceUntil(tracer, run, (events) => expected.every((mark) => execsWith(events, mark).some(isInContainer)));

const isInContainer = ({ process }: ProcessExecEvent): boolean => process.container !== undefined;

const execsWith = (events: readonly TracerEvent[], argument: string): ProcessExecEvent[] =>
  events.filter(isExec).filter(({ process }) => process.argv.at(-1) === argument);

const findExec = (events: readonly TracerEvent[], mark: string): ProcessExecEvent => {
  const found = execsWith(events, mark);
  const inside = found.find(isInContainer);
  assert.ok(inside !== undefined, `${mark}: ${found.length} outside`);
  return inside;
};

const TRIES = 600;
const PAUSE_MS = 50;

/** Tries again until it is true: a runtime reports changes asynchronously. */
async function eventually(what: string, isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries++) {
    assert.ok(tries < TRIES, what);
    await pause(PAUSE_MS);
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
  // events wait up to 10 s for the name of a container of another Docker
  this.timeout(300_000);
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
    afterEach(async () => {
      await daemon.start(); // a failed test may have stopped it
      // the engine may be removing one that was started with --rm, and refuses then
      for (let all; (all = await docker('ps', '--all', '--quiet')) !== ''; await pause(100))
        await docker('rm', '--force', ...all.split('\n')).catch(() => undefined);
    });
    after(() => daemon?.stop());

    it('the first program has the name, the image and the labels', async () => {
      await withTracer(containers, async (tracer) => {
        const mark = nextMark();
        const start = (): Promise<string> =>
          docker(...RUN, '--rm', '--name=web', '--label=app=shop', IMAGE, '/bin/true', mark);
        const event = findExec(await traceMarks(tracer, start, mark), mark);
        const { process } = event;
        assert.equal(process.container?.runtime, 'docker');
        assert.equal(process.container?.name, 'web');
        assert.equal(process.container?.image?.name, IMAGE);
        assert.match(process.container?.image?.id ?? '', /^sha256:/);
        assert.deepEqual({ ...process.container?.labels }, { app: 'shop' });
        assert.equal(process.container?.privileged, false);
        assert.equal(process.pod, undefined);
        assert.equal(polytrace.formatCompact(event), `🚀 process web /bin/true ${mark}`);
      });
    });

    it('a container that ran before, is executed into, renamed, and started again', async () => {
      const id = await docker(...RUN, '--detach', '--privileged', '--name=early', IMAGE, '/bin/sleep', '1000');
      await withTracer(containers, async (tracer) => {
        const first = findOwn(tracer, id);
        assert.equal(first?.name, 'early');
        assert.ok(first.cgroupPath?.includes(id) === true);
        const execIn = async (): Promise<ProcessExecEvent> => {
          const mark = nextMark();
          return findExec(await traceMarks(tracer, () => docker('exec', id, '/bin/true', mark), mark), mark);
        };
        const { container } = (await execIn()).process;
        assert.equal(container?.name, 'early');
        assert.equal(container?.privileged, true);
        assert.match(container?.startTime ?? '', /^\d{4}-\d\d-\d\dT.*Z$/);

        await docker('rename', id, 'late');
        await eventually('renamed', () => findOwn(tracer, id)?.name === 'late');
        assert.equal((await execIn()).process.container?.name, 'late');

        const findRestarted = (events: readonly TracerEvent[]): ProcessExecEvent | undefined =>
          execsWith(events, '1000').find(({ process }) => process.container?.id === id);
        const restart = (): Promise<string> => docker('restart', '--time=0', id);
        const again = await traceUntil(tracer, restart, (events) => findRestarted(events) !== undefined);
        assert.equal(findRestarted(again)?.process.container?.name, 'late');
        await eventually('in its new cgroup', () => findOwn(tracer, id)?.pid !== first.pid);
      });
    });

    it('filters by name, label and host', async () => {
      await withTracer(containers, async (tracer) => {
        const start = (name: string, label: string, mark: string): Promise<string> =>
          docker(...RUN, '--rm', `--name=${name}`, `--label=app=${label}`, IMAGE, '/bin/true', mark);
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
        const own = [nextMark(), nextMark()] as const;
        const startBoth = async (): Promise<void> => {
          await start('one', 'x', own[0]);
          await start('two', 'y', own[1]);
        };
        await traceMarks(tracer, startBoth, ...own);
        await tracer.close(); // every reader gets the rest
        const names = (await Promise.all(readers)).map((events) => {
          const execs = own.flatMap((mark) => execsWith(events, mark)).filter(isInContainer);
          return [...new Set(execs.map(({ process }) => process.container?.name))].sort();
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
        assert.deepEqual([findOwn(tracer, gone)?.name, findOwn(tracer, kept)?.name], ['gone', 'kept']);
        // a container that ran before is in the scope of the new policy, whose status shows that there is no source
        await tracer.addPolicy({ yaml: FIRST_CALLS.replace('Namespaced', '').replace(', namespace: default', '').replace(/podSelector.*/, 'containerSelector: {matchLabels: {name: kept}}') });
        const scope = (): unknown => tracer.policies()[0]?.scope;
        assert.deepEqual(scope(), { state: 'no_source', containers: 1 });
        const pid = findOwn(tracer, gone)?.pid;
        assert.ok(pid !== undefined);
        process.kill(pid, 'SIGKILL');
        await daemon.start();
        await eventually('connected again', () => isConnected(tracer, 'docker'));
        await eventually('compared', () => findOwn(tracer, gone) === undefined);
        assert.deepEqual(scope(), { state: 'active', containers: 1 });
        const mark = nextMark();
        const execBoth = async (): Promise<void> => {
          await docker('exec', kept, '/bin/first');
          await docker('exec', kept, '/bin/true', mark);
        };
        const events = await traceMarks(tracer, execBoth, mark);
        assert.equal(findExec(events, mark).process.container?.name, 'kept');
        const calls = events.filter(isTracepoint).filter(({ process }) => process.container?.id === kept);
        assert.equal(calls.length, 1);
      });
    });
  });

  it('Podman: the first program has the name', async () => {
    const daemon = await engines.podman().start();
    const env = { ...process.env, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' };
    const podman = async (...args: readonly string[]): Promise<string> =>
      (await execFileAsync('podman', [...engines.podmanOptions, ...args], { env })).stdout.trim();
    await podman('import', engines.image, IMAGE);
    const containers: ContainerOptions = { sources: ['podman'], sockets: { podman: daemon.socket }, waitMs: 10_000 };
    await withTracer(containers, async (tracer) => {
      assert.deepEqual(tracer.containerSources(), [{ name: 'podman', connected: true, containers: 0 }]);
      const mark = nextMark();
      const start = (): Promise<string> =>
        podman('run', '--network=none', '--security-opt=apparmor=unconfined', '--name=p', IMAGE, '/bin/true', mark);
      const { container } = findExec(await traceMarks(tracer, start, mark), mark).process;
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
    const sandboxes = new Set<string>();
    const runPod = async (pod: PodSpec): Promise<string> => {
      const sandbox = await cri.runPod(pod);
      sandboxes.add(sandbox);
      return sandbox;
    };
    const removePod = async (sandbox: string): Promise<void> => {
      await cri.removePod(sandbox);
      sandboxes.delete(sandbox);
    };
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
    afterEach(async () => {
      for (const sandbox of sandboxes) await removePod(sandbox);
    });
    after(async () => {
      cri?.close();
      await daemon?.stop();
    });

    const XWING = { app: 'ship', 'pod-template-hash': '5d4f' };

    it('CRI: a pod that ran before, a new container of it, and a restart of the runtime', async () => {
      const pod = podSpec('xwing-5d4f-x7abc', XWING);
      const sandbox = await runPod(pod);
      const early = await cri.run(pod, sandbox, 'early', ['/bin/sleep', '1000']);
      const containers: ContainerOptions = { sources: ['cri'], sockets: { cri: daemon.socket }, waitMs: 10_000 };
      await withTracer(containers, async (tracer) => {
        assert.deepEqual(listOwn(tracer, [early, sandbox]), [early, sandbox]);
        const [inEarly, inNew, afterRestart] = [nextMark(), nextMark(), nextMark()] as const;
        const start = async (): Promise<void> => {
          await cri.exec(early, ['/bin/true', inEarly]);
          await cri.run(pod, sandbox, 'new', ['/bin/true', inNew]);
        };
        const events = await traceMarks(tracer, start, inEarly, inNew);
        const executed = findExec(events, inEarly).process;
        assert.deepEqual([executed.pod?.namespace, executed.pod?.name], ['default', 'xwing-5d4f-x7abc']);
        assert.deepEqual([executed.pod?.workload, executed.pod?.workloadKind], ['xwing', 'Deployment']);
        assert.deepEqual({ ...executed.pod?.labels }, XWING);
        assert.equal(executed.pod?.annotations?.['note'], 'of the test');
        assert.equal(executed.pod?.uid, pod.uid);
        assert.equal(executed.pod?.container?.name, 'early');
        assert.equal(executed.pod?.container?.privileged, false);
        assert.match(executed.pod?.container?.startTime ?? '', /Z$/);
        assert.equal(executed.pod?.container?.image?.name, 'docker.io/library/polytrace-test:1');
        const first = findExec(events, inNew);
        assert.equal(first.process.container?.name, 'new');
        assert.equal(polytrace.formatCompact(first), `🚀 process default/xwing-5d4f-x7abc /bin/true ${inNew}`);
        const json = JSON.parse(polytrace.toJson(first)) as { process_exec: { process: { pod: { container: { id: string } } } } };
        assert.equal(json.process_exec.process.pod.container.id, `containerd://${first.process.container?.id ?? ''}`);

        cri.close();
        await daemon.stop();
        await eventually('not connected', () => !isConnected(tracer, 'cri'));
        await daemon.start();
        cri = new CriClient(daemon.socket);
        await eventually('connected again', () => isConnected(tracer, 'cri'));
        const later = await traceMarks(tracer, () => cri.exec(early, ['/bin/true', afterRestart]), afterRestart);
        assert.equal(findExec(later, afterRestart).process.pod?.name, 'xwing-5d4f-x7abc');
      });
    });

    it('NRI: 30 containers are known before they start, with nothing waiting', async () => {
      const pod = podSpec('tie', { app: 'ship' });
      const sandbox = await runPod(pod);
      const containers: ContainerOptions = { sources: ['nri'], sockets: { nri: engines.nriSocket }, waitMs: 0 };
      await withTracer(containers, async (tracer) => {
        assert.equal(isConnected(tracer, 'nri'), true);
        assert.deepEqual(listOwn(tracer, [sandbox]), [sandbox]);
        const ids: string[] = [];
        const own = Array.from({ length: 30 }, nextMark);
        const start = async (): Promise<void> => {
          for (const [i, mark] of own.entries()) ids.push(await cri.run(pod, sandbox, `c${i}`, ['/bin/true', mark]));
        };
        const events = await traceMarks(tracer, start, ...own);
        for (const [i, mark] of own.entries()) {
          const { process } = findExec(events, mark);
          assert.equal(process.pod?.name, 'tie');
          assert.equal(process.container?.name, `c${i}`);
          assert.equal(process.pod?.labels?.['app'], 'ship');
        }
        assert.equal(tracer.containerSources()[0]?.late, 0);
        await removePod(sandbox);
        await eventually('all are removed', () => listOwn(tracer, [sandbox, ...ids]).length === 0);
      });
    });

    it('NRI: a scoped policy reports the first system call of each of 100 containers, and none of the pod beside it', async () => {
      const ship = podSpec('ship', { app: 'ship' });
      const beside = podSpec('beside', { app: 'other' });
      const [shipSandbox, besideSandbox] = [await runPod(ship), await runPod(beside)];
      const containers: ContainerOptions = { sources: ['nri'], sockets: { nri: engines.nriSocket }, waitMs: 0 };
      await withTracer(containers, async (tracer) => {
        await tracer.addPolicy({ yaml: FIRST_CALLS });
        const ids = new Set<string>();
        const start = async (): Promise<void> => {
          for (let i = 0; i < 100; i++) {
            ids.add(await cri.run(ship, shipSandbox, `c${i}`, ['/bin/first']));
            if (i % 10 === 0) ids.add(await cri.run(beside, besideSandbox, `c${i}`, ['/bin/first']));
          }
        };
        const isOwn = ({ process }: ProcessExecEvent | ProcessExitEvent | ProcessTracepointEvent): boolean =>
          process.binary === '/bin/first' && ids.has(process.container?.id ?? '');
        const events = await traceUntil(tracer, start, (all) => all.filter(isExit).filter(isOwn).length === ids.size);
        const started = events.filter(isExec).filter(isOwn);
        assert.equal(started.filter(({ process }) => process.pod?.name === 'ship').length, 100);
        assert.equal(started.filter(({ process }) => process.pod?.name === 'beside').length, 10);
        const calls = events.filter(isTracepoint).filter(isOwn);
        assert.deepEqual(
          calls.map(({ process }) => `${process.pod?.name ?? ''} ${process.pod?.container?.name ?? ''}`).sort(),
          Array.from({ length: 100 }, (_, i) => `ship c${i}`).sort(),
        );
        assert.equal(tracer.containerSources()[0]?.late, 0);
      });
    });
  });
});
