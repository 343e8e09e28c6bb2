/** A hook with the negative cache of paths reports the same as a reference hook without it; see bpf/negative_cache.bpf.h. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { negativeCache } from '../../lib/attach/negative-cache.js';
import type { ProcessKprobeEvent } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { copyProgram, argumentValue, fileHook, kernel, kprobeEvents, kprobePolicy, Recording } from './support.js';

const PROGRAM = '/tmp/negative-cache';
const OVERLAY_PROGRAM = '/tmp/negative-cache-overlay';
const NAMES_PROGRAM = '/tmp/negative-cache-names';
const MOUNTS_PROGRAM = '/tmp/negative-cache-mounts';
const RACE_SECONDS = NIGHTLY ? 60 : 5;
const { findLocks } = negativeCache;

const onlyProgram = `  matchBinaries:
  - operator: In
    values: ["${PROGRAM}", "${OVERLAY_PROGRAM}", "${NAMES_PROGRAM}", "${MOUNTS_PROGRAM}"]`;

const selector = (operator: string, ...values: readonly string[]): string => `- matchArgs:
  - index: 0
    operator: ${operator}
    values: ${JSON.stringify(values)}
${onlyProgram}`;

const prefixSelector = (...prefixes: readonly string[]): string => selector('Prefix', ...prefixes);

/**
 * With a substring among the values, only single paths are cached. Otherwise, whole folders are. In a group, policies come
 * and go beside the hook.
 */
type Cached = 'paths' | 'folders' | 'folders of a group';
const watchedSelectors = (cached: Cached, ...prefixes: readonly string[]): string =>
  [prefixSelector(...prefixes), ...(cached === 'paths' ? [selector('SubString', '?')] : [])].join('\n');

const preadHook = (selectors: string): string => `call: sys_pread64
syscall: true
args:
- index: 0
  type: fd
- index: 3
  type: uint64
selectors:
${selectors}`;

/** Paths enter the cache again at once after a change. */
const withoutHold: typeof findLocks = (context) => {
  const locks = findLocks(context);
  return locks === undefined ? undefined : { ...locks, holdTicks: 0 };
};

/** Locks that are never taken: their sequence counts never change. */
const noLocks: typeof findLocks = (context) => {
  const locks = findLocks(context);
  const banner = context.binding.kernelSymbol('linux_banner');
  return locks === undefined ? undefined : { ...locks, rename: banner, mount: banner, holdTicks: 0 };
};

interface Reports {
  readonly cached: readonly ProcessKprobeEvent[];
  readonly reference: readonly ProcessKprobeEvent[];
}

/** The events of both hooks. */
async function compareHooks(
  hook: string,
  attach: 'fentry' | 'kprobe',
  run: () => void | Promise<void>,
  locks: typeof findLocks = withoutHold,
  inGroup = false,
): Promise<Reports> {
  const recording = await Recording.open(undefined, { attach });
  try {
    negativeCache.findLocks = locks;
    await recording.tracer.addPolicy({ yaml: kprobePolicy('cached', hook) });
    if (inGroup) await addToGroup(recording, hook);
    negativeCache.findLocks = () => undefined;
    await recording.tracer.addPolicy({ yaml: kprobePolicy('reference', hook) });
    const events = await recording.eventsDuring(run);
    assert.deepEqual(
      events.filter(({ type }) => type === 'lost'),
      [],
    );
    const reportsBy = (name: string): ProcessKprobeEvent[] =>
      kprobeEvents(events).filter(({ policyName }) => policyName === name);
    return { cached: reportsBy('cached'), reference: reportsBy('reference') };
  } finally {
    negativeCache.findLocks = findLocks;
    await recording.close();
  }
}

/** Adds policies that match nothing, and removes some of them. */
async function addToGroup({ tracer }: Recording, hook: string): Promise<void> {
  const shape = hook.slice(0, hook.indexOf('selectors:'));
  const beside = [
    selector('Equal', '/nowhere/a', '/srv/nowhere'),
    selector('Postfix', '.nowhere', '/no', '/u/v'),
    selector('Prefix', '/nowhere/b'),
    // further filters, whose values lead to no rule
    selector('Prefix', '/nowhere/c').replace(
      'matchArgs:\n',
      'matchArgs:\n  - {index: 0, operator: NotPrefix, values: [/srv, /]}\n',
    ),
  ];
  for (const [i, each] of beside.entries()) {
    for (const name of [`beside-${i}`, `gone-${i}`])
      await tracer.addPolicy({ yaml: kprobePolicy(name, `${shape}selectors:\n${each}`) });
    await tracer.removePolicy(`gone-${i}`);
  }
  for (const policy of tracer.policies()) assert.equal(policy.hooks[0]?.grouped, true, policy.name);
}

