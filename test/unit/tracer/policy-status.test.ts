/** The status of a policy, which monitoring reads again and again. */
import assert from 'node:assert/strict';
import { policyStatus, type LoadedPolicy } from '../../../lib/tracer/policy-status.js';

const COUNTERS = { hits: 0, matched: 7, suppressed: 2, enforced: 1 };

function createHook(memory: number, id: number): object {
  return {
    id,
    call: 'sys_read',
    functionName: '__x64_sys_read',
    functions: [],
    attach: 'kprobe',
    compiled: { actions: {} },
    tally: { posted: 5, unrecorded: 1, missed: 1 },
    countedBefore: { ...COUNTERS, matched: 3, suppressed: 0, enforced: 0 },
    memory,
  };
}

function createPolicy(more: object = {}): LoadedPolicy {
  return {
    compiled: { scopes: [], hooks: [] },
    file: '',
    warnings: [],
    mode: 'monitor',
    attached: {
      hooks: [createHook(100, 3), createHook(20, 4)],
      skipped: [],
      requests: { counts: undefined },
      uprobes: { hooks: [] },
    },
    ...more,
  } as unknown as LoadedPolicy;
}

describe('the status of a policy', () => {
  it('has the counts since the hook was attached, and reads the memory of no hook again', () => {
    const asked: string[] = [];
    const session = {
      hookCounts: () => (asked.push('counts'), COUNTERS),
      hookMemory: () => (asked.push('memory'), 0),
    };
    const status = policyStatus('p', createPolicy(), {
      session,
      scopes: {} as never,
      countHits: false,
      groups: undefined,
    });
    assert.equal(status.memory, 120);
    assert.deepEqual([status.matched, status.posted, status.suppressed, status.lost], [8, 10, 4, 4]);
    assert.deepEqual(asked, ['counts', 'counts']);
  });

  it('a grouped hook has the hits of its group, and a separate one says why', () => {
    const policy = createPolicy();
    const [first] = policy.attached?.hooks.map(({ id }) => id) ?? [];
    const groups = {
      membership: (id: number) => (id === first ? { group: 9, hitsBefore: 4, memory: 1 } : undefined),
      reason: (id: number) => (id === first ? undefined : 'because'),
    };
    const session = { hookCounts: (id: number) => ({ ...COUNTERS, hits: id === 9 ? 10 : 0 }) };
    const { hooks } = policyStatus('p', policy, { session, scopes: {} as never, countHits: true, groups });
    assert.deepEqual(
      hooks.map((hook) => [hook.hits, hook.grouped, hook.separate]),
      [
        [6, true, undefined],
        [0, undefined, 'because'],
      ],
    );
  });

  it('is the same object as long as nothing has changed, and a new one after each change', () => {
    const counters = { ...COUNTERS };
    const scope = { state: 'active', containers: 1 };
    let memberships: number[] = [];
    const groups = {
      membership: (id: number) => (memberships.includes(id) ? { group: 9, hitsBefore: 0, memory: 1 } : undefined),
      reason: () => undefined,
    };
    const context = {
      session: { hookCounts: () => counters },
      scopes: { status: () => ({ ...scope }) } as never,
      countHits: true,
      groups,
    };
    const policy = createPolicy({ compiled: { scopes: [{}], hooks: [] } });
    const changed = policy.attached?.hooks[0]?.id;
    const { attached } = policy as unknown as {
      attached: { hooks: { tally: Record<string, number> }[]; requests: object; uprobes: object };
    };
    let last = policyStatus('p', policy, context);
    const read = (): typeof last => policyStatus('p', policy, context, last);
    assert.equal(read(), last);
    const changes: Record<string, () => unknown> = {
      matched: () => counters.matched++,
      suppressed: () => counters.suppressed++,
      enforced: () => counters.enforced++,
      hits: () => counters.hits++,
      posted: () => attached.hooks[1]!.tally['posted']!++,
      missed: () => attached.hooks[0]!.tally['missed']!++,
      requests: () => (attached.requests = { counts: { started: 1 } }),
      scope: () => scope.containers++,
      uprobes: () => (attached.uprobes = { hooks: [{}], status: () => ({ containers: 2 }) }),
      'moved into a group': () => (memberships = [changed ?? -1]),
      mode: () => Object.assign(policy, { mode: 'enforce' }),
      hook: () => Object.assign(attached.hooks[0]!, { functionName: 'other' }),
      'number of hooks': () => attached.hooks.pop(),
      attached: () => Object.assign(policy, { attached: undefined }),
    };
    for (const [name, change] of Object.entries(changes)) {
      change();
      const now = read();
      assert.notEqual(now, last, name);
      assert.deepEqual(now, policyStatus('p', policy, context), name);
      last = now;
      assert.equal(read(), last, name);
    }
  });

  it('keeps the status of hooks that have not changed', () => {
    const policy = createPolicy();
    const context = {
      session: { hookCounts: () => COUNTERS },
      scopes: {} as never,
      countHits: false,
      groups: undefined,
    };
    const before = policyStatus('p', policy, context);
    (policy.attached?.hooks[1] as { tally: { posted: number } }).tally.posted++;
    const after = policyStatus('p', policy, context, before);
    assert.equal(after.hooks[0], before.hooks[0]);
    assert.equal(after.posted, before.posted + 1);
  });
});
