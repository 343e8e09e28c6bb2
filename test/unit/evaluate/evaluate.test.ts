/**
 * The evaluator over values that need no kernel: its verdicts and its uncertainties. test/kernel/matrix.test.ts compares
 * it with the kernel for each type and operator.
 */
import assert from 'node:assert/strict';
import { compilePolicy } from '../../../lib/index.js';
import { evaluateHook } from '../../../lib/evaluate/evaluate.js';
import type { RecordedCall } from '../../../lib/evaluate/call.js';
import type { UncertaintyCode, HookArgument, PlainProcess, Verdict } from '../../../types/index.js';
import { kprobeYaml } from '../policy/marked-policies.js';
import { fileArgument, intArgument, stringArgument } from '../output/arguments.js';
import { plainProcess } from '../output/events.js';
import { bufferArgument, socketArgument } from '../output/values.js';

function evaluateYaml(
  hook: string,
  values: readonly (HookArgument | undefined)[],
  call: Partial<RecordedCall> = {},
): Verdict {
  const { hooks, processSets } = compilePolicy(kprobeYaml(hook), { architecture: 'x64' });
  const [first] = hooks;
  assert.ok(first !== undefined);
  return evaluateHook(first, processSets, {
    timeNs: 0n,
    values,
    process: plainProcess(),
    ancestors: [],
    isSocketOwner: false,
    ...call,
  });
}

/** The selector that matches (`0` or `1`), `no` for none, or the code of the uncertainty. */
type Answer = number | 'no' | UncertaintyCode;

function toAnswer(verdict: Verdict): Answer {
  if (verdict.selector !== undefined) return verdict.selector;
  return verdict.reported === 'no' ? 'no' : (verdict.doubts[0]?.code ?? assert.fail('unknown without a reason'));
}

const FILE = 'call: security_file_open\nsyscall: false\nargs: [{index: 0, type: file}]\nselectors:';
const TEXT = 'call: f\nsyscall: false\nargs: [{index: 0, type: string}]\nselectors:';
const BUFFER =
  'call: f\nsyscall: false\nargs: [{index: 0, type: char_buf, sizeArgIndex: 2}, {index: 1, type: int}]\nselectors:';
const filterYaml = (operator: string, ...values: readonly string[]): string =>
  `- matchArgs: [{index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}]`;
const long = 'x'.repeat(4095);