function eventPath({ args: [file] }: ProcessKprobeEvent): string {
  return file !== undefined && 'path' in file ? file.path : '';
}

function eventOffset({ args: [, offset] }: ProcessKprobeEvent): string {
  return String((argumentValue(offset) as number | bigint | undefined) ?? '');
}

const compareOnOverlay = (cached: Cached, folder: string, locks = withoutHold, ...args: string[]): Promise<Reports> => {
  const hook = fileHook(watchedSelectors(cached, join(folder, 'watched'), '/watched'));
  execFileSync('modprobe', ['overlay']);
  const run = (): void => void execFileSync(OVERLAY_PROGRAM, args, { stdio: 'inherit' });
  return compareHooks(hook, 'fentry', run, locks, cached === 'folders of a group');
};

const compareAfterChanges = (
  cached: Cached,
  folder: string,
  attach: 'fentry' | 'kprobe',
  locks = withoutHold,
  ...settled: string[]
): Promise<Reports> => {
  mkdirSync(folder);
  const hook = fileHook(watchedSelectors(cached, join(folder, 'watched'), '/watched'));
  const run = (): void => void execFileSync(PROGRAM, [folder, ...settled], { stdio: 'inherit' });
  return compareHooks(hook, attach, run, locks, cached === 'folders of a group');
};

function mountExt4(place: string): void {
  execFileSync('modprobe', ['-a', 'loop', 'ext4']);
  writeFileSync('/tmp/ext4.image', '');
  truncateSync('/tmp/ext4.image', 32 << 20);
  execFileSync('mkfs.ext4', ['-q', '/tmp/ext4.image']);
  mkdirSync(place);
  execFileSync('mount', ['-o', 'loop', '/tmp/ext4.image', place]);
}

function mountOverlay(place: string): void {
  const layers = ['lower', 'upper', 'work'].map((name) => `${place}.layers/${name}`);
  for (const layer of layers) mkdirSync(layer, { recursive: true });
  execFileSync('modprobe', ['overlay']);
  const [lower, upper, work] = layers;
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', place]);
}

