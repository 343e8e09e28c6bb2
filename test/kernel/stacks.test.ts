/**
 * A hook that knows stacks reports the same addresses as a reference hook whose stacks the kernel unwinds each time; see
 * bpf/stack_cache.bpf.h.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { stackCache } from '../../lib/attach/stack-cache.js';
import type { ProcessKprobeEvent, StackFrame } from '../../types/index.js';
import { copyProgram, fileHook, kprobeEvents, kprobePolicy, Recording, onKernelWithGroups } from './support.js';

const PROGRAM = '/tmp/stacks';
const OPTIONS = { attach: 'fentry', stackAddresses: true } as const;
const { findUnwinder } = stackCache;

const stackHook = (binaries: readonly string[]): string =>
  fileHook(`- matchBinaries:
  - operator: In
    values: ${JSON.stringify(binaries)}
  matchActions:
  - {action: Post, kernelStackTrace: true, userStackTrace: true}`);

interface Reports {
  readonly known: readonly ProcessKprobeEvent[];
  readonly reference: readonly ProcessKprobeEvent[];
}

/** The events of both hooks. Each call of the function runs both programs. */
async function reportBoth(binaries: readonly string[], run: () => void, more?: string): Promise<Reports> {
  const recording = await Recording.open(kprobePolicy('known', stackHook(binaries)), OPTIONS);
  try {
    stackCache.findUnwinder = () => undefined;
    await recording.tracer.addPolicy({ yaml: kprobePolicy('reference', stackHook(binaries)) });
    if (more !== undefined) await recording.tracer.addPolicy({ yaml: more });
    const all = await recording.eventsDuring(run);
    assert.ok(!all.some(({ type }) => type === 'lost'), 'events were lost');
    const events = kprobeEvents(all);
    const ofPolicy = (name: string): ProcessKprobeEvent[] => events.filter(({ policyName }) => policyName === name);
    return { known: ofPolicy('known'), reference: ofPolicy('reference') };
  } finally {
    stackCache.findUnwinder = findUnwinder;
    await recording.close();
  }
}

/** The addresses from the hooked function on: those before it are of the hook's own program. */
function kernelAddresses({ kernelStack = [] }: ProcessKprobeEvent): readonly unknown[] {
  const from = kernelStack.findIndex(({ symbol }) => symbol === 'security_file_permission');
  assert.ok(from > 0, JSON.stringify(kernelStack.map(({ symbol }) => symbol)));
  return addresses(kernelStack.slice(from));
}

const addresses = (frames: readonly StackFrame[]): readonly unknown[] =>
  frames.map(({ address }) => address?.toString(16));

function assertSame({ known, reference }: Reports): void {
  assert.equal(known.length, reference.length);
  const describe = (event: ProcessKprobeEvent): object => ({
    tid: event.tid,
    kernel: kernelAddresses(event),
    user: addresses(event.userStack ?? []),
  });
  known.forEach((event, i) =>
    assert.deepEqual(describe(event), describe(reference[i] as ProcessKprobeEvent), `event ${i}`),
  );
}

const countDifferent = (events: readonly ProcessKprobeEvent[]): number =>
  new Set(events.map((event) => kernelAddresses(event).join())).size;

/** The number of stacks that hooks have stored, as bpftool shows them. */
function countStored(): number {
  const run = (...args: readonly string[]): unknown =>
    JSON.parse(execFileSync('bpftool', ['-j', ...args], { encoding: 'utf8', maxBuffer: 1 << 28 }));
  const maps = (run('map', 'show') as readonly { id: number; name?: string }[]).filter(
    ({ name }) => name?.startsWith('.data.stack') === true,
  );
  return maps.reduce(
    (sum, { id }) => sum + (JSON.stringify(run('map', 'dump', 'id', String(id))).match(/"first":[1-9]/g) ?? []).length,
    0,
  );
}

/** Earlier kernels have other ORC entries, and the newest one has no hooks of functions by fentry. */
const describeOnce = onKernelWithGroups() ? describe : (): void => {};

describeOnce('known kernel stacks', () => {
  before(() => {
    copyProgram('stacks', PROGRAM);
    writeFileSync('/tmp/stacks-in', 'the file that is read');
    execFileSync('modprobe', ['overlay']); // before the first look at the kernel's symbols
  });
  after(() => Recording.closeCached());

  let stored = 0;
  const run = (): void => {
    execFileSync(PROGRAM, ['/tmp/stacks-in', '/tmp/stacks-out']);
    stored = countStored();
  };

  it('reads of many kinds, from call chains of many depths', async () => {
    const reports = await reportBoth([PROGRAM], run);
    assert.ok(stored > 0, `${stored} stacks are stored`);
    assert.ok(reports.known.length > 400, `${reports.known.length} events`);
    assert.ok(countDifferent(reports.known) > 8, `${countDifferent(reports.known)} stacks`);
    assertSame(reports);
    const depths = new Set(reports.known.map(({ userStack = [] }) => userStack.length));
    assert.ok(depths.has(127) && depths.size > 5, [...depths].join());
  });

  it('frames of a module, and return addresses that a kretprobe has replaced', async () => {
    mkdirSync('/tmp/stacks-overlay', { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'stacks', '/tmp/stacks-overlay']);
    for (const folder of ['lower', 'upper', 'work', 'merged'])
      mkdirSync(`/tmp/stacks-overlay/${folder}`, { recursive: true });
    writeFileSync('/tmp/stacks-overlay/lower/in', 'the file that is read');
    const layers = 'lowerdir=lower,upperdir=upper,workdir=work';
    execFileSync('mount', ['-t', 'overlay', '-o', layers, 'overlay', 'merged'], { cwd: '/tmp/stacks-overlay' });
    try {
      const overlay = await reportBoth([PROGRAM], () =>
        execFileSync(PROGRAM, ['/tmp/stacks-overlay/merged/in', '/tmp/stacks-overlay/merged/out']),
      );
      assert.ok(overlay.known.some(({ kernelStack = [] }) => kernelStack.some(({ module }) => module === 'overlay')));
      assertSame(overlay);
    } finally {
      execFileSync('umount', ['/tmp/stacks-overlay/merged', '/tmp/stacks-overlay']);
    }
    const kretprobe = kprobePolicy(
      'returns',
      'call: vfs_read\nsyscall: false\nreturn: true\nreturnArg: {index: 0, type: int}\nselectors: [{matchReturnArgs: [{operator: Equal, values: ["4242"]}]}]',
    );
    assertSame(await reportBoth([PROGRAM], run, kretprobe));
  });

  it('what a machine does: shells, pipes, programs that start', async () => {
    const script =
      'for i in 1 2 3 4 5 6; do cat /etc/passwd | sort | grep -c root; find /etc -maxdepth 1 | wc -l; cp /etc/passwd /tmp/stacks-copy; tar -cf /dev/null /etc/default 2>&1; done';
    const binaries = [
      '/usr/bin/bash',
      '/usr/bin/cat',
      '/usr/bin/sort',
      '/usr/bin/grep',
      '/usr/bin/find',
      '/usr/bin/wc',
      '/usr/bin/cp',
      '/usr/bin/tar',
      '/usr/bin/dash',
    ];
    const reports = await reportBoth(binaries, () => void execFileSync('/usr/bin/bash', ['-c', script]));
    assert.ok(reports.known.length > 200, `${reports.known.length} events`);
    assertSame(reports);
  });
});
