/** Names of containers, from each runtime through the agent to its clients. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CriClient } from '../../../test/native/cri-client.js';
import { Engines } from '../../../test/native/engines.js';
import { polytrace } from '../../../test/native/support.js';
import type { AgentConnection, Container, EventsOptions } from '../../../types/index.js';
import { eventFields, Machine, needsRoot, processFields, ProtocolClient, spawnCommand, type Reply } from './support.js';

const IMAGE = 'polytrace-test:1';
const execFileAsync = promisify(execFile);

/** A runtime that runs, and what the agent says about its containers. */
interface Runtime {
  /** The source of containers, which has a setting of the agent. */
  readonly source: 'docker' | 'podman' | 'cri' | 'nri';
  readonly socket: string;
  readonly runtime: string;
  readonly pod?: string;
  /** Runs /bin/true with the mark in a container. */
  run(name: string, mark: string): Promise<unknown>;
  stop(): Promise<unknown>;
}

const RUN = ['run', '--network=none', '--security-opt=apparmor=unconfined', '--rm', '--label=app=shop'];

async function startDocker(engines: Engines): Promise<Runtime> {
  const daemon = await engines.docker().start();
  const docker = (...args: readonly string[]): Promise<unknown> =>
    execFileAsync('docker', ['--host', `unix://${daemon.socket}`, ...args]);
  await docker('import', engines.image, IMAGE);
  return {
    source: 'docker',
    runtime: 'docker',
    socket: daemon.socket,
    run: (name, mark) => docker(...RUN, `--name=${name}`, IMAGE, '/bin/true', mark),
    stop: () => daemon.stop(),
  };
}

async function startPodman(engines: Engines): Promise<Runtime> {
  const daemon = await engines.podman().start();
  const env = { ...process.env, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' };
  const podman = (...args: readonly string[]): Promise<unknown> =>
    execFileAsync('podman', [...engines.podmanOptions, ...args], { env });
  await podman('import', engines.image, IMAGE);
  return {
    source: 'podman',
    runtime: 'podman',
    socket: daemon.socket,
    run: (name, mark) => podman(...RUN, `--name=${name}`, IMAGE, '/bin/true', mark),
    stop: async () => {
      await podman('rm', '--all', '--force', '--time=0');
      await daemon.stop();
    },
  };
}

/** Pods without a kubelet. The names of containers come from their pod. */
async function startContainerd(engines: Engines, source: 'cri' | 'nri'): Promise<Runtime> {
  const daemon = await engines.containerd().start();
  const archive = engines.dockerArchive();
  execFileSync('ctr', ['--address', daemon.socket, '--namespace', 'k8s.io', 'image', 'import', archive]);
  const cri = new CriClient(daemon.socket);
  const pod = { namespace: 'shop', name: `web-${source}`, uid: '00000000-0000-0000-0000-00000000000a', labels: { app: 'shop' } };
  const sandbox = await cri.runPod(pod);
  return {
    source,
    runtime: 'containerd',
    pod: pod.name,
    socket: source === 'cri' ? daemon.socket : engines.nriSocket,
    run: (name, mark) => cri.run(pod, sandbox, name, ['/bin/true', mark]),
    stop: async () => {
      await cri.removePod(sandbox);
      cri.close();
      await daemon.stop();
    },
  };
}

/** Skips the tests if a program is missing. */
function needsProgram(context: Mocha.Context, name: string): void {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
  } catch {
    if (process.env['REQUIRE_ALL'] === '1') throw new Error(`${name} is missing`);
    context.skip();
  }
}

interface ExecOf {
  readonly type: string;
  readonly process?: { readonly arguments: string; readonly container?: Container };
}

/** Returns the container of the first program with this mark. */
async function findContainer(events: AsyncIterable<unknown>, mark: string): Promise<Container | undefined> {
  for await (const { type, process } of events as AsyncIterable<ExecOf>) {
    if (type === 'process_exec' && process?.arguments === mark && process.container !== undefined) return process.container;
  }
  return undefined;
}

/** The start time may be known only after the start. */
function withoutStartTime({ startTime, ...container }: Container): Omit<Container, 'startTime'> {
  void startTime;
  return container;
}