function testNegativeCache(this: Mocha.Suite): void {
  this.timeout(NIGHTLY ? 600_000 : 480_000);

  before(() => {
    for (const program of [PROGRAM, OVERLAY_PROGRAM, NAMES_PROGRAM, MOUNTS_PROGRAM])
      copyProgram(basename(program), program);
  });
  after(() => Recording.closeCached());

  for (const [kind, attach] of [
    ['folders', 'fentry'],
    ['paths', 'kprobe'],
    ['folders of a group', 'fentry'],
    ['folders of a group', 'kprobe'],
  ] as const) {
    it(`after every change of a path on tmpfs, by ${attach}, with ${kind}`, async () => {
      const folder = `/srv/negative-cache-${attach}-${kind.replaceAll(' ', '-')}`;
      const { cached, reference } = await compareAfterChanges(kind, folder, attach);
      assert.ok(reference.length > 500, `only ${reference.length} events`);
      assert.deepEqual(cached.map(eventPath), reference.map(eventPath));
    });
  }

  it('after every change of a path on ext4', async () => {
    mountExt4('/srv/ext4');
    const { cached, reference } = await compareAfterChanges(
      'folders',
      '/srv/ext4/negative-cache',
      'fentry',
      withoutHold,
      'stable',
    );
    assert.ok(reference.length > 500, `only ${reference.length} events`);
    assert.deepEqual(cached.map(eventPath), reference.map(eventPath));
  });

  for (const [kind, folder, ...stable] of [
    ['folders', '/srv/overlay'],
    ['paths', '/srv/ext4/overlay', 'stable'],
    ['folders of a group', '/srv/overlay-group'],
  ] as const) {
    it(`after every change of a path or a layer on overlayfs, with ${kind}: ${folder}`, async () => {
      const { cached, reference } = await compareOnOverlay(kind, folder, withoutHold, folder, ...stable);
      assert.ok(reference.length > 500, `only ${reference.length} events`);
      assert.deepEqual(cached.map(eventPath), reference.map(eventPath));
    });

    it(`this test fails where changes are not noticed: ${folder}`, async () => {
      const { cached, reference } = await compareOnOverlay(
        kind,
        `${folder}-wrong`,
        noLocks,
        `${folder}-wrong`,
        ...stable,
      );
      const count = (events: readonly ProcessKprobeEvent[]): number =>
        events.filter((event) => eventPath(event).startsWith(folder)).length;
      assert.ok(count(cached) < count(reference), `${count(cached)} of ${count(reference)} events`);
    });
  }

  it('an overlay of a user namespace is not cached: its owner may change the layers', async () => {
    const folder = '/srv/overlay-user';
    const { cached, reference } = await compareOnOverlay('folders', folder, noLocks, '--user', folder);
    const paths = (events: readonly ProcessKprobeEvent[]): string[] =>
      events.map(eventPath).filter((path) => path.startsWith(folder));
    assert.ok(paths(reference).length > 4, `only ${paths(reference).length} events`);
    assert.deepEqual(paths(cached), paths(reference));
  });

  for (const [kind, folder, ...stableReads] of [
    ['folders', '/srv/negative-cache-wrong'],
    ['paths', '/srv/ext4/negative-cache-wrong', 'stable'],
    ['folders of a group', '/srv/negative-cache-group-wrong'],
  ] as const) {
    it(`these tests fail where changes are not noticed, with ${kind}: ${folder}`, async () => {
      const { cached, reference } = await compareAfterChanges(kind, folder, 'fentry', noLocks, ...stableReads);
      assert.ok(cached.length < reference.length, `${cached.length} of ${reference.length} events`);
    });
  }

  const compareMounts = (folder: string, locks: typeof findLocks, inGroup: boolean): Promise<Reports> => {
    mkdirSync(folder);
    const selectors = [
      selector('Prefix', join(folder, 'watched'), '/watched', '/sys/kernel/host'),
      selector('Equal', join(folder, 'values/sys/kernel/hostname')),
      selector('Postfix', '/osrelease'),
    ].join('\n');
    const run = (): void => void execFileSync(MOUNTS_PROGRAM, [folder], { stdio: 'inherit' });
    return compareHooks(fileHook(selectors), 'fentry', run, locks, inGroup);
  };

  for (const inGroup of [false, true]) {
    const suffix = inGroup ? ', in a group' : '';
    const folder = `/srv/mounts${inGroup ? '-group' : ''}`;
    it(`whole mounts of procfs, sysfs and cgroup2, after every change of a path${suffix}`, async () => {
      const { cached, reference } = await compareMounts(folder, withoutHold, inGroup);
      assert.ok(reference.length > 500, `only ${reference.length} events`);
      assert.deepEqual(cached.map(eventPath), reference.map(eventPath));
    });

    it(`whole mounts: this test fails where changes are not noticed${suffix}`, async () => {
      const { cached, reference } = await compareMounts(`${folder}-wrong`, noLocks, inGroup);
      // files that are in no folder that was read before: only the entry of the mount silences them
      const inNewFolders = (events: readonly ProcessKprobeEvent[]): number =>
        events.filter((event) => eventPath(event).endsWith('/watched/m/sys/fs/file-nr')).length;
      assert.equal(inNewFolders(reference), 3);
      assert.equal(inNewFolders(cached), 0);
    });
  }

  const namesFolder = '/srv/names';
  const namesHooks: Readonly<Record<string, string>> = {
    'values that need a match': [
      selector('Prefix', '/watched', ...['watched', 'values/pre'].map((name) => join(namesFolder, name))),
      selector('Postfix', '.secret', '/x', 'X-STREAM'),
      selector(
        'Equal',
        'memfd:known',
        '[eventfd]',
        '/x',
        ...['values/file', 'plain/y/x'].map((name) => join(namesFolder, name)),
      ),
    ].join('\n'),
    'paths alone': selector('Prefix', '/watched', join(namesFolder, 'watched')),
    'pipes and paths': [
      selector('Equal', '/watched', ''),
      selector('Prefix', '/watched', join(namesFolder, 'watched')),
    ].join('\n'),
    'all but pipes': selector('NotEqual', ''),
    'paths and long names': [
      selector('Prefix', join(namesFolder, 'values/long-0123456789-0123456789-0123456789.')),
      selector('Equal', `${namesFolder}/plain/long-0123456789-0123456789-0123456789`, ''),
    ].join('\n'),
    'values that exclude': selector(
      'NotPrefix',
      `${namesFolder}/plain`,
      '/proc',
      '/sys',
      '/usr',
      '/lib',
      '/y',
      '/long',
      '/dev',
    ),
    // six bytes are hashed: names of five are compared with the slash before them, and shorter ones by their length
    'names and their folders': selector('Postfix', 'plain/x', 'values/file', '/files'),
    'names and their folders that exclude': selector('NotPostfix', 'plain/x', 'values/file', '/files'),
    'names that exclude': selector('NotPostfix', 'e', 's', 'l', 'x', 'd', '9', 't'),
  };

  const both = Object.entries(namesHooks).flatMap(([what, selectors]) => {
    const canBeInGroup = !/Not(Equal|Prefix|Postfix)/.test(selectors);
    return (canBeInGroup ? [false, true] : [false]).map((inGroup) => ({ what, selectors, inGroup }));
  });
  for (const { what, selectors, inGroup } of both) {
    it(`names without a path, and whole folders${inGroup ? ', in a group' : ''}: ${what}`, async () => {
      rmSync(namesFolder, { recursive: true, force: true });
      mkdirSync(namesFolder);
      const run = (): void => void execFileSync(NAMES_PROGRAM, [namesFolder], { stdio: 'inherit' });
      const { cached, reference } = await compareHooks(fileHook(selectors), 'fentry', run, withoutHold, inGroup);
      assert.ok(reference.length > 20, `only ${reference.length} events`);
      assert.deepEqual(cached.map(eventPath), reference.map(eventPath));
    });
  }

  for (const folder of ['/srv/race', '/srv/race-overlay']) {
    it(`two processors: one renames, the other one reads, for ${RACE_SECONDS} s: ${folder}`, () =>
      compareRace('race', folder, prefixSelector(join(folder, 'watched'))));
  }

  for (const kind of ['folders', 'paths'] as const) {
    const folder = `/srv/swap-${kind}`;
    it(`two processors: one changes the file of a descriptor, and mounts, for ${RACE_SECONDS} s, with ${kind}`, () =>
      compareRace('swap', folder, watchedSelectors(kind, join(folder, 'watched'))));
  }
}

