/**
 * Stack traces of hooks on this machine's kernel: functions, files and build ids of the kernel and of a running
 * program.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { StackFrame, TracerEvent } from '../../types/index.js';
import { needsRoot, needsTracefs, openTracer, polytrace, Workshop } from './support.js';

const POST = 'matchActions: [{ action: Post, kernelStackTrace: true, userStackTrace: true }]';

function stackPolicy(program: string): string {
  const own = `selectors: [{ matchBinaries: [{ operator: In, values: ["${program}"] }], ${POST} }]`;
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: deep }
spec:
  tracepoints:
    - subsystem: syscalls
      event: sys_enter_getpgid
      ${own}
    - subsystem: raw_syscalls
      event: sys_enter
      raw: true
      args: [{ index: 1, type: int64 }]
      selectors:
        - matchArgs: [{ args: [0], operator: Equal, values: ["121"] }]
          matchBinaries: [{ operator: In, values: ["${program}"] }]
          ${POST}
  uprobes:
    - path: ${program}
      symbols: [innermost]
      selectors: [{ ${POST} }]
    - path: ${program}
      symbols: [middle]
      return: true
      returnArg: { index: 0, type: int }
      selectors: [{ ${POST} }]`;
}

type Hook = Extract<TracerEvent, { readonly actions: unknown }>;
const isHook = (event: TracerEvent): event is Hook => 'actions' in event;
const hookEventName = (event: Hook): string =>
  event.type === 'process_uprobe' ? event.symbol : event.type === 'process_tracepoint' ? event.event : event.type;

describe('stack traces', function () {
  this.timeout(60_000);
  before(needsRoot);
  before(needsTracefs);
  let shop: Workshop;
  let program: string;
  before(() => {
    shop = new Workshop();
    program = join(shop.folder, 'deep');
    const source = join(__dirname, 'programs', 'deep.c');
    execFileSync('cc', ['-O1', '-fno-omit-frame-pointer', '-fno-optimize-sibling-calls', '-Wl,--build-id', '-o', program, source]);
  });
  after(() => shop?.remove());

  /** Events of one run, with the result of `look` for each while the program is still running. */
  async function traceStacks<T>(stackAddresses: boolean, look: (event: Hook) => T): Promise<Map<string, T>> {
    const tracer = await openTracer({ policies: [{ yaml: stackPolicy(program) }], stackAddresses });
    const seen = new Map<string, T>();
    const child = spawn(program, { stdio: 'pipe' });
    const ended = once(child, 'exit');
    for await (const event of tracer) {
      if (!isHook(event)) continue;
      seen.set(hookEventName(event), look(event));
      if (seen.size === 4) break;
    }
    child.stdin.end();
    assert.deepEqual(await ended, [0, null]);
    await tracer.close();
    return seen;
  }

  it('tracepoints, raw ones, uprobes and their returns', async () => {
    const stacks = await traceStacks(false, ({ kernelStack = [], userStack = [] }) => ({ kernel: kernelStack, user: userStack }));
    const notes = execFileSync('readelf', ['-n', program], { encoding: 'utf8' });
    const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)?.[1];
    const own = (frames: readonly StackFrame[]): unknown[] =>
      frames.filter(({ module }) => module === program).map(({ symbol }) => symbol);
    assert.deepEqual([...stacks.keys()].sort(), ['innermost', 'middle', 'sys_enter', 'sys_enter_getpgid']);
    assert.deepEqual(own(stacks.get('innermost')?.user ?? []).at(0), 'innermost');
    assert.deepEqual(own(stacks.get('middle')?.user ?? []), ['main']);
    for (const call of ['sys_enter', 'sys_enter_getpgid']) {
      const { kernel = [], user = [] } = stacks.get(call) ?? {};
      // The wrapper in the C library has no frame pointer, so its caller is not seen.
      assert.match(user[0]?.module ?? '', /libc/, call);
      assert.equal(user[0]?.symbol, 'syscall', call);
      assert.ok(own(user).includes('middle') && own(user).at(-1) === 'main', call);
      assert.ok(kernel.some(({ symbol }) => /syscall/.test(symbol ?? '')), call);
    }
    for (const { kernel, user } of stacks.values()) {
      assert.ok([...kernel, ...user].every(({ address }) => address === undefined));
      for (const frame of user.filter(({ module }) => module === program)) {
        assert.equal(frame.buildId, buildId);
        assert.ok((frame.fileOffset ?? 0n) > (frame.offset ?? 0n));
      }
    }
    const [first] = stacks.get('innermost')?.user ?? [];
    const nm = execFileSync('nm', [program], { encoding: 'utf8' });
    assert.equal(first?.offset, 0n);
    assert.equal(first?.fileOffset, BigInt(`0x${/^([0-9a-f]+) T innermost$/m.exec(nm)?.[1] ?? ''}`));
  });

  it('with addresses on request; in JSON and on indented lines', async () => {
    const lines = await traceStacks(true, (event) => ({
      addresses: [...(event.kernelStack ?? []), ...(event.userStack ?? [])].map(({ address }) => address),
      json: JSON.parse(polytrace.toJson(event)) as Record<string, Record<string, unknown>>,
      compact: polytrace.formatCompact(event),
    }));
    const { addresses = [], json = {}, compact = '' } = lines.get('innermost') ?? {};
    assert.ok(addresses.length > 0 && addresses.every((address) => (address ?? 0n) > 0n));
    const { user_stack_trace: user } = json['process_uprobe'] ?? {};
    const [first] = user as Record<string, string>[];
    assert.deepEqual(Object.keys(first ?? {}), ['address', 'symbol', 'module', 'file_offset', 'build_id']);
    assert.equal(first?.['symbol'], 'innermost');
    // A uprobe is hit in the code of the program, so there is no kernel stack.
    assert.match(compact, /^[^\n]*\n {3}User space:\n {5}0x[0-9a-f]+: innermost\+0x0 \(\/.*\/deep\+0x[0-9a-f]+\)\n/);
    assert.match(lines.get('sys_enter')?.compact ?? '', /^[^\n]*\n {3}Kernel:\n {5}0x[0-9a-f]+: \S+\+0x[0-9a-f]+/);
  });
});
