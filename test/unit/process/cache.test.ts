import assert from 'node:assert/strict';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock, formatTime } from '../../../lib/process/clock.js';
import { joinArguments, splitArgv, type ProcessImage } from '../../../lib/process/process.js';
import { Slab } from '../../../lib/wire/slab.js';
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
  const slab = (bytes: Buffer): Slab => Slab.of(bytes);
  const onExec = (w: Who, parent: Who, binary?: string): ProcessImage => {
    const bytes = exec(w, parent, binary);
    return cache.onExec(slab(bytes), 0, bytes.readUInt32LE(0));
  };
  const onFork = (w: Who, parent: Who): void => cache.onFork(slab(fork(w, parent)), 0);
  const onExit = (w: Who): ProcessImage | undefined => cache.onExit(slab(exit(w)), 0);
  const ofHook = (w: Who): ProcessImage => cache.ofHook(slab(hook(w, 8)), 0);

  it('fork, exec, exit', () => {
    onFork(who(2), who(1));
    const forked = ofHook(who(2));
    assert.equal(forked.flags, 'clone');
    assert.equal(forked.binary, `/bin/p${BASE + 1}`);
    const image = onExec(who(2, 1), who(1));
    assert.equal(image.flags, 'execve clone');
    assert.equal(image.parentImage?.pid, BASE + 1);
    assert.equal(onExit(who(2, 1)), image);
    assert.equal(ofHook(who(2, 1)), image, 'hooks still run after the exit record');
  });

  it('an exit that is reported twice counts once', () => {
    assert.ok(onExit(who(1)));
    assert.equal(onExit(who(1)), undefined);
  });

  it('a lost fork: the exec record names the parent', () => {
    const image = onExec(who(3, 1), who(1));
    assert.equal(image.parentImage?.pid, BASE + 1);
    assert.equal(image.flags, 'execve clone');
  });

  it('a lost exec: unknown, but its parent is known', () => {
    onFork(who(4), who(1));
    cache.onDrained(true);
    const image = onExit(who(4, 1));
    assert.equal(image?.flags, 'procFS unknown');
    assert.equal(image?.parentImage?.pid, BASE + 1);
  });

  it('a hook during an exec still belongs to the previous image', () => {
    onFork(who(5), who(1));
    const during = ofHook(who(5, 1));
    assert.equal(during.flags, 'clone');
    assert.equal(onExec(who(5, 1), who(1)).flags, 'execve clone');
    assert.notEqual(ofHook(who(5, 1)), during);
  });

  it('after a loss, the processes of the same block of records are doubtful; those of the next block are correct', () => {
    cache.onDrained(true);
    onFork(who(6), who(1));
    cache.onDrained(false);
    assert.equal(ofHook(who(6, 1)).flags, 'procFS unknown');
    onFork(who(7), who(1));
    assert.equal(ofHook(who(7, 1)).flags, 'clone');
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
    assert.equal(onExec(who(9, 1), who(8)).parentImage, undefined);
  });

  it('ended processes are kept for a while, then forgotten', () => {
    for (let n = 10; n < 20_010; n++) {
      onFork(who(n), who(1));
      onExit(who(n));
    }
    assert.ok(cache.size > 4096 && cache.size <= 2 * 4096 + 2, `${cache.size}`);
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
    assert.equal(running.parentImage?.pid, BASE + 1);
  });

  it('starts with entries of /proc, whose start times the first record completes', () => {
    cache.seed([{ pid: BASE + 50, parentPid: BASE + 1, startTicks: 500n }]);
    const w = { pid: BASE + 50, start: 5_000_123_456n, count: 7 };
    const image = ofHook(w);
    assert.match(image.flags, /^procFS/);
    assert.equal(image.parentImage?.pid, BASE + 1);
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
