/** Iterators: several at once, every way to end, losses of slow iterators; the event loop, worker threads. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { Worker } from 'node:worker_threads';
import { compactLines, jsonLines } from 'polytrace';
import type {
  LossReason,
  PlainEvent,
  Process,
  ProcessExecEvent,
  ProcessExitEvent,
  Tracer,
  TracerEvent,
} from '../../types/index.js';
import {
  isExec,
  isExit,
  isLost,
  leaveMark,
  needsRoot,
  openTracer,
  runScript,
  script,
  readUntil,
  Workshop,
} from './support.js';

const identity = (e: TracerEvent): string => (isLost(e) ? `lost ${e.count}` : `${e.type} ${e.process.execId}`);
const closed = { name: 'PolytraceError', code: 'CLOSED' };
const sumLosses = (events: readonly TracerEvent[], hook: string, reason?: LossReason): number =>
  events
    .filter(isLost)
    .filter((e) => e.hook === hook && (reason === undefined || e.reason === reason))
    .reduce((sum, e) => sum + e.count, 0);

/** The events that an iterator still has when its tracer is closed. */
async function readRest(events: AsyncIterator<TracerEvent, undefined>): Promise<TracerEvent[]> {
  const result: TracerEvent[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done === true) return result;
    result.push(value);
  }
}

