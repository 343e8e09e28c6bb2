/** Policies that Tetragon accepts: polytrace accepts them with the same semantics. */
import assert from 'node:assert/strict';
import { compilePolicy, validatePolicy } from '../../../lib/policy/index.js';
import type { CompiledHook, CompiledValue } from '../../../lib/compiled/compiled-policy.js';
import { hasReturnProgram } from '../../../lib/compiled/compiled-hook.js';
import { kprobeYaml, policyYaml } from './marked-policies.js';

/** The subject of a row, a policy, and a check of its first compiled hook. */
type Row = readonly [subject: string, yaml: string, check: (hook: CompiledHook) => void];

const listFiltered = (values: readonly CompiledValue[]): number[] =>
  values.flatMap(({ ints, texts, net }, i) =>
    ints.length > 0 || Object.keys(texts).length > 0 || Object.keys(net).length > 0 ? [i] : [],
  );
const listEqualValues = (value: CompiledValue | undefined): bigint[] =>
  (value?.ints ?? []).flatMap(({ tests }) => tests.map((test) => BigInt.asIntN(64, test.value)));

const ARGS = 'args: [{index: 3, type: int}, {index: 0, type: int}]';
const equalSelector = (filter: string): string =>
  `selectors: [{matchArgs: [{${filter}, operator: Equal, values: ["1"]}]}]`;
/** A hook of each kind, for the two arguments of ARGS. */
const KINDS: Readonly<Record<string, string>> = {
  kprobes: 'call: f, syscall: false',
  fentries: 'call: f, syscall: false',
  tracepoints: 'subsystem: a, event: b',
  uprobes: 'path: /bin/sh, symbols: [main]',
  usdts: 'path: /bin/sh, provider: a, name: b',
  lsmhooks: 'hook: file_open',
};
const addressSelector = (operator: string, ...values: readonly string[]): string =>
  `selectors: [{matchArgs: [{index: 1, operator: ${operator}, values: [${values.map((value) => `"${value}"`).join(', ')}]}]}]`;
