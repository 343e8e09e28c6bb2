/** Compiles filters on values: numbers in tables and ranges, substrings, inodes, sockets, sources of values. */
import assert from 'node:assert/strict';
import type { StringFilters, CompiledValue } from '../../../lib/compiled/compiled-policy.js';
import { PolicyError } from '../../../lib/errors.js';
import { compileHook, kprobeYaml, policyYaml } from './marked-policies.js';

/** Compiles an argument of this type. Each string contains the filters of one selector on the argument. */
function compileArgument(type: string, ...selectors: string[]): CompiledValue {
  const matches = selectors.map((filters) => {
    const list = filters.split('; ').map((filter) => `  - {index: 0, ${filter}}`);
    return `- matchArgs:\n${list.join('\n')}`;
  });
  const [arg] = compileHook(
    kprobeYaml(`call: f\nsyscall: false\nargs: [{index: 0, type: ${type}}]\nselectors:\n${matches.join('\n')}`),
  ).args;
  assert.ok(arg);
  return arg;
}

const yamlList = (...values: (string | number)[]): string =>
  `[${values.map((each) => JSON.stringify(String(each))).join(', ')}]`;
const filterYaml = (operator: string, ...values: (string | number)[]): string =>
  `operator: ${operator}, values: ${yamlList(...values)}`;
const numbersBelow = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const listTests = ({ ints }: CompiledValue): unknown[] =>
  ints.flatMap((group) =>
    group.tests.map(({ op: name, value: from, upper }) => [name, from, ...(upper === undefined ? [] : [upper])]),
  );

