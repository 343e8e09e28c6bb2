/** What a run makes of calls whose folder is a descriptor: with which folder a name belongs together. */
import assert from 'node:assert/strict';
import { AT_FDCWD, OPEN_CALLS, PAIR_AT_CALLS, PATH_AT_CALLS } from '../../../lib/run/observed-calls.js';
import { Observer, type ObserverOptions } from '../../../lib/run/observer.js';
import { HOOK, POLICY_NAME } from '../../../lib/run/policy.js';
import type { FileArgument, HookArgument, TracerEvent } from '../../../types/index.js';
import { fileArgument, intArgument, stringArgument } from '../output/arguments.js';
import { plainProcess } from '../output/events.js';

const PLACES = { folder: '/work', home: '/root', temporary: '/tmp', caches: [] };
type Nobody = Pick<ObserverOptions, 'ancestors' | 'findProcess'>;
const WORKING = fileArgument('/work');
/** A descriptor of a file without a path, or of one that was closed before the kernel could read it, has an empty path. */
const folder = (fd: number, path = ''): FileArgument => fileArgument(path, 0, { type: 'fd', fd });
const number = (value: number): HookArgument => intArgument(value, 0);
const name = (text: string): HookArgument => stringArgument(text, 0);

function facts(message: string, args: readonly HookArgument[]): string[] {
  const own = { packageFiles: [], cargoPackage: undefined };
  const nobody = { ancestors: () => [], findProcess: () => undefined };
  const observer = new Observer({ places: PLACES, pid: 1, everywhere: false, own, ...nobody });
  const event = { type: 'process_tracepoint', policyName: POLICY_NAME, message, args, process: plainProcess() };
  observer.add(event as unknown as TracerEvent);
  return observer.behaviors.sorted().map(({ subject }) => subject);
}

const rename = (one: FileArgument, two: FileArgument): string[] =>
  facts(HOOK.pairAt, [number(PAIR_AT_CALLS.renameat2), number(0), one, name('a'), two, name('b'), WORKING]);
const remove = (at: FileArgument): string[] => {
  const first = [number(PATH_AT_CALLS.unlinkat), number(0), number(at.fd ?? 0), at, name('a')];
  return facts(HOOK.pathAt, [...first, number(0), name(''), WORKING]);
};

/**
 * Process 8 opens the memory of process 7, between these events. Returns what the run says about it. The command of the run
 * is process 1.
 */
function seesMemory(before: readonly object[], after: readonly object[]): string[] {
  const own = { packageFiles: [], cargoPackage: undefined };
  // the tracer has read ahead: nobody runs any more
  const nobody = { ancestors: () => [plainProcess({ pid: 1 })], findProcess: () => undefined } as unknown as Nobody;
  const observer = new Observer({ places: PLACES, pid: 1, everywhere: false, own, ...nobody });
  const file = fileArgument('/proc/7/mem', 0, { type: 'fd', fd: 3, permission: '-rw-------' });
  const args = [number(OPEN_CALLS.openat), file, number(0), number(0)];
  const process = plainProcess({ pid: 8, execId: 'reader', binary: '/usr/bin/attack' });
  const open = { type: 'process_tracepoint', policyName: POLICY_NAME, message: HOOK.open, args, process };
  for (const event of [...before, open, ...after]) observer.add(event as unknown as TracerEvent);
  return observer.behaviors
    .sorted()
    .filter(({ kind }) => kind === 'memory')
    .map(({ subject }) => subject);
}

describe('a process whose memory another one reads', () => {
  const process = plainProcess({ pid: 7, execId: 'node', binary: '/usr/bin/node' });
  const exec = { type: 'process_exec', process };
  const exit = { type: 'process_exit', process };

  it('has the name that it had then, although its exit was read in the same batch', () => {
    assert.deepEqual(seesMemory([exec], [exit]), ['read /proc/7/mem of /usr/bin/node']);
  });

  it('is unknown after its exit, and after events were lost, since its exit may be among them', () => {
    const unknown = ['read /proc/7/mem of unknown outside of the run'];
    assert.deepEqual(seesMemory([exec, exit], []), unknown);
    assert.deepEqual(seesMemory([exec, { type: 'lost', count: 1 }], []), unknown);
  });
});

describe('calls with a descriptor of a folder', () => {
  it('names belong to the folder of their descriptor, or to the working folder', () => {
    assert.deepEqual(rename(folder(AT_FDCWD), folder(5, '/etc')), ['/work/a → /etc/b']);
    assert.deepEqual(rename(folder(4, '/etc'), folder(AT_FDCWD)), ['/etc/a → /work/b']);
    assert.deepEqual(rename(folder(AT_FDCWD), folder(AT_FDCWD)), []);
    assert.deepEqual(remove(folder(4, '/etc')), ['/etc/a']);
    assert.deepEqual(remove(folder(AT_FDCWD)), []);
  });

  it('a descriptor without a path is not the working folder: what is unknown is reported', () => {
    assert.deepEqual(rename(folder(4), folder(AT_FDCWD)), ['(unknown) → /work/b']);
    assert.deepEqual(rename(folder(AT_FDCWD), folder(5)), ['/work/a → (unknown)']);
    assert.deepEqual(remove(folder(4)), ['(unknown)']);
  });
});
