/** Actions of selectors, in the compiled policy and in the bytes for the kernel. */
import { hasEnforcingAction } from '../../../lib/compiled/compiled-hook.js';
import assert from 'node:assert/strict';
import type { ActionName } from '../../../lib/policy/language/vocabulary.js';
import { compilePolicy } from '../../../lib/policy/index.js';
import type { CompiledHook, SelectorActions } from '../../../lib/compiled/compiled-policy.js';
import { encodeHook } from '../../../lib/wire/encode/hook.js';
import { HookConfig, SelectorActions as Layout } from '../../../lib/wire/layout.gen.js';
import { encodeContext, compiledHook, compiledValue } from '../compiled-hooks.js';
import { kprobeYaml, policyYaml } from './marked-policies.js';

function compileActions(actions: string): readonly SelectorActions[] | undefined {
  return compilePolicy(
    kprobeYaml(`call: security_file_open\nsyscall: false\nselectors: [{matchActions: [${actions}]}, {}]`),
  ).hooks[0]?.actions;
}

/** A hook with each action, and the actions of its first selector in the compiled policy. */
const EACH_ACTION: Readonly<Record<ActionName, readonly [hooks: string, compiled: SelectorActions | undefined]>> = {
  Post: [kprobeHook('{action: Post, kernelStackTrace: true}'), { order: ['post'], kernelStack: true }],
  NoPost: [kprobeHook('{action: NoPost}'), { order: ['noPost'] }],
  Sigkill: [kprobeHook('{action: Sigkill}'), { order: ['sigkill'], signal: 9 }],
  Signal: [kprobeHook('{action: Signal, argSig: 10}'), { order: ['signal'], signal: 10 }],
  Override: [kprobeHook('{action: Override, argError: -13}'), { order: ['override'], override: -13 }],
  GetUrl: [
    kprobeHook('{action: GetUrl, argUrl: "http://127.0.0.1/"}'),
    { order: ['getUrl'], requests: ['http://127.0.0.1/'] },
  ],
  DnsLookup: [kprobeHook('{action: DnsLookup, argFqdn: a.example}'), { order: ['dnsLookup'], requests: ['a.example'] }],
  Mark: [kprobeHook('{action: Mark, mark: seen}'), { order: ['mark'], marks: ['seen'] }],
  Unmark: [
    kprobeHook('{action: Mark, mark: seen}, {action: Unmark, mark: seen}'),
    { order: ['mark', 'unmark'], marks: ['seen', 'seen'] },
  ],
  TrackSock: [kprobeHook('{action: TrackSock}'), { order: ['trackSock'] }],
  UntrackSock: [kprobeHook('{action: UntrackSock}'), { order: ['untrackSock'] }],
  NotifyEnforcer: [
    enforcerHooks('{action: NotifyEnforcer, argSig: 9}'),
    { order: ['notifyEnforcer'], notify: { signal: 9 } },
  ],
  CleanupEnforcerNotification: [
    enforcerHooks('{action: CleanupEnforcerNotification}'),
    { order: ['cleanupEnforcerNotification'] },
  ],
  Set: [
    'usdts: [{path: /bin/a, provider: p, name: n, args: [{index: 0, type: int32}], selectors: [{matchActions: [{action: Set, argIndex: 0, argValue: 7}]}]}]',
    { order: ['set'], set: { argument: 0, value: 7 } },
  ],
  Count: [kprobeHook('{action: Count, metric: calls}'), { order: ['count', 'noPost'] }],
};

function kprobeHook(action: string): string {
  return `kprobes: [{call: tcp_connect, syscall: false, args: [{index: 0, type: sock}], selectors: [{matchActions: [${action}]}]}]`;
}

function enforcerHooks(action: string): string {
  return `enforcers: [{calls: [security_file_open]}]\n${kprobeHook(action)}`;
}

