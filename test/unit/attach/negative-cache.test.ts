/** The hooks that have a negative cache of paths. */
import assert from 'node:assert/strict';
import type { AttachContext } from '../../../lib/attach/request.js';
import { negativeCacheLocks } from '../../../lib/attach/negative-cache.js';
import type { CompiledHook, CompiledValue } from '../../../lib/compiled/compiled-policy.js';
import { compiledHook, compiledValue } from '../compiled-hooks.js';

const LOCKS = { rename: 0xffffffff81000000n, mount: 0xffffffff82000000n, memoryMount: 0n, cpus: 2, holdTicks: 25 };
const equal = { positive: [0], used: [0], entries: [{ value: '/etc/shadow', match: [0], reject: [] }] };
const hookWithFilter = (texts: Partial<CompiledValue['texts']>): CompiledHook =>
  compiledHook({ args: [compiledValue('file', { texts })] });

function attachContext(directRead: boolean, address: (name: string) => bigint, cachePaths = true): AttachContext {
  const features = { directRead: { available: directRead } };
  return { features, binding: { kernelSymbol: address }, cachePaths } as AttachContext;
}

const kernelAddress = (name: string): bigint =>
  name === 'rename_lock' ? LOCKS.rename : name === 'mount_lock' ? LOCKS.mount : 0n;

describe('negative cache of hooks', function () {
  before(function () {
    if (process.arch !== 'x64') this.skip();
  });

  it('hooks of kernel functions with a filter on a path use it', () => {
    for (const mechanism of ['fentry', 'kprobe', 'kprobe.multi']) {
      assert.deepEqual(
        negativeCacheLocks(hookWithFilter({ equal }), mechanism, attachContext(true, kernelAddress)),
        { locks: LOCKS, groupLocks: LOCKS },
        mechanism,
      );
    }
  });

  it('the program of a group uses it for each path', () => {
    const negativeCacheOf = (hook: CompiledHook): unknown =>
      negativeCacheLocks(hook, 'fentry', attachContext(true, kernelAddress));
    assert.deepEqual(negativeCacheOf(hookWithFilter({})), { locks: undefined, groupLocks: LOCKS });
    assert.deepEqual(negativeCacheOf(compiledHook({ args: [compiledValue('string', { texts: { equal } })] })), {});
  });

  it('other hooks do not, and no hook does where the kernel hides the address of a lock', () => {
    const assertNoLocks = (
      hook: CompiledHook,
      mechanism = 'fentry',
      context = attachContext(true, kernelAddress),
    ): void => {
      assert.equal(negativeCacheLocks(hook, mechanism, context).locks, undefined);
    };
    // Programs of these hooks may interrupt themselves.
    for (const mechanism of ['lsm', 'uprobe', 'usdt', 'raw_tracepoint', 'tracepoint'])
      assertNoLocks(hookWithFilter({ equal }), mechanism);
    assertNoLocks(hookWithFilter({}));
    assertNoLocks(hookWithFilter({ equal, inode: [0] }));
    assertNoLocks(compiledHook({ args: [compiledValue('string', { texts: { equal } })] }));
    assertNoLocks(hookWithFilter({ equal }), 'fentry', attachContext(false, kernelAddress));
    assertNoLocks(hookWithFilter({ equal }), 'fentry', attachContext(true, kernelAddress, false));
    assertNoLocks(
      hookWithFilter({ equal }),
      'fentry',
      attachContext(true, (name) => (name === 'mount_lock' ? 0n : kernelAddress(name))),
    );
  });
});
