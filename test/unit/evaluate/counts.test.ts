/** Counts over recorded calls: labels, values, places, and what the recording does not decide. */
import assert from 'node:assert/strict';
import { CountHistory } from '../../../lib/evaluate/counts.js';
import { evaluateHook } from '../../../lib/evaluate/evaluate.js';
import type { RecordedCall } from '../../../lib/evaluate/call.js';
import { compilePolicy } from '../../../lib/policy/index.js';
import type { CompiledPolicy, HookArgument, ReplayedMetric } from '../../../types/index.js';
import { fileArgument, intArgument, sizeArgument, stringArgument } from '../output/arguments.js';
import { plainProcess } from '../output/events.js';
import { bufferArgument, socketAddressArgument, socketArgument } from '../output/values.js';
import { kprobeYaml } from '../policy/marked-policies.js';

/** A hook with the values `args`, and a return value or a duration where the actions need it. */
function compile(args: string, selectors: string): CompiledPolicy {
  const yaml = `call: f\nsyscall: false\nreturn: true\nreturnArg: {index: 0, type: int}\nargs: [${args}]\nselectors: [${selectors}]`;
  return compilePolicy(kprobeYaml(yaml), { architecture: 'x64' });
}

class Counted {
  readonly #policy: CompiledPolicy;
  readonly #counts: CountHistory;

  constructor(args: string, ...actions: readonly string[]) {
    this.#policy = compile(args, actions.map((action) => (action.startsWith('{') ? action : `{matchActions: [{action: Count, ${action}}]}`)).join(', ')); // prettier-ignore
    this.#counts = new CountHistory(this.#policy);
  }

  call(values: readonly (HookArgument | undefined)[], more: Partial<RecordedCall> = {}): this {
    const [hook] = this.#policy.hooks;
    assert.ok(hook !== undefined);
    const call = { timeNs: 1n, values, process: plainProcess(), ancestors: [], isSocketOwner: false, ...more };
    this.#counts.add(hook, call, evaluateHook(hook, this.#policy.processSets, call));
    return this;
  }

  get metric(): ReplayedMetric {
    const [metric, ...others] = this.#counts.metrics(new Map());
    assert.ok(metric !== undefined && others.length === 0);
    return metric;
  }
}

const INT = '{index: 0, type: int}';
const plain = plainProcess();

/** The text of the label of one call, or the code of the doubt in front of it. */
function labelOf(type: string, by: string, value: HookArgument | undefined, more: Partial<RecordedCall> = {}): string {
  const values = by === 'errno' ? [undefined, value] : [value, undefined];
  const { series, doubts } = new Counted(`{index: 0, type: ${type}}`, `metric: m, by: [${by}], folders: ${by === 'arg0' && /file|string/.test(type) ? 2 : 0}`).call(values, more).metric; // prettier-ignore
  assert.equal(series[0]?.calls, 1n);
  assert.ok(doubts.every(({ affects, label, calls }) => affects === 'label' && label === by && calls === 1));
  return [...doubts.map(({ code }) => code), series[0].labels[0]].join(' ');
}

const LABELS: readonly (readonly [title: string, found: () => string, expected: string])[] = [
  ['a number', () => labelOf('int', 'arg0', intArgument(-5, 0)), '-5'],
  ['a number that was not recorded', () => labelOf('int', 'arg0', undefined), 'VALUE_NOT_RECORDED (unknown)'],
  ['a string', () => labelOf('char_buf, sizeArgIndex: 1', 'arg0', bufferArgument('ab\0c', 4)), 'ab'],
  ['512 bytes of a string', () => labelOf('string', 'arg0', stringArgument('x'.repeat(600), 0)), 'x'.repeat(512)],
  ['folders of a path', () => labelOf('file', 'arg0', fileArgument('/a/b/c/d')), '/a/b'],
  ['a path with fewer folders', () => labelOf('file', 'arg0', fileArgument('/a/b')), '/a/b'],
  ['no file', () => labelOf('file', 'arg0', fileArgument('', 0, { flags: ['fault'] })), '(unknown)'],
  ['a pipe', () => labelOf('file', 'arg0', fileArgument('pipe:[7]', 0, { flags: ['pseudo'] })), 'VALUE_REWRITTEN pipe:[7]'],
  ['a device', () => labelOf('file', 'arg0.device', fileArgument('/a')), '8:1'],
  ['an address', () => labelOf('sock', 'arg0', socketArgument({ type: 'sock', destinationAddress: '192.0.2.1' })), '192.0.2.1'],
  ['an address of IPv4 in IPv6', () => labelOf('sock', 'arg0', socketArgument({ type: 'sock', destinationAddress: '::ffff:192.0.2.1' })), '192.0.2.1'],
  ['an address of another family', () => labelOf('sock', 'arg0', socketArgument({ type: 'sock', destinationAddress: '' })), '::'],
  ['a port', () => labelOf('sock', 'arg0.port', socketArgument({ type: 'sock', destinationPort: 53 })), '53'],
  ['the address that a program passes', () => labelOf('sockaddr', 'arg0', socketAddressArgument({ address: '2001:db8::1' })), '2001:db8::1'],
  ['its port', () => labelOf('sockaddr', 'arg0.port', socketAddressArgument({ port: 443 })), '443'],
  ['an error', () => labelOf('int', 'errno', intArgument(-2, 0)), 'ENOENT'],
  ['no error', () => labelOf('int', 'errno', intArgument(2, 0)), 'OK'],
  ['a binary', () => labelOf('int', 'binary', undefined), plain.executable],
  ['a kernel thread', () => labelOf('int', 'binary', undefined, { process: plainProcess({ executable: 'kworker/0:1' }) }), '[kernel]'],
  ['an unknown binary', () => labelOf('int', 'binary', undefined, { process: plainProcess({ flags: 'unknown' }) }), 'PROCESS_UNKNOWN (unknown)'],
  ["a parent's binary", () => labelOf('int', 'parentBinary', undefined, { parent: plainProcess({ executable: '/p' }) }), '/p'],
  ['an unknown parent', () => labelOf('int', 'parentBinary', undefined), 'PROCESS_UNKNOWN (unknown)'],
  ['a container', () => labelOf('int', 'container', undefined, { process: plainProcess({ container: { id: 'c', name: 'web' } }) }), 'web'],
  ['a container without a name', () => labelOf('int', 'container', undefined, { process: plainProcess({ container: { id: 'c' } }) }), 'c'],
  ['no pod', () => labelOf('int', 'pod', undefined, { process: plainProcess({ pod: undefined }) }), ''],
  ['a user', () => labelOf('int', 'uid', undefined, { process: plainProcess({ uid: 7 }) }), 'PROCESS_STATE 7'],
  ['the owner of a socket', () => labelOf('int', 'binary', undefined, { isSocketOwner: true }), 'SOCKET_OWNER (unknown)'],
]; // prettier-ignore

