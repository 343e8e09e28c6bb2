import assert from 'node:assert/strict';
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ArgumentBudget, SHORT_BYTES } from '../../../lib/process/argument-budget.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock, formatTime } from '../../../lib/process/clock.js';
import { hostNamespaces } from '../../../lib/process/host-namespaces.js';
import { isInHostPidNamespace } from '../../../lib/process/proc-files.js';
import { joinArea, joinArguments, splitArgv, type TrackedProcess } from '../../../lib/process/process.js';
import {
  EventExec,
  EventFork,
  ProcessFlag,
  RunningFlag,
  RunningProcess as Layout,
} from '../../../lib/wire/layout.gen.js';
import { RecordChunk } from '../../../lib/wire/record-chunk.js';
import { execRecord, exitRecord, forkRecord, hookRecord, type TestProcess, PID_BASE } from '../wire/records.js';

function findGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

const testProcessAt = (n: number, count = 0, start = BigInt(n) * 1_000_000_000n): TestProcess => ({
  pid: PID_BASE + n,
  start,
  count,
});

describe('process cache', () => {
  let cache: ProcessCache;
  beforeEach(() => {
    cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 0n) });
    cache.onDrained(false);
    onExec(testProcessAt(1), testProcessAt(0));
  });
  const toChunk = (bytes: Buffer): RecordChunk => RecordChunk.from(bytes);
  const onExec = (w: TestProcess, parent: TestProcess, binary?: string): TrackedProcess => {
    const bytes = execRecord(w, parent, binary);
    return cache.onExec(toChunk(bytes), 0, bytes.readUInt32LE(0));
  };
  const onFork = (w: TestProcess, parent: TestProcess): void => cache.onFork(toChunk(forkRecord(w, parent)), 0);
  const onExit = (w: TestProcess): TrackedProcess | undefined => cache.onExit(toChunk(exitRecord(w)), 0);
  const findForHook = (w: TestProcess): TrackedProcess => cache.findForHook(toChunk(hookRecord(w, 8)), 0);

  it('fork, exec, exit', () => {
    onFork(testProcessAt(2), testProcessAt(1));
    const forked = findForHook(testProcessAt(2));
    assert.deepEqual([forked.flags, forked.forked], ['execve clone', true]);
    assert.equal(forked.binary, `/bin/p${PID_BASE + 1}`);
    const tracked = onExec(testProcessAt(2, 1), testProcessAt(1));
    assert.deepEqual([tracked.flags, tracked.forked], ['execve clone', false]);
    assert.equal(tracked.parentProcess?.pid, PID_BASE + 1);
    assert.equal(onExit(testProcessAt(2, 1)), tracked);
    assert.equal(findForHook(testProcessAt(2, 1)), tracked, 'hooks still run after the exit record');
  });

  it('an exit that is reported twice counts once', () => {
    assert.ok(onExit(testProcessAt(1)));
    assert.equal(onExit(testProcessAt(1)), undefined);
  });

  it('a lost fork: the exec record names the parent', () => {
    const tracked = onExec(testProcessAt(3, 1), testProcessAt(1));
    assert.equal(tracked.parentProcess?.pid, PID_BASE + 1);
    assert.equal(tracked.flags, 'execve clone');
  });

  it('a lost exec: the process is unknown, but its parent is known', () => {
    onFork(testProcessAt(4), testProcessAt(1));
    cache.onDrained(true);
    const tracked = onExit(testProcessAt(4, 1));
    assert.equal(tracked?.flags, 'procFS unknown');
    assert.equal(tracked?.parentProcess?.pid, PID_BASE + 1);
  });

  it('a hook during an exec still belongs to the previous exec', () => {
    onFork(testProcessAt(5), testProcessAt(1));
    const during = findForHook(testProcessAt(5, 1));
    assert.ok(during.forked);
    assert.ok(!onExec(testProcessAt(5, 1), testProcessAt(1)).forked);
    assert.notEqual(findForHook(testProcessAt(5, 1)), during);
  });

  it('after a loss, processes in the same record chunk are uncertain; processes in the next chunk are correct', () => {
    cache.onDrained(true);
    onFork(testProcessAt(6), testProcessAt(1));
    cache.onDrained(false);
    assert.equal(findForHook(testProcessAt(6, 1)).flags, 'procFS unknown');
    assert.equal(findForHook(testProcessAt(6, 1)).binaryUntrusted, true);
    onFork(testProcessAt(7), testProcessAt(1));
    assert.ok(findForHook(testProcessAt(7, 1)).forked);
  });

  it('a reused process id is another process', () => {
    onFork(testProcessAt(8), testProcessAt(1));
    const old = onExec(testProcessAt(8, 1), testProcessAt(1));
    const again = { ...testProcessAt(8, 1), start: 99_000_000_000n };
    const tracked = onExec(again, testProcessAt(1));
    assert.notEqual(tracked.execId, old.execId);
    assert.equal(findForHook(again), tracked);
    const third = { ...testProcessAt(8, 1), start: 123_000_000_000n };
    assert.equal(findForHook(third).flags, 'procFS unknown');
    // A child of the old process is not a child of the new one.
    assert.equal(onExec(testProcessAt(9, 1), testProcessAt(8)).parentProcess, undefined);
  });

  it('the texts of an ended process are forgotten with the next batch, those of a running one are not', () => {
    const running = onExec(testProcessAt(2, 1), testProcessAt(1));
    const ended = onExec(testProcessAt(3, 1), testProcessAt(1));
    for (const tracked of [running, ended]) [tracked.jsonParts, tracked.lineFragments] = [[], []];
    onExit(testProcessAt(3, 1));
    assert.ok(ended.jsonParts !== undefined && ended.lineFragments !== undefined, 'its exit event comes first');
    cache.onDrained(false);
    assert.deepEqual([ended.jsonParts, ended.lineFragments], [undefined, undefined]);
    assert.ok(running.jsonParts !== undefined && running.lineFragments !== undefined);
  });

  it('a process that runs on does not retain the records of many others', async () => {
    const collectGarbage = findGc();
    const count = 60_000;
    collectGarbage();
    const before = memoryUsage().arrayBuffers;
    const kept: TrackedProcess[] = [];
    for (let n = 10; n < 10 + count; n++) {
      const tracked = onExec(testProcessAt(n, 1), testProcessAt(1));
      if (n % 1000 === 0) cache.onDrained(false);
      if (n % 20 === 0) kept.push(tracked);
      else onExit(testProcessAt(n, 1));
    }
    let grown = Infinity;
    // V8 frees the memory of buffers in another thread
    for (let i = 0; i < 50 && grown > 8 * 2 ** 20; i++) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve));
      grown = memoryUsage().arrayBuffers - before;
    }
    assert.ok(grown <= 8 * 2 ** 20, `${grown} bytes`);
    for (const tracked of kept) assert.equal(tracked.binary, `/bin/p${tracked.pid}`);
  });

  it('ended processes are retained for a while, then removed', () => {
    for (let n = 10; n < 20_010; n++) {
      onFork(testProcessAt(n), testProcessAt(1));
      onExit(testProcessAt(n));
    }
    assert.ok(cache.size > 4096 && cache.size <= 2 * 4096 + 2, `${cache.size}`);
  });

  it('after lost exits, a sweep ends the processes that no longer run, but none that start meanwhile', async function () {
    if (!isInHostPidNamespace()) return this.skip();
    const running = onExec({ pid: process.pid, start: 1n, count: 1 }, testProcessAt(1));
    const endedProcesses = Array.from({ length: 100_000 }, (_, n) => onExec(testProcessAt(n + 10), testProcessAt(1)));
    const swept = cache.sweepEnded();
    assert.equal(endedProcesses.at(-1)?.ended, false, 'it goes on while the event loop has its turns');
    const begun = onExec(testProcessAt(3), testProcessAt(1));
    await swept;
    assert.deepEqual([running.ended, endedProcesses.every(({ ended }) => ended), begun.ended], [false, true, false]);
    await cache.sweepEnded();
    assert.equal(begun.ended, true);
    assert.ok(cache.size < 10_000, `${cache.size}`);
  });

  it('ended processes with huge arguments are removed earlier: they use at most 16 MiB', () => {
    const name = `/${'n'.repeat(40_000)}`;
    for (let n = 10; n < 2010; n++) {
      onExec(testProcessAt(n), testProcessAt(1), name);
      onExit(testProcessAt(n));
    }
    assert.ok(cache.size > 100 && cache.size * 40_000 <= 16 * 1024 * 1024 + 80_000, `${cache.size}`);
  });

  it('long arguments of all processes together are bounded: those above are shortened, flagged and counted', () => {
    const bounded = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 0n) }, 100_000);
    bounded.onDrained(false);
    const onLongExec = (n: number, length: number): TrackedProcess => {
      const record = execRecord(testProcessAt(n), testProcessAt(1));
      const bytes = Buffer.concat([record, Buffer.from(`argv0\0${'a'.repeat(length - 7)}\0`)]);
      bytes.writeUInt32LE(bytes.length, 0);
      bytes.writeUInt32LE(record.length, EventExec.argvOffset);
      bytes.writeUInt32LE(length, EventExec.argvLength);
      return bounded.onExec(toChunk(bytes), 0, bytes.length);
    };
    const lengths = (all: readonly TrackedProcess[]): number[] => all.map(({ argv }) => argv[0]?.length ?? 0);
    const all = [2, 3, 4, 5, 6].map((n) => onLongExec(n, 31_000));
    assert.deepEqual(lengths(all), [30_993, 30_993, 30_993, SHORT_BYTES - 6, SHORT_BYTES - 6]);
    assert.deepEqual([all[2]?.flags.includes('truncArgs'), all[3]?.flags], [false, `${all[2]?.flags} truncArgs`]);
    assert.ok((all[3]?.ownBytes ?? 0) < SHORT_BYTES + 1000);
    assert.equal(all[3]?.binary, `/bin/p${PID_BASE + 5}`);
    assert.deepEqual(lengths([onLongExec(7, SHORT_BYTES)]), [SHORT_BYTES - 7], 'short ones are always complete');
    assert.equal(bounded.shortenedArguments, 2);
  });

  it('the room of long arguments is free when nobody holds their process any more', async () => {
    const collect = findGc();
    const budget = new ArgumentBudget(10_000);
    budget.hold({}, 8000);
    assert.equal(budget.allow(8000), SHORT_BYTES);
    for (let i = 0; i < 20 && budget.allow(8000) < 8000; i++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(budget.allow(8000), 8000);
  });

  it('a chain of processes that fork and end stays short; running processes keep their parents', () => {
    const running = onExec(testProcessAt(2, 1), testProcessAt(1));
    let last = 2;
    for (let n = 3; n < 500; n++) {
      onFork(testProcessAt(n), testProcessAt(last));
      if (last > 2) onExit(testProcessAt(last));
      last = n;
    }
    const tracked = findForHook(testProcessAt(last));
    assert.ok(tracked.ancestors.length <= 64, `${tracked.ancestors.length}`);
    assert.equal(running.parentProcess?.pid, PID_BASE + 1);
  });

  it('a process that executes again knows its previous exec, and keeps its parent', () => {
    onFork(testProcessAt(2), testProcessAt(1));
    const first = onExec(testProcessAt(2, 1), testProcessAt(1));
    assert.deepEqual([first.formerProcess, first.formerExecId], [undefined, undefined]);
    const second = onExec({ ...testProcessAt(2, 2), time: 7n }, testProcessAt(1));
    assert.deepEqual([second.formerProcess, second.formerExecId, second.flags], [first, first.execId, 'execve']);
    assert.equal(second.parentProcess, first.parentProcess);
    const third = onExec({ ...testProcessAt(2, 3), time: 8n }, testProcessAt(1));
    assert.equal(third.formerProcess?.formerProcess, first);
    // A child of the second exec has no previous exec.
    onFork(testProcessAt(3), testProcessAt(2));
    assert.equal(findForHook(testProcessAt(3)).formerProcess, undefined);
  });

  it('retains a few previous execs, and of large ones only the last', () => {
    for (const [name, kept] of [
      ['/a', 8],
      [`/${'n'.repeat(40_000)}`, 2],
    ] as const) {
      let tracked: TrackedProcess | undefined;
      for (let n = 1; n < 50; n++)
        tracked = onExec({ ...testProcessAt(2, n), time: BigInt(n) }, testProcessAt(1), name);
      let count = 0;
      for (let at = tracked?.formerProcess; at !== undefined; at = at.formerProcess) count += 1;
      assert.equal(count, kept);
      assert.notEqual(tracked?.formerExecId, undefined);
    }
  });

  it('the tree of pid 1 of a pid namespace has its descendants, but not processes that enter the namespace', () => {
    const init = execRecord(testProcessAt(2, 1), testProcessAt(1));
    init.writeUInt16LE(ProcessFlag.PROCESS_NAMESPACE_INIT, EventExec.headerFlags);
    assert.ok(cache.onExec(toChunk(init), 0, init.readUInt32LE(0)).inInitTree);
    onFork(testProcessAt(3), testProcessAt(2));
    assert.ok(findForHook(testProcessAt(3)).inInitTree);
    onFork(testProcessAt(4), testProcessAt(3));
    assert.ok(onExec(testProcessAt(4, 1), testProcessAt(3)).inInitTree);
    assert.ok(onExec(testProcessAt(2, 2), testProcessAt(1)).inInitTree, 'the same process with another program');
    assert.ok(!onExec(testProcessAt(5, 1), testProcessAt(1)).inInitTree);
    const forked = forkRecord(testProcessAt(6), testProcessAt(1));
    forked.writeUInt16LE(ProcessFlag.PROCESS_NAMESPACE_INIT, EventFork.headerFlags);
    cache.onFork(toChunk(forked), 0);
    assert.ok(findForHook(testProcessAt(6)).inInitTree);
  });

  describe('special properties of an executable', () => {
    const ids = { uid: 1000, euid: 1000, gid: 1000, egid: 1000, secure: true, links: 1, permitted: 0n };
    const cases: readonly (readonly [title: string, record: Partial<typeof ids>, expected: object | undefined])[] = [
      ['nothing', { secure: false }, undefined],
      ['capabilities of the file', { permitted: 1n }, { privilegesRaised: ['fileCapabilities'] }],
      ['set-user-id to root', { euid: 0, permitted: 1n }, { setuid: 0, privilegesRaised: ['setuid'] }],
      ['set-user-id to a user', { euid: 7 }, { setuid: 7, privilegesRaised: [] }],
      ['set-group-id to root', { egid: 0 }, { setgid: 0, privilegesRaised: ['setgid'] }],
      ['other ids as before', { euid: 7, egid: 7, secure: false }, undefined],
      [
        'no name',
        { secure: false, links: 0 },
        { privilegesRaised: [], file: { inode: 5n, links: 0, path: `/bin/p${PID_BASE + 2}` } },
      ],
    ];
    for (const [title, fields, expected] of cases) {
      it(title, () => {
        const { uid, euid, gid, egid, secure, links, permitted } = { ...ids, ...fields };
        const bytes = execRecord(testProcessAt(2, 1), testProcessAt(1));
        bytes.writeUInt16LE(secure ? ProcessFlag.PROCESS_SECURE_EXEC : 0, EventExec.headerFlags);
        bytes.writeUInt32LE(uid, EventExec.credsUid);
        bytes.writeUInt32LE(euid, EventExec.credsEuid);
        bytes.writeUInt32LE(gid, EventExec.credsGid);
        bytes.writeUInt32LE(egid, EventExec.credsEgid);
        bytes.writeBigUInt64LE(permitted, EventExec.credsCapPermitted);
        bytes.writeBigUInt64LE(5n, EventExec.inode);
        bytes.writeUInt32LE(links, EventExec.links);
        assert.deepEqual(cache.onExec(toChunk(bytes), 0, bytes.readUInt32LE(0)).binaryProperties, expected);
      });
    }
  });

  it('finds running processes by process id, execs by exec id, and children, also of a previous exec', async () => {
    onFork(testProcessAt(2), testProcessAt(1));
    const child = onExec(testProcessAt(2, 1), testProcessAt(1));
    const parent = cache.findRunning(PID_BASE + 1) as TrackedProcess;
    assert.equal(cache.findRunning(PID_BASE + 2), child);
    assert.equal(cache.findByExecId(child.execId), child);
    assert.deepEqual(cache.listChildren(parent), [child]);
    const later = execRecord(testProcessAt(1, 1), testProcessAt(0));
    later.writeBigUInt64LE(77n, EventExec.headerTime);
    const next = cache.onExec(toChunk(later), 0, later.readUInt32LE(0));
    assert.equal(cache.findRunning(PID_BASE + 1), next);
    assert.equal(cache.findByExecId(parent.execId), parent, 'the image before the exec');
    assert.deepEqual(cache.listChildren(next), [child]);
    onExit(testProcessAt(2, 1));
    assert.equal(cache.findRunning(PID_BASE + 2), undefined);
    assert.equal(cache.findByExecId(child.execId), child);
    assert.deepEqual(cache.listChildren(next), []);
    onExec(testProcessAt(2, 1, 99_000_000_000n), testProcessAt(1, 1));
    assert.equal(cache.findByExecId(child.execId), undefined, 'another process has the id now');
    await cache.addFromProc(
      [60, 61, 62].map((n) => ({ pid: PID_BASE + n, parentPid: PID_BASE + Math.max(60, n - 1), startTicks: 5n })),
    );
    const [first, second] = [60, 61].map((n) => cache.findRunning(PID_BASE + n) as TrackedProcess);
    assert.deepEqual(
      cache.listChildren(first as TrackedProcess).map(({ pid }) => pid),
      [PID_BASE + 61],
      'known from /proc only, so that their start times are not exact',
    );
    assert.deepEqual(
      cache.listChildren(second as TrackedProcess).map(({ pid }) => pid),
      [PID_BASE + 62],
    );
  });

  it('the name of a process is not its binary, unless the process is a kernel thread', async () => {
    const entry = { parentPid: 0, startTicks: 5n };
    await cache.addFromProc([
      { ...entry, pid: PID_BASE + 71 },
      { ...entry, pid: PID_BASE + 72, isKernelThread: true },
    ]);
    const [gone, thread] = [71, 72].map((n) => cache.findRunning(PID_BASE + n) as TrackedProcess);
    assert.deepEqual([gone?.binary, gone?.binaryUntrusted], ['', true]);
    assert.equal(thread?.binaryUntrusted, false);
  });

  it('starts with entries of /proc, and the first record completes their start times', async () => {
    await cache.addFromProc([{ pid: PID_BASE + 50, parentPid: PID_BASE + 1, startTicks: 500n }]);
    const w = { pid: PID_BASE + 50, start: 5_000_123_456n, count: 7 };
    const tracked = findForHook(w);
    assert.match(tracked.flags, /^procFS/);
    assert.equal(tracked.parentProcess?.pid, PID_BASE + 1);
    assert.equal(findForHook(w), tracked);
    assert.notEqual(findForHook({ ...w, start: 5_000_123_457n }), tracked);
  });
});

