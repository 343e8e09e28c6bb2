/** The memory of a tracer: what the kernel holds for it, and what policies that come and go leave in the process. */
import assert from 'node:assert/strict';
import { needsRoot, runScript, USED_MEMORY } from './support.js';

const MIB = 1024 * 1024;

const POLICY = JSON.stringify(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: again }
spec:
  tracepoints:
    - subsystem: sched
      event: sched_process_exit
      raw: true
      args: [{ index: 0, type: nop }]
      selectors: [{ matchBinaries: [{ operator: In, values: [/srv/again] }] }]
`);

const FLOOD = JSON.stringify(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: flood }
spec:
  tracepoints:
    - subsystem: raw_syscalls
      event: sys_enter
      raw: true
      args: [{ index: 1, type: int64 }]
`);

describe('memory', function () {
  this.timeout(240_000);
  before(needsRoot);

  it('an idle tracer with the default ring buffer: at most 75 MiB in the kernel', async () => {
    const { status, stdout, stderr } = await runScript(
      `const { readdirSync, readFileSync } = require('node:fs');
       const tracer = await polytrace.openTracer();
       const objects = new Map();
       for (const fd of readdirSync('/proc/self/fdinfo')) {
         let text = '';
         try { text = readFileSync('/proc/self/fdinfo/' + fd, 'utf8'); } catch {}
         const id = /^(map|prog)_id:.*$/m.exec(text)?.[0];
         const bytes = /^memlock:\\s*(\\d+)$/m.exec(text)?.[1];
         if (id !== undefined && bytes !== undefined) objects.set(id, Number(bytes));
       }
       out([objects.size, [...objects.values()].reduce((sum, bytes) => sum + bytes, 0)]);
       await tracer.close();`,
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [objects, bytes] = JSON.parse(stdout) as [number, number];
    assert.ok(objects > 20, `${objects} programs and maps`);
    assert.ok(bytes > 64 * MIB && bytes <= 75 * MIB, `${(bytes / MIB).toFixed(1)} MiB`);
  });

  it('programs that find running processes are loaded with the first policy that needs them', async () => {
    const { status, stdout, stderr } = await runScript(
      `const { readdirSync, readFileSync } = require('node:fs');
       const programs = () => {
         const ids = new Set();
         for (const fd of readdirSync('/proc/self/fdinfo')) {
           let text = '';
           try { text = readFileSync('/proc/self/fdinfo/' + fd, 'utf8'); } catch {}
           const id = /^prog_id:.*$/m.exec(text)?.[0];
           if (id !== undefined) ids.add(id);
         }
         return ids.size;
       };
       const tracer = await polytrace.openTracer();
       const counts = [programs()];
       for (const yaml of [${FLOOD}, ${POLICY}, ${POLICY}.replace('again }', 'other }')]) {
         await tracer.addPolicy({ yaml });
         counts.push(programs());
       }
       await tracer.close();
       out([...counts.slice(1).map((count, i) => count - counts[i]), programs()]);`,
    );
    assert.deepEqual([status, stderr], [0, '']);
    // one hook; one hook, the iterator over tasks, the programs that see an exec begin and that compare arguments; one hook
    assert.deepEqual(JSON.parse(stdout), [1, 4, 1, 0]);
  });

  it('1,000 policies that come and go leave less than 10 MB in the process', async () => {
    const { status, stdout, stderr } = await runScript(
      `const rest = () => new Promise((resolve) => setImmediate(resolve));
       const tracer = await polytrace.openTracer({ bufferSize: 1 << 20 });
       void (async () => { for await (const event of tracer); })();
       const cycle = async (count) => {
         for (let i = 0; i < count; i++) {
           await tracer.addPolicy({ yaml: ${POLICY} });
           await tracer.removePolicy('again');
           await rest();
         }
       };
       ${USED_MEMORY}
       await cycle(50);
       const before = await usedMemory();
       await cycle(1000);
       const after = await usedMemory();
       await tracer.close();
       out([after.rss - before.rss, after.external - before.external]);`,
      { nodeArgs: ['--expose-gc', '--max-semi-space-size=1'], timeout: 230_000 },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [rss, external] = JSON.parse(stdout) as [number, number];
    assert.ok(rss < 10 * MIB, `${rss} bytes more`);
    assert.ok(external < MIB, `${external} bytes more outside the heap`);
  });

  it('V8 knows of the types that the addon keeps: once, and until nobody holds them', async () => {
    // The external memory that an addon reports is only in the trace of a garbage collection.
    const { status, stdout, stderr } = await runScript(
      `const collect = async (name) => {
         for (let i = 0; i < 3; i++) { gc(); await new Promise((resolve) => setImmediate(resolve)); }
         console.log('at ' + name);
         gc();
       };
       await collect('start');
       let kernel = polytrace.loadKernelInfo();
       await collect('held');
       kernel.structNames();
       const tracer = await polytrace.openTracer({ bufferSize: 1 << 20 });
       await tracer.addPolicy({ yaml: ${POLICY} });
       await collect('shared');
       // the last use: what is not used any more may be collected
       kernel = kernel.struct('no_such_struct');
       await tracer.close();
       await collect('end');
       console.log('types ' + require('node:fs').statSync('/sys/kernel/btf/vmlinux').size);`,
      { nodeArgs: ['--expose-gc', '--trace-gc-verbose'] },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const reportedMemory = (name: string): number => {
      const after = stdout.slice(stdout.indexOf(`at ${name}\n`));
      return 1024 * Number(/External memory reported: *(-?\d+) KB/.exec(after)?.[1]);
    };
    const types = Number(/^types (\d+)$/m.exec(stdout)?.[1]);
    const [start, held, shared, end] = ['start', 'held', 'shared', 'end'].map(reportedMemory) as [number, number, number, number];
    assert.ok(held - start >= types && held - start < 2 * types, `${held - start} bytes for types of ${types} bytes`);
    assert.ok(Math.abs(shared - held) < MIB, `${shared - held} bytes more with a tracer`);
    assert.ok(Math.abs(end - start) < MIB, `${end - start} bytes more at the end`);
  });

  it('10,000 events that are kept, one of every 50 of a flood, hold at most 4 KB each', async () => {
    const { status, stdout, stderr } = await runScript(
      `const measure = async () => {
         for (let i = 0; i < 3; i++) { gc(); await new Promise((resolve) => setImmediate(resolve)); }
         const { heapUsed, external } = process.memoryUsage();
         return heapUsed + external;
       };
       const tracer = await polytrace.openTracer({ policies: [{ yaml: ${FLOOD} }] });
       const dd = require('node:child_process').spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1'], { stdio: 'ignore' });
       const kept = [];
       let seen = 0, before = 0;
       for await (const event of tracer) {
         if (event.type !== 'process_tracepoint') continue;
         if (++seen === 50_000) before = await measure();
         if (seen > 50_000 && seen % 50 === 0 && kept.length < 10_000) kept.push([event, event.timeNs]);
         // two more blocks of records after a collection, which splits those that are still in use
         if (kept.length === 10_000 && seen % 50_000 === 0) break;
         if (kept.length === 10_000 && seen % 10_000 === 0) gc();
       }
       const held = (await measure()) - before;
       dd.kill();
       await tracer.close();
       const same = kept.filter(([event, time]) => event.timeNs === time && event.args.length === 1).length;
       out([kept.length, held / kept.length, same]);`,
      { nodeArgs: ['--expose-gc'], timeout: 120_000 },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [kept, held, same] = JSON.parse(stdout) as [number, number, number];
    console.log(`      ${Math.round(held)} bytes`);
    assert.ok(held > 300 && held <= 4096, `${held} bytes each`);
    assert.deepEqual([kept, same], [10_000, 10_000]);
  });
});