const VALUES: readonly (readonly [title: string, hook: string, value: HookArgument | undefined, answer: Answer])[] = [
  ['a path, the second selector', `${FILE}\n${filterYaml('Prefix', '/tmp/')}\n${filterYaml('Equal', '/etc/shadow')}`, fileArgument('/etc/shadow'), 1],
  ['a path that no selector has', `${FILE}\n${filterYaml('Prefix', '/tmp/')}`, fileArgument('/etc/shadow'), 'no'],
  ['the first of two selectors', `${FILE}\n${filterYaml('Prefix', '/etc/')}\n${filterYaml('Postfix', 'shadow')}`, fileArgument('/etc/shadow'), 0],
  ['the longest prefix includes the shorter ones', `${FILE}\n${filterYaml('Prefix', '/etc/x')}\n${filterYaml('Prefix', '/etc/')}`, fileArgument('/etc/shadow'), 1],
  ['NotPrefix', `${FILE}\n${filterYaml('NotPrefix', '/etc/')}`, fileArgument('/etc/shadow'), 'no'],
  ['the end of a path without its beginning', `${FILE}\n${filterYaml('Postfix', 'shadow')}`, fileArgument('dow/shadow', 0, { flags: ['truncated'] }), 0],
  ['the beginning of a path without its beginning', `${FILE}\n${filterYaml('Prefix', '/etc/')}`, fileArgument('dow/shadow', 0, { flags: ['truncated'] }), 'VALUE_INCOMPLETE'],
  ['no equal path has so many bytes', `${FILE}\n${filterYaml('Equal', '/dow/shadow')}`, fileArgument('/dow/shadow', 0, { flags: ['truncated'] }), 'no'],
  ['no file satisfies no negated filter', `${FILE}\n${filterYaml('NotEqual', '/etc/x')}`, fileArgument('', 0, { flags: ['fault'], permission: '' }), 'no'],
  ['a pipe satisfies no negated filter', `${FILE}\n${filterYaml('NotPrefix', '/tmp/')}`, fileArgument('pipe:[7]', 0, { flags: ['pseudo'] }), 'no'],
  ['a name in memory, with a filter of each kind', `${FILE}\n- matchArgs: [{index: 0, operator: Prefix, values: ['memfd:']}, {index: 0, operator: NotPostfix, values: [y]}]`, fileArgument('/memfd:x', 0, { flags: ['pseudo'] }), 0],
  ['a path that is hidden satisfies a negated filter', `${FILE}\n${filterYaml('NotPrefix', '/tmp/')}`, fileArgument('', 0, { flags: ['unknown'] }), 0],
  ['a name in memory', `${FILE}\n${filterYaml('Equal', 'memfd:x')}`, fileArgument('/memfd:x', 0, { flags: ['pseudo'] }), 0],
  ['a pipe', `${FILE}\n${filterYaml('Prefix', 'pipe:')}`, fileArgument('pipe:[7]', 0, { flags: ['pseudo'] }), 'VALUE_REWRITTEN'],
  ['bytes that are not UTF-8', `${FILE}\n${filterYaml('Postfix', 'b')}`, fileArgument('/a\udcffb'), 0],
  ['the type of a file', `${FILE}\n- matchArgs: [{index: 0, operator: FileType, values: [dir]}]`, fileArgument('/a', 0, { permission: 'drwxr-xr-x' }), 0],
  ['a file that is also compared by its inode', `${FILE}\n- matchArgs: [{index: 0, operator: Equal, inode: true, values: [/a]}]`, fileArgument('/b'), 'FILE_IDENTITY'],
  ['a file that is also compared by its inode, with the path of the policy', `${FILE}\n- matchArgs: [{index: 0, operator: Equal, inode: true, values: [/a]}]`, fileArgument('/a'), 0],
  ['a missing value', `${FILE}\n${filterYaml('Equal', '/a')}`, undefined, 'VALUE_NOT_RECORDED'],
  ['a value of another type', `${FILE}\n${filterYaml('Equal', '/a')}`, stringArgument('/a', 0), 'VALUE_NOT_RECORDED'],
  ['a missing value does not matter to the selector before', `${FILE}\n- {}\n${filterYaml('Equal', '/a')}`, undefined, 0],
  ['a long text: its end is not known, and matches', `${TEXT}\n${filterYaml('Postfix', 'a')}`, stringArgument(long, 0, true), 0],
  ['a long text: its beginning', `${TEXT}\n${filterYaml('Prefix', 'xx')}`, stringArgument(long, 0, true), 0],
  ['a text that cannot be read is not empty', `${TEXT}\n${filterYaml('Equal', '')}`, { ...stringArgument('', 0), unreadable: true }, 'no'],
  ['a text that cannot be read, and a null pointer', `${TEXT}\n${filterYaml('NotEqual', 'a')}`, { ...stringArgument('', 0), unreadable: true }, 'VALUE_INCOMPLETE'],
  ['a substring', `${TEXT}\n${filterYaml('SubString', 'bc')}`, stringArgument('abcd', 0), 0],
  ['a substring without case', `${TEXT}\n${filterYaml('SubStringIgnCase', 'BC')}`, stringArgument('aBcd', 0), 0],
  ['no substring', `${TEXT}\n${filterYaml('SubString', 'bd')}`, stringArgument('abcd', 0), 'no'],
  ['zeros at the end of a buffer do not count', `${BUFFER}\n${filterYaml('Equal', 'ab', 'abcd')}`, bufferArgument('ab\0\0', 4, { type: 'char_buf', index: 0 }), 0],
  ['the end of a long buffer does not match', `${BUFFER}\n${filterYaml('Postfix', 'x')}`, bufferArgument(long, 9999, { type: 'char_buf', index: 0, truncated: true }), 'no'],
]; // prettier-ignore

