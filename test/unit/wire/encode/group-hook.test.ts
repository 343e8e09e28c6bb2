/** Compiled hooks as the rules of a group, and hooks that no group can have. */
import assert from 'node:assert/strict';
import { compilePolicy } from '../../../../lib/policy/index.js';
import type { CompiledHook } from '../../../../lib/compiled/compiled-policy.js';
import {
  encodeGroupProgram,
  lookUpKind,
  toGroupRules,
  type GroupRuleSource,
} from '../../../../lib/wire/encode/group-hook.js';
import {
  ActionFlag,
  GroupAddress,
  GroupFlag,
  GroupLimit,
  GroupTestKind,
  HookConfig,
  IntOp,
  NetDetail,
  ObjectConfig,
  ProcessField,
  SelectorActions,
  StackKind,
} from '../../../../lib/wire/layout.gen.js';
import { encodeContext } from '../../compiled-hooks.js';

const context = encodeContext({ processBits: [40, 41, 42], scopeBits: [50] });
const FILE_ARGS = '[{index: 0, type: file}, {index: 1, type: int}]';

function compile(selectors: string, args = FILE_ARGS, more = ''): CompiledHook {
  const { hooks } = compilePolicy(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: p}
spec:
  kprobes:
  - call: security_file_permission
    syscall: false
    args: ${args}
    ${more}
    selectors:
${selectors
  .trim()
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
`);
  return hooks[0] as CompiledHook;
}

function rulesOf(selectors: string, args?: string): readonly GroupRuleSource[] {
  const rules = toGroupRules(compile(selectors, args), context);
  assert.ok(typeof rules !== 'string');
  return rules;
}

const onPath = (operator: string, ...values: readonly string[]): string =>
  `- matchArgs: [{index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}]`;

describe('rules of a group', () => {
  it('strings: Equal ends with NUL, Postfix is reversed, and bytes are characters', () => {
    const rules = rulesOf([onPath('Equal', '/ä'), onPath('Prefix', '/a/'), onPath('Postfix', '.txt')].join('\n'));
    assert.deepEqual(
      rules.map(({ selector, strings }) => [selector, strings]),
      [
        [0, { string: 0, table: 'prefix', keys: ['/\xc3\xa4\0'], isPrefix: false, negate: false }],
        [1, { string: 0, table: 'prefix', keys: ['/a/'], isPrefix: true, negate: false }],
        [2, { string: 0, table: 'postfix', keys: ['txt.'], isPrefix: false, negate: false }],
      ],
    );
  });

  it('several filters on the string: one that need not be negated leads to the rule', () => {
    const [rule] = rulesOf(`- matchArgs:
  - {index: 0, operator: NotEqual, values: [/a/b, /a/c]}
  - {index: 0, operator: Prefix, values: [/a/]}
  - {index: 0, operator: NotPostfix, values: [.so]}`);
    assert.deepEqual(rule?.strings?.keys, ['/a/']);
    assert.deepEqual(rule.further, [
      { string: 0, table: 'prefix', keys: ['/a/b\0', '/a/c\0'], isPrefix: false, negate: true },
      { string: 0, table: 'postfix', keys: ['os.'], isPrefix: false, negate: true },
    ]);
  });

  it('no filter on the string, or only negated ones: the empty string leads to the rule', () => {
    const [any, negated] = rulesOf(
      ['- matchArgs: [{index: 1, operator: Equal, values: ["4"]}]', onPath('NotPrefix', '/a/')].join('\n'),
    );
    const strings = { string: 0, table: 'prefix', keys: [''], isPrefix: true, negate: false };
    assert.deepEqual([any?.strings, any?.further], [strings, []]);
    assert.equal(any?.tests.length, 1);
    assert.deepEqual(negated?.strings, strings);
    assert.deepEqual(negated.further, [{ string: 0, table: 'prefix', keys: ['/a/'], isPrefix: true, negate: true }]);
    assert.deepEqual(
      negated.tests.map(({ kind }) => kind),
      [GroupTestKind.GROUP_TEST_PRESENT],
      'a file without a path does not match',
    );
    const [program] = rulesOf(onPath('NotPrefix', '/a/'), '[{index: 0, type: linux_binprm}]');
    assert.deepEqual(program?.tests, [], 'a program without a path is hidden');
  });

  it('hooks to which each string leads have groups of their own', () => {
    const kinds = [
      onPath('Equal', '/a'),
      onPath('NotEqual', '/a'),
      '- matchArgs: [{index: 1, operator: Equal, values: ["4"]}]',
      `${onPath('Postfix', '/a')}\n${onPath('NotPrefix', '/a')}`,
    ].map((selectors) => lookUpKind(rulesOf(selectors)));
    assert.deepEqual(kinds, ['undefined', 'any string', 'any string', 'any string']);
  });

  const PATHS = '[{index: 0, type: path}, {index: 1, type: path}, {index: 2, type: string}]';

  it('two strings: a filter on either leads to the rule, and those of the other one are compared', () => {
    const [onFirst, onSecond, negated] = rulesOf(
      `- matchArgs: [{index: 1, operator: Prefix, values: [/a]}, {index: 0, operator: NotEqual, values: [/b]}]
- matchArgs: [{index: 0, operator: Postfix, values: [c]}, {index: 1, operator: Equal, values: [/d]}]
- matchArgs: [{index: 1, operator: NotPrefix, values: [/e]}]`,
      PATHS,
    );
    assert.deepEqual(onFirst?.strings, { string: 1, table: 'prefix', keys: ['/a'], isPrefix: true, negate: false });
    assert.deepEqual(onFirst.further, [{ string: 0, table: 'prefix', keys: ['/b\0'], isPrefix: false, negate: true }]);
    assert.deepEqual(
      onFirst.tests.map(({ kind, index }) => [kind, index]),
      [[GroupTestKind.GROUP_TEST_PRESENT, 0]],
    );
    assert.deepEqual(onSecond?.strings, { string: 0, table: 'postfix', keys: ['c'], isPrefix: false, negate: false });
    assert.deepEqual(onSecond.further, [
      { string: 1, table: 'prefix', keys: ['/d\0'], isPrefix: false, negate: false },
    ]);
    assert.deepEqual(negated?.strings?.keys, ['']);
    assert.equal(negated.strings.string, 0);
    assert.deepEqual(
      negated.tests.map(({ kind, index }) => [kind, index]),
      [[GroupTestKind.GROUP_TEST_PRESENT, 1]],
    );
  });

  it('two strings: those with filters are read first, and none is in the negative cache', () => {
    const objects = (...slots: readonly number[]): readonly (readonly [number, number])[] => {
      const filters = slots.map((slot) => `{index: ${slot}, operator: Equal, values: [/a]}`).join(', ');
      const own = { ...context, groupLocks: { rename: 1n, mount: 1n, memoryMount: 0n, cpus: 1, holdTicks: 25 } };
      const { config } = encodeGroupProgram(compile(`- matchArgs: [${filters}]`, PATHS), own);
      const view = new DataView((config as Uint8Array<ArrayBuffer>).buffer);
      assert.equal(view.getUint32(HookConfig.cacheEntries, true) > 0, slots.length === 1);
      return [0, 1, 2].map((i) => {
        const at = HookConfig.objects + i * HookConfig.objectsStride;
        return [view.getUint8(at + ObjectConfig.slot), view.getUint8(at + ObjectConfig.filtered)];
      });
    };
    assert.deepEqual(objects(1), [[1, 1], [2, 0], [0, 0]]); // prettier-ignore
    assert.deepEqual(objects(0, 1), [[0, 1], [1, 1], [2, 0]]); // prettier-ignore
    assert.deepEqual(objects(1, 2), [[2, 1], [1, 1], [0, 0]]); // prettier-ignore
  });

  it('numbers: alternatives end with the last one, and exclusions are negated', () => {
    const [first, second] = rulesOf(`- matchArgs:
  - {index: 0, operator: Equal, values: [/a]}
  - {index: 1, operator: Equal, values: ["2", "4"]}
- matchArgs:
  - {index: 0, operator: Equal, values: [/a]}
  - {index: 1, operator: NotEqual, values: ["1"]}`);
    const common = { kind: GroupTestKind.GROUP_TEST_NUMBER, index: 1, op: IntOp.INT_EQUAL, upper: 0n };
    assert.deepEqual(first?.tests, [
      { ...common, value: 2n, negate: false, last: false },
      { ...common, value: 4n, negate: false, last: true },
    ]);
    assert.deepEqual(second?.tests, [{ ...common, value: 1n, negate: true, last: true }]);
  });

  it('many numbers, which separate programs have in a table', () => {
    const numbers = (count: number): string => JSON.stringify(Array.from({ length: count }, (_, i) => String(i)));
    const args = '[{index: 0, type: int}]';
    const [rule] = rulesOf(`- matchArgs: [{index: 0, operator: Equal, values: ${numbers(40)}}]`, args);
    assert.equal(rule?.tests.length, 40);
    assert.equal(rule.numbers.get(0)?.length, 40);
    const [not] = rulesOf(`- matchArgs: [{index: 0, operator: NotEqual, values: ${numbers(40)}}]`, args);
    assert.ok(not !== undefined && not.tests.every(({ negate }) => negate));
    assert.equal(not.numbers.size, 0);
    const many = toGroupRules(
      compile(`- matchArgs: [{index: 0, operator: Equal, values: ${numbers(65)}}]`, args),
      context,
    );
    assert.equal(many, 'a filter has more than 64 values');
  });

  it('the process: its sets, those of its parent, its ids and namespaces, and flags', () => {
    const [rule, suppressing] = rulesOf(`${onPath('Equal', '/a')}
  matchBinaries: [{operator: NotIn, values: [/bin/a]}]
  matchParentBinaries: [{operator: In, values: [/bin/b]}]
  matchPIDs: [{operator: In, values: [1], isNamespacePID: false, followForks: false}]
  matchActions: [{action: Post}]
${onPath('Equal', '/b')}
  matchNamespaces: [{namespace: Pid, operator: In, values: [host_ns]}]
  matchActions: [{action: NoPost}]`);
    const { GROUP_TEST_SET, GROUP_TEST_PARENT_SET, GROUP_TEST_PROCESS } = GroupTestKind;
    assert.deepEqual(
      rule?.tests.map(({ kind, index, negate }) => [kind, negate, kind === GROUP_TEST_PROCESS ? index : index >= 40]),
      [
        [GROUP_TEST_SET, true, true],
        [GROUP_TEST_PARENT_SET, false, true],
        [GROUP_TEST_PROCESS, false, ProcessField.PROCESS_TGID],
      ],
    );
    assert.ok((rule.flags & GroupFlag.GROUP_COUNTS) !== 0 && (rule.flags & GroupFlag.GROUP_NO_POST) === 0);
    assert.deepEqual(
      suppressing?.tests.map(({ value }) => value),
      [4n],
    );
    const { GROUP_COUNTS, GROUP_NO_POST, GROUP_SUPPRESSES } = GroupFlag;
    assert.equal(suppressing?.flags, GROUP_COUNTS | GROUP_NO_POST | GROUP_SUPPRESSES);
  });

  it('actions: those of the rule, and what the program of the group needs for all of them', () => {
    const hook = compile(`${onPath('Equal', '/a')}
  matchActions: [{action: Sigkill}, {action: Post, kernelStackTrace: true}]
${onPath('Equal', '/b')}
  matchActions: [{action: GetUrl, argUrl: "http://localhost/"}, {action: NoPost}]
${onPath('Equal', '/c')}
  matchActions: [{action: NoPost}]`);
    const rules = toGroupRules(hook, context);
    assert.ok(typeof rules !== 'string');
    assert.deepEqual(
      rules.map(({ actions, flags }) => [actions?.signal, actions?.kernelStack, flags & GroupFlag.GROUP_NO_POST]),
      [
        [9, true, 0],
        // a request needs an event
        [undefined, undefined, 0],
        [undefined, undefined, GroupFlag.GROUP_NO_POST],
      ],
    );
    const config = (own: CompiledHook): DataView =>
      new DataView((encodeGroupProgram(own, context) as { config: Uint8Array<ArrayBuffer> }).config.buffer);
    const view = config(hook);
    assert.equal(view.getUint8(HookConfig.hasActions), ActionFlag.ACTIONS_ANY);
    assert.equal(view.getUint8(HookConfig.actions + SelectorActions.stacks), StackKind.STACK_KERNEL);
    // the program itself sends no signal
    assert.equal(view.getUint8(HookConfig.actions + SelectorActions.signal), 0);
    assert.equal(config(compile(onPath('Equal', '/a'))).getUint8(HookConfig.hasActions), 0);
  });

  it('a scope is a bit', () => {
    const { hooks } = compilePolicy(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: {name: p, namespace: shop}
spec:
  kprobes:
  - call: security_file_permission
    syscall: false
    args: ${FILE_ARGS}
    selectors:
    ${onPath('Equal', '/a')}
`);
    const rules = toGroupRules(hooks[0] as CompiledHook, context);
    assert.ok(typeof rules !== 'string');
    assert.deepEqual(
      rules[0]?.tests.map(({ kind, index }) => [kind, index]),
      [[GroupTestKind.GROUP_TEST_SCOPE, 50]],
    );
  });

  it('the program has no filters of its own: it is the same for all hooks that read the same', () => {
    const [one, other] = [onPath('Equal', '/a'), onPath('Prefix', '/b')].map((selector) =>
      encodeGroupProgram(compile(selector), context),
    );
    assert.deepEqual(one?.config, other?.config);
    const view = new DataView((one as { config: Uint8Array<ArrayBuffer> }).config.buffer);
    assert.equal(view.getUint8(HookConfig.objects + ObjectConfig.filtered), 1);
    const numbers = encodeGroupProgram(
      compile('- matchArgs: [{index: 1, operator: Equal, values: ["1"]}]', '[{index: 1, type: int}]'),
      context,
    );
    assert.notDeepEqual(numbers.config, one?.config);
  });

  it('hooks that override have another program, which is the same for all values', () => {
    const [report, one, other] = ['Post', 'Override, argError: -1', 'Override, argError: -13'].map(
      (action) =>
        encodeGroupProgram(compile(`${onPath('Equal', '/a')}\n  matchActions: [{action: ${action}}]`), context).config,
    ) as [Uint8Array, Uint8Array, Uint8Array];
    assert.deepEqual(one, other);
    assert.notDeepEqual(report, one);
    assert.equal((one[HookConfig.hasActions] ?? 0) & ActionFlag.ACTIONS_OVERRIDE, ActionFlag.ACTIONS_OVERRIDE);
  });

  it('hooks of policies that track sockets find owners; those that store or delete one have the same program', () => {
    const [report, track, untrack] = ['Post', 'TrackSock, argSock: 0', 'UntrackSock, argSock: 0'].map((action) =>
      compile(`${onSocket('operator: DPort, values: ["80"]')}\n  matchActions: [{action: ${action}}]`, SOCK_ARGS),
    ) as [CompiledHook, CompiledHook, CompiledHook];
    const encode = (hook: CompiledHook): Uint8Array => encodeGroupProgram(hook, context).config;
    const finding = encode({ ...report, findsOwner: true });
    assert.deepEqual(
      [encode(report), finding].map((config) => config[HookConfig.findsOwner]),
      [0, 1],
    );
    assert.deepEqual(encode(track), encode(untrack));
    assert.notDeepEqual(encode(track), finding);
    const orders = [track, untrack].map((hook) => {
      const rules = toGroupRules(hook, context);
      assert.ok(typeof rules !== 'string');
      return rules[0]?.actions?.order;
    });
    assert.deepEqual(orders, [['trackSock'], ['untrackSock']]);
  });
});

