/** Marks over recorded calls: what earlier calls have set, by process, child, exec, time and container. */
import assert from 'node:assert/strict';
import { MarkHistory } from '../../../lib/evaluate/marks.js';
import { evaluateHook } from '../../../lib/evaluate/evaluate.js';
import type { RecordedCall } from '../../../lib/evaluate/call.js';
import { compilePolicy, type CompiledPolicy } from '../../../lib/policy/index.js';
import type { PlainProcess } from '../../../types/index.js';
import { plainProcess } from '../output/events.js';
import { policyYaml } from '../policy/marked-policies.js';

const compile = (action: string, filter = ''): CompiledPolicy =>
  compilePolicy(
    policyYaml(`kprobes:
- {call: f, syscall: false, selectors: [{matchActions: [{action: Mark, mark: seen${action}}]}]}
- {call: u, syscall: false, selectors: [{matchActions: [{action: Unmark, mark: seen${filter}}]}]}
- {call: g, syscall: false, selectors: [{matchMarks: [{operator: In, values: [seen]${filter}}]}]}
- {call: h, syscall: false, selectors: [{matchMarks: [{operator: NotIn, values: [seen]${filter}}]}]}`),
  );

const makeProcess = (execId: string, startTimeNs = 0n, more: Partial<PlainProcess> = {}): PlainProcess =>
  plainProcess({ execId, startTimeNs, ...more });
const a = makeProcess('a');

class Replay {
  readonly #policy: CompiledPolicy;
  readonly #marks: MarkHistory;

  constructor(action = '', filter = '') {
    this.#policy = compile(action, filter);
    this.#marks = new MarkHistory(this.#policy.marks ?? []);
  }

  call(name: 'f' | 'u' | 'g' | 'h', timeNs: bigint, call: Partial<RecordedCall> = {}): string {
    const hook = this.#policy.hooks.find((each) => each.call === name);
    assert.ok(hook !== undefined);
    const recorded = { values: [], timeNs, process: a, ancestors: [], isSocketOwner: false, ...call };
    const verdict = evaluateHook(hook, this.#policy.processSets, recorded, this.#marks);
    this.#marks.apply(hook, recorded, verdict);
    return verdict.reported;
  }

  /** The verdicts of In and NotIn. */
  both(timeNs: bigint, call: Partial<RecordedCall> = {}): string {
    return `${this.call('g', timeNs, call)} ${this.call('h', timeNs, call)}`;
  }
}

describe('evaluate: marks', () => {
  it('are set and removed', () => {
    const replay = new Replay();
    assert.equal(replay.both(1n), 'no yes');
    replay.call('f', 2n);
    assert.equal(replay.both(3n), 'yes no');
    assert.equal(replay.both(3n, { process: makeProcess('b') }), 'no yes');
    replay.call('u', 4n);
    assert.equal(replay.both(5n), 'no yes');
  });

  it('go to children that begin later, and over an exec', () => {
    const replay = new Replay();
    replay.call('f', 10n);
    const [early, late] = [makeProcess('e', 5n), makeProcess('l', 15n)];
    assert.equal(replay.both(20n, { process: early, parent: a }), 'no yes');
    assert.equal(replay.both(20n, { process: late, parent: a }), 'yes no');
    assert.equal(replay.both(20n, { process: makeProcess('g', 18n), parent: late, ancestors: [a] }), 'yes no');
    assert.equal(replay.both(20n, { process: makeProcess('x', 12n), former: a }), 'yes no');
    replay.call('u', 21n, { process: late, parent: a });
    assert.equal(replay.both(22n, { process: late, parent: a }), 'no yes');
    assert.equal(replay.both(22n), 'yes no');
  });

  it('with `inherit: false`, neither', () => {
    const replay = new Replay(', inherit: false');
    replay.call('f', 10n);
    assert.equal(replay.both(20n), 'yes no');
    assert.equal(replay.both(20n, { process: makeProcess('l', 15n), parent: a }), 'no yes');
    assert.equal(replay.both(20n, { process: makeProcess('x', 12n), former: a }), 'no yes');
  });

  it('end at their time, which another Mark moves', () => {
    const replay = new Replay(', ttl: 1s');
    replay.call('f', 0n);
    assert.equal(replay.both(999_999_999n), 'yes no');
    assert.equal(replay.both(1_000_000_000n), 'no yes');
    replay.call('f', 1_500_000_000n);
    replay.call('f', 2_000_000_000n);
    assert.equal(replay.both(2_900_000_000n), 'yes no');
  });

  it('of a container belong to all its processes; a process in none has its own', () => {
    const replay = new Replay(', scope: container');
    const inside = (execId: string, id: string): Partial<RecordedCall> => ({
      process: makeProcess(execId, 0n, { container: { id } }),
    });
    replay.call('f', 1n, inside('a', '1'));
    assert.deepEqual([replay.both(2n, inside('b', '1')), replay.both(2n, inside('c', '2')), replay.both(2n)], ['yes no', 'no yes', 'no yes']); // prettier-ignore
    replay.call('f', 3n);
    assert.deepEqual([replay.both(4n), replay.both(4n, { process: makeProcess('o') })], ['yes no', 'no yes']);
  });

  it('of other policies are not known', () => {
    const replay = new Replay(', shared: true', ', shared: true');
    assert.equal(replay.both(1n), 'unknown unknown');
    replay.call('f', 2n);
    assert.equal(replay.both(3n), 'yes no');
  });

  it('without a history, and for the owner of a socket, filters are uncertain', () => {
    const { hooks, processSets } = compile('');
    const call = { values: [], timeNs: 0n, process: a, ancestors: [], isSocketOwner: false };
    assert.ok(hooks[2] !== undefined);
    assert.equal(evaluateHook(hooks[2], processSets, call).doubts[0]?.code, 'PROCESS_HISTORY');
    assert.equal(new Replay().call('g', 1n, { isSocketOwner: true }), 'unknown');
  });
});