describe('policy: actions of a compiled policy', () => {
  for (const [name, [hooks, compiled]] of Object.entries(EACH_ACTION)) {
    it(name, () => {
      assert.deepEqual(compilePolicy(policyYaml(hooks)).hooks.at(-1)?.actions?.[0], compiled);
    });
  }

  it('are absent if every selector only posts', () => {
    assert.equal(compileActions('{action: Post}'), undefined);
  });

  it('have the order of the policy', () => {
    assert.deepEqual(
      compileActions('{action: Override, argError: -1}, {action: Signal, argSig: 10}, {action: NoPost}'),
      [{ order: ['override', 'signal', 'noPost'], signal: 10, override: -1 }, { order: ['post'] }],
    );
    assert.deepEqual(compileActions('{action: Sigkill}')?.[0], { order: ['sigkill'], signal: 9 });
  });

  it('have the hash of a file', () => {
    const text =
      'lsmhooks: [{hook: mmap_file, args: [{index: 0, type: file}], selectors: [{matchActions: [{action: Post, imaHash: true}]}]}]';
    assert.deepEqual(compilePolicy(policyYaml(text)).hooks[0]?.actions, [{ order: ['post'], imaHash: true }]);
  });

  it('enforcers become hooks before all others, one for each function', () => {
    const overridePolicy = (error: number): string =>
      policyYaml(
        `lists: [{name: dups, type: syscalls, values: [sys_dup, __ia32_sys_dup]}]\nenforcers: [{calls: ["list:dups", security_file_open, sys_dup]}]\nkprobes: [{call: f, syscall: false, selectors: [{matchActions: [{action: NotifyEnforcer, argSig: 9, argError: ${error}}]}]}]`,
      );
    const { hooks } = compilePolicy(overridePolicy(-1));
    assert.deepEqual(
      hooks.map(({ kind, call, syscall, mayOverride }) => [kind, call, syscall, mayOverride]),
      [
        ['enforcer', 'sys_dup', true, true],
        ['enforcer', '__ia32_sys_dup', true, true],
        ['enforcer', 'security_file_open', false, true],
        ['kprobe', 'f', false, undefined],
      ],
    );
    assert.deepEqual(hooks[3]?.actions, [{ order: ['notifyEnforcer'], notify: { signal: 9, override: -1 } }]);
    assert.ok(hasEnforcingAction(hooks[3]) && !hasEnforcingAction(hooks[0] as CompiledHook));
    const signals = compilePolicy(overridePolicy(0)).hooks;
    assert.deepEqual(signals[3]?.actions, [{ order: ['notifyEnforcer'], notify: { signal: 9 } }]);
    assert.equal(signals[0]?.mayOverride, undefined);
  });

  for (const [text, seconds] of [
    ['5', 5],
    ['5s', 5],
    ['2m', 120],
    ['1h', 3600],
  ] as const) {
    it(`rateLimit ${text}`, () => {
      assert.deepEqual(compileActions(`{action: Post, rateLimit: "${text}"}`)?.[0]?.rateLimit, {
        scope: 'thread',
        seconds,
      });
    });
  }

  it('scopes and stack traces', () => {
    const [first] =
      compileActions(
        '{action: Post, rateLimit: 1s, rateLimitScope: global, kernelStackTrace: true, userStackTrace: true}',
      ) ?? [];
    assert.deepEqual(first, {
      order: ['post'],
      rateLimit: { scope: 'global', seconds: 1 },
      kernelStack: true,
      userStack: true,
    });
  });

  it('requests, in their order, and sockets', () => {
    assert.deepEqual(
      compileActions('{action: DnsLookup, argFqdn: a.test}, {action: GetUrl, argUrl: "http://b.test"}')?.[0],
      {
        order: ['dnsLookup', 'getUrl'],
        requests: ['a.test', 'http://b.test'],
      },
    );
    const [created, freed, observed, other] = compilePolicy(
      policyYaml(`kprobes:
- call: sk_alloc
  syscall: false
  return: true
  returnArg: {index: 0, type: sock}
  returnArgAction: TrackSock
- call: __sk_free
  syscall: false
  args: [{index: 1, type: int}, {index: 0, type: sock}]
  selectors: [{matchActions: [{action: UntrackSock, argSock: 1}]}]
- call: ip_output
  syscall: false
  args: [{index: 2, type: skb}]
- call: f
  syscall: false`),
    ).hooks;
    assert.deepEqual(
      [created?.returnedSocket, created?.findsOwner, created?.actions],
      ['trackSock', undefined, undefined],
    );
    assert.deepEqual([freed?.trackedSlot, freed?.findsOwner, freed?.actions?.[0]?.order], [1, true, ['untrackSock']]);
    assert.deepEqual([observed?.findsOwner, other?.findsOwner], [true, undefined]);
    const alone = compilePolicy(kprobeYaml('call: ip_output\nsyscall: false\nargs: [{index: 2, type: skb}]')).hooks[0];
    assert.equal(alone?.findsOwner, undefined);
  });

  it('of the return use the Post options of the entry, unless they have their own Post', () => {
    const compileReturnActions = (returned: string): readonly SelectorActions[] | undefined =>
      compilePolicy(
        kprobeYaml(
          `call: f\nsyscall: false\nreturn: true\nreturnArg: {index: 0, type: int}\nselectors: [{matchActions: [{action: Post, rateLimit: 1s, userStackTrace: true}], matchReturnActions: [${returned}]}]`,
        ),
      ).hooks[0]?.returnActions;
    const rateLimit = { scope: 'thread', seconds: 1 };
    assert.deepEqual(compileReturnActions('{action: Signal, argSig: 10}'), [
      { order: ['signal'], signal: 10, rateLimit, userStack: true },
    ]);
    assert.deepEqual(compileReturnActions('{action: Post, kernelStackTrace: true}'), [
      { order: ['post'], kernelStack: true },
    ]);
  });

  it('the mode', () => {
    const compileMode = (options: string): string | undefined =>
      compilePolicy(policyYaml(`${options}kprobes: [{call: f}]`)).mode;
    assert.equal(compileMode(''), undefined);
    for (const mode of ['enforce', 'monitor', 'monitor_only']) {
      assert.equal(compileMode(`options: [{name: policy-mode, value: ${mode}}]\n`), mode);
    }
  });
});