/** A struct running_process. */
function listedProcess(pid: number, fields: Readonly<Record<string, number>> = {}): Buffer {
  const bytes = Buffer.alloc(Layout.sizeof);
  bytes.writeUInt32LE(pid, Layout.keyTgid);
  bytes.writeUInt32LE(pid, Layout.keyTid);
  bytes.writeBigUInt64LE(5_000_123_456n, Layout.keyStartTime);
  for (const [field, value] of Object.entries(fields)) bytes.writeUInt32LE(value, Layout[field as keyof typeof Layout]);
  return bytes;
}

describe('processes of the list of the kernel', () => {
  const texts = {
    executable: Buffer.from('/bin/a'),
    cwd: Buffer.from('/srv'),
    commandLine: Buffer.from('a\0b\0'),
    runsHostFile: true,
    hasHostRoot: false,
  };
  let cache: ProcessCache;
  /** The texts of processes that the list does not know; `paths` are the texts of the list. */
  const add = async (
    all: readonly Buffer[],
    { known = new Map<number, Partial<typeof texts>>(), checks = all.map(() => 0), paths = [] as string[] } = {},
  ): Promise<number> => {
    cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 0n) });
    const lengths = paths.map((path) => path.length);
    let reads = 0;
    await cache.addRunningProcesses({
      list: () =>
        Promise.resolve({
          records: Buffer.concat(all),
          texts: Buffer.from(paths.join('')),
          ends: Uint32Array.from(lengths, (_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length)),
          threads: Uint32Array.from(all, (one) => one.readUInt32LE(Layout.keyTid)),
          missing: new Uint8Array(all.length),
        }),
      readTexts: (threads) => {
        reads++;
        return Promise.resolve(
          [...threads].map((pid) => (known.has(pid) ? { ...texts, ...known.get(pid) } : undefined)),
        );
      },
      check: () => Promise.resolve(Uint8Array.from(checks)),
      listPids: () => Promise.resolve(Uint32Array.of(process.pid)),
    });
    return reads;
  };
  const all = (...pids: number[]): Map<number, Partial<typeof texts>> =>
    new Map(pids.map((pid) => [PID_BASE + pid, {}]));
  const find = (n: number): TrackedProcess => cache.findRunning(PID_BASE + n) as TrackedProcess;

  it('have the fields of the kernel, and the texts of /proc', async () => {
    const fields = { credsUid: 1000, auid: 7, nsNet: 4026531840, cgroupId: 9, credsCapEffective: 5, keyExecCount: 3 };
    await add(
      [
        listedProcess(PID_BASE + 2, { keyStartTime: 0, flags: RunningFlag.RUNNING_KERNEL_THREAD }),
        listedProcess(PID_BASE + 1, { ...fields, parentTgid: PID_BASE + 2 }),
      ],
      { known: all(1, 2) },
    );
    const { uid, auid, namespaces, cgroupId, capabilities, execCount, parentProcess, ...rest } = find(1);
    assert.deepEqual(
      [uid, auid, namespaces.net, cgroupId, capabilities.effective, execCount],
      [1000, 7, 4026531840, 9n, 5n, 3],
    );
    assert.equal(parentProcess, find(2));
    assert.deepEqual([find(1).binary, find(1).cwd, find(1).argv, find(1).flags], ['/bin/a', '/srv', ['b'], 'procFS']);
    assert.deepEqual([find(2).binary, find(2).executable, find(2).binaryUntrusted], ['/bin/a', '', false]);
    assert.equal(rest.startLow, 5_000_123_456 % 2 ** 32);
    // as with a start from /proc, which is rounded
    assert.equal(find(1).bootTimeNs, 5_000_000_000n);
  });

  it('have the paths of the list, and only the command line of /proc', async () => {
    const only = { executable: Buffer.alloc(0), cwd: Buffer.alloc(0), runsHostFile: false };
    const removed = { ...only, hasHostRoot: true };
    const numbers = [1, 2, 3].map((n) =>
      listedProcess(PID_BASE + n, { executable: n, cwd: 4, nsMnt: hostNamespaces().mnt[0] as number }),
    );
    await add(numbers, {
      known: new Map([[PID_BASE + 1, only], [PID_BASE + 2, removed]]), // prettier-ignore
      checks: [2, 0, 2],
      paths: ['/bin/a', '/bin/b (deleted)', '/bin/c', '/srv'],
    });
    const describeProcess = ({ binary, executable, cwd, argv, flags, binaryUntrusted }: TrackedProcess): unknown => [binary, executable, cwd, argv, flags, binaryUntrusted]; // prettier-ignore
    assert.deepEqual([1, 2, 3].map((n) => describeProcess(find(n))), [
      ['/bin/a', '/bin/a', '/srv', ['b'], 'procFS', false],
      ['/bin/b', '/bin/b', '/srv', ['b'], 'procFS', false],
      // no answer in time: what the list has is still known
      ['/bin/c', '/bin/c', '/srv', [], 'procFS errorArgs', true],
    ]); // prettier-ignore
  });

  it('are untrusted if they are forged, or do not run the file of the host', async () => {
    const numbers = [1, 2, 3, 4, 5];
    await add(numbers.map((n) => listedProcess(PID_BASE + n, { executable: n === 1 ? 0 : 1 })), {
      known: all(...numbers),
      checks: [0, 2, 3, 1],
      paths: ['/bin/b'],
    }); // prettier-ignore
    // of the first one, the executable was read from /proc, and all of them were read as a file of the host
    assert.deepEqual(
      numbers.map((n) => find(n).binaryUntrusted),
      [false, false, true, true, true],
    );
    await add([listedProcess(PID_BASE + 1, { executable: 1 })], {
      known: new Map([[PID_BASE + 1, { runsHostFile: false }]]),
      paths: ['/bin/b'],
    });
    assert.equal(find(1).binaryUntrusted, true);
  });

  it('are read in parts, and those that only /proc shows are added', async () => {
    const numbers = Array.from({ length: 300 }, (_, i) => i);
    assert.equal(await add(numbers.map((n) => listedProcess(PID_BASE + n)), { known: all(...numbers) }), 10); // prettier-ignore
    assert.ok(numbers.every((n) => find(n).binary === '/bin/a'));
    assert.equal(cache.findRunning(process.pid)?.executable, process.execPath);
  });

  it('without an answer in time have neither a path nor arguments, if the list has none', async () => {
    await add([listedProcess(PID_BASE + 1)]);
    const { binary, argv, binaryUntrusted, flags } = find(1);
    assert.deepEqual([binary, argv, binaryUntrusted, flags], ['', [], true, 'procFS errorFilename']);
  });

  it('a failure of a read is that of all', async () => {
    cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 0n) });
    const fail = (): Promise<never> => Promise.reject(new Error('no memory'));
    const list = { records: listedProcess(1), texts: Buffer.alloc(0), ends: new Uint32Array(), threads: Uint32Array.of(1), missing: new Uint8Array(1) }; // prettier-ignore
    const source = { list: () => Promise.resolve(list), readTexts: fail, check: fail, listPids: fail };
    await assert.rejects(cache.addRunningProcesses(source), /no memory/);
  });
});

