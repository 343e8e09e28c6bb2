/**
 * The evaluator over values that need no kernel: what it answers, and what it does not know. test/kernel/matrix.test.ts compares
 * it with the kernel for each type and operator.
 */
import assert from 'node:assert/strict';
import { compilePolicy } from '../../../lib/index.js';
import { evaluateHook } from '../../../lib/evaluate/evaluate.js';
import type { RecordedCall } from '../../../lib/evaluate/call.js';
import type { UncertaintyCode, HookArgument, PlainProcess, Verdict } from '../../../types/index.js';
import { fileOf, intOf, processOf, textOf } from '../output/events.js';
import { bufferOf, sockOf } from '../output/values.js';

const policyOf = (hook: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: p}
spec:
  kprobes:
  - ${hook.trim().replaceAll('\n', '\n    ')}
`;

function verdictOf(hook: string, values: readonly (HookArgument | undefined)[], call: Partial<RecordedCall> = {}): Verdict {
  const image = compilePolicy(policyOf(hook), { architecture: 'x64' });
  const [first] = image.hooks;
  assert.ok(first !== undefined);
  return evaluateHook(first, image.processSets, {
    values,
    process: processOf(),
    ancestors: [],
    isSocketOwner: false,
    ...call,
  });
}

/** `0` or `1`: the selector that matches. `no`: none. A code: it is not known, and this is why. */
type Answer = number | 'no' | UncertaintyCode;

function answerOf(verdict: Verdict): Answer {
  if (verdict.selector !== undefined) return verdict.selector;
  return verdict.reported === 'no' ? 'no' : (verdict.doubts[0]?.code ?? assert.fail('unknown without a reason'));
}

const FILE = 'call: security_file_open\nsyscall: false\nargs: [{index: 0, type: file}]\nselectors:';
const TEXT = 'call: f\nsyscall: false\nargs: [{index: 0, type: string}]\nselectors:';
const BUFFER =
  'call: f\nsyscall: false\nargs: [{index: 0, type: char_buf, sizeArgIndex: 2}, {index: 1, type: int}]\nselectors:';
const on = (operator: string, ...values: readonly string[]): string =>
  `- matchArgs: [{index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}]`;
const long = 'x'.repeat(4095);

const VALUES: readonly (readonly [title: string, hook: string, value: HookArgument | undefined, answer: Answer])[] = [
  ['a path, the second selector', `${FILE}\n${on('Prefix', '/tmp/')}\n${on('Equal', '/etc/shadow')}`, fileOf('/etc/shadow'), 1],
  ['a path that no selector has', `${FILE}\n${on('Prefix', '/tmp/')}`, fileOf('/etc/shadow'), 'no'],
  ['the first of two selectors', `${FILE}\n${on('Prefix', '/etc/')}\n${on('Postfix', 'shadow')}`, fileOf('/etc/shadow'), 0],
  ['the longest prefix has what the shorter ones have', `${FILE}\n${on('Prefix', '/etc/x')}\n${on('Prefix', '/etc/')}`, fileOf('/etc/shadow'), 1],
  ['NotPrefix', `${FILE}\n${on('NotPrefix', '/etc/')}`, fileOf('/etc/shadow'), 'no'],
  ['the end of a path whose beginning is not there', `${FILE}\n${on('Postfix', 'shadow')}`, fileOf('dow/shadow', 0, { flags: ['truncated'] }), 0],
  ['the beginning of such a path', `${FILE}\n${on('Prefix', '/etc/')}`, fileOf('dow/shadow', 0, { flags: ['truncated'] }), 'VALUE_INCOMPLETE'],
  ['no equal path has so many bytes', `${FILE}\n${on('Equal', '/dow/shadow')}`, fileOf('/dow/shadow', 0, { flags: ['truncated'] }), 'no'],
  ['a path that could not be read is empty', `${FILE}\n${on('NotEqual', '/etc/x')}`, fileOf('', 0, { flags: ['fault'], permission: '' }), 0],
  ['a name in memory', `${FILE}\n${on('Equal', 'memfd:x')}`, fileOf('/memfd:x', 0, { flags: ['pseudo'] }), 0],
  ['a pipe', `${FILE}\n${on('Prefix', 'pipe:')}`, fileOf('pipe:[7]', 0, { flags: ['pseudo'] }), 'VALUE_REWRITTEN'],
  ['bytes that are no text', `${FILE}\n${on('Postfix', 'b')}`, fileOf('/a\udcffb'), 0],
  ['the type of a file', `${FILE}\n- matchArgs: [{index: 0, operator: FileType, values: [dir]}]`, fileOf('/a', 0, { permission: 'drwxr-xr-x' }), 0],
  ['a file that is compared by its inode, too', `${FILE}\n- matchArgs: [{index: 0, operator: Equal, inode: true, values: [/a]}]`, fileOf('/b'), 'FILE_IDENTITY'],
  ['such a file with the path of the policy', `${FILE}\n- matchArgs: [{index: 0, operator: Equal, inode: true, values: [/a]}]`, fileOf('/a'), 0],
  ['a value that is not there', `${FILE}\n${on('Equal', '/a')}`, undefined, 'VALUE_NOT_RECORDED'],
  ['a value of another type', `${FILE}\n${on('Equal', '/a')}`, textOf('/a', 0), 'VALUE_NOT_RECORDED'],
  ['a value that is not there does not matter to the selector before', `${FILE}\n- {}\n${on('Equal', '/a')}`, undefined, 0],
  ['a long text: its end is not known, and matches', `${TEXT}\n${on('Postfix', 'a')}`, textOf(long, 0, true), 0],
  ['a long text: its beginning', `${TEXT}\n${on('Prefix', 'xx')}`, textOf(long, 0, true), 0],
  ['a substring', `${TEXT}\n${on('SubString', 'bc')}`, textOf('abcd', 0), 0],
  ['a substring without case', `${TEXT}\n${on('SubStringIgnCase', 'BC')}`, textOf('aBcd', 0), 0],
  ['no substring', `${TEXT}\n${on('SubString', 'bd')}`, textOf('abcd', 0), 'no'],
  ['zeros at the end of a buffer do not count', `${BUFFER}\n${on('Equal', 'ab', 'abcd')}`, bufferOf('ab\0\0', 4, { type: 'char_buf', index: 0 }), 0],
  ['the end of a long buffer does not match', `${BUFFER}\n${on('Postfix', 'x')}`, bufferOf(long, 9999, { type: 'char_buf', index: 0, truncated: true }), 'no'],
]; // prettier-ignore

describe('the evaluator: values', () => {
  for (const [title, hook, value, answer] of VALUES) {
    it(title, () => assert.equal(answerOf(verdictOf(hook, [value, intOf(0, 1)])), answer));
  }

  it('numbers: signed ranges, masks, many values in a table', () => {
    const number = 'call: f\nsyscall: false\nargs: [{index: 0, type: int}]\nselectors:';
    assert.equal(answerOf(verdictOf(`${number}\n${on('LessThan', '-5')}`, [intOf(-6, 0)])), 0);
    assert.equal(answerOf(verdictOf(`${number}\n${on('LessThan', '-5')}`, [intOf(6, 0)])), 'no');
    assert.equal(answerOf(verdictOf(`${number}\n${on('Mask', '6')}`, [intOf(4, 0)])), 0);
    const many = Array.from({ length: 60 }, (_, i) => String(2 * i));
    assert.equal(answerOf(verdictOf(`${number}\n${on('Equal', ...many)}`, [intOf(118, 0)])), 0);
    assert.equal(answerOf(verdictOf(`${number}\n${on('Equal', ...many)}`, [intOf(117, 0)])), 'no');
  });

  it('sockets: networks, ports, families, states', () => {
    const sock = 'call: tcp_connect\nsyscall: false\nargs: [{index: 0, type: sock}]\nselectors:';
    const value = sockOf({ index: 0, family: 'AF_INET', destinationAddress: '10.1.2.3', destinationPort: 443 });
    const mapped = sockOf({ index: 0, family: 'AF_INET6', destinationAddress: '::ffff:10.1.2.3', destinationPort: 80 });
    const cases: readonly (readonly [string, HookArgument, Answer])[] = [
      [on('DAddr', '10.0.0.0/8'), value, 0],
      [on('DAddr', '10.0.0.0/8'), mapped, 0],
      [on('NotDAddr', '10.0.0.0/8'), value, 'no'],
      [on('DAddr', '10.1.0.0/24', 'fd00::/8'), value, 'no'],
      [on('DPort', '400:500'), value, 0],
      [on('DPort', '400:500'), mapped, 'no'],
      [on('Family', 'AF_INET6'), mapped, 0],
    ];
    for (const [selector, argument, answer] of cases) {
      assert.equal(answerOf(verdictOf(`${sock}\n${selector}`, [argument])), answer, selector);
    }
  });

  it('expressions: errors do not match, and a side that decides is enough', () => {
    const two = 'call: f\nsyscall: false\nargs: [{index: 0, type: int32}, {index: 1, type: int32}]\nselectors:';
    const cel = (text: string): string => `${two}\n- matchArgs: [{operator: CelExpr, values: ['${text}']}]`;
    const int = (value: number, index: number): HookArgument => ({ type: 'int32', index, value });
    const values = [int(7, 0), int(0, 1)];
    assert.equal(answerOf(verdictOf(cel('arg0 > 6'), values)), 0);
    assert.equal(answerOf(verdictOf(cel('arg0 / arg1 == 1'), values)), 'no');
    assert.equal(answerOf(verdictOf(cel('arg0 > 6 || arg0 / arg1 == 1'), values)), 0);
    assert.equal(answerOf(verdictOf(cel('arg0 > 6 && arg1 == 3'), [int(7, 0), undefined])), 'VALUE_NOT_RECORDED');
    assert.equal(answerOf(verdictOf(cel('arg0 > 9 && arg1 == 3'), [int(7, 0), undefined])), 'no');
  });
});

describe('the evaluator: processes', () => {
  const binaries = (filter: string): string => `call: f\nsyscall: false\nselectors:\n- matchBinaries: [${filter}]`;
  const cat = processOf({ executable: '/usr/bin/cat' });
  const cases: readonly (readonly [title: string, hook: string, process: Partial<PlainProcess>, answer: Answer])[] = [
    ['In', binaries('{operator: In, values: [/usr/bin/cat]}'), {}, 0],
    ['NotIn', binaries('{operator: NotIn, values: [/usr/bin/cat]}'), {}, 'no'],
    ['an executable that may be another file is not exempt', binaries('{operator: NotIn, values: [/usr/bin/cat]}'), { binaryUntrusted: true }, 0],
    ['Prefix', binaries('{operator: Prefix, values: [/usr/]}'), {}, 0],
    ['Postfix', binaries('{operator: Postfix, values: [/dog]}'), {}, 'no'],
    ['a process that was not seen', binaries('{operator: In, values: [/usr/bin/cat]}'), { flags: 'procFS unknown' }, 'PROCESS_UNKNOWN'],
    ['followChildren, in the set itself', binaries('{operator: In, followChildren: true, values: [/usr/bin/cat]}'), {}, 0],
    ['followChildren, else', binaries('{operator: In, followChildren: true, values: [/usr/bin/dog]}'), {}, 'PROCESS_HISTORY'],
    ['a pid', 'call: f\nsyscall: false\nselectors:\n- matchPIDs: [{operator: In, values: [210]}]', {}, 0],
    ['another pid', 'call: f\nsyscall: false\nselectors:\n- matchPIDs: [{operator: In, values: [211]}]', {}, 'no'],
    ['namespaces at the call', 'call: f\nsyscall: false\nselectors:\n- matchNamespaces: [{namespace: Net, operator: In, values: ["1"]}]', {}, 'PROCESS_STATE'],
    ['capabilities at the call', 'call: f\nsyscall: false\nselectors:\n- matchCapabilities: [{type: Effective, operator: In, values: [CAP_SYS_ADMIN]}]', {}, 'PROCESS_STATE'],
    ['changes', 'call: f\nsyscall: false\nselectors:\n- matchCapabilityChanges: [{type: Effective, operator: In, values: [CAP_SYS_ADMIN]}]', {}, 'PROCESS_STATE'],
  ]; // prettier-ignore
  for (const [title, hook, process, answer] of cases) {
    it(title, () => assert.equal(answerOf(verdictOf(hook, [], { process: { ...cat, ...process } })), answer));
  }

  it('the owner of a socket is not the process that called', () => {
    const hook = binaries('{operator: In, values: [/usr/bin/cat]}');
    assert.equal(answerOf(verdictOf(hook, [], { isSocketOwner: true })), 'SOCKET_OWNER');
  });

  it('followChildren: an ancestor is in the set', () => {
    const hook = binaries('{operator: In, followChildren: true, values: [/usr/sbin/sshd]}');
    const ancestors = [processOf({ executable: '/usr/sbin/sshd' })];
    assert.equal(answerOf(verdictOf(hook, [], { ancestors })), 0);
  });

  it('matchParentBinaries needs the parent', () => {
    const hook = 'call: f\nsyscall: false\nselectors:\n- matchParentBinaries: [{operator: In, values: [/bin/sh]}]';
    assert.equal(answerOf(verdictOf(hook, [])), 'PROCESS_UNKNOWN');
    assert.equal(answerOf(verdictOf(hook, [], { parent: processOf({ executable: '/bin/sh' }) })), 0);
  });
});

describe('the evaluator: actions', () => {
  const selector = (value: string, action: string): string =>
    `- matchArgs: [{index: 0, operator: Prefix, values: [${value}]}]\n  matchActions: [${action}]`;
  const actions = `${FILE}\n${selector('/tmp/', '{action: NoPost}')}\n${selector('/etc/', '{action: Post, rateLimit: 5s}')}\n${selector('/', '{action: Post}')}`;

  it('NoPost is not reported, a rate limit is not known, Post is', () => {
    const reported = (path: string): [Verdict['reported'], number | undefined, UncertaintyCode[]] => {
      const { reported: answer, selector: at, doubts } = verdictOf(actions, [fileOf(path)]);
      return [answer, at, doubts.map(({ code }) => code)];
    };
    assert.deepEqual(reported('/tmp/a'), ['no', 0, []]);
    assert.deepEqual(reported('/etc/a'), ['unknown', 1, ['RATE_LIMIT']]);
    assert.deepEqual(reported('/a'), ['yes', 2, []]);
  });

  it('the answer is certain where all that may match leads to it', () => {
    const binary = '  matchBinaries: [{operator: In, followChildren: true, values: [/a]}]';
    const verdict = verdictOf(`${FILE}\n${on('Prefix', '/')}\n${binary}\n${on('Prefix', '/etc/')}`, [fileOf('/etc/a')]);
    assert.deepEqual(
      [verdict.reported, verdict.selector, verdict.selectors, verdict.doubts[0]?.code],
      ['yes', undefined, [0, 1], 'PROCESS_HISTORY'],
    );
  });
});
