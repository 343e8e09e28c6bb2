/** The option `btf`: a file with the types of the running kernel, for kernels that have none of their own. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needsRoot, openTracer, polytrace, runScript } from './support.js';

const VMLINUX = '/sys/kernel/btf/vmlinux';
const [KIND_INT, KIND_STRUCT] = [1, 4];

/** BTF with these structs. Each has one member, and this size in bytes. */
function makeBtf(structs: readonly (readonly [name: string, member: string, size: number])[]): Buffer {
  let strings = '\0long\0';
  const words = (...numbers: readonly number[]): Buffer => Buffer.from(Uint32Array.from(numbers).buffer);
  const name = (text: string): number => {
    strings += `${text}\0`;
    return strings.length - text.length - 1;
  };
  const types = [
    words(1, KIND_INT * 2 ** 24, 8, 64),
    ...structs.map(([struct, member, size]) =>
      words(name(struct), KIND_STRUCT * 2 ** 24 + 1, size, name(member), 1, 0),
    ),
  ];
  const body = Buffer.concat(types);
  const header = Buffer.concat([Buffer.from([0x9f, 0xeb, 1, 0]), words(24, 0, body.length, body.length, strings.length)]);
  return Buffer.concat([header, body, Buffer.from(strings)]);
}

/** Code for a process that does not see the BTF of its kernel, as if the kernel had none. */
const runWithoutBtf = (body: string): ReturnType<typeof runScript> =>
  runScript(body, {
    command: ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"'],
  });

describe('types of the kernel from a file', function () {
  this.timeout(60_000);
  let folder: string;
  let copy: string;

  before(needsRoot);
  before(function () {
    if (!existsSync(VMLINUX)) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'polytrace-btf-'));
    copy = join(folder, 'vmlinux');
    copyFileSync(VMLINUX, copy);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('refuses files that cannot describe this kernel', async () => {
    const [ours, others] = process.arch === 'x64' ? ['orig_ax', 'pstate'] : ['pstate', 'orig_ax'];
    const files: Record<string, [Buffer, RegExp]> = {
      text: [Buffer.from('no BTF'), /cannot read BTF of/],
      empty: [Buffer.alloc(0), /cannot read BTF of/],
      cut: [readFileSync(VMLINUX).subarray(0, 100_000), /cannot read BTF of/],
      program: [makeBtf([['point', 'x', 8]]), /it does not have the types of a kernel/],
      architecture: [makeBtf([['task_struct', 'pid', 64], ['pt_regs', others, 8]]), /another architecture/],
      kernel: [makeBtf([['task_struct', 'pid', 64], ['pt_regs', ours, 8]]), /another kernel: task_struct has 64 bytes, but/],
    };
    for (const [name, [bytes, message]] of Object.entries(files)) {
      writeFileSync(join(folder, name), bytes);
      const btf = join(folder, name);
      await assert.rejects(openTracer({ btf }), { name: 'KernelError', code: 'BTF_UNREADABLE', message });
      const { problem, canTrace } = polytrace.preflight({ btf });
      assert.match(String(problem), message);
      assert.equal(canTrace, false);
    }
    const large = join(folder, 'large');
    writeFileSync(large, '');
    truncateSync(large, 2 ** 28 + 1);
    for (const [btf, message] of [[large, /256 MiB/], ['/dev/zero', /not a regular file/], ['/nowhere', /ENOENT/]] as const) {
      await assert.rejects(openTracer({ btf }), { code: 'BTF_UNREADABLE', message });
    }
    for (const btf of ['', 1]) {
      await assert.rejects(openTracer({ btf } as object), { code: 'BAD_OPTION' });
      assert.throws(() => polytrace.preflight({ btf } as object), { code: 'BAD_OPTION' });
    }
  });

  it('is the same for all open tracers of a process', async () => {
    const first = await openTracer({ btf: copy });
    const second = await openTracer({ btf: copy });
    await assert.rejects(openTracer(), { code: 'BAD_OPTION', message: /uses the types in/ });
    await Promise.all([first.close(), second.close()]);
    const own = await openTracer();
    await assert.rejects(openTracer({ btf: copy }), { code: 'BAD_OPTION', message: /the kernel's own types/ });
    await own.close();
  });

  it('a kernel without BTF: NO_BTF names the option', async () => {
    const { stdout } = await runWithoutBtf(`
      const error = await polytrace.openTracer().catch((error) => error);
      out([error.code, error.hint, polytrace.preflight().canTrace]);`);
    const [code, hint, canTrace] = JSON.parse(stdout) as unknown[];
    assert.deepEqual([code, canTrace], ['NO_BTF', false]);
    assert.match(String(hint), /--btf/);
  });

  it('a kernel without BTF: processes and tracepoints are traced; what needs its own BTF is refused', async () => {
    const { stdout, stderr } = await runWithoutBtf(`
      const { execFileSync } = require('node:child_process');
      const btf = ${JSON.stringify(copy)};
      const policy = (rest) => ({ yaml: 'apiVersion: cilium.io/v1alpha1\\nkind: TracingPolicy\\nmetadata: { name: execs }\\n' +
        'spec: { tracepoints: [{ subsystem: sched, event: sched_process_exec, raw: true, ' +
        'args: [{ index: 2, type: linux_binprm }]' + rest + ' }] }' });
      const tracer = await polytrace.openTracer({ btf });
      await tracer.addPolicy(policy(''));
      const events = tracer.events({ types: ['process_exec', 'process_exit', 'process_tracepoint'] });
      execFileSync('/bin/true', ['marked']);
      const seen = [];
      for await (const event of events) {
        if (event.type === 'lost' || event.process.argv[0] !== 'marked') continue;
        seen.push([event.type, event.args?.[0]?.path]);
        if (event.type === 'process_exit') break;
      }
      await tracer.removePolicy('execs');
      const refused = await tracer.addPolicy(policy(', selectors: [{ matchBinaries: [{ operator: In, values: [/bin/true] }] }]'))
        .catch((error) => error);
      await tracer.close();
      const { features, canTrace } = polytrace.preflight({ btf });
      out({ seen, refused: [refused.code, refused.message], canTrace, missing: features.filter(({ detail }) =>
        detail.includes('BTF of the kernel itself')).map(({ name }) => name) });`);
    assert.equal(stderr, '');
    const { seen, refused, canTrace, missing } = JSON.parse(stdout) as Record<string, unknown[]>;
    const types = seen?.map((each) => (each as unknown[])[0]);
    assert.deepEqual(types?.sort(), ['process_exec', 'process_exit', 'process_tracepoint']);
    assert.match(JSON.stringify(seen), /bin\/true/);
    assert.deepEqual([refused?.[0], canTrace], ['SCAN', true]);
    assert.match(String(refused?.[1]), /the kernel's own BTF/);
    assert.deepEqual(missing, ['tp_btf', 'fentry', 'lsm', 'fmod_ret', 'preempt_disable']);
  });
});