describe('the evaluator: values', () => {
  for (const [title, hook, value, answer] of VALUES) {
    it(title, () => assert.equal(toAnswer(evaluateYaml(hook, [value, intArgument(0, 1)])), answer));
  }

  it('numbers: signed ranges, masks, many values in a table', () => {
    const number = 'call: f\nsyscall: false\nargs: [{index: 0, type: int}]\nselectors:';
    assert.equal(toAnswer(evaluateYaml(`${number}\n${filterYaml('LessThan', '-5')}`, [intArgument(-6, 0)])), 0);
    assert.equal(toAnswer(evaluateYaml(`${number}\n${filterYaml('LessThan', '-5')}`, [intArgument(6, 0)])), 'no');
    assert.equal(toAnswer(evaluateYaml(`${number}\n${filterYaml('Mask', '6')}`, [intArgument(4, 0)])), 0);
    const many = Array.from({ length: 60 }, (_, i) => String(2 * i));
    assert.equal(toAnswer(evaluateYaml(`${number}\n${filterYaml('Equal', ...many)}`, [intArgument(118, 0)])), 0);
    assert.equal(toAnswer(evaluateYaml(`${number}\n${filterYaml('Equal', ...many)}`, [intArgument(117, 0)])), 'no');
  });

  it('sockets: networks, ports, families, states', () => {
    const sock = 'call: tcp_connect\nsyscall: false\nargs: [{index: 0, type: sock}]\nselectors:';
    const value = socketArgument({ index: 0, family: 'AF_INET', destinationAddress: '10.1.2.3', destinationPort: 443 });
    const mapped = socketArgument({
      index: 0,
      family: 'AF_INET6',
      destinationAddress: '::ffff:10.1.2.3',
      destinationPort: 80,
    });
    const cases: readonly (readonly [string, HookArgument, Answer])[] = [
      [filterYaml('DAddr', '10.0.0.0/8'), value, 0],
      [filterYaml('DAddr', '10.0.0.0/8'), mapped, 0],
      [filterYaml('NotDAddr', '10.0.0.0/8'), value, 'no'],
      [filterYaml('DAddr', '10.1.0.0/24', 'fd00::/8'), value, 'no'],
      [filterYaml('DPort', '400:500'), value, 0],
      [filterYaml('DPort', '400:500'), mapped, 'no'],
      [filterYaml('Family', 'AF_INET6'), mapped, 0],
    ];
    for (const [selector, argument, answer] of cases) {
      assert.equal(toAnswer(evaluateYaml(`${sock}\n${selector}`, [argument])), answer, selector);
    }
  });

  it('expressions: errors do not match, and one side can decide', () => {
    const two = 'call: f\nsyscall: false\nargs: [{index: 0, type: int32}, {index: 1, type: int32}]\nselectors:';
    const celHook = (text: string): string => `${two}\n- matchArgs: [{operator: CelExpr, values: ['${text}']}]`;
    const int32Argument = (value: number, index: number): HookArgument => ({ type: 'int32', index, value });
    const values = [int32Argument(7, 0), int32Argument(0, 1)];
    assert.equal(toAnswer(evaluateYaml(celHook('arg0 > 6'), values)), 0);
    assert.equal(toAnswer(evaluateYaml(celHook('arg0 / arg1 == 1'), values)), 'no');
    assert.equal(toAnswer(evaluateYaml(celHook('arg0 > 6 || arg0 / arg1 == 1'), values)), 0);
    assert.equal(
      toAnswer(evaluateYaml(celHook('arg0 > 6 && arg1 == 3'), [int32Argument(7, 0), undefined])),
      'VALUE_NOT_RECORDED',
    );
    assert.equal(toAnswer(evaluateYaml(celHook('arg0 > 9 && arg1 == 3'), [int32Argument(7, 0), undefined])), 'no');
  });
});