describe('policy: numbers in tables and ranges', () => {
  it('cuts ranges at the limits of the type, and reads a literal with the bits of a negative number', () => {
    assert.deepEqual(listTests(compileArgument('uint8', filterYaml('InRange', '-5:300'))), [['range', 0n, 255n]]);
    assert.deepEqual(listTests(compileArgument('int', filterYaml('InMap', '4294967295'))), [['equal', 2n ** 64n - 1n]]);
  });

  it('compares up to eight values one by one, and looks up more in a table', () => {
    const eight = compileArgument('int', filterYaml('Equal', ...numbersBelow(8)));
    assert.equal(eight.intTable, undefined);
    assert.equal(eight.ints[0]?.tests.length, 8);
    const nine = compileArgument('int', filterYaml('Equal', ...numbersBelow(9)));
    assert.deepEqual(nine.ints, []);
    assert.deepEqual(nine.intTable?.entries[8], { value: 8n, match: [0], reject: [] });
  });

  it('counts the values of all selectors together, and computes the result of each value for all of them', () => {
    const { ints, intTable } = compileArgument(
      'uint32',
      `${filterYaml('Equal', ...numbersBelow(6))}; ${filterYaml('NotEqual', 2)}`,
      `${filterYaml('InMap', 5, 6, 7, 8)}; ${filterYaml('GT', 5)}`,
      filterYaml('NotInMap', 3),
    );
    assert.deepEqual(intTable?.positive, [0, 1]);
    assert.deepEqual(intTable?.used, [0, 1, 2]);
    const entries = new Map(intTable?.entries.map(({ value: number, match, reject }) => [number, { match, reject }]));
    assert.deepEqual(entries.get(2n), { match: [0], reject: [0] });
    assert.deepEqual(entries.get(3n), { match: [0], reject: [2] });
    assert.deepEqual(entries.get(5n), { match: [0, 1], reject: [] });
    assert.deepEqual(entries.get(8n), { match: [1], reject: [] });
    assert.deepEqual(
      ints.map((group) => group.tests.map(({ op: name }) => name)),
      [['greater']],
    );
  });

  it('requires both filters of a selector in one table', () => {
    const { intTable } = compileArgument(
      'int',
      `${filterYaml('Equal', ...numbersBelow(9))}; ${filterYaml('Equal', 8, 9)}`,
    );
    assert.deepEqual(
      intTable?.entries.filter(({ match }) => match.length > 0).map((entry) => entry.value),
      [8n],
    );
  });

  it('keeps negative numbers as 64 bits', () => {
    const { intTable } = compileArgument('int8', filterYaml('NotEqual', -1, ...numbersBelow(8)));
    assert.deepEqual(intTable?.entries.at(-1), { value: 2n ** 64n - 1n, match: [], reject: [0] });
    assert.deepEqual(intTable?.positive, []);
  });

  const ranges: readonly (readonly [string, string, readonly (string | number)[], unknown[]])[] = [
    ['int', 'InRange', ['1:5'], [['range', 1n, 5n]]],
    ['int', 'InRange', ['-5:5'], [['range', 2n ** 64n - 5n, 5n]]],
    ['int', 'NotInRange', ['7:7'], [['equal', 7n]]],
    ['uint16', 'InRange', ['8:9', '1:3', '2:5', '6:7'], [['range', 1n, 9n]]],
    ['uint64', 'InRange', ['0:18446744073709551615'], [['range', 0n, 2n ** 64n - 1n]]],
    ['int', 'InMap', ['1', '3:5', '2', '9'], [['range', 1n, 5n], ['equal', 9n]]],
    ['int', 'NotInMap', [...numbersBelow(20), '30:40'], [['range', 0n, 19n], ['range', 30n, 40n]]],
    ['int', 'GT', [5, 7], [['greater', 5n], ['greater', 7n]]],
    ['capability', 'Equal', ['CAP_SYS_ADMIN', 3], [['equal', 21n], ['equal', 3n]]],
    ['kernel_cap_t', 'Equal', ['CAP_CHOWN', 'CAP_KILL', '0xff'], [['equal', 255n], ['equal', 33n]]],
    ['cap_effective', 'Mask', ['CAP_CHOWN', '0x100'], [['mask', 0x101n]]],
    ['syscall64', 'InMap', ['sys_openat', 'dup', '0:2'], [['range', 0n, 2n], ['equal', 32n], ['equal', 257n]]],
    ['syscall64', 'InRange', ['__x64_sys_dup:dup2'], [['range', 32n, 33n]]],
    ['syscall64', 'Equal', ['sys_newstat'], [['equal', 4n]]],
    ['bpf_cmd', 'LT', [3], [['less', 3n]]],
  ]; // prettier-ignore
  for (const [type, operator, values, expected] of ranges) {
    it(`${type} ${operator} ${values.join(' ')}`, () =>
      assert.deepEqual(listTests(compileArgument(type, filterYaml(operator, ...values))), expected));
  }

  it('compares signed ranges as signed', () => {
    assert.equal(compileArgument('int', filterYaml('InRange', '-1:1')).ints[0]?.tests[0]?.signed, true);
    assert.equal(compileArgument('ulong', filterYaml('InRange', '0:1')).ints[0]?.tests[0]?.signed, false);
  });

  const listsPolicy = (type: string): string =>
    policyYaml(
      `lists: [{name: dups, type: syscalls, values: [sys_dup, dup2, "999"]}]\nkprobes:\n- call: f\n  args: [{index: 0, type: ${type}}]\n  selectors: [{matchArgs: [{index: 0, operator: InMap, values: ["list:dups"]}]}]`,
    );
  it('uses the numbers of a list of system calls', () => {
    const [arg] = compileHook(listsPolicy('uint64')).args;
    assert.deepEqual(arg && listTests(arg), [['equal', 32n], ['equal', 33n], ['equal', 999n]]); // prettier-ignore
  });

  it('uses the numbers of 32-bit programs only for syscall64, which distinguishes them', () => {
    const listsPolicyFor32Bit = (type: string): string =>
      listsPolicy(type).replace('dup2', 'i386/sys_dup, __ia32_sys_open, x64/sys_close');
    const [arg] = compileHook(listsPolicyFor32Bit('syscall64')).args;
    assert.deepEqual(arg && (listTests(arg) as [string, bigint][]).map(([, number]) => number), [
      32n,
      0x8000_0000n + 41n,
      0x8000_0000n + 5n,
      3n,
      999n,
    ]);
    const isUnknownSyscall = (error: unknown): boolean =>
      error instanceof PolicyError && error.code === 'SYSCALL_UNKNOWN';
    assert.throws(() => compileHook(listsPolicyFor32Bit('uint64')), isUnknownSyscall);
    assert.throws(() => compileHook(listsPolicyFor32Bit('syscall64'), 'arm64'), isUnknownSyscall);
    assert.throws(() => compileHook(listsPolicy('syscall64').replace('dup2', 'mips/sys_dup')), isUnknownSyscall);
  });

  it('refuses a system call that the architecture does not have', () => {
    assert.throws(
      () => compileHook(listsPolicy('syscall64'), 'arm64'),
      (error) => error instanceof PolicyError && error.code === 'SYSCALL_UNKNOWN' && error.message.includes('arm64'),
    );
    assert.deepEqual(compileArgument('syscall64', filterYaml('Equal', 'sys_close')).ints[0]?.tests[0]?.value, 3n);
  });
});