describe('actions in bytes', () => {
  const encodeView = (hook: Parameters<typeof encodeHook>[0], pair = false): DataView =>
    new DataView(encodeHook(hook, encodeContext({ pair })).config.buffer);

  it('of each selector', () => {
    const actions: SelectorActions[] = [
      { order: ['post'] },
      {
        order: ['override', 'noPost'],
        override: -13,
        signal: 9,
        rateLimit: { scope: 'process', seconds: 2 },
        userStack: true,
      },
    ];
    const hook = compiledHook({ selectors: 2, actions });
    const bytes = encodeView(hook);
    const at = HookConfig.actions + HookConfig.actionsStride;
    assert.ok(hasEnforcingAction(hook));
    assert.equal(bytes.getUint8(HookConfig.hasActions), 3);
    assert.deepEqual(
      [Layout.noPost, Layout.signal, Layout.overrides, Layout.stacks].map((offset) => bytes.getUint8(at + offset)),
      [1, 9, 1, 2],
    );
    assert.equal(bytes.getInt32(at + Layout.overrideValue, true), -13);
    assert.equal(bytes.getUint32(at + Layout.rateScope, true), 2);
    assert.equal(bytes.getBigUint64(at + Layout.rateInterval, true), 2_000_000_000n);
    const plain = encodeView(compiledHook());
    assert.equal(plain.getUint8(HookConfig.hasActions), 0);
    assert.equal(bytes.getUint32(HookConfig.bodySize, true) - plain.getUint32(HookConfig.bodySize, true), 1024);
  });

  it('are performed at return if the return value decides', () => {
    const actions: SelectorActions[] = [{ order: ['sigkill'], signal: 9 }];
    const test = { op: 'equal', signed: false, value: 0n, selectors: [0] } as const;
    const atReturn = compiledHook({
      actions,
      returnArg: compiledValue('int', { ints: [{ negate: false, selectors: [0], tests: [test] }] }),
    });
    const early = compiledHook({ actions, returnArg: compiledValue('int') });
    assert.deepEqual(
      [encodeView(atReturn, true), encodeView(atReturn), encodeView(early, true)].map((bytes) =>
        bytes.getUint8(HookConfig.actsAtReturn),
      ),
      [1, 0, 0],
    );
    assert.equal(encodeView(early).getUint8(HookConfig.hasActions), 1);
  });
});
