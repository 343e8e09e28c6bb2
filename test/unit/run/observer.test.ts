/** What a run makes of calls whose folder is a descriptor: with which folder a name belongs together. */
import assert from 'node:assert/strict';
import { AT_FDCWD, PAIR_AT_CALLS, PATH_AT_CALLS } from '../../../lib/run/observed-calls.js';
import { Observer } from '../../../lib/run/observer.js';
import { HOOK, POLICY_NAME } from '../../../lib/run/policy.js';
import type { FileArgument, HookArgument, TracerEvent } from '../../../types/index.js';
import { fileArgument, intArgument, stringArgument } from '../output/arguments.js';
import { plainProcess } from '../output/events.js';

const PLACES = { folder: '/work', home: '/root', temporary: '/tmp', caches: [] };
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