describe('policy: string filters without tables', () => {
  const compileStrings = (...selectors: string[]): StringFilters => compileArgument('file', ...selectors).texts;

  it('searches for the substrings of all selectors in one scan', () => {
    assert.deepEqual(compileStrings(filterYaml('SubString', 'a', 'b'), filterYaml('SubString', 'b', 'B')).substrings, [
      {
        ignoreCase: false,
        selectors: [0, 1],
        needles: [
          { text: 'a', selectors: [0] },
          { text: 'b', selectors: [0, 1] },
          { text: 'B', selectors: [1] },
        ],
      },
    ]);
  });

  it('uses another scan for a second filter of a selector, and for another comparison', () => {
    const { substrings } = compileStrings(
      `${filterYaml('SubString', 'x')}; ${filterYaml('SubString', 'y')}; ${filterYaml('SubStringIgnCase', 'ÄÜZ')}`,
    );
    assert.deepEqual(
      substrings?.map(({ ignoreCase, needles }) => [ignoreCase, needles[0]?.text]),
      [
        [false, 'x'],
        [false, 'y'],
        [true, 'ÄÜz'],
      ],
    );
  });

  it('compares the bits of file types', () => {
    const { ints } = compileArgument('path', filterYaml('FileType', 'reg', 'dir'), filterYaml('NotFileType', 'socket'));
    assert.deepEqual(
      ints.map(({ negate, tests: own }) => [negate, own.map((test) => test.value)]),
      [
        [false, [0o100000n, 0o040000n]],
        [true, [0o140000n]],
      ],
    );
  });

  it('lists the selectors that compare inodes', () => {
    const { inode, equal } = compileStrings(`${filterYaml('Equal', '/a')}, inode: true`, filterYaml('Equal', '/a'));
    assert.deepEqual(inode, [0]);
    assert.deepEqual(equal?.entries, [{ value: '/a', match: [0, 1], reject: [] }]);
    assert.equal(compileStrings(`${filterYaml('Equal', '/a')}, inode: false`).inode, undefined);
  });
});

describe('policy: sockets of a compiled policy', () => {
  it('compares names and numbers', () => {
    const { net } = compileArgument(
      'sock',
      `${filterYaml('Protocol', 'IPPROTO_TCP', 17)}; ${filterYaml('Family', 'AF_INET6')}; ${filterYaml('State', 'TCP_LISTEN')}`,
    );
    assert.deepEqual(
      net.groups?.map(({ field, tests: own }) => [field, own.map((test) => test.value)]),
      [
        ['family', [10n]],
        ['protocol', [6n, 17n]],
        ['state', [10n]],
      ],
    );
  });

  it('merges ports and port ranges', () => {
    const { net } = compileArgument(
      'skb',
      `${filterYaml('SPort', '80:90', 91, 443)}; operator: NotDPortPriv`,
      filterYaml('NotSPort', 443),
    );
    assert.deepEqual(
      net.groups?.map(({ field, negate, selectors, tests: own }) => [field, negate, selectors, own.map((test) => [test.value, test.upper])]),
      [
        ['sourcePort', false, [0], [[80n, 91n], [443n, undefined]]],
        ['sourcePort', true, [1], [[443n, undefined]]],
        ['destinationPort', true, [0], [[0n, 1023n]]],
      ],
    ); // prettier-ignore
  });

  const networks: readonly (readonly [string, 4 | 6, string, number])[] = [
    ['10.0.0.1', 4, '0a000001', 32],
    ['10.1.2.3/8', 4, '0a000000', 8],
    ['10.1.255.3/23', 4, '0a01fe00', 23],
    ['0.0.0.0/0', 4, '00000000', 0],
    ['::1', 6, '00000000000000000000000000000001', 128],
    ['fd12::/8', 6, 'fd000000000000000000000000000000', 8],
    ['2001:db8:1:2:3:4:5:6/33', 6, '20010db8000000000000000000000000', 33],
    ['1::2:3', 6, '00010000000000000000000000020003', 128],
    ['::ffff:10.0.0.1', 4, '0a000001', 32],
    ['::ffff:10.1.0.0/112', 4, '0a010000', 16],
    ['::ffff:0:0/96', 4, '00000000', 0],
    ['::ffff:0:0/95', 6, '00000000000000000000fffe00000000', 95],
    ['64:ff9b::192.0.2.1', 6, '0064ff9b0000000000000000c0000201', 128],
  ];
  for (const [text, family, hex, bits] of networks) {
    it(text, () => {
      const entry = compileArgument('sock', filterYaml('DAddr', text)).net.destination?.entries[0];
      assert.deepEqual(entry?.value, { family, bytes: [...Buffer.from(hex, 'hex')], bits });
    });
  }

  it('gives a network the results of the networks that contain it', () => {
    const { source, destination } = compileArgument(
      'sock',
      `${filterYaml('SAddr', '10.0.0.0/8', '::/0')}; ${filterYaml('NotSAddr', '10.1.0.0/16')}`,
      filterYaml('SAddr', '10.1.2.0/24', '10.9.0.0/16'),
    ).net;
    assert.equal(destination, undefined);
    assert.deepEqual(
      source?.entries.map(({ value: { bytes, bits }, match, reject }) => [
        bytes.slice(0, 4).join('.'),
        bits,
        match,
        reject,
      ]),
      [
        ['10.0.0.0', 8, [0], []],
        ['10.1.0.0', 16, [0], [0]],
        ['10.1.2.0', 24, [0, 1], [0]],
        ['10.9.0.0', 16, [0, 1], []],
        ['0.0.0.0', 0, [0], []],
      ],
    );
  });
});

