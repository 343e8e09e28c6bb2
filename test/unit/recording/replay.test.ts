/** Replay: the recorded hooks that can replace a hook of a policy, and the events that the policy would report. */
import assert from 'node:assert/strict';
import { compilePolicy, replayer } from '../../../lib/index.js';
import { toRecordedHook } from '../../../lib/recording/recorder.js';
import type { HookArgument, PlainEvent, CompiledPolicy, RecordedEvent, RecordedHook } from '../../../types/index.js';
import { fileArgument, intArgument } from '../output/arguments.js';
import { kprobeEvent } from '../output/events.js';

const compileHooks = (name: string, ...hooks: readonly string[]): CompiledPolicy =>
  compilePolicy(
    `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ${name}}\nspec:\n  kprobes:\n${hooks.map((hook) => `  - ${hook}\n`).join('')}`,
  );
const toRecordedHooks = (policy: CompiledPolicy): RecordedHook[] =>
  policy.hooks.map((hook) => toRecordedHook({ policyName: policy.name, compiled: hook }));

const FILE = '{index: 0, type: file}';
const permissionHook = (args: string, more = ''): string =>
  `{call: security_file_permission, syscall: false, args: [${args}]${more}}`;
const prefixSelector = (path: string): string =>
  `, selectors: [{matchArgs: [{index: 0, operator: Prefix, values: ['${path}']}]}]`;

const recordCall = (
  hook: RecordedHook | undefined,
  args: readonly HookArgument[],
  functionName = hook?.call ?? '',
): RecordedEvent => {
  assert.ok(hook !== undefined);
  return {
    event: kprobeEvent(functionName, args, { policyName: hook.policyName, message: 'old', tags: ['old'] }),
    hook,
  };
};

