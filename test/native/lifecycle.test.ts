/** A tracer leaves nothing behind in the kernel and in the process; and wrong options are refused. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { KernelError, PolicyError, PolytraceError, TracingCheck } from '../../types/index.js';
import { heldKernelObjects, KINDS, listKernelObjects, waitUntilFreed } from './kernel-objects.js';
import { leaveMark, needsOwnSpeed, needsRoot, openTracer, polytrace, ROOT, runScript, script, readUntil } from './support.js';
import { NIGHTLY } from '../nightly.js';

const KPROBES = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: reads
spec:
  kprobes:
  - call: security_file_permission
    syscall: false
    args:
    - index: 0
      type: file
`;

const countKind = (objects: readonly string[], kind: string): number =>
  objects.filter((each) => each.startsWith(`${kind} `)).length;

const MIB = 1 << 20;

const countThreads = (): number => readdirSync('/proc/self/task').length;

/** Processor time of the JavaScript thread, in milliseconds. */
const mainThreadMs = (): number =>
  Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

/** 200 take a minute. */
const [CYCLES, MAX_MB] = NIGHTLY ? [200, 5] : [50, 2];

describe('lifetimes', function () {
  this.timeout(60_000);
  before(needsRoot);

  it('SIGKILL leaves no program, map or link behind', async () => {
    const child = spawn(
      process.execPath,
      ['-e', script(`const t = await polytrace.openTracer(); out('ready'); for await (const e of t);`)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    const held = heldKernelObjects(child.pid as number);
    for (const kind of KINDS) assert.ok(countKind(held, kind) >= 3, kind);
    const all = listKernelObjects();
    assert.ok(held.every((each) => all.has(each)));
    child.kill('SIGKILL');
    await once(child, 'exit');
    await waitUntilFreed(held);
  });

  it('close() leaves nothing behind, nor does a tracer that failed to open', async () => {
    const before = heldKernelObjects(process.pid);
    const tracer = await openTracer();
    const held = heldKernelObjects(process.pid);
    assert.ok(countKind(held, 'link') >= countKind(before, 'link') + 3);
    await tracer.close();
    assert.deepEqual(heldKernelObjects(process.pid), before);
    await assert.rejects(openTracer({ policies: ['/nonexistent.yaml'] }));
    assert.deepEqual(heldKernelObjects(process.pid), before);
    await waitUntilFreed(held);
  });

  it('a closed tracer has no thread, nor has one that failed to open', async () => {
    await (await openTracer()).close(); // threads that all tracers share
    const before = countThreads();
    for (let i = 0; i < 3; i++) {
      const tracer = await openTracer();
      assert.ok(countThreads() > before);
      await tracer.close();
      await assert.rejects(openTracer({ policies: ['/nonexistent.yaml'] }));
      assert.equal(countThreads(), before);
      await assert.rejects(tracer.addPolicy({ yaml: KPROBES }), { code: 'CLOSED' });
      assert.equal(tracer.stats().events, 0);
    }
  });

  it('a large ring buffer takes no time of the event loop: another thread maps it', async () => {
    const measure = async (bufferSize: number): Promise<number> => {
      const before = mainThreadMs();
      const tracer = await openTracer({ bufferSize });
      await tracer.close();
      return mainThreadMs() - before;
    };
    await measure(MIB);
    const [small, large] = [[], []] as [number[], number[]];
    for (let i = 0; i < 4; i++) {
      small.push(await measure(MIB));
      large.push(await measure(256 * MIB));
    }
    // the kernel needs more than 20 ms to map it, and 10 to unmap it
    const more = Math.min(...large) - Math.min(...small);
    assert.ok(more < 10, `${more} ms`);
  });

  it('changes are made one after the other, and close() waits for those that were asked for', async () => {
    const tracer = await openTracer({ bufferSize: 1 << 20 });
    const policy = (name: string): { yaml: string } => ({
      yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  tracepoints: [{ subsystem: sched, event: sched_process_exit, raw: true, args: [{ index: 0, type: nop }] }]
`,
    });
    const settled: string[] = [];
    const note = async (what: string, change: Promise<unknown>): Promise<void> => {
      await change;
      settled.push(what);
    };
    await assert.rejects(tracer.removePolicy(undefined as never), { code: 'BAD_OPTION' });
    const changes = [
      note('a added', tracer.addPolicy(policy('a'))),
      note('b added', tracer.addPolicy(policy('b'))),
      note('a removed', tracer.removePolicy('a')),
      note('a missing', assert.rejects(tracer.removePolicy('a'), { code: 'NO_SUCH_POLICY' })),
      note('closed', tracer.close()),
      assert.rejects(tracer.addPolicy(policy('c')), { code: 'CLOSED' }),
    ];
    await Promise.all(changes);
    assert.deepEqual(settled, ['a added', 'b added', 'a removed', 'a missing', 'closed']);
  });

  it(`open and close ${CYCLES} times leaks no descriptor and at most ${MAX_MB} MB`, async function () {
    needsOwnSpeed.call(this);
    const { status, stdout, stderr } = await runScript(
      `const fs = require('node:fs');
       const cycle = async () => {
         const t = await polytrace.openTracer({ bufferSize: 1 << 20 });
         const waiting = t.events().next();
         await t.close();
         await waiting;
         await new Promise((resolve) => setImmediate(resolve));
       };
       const measure = async () => {
         for (let i = 0; i < 3; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
         // pages of files come and go as the machine needs memory
         const status = fs.readFileSync('/proc/self/status', 'utf8');
         const of = (name) => Number.parseInt(status.split(name + ':')[1], 10) * 1024;
         return [fs.readdirSync('/proc/self/fd').length, of('RssAnon') + of('RssShmem')];
       };
       const lowest = async () => {
         const all = [];
         for (let i = 0; i < 5; i++) { await cycle(); all.push(await measure()); }
         return [0, 1].map((which) => Math.min(...all.map((each) => each[which])));
       };
       for (let i = 0; i < 15; i++) await cycle();
       const before = await lowest();
       for (let i = 0; i < ${CYCLES}; i++) await cycle();
       const after = await lowest();
       out([after[0] - before[0], after[1] - before[1]]);`,
      // V8 would grow its young generation by 16 MB and keep it. glibc keeps up to 16 MB of what the threads of an arena have
      // freed. Both would be counted as leaks.
      {
        command: ['env', 'MALLOC_ARENA_MAX=1'],
        nodeArgs: ['--expose-gc', '--max-semi-space-size=1'],
        timeout: 400_000,
      },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [descriptors, bytes] = JSON.parse(stdout) as [number, number];
    assert.equal(descriptors, 0);
    console.log(`      ${bytes} bytes`);
    assert.ok(bytes < MAX_MB * 1024 * 1024, `${bytes} bytes more`);
  }).timeout(420_000);
});

describe('refusals', function () {
  this.timeout(60_000);
  before(needsRoot);

  const bad: readonly (readonly [string, object])[] = [
    ['polices', { polices: [] }],
    ['policies', { policies: 'a.yaml' }],
    ['attach', { attach: 'magic' }],
    ['bufferSize', { bufferSize: 100_000 }],
    ['bufferSize', { bufferSize: 32768 }],
    ['bufferSize', { bufferSize: 2 ** 31 }],
    ['bufferSize', { bufferSize: '65536' }],
    ['bufferSize', { bufferSize: Number.NaN }],
    ['coalesceMs', { coalesceMs: -1 }],
    ['coalesceMs', { coalesceMs: 1001 }],
    ['coalesceMs', { coalesceMs: '5' }],
    ['maxQueued', { maxQueued: 0 }],
    ['maxQueued', { maxQueued: 1.5 }],
    ['includeSelf', { includeSelf: 'no' }],
    ['nodeName', { nodeName: 7 }],
  ];
  for (const [name, options] of bad) {
    it(`openTracer(${JSON.stringify(options)})`, async () => {
      await assert.rejects(openTracer(options), (error: PolytraceError) => {
        assert.equal(error.code, 'BAD_OPTION');
        assert.match(error.message, new RegExp(`option ${name} `));
        assert.notEqual(error.hint, '');
        return true;
      });
    });
  }

  it('sources of policies', async () => {
    const source = { file: 'a.yaml' } as never;
    await assert.rejects(openTracer({ policies: [source] }), { code: 'BAD_OPTION', message: /^option policies\[0\] is/ });
    const tracer = await openTracer();
    for (const change of ['addPolicy', 'replacePolicy'] as const) {
      await assert.rejects(tracer[change](source), { code: 'BAD_OPTION', hint: /'a\.yaml'/ });
    }
    await tracer.close();
  });

  it('options of iterators', async () => {
    const tracer = await openTracer();
    for (const options of [{ types: ['exec'] }, { types: 'lost' }, { policyNames: 'a' }, { signal: 1 }, { type: [] }]) {
      assert.throws(() => tracer.events(options as object), { code: 'BAD_OPTION' }, JSON.stringify(options));
      assert.throws(() => tracer.batches(options as object), { code: 'BAD_OPTION' });
    }
    assert.equal(tracer.stats().iterators, 0);
    await tracer.close();
  });

  it('without privileges, naming the capabilities', async () => {
    const { stdout, stderr } = await runScript(
      `await polytrace.openTracer().catch((e) => out([e.name, e.code, e.message, e.hint, e.errno]));
       out(polytrace.preflight().canTrace);
       out(await polytrace.tryTracing());`,
      { command: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'] },
    );
    const [error, canTrace, trial] = stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown);
    assert.deepEqual((error as string[]).slice(0, 2), ['KernelError', 'NOT_PERMITTED'], stderr);
    assert.match((error as string[])[2] ?? '', /CAP_PERFMON, CAP_BPF/);
    assert.match((error as string[])[3] ?? '', /root/);
    assert.equal(canTrace, false);
    const { canTrace: tried, hooks, problems } = trial as TracingCheck;
    assert.equal(tried, false);
    assert.deepEqual(Object.values(hooks).filter(Boolean), []);
    assert.match(problems.join('\n'), /^base sensor: .*CAP_PERFMON, CAP_BPF/);
  });

  it('tries what preflight() predicts: the sensor and paths; nothing stays', async () => {
    const { canTrace, features } = polytrace.preflight();
    const before = heldKernelObjects(process.pid);
    const { canTrace: tried, hooks, ways, remedies, problems } = await polytrace.tryTracing();
    assert.deepEqual([tried, problems], [canTrace, []]);
    const has = (...names: string[]): boolean => features.some((f) => f.available && names.includes(f.name));
    assert.deepEqual(hooks, {
      tracepoints: true,
      kprobes: has('fentry', 'kprobe'),
      fentries: has('fentry'),
      lsmhooks: has('lsm'),
      uprobes: has('uprobe'),
      usdts: has('uprobe'),
    });
    const missing = Object.entries(hooks).filter(([, runs]) => !runs);
    assert.deepEqual(Object.keys(remedies), missing.map(([kind]) => kind)); // prettier-ignore
    for (const remedy of Object.values(remedies)) assert.match(remedy, /^\w+ \(\w+: needs CONFIG_/);
    assert.deepEqual(ways, {
      fentry: has('fentry'),
      fmod_ret: has('fmod_ret'),
      kprobe: has('kprobe'),
      'kprobe.multi': has('kprobe_multi'),
      lsm: has('lsm'),
      tracepoint: has('tracepoint'),
      raw_tracepoint: true,
      uprobe: has('uprobe'),
      'uprobe.multi': has('uprobe_multi'),
      usdt: has('uprobe'),
    });
    assert.deepEqual(heldKernelObjects(process.pid), before);
  });

  it('a policy that is not there, naming the one that was probably meant', async () => {
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: starts }
spec: { tracepoints: [{ subsystem: sched, event: sched_process_exec, raw: true }] }`;
    const tracer = await openTracer({ policies: [{ yaml }] });
    await assert.rejects(tracer.removePolicy('start'), { code: 'NO_SUCH_POLICY', hint: 'did you mean "starts"?' });
    await assert.rejects(tracer.removePolicy('entirely-different'), ({ code, hint }: PolytraceError) => {
      assert.equal(code, 'NO_SUCH_POLICY');
      assert.doesNotMatch(hint, /did you mean/);
      return true;
    });
    await tracer.close();
  });

  it('policies: no such file, three mistakes at once, the same name twice; the tracer continues to run', async () => {
    const tracer = await openTracer();
    const events = tracer.events();
    await assert.rejects(tracer.addPolicy('/nonexistent/policy.yaml'), /nonexistent/);
    const mistakes = KPROBES.replace('type: file', 'type: fiel')
      .replace('index: 0', 'index: 99')
      .replace('syscall:', 'sycall:');
    await assert.rejects(tracer.addPolicy({ yaml: mistakes, file: 'three.yaml' }), (error: PolicyError) => {
      assert.equal(error.name, 'PolicyError');
      const errors = error.diagnostics.filter((d) => d.severity === 'error');
      assert.equal(errors.length, 3, error.message);
      assert.deepEqual(errors.map((d) => `${d.file}:${d.line}`).sort(), ['three.yaml:10', 'three.yaml:11', 'three.yaml:8'].sort());
      return true;
    });
    await assert.rejects(tracer.removePolicy('nothing'), { code: 'NO_SUCH_POLICY' });
    assert.deepEqual(tracer.policies(), []);
    spawnSync('/bin/true', ['still here']);
    const seen = await readUntil(leaveMark(), events);
    assert.equal(seen.filter((e) => e.type !== 'lost' && e.process.argv[0] === 'still here').length, 2);
    await tracer.close();
  });

  it('kprobes if the kernel has neither fentry nor kprobe; nothing stays half-loaded', async function () {
    if (polytrace.preflight().canAttachKprobes) this.skip();
    const tracer = await openTracer();
    const before = heldKernelObjects(process.pid);
    // This is repeated more often than there are ids. A failed hook must free its id.
    for (let i = 0; i < 20; i++) {
      await assert.rejects(tracer.addPolicy({ yaml: KPROBES }), (error: KernelError) => {
        assert.equal(error.name, 'KernelError');
        assert.equal(error.code, 'NO_ATTACH_MECHANISM');
        assert.match(error.message, /^<policy>:\d+:\d+: security_file_permission .*fentry .*kprobe .*needs CONFIG_/);
        assert.match(error.hint, /preflight/);
        return true;
      });
    }
    assert.deepEqual(heldKernelObjects(process.pid), before);
    assert.deepEqual(tracer.policies(), []);
    await assert.rejects(openTracer({ policies: [`${ROOT}/policies/file-monitoring.yaml`] }), {
      code: 'NO_ATTACH_MECHANISM',
    });
    await tracer.close();
  });
});

describe('a tracer that was never closed', function () {
  this.timeout(120_000);
  before(needsRoot);

  /** Runs a program that opens a tracer, and returns what it prints. `after`: what it does when the tracer is gone. */
  const runProgram = async (open: string, after: string): Promise<unknown> => {
    const { status, stdout, stderr } = await runScript(
      `const warnings = [];
       process.on('warning', ({ code, message }) => warnings.push([code, message]));
       const countDescriptors = () => require('node:fs').readdirSync('/proc/self/fd').length;
       await (await polytrace.openTracer({ bufferSize: 131072 })).close();
       const before = countDescriptors();
       const collect = async (isDone, turns) => {
         for (let i = 0; i < turns && !isDone(); i++) {
           gc();
           await new Promise((resolve) => setTimeout(resolve, 10));
         }
       };
       const kept = await (async () => { ${open} })();
       ${after}`,
      { nodeArgs: ['--expose-gc', '--no-warnings'] },
    );
    assert.deepEqual([status, stderr], [0, '']);
    return JSON.parse(stdout);
  };

  it('is closed with a warning when nobody can reach it', async () => {
    const [code, message, left] = (await runProgram(
      'await polytrace.openTracer({ bufferSize: 131072 });',
      `await collect(() => warnings.length > 0 && countDescriptors() <= before, 2000);
       out([...warnings[0], countDescriptors() - before]);`,
    )) as [string, string, number];
    assert.deepEqual([code, left], ['POLYTRACE_TRACER_NOT_CLOSED', 0]);
    assert.match(message, /no part of the program can reach it any more: it is closed/);
  });

  it('stays open while the program holds an iterator, and one that was closed causes no warning', async () => {
    const result = await runProgram(
      `const closed = await polytrace.openTracer({ bufferSize: 131072 });
       await closed.close();
       return (await polytrace.openTracer({ bufferSize: 131072 })).events({ types: ['process_exec'] });`,
      `await collect(() => warnings.length > 0, 30);
       const next = kept.next();
       require('node:child_process').execFileSync('/bin/true');
       const { value } = await next;
       out([warnings, value.type]);
       process.exit();`,
    );
    assert.deepEqual(result, [[], 'process_exec']);
  });

  it('stays open, with a warning, if its policies are persistent', async () => {
    const result = await runProgram(
      `const persist = '/sys/fs/bpf/polytrace-test-' + process.pid;
       await polytrace.openTracer({ bufferSize: 131072, persist });
       return persist;`,
      `await collect(() => warnings.length > 0, 2000);
       await new Promise((resolve) => setImmediate(resolve));
       const isOpen = countDescriptors() > before;
       out([warnings[0], isOpen, kept]);
       process.exit();`,
    );
    const [[code, message], isOpen, folder] = result as [[string, string], boolean, string];
    await polytrace.removePersisted(folder);
    assert.deepEqual([code, isOpen], ['POLYTRACE_TRACER_NOT_CLOSED', true]);
    assert.match(message, /it stays open, because its policies enforce or are persistent/);
  });
});