const intFilterYaml = (filter: string): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nargs: [{index: 0, type: int}]\nselectors: [{matchArgs: [{index: 0, ${filter}}]}]`,
  );

const rows: readonly Row[] = [
  ...Object.entries(KINDS).flatMap(([kind, fields]): Row[] => [
    [
      `${kind}: index is that of the argument`,
      policyYaml(`${kind}: [{${fields}, ${ARGS}, ${equalSelector('index: 0')}}]`),
      ({ args }) => assert.deepEqual(listFiltered(args), [1]),
    ],
    [
      `${kind}: args is a position`,
      policyYaml(`${kind}: [{${fields}, ${ARGS}, ${equalSelector('args: [0]')}}]`),
      ({ args }) => assert.deepEqual(listFiltered(args), [0]),
    ],
  ]),
  [
    'tracepoints: an index that no argument has is a position',
    policyYaml(`tracepoints: [{subsystem: a, event: b, args: [{index: 4, type: int}], ${equalSelector('index: 0')}}]`),
    ({ args }) => assert.deepEqual(listFiltered(args), [0]),
  ],
  [
    'the same index twice: the first is meant',
    kprobeYaml(
      `call: f\nsyscall: false\nargs: [{index: 0, type: int}, {index: 0, type: int}]\n${equalSelector('index: 0')}`,
    ),
    ({ args }) => assert.deepEqual([args.length, listFiltered(args)], [2, [0]]),
  ],
  [
    'the bits of a negative number',
    intFilterYaml('operator: Equal, values: ["4294967295", "0xfffffffe"]'),
    ({ args }) => assert.deepEqual(listEqualValues(args[0]), [-1n, -2n]),
  ],
  [
    'the bits of a negative number, compared',
    intFilterYaml('operator: GreaterThan, values: ["4294967295"]'),
    ({ args }) => assert.deepEqual(listEqualValues(args[0]), [-1n]),
  ],
  [
    'the bits of negative numbers in a table',
    intFilterYaml(`operator: InMap, values: [${[...'123456789'].map((n) => `"429496728${n}"`).join(', ')}]`),
    ({ args }) => assert.equal(args[0]?.intTable?.entries.at(-1)?.value, BigInt.asUintN(64, -7n)),
  ],
  [
    'Equal with an empty string',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: string}]\nselectors: [{matchArgs: [{index: 0, operator: Equal, values: [""]}]}]',
    ),
    ({ args }) => assert.deepEqual(args[0]?.texts.equal?.entries.map(({ value }) => value), ['']), // prettier-ignore
  ],
  ['an empty message', kprobeYaml('call: f\nmessage: ""'), (hook) => assert.equal(hook.message, undefined)],
  [
    'returnCopy alone: entry and return',
    kprobeYaml('call: f\nargs: [{index: 1, type: char_buf, returnCopy: true}]'),
    (hook) =>
      assert.deepEqual([hasReturnProgram(hook), hook.returnArg, hook.args[0]?.returnCopy], [true, undefined, true]),
  ],
  [
    'returnCopy alone, of a uprobe',
    policyYaml(
      'uprobes: [{path: /bin/sh, symbols: [read], args: [{index: 1, type: char_buf, returnCopy: true, sizeArgIndex: 3}, {index: 2, type: size_t}]}]',
    ),
    (hook) => assert.equal(hasReturnProgram(hook), true),
  ],
  [
    'resolve begins with an element',
    kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: int, resolve: "[0]", btfType: file}]'),
    ({ args }) => assert.equal(args[0]?.resolve, '[0]'),
  ],
  ...['rax', 'eax', 'ax', 'al', 'r15', 'r15d', 'r15w', 'r15b', 'esp', 'dil'].map((name): Row => [
    `the register ${name}`,
    kprobeYaml(`call: f\ndata: [{index: 0, type: uint64, source: pt_regs, resolve: ${name}}]`),
    ({ data }) => assert.equal(data[0]?.resolve, name),
  ]),
  [
    'assignments to parts of registers',
    policyYaml(
      'uprobes: [{path: /bin/sh, symbols: [main], selectors: [{matchActions: [{action: Override, argRegs: ["eax=1", "r15d=%bl"]}]}]}]',
    ),
    ({ actions }) =>
      assert.deepEqual(
        actions?.[0]?.registers?.map(({ to, from }) => [to, from]),
        [
          ['eax', undefined],
          ['r15d', 'bl'],
        ],
      ),
  ],
  [
    'the family of a local socket',
    kprobeYaml(
      `call: f\nsyscall: false\nargs: [{index: 1, type: sockaddr_un}]\n${addressSelector('Family', 'AF_UNIX')}`,
    ),
    ({ args }) => assert.deepEqual(listEqualValues(args[0]), [1n]),
  ],
  [
    'an abstract name with its NUL, and a padded one',
    kprobeYaml(
      `call: f\nargs: [{index: 1, type: sockaddr_un}]\n${addressSelector('Equal', '\\0abstract', '/run/x\\0\\0')}`,
    ),
    ({ args }) => assert.deepEqual(args[0]?.texts.equal?.entries.map(({ value }) => value), ['/run/x', '@abstract']), // prettier-ignore
  ],
  ...['char_buf', 'const_buf', 'char_iovec', 'fd'].map((type): Row => [
    `${type} of a tracepoint`,
    policyYaml(
      `tracepoints: [{subsystem: syscalls, event: sys_enter_write, args: [{index: 6, type: ${type}${type === 'fd' ? '' : ', sizeArgIndex: 8'}}, {index: 7, type: size_t}]}]`,
    ),
    ({ args }) => assert.deepEqual([args[0]?.type, args[0]?.sizeArgIndex], [type, type === 'fd' ? undefined : 8]),
  ]),
  [
    'a status of the resource',
    `${kprobeYaml('call: f')}status: {state: enabled}\n`,
    (hook) => assert.equal(hook.call, 'f'),
  ],
  [
    'keys in another case',
    policyYaml(
      'uprobes: [{path: /bin/sh, BTFPath: /btf, symbols: [a], Selectors: [{matchPids: [{operator: In, values: [7]}]}]}]',
    ),
    (hook) => assert.deepEqual([hook.btfPath, hook.process[0]?.tests[0]?.value], ['/btf', 7n]),
  ],
  ...['args', 'selectors', 'tags', 'data'].map((list): Row => [
    `${list} without a value`,
    kprobeYaml(`call: f\n${list}: null`),
    (hook) => assert.deepEqual([hook.args, hook.data, hook.tags, hook.selectors], [[], [], [], 1]),
  ]),
];

describe('policy: the semantics of Tetragon', () => {
  for (const [subject, yaml, check] of rows) {
    it(subject, () => {
      assert.deepEqual(validatePolicy(yaml).filter(({ severity }) => severity === 'error'), []); // prettier-ignore
      const [hook] = compilePolicy(yaml).hooks;
      assert.ok(hook);
      check(hook);
    });
  }
});