describe('processes from /proc', () => {
  const own = { pid: process.pid, parentPid: 0, startTicks: 1n };
  const facts = { commandLine: Buffer.from('node\0a\0'), runsHostFile: true };
  const findOwn = async (answer: typeof facts | undefined): Promise<TrackedProcess> => {
    const cache = new ProcessCache({
      nodeName: 'n',
      clock: new Clock(() => 0n),
      readFacts: () => Promise.resolve(answer),
    });
    await cache.addFromProc(Array.from({ length: 100 }, (_, i) => ({ ...own, pid: PID_BASE + i })).concat(own));
    return cache.findRunning(process.pid) as TrackedProcess;
  };

  it('have the arguments and the file that were read for them', async () => {
    const { argv, binaryUntrusted, flags, executable } = await findOwn(facts);
    assert.deepEqual([argv, binaryUntrusted, flags, executable], [['a'], false, 'procFS', process.execPath]);
    assert.equal((await findOwn({ ...facts, runsHostFile: false })).binaryUntrusted, true);
  });

  it('without an answer in time, they are not trusted, and their arguments are incomplete', async () => {
    const { argv, binaryUntrusted, flags, executable } = await findOwn(undefined);
    assert.deepEqual([argv, binaryUntrusted, flags, executable], [[], true, 'procFS errorArgs', process.execPath]);
  });

  it('without memory for the answer, the same, and no rejection stays unhandled', async () => {
    const readFacts = (): Promise<never> => Promise.reject(new Error('no memory'));
    const cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 0n), readFacts });
    await cache.addFromProc([own]);
    assert.equal(cache.findRunning(process.pid)?.flags, 'procFS errorArgs');
  });
});