function refusal(hook: CompiledHook, own = context): string {
  const result = toGroupRules(hook, own);
  return typeof result === 'string' ? result : 'none';
}

const SOCK_ARGS = '[{index: 0, type: sock}, {index: 1, type: int}]';

const onSocket = (...filters: readonly string[]): string =>
  `- matchArgs: [${filters.map((filter) => `{index: 0, ${filter}}`).join(', ')}]`;

const addresses = (count: number): string[] => Array.from({ length: count }, (_, i) => `10.0.0.${i}`);

describe('rules on sockets and addresses', () => {
  const word = (offset: number): number => (offset / 4) << GroupLimit.GROUP_WORD_SHIFT;
  const lookUp = (offset: number): number => word(offset) + (1 << GroupLimit.GROUP_WORD_SHIFT);

  it('fields are words of the detail, and a port that Equal names can be looked up', () => {
    const [rule, other] = rulesOf(
      [
        onSocket('operator: DPort, values: ["80", "443"]', 'operator: Family, values: [AF_INET]'),
        onSocket('operator: NotDPort, values: ["443"]', 'operator: SPort, values: ["1:2"]'),
      ].join('\n'),
      SOCK_ARGS,
    );
    const common = { kind: GroupTestKind.GROUP_TEST_NET, upper: 0n, negate: false, op: IntOp.INT_EQUAL };
    const port = { ...common, index: word(NetDetail.destinationPort) };
    assert.deepEqual(rule?.tests, [
      { ...common, index: word(NetDetail.family), value: 2n, last: true },
      { ...port, value: 80n, last: false },
      { ...port, value: 443n, last: true },
    ]);
    assert.deepEqual([...rule.numbers], [[lookUp(NetDetail.destinationPort), [80n, 443n]]]);
    assert.equal(other?.numbers.size, 0);
    assert.deepEqual(
      other.tests.map(({ index, op, value, upper, negate }) => [index, op, value, upper, negate]),
      [
        [word(NetDetail.sourcePort), IntOp.INT_RANGE, 1n, 2n, false],
        [word(NetDetail.destinationPort), IntOp.INT_EQUAL, 443n, 0n, true],
      ],
    );
  });

  it('a network is its address as a number, its bits, its side and its family', () => {
    const [rule] = rulesOf(
      onSocket('operator: SAddr, values: [10.1.0.0/16]', 'operator: NotDAddr, values: ["fe80::1/128", "::/0"]'),
      SOCK_ARGS,
    );
    const source = GroupLimit.GROUP_SOURCE << GroupLimit.GROUP_WORD_SHIFT;
    assert.deepEqual([...(rule?.networks ?? [])], [[source, [{ family: 4, bytes: [10, 1, 0, 0], bits: 16 }]]]);
    const { GROUP_ADDRESS_DESTINATION, GROUP_ADDRESS_IPV6 } = GroupAddress;
    const to = { index: GROUP_ADDRESS_DESTINATION | GROUP_ADDRESS_IPV6, negate: true };
    assert.deepEqual(
      rule?.tests.map(({ kind, ...test }) => ({ ...test, isNetwork: kind === GroupTestKind.GROUP_TEST_NETWORK })),
      [
        { index: 0, op: 16, value: 0x0a01n << 48n, upper: 0n, negate: false, last: true, isNetwork: true },
        { ...to, op: 0, value: 0n, upper: 0n, last: false, isNetwork: true },
        { ...to, op: 128, value: 0xfe80n << 48n, upper: 1n, last: true, isNetwork: true },
      ],
    );
  });

  it('the program is the same for all filters, and compares none of them itself', () => {
    const configs = [
      onSocket('operator: DPort, values: ["443"]'),
      onSocket('operator: NotDAddr, values: [10.0.0.1]'),
    ].map((selector) => encodeGroupProgram(compile(selector, SOCK_ARGS), context).config);
    assert.deepEqual(configs[0], configs[1]);
    assert.equal(configs[0]?.[HookConfig.objects + ObjectConfig.filtered], 0);
  });
});