describe('iterators', function () {
  this.timeout(60_000);
  before(needsRoot);
  let shop: Workshop;
  let tracer: Tracer;
  before(() => (shop = new Workshop()));
  after(() => shop?.remove());
  beforeEach(async () => {
    tracer = await openTracer();
  });
  afterEach(() => tracer?.close());

  it('several at once each see every event', async () => {
    const iterators = [tracer.events(), tracer.events(), tracer.events()];
    const batches = tracer.batches();
    shop.run('loop', '300', '/bin/true');
    const mark = leaveMark();
    const [first, ...others] = (await Promise.all(iterators.map((it) => readUntil(mark, it)))).map((all) =>
      all.map(identity),
    );
    assert.ok((first?.length ?? 0) >= 602);
    for (const other of others) assert.deepEqual(other, first);
    const { value } = await batches.next();
    assert.ok((value as readonly TracerEvent[]).length > 100);
    assert.equal(tracer.stats().iterators, 4);
  });

  it('break, return and an exception in the loop end one iterator and not the tracer', async () => {
    const other = tracer.events();
    spawnSync('/bin/true');
    for await (const event of tracer) {
      assert.ok(event);
      break;
    }
    spawnSync('/bin/true');
    const readAndThrow = async (): Promise<void> => {
      for await (const event of tracer) throw new Error(event.type);
    };
    const thrown = readAndThrow();
    spawnSync('/bin/true');
    await assert.rejects(thrown, /process_/);
    const returned = tracer.events();
    await returned.return?.();
    assert.deepEqual(await returned.next(), { value: undefined, done: true });
    assert.equal(tracer.stats().iterators, 1);
    assert.ok((await readUntil(leaveMark(), other)).length >= 6);
  });

  it('lines are those of the events', async () => {
    const lines = tracer.lines(jsonLines(), { types: ['process_exec', 'process_exit'] });
    const compact = tracer.lines(compactLines());
    assert.throws(() => tracer.lines(() => new Uint8Array()), { code: 'BAD_OPTION' });
    shop.run('loop', '100', '/bin/true');
    await tracer.close();
    const read = async (from: AsyncIterable<Uint8Array>): Promise<string[]> => {
      let text = '';
      for await (const bytes of from) text += Buffer.from(bytes).toString();
      assert.ok(text.endsWith('\n'));
      return text.split('\n').slice(0, -1);
    };
    const events = (await read(lines)).map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(events.filter((event) => 'process_exec' in event).length >= 100);
    assert.ok(events.filter((event) => 'process_exit' in event).length >= 100);
    assert.ok((await read(compact)).filter((line) => /^(🚀 process|💥 exit) .* \/bin\/true/.test(line)).length >= 200);
  });

  it('return() while next() waits', async () => {
    const events = tracer.events({ policyNames: [], types: [] });
    const waiting = [events.next(), events.next()];
    await events.return?.();
    for (const each of await Promise.all(waiting)) assert.deepEqual(each, { value: undefined, done: true });
  });

  it('the end of an `await using` block ends an iterator, of each kind', async () => {
    const all = [tracer.events(), tracer.events({ plain: true }), tracer.batches(), tracer.batches({ plain: true })];
    assert.equal(tracer.stats().iterators, 4);
    for (const each of all) await each[Symbol.asyncDispose]();
    assert.equal(tracer.stats().iterators, 0);
    for (const each of all) assert.equal((await each.next()).done, true);
  });

  it('Readable.from() and ReadableStream.from() read events, and end the iterator', async () => {
    const types = ['process_exec'] as const;
    const readable = Readable.from(tracer.events({ types }));
    const web = ReadableStream.from(tracer.events({ types, plain: true }));
    assert.equal(tracer.stats().iterators, 2);
    const mark = leaveMark();
    const isMark = (event: PlainEvent): boolean => 'process' in event && event.process.argv.includes(mark);
    for await (const event of readable) if (isMark(event as PlainEvent)) break;
    const reader = web.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      assert.equal(done, false);
      if (isMark(value)) break;
    }
    await reader.cancel();
    assert.equal(tracer.stats().iterators, 0, 'break and cancel() ended them');
    const last = Readable.from(tracer.events({ types }));
    const ended = once(last.resume(), 'end');
    await tracer.close();
    await ended;
  });

  it('a name of no policy is a warning, which says what was probably meant', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => {
      if ('code' in warning && warning.code === 'POLYTRACE_POLICY_NAME') warnings.push(warning);
    };
    process.on('warning', onWarning);
    try {
      const yaml = 'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: { name: sched-exec }\nspec: {}\n';
      const adding = tracer.addPolicy({ yaml });
      const known = tracer.events({ policyNames: ['sched-exec'] });
      await adding;
      const wrong = tracer.events({ policyNames: ['sched-exec', 'sched-exce'] });
      await tracer.removePolicy('sched-exec');
      const none = tracer.events({ policyNames: ['other'] });
      await tracer.takeOver();
      while (warnings.length < 2) await once(process, 'warning');
      assert.deepEqual(
        warnings.map(({ message }) => message),
        [
          `events({ policyNames }): no policy with the name 'sched-exce' is loaded: did you mean "sched-exec"?`,
          `events({ policyNames }): no policy with the name 'other' is loaded: no policy is loaded`,
        ],
      );
      await Promise.all([known, wrong, none].map((each) => each.return()));
    } finally {
      process.off('warning', onWarning);
    }
  });

  it('knows a process by its id and exec id, its children and its ancestors', async () => {
    const events = tracer.events({ types: ['process_exec', 'process_exit'] });
    const next = async (isIt: (event: ProcessExecEvent | ProcessExitEvent) => boolean): Promise<Process> => {
      for (;;) {
        const { value, done } = await events.next();
        assert.notEqual(done, true);
        if (value !== undefined && value.type !== 'lost' && isIt(value)) return value.process;
      }
    };
    const shell = spawn('/bin/sh', ['-c', '/bin/cat; :'], { stdio: ['pipe', 'ignore', 'inherit'] });
    const cat = await next(({ type, parent }) => type === 'process_exec' && parent?.pid === shell.pid);
    const sh = tracer.process(shell.pid as number);
    assert.equal(sh?.binary, '/bin/sh');
    assert.equal(tracer.process(sh.execId), sh);
    assert.equal(tracer.process(cat.pid), cat);
    assert.deepEqual(tracer.children(sh), [cat]);
    assert.deepEqual(tracer.children(cat), []);
    assert.deepEqual(
      tracer
        .ancestors(cat.toObject())
        .slice(0, 2)
        .map(({ pid }) => pid),
      [shell.pid, process.pid],
    );
    shell.stdin.end();
    await next(({ type, process: { pid } }) => type === 'process_exit' && pid === shell.pid);
    assert.equal(tracer.process(shell.pid as number), undefined, 'it does not run any more');
    assert.equal(tracer.process(sh.execId), sh, 'but is still known');
    assert.deepEqual(tracer.children(sh), []);
    for (const unknown of [2 ** 30, '', 'no exec id', Buffer.from(':1').toString('base64')]) {
      assert.equal(tracer.process(unknown), undefined);
    }
    assert.deepEqual(tracer.ancestors({ execId: 'no exec id' }), []);
    assert.throws(() => tracer.process(1.5), { code: 'BAD_OPTION' });
    await events.return();
  });

  it('an AbortSignal before, while waiting, and with events fetched', async () => {
    const before = tracer.events({ signal: AbortSignal.abort() });
    assert.equal((await before.next()).done, true);

    const waitingFor = new AbortController();
    const quiet = tracer.events({ types: [], signal: waitingFor.signal });
    const next = quiet.next();
    waitingFor.abort();
    assert.equal((await next).done, true);

    const controller = new AbortController();
    const events = tracer.events({ signal: controller.signal });
    shop.run('loop', '100', '/bin/true');
    assert.equal((await events.next()).done, false);
    controller.abort();
    assert.equal((await events.next()).done, true);
    assert.equal(tracer.stats().iterators, 0);
  });

  it('close() while waiting; twice; afterwards everything rejects', async () => {
    const waiting = tracer.events({ types: [] }).next();
    await Promise.all([tracer.close(), tracer.close()]);
    assert.equal((await waiting).done, true);
    await tracer.close();
    await tracer[Symbol.asyncDispose]();
    assert.throws(() => tracer.events(), closed);
    assert.throws(() => tracer.batches(), closed);
    await assert.rejects(tracer.addPolicy({ yaml: '' }), closed);
    await assert.rejects(tracer.removePolicy('x'), closed);
    assert.deepEqual(tracer.policies(), []);
    assert.equal(tracer.stats().bufferUsed, 0);
  });

  it('what happened before close() can still be read', async () => {
    const events = tracer.events();
    shop.run('loop', '50', '/bin/true');
    await tracer.close();
    const all = await readRest(events);
    assert.ok(all.filter(isExit).filter((e) => e.process.binary === '/bin/true').length === 50);
  });

  it('any process on the machine wakes a waiting iterator', async () => {
    const events = tracer.events();
    for (let i = 0; i < 20; i++) {
      const waiting = readUntil(`woken-${i}`, events);
      await new Promise((resolve) => setImmediate(resolve));
      spawnSync('/bin/true', [`woken-${i}`]);
      await waiting;
    }
  });

  it('a slow iterator loses the events it cannot keep, exactly counted; a fast one loses nothing', async () => {
    const small = await openTracer({ maxQueued: 1000 });
    const [slow, fast] = [small.events(), small.events()];
    for (let i = 0; i < 5; i++) {
      shop.run('loop', '1000', '/bin/true');
      await readUntil(leaveMark(), fast);
    }
    const mark = leaveMark();
    await readUntil(mark, fast);
    assert.equal(sumLosses([...(await closeAndRest(small, fast))], 'process_exec'), 0);
    const seen = await readRest(slow);
    const execs = seen.filter(isExec).filter((e) => e.process.binary === '/bin/true').length;
    assert.ok(execs < 4000);
    const lost = sumLosses(seen, 'process_exec', 'slow_consumer');
    assert.ok(lost > 1000);
    const all = seen.filter(isExec).length + lost;
    const reported = small.stats().lostByHook.find((l) => l.hook === 'process_exec');
    assert.equal(reported?.count, lost);
    assert.equal(reported?.reason, 'slow_consumer');
    assert.equal(all, small.stats().events - seen.filter(isExit).length - sumLosses(seen, 'process_exit'));
  });

  async function closeAndRest(which: Tracer, events: AsyncIterator<TracerEvent, undefined>): Promise<TracerEvent[]> {
    await which.close();
    return readRest(events);
  }

  it('a full ring buffer without a reader: kept and lost events are exactly all events', async () => {
    const small = await openTracer({ bufferSize: 131072 });
    const events = small.events();
    const total = 3000;
    const own = spawnSync(shop.helper, ['loop', String(total), '/bin/true']);
    assert.equal(own.status, 0);
    assert.ok(small.stats().lost > 0, 'stats() knows without anybody reading');
    assert.equal(small.stats().bufferSize, 131072);
    assert.ok(small.stats().bufferUsed <= 131072);
    const all = await closeAndRest(small, events);
    const execs = all.filter(isExec).length + sumLosses(all, 'process_exec', 'ring_full');
    const exits = all.filter(isExit).length + sumLosses(all, 'process_exit', 'ring_full');
    // All own processes must be included, and none twice. Other processes of the machine are included as well.
    assert.ok(execs >= total + 1 && execs < 2 * total - all.filter(isExec).length, `${execs}`);
    assert.ok(exits >= total + 1 && exits < 2 * total - all.filter(isExit).length, `${exits}`);
    // Other work on the machine may have made cgroups, for example.
    const lost = all.filter(isLost).reduce((sum, { count }) => sum + count, 0);
    assert.equal(small.stats().lost, lost);
  });

  it('two tracers at once', async () => {
    const second = await openTracer({ nodeName: 'second' });
    const [a, b] = [tracer.events(), second.events()];
    shop.run('loop', '100', '/bin/true');
    const mark = leaveMark();
    const [seenA, seenB] = await Promise.all([readUntil(mark, a), readUntil(mark, b)]);
    // The first tracer also has events from the time when the second was opened.
    const pids = (all: TracerEvent[]): unknown[] => {
      const execs = all.filter(isExec);
      const helper = execs.find((e) => e.process.binary === shop.helper)?.process.execId;
      return execs.filter((e) => e.process.parentExecId === helper).map((e) => [e.process.pid, e.tid]);
    };
    assert.equal(pids(seenA).length, 100);
    assert.deepEqual(pids(seenA), pids(seenB));
    assert.equal(seenB[0]?.nodeName, 'second');
    await second.close();
    assert.ok((await readUntil(leaveMark(), a)).length >= 0);
  });

  describe('in worker threads', () => {
    const body = `
      const { parentPort } = require('node:worker_threads');
      const tracer = await polytrace.openTracer();
      const events = tracer.events();
      parentPort.postMessage('ready');
      let count = 0;
      for await (const event of events) {
        if (event.type !== 'process_exit') continue;
        if (event.process.argv.at(-1) === 'stop') break;
        if (event.process.argv.at(-1) === 'counted') count++;
      }
      await tracer.close();
      parentPort.postMessage(count);`;

    it('two at once count alike', async () => {
      const workers = [0, 1].map(() => new Worker(script(body), { eval: true }));
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      const counts = Promise.all(workers.map((worker) => once(worker, 'message')));
      const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
      for (let i = 0; i < 20; i++) spawnSync('/bin/true', ['counted']);
      spawnSync('/bin/true', ['stop']);
      assert.deepEqual(await counts, [[20], [20]]);
      assert.deepEqual(await ended, [[0], [0]]);
    });

    it('terminated in the middle, repeatedly', async () => {
      const events = tracer.events();
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(script(body), { eval: true });
        await once(worker, 'message');
        shop.run('loop', '50', '/bin/true');
        await worker.terminate();
      }
      await readUntil(leaveMark(), events);
    });
  });

  describe('and the event loop', () => {
    it('a program ends by itself if nothing iterates', async () => {
      const ended = await runScript('await polytrace.openTracer(); out(1)');
      assert.deepEqual(ended, { status: 0, signal: null, stdout: '1\n', stderr: '' });
      const after = await runScript(`const t = await polytrace.openTracer();
        require('node:child_process').spawnSync('/bin/true');
        for await (const event of t) {
          if (event.type === 'process_exec' && event.process.binary.endsWith('/true')) { out(event.type); break; }
        }`);
      assert.deepEqual([after.status, after.stdout, after.stderr], [0, '"process_exec"\n', '']);
    });

    it('stays alive while an iterator waits', async () => {
      // An unreferenced timer starts a process after the rest of the program has ended.
      const { status, stdout } = await runScript(`const t = await polytrace.openTracer();
        const { spawn } = require('node:child_process');
        setTimeout(() => { const c = spawn('/bin/true', ['late'], { stdio: 'ignore' }); c.unref(); }, 300).unref();
        for await (const event of t) if (event.process.argv.at(-1) === 'late') { out('late'); break; }`);
      assert.deepEqual([status, stdout], [0, '"late"\n']);
    });

    it('timers and Ctrl-C are handled while the kernel is faster than the reader', async () => {
      const flood = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: flood}
spec:
  tracepoints: [{subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{index: 1, type: int64}]}]`;
      // The time of the processor counts, because other work on the machine delays timers, too.
      const { status, stdout, stderr } = await runScript(`
        const t = await polytrace.openTracer({ policies: [{ yaml: ${JSON.stringify(flood)} }], bufferSize: 2 ** 20 });
        const dd = require('node:child_process').spawn('/bin/dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1'], { stdio: 'ignore', env: {} });
        const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
        let stopped = false, last = used(), worst = 0, ticks = 0, seen = 0;
        process.on('SIGINT', () => { stopped = true; });
        const timer = setInterval(() => {
          worst = Math.max(worst, used() - last);
          last = used();
          // on a busy machine, it takes a while until the kernel was faster
          if (++ticks >= 50 && t.stats().lost > 0) process.kill(process.pid, 'SIGINT');
        }, 10);
        for await (const event of t.events()) {
          for (const until = performance.now() + 0.02; performance.now() < until; );
          if (++seen === 500_000 || stopped) break;
        }
        const { lost } = t.stats();
        clearInterval(timer);
        dd.kill();
        await t.close();
        out({ stopped, worst, lost, seen });`);
      assert.deepEqual([status, stderr], [0, '']);
      const { stopped, worst, lost } = JSON.parse(stdout) as { stopped: boolean; worst: number; lost: number };
      assert.ok(stopped, 'the signal was handled');
      assert.ok(lost > 0, 'the kernel was faster');
      assert.ok(worst <= 50, `a timer of 10 ms had to wait for ${worst} ms`);
    });

    it('process.exit() in the middle, and an exception in the loop', async () => {
      const start = `const t = await polytrace.openTracer();
        const events = t.events();
        const other = t.events({ types: [] }).next();
        require('node:child_process').spawnSync('/bin/true');`;
      const exited = await runScript(`${start} for await (const event of events) process.exit(5);`);
      assert.deepEqual([exited.status, exited.signal, exited.stderr], [5, null, '']);
      const threw = await runScript(`${start} for await (const event of events) throw new Error('mine');`);
      assert.deepEqual([threw.status, threw.signal], [9, null]);
      assert.match(threw.stderr, /mine/);
    });
  });
});