describe('strings of processes', () => {
  it('argv without argv[0]', () => {
    assert.deepEqual(splitArgv('a\0'), []);
    assert.deepEqual(splitArgv(''), []);
    assert.deepEqual(splitArgv('a\0b c\0\0d\0'), ['b c', '', 'd']);
    assert.deepEqual(splitArgv('a\0\0'), ['']);
    assert.deepEqual(splitArgv('a\0cut'), ['cut']);
  });
  it('arguments are joined without argv, when none needs quotes', () => {
    const parts = ['a', 'b', ' ', '\0', '\t', 'ä', '\udcff'];
    for (let number = 0; number < parts.length ** 5; number++) {
      let area = '';
      for (let rest = number; rest > 0; rest = Math.floor(rest / parts.length)) area += parts[rest % parts.length];
      assert.equal(joinArea(area), joinArguments(splitArgv(area)), JSON.stringify(area));
    }
  });
  it('arguments', () => assert.equal(joinArguments(['a', 'b c', '', '\t']), 'a "b c" "" "\t"'));
  it('times', () => assert.equal(formatTime(1_700_000_000_000_000_001n), '2023-11-14T22:13:20.000000001Z'));
  it('jitter between two clocks does not change a time; setting the clock does', () => {
    let offset = 1000n;
    const clock = new Clock(() => offset);
    offset = 900n;
    clock.refresh();
    assert.equal(clock.toEpoch(5n), 1005n);
    offset = 5_000_000_000n;
    clock.refresh();
    assert.equal(clock.toEpoch(5n), 5_000_000_005n);
  });
});