describe('the evaluator: processes', () => {
  const binariesHook = (filter: string): string => `call: f\nsyscall: false\nselectors:\n- matchBinaries: [${filter}]`;
  const cat = plainProcess({ executable: '/usr/bin/cat' });
  const cases: readonly (readonly [title: string, hook: string, process: Partial<PlainProcess>, answer: Answer])[] = [
    ['In', binariesHook('{operator: In, values: [/usr/bin/cat]}'), {}, 0],
    ['NotIn', binariesHook('{operator: NotIn, values: [/usr/bin/cat]}'), {}, 'no'],
    ['an executable that may be another file is not exempt', binariesHook('{operator: NotIn, values: [/usr/bin/cat]}'), { binaryUntrusted: true }, 0],
    ['Prefix', binariesHook('{operator: Prefix, values: [/usr/]}'), {}, 0],
    ['Postfix', binariesHook('{operator: Postfix, values: [/dog]}'), {}, 'no'],
    ['an unknown process', binariesHook('{operator: In, values: [/usr/bin/cat]}'), { flags: 'procFS unknown' }, 'PROCESS_UNKNOWN'],
    ['followChildren, in the set itself', binariesHook('{operator: In, followChildren: true, values: [/usr/bin/cat]}'), {}, 0],
    ['followChildren, not in the set itself', binariesHook('{operator: In, followChildren: true, values: [/usr/bin/dog]}'), {}, 'PROCESS_HISTORY'],
    ['a pid', 'call: f\nsyscall: false\nselectors:\n- matchPIDs: [{operator: In, values: [210]}]', {}, 0],
    ['another pid', 'call: f\nsyscall: false\nselectors:\n- matchPIDs: [{operator: In, values: [211]}]', {}, 'no'],
    ['namespaces at the call', 'call: f\nsyscall: false\nselectors:\n- matchNamespaces: [{namespace: Net, operator: In, values: ["1"]}]', {}, 'PROCESS_STATE'],
    ['capabilities at the call', 'call: f\nsyscall: false\nselectors:\n- matchCapabilities: [{type: Effective, operator: In, values: [CAP_SYS_ADMIN]}]', {}, 'PROCESS_STATE'],
    ['changes', 'call: f\nsyscall: false\nselectors:\n- matchCapabilityChanges: [{type: Effective, operator: In, values: [CAP_SYS_ADMIN]}]', {}, 'PROCESS_STATE'],
  ]; // prettier-ignore
  for (const [title, hook, process, answer] of cases) {
    it(title, () => assert.equal(toAnswer(evaluateYaml(hook, [], { process: { ...cat, ...process } })), answer));
  }

  it('the owner of a socket is not the calling process', () => {
    const hook = binariesHook('{operator: In, values: [/usr/bin/cat]}');
    assert.equal(toAnswer(evaluateYaml(hook, [], { isSocketOwner: true })), 'SOCKET_OWNER');
  });

  it('followChildren: an ancestor is in the set', () => {
    const hook = binariesHook('{operator: In, followChildren: true, values: [/usr/sbin/sshd]}');
    const ancestors = [plainProcess({ executable: '/usr/sbin/sshd' })];
    assert.equal(toAnswer(evaluateYaml(hook, [], { ancestors })), 0);
  });

  describe('matchCmdArgs', () => {
    const evaluateArguments = (filter: string, argv: readonly string[], flags = ''): ReturnType<typeof toAnswer> =>
      toAnswer(
        evaluateYaml(`call: f\nsyscall: false\nselectors:\n- matchCmdArgs: [${filter}]`, [], {
          process: { ...cat, argv, flags },
        }),
      );
    const rows: readonly (readonly [string, readonly string[], ReturnType<typeof toAnswer>, string?])[] = [
      ['{operator: Equal, values: [-x]}', ['a', '-x'], 0],
      ['{operator: Equal, values: [a]}', ['a', 'b'], 0],
      ['{operator: Equal, values: [cat]}', ['a'], 'no'],
      ['{index: 0, operator: Prefix, values: [c]}', ['a'], 'PROCESS_HISTORY'],
      ['{index: 1, operator: Prefix, values: [a]}', ['ab', 'c'], 0],
      ['{index: 2, operator: Postfix, values: [b]}', ['ab'], 'no'],
      ['{operator: NotPostfix, values: [b]}', ['ab'], 'no'],
      ['{operator: NotEqual, values: [b]}', ['ab'], 0],
      ['{operator: NotEqual, values: [b]}', ['a', 'b'], 0, 'truncArgs'],
      ['{operator: Equal, values: [b]}', ['a', 'c'], 0, 'truncArgs'],
      ['{index: 1, operator: Equal, values: [b]}', ['a', 'c'], 'no', 'truncArgs'],
      ['{index: 2, operator: Equal, values: [b]}', ['a', 'c'], 0, 'truncArgs'],
      ['{operator: Equal, values: [b]}', ['b'], 'PROCESS_UNKNOWN', 'procFS'],
    ];
    for (const [filter, argv, answer, flags] of rows)
      it(`${filter} on cat ${argv.join(' ')} ${flags ?? ''}`, () =>
        assert.equal(evaluateArguments(filter, argv, flags), answer));
  });

  it('matchParentBinaries needs the parent', () => {
    const hook = 'call: f\nsyscall: false\nselectors:\n- matchParentBinaries: [{operator: In, values: [/bin/sh]}]';
    assert.equal(toAnswer(evaluateYaml(hook, [])), 'PROCESS_UNKNOWN');
    assert.equal(toAnswer(evaluateYaml(hook, [], { parent: plainProcess({ executable: '/bin/sh' }) })), 0);
  });
});

