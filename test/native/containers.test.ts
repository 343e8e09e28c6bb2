/** Containers of processes: cgroups made by the test, and real containers of Podman and runc. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ProcessExecEvent, Tracer, TracerEvent } from '../../types/index.js';
import { podmanEngine, removePodman, type Engine } from '../image/image.js';
import { assertNoLoss, collectAllEvents, isExec, leaveMark, needsRoot, openTracer, polytrace, readUntil, unifiedMount } from './support.js';

/** Ids of this run. The machine may have other containers. */
const [A, B] = [nextId(), nextId()];

function nextId(): string {
  return randomBytes(32).toString('hex');
}

describe('containers', function () {
  this.timeout(60_000);
  let tracer: Tracer;
  let mount: string;
  let marks = 0;
  before(needsRoot);
  before(async () => {
    mount = unifiedMount();
    tracer = await openTracer();
  });
  after(() => tracer?.close());

  /** An argument that no other program has. */
  function nextArgument(prefix: string): string {
    return `${prefix}-${process.pid}-${++marks}`;
  }

  /** Runs a program in a cgroup. Returns its argument. */
  function runIn(cgroup: string): string {
    const argument = nextArgument('in-cgroup');
    execFileSync('sh', ['-c', 'echo $$ > "$0/cgroup.procs" && exec /bin/true "$1"', join(mount, cgroup), argument]);
    return argument;
  }

  const findExec = (events: readonly TracerEvent[], argument: string): ProcessExecEvent => {
    // the shell has it too, before it moves
    const found = events.filter(isExec).findLast(({ process }) => process.argv.at(-1) === argument);
    assert.ok(found !== undefined, argument);
    return found;
  };

  async function traceAll(run: () => unknown): Promise<TracerEvent[]> {
    const all = await collectAllEvents(tracer, run);
    assertNoLoss(all);
    return all;
  }

  /** Makes the cgroups while `run` runs. */
  async function withCgroups<T>(paths: readonly string[], run: () => T): Promise<T> {
    const made: string[] = [];
    try {
      for (const path of paths) {
        mkdirSync(join(mount, path));
        made.push(path);
      }
      return await run();
    } finally {
      for (const path of made.reverse()) rmdirSync(join(mount, path));
    }
  }

  it('a process of the host is in none', async () => {
    const argument = nextArgument('host');
    const events = await traceAll(() => execFileSync('/bin/true', [argument]));
    const { process } = findExec(events, argument);
    assert.equal(process.container, undefined);
    assert.notEqual(process.cgroupId, 0n);
    assert.equal('container' in process.toObject(), false);
  });

  it('a cgroup that was removed before the event is read', async () => {
    let argument = '';
    const events = await traceAll(() => withCgroups([`docker-${A}.scope`], () => (argument = runIn(`docker-${A}.scope`))));
    const event = findExec(events, argument);
    assert.deepEqual(event.process.container, { id: A, runtime: 'docker' });
    assert.deepEqual(event.process.toObject().container, { id: A, runtime: 'docker' });
    assert.match(polytrace.toJson(event), new RegExp(`"docker":"${A.slice(0, 31)}"`));
  });

  it('a cgroup inside of a container, with the name of another container', async () => {
    const inner = `docker-${A}.scope/docker-${B}.scope`;
    let argument = '';
    const events = await traceAll(() => withCgroups([dirname(inner), inner], () => (argument = runIn(inner))));
    assert.equal(findExec(events, argument).process.container?.id, A);
  });

  it('a cgroup that was there before the tracer, and one whose process was', async () => {
    const early = [`docker-${A}.scope`, `libpod-${B}`];
    await withCgroups(early, async () => {
      const script = 'echo $$ > "$0/cgroup.procs"; echo ready; exec sleep 1000';
      const sleeper = spawn('sh', ['-c', script, join(mount, `libpod-${B}`)], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(sleeper.stdout, 'data');
      const second = await openTracer();
      try {
        const events = second.events();
        const argument = runIn(`docker-${A}.scope`);
        const ended = once(sleeper, 'exit');
        sleeper.kill();
        await ended;
        const all = await readUntil(leaveMark(), events);
        assert.equal(findExec(all, argument).process.container?.id, A);
        const exit = all.find((e) => e.type === 'process_exit' && e.process.pid === sleeper.pid);
        assert.ok(exit?.type === 'process_exit');
        assert.deepEqual(exit.process.container, { id: B, runtime: 'podman' });
        assert.notEqual(exit.process.cgroupId, 0n);
      } finally {
        await second.close();
        sleeper.kill('SIGKILL');
      }
    });
  });

  it('200 cgroups: each process has its own, and nothing is lost', async () => {
    const ids = Array.from({ length: 200 }, nextId);
    const ran = new Map<string, string>();
    const events = await traceAll(async () => {
      for (const id of ids) await withCgroups([`docker-${id}.scope`], () => ran.set(id, runIn(`docker-${id}.scope`)));
    });
    const byArgument = new Map(events.filter(isExec).map(({ process }) => [process.argv.at(-1), process]));
    for (const [id, argument] of ran) assert.equal(byArgument.get(argument)?.container?.id, id);
  });

  describe('of Podman and runc', () => {
    let folder: string;
    let podman: Engine;
    const RUN = ['run', '--network=none', '--security-opt=apparmor=unconfined'];

    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'polytrace-podman-'));
      podman = podmanEngine(folder);
      const image = join(folder, 'image');
      for (const program of ['/bin/cat', '/bin/sleep']) {
        const linked = execFileSync('ldd', [program], { encoding: 'utf8' });
        const files = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, file]) => file as string);
        for (const file of [program, ...files]) {
          mkdirSync(join(image, dirname(file)), { recursive: true });
          copyFileSync(file, join(image, file));
        }
      }
      mkdirSync(join(image, 'etc'));
      writeFileSync(join(image, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
      execFileSync('tar', ['-C', image, '-cf', join(folder, 'image.tar'), '.']);
      podman('import', join(folder, 'image.tar'), 'polytrace-test:1');
    });
    after(() => {
      if (folder !== undefined) removePodman(folder);
    });

    it('the first program of a container has its id', async () => {
      let id = '';
      const argument = nextArgument('podman');
      const events = await traceAll(() => {
        id = podman(...RUN, '--detach', 'polytrace-test:1', '/bin/cat', '/etc/passwd', argument);
        podman('wait', id);
      });
      const cat = events.filter(isExec).find(({ process }) => process.binary === '/bin/cat' && process.argv[1] === argument);
      assert.deepEqual(cat?.process.container, { id, runtime: 'podman' });
      assert.equal(cat?.process.binaryUntrusted, true);
    });

    it('a program that is executed in a container which ran before the tracer', async () => {
      const id = podman(...RUN, '--detach', 'polytrace-test:1', '/bin/sleep', '1000');
      const second = await openTracer();
      try {
        const events = second.events();
        podman('exec', id, '/bin/cat', '/etc/passwd');
        const all = await readUntil(leaveMark(), events);
        const cat = all
          .filter(isExec)
          .find(({ process }) => process.binary === '/bin/cat' && process.container?.id === id);
        assert.deepEqual(cat?.process.container, { id, runtime: 'podman' });
      } finally {
        await second.close();
      }
    });
  });
});