describe('evaluate: counts', () => {
  for (const [title, found, expected] of LABELS) it(`${title} as a label`, () => assert.equal(found(), expected));

  it('a sum, in which a negative value adds 0', () => {
    const counted = new Counted(INT, 'metric: m, kind: sum, value: return');
    const { total, series, labelNames, doubts } = counted
      .call([undefined, intArgument(7, 0)])
      .call([undefined, intArgument(-9, 0)]).metric;
    assert.deepEqual([total, labelNames, doubts], [{ calls: 2n, sum: 7n }, [], []]);
    assert.deepEqual(series, [{ labels: [], calls: 2n, sum: 7n }]);
  });

  it('a value that was not recorded is counted and adds nothing, and the metric says it', () => {
    const { total, doubts } = new Counted(INT, 'metric: m, kind: sum, value: arg0').call([undefined]).metric;
    assert.deepEqual(total, { calls: 1n, sum: 0n });
    assert.deepEqual(
      doubts.map(({ code, affects, calls }) => [code, affects, calls]),
      [['VALUE_NOT_RECORDED', 'sum', 1]],
    );
  });

  it('a histogram has powers of two', () => {
    const counted = new Counted('{index: 0, type: size_t}', 'metric: m, kind: histogram, value: arg0');
    for (const value of [0n, 1n, 2n, 3n, 2n ** 47n, 2n ** 60n]) counted.call([sizeArgument(value, 0)]);
    const { total } = counted.metric;
    assert.deepEqual(total.buckets, [
      { from: 0n, to: 0n, calls: 1n },
      { from: 1n, to: 1n, calls: 1n },
      { from: 2n, to: 3n, calls: 2n },
      { from: 2n ** 46n, calls: 2n },
    ]);
    assert.equal(total.sum, 6n + 2n ** 47n + 2n ** 60n);
  });

  it('what finds no place is in other', () => {
    const counted = new Counted(INT, 'metric: m, by: [arg0], maxKeys: 2');
    for (const value of [1, 2, 3, 1, 4]) counted.call([intArgument(value, 0)]);
    const { series, other, total } = counted.metric;
    assert.deepEqual(series.map(({ labels, calls }) => [...labels, calls]), [['1', 2n], ['2', 1n]]); // prettier-ignore
    assert.deepEqual([other, total.calls], [{ calls: 2n, sum: 0n }, 5n]);
  });

  it('two selectors count into one metric, and a call is counted by the first that matches', () => {
    const select = (value: string): string =>
      `{matchArgs: [{index: 0, operator: Equal, values: ['${value}']}], matchActions: [{action: Count, metric: m, by: [arg0]}]}`;
    const counted = new Counted(INT, select('1'), select('2'));
    for (const value of [1, 2, 3, 1]) counted.call([intArgument(value, 0)]);
    assert.deepEqual(counted.metric.series.map(({ labels, calls }) => [...labels, calls]), [['1', 2n], ['2', 1n]]); // prettier-ignore
  });

  it('a call that may match is not counted, and the metric says it', () => {
    const selector = `{matchNamespaces: [{namespace: Net, operator: In, values: ['1']}], matchActions: [{action: Count, metric: m}]}`;
    const { total, doubts } = new Counted(INT, selector).call([intArgument(1, 0)]).metric;
    assert.equal(total.calls, 0n);
    assert.deepEqual(
      doubts.map(({ code, affects, calls }) => [code, affects, calls]),
      [['PROCESS_STATE', 'calls', 1]],
    );
  });

  it('durations are filtered and added up, where the recording has them', () => {
    const action = `matchActions: [{action: Count, metric: m, kind: sum, value: duration}]`;
    const duration = (value: bigint): HookArgument => ({ type: 'uint64', index: 0, label: 'duration', value });
    for (const [operator, expected] of [
      ['GT', { calls: 1n, sum: 10_000_001n }],
      ['LT', { calls: 2n, sum: 5n }],
    ] as const) {
      const counted = new Counted(INT, `{matchDuration: {operator: ${operator}, values: [10ms]}, ${action}}`);
      for (const value of [2n, 3n, 10_000_000n, 10_000_001n]) counted.call([undefined, duration(value)]);
      assert.deepEqual(counted.metric.total, expected);
      const { total, doubts } = counted.call([undefined, undefined]).metric;
      assert.equal(total.calls, expected.calls);
      assert.deepEqual(
        doubts.map(({ code, about, affects }) => [code, about, affects]),
        [['VALUE_NOT_RECORDED', 'duration', 'calls']],
      );
    }
  });
});