describe('policy: sources of values', () => {
  it('has the options of the policy for a value', () => {
    const hook = compileHook(
      kprobeYaml(`
        call: f
        syscall: false
        return: true
        args:
        - {index: 1, type: char_buf, sizeArgIndex: 3, maxData: true}
        - {index: 2, type: uint64}
        - {index: 0, type: string, resolve: mm.owner.comm, btfType: linux_binprm, btfTypeModule: ext4}
        - {index: 3, type: char_buf, returnCopy: true}
        data:
        - {index: 0, type: int, source: current_task, resolve: pid}
        - {index: 0, type: uint64, source: pt_regs, resolve: di}
        returnArg: {index: 0, type: sock}`),
    );
    const fields = ['source', 'resolve', 'btfType', 'btfTypeModule', 'sizeArgIndex', 'returnCopy', 'maxData'];
    const listed = [...hook.args, ...hook.data].map((each) =>
      Object.fromEntries(Object.entries(each).filter(([name]) => fields.includes(name))),
    );
    assert.deepEqual(listed, [
      { sizeArgIndex: 3, maxData: true },
      {},
      { resolve: 'mm.owner.comm', btfType: 'linux_binprm', btfTypeModule: 'ext4' },
      { returnCopy: true },
      { source: 'current_task', resolve: 'pid' },
      { source: 'pt_regs', resolve: 'di' },
    ]);
    assert.equal(hook.returnArg?.type, 'sock');
  });

  it('takes the index of matchData as a position, whatever the data have as index', () => {
    const compileData = (index: number): readonly CompiledValue[] =>
      compileHook(
        kprobeYaml(
          `call: f\ndata: [{index: 1, type: int, source: current_task, resolve: pid}, {index: 0, type: uint32, source: current_task, resolve: tgid}]\nselectors:\n- matchData: [{index: ${index}, operator: GT, values: ["5"]}]`,
        ),
      ).data;
    assert.deepEqual([0, 1].map((index) => compileData(index).map(({ ints }) => ints.length)), [[1, 0], [0, 1]]); // prettier-ignore
    assert.throws(() => compileData(2), PolicyError);
  });

  it('filters data and return values like args', () => {
    const hook = compileHook(
      kprobeYaml(`
        call: f
        return: true
        data: [{index: 7, type: int, source: current_task, resolve: pid}, {index: 7, type: string, source: current_task, resolve: comm}]
        returnArg: {index: 0, type: file}
        selectors:
        - matchData: [{args: [1], operator: Prefix, values: [a]}, {args: [0], operator: GT, values: ["5"]}]
          matchReturnArgs: [{index: 0, operator: FileType, values: [reg]}, {index: 0, operator: Postfix, values: [x]}]`),
    );
    assert.equal(hook.data[0]?.ints[0]?.tests[0]?.value, 5n);
    assert.deepEqual(hook.data[1]?.texts.prefix?.positive, [0]);
    assert.deepEqual(hook.returnArg?.texts.postfix?.positive, [0]);
    assert.equal(hook.returnArg?.ints[0]?.tests[0]?.value, 0o100000n);
  });
});
