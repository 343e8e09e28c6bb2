/** Groups of a tracer, with a session that only records what is asked of it. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { HookGroups, type GroupParts, type SeparateProgram } from '../../../lib/attach/hook-groups.js';
import type { NativeFeatures } from '../../../lib/native/features.js';
import type { Preemption } from '../../../lib/native/preemption.js';
import { GroupLimit, ScratchGuard } from '../../../lib/wire/layout.gen.js';
import type { CompiledHook } from '../../../lib/compiled/compiled-policy.js';
import { compiledHook, compiledValue, encodeContext } from '../compiled-hooks.js';

const KPROBE = { mechanism: 'kprobe', target: 'f', entry: true, return: false } as const;
const FENTRY = { mechanism: 'fentry', target: 'f', entry: true, return: false } as const;
const LSM = { mechanism: 'lsm', target: 'f', entry: true, return: false } as const;

/** A hook with one selector: Equal on the first argument. */
function onFile(value: string, selectors = 1, more: Partial<CompiledHook> = {}): CompiledHook {
  const all = Array.from({ length: selectors }, (_, i) => i);
  const equal = { positive: all, used: all, entries: [{ value, match: all, reject: [] }] };
  return compiledHook({ selectors, args: [compiledValue('file', { texts: { equal } })], ...more });
}

class Session {
  readonly calls: string[] = [];
  readonly moves = new Map<number, number>();
  /** Emits the name of each call. */
  readonly events = new EventEmitter();
  failing: string | undefined;
  hits = 5;
  #lastId = 100;

  readonly parts = (directRead = true, countHits = true, preemption: Partial<Preemption> = {}): GroupParts => ({
    session: {
      addHook: ({ id, object }) => this.#run([], 'addHook', id, object),
      removeHooks: (ids) => this.#run(undefined, 'removeHooks', ...ids),
      putHookEntries: (id, map) => this.#run(undefined, 'put', id, map),
      deleteHookEntries: (id, map) => this.#run(undefined, 'delete', id, map),
      waitForPrograms: () => this.#run(undefined, 'wait'),
      setMove: (id, move) => {
        if (move !== (this.moves.get(id) ?? 0)) this.#do('move', id, move);
        this.moves.set(id, move);
      },
      hookCounts: () => ({ matched: 0, suppressed: 0, enforced: 0, hits: this.hits }),
    },
    features: { directRead: { available: directRead }, tpBtf: { available: true } } as NativeFeatures,
    preemption: { model: 'voluntary', isPreemptible: false, suspendsTracepoints: false, ...preemption },
    optimize: true,
    countHits,
    allocateId: (name) => {
      this.#do('allocate', name);
      return ++this.#lastId;
    },
    releaseId: (id) => this.#do('release', id),
  });

  #run<T>(result: T, ...call: readonly (string | number)[]): Promise<T> {
    return new Promise((resolve) => {
      this.#do(...call);
      resolve(result);
    });
  }

  #do(...call: readonly (string | number)[]): void {
    this.calls.push(call.join(' '));
    setImmediate(() => this.events.emit(call.join(' ')));
    if (call[0] === this.failing || call.join(' ') === this.failing) throw new Error('no memory');
  }

  /** The calls since the last time. */
  take(): string[] {
    return this.calls.splice(0);
  }
}

const alone: SeparateProgram = { load: () => Promise.resolve([]), calls: undefined };

type Added = Parameters<HookGroups['attach']> extends [...infer Rest, unknown] ? Rest : never;

/** Resolves with false if the hook got a program of its own. */
async function add(groups: HookGroups, ...added: [...Added, calls?: readonly number[]]): Promise<boolean> {
  const [hook, attachment, encoding, calls] = added;
  let isGrouped = true;
  const load = (): Promise<readonly number[]> => {
    isGrouped = false;
    return Promise.resolve([]);
  };
  await groups.attach(hook, attachment, encoding, { load, calls });
  return isGrouped;
}

const context = (id: number, more = {}): ReturnType<typeof encodeContext> => encodeContext({ id, ...more });

/** A value that is too long for the hash table, so that the kernel needs memory for it. */
const IN_TRIE = `/${'b'.repeat(GroupLimit.GROUP_EQUAL_MAX)}`;

