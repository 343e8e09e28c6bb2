/** Uprobes whose path is below the root of containers, of real engines: Docker, and containerd with NRI. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ContainerOptions, ContainerUprobeStatus, ProcessUprobeEvent, Tracer, TracerEvent } from '../../types/index.js';
import { CriClient, type PodSpec } from './cri-client.js';
import { Engines, type Daemon } from './engines.js';
import { assertNoLoss, isUprobe, leaveMark, needsRoot, openTracer, readUntil } from './support.js';

const IMAGE = 'polytrace-test:1';
const execFileAsync = promisify(execFile);
const TRIES = 600;
const PAUSE_MS = 50;

const policy = (name: string, path: string, selector: string, symbol = '_start'): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  ${selector}
  uprobes: [{ path: ${path}, resolvePathInContainer: true, symbols: [${symbol}] }]
`;

function uprobeStatus(tracer: Tracer, name: string): ContainerUprobeStatus {
  const found = tracer.policies().find((each) => each.name === name)?.containerUprobes;
  assert.ok(found !== undefined, name);
  return found;
}

describe('uprobes in containers', function () {
  this.timeout(300_000);
  let engines: Engines;
  before(needsRoot);
  before(() => {
    engines = new Engines();
    for (const path of ['/bin/first', '/bin/again', '/bin/outside']) assert.ok(!existsSync(path), `${path} on the host`);
  });
  after(() => engines?.remove());

  describe('Docker', () => {
    let daemon: Daemon;
    let containers: ContainerOptions;
    const docker = async (...args: readonly string[]): Promise<string> =>
      (await execFileAsync('docker', ['--host', `unix://${daemon.socket}`, ...args])).stdout.trim();
    const run = (name: string): Promise<string> =>
      docker('run', '--detach', '--network=none', '--security-opt=apparmor=unconfined', `--name=${name}`, IMAGE, '/bin/sleep', '100000'); // prettier-ignore
    before(async () => {
      daemon = await engines.docker().start();
      containers = { sources: ['docker'], sockets: { docker: daemon.socket }, waitMs: 10_000 };
      await docker('import', engines.image, IMAGE);
    });
    after(async () => {
      await docker('rm', '--force', 'old', 'new', 'other').catch(() => undefined);
      await daemon?.stop();
    });

    it('containers that run and those that start have them, once for a file that they share', async () => {
      const old = await run('old');
      const tracer = await openTracer({ containers });
      try {
        const events = tracer.events();
        const named = 'containerSelector: { matchExpressions: [{ key: name, operator: In, values: [old, new] }] }';
        await tracer.addPolicy({ yaml: policy('shared', '/bin/again', named) });
        await tracer.addPolicy({ yaml: policy('outside', '/bin/outside', named) });
        await tracer.addPolicy({ yaml: policy('symbol', '/bin/first', named, 'no_such_function') });
        assert.equal(uprobeStatus(tracer, 'shared').containers, 1);
        const young = await run('new');
        await run('other');
        for (let i = 0; uprobeStatus(tracer, 'shared').containers < 2; i++) {
          assert.ok(i < TRIES, JSON.stringify(uprobeStatus(tracer, 'shared')));
          await pause(PAUSE_MS);
        }
        assert.deepEqual(uprobeStatus(tracer, 'shared'), { containers: 2, files: 1, waiting: 0, missing: 0, failed: 0 });
        assert.deepEqual(uprobeStatus(tracer, 'outside'), { containers: 0, files: 0, waiting: 0, missing: 2, failed: 0 });
        const { error, ...failed } = uprobeStatus(tracer, 'symbol');
        assert.deepEqual(failed, { containers: 0, files: 0, waiting: 0, missing: 0, failed: 2 });
        assert.match(error ?? '', /no_such_function/);
        for (const name of ['old', 'new', 'other']) await docker('exec', name, '/bin/first');
        const seen = await readUprobes(events, (all) => all.length >= 2);
        assert.deepEqual(seen.map(({ process }) => process.container?.id).sort(), [old, young].sort());
        for (const { path, symbol, policyName } of seen)
          assert.deepEqual([path, symbol, policyName], ['/bin/again', '_start', 'shared']);
        await docker('rm', '--force', 'old', 'new');
        // a hook leaves the status when it is detached, after its file
        for (let i = 0; tracer.policies()[0]?.hooks.length !== 0; i++) {
          assert.ok(i < TRIES, JSON.stringify(tracer.policies()[0]));
          await readUntil(leaveMark(), events);
        }
        assert.equal(uprobeStatus(tracer, 'shared').files, 0);
      } finally {
        await tracer.close();
      }
    });
  });

  describe('containerd with NRI', () => {
    let daemon: Daemon;
    let cri: CriClient;
    const sandboxes: string[] = [];
    before(async () => {
      daemon = await engines.containerd().start();
      const archive = engines.dockerArchive();
      execFileSync('ctr', ['--address', daemon.socket, '--namespace', 'k8s.io', 'image', 'import', archive]);
      cri = new CriClient(daemon.socket);
    });
    after(async () => {
      for (const sandbox of sandboxes) await cri.removePod(sandbox);
      cri?.close();
      await daemon?.stop();
    });

    it('the first instruction of each container of a pod is seen, and none of another pod', async () => {
      const podSpec = (name: string, uid: number): PodSpec =>
        ({ namespace: 'default', name, uid: `00000000-0000-0000-0000-${String(uid).padStart(12, '0')}`, labels: { app: name } }); // prettier-ignore
      const [ship, beside] = [podSpec('ship', 1), podSpec('beside', 2)];
      for (const pod of [ship, beside]) sandboxes.push(await cri.runPod(pod));
      const containers: ContainerOptions = { sources: ['nri'], sockets: { nri: engines.nriSocket }, waitMs: 0 };
      const tracer = await openTracer({ containers });
      try {
        await tracer.addPolicy({ yaml: policy('first', '/bin/first', 'podSelector: { matchLabels: { app: ship } }') });
        const events = tracer.events();
        const ids: string[] = [];
        for (let i = 0; i < 20; i++) {
          ids.push(await cri.run(ship, sandboxes[0] as string, `c${i}`, ['/bin/first']));
          if (i % 5 === 0) await cri.run(beside, sandboxes[1] as string, `c${i}`, ['/bin/first']);
        }
        const seen = await readUprobes(events, (all) => all.length >= ids.length);
        assert.deepEqual(seen.map(({ process }) => process.container?.id).sort(), ids.sort());
        for (const { process } of seen) assert.equal(process.pod?.name, 'ship');
        assert.equal(tracer.containerSources()[0]?.late, 0);
      } finally {
        await tracer.close();
      }
    });
  });

  it('a tracer that does not watch containers refuses them', async () => {
    const tracer = await openTracer({ containers: false });
    try {
      const added = tracer.addPolicy({ yaml: policy('refused', '/bin/first', 'podSelector: {}') });
      await assert.rejects(added, { name: 'PolytraceError', code: 'CONTAINERS_NOT_WATCHED', message: /:6:/ });
      assert.deepEqual(tracer.policies(), []);
    } finally {
      await tracer.close();
    }
  });
});

/** The events of uprobes until they are complete, and the others that are there then. */
async function readUprobes(
  events: AsyncIterator<TracerEvent, undefined>,
  isComplete: (events: readonly ProcessUprobeEvent[]) => boolean,
): Promise<ProcessUprobeEvent[]> {
  const all: TracerEvent[] = [];
  for (let i = 0; i < TRIES && (i === 0 || !isComplete(all.filter(isUprobe))); i++)
    all.push(...(await readUntil(leaveMark(), events)));
  all.push(...(await readUntil(leaveMark(), events)));
  assertNoLoss(all);
  return all.filter(isUprobe);
}