/**
 * One processor changes the path of a file, or the file of a descriptor. Compares the events of the reads that the program
 * knows to be between two changes. During a change, both results are correct.
 */
async function compareRace(way: 'race' | 'swap', folder: string, selectors: string): Promise<void> {
  mkdirSync(folder);
  if (folder.endsWith('overlay')) mountOverlay(folder);
  for (const name of ['plain', 'watched']) mkdirSync(join(folder, name));
  let output = '';
  const { cached, reference } = await compareHooks(preadHook(selectors), 'fentry', async () => {
    const raced = await promisify(execFile)(PROGRAM, [way, folder, String(RACE_SECONDS)], { maxBuffer: 1 << 28 });
    output = raced.stdout;
  });
  const reads = output
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const stableReads = new Map(reads.map(([offset = '', isWatched]) => [offset, isWatched === '1']));
  const watched = reads.filter(([, isWatched]) => isWatched === '1').map(([offset]) => offset);
  assert.ok(
    watched.length > 100 && watched.length < stableReads.size,
    `${watched.length} of ${stableReads.size} reads`,
  );
  const stableOffsets = (events: readonly ProcessKprobeEvent[]): string[] =>
    events.map(eventOffset).filter((offset) => stableReads.has(offset));
  assert.deepEqual(stableOffsets(reference), watched);
  assert.deepEqual(stableOffsets(cached), watched);
}

// kernels before 6.2 have no negative cache
if (!['5.10', '6.1'].includes(kernel)) describe('the negative cache of paths', testNegativeCache);