describe('replay', () => {
  const recordedPolicy = compileHooks('wide', permissionHook(`${FILE}, {index: 1, type: int}`));
  const [recorded] = toRecordedHooks(recordedPolicy);

  it('reports what the policy matches, with its name, message, tags, values and selector', () => {
    const policy = compileHooks('narrow', permissionHook(FILE, `${prefixSelector('/etc/')}, message: new, tags: [a]`));
    const { replay, uncovered } = replayer(policy, toRecordedHooks(recordedPolicy));
    assert.deepEqual(uncovered, []);
    const [answer, ...others] = replay(recordCall(recorded, [fileArgument('/etc/x'), intArgument(4, 1)]));
    assert.deepEqual(others, []);
    assert.equal(answer?.verdict.reported, 'yes');
    const { policyName, message, tags, args, selector } = answer?.event as Extract<PlainEvent, { selector: number }>;
    assert.deepEqual([policyName, message, tags, selector], ['narrow', 'new', ['a'], 0]);
    assert.deepEqual(args, [fileArgument('/etc/x')]);
    const [miss] = replay(recordCall(recorded, [fileArgument('/tmp/x'), intArgument(4, 1)]));
    assert.deepEqual([miss?.verdict.reported, miss?.event], ['no', undefined]);
  });

  it('a value that the recorded hook did not read is uncertain', () => {
    const policy = compileHooks('other', permissionHook('{index: 1, type: int}', ', selectors: [{matchArgs: [{index: 1, operator: Equal, values: ["4"]}]}]')); // prettier-ignore
    const [only] = toRecordedHooks(compileHooks('wide', permissionHook(FILE)));
    const [answer] = replayer(policy, [only as RecordedHook]).replay(recordCall(only, [fileArgument('/etc/x')]));
    assert.deepEqual(answer?.verdict.doubts.map(({ code }) => code), ['VALUE_NOT_RECORDED']); // prettier-ignore
    assert.equal(answer?.verdict.reported, 'unknown');
  });

  it('actions are reported as in mode monitor', () => {
    const action = ', selectors: [{matchActions: [{action: Sigkill}]}]';
    const policy = compileHooks('kill', permissionHook(FILE, action));
    const [answer] = replayer(policy, toRecordedHooks(recordedPolicy)).replay(
      recordCall(recorded, [fileArgument('/a'), intArgument(4, 1)]),
    );
    const event = answer?.event as Extract<PlainEvent, { selector: number }>;
    assert.deepEqual(
      [event.action, event.policyMode, event.actions.map(({ action: name }) => name)],
      ['sigkill', 'monitor', ['sigkill', 'post']],
    );
  });

  it('with the recorded policy, each call has one verdict', () => {
    const policy = compileHooks(
      'twice',
      permissionHook(FILE, prefixSelector('/etc/')),
      permissionHook(FILE, prefixSelector('/tmp/')),
    );
    const hooks = toRecordedHooks(policy);
    const { replay } = replayer(policy, hooks);
    for (const [at, path] of ['/etc/a', '/tmp/a'].entries()) {
      const answers = replay(recordCall(hooks[at], [fileArgument(path)]));
      assert.deepEqual(answers.map(({ hook, verdict }) => [hook, verdict.reported]), [[at, 'yes']]); // prettier-ignore
    }
  });

  it('a hook with the same values replaces other hooks on the function', () => {
    const policy = compileHooks('p', permissionHook(FILE));
    const [same, other] = [...toRecordedHooks(compileHooks('q', permissionHook(FILE))), recorded as RecordedHook];
    const { replay } = replayer(policy, [same, other as RecordedHook]);
    assert.equal(replay(recordCall(same, [fileArgument('/a')])).length, 1);
    assert.equal(replay(recordCall(other, [fileArgument('/a'), intArgument(4, 1)])).length, 0);
  });

  it('does not cover another function or a hook of another kind', () => {
    const policy = compileHooks('p', '{call: security_file_open, syscall: false}');
    const { replay, uncovered } = replayer(policy, toRecordedHooks(recordedPolicy));
    assert.deepEqual(uncovered.map(({ call: name }) => name), ['security_file_open']); // prettier-ignore
    assert.deepEqual(replay(recordCall(recorded, [fileArgument('/a'), intArgument(4, 1)])), []);
  });

  it('a system call has the kernel function name of its architecture', () => {
    const [own] = toRecordedHooks(compileHooks('p', '{call: sys_lseek, syscall: true}'));
    const policy = compileHooks('q', '{call: __x64_sys_lseek, syscall: true}');
    for (const name of ['__x64_sys_lseek', '__arm64_sys_lseek']) {
      assert.equal(replayer(policy, [own as RecordedHook]).replay(recordCall(own, [], name)).length, 1, name);
    }
    assert.equal(replayer(policy, [own as RecordedHook]).replay(recordCall(own, [], '__ia32_sys_lseek')).length, 0);
  });

  it('a buffer that was recorded completely with maxData replaces a buffer without it', () => {
    const bufferHook = (more: string): string => `{call: f, syscall: false, args: [{index: 0, type: char_buf, sizeArgIndex: 2${more}}, {index: 1, type: int}]}`; // prettier-ignore
    const [whole] = toRecordedHooks(compileHooks('p', bufferHook(', maxData: true')));
    const policy = compileHooks('q', bufferHook('').replace('}]}', '}], selectors: [{matchArgs: [{index: 0, operator: Prefix, values: [ab]}]}]}')); // prettier-ignore
    const value = (truncated: boolean): HookArgument => ({ type: 'char_buf', index: 0, value: Buffer.from('abc'), size: 3, truncated }); // prettier-ignore
    const replayBuffer = (truncated: boolean): unknown =>
      replayer(policy, [whole as RecordedHook]).replay(recordCall(whole, [value(truncated), intArgument(1, 1)]))[0]
        ?.verdict.reported;
    assert.deepEqual([replayBuffer(false), replayBuffer(true)], ['yes', 'unknown']);
  });
});
