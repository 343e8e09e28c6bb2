/** The status of a policy, which monitoring reads again and again. */
import assert from 'node:assert/strict';
import { policyStatus, type LoadedPolicy } from '../../../lib/tracer/policy-status.js';

const COUNTERS = { hits: 0, matched: 7, suppressed: 2, enforced: 1 };

function createHook(memory: number): object {
  return {
    id: 3,
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

describe('the status of a policy', () => {
  it('has the counts since the hook was attached, and reads the memory of no hook again', () => {
    const asked: string[] = [];
    const session = {
      hookCounts: () => (asked.push('counts'), COUNTERS),
      hookMemory: () => (asked.push('memory'), 0),
    };
    const policy = {
      compiled: { scopes: [], hooks: [] },
      file: '',
      warnings: [],
      mode: 'monitor',
      attached: {
        hooks: [createHook(100), createHook(20)],
        skipped: [],
        requests: { counts: undefined },
        uprobes: { hooks: [] },
      },
    } as unknown as LoadedPolicy;
    const status = policyStatus('p', policy, { session, scopes: {} as never, countHits: false });
    assert.equal(status.memory, 120);
    assert.deepEqual([status.matched, status.posted, status.suppressed, status.lost], [8, 10, 4, 4]);
    assert.deepEqual(asked, ['counts', 'counts']);
  });
});