describe('hooks that no group can have', () => {
  const equal = onPath('Equal', '/a');
  const cases: readonly (readonly [string, () => CompiledHook, reason: RegExp])[] = [
    [
      'a notification',
      () => ({ ...compile(equal), actions: [{ order: ['notifyEnforcer', 'post'] }] }),
      /action notifyEnforcer/,
    ],
    ['an IMA hash', () => ({ ...compile(equal), actions: [{ order: ['post'], imaHash: true }] }), /IMA hash/],
    [
      'a selector that yields to one that acts',
      () =>
        compile(`${equal}
  matchBinaries: [{operator: In, values: [/bin/a]}]
  matchActions: [{action: Post}]
${equal}
  matchActions: [{action: Sigkill}]`),
      /before one that acts/,
    ],
    [
      'an expression',
      () => compile(`- matchArgs: [{args: [1], operator: CelExpr, values: ["arg1 > 3"]}]`),
      /expression/,
    ],
    ['a change', () => compile(`${equal}\n  matchNamespaceChanges: [{operator: In, values: [Mnt]}]`), /Changes/],
    ['a substring', () => compile(onPath('SubString', 'a')), /other than Equal, Prefix and Postfix/],
    ['a file type', () => compile(onPath('FileType', 'dir')), /other than Equal, Prefix and Postfix/],
    [
      'an inode',
      () => compile('- matchArgs: [{index: 0, operator: Equal, values: [/a], inode: true}]'),
      /other than Equal/,
    ],
    ['a long string', () => compile(onPath('Equal', `/${'a'.repeat(254)}`)), /more than 254 bytes/],
    [
      'a path and a socket',
      () => compile(onPath('Equal', '/a'), '[{index: 0, type: file}, {index: 1, type: sock}]'),
      /a string and a value of the type sock/,
    ],
    [
      'many networks',
      () => compile(onSocket(`operator: DAddr, values: ${JSON.stringify(addresses(65))}`), SOCK_ARGS),
      /more than 64 values/,
    ],
    [
      'a fifth path',
      () =>
        compile(
          `- matchArgs: [${[0, 1, 2, 3, 4].map((index) => `{index: ${index}, operator: Equal, values: [/a]}`).join(', ')}]`,
          `[${[0, 1, 2, 3, 4].map((index) => `{index: ${index}, type: path}`).join(', ')}]`,
        ),
      /more than 4 strings/,
    ],
    [
      'an id in its own namespace',
      () => compile(`${equal}\n  matchPIDs: [{operator: In, values: [1], isNamespacePID: true}]`),
      /own namespace/,
    ],
  ];
  for (const [what, hook, reason] of cases) {
    it(what, () => assert.match(refusal(hook()), reason));
  }

  it('values of the entry and the return', () => {
    assert.match(refusal(compile(equal), { ...context, pair: true }), /entry and at the return/);
  });

  it('actions of the return', () => {
    const hook = compile(equal);
    assert.match(refusal({ ...hook, returnActions: [] }), /matchReturnActions/);
    assert.match(refusal({ ...hook, returnedSocket: 'trackSock' }), /returnArgAction/);
  });
});