describe('the evaluator: actions', () => {
  const selectorYaml = (value: string, action: string): string =>
    `- matchArgs: [{index: 0, operator: Prefix, values: [${value}]}]\n  matchActions: [${action}]`;
  const actions = `${FILE}\n${selectorYaml('/tmp/', '{action: NoPost}')}\n${selectorYaml('/etc/', '{action: Post, rateLimit: 5s}')}\n${selectorYaml('/', '{action: Post}')}`;

  it('NoPost is not reported, a rate limit is uncertain, Post is reported', () => {
    const evaluateActions = (path: string): [Verdict['reported'], number | undefined, UncertaintyCode[]] => {
      const { reported: answer, selector: at, doubts } = evaluateYaml(actions, [fileArgument(path)]);
      return [answer, at, doubts.map(({ code }) => code)];
    };
    assert.deepEqual(evaluateActions('/tmp/a'), ['no', 0, []]);
    assert.deepEqual(evaluateActions('/etc/a'), ['unknown', 1, ['RATE_LIMIT']]);
    assert.deepEqual(evaluateActions('/a'), ['yes', 2, []]);
  });

  it('an unknown path matches, except for selectors that only suppress events', () => {
    const { reported, selector, doubts } = evaluateYaml(actions, [fileArgument('', 0, { flags: ['unknown'] })]);
    assert.deepEqual([reported, selector, doubts.map(({ code }) => code)], ['unknown', 1, ['RATE_LIMIT']]);
    const negated = `${FILE}\n${filterYaml('NotPrefix', '/etc/')}`;
    assert.equal(toAnswer(evaluateYaml(negated, [fileArgument('', 0, { flags: ['unknown'] })])), 0);
  });

  it('the verdict is certain if all selectors that may match lead to it', () => {
    const binary = '  matchBinaries: [{operator: In, followChildren: true, values: [/a]}]';
    const verdict = evaluateYaml(`${FILE}\n${filterYaml('Prefix', '/')}\n${binary}\n${filterYaml('Prefix', '/etc/')}`, [
      fileArgument('/etc/a'),
    ]);
    assert.deepEqual(
      [verdict.reported, verdict.selector, verdict.selectors, verdict.doubts[0]?.code],
      ['yes', undefined, [0, 1], 'PROCESS_HISTORY'],
    );
  });
});