const COUNT_EXECS = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: counted }
spec:
  tracepoints:
    - subsystem: sched
      event: sched_process_exec
      raw: true
      selectors:
        - matchActions: [{ action: Count, metric: execs, by: [container, pod, namespace] }]
`;

const SUITES: Readonly<Record<string, readonly [program: string, start: (engines: Engines) => Promise<Runtime>]>> = {
  Docker: ['dockerd', startDocker],
  Podman: ['podman', startPodman],
  'containerd, by CRI': ['containerd', (engines) => startContainerd(engines, 'cri')],
  'containerd, by NRI': ['containerd', (engines) => startContainerd(engines, 'nri')],
};

for (const [label, [program, startRuntime]] of Object.entries(SUITES)) {
  describe(`containers of clients: ${label}`, function () {
    this.timeout(120_000);
    let machine: Machine;
    let engines: Engines | undefined;
    let runtime: Runtime;
    let agent: AgentConnection;
    let runs = 0;
    /** Runs containers whose names begin with the prefix until the promise is settled: its stream may begin later. */
    async function runUntil<T>(result: Promise<T>, prefix: string, mark: string): Promise<T> {
      let isSettled = false;
      void result.finally(() => (isSettled = true)).catch(() => undefined);
      while (!isSettled) await runtime.run(`${prefix}-${++runs}`, mark);
      return result;
    }

    before(needsRoot);
    before(async function () {
      needsProgram(this, program);
      engines = new Engines();
      runtime = await startRuntime(engines);
      machine = new Machine();
      await machine.start('--containers', `--${runtime.source}-endpoint`, runtime.socket);
      agent = await polytrace.connect(machine.address);
    });
    after(async () => {
      await agent?.close();
      await machine?.remove();
      await runtime?.stop();
      await engines?.remove();
    });

    it('what is counted by container and pod has their names', async () => {
      await agent.addPolicy({ yaml: COUNT_EXECS });
      const name = `counted-${++runs}`;
      await runtime.run(name, 'mark');
      // the name of a container can come a moment after its first exec
      let found: readonly string[] | undefined;
      while (found === undefined) {
        const { metrics } = await agent.metrics();
        const isWanted = ([container = '', pod]: readonly string[]): boolean =>
          runtime.pod === undefined ? container.includes(name) : container === name && pod === runtime.pod;
        found = metrics[0]?.series.find(({ labels }) => isWanted(labels))?.labels;
      }
      const inPod = runtime.pod === undefined ? ['', ''] : [runtime.pod, 'shop'];
      assert.deepEqual(found.slice(1), inPod);
      await agent.removePolicy('counted');
    });

    it('events have the container that a tracer reports', async () => {
      const sockets = { [runtime.source]: runtime.socket };
      const tracer = await polytrace.openTracer({ containers: { sources: [runtime.source], sockets, waitMs: 10_000 } });
      try {
        const second = findContainer(tracer.events(), 'of-tracer');
        const options: EventsOptions = { containers: [/^first-/] };
        const first = await runUntil(findContainer(agent.events(options), 'of-agent'), 'first', 'of-agent');
        const own = await runUntil(second, 'second', 'of-tracer');
        assert.match(first?.name ?? '', /^first-\d+$/);
        assert.match(first?.id ?? '', /^[0-9a-f]{64}$/);
        assert.equal(first?.runtime, runtime.runtime);
        assert.match(first.image?.name ?? '', /polytrace-test:1$/);
        assert.ok(own !== undefined && own.id !== first.id);
        const { id, name, labels, image, privileged } = first;
        assert.equal(image?.name, own.image?.name);
        // an engine that has removed the container has told its name and image, and nothing else
        const known = { id, name, labels, image, privileged };
        assert.deepEqual({ ...withoutStartTime(first), ...known }, { ...withoutStartTime(own), ...known });
      } finally {
        await tracer.close();
      }
    });

    it('messages have the container, as clients of other agents read it', async () => {
      const client = new ProtocolClient(machine.address);
      const events = client.events();
      await events.open;
      await runtime.run('message', 'in-message');
      const exec = await events.waitFor((message) => {
        return message['event'] === 'process_exec' && processFields(message)['arguments'] === 'in-message' && processFields(message)['docker'] !== '';
      });
      const { docker, pod } = processFields(exec) as { readonly docker: string; readonly pod: Reply | null };
      assert.match(docker, /^[0-9a-f]{31}$/);
      const container = pod?.['container'] as Reply | undefined;
      assert.deepEqual([pod?.['name'], container?.['name']], runtime.pod === undefined ? [undefined, undefined] : [runtime.pod, 'message']);
      assert.notDeepEqual(eventFields(exec), {});
      events.cancel();
      client.close();
    });

    it('getevents --containers is a filter of the agent', async () => {
      const lines = spawnCommand('getevents', '--server', machine.address, '-o', 'compact', '--containers', '^wanted-', '-e', 'process_exec');
      await lines.stderr.waitFor('ready: events of the agent');
      await runtime.run('unwanted', 'not-this');
      // the name of a container can come too late for its first program
      await runUntil(lines.stdout.waitFor('but-this'), 'wanted', 'but-this');
      lines.child.kill('SIGINT');
      const shown = runtime.pod === undefined ? ' wanted-' : ` shop/${runtime.pod} `;
      assert.ok(lines.stdout.lines().every((line) => line.includes(shown) && !line.includes('not-this')), lines.stdout.text);
    });
  });
}

describe('containers of clients: runc alone', function () {
  this.timeout(120_000);
  let machine: Machine;
  let engines: Engines | undefined;
  const runc = (...args: readonly string[]): string =>
    execFileSync('runc', ['--root', join(machine.folder, 'runc'), ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

  before(needsRoot);
  before(async function () {
    needsProgram(this, 'runc');
    engines = new Engines();
    machine = new Machine();
    await machine.start('--containers');
  });
  after(async () => {
    await machine?.remove();
    await engines?.remove();
  });

  /** Creates a container that has not started. Returns its id. */
  function create(mark: string): string {
    const id = randomBytes(32).toString('hex');
    const bundle = join(machine.folder, mark);
    mkdirSync(join(bundle, 'rootfs'), { recursive: true });
    execFileSync('tar', ['-C', join(bundle, 'rootfs'), '-xf', (engines as Engines).image]);
    execFileSync('runc', ['spec', '--bundle', bundle]);
    const file = join(bundle, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as { process: object };
    const process = { ...config.process, terminal: false, args: ['/bin/true', mark] };
    writeFileSync(file, JSON.stringify({ ...config, process }));
    // the container would keep a pipe open
    execFileSync('runc', ['--root', join(machine.folder, 'runc'), 'create', '--bundle', bundle, id], { stdio: 'ignore' });
    return id;
  }

  it('the first program has the id, and the name that a hook announces before the start', async () => {
    const client = new ProtocolClient(machine.address);
    const agent = await polytrace.connect(machine.address);
    try {
      const events = client.events();
      await events.open;
      const [plain, named] = [create('runc-plain'), create('runc-named')];
      await client.call('RuntimeHook', { createContainer: { containerID: named, containerName: 'bare', cgroupsPath: `/${named}` } });
      const filtered = agent.events({ containers: ['bare'], types: ['process_exec'] });
      const found = findContainer(filtered, 'runc-named');
      const lines = spawnCommand('getevents', '--server', machine.address, '-o', 'compact', '--containers', '^bare$', '-e', 'process_exec');
      await lines.stderr.waitFor('ready: events of the agent');
      for (const id of [plain, named]) runc('start', id);
      for (const [mark, id] of [['runc-plain', plain], ['runc-named', named]] as const) {
        const exec = await events.waitFor((message) => message['event'] === 'process_exec' && processFields(message)['arguments'] === mark);
        assert.equal(processFields(exec)['docker'], id.slice(0, 31));
      }
      const container = await found;
      assert.deepEqual([container?.id, container?.name], [named, 'bare']);
      await lines.stdout.waitFor('runc-named');
      lines.child.kill('SIGINT');
      assert.ok(!lines.stdout.text.includes('runc-plain') && lines.stdout.text.includes(' bare '), lines.stdout.text);
      for (const id of [plain, named]) runc('delete', '--force', id);
    } finally {
      await agent.close();
      client.close();
    }
  });
});
