import assert from 'node:assert/strict';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock, formatTime } from '../../../lib/process/clock.js';
import { isInHostPidNamespace } from '../../../lib/process/proc-files.js';
import { joinArguments, splitArgv, type TrackedProcess } from '../../../lib/process/process.js';
import { EventExec, EventFork, ProcessFlag } from '../../../lib/wire/layout.gen.js';
import { RecordChunk } from '../../../lib/wire/record-chunk.js';
import { exec, exit, fork, hook, type Who } from '../wire/records.js';

/** Process ids from here on are above the kernel's limit, so no process of this machine has them. */
const BASE = 10_000_000;
const who = (n: number, count = 0, start = BigInt(n) * 1_000_000_000n): Who => ({ pid: BASE + n, start, count });

describe('process cache', () => {
  let cache: ProcessCache;
  beforeEach(() => {
    cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 0n) });
    cache.onDrained(false);
    onExec(who(1), who(0));
  });
  const slab = (bytes: Buffer): RecordChunk => RecordChunk.from(bytes);
  const onExec = (w: Who, parent: Who, binary?: string): TrackedProcess => {
    const bytes = exec(w, parent, binary);
    return cache.onExec(slab(bytes), 0, bytes.readUInt32LE(0));
  };
  const onFork = (w: Who, parent: Who): void => cache.onFork(slab(fork(w, parent)), 0);
  const onExit = (w: Who): TrackedProcess | undefined => cache.onExit(slab(exit(w)), 0);
  const ofHook = (w: Who): TrackedProcess => cache.findForHook(slab(hook(w, 8)), 0);

  it('fork, exec, exit', () => {
    onFork(who(2), who(1));
    const forked = ofHook(who(2));
    assert.deepEqual([forked.flags, forked.forked], ['execve clone', true]);
    assert.equal(forked.binary, `/bin/p${BASE + 1}`);
    const image = onExec(who(2, 1), who(1));
    assert.deepEqual([image.flags, image.forked], ['execve clone', false]);
    assert.equal(image.parentProcess?.pid, BASE + 1);
    assert.equal(onExit(who(2, 1)), image);
    assert.equal(ofHook(who(2, 1)), image, 'hooks still run after the exit record');
  });

  it('an exit that is reported twice counts once', () => {
    assert.ok(onExit(who(1)));
    assert.equal(onExit(who(1)), undefined);
  });

  it('a lost fork: the exec record names the parent', () => {
    const image = onExec(who(3, 1), who(1));
    assert.equal(image.parentProcess?.pid, BASE + 1);
    assert.equal(image.flags, 'execve clone');
  });

  it('a lost exec: unknown, but its parent is known', () => {
    onFork(who(4), who(1));
    cache.onDrained(true);
    const image = onExit(who(4, 1));
    assert.equal(image?.flags, 'procFS unknown');
    assert.equal(image?.parentProcess?.pid, BASE + 1);
  });

  it('a hook during an exec still belongs to the previous image', () => {
    onFork(who(5), who(1));
    const during = ofHook(who(5, 1));
    assert.ok(during.forked);
    assert.ok(!onExec(who(5, 1), who(1)).forked);
    assert.notEqual(ofHook(who(5, 1)), during);
  });

  it('after a loss, the processes of the same block of records are doubtful; those of the next block are correct', () => {
    cache.onDrained(true);
    onFork(who(6), who(1));
    cache.onDrained(false);
    assert.equal(ofHook(who(6, 1)).flags, 'procFS unknown');
    onFork(who(7), who(1));
    assert.ok(ofHook(who(7, 1)).forked);
  });

  it('a reused process id is another process', () => {
    onFork(who(8), who(1));
    const old = onExec(who(8, 1), who(1));
    const again = { ...who(8, 1), start: 99_000_000_000n };
    const image = onExec(again, who(1));
    assert.notEqual(image.execId, old.execId);
    assert.equal(ofHook(again), image);
    const third = { ...who(8, 1), start: 123_000_000_000n };
    assert.equal(ofHook(third).flags, 'procFS unknown');
    // A child of the old process is not a child of the new one.
    assert.equal(onExec(who(9, 1), who(8)).parentProcess, undefined);
  });

  it('ended processes are kept for a while, then forgotten', () => {
    for (let n = 10; n < 20_010; n++) {
      onFork(who(n), who(1));
      onExit(who(n));
    }
    assert.ok(cache.size > 4096 && cache.size <= 2 * 4096 + 2, `${cache.size}`);
  });

  it('after lost exits, processes that no longer run have ended; those that begin meanwhile have not', async function () {
    if (!isInHostPidNamespace()) return this.skip();
    const running = onExec({ pid: process.pid, start: 1n, count: 1 }, who(1));
    const gone = Array.from({ length: 100_000 }, (_, n) => onExec(who(n + 10), who(1)));
    const swept = cache.sweepEnded();
    assert.equal(gone.at(-1)?.ended, false, 'it goes on while the event loop has its turns');
    const begun = onExec(who(3), who(1));
    await swept;
    assert.deepEqual([running.ended, gone.every(({ ended }) => ended), begun.ended], [false, true, false]);
    await cache.sweepEnded();
    assert.equal(begun.ended, true);
    assert.ok(cache.size < 10_000, `${cache.size}`);
  });

  it('ended processes with huge arguments are forgotten earlier: they use at most 16 MiB', () => {
    const name = `/${'n'.repeat(40_000)}`;
    for (let n = 10; n < 2010; n++) {
      onExec(who(n), who(1), name);
      onExit(who(n));
    }
    assert.ok(cache.size > 100 && cache.size * 40_000 <= 16 * 1024 * 1024 + 80_000, `${cache.size}`);
  });

  it('a chain of processes that fork and end stays short; running processes keep their parents', () => {
    const running = onExec(who(2, 1), who(1));
    let last = 2;
    for (let n = 3; n < 500; n++) {
      onFork(who(n), who(last));
      if (last > 2) onExit(who(last));
      last = n;
    }
    const image = ofHook(who(last));
    assert.ok(image.ancestors.length <= 64, `${image.ancestors.length}`);
    assert.equal(running.parentProcess?.pid, BASE + 1);
  });

  it('a process that executes again knows its former image, and keeps its parent', () => {
    onFork(who(2), who(1));
    const first = onExec(who(2, 1), who(1));
    assert.deepEqual([first.formerProcess, first.formerExecId], [undefined, undefined]);
    const second = onExec({ ...who(2, 2), time: 7n }, who(1));
    assert.deepEqual([second.formerProcess, second.formerExecId, second.flags], [first, first.execId, 'execve']);
    assert.equal(second.parentProcess, first.parentProcess);
    const third = onExec({ ...who(2, 3), time: 8n }, who(1));
    assert.equal(third.formerProcess?.formerProcess, first);
    // A child of the second image has no former image.
    onFork(who(3), who(2));
    assert.equal(ofHook(who(3)).formerProcess, undefined);
  });

  it('of former images a few are kept, of large ones only the last', () => {
    for (const [name, kept] of [
      ['/a', 8],
      [`/${'n'.repeat(40_000)}`, 2],
    ] as const) {
      let image: TrackedProcess | undefined;
      for (let n = 1; n < 50; n++) image = onExec({ ...who(2, n), time: BigInt(n) }, who(1), name);
      let count = 0;
      for (let at = image?.formerProcess; at !== undefined; at = at.formerProcess) count += 1;
      assert.equal(count, kept);
      assert.notEqual(image?.formerExecId, undefined);
    }
  });

  it('the tree of pid 1 of a pid namespace: its descendants by fork and exec, not who enters it', () => {
    const init = exec(who(2, 1), who(1));
    init.writeUInt16LE(ProcessFlag.PROCESS_NAMESPACE_INIT, EventExec.headerFlags);
    assert.ok(cache.onExec(slab(init), 0, init.readUInt32LE(0)).inInitTree);
    onFork(who(3), who(2));
    assert.ok(ofHook(who(3)).inInitTree);
    onFork(who(4), who(3));
    assert.ok(onExec(who(4, 1), who(3)).inInitTree);
    assert.ok(onExec(who(2, 2), who(1)).inInitTree, 'the same process with another program');
    assert.ok(!onExec(who(5, 1), who(1)).inInitTree);
    const forked = fork(who(6), who(1));
    forked.writeUInt16LE(ProcessFlag.PROCESS_NAMESPACE_INIT, EventFork.headerFlags);
    cache.onFork(slab(forked), 0);
    assert.ok(ofHook(who(6)).inInitTree);
  });

  describe('what is special about an executable', () => {
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
        { privilegesRaised: [], file: { inode: 5n, links: 0, path: `/bin/p${BASE + 2}` } },
      ],
    ];
    for (const [title, fields, expected] of cases) {
      it(title, () => {
        const { uid, euid, gid, egid, secure, links, permitted } = { ...ids, ...fields };
        const bytes = exec(who(2, 1), who(1));
        bytes.writeUInt16LE(secure ? ProcessFlag.PROCESS_SECURE_EXEC : 0, EventExec.headerFlags);
        bytes.writeUInt32LE(uid, EventExec.credsUid);
        bytes.writeUInt32LE(euid, EventExec.credsEuid);
        bytes.writeUInt32LE(gid, EventExec.credsGid);
        bytes.writeUInt32LE(egid, EventExec.credsEgid);
        bytes.writeBigUInt64LE(permitted, EventExec.credsCapPermitted);
        bytes.writeBigUInt64LE(5n, EventExec.inode);
        bytes.writeUInt32LE(links, EventExec.links);
        assert.deepEqual(cache.onExec(slab(bytes), 0, bytes.readUInt32LE(0)).binaryProperties, expected);
      });
    }
  });

  it('finds running processes by id, images by exec id, and children, also those of an earlier image', async () => {
    onFork(who(2), who(1));
    const child = onExec(who(2, 1), who(1));
    const parent = cache.findRunning(BASE + 1) as TrackedProcess;
    assert.equal(cache.findRunning(BASE + 2), child);
    assert.equal(cache.findByExecId(child.execId), child);
    assert.deepEqual(cache.listChildren(parent), [child]);
    const later = exec(who(1, 1), who(0));
    later.writeBigUInt64LE(77n, EventExec.headerTime);
    const next = cache.onExec(slab(later), 0, later.readUInt32LE(0));
    assert.equal(cache.findRunning(BASE + 1), next);
    assert.equal(cache.findByExecId(parent.execId), parent, 'the image before the exec');
    assert.deepEqual(cache.listChildren(next), [child]);
    onExit(who(2, 1));
    assert.equal(cache.findRunning(BASE + 2), undefined);
    assert.equal(cache.findByExecId(child.execId), child);
    assert.deepEqual(cache.listChildren(next), []);
    onExec(who(2, 1, 99_000_000_000n), who(1, 1));
    assert.equal(cache.findByExecId(child.execId), undefined, 'another process has the id now');
    await cache.addRunningProcesses(
      [60, 61, 62].map((n) => ({ pid: BASE + n, parentPid: BASE + Math.max(60, n - 1), startTicks: 5n })),
    );
    const [first, second] = [60, 61].map((n) => cache.findRunning(BASE + n) as TrackedProcess);
    assert.deepEqual(
      cache.listChildren(first as TrackedProcess).map(({ pid }) => pid),
      [BASE + 61],
      'known from /proc only, so that their start times are not exact',
    );
    assert.deepEqual(
      cache.listChildren(second as TrackedProcess).map(({ pid }) => pid),
      [BASE + 62],
    );
  });

  it('starts with entries of /proc, whose start times the first record completes', async () => {
    await cache.addRunningProcesses([{ pid: BASE + 50, parentPid: BASE + 1, startTicks: 500n }]);
    const w = { pid: BASE + 50, start: 5_000_123_456n, count: 7 };
    const image = ofHook(w);
    assert.match(image.flags, /^procFS/);
    assert.equal(image.parentProcess?.pid, BASE + 1);
    assert.equal(ofHook(w), image);
    assert.notEqual(ofHook({ ...w, start: 5_000_123_457n }), image);
  });
});

describe('texts of processes', () => {
  it('argv without argv[0]', () => {
    assert.deepEqual(splitArgv('a\0'), []);
    assert.deepEqual(splitArgv(''), []);
    assert.deepEqual(splitArgv('a\0b c\0\0d\0'), ['b c', '', 'd']);
    assert.deepEqual(splitArgv('a\0\0'), ['']);
    assert.deepEqual(splitArgv('a\0cut'), ['cut']);
  });
  it('arguments', () => assert.equal(joinArguments(['a', 'b c', '', '\t']), 'a "b c" "" "\t"'));
  it('times', () => assert.equal(formatTime(1_700_000_000_000_000_001n), '2023-11-14T22:13:20.000000001Z'));
  it('the jitter of reading two clocks does not change a time; setting the clock does', () => {
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