describe('groups of hooks', () => {
  let session: Session;
  let groups: HookGroups;
  beforeEach(() => {
    session = new Session();
    groups = new HookGroups(session.parts());
  });

  it('the first hook opens the group, the second joins it, and the last one closes it', async () => {
    assert.equal(await add(groups, onFile('/a'), FENTRY, context(1)), true);
    assert.deepEqual(session.take(), [
      'allocate f',
      'addHook 101 group_fentry_direct',
      'put 101 group_rules',
      'put 101 group_sets',
      'put 101 group_equal',
      'put 101 group_folders',
      'put 101 group_header',
      'put 101 group_header',
      'put 101 group_rules',
    ]);
    assert.equal(await add(groups, onFile('/b'), FENTRY, context(2)), true);
    assert.ok(!session.take().some((call) => call.startsWith('addHook')));
    const { group, hitsBefore, memory } = groups.membership(2) ?? {};
    assert.deepEqual([group, hitsBefore], [101, 5]);
    assert.ok((memory ?? 0) > 0);
    await groups.remove([1]);
    assert.deepEqual(session.take(), [
      'put 101 group_rules',
      'put 101 group_equal',
      'wait',
      'put 101 group_sets',
      'put 101 group_header',
    ]);
    assert.equal(groups.membership(1), undefined);
    await groups.remove([2, 3]);
    assert.deepEqual(session.take(), ['removeHooks 101', 'release 101']);
    assert.equal(groups.membership(2), undefined);
  });

  it('hooks that read other values, or elsewhere, are in other groups', async () => {
    const other = onFile('/a', 1, { data: [compiledValue('int')] });
    await add(groups, onFile('/a'), FENTRY, context(1));
    await add(groups, other, FENTRY, context(2));
    await add(groups, onFile('/a'), { ...FENTRY, target: 'g' }, context(3));
    await add(groups, onFile('/a'), { ...FENTRY, entry: false, return: true }, context(4));
    assert.deepEqual(
      [1, 2, 3, 4].map((id) => groups.membership(id)?.group),
      [101, 102, 103, 104],
    );
  });

  it('a full group is followed by another one; a hook that is too big has a program of its own', async () => {
    for (let id = 1; id <= 17; id++) assert.equal(await add(groups, onFile('/a', 64), FENTRY, context(id)), true);
    assert.deepEqual(
      [16, 17].map((id) => groups.membership(id)?.group),
      [101, 102],
    );
    session.take();
    assert.equal(await add(groups, onFile('/a', 1025), { ...FENTRY, target: 'g' }, context(20)), false);
    assert.match(groups.reason(20) ?? '', /more selectors or values/);
    assert.deepEqual(session.take(), [
      'allocate g',
      'addHook 103 group_fentry_direct',
      'removeHooks 103',
      'release 103',
    ]);
  });

  it('says why a hook has a program of its own', async () => {
    assert.equal(await add(groups, onFile('/a'), { ...FENTRY, mechanism: 'kprobe.multi' }, context(1)), false);
    assert.match(groups.reason(1) ?? '', /mechanism kprobe.multi/);
    assert.equal(await add(groups, onFile('/a'), FENTRY, context(2, { pair: true })), false);
    assert.match(groups.reason(2) ?? '', /entry and at the return/);
    assert.equal(await add(groups, onFile('/a'), FENTRY, context(3, { guard: ScratchGuard.GUARD_LEVELS })), false);
    assert.match(groups.reason(3) ?? '', /suspend/);
    const older = new HookGroups(session.parts(false));
    assert.equal(await add(older, onFile('/a'), FENTRY, context(4)), false);
    assert.match(older.reason(4) ?? '', /directly/);
    await groups.remove([1]);
    assert.equal(groups.reason(1), undefined);
  });

  it('if the kernel refuses the program of the group, the hook has its own', async () => {
    session.failing = 'addHook';
    assert.equal(await add(groups, onFile('/a'), FENTRY, context(1)), false);
    assert.match(groups.reason(1) ?? '', /cannot be attached: no memory/);
    assert.deepEqual(session.take(), ['allocate f', 'addHook 101 group_fentry_direct', 'release 101']);
  });

  it('without memory for entries, nothing of the hook remains', async () => {
    await add(groups, onFile('/a'), FENTRY, context(1));
    session.failing = 'put 101 group_prefix';
    assert.equal(await add(groups, onFile(IN_TRIE), FENTRY, context(2)), false);
    session.failing = undefined;
    assert.match(groups.reason(2) ?? '', /cannot be changed: no memory/);
    assert.equal(groups.membership(2), undefined);
    assert.equal(await add(groups, onFile('/b'), FENTRY, context(2)), true);
    assert.equal(groups.membership(2)?.group, 101);
  });

  it('a removal that fails continues with the next call', async () => {
    await add(groups, onFile('/a'), FENTRY, context(1));
    await add(groups, onFile('/b'), FENTRY, context(2));
    session.failing = 'wait';
    await assert.rejects(groups.remove([1]));
    assert.ok(groups.membership(1));
    session.failing = undefined;
    await groups.remove([1]);
    assert.equal(groups.membership(1), undefined);
  });

  describe('the first hook of its kind has a program of its own', () => {
    const RAW = { mechanism: 'raw_tracepoint', target: 'sys_enter', entry: true, return: false } as const;
    beforeEach(() => {
      groups = new HookGroups(session.parts(true, false));
    });

    /** Loads it as the tracer does. Returns true if its program can move. */
    async function addFirst(attachment: typeof FENTRY, hook = 1): Promise<boolean | undefined> {
      let moves: boolean | undefined;
      const load: SeparateProgram['load'] = ({ canMove }) => {
        moves = canMove;
        return Promise.resolve([]);
      };
      await groups.attach(onFile('/a'), attachment, context(hook), { load, calls: undefined });
      return moves;
    }

    it('moves into a group when the second one comes, in steps between which programs end', async () => {
      assert.equal(await addFirst(FENTRY), true);
      assert.deepEqual([session.take(), groups.membership(1), groups.reason(1)], [[], undefined, undefined]);
      const end = once(session.events, 'removeHooks 1');
      assert.equal(await add(groups, onFile('/b'), FENTRY, context(2)), true);
      await end;
      const calls = session.take();
      const steps = calls.filter((call) => !/^put 101 group_(sets|equal|folders|header)/.test(call));
      assert.deepEqual(steps, [
        'allocate f',
        'addHook 101 group_fentry_direct',
        // its own program looks for marks
        'move 1 2',
        'wait',
        // the group leaves marks
        'put 101 group_rules',
        'put 101 group_rules',
        // the new hook comes later, so that its events are the first of a call
        'put 101 group_rules',
        'put 101 group_rules',
        'wait',
        // its own program is silent, and no mark is needed
        'move 1 1',
        'put 101 group_rules',
        'removeHooks 1',
      ]);
      assert.deepEqual(
        [1, 2].map((id) => groups.membership(id)?.group),
        [101, 101],
      );
      await groups.remove([1, 2]);
      assert.equal(await addFirst(FENTRY), true);
    });

    it('one that replaces it has a program of its own, too', async () => {
      await addFirst(FENTRY);
      const replace = (): Promise<boolean | undefined> => addFirst(FENTRY, 2);
      assert.equal(await groups.replace([1], replace), true);
      await groups.remove([1]);
      assert.deepEqual([session.take(), groups.membership(2)], [[], undefined]);
      await assert.rejects(groups.replace([2], () => Promise.reject(new Error('refused'))));
      assert.equal(await add(groups, onFile('/b'), FENTRY, context(3)), true);
      assert.ok(groups.membership(2), 'the first one has moved');
    });

    it('two hooks that are loaded at the same time share a group', async () => {
      await Promise.all([1, 2, 3].map((id) => add(groups, onFile(`/${id}`), FENTRY, context(id))));
      assert.deepEqual(
        [1, 2, 3].map((id) => groups.membership(id)?.group),
        [101, 101, 101],
      );
    });

    it('a hook that selects system calls has a program of its own, until another one selects the same call', async () => {
      assert.equal(await add(groups, onFile('/a'), RAW, context(1), [257]), false);
      assert.match(groups.reason(1) ?? '', /only for the system calls/);
      assert.equal(await add(groups, onFile('/a'), RAW, context(2), [41, 42]), false);
      assert.equal(await add(groups, onFile('/a'), RAW, context(3), [42, 257]), false);
      assert.match(groups.reason(3) ?? '', /first one at its tracepoint/);
      assert.equal(await add(groups, onFile('/a'), RAW, context(4), [257]), true);
      // another tracepoint has its own table
      assert.equal(await add(groups, onFile('/a'), { ...RAW, target: 'sys_exit' }, context(5), [257]), false);
      await groups.remove([1]);
      assert.equal(await add(groups, onFile('/a'), RAW, context(6), [257]), false);
      assert.match(groups.reason(6) ?? '', /only for the system calls/);
    });

    it('a hook that cannot be loaded does not take its system calls', async () => {
      const load = (): Promise<never> => Promise.reject(new Error('no memory'));
      await assert.rejects(groups.attach(onFile('/a'), RAW, context(1), { load, calls: [257] }), /no memory/);
      assert.equal(await add(groups, onFile('/a'), RAW, context(2), [257]), false);
      assert.match(groups.reason(2) ?? '', /only for the system calls/);
    });

    it('at a tracepoint, the first one stays where it is; where programs are suspended, trampolines have no groups', async () => {
      groups = new HookGroups(session.parts(true, false, { isPreemptible: true }));
      assert.equal(await add(groups, onFile('/a'), RAW, context(1)), false);
      assert.match(groups.reason(1) ?? '', /first one at its tracepoint/);
      for (const id of [2, 3]) assert.equal(await add(groups, onFile('/a'), RAW, context(id)), true);
      assert.ok(!session.take().includes('removeHooks 1'));
      assert.equal(await add(groups, onFile('/a'), FENTRY, context(4)), false);
      assert.match(groups.reason(4) ?? '', /suspend/);
      // the kernel suspends no kprobe
      assert.equal(await add(groups, onFile('/a'), KPROBE, context(5)), false);
      assert.equal(await add(groups, onFile('/a'), KPROBE, context(6)), true);
      assert.equal(groups.membership(5)?.group, groups.membership(6)?.group);
    });

    it('unless it overrides: a call that the group overrides runs no further program', async () => {
      const overriding = onFile('/a', 1, { actions: [{ order: ['override', 'post'], override: -1 }] });
      for (const id of [2, 3])
        assert.equal(await add(groups, overriding, { ...FENTRY, overrides: true }, context(id)), true);
      assert.equal(await addFirst(FENTRY), true, 'another kind');
      for (const id of [5, 6]) assert.equal(await add(groups, overriding, LSM, context(id)), true);
      assert.equal(groups.membership(5)?.group, groups.membership(6)?.group);
      assert.equal(await add(groups, onFile('/a'), LSM, context(7)), false, 'one that only reports stays where it is');
      assert.match(groups.reason(7) ?? '', /first one at its LSM hook/);
      for (const id of [8, 9]) assert.equal(await add(groups, onFile('/a'), LSM, context(id)), true);
      assert.ok(!session.take().some((call) => call.startsWith('move')));
      assert.equal(await add(groups, overriding, KPROBE, context(4)), false);
      assert.match(groups.reason(4) ?? '', /kprobe that overrides/);
    });

    it('the selectors of a hook are enabled when no program can have missed the value of one', async () => {
      for (const id of [1, 2]) await add(groups, onFile('/a'), FENTRY, context(id));
      session.take();
      await add(groups, onFile('/b', 2), FENTRY, context(3));
      assert.deepEqual(session.take().slice(-3), ['put 101 group_header', 'wait', 'put 101 group_rules']);
    });

    it('a hook with a further filter is enabled when no program can have missed what that excludes', async () => {
      for (const id of [1, 2]) await add(groups, onFile('/a'), FENTRY, context(id));
      session.take();
      const equal = { positive: [0], used: [0], entries: [{ value: '/b', match: [0], reject: [] }] };
      const postfix = { positive: [], used: [0], entries: [{ value: '.c', match: [], reject: [0] }] };
      const hook = compiledHook({ selectors: 1, args: [compiledValue('file', { texts: { equal, postfix } })] });
      assert.equal(await add(groups, hook, FENTRY, context(3)), true);
      const calls = session.take();
      assert.deepEqual(calls.slice(-3), ['put 101 group_header', 'wait', 'put 101 group_rules']);
      assert.equal(calls.filter((call) => call === 'put 101 group_rules').length, 3, 'with the numbers of the filter');
    });

    it('if it has no room in the group, or the group cannot be loaded, both have their own', async () => {
      await groups.attach(onFile('/a', 1025), FENTRY, context(1), alone);
      assert.equal(await add(groups, onFile('/b'), FENTRY, context(2)), true);
      assert.deepEqual([groups.membership(1), groups.membership(2)?.group], [undefined, 101]);
      await groups.remove([1, 2]);
      await groups.attach(onFile(IN_TRIE), FENTRY, context(1), alone);
      session.failing = 'addHook';
      assert.equal(await add(groups, onFile('/b'), FENTRY, context(2)), false);
      assert.match(groups.reason(2) ?? '', /cannot be attached/);
      session.failing = 'put 103 group_prefix';
      assert.equal(await add(groups, onFile('/b'), FENTRY, context(3)), false);
      assert.equal(groups.membership(1), undefined);
      session.failing = undefined;
      assert.equal(await add(groups, onFile('/b'), FENTRY, context(4)), true);
      assert.ok(groups.membership(1));
    });

    it('if its own program cannot be detached, that happens when it is removed', async () => {
      await addFirst(FENTRY);
      session.failing = 'removeHooks 1';
      const end = once(session.events, 'removeHooks 1');
      assert.equal(await add(groups, onFile('/b'), FENTRY, context(2)), true);
      await end;
      assert.ok(groups.membership(1), 'the group reports its calls');
      await assert.rejects(groups.remove([1]));
      session.failing = undefined;
      session.take();
      await groups.remove([1]);
      assert.ok(session.take().includes('removeHooks 1'));
      assert.equal(groups.membership(1), undefined);
    });
  });
});
