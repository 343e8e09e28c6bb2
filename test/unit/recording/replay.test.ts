/** Replay: which recorded hooks stand for a hook of a policy, and the events that the policy would report. */
import assert from 'node:assert/strict';
import { compilePolicy, replayer } from '../../../lib/index.js';
import { toRecordedHook } from '../../../lib/recording/recorder.js';
import type { HookArgument, PlainEvent, CompiledPolicy, RecordedEvent, RecordedHook } from '../../../types/index.js';
import { fileOf, hookOf, intOf } from '../output/events.js';

const imageOf = (name: string, ...hooks: readonly string[]): CompiledPolicy =>
  compilePolicy(
    `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ${name}}\nspec:\n  kprobes:\n${hooks.map((hook) => `  - ${hook}\n`).join('')}`,
  );
const hooksOf = (image: CompiledPolicy): RecordedHook[] =>
  image.hooks.map((hook) => toRecordedHook({ policyName: image.name, compiled: hook }));

const FILE = '{index: 0, type: file}';
const permission = (args: string, more = ''): string =>
  `{call: security_file_permission, syscall: false, args: [${args}]${more}}`;
const under = (path: string): string =>
  `, selectors: [{matchArgs: [{index: 0, operator: Prefix, values: ['${path}']}]}]`;

const call = (
  hook: RecordedHook | undefined,
  args: readonly HookArgument[],
  functionName = hook?.call ?? '',
): RecordedEvent => {
  assert.ok(hook !== undefined);
  return { event: hookOf(functionName, args, { policyName: hook.policyName, message: 'old', tags: ['old'] }), hook };
};

describe('replay', () => {
  const recordedPolicy = imageOf('wide', permission(`${FILE}, {index: 1, type: int}`));
  const [recorded] = hooksOf(recordedPolicy);

  it('reports what the policy matches, with its name, message, tags, values and selector', () => {
    const image = imageOf('narrow', permission(FILE, `${under('/etc/')}, message: new, tags: [a]`));
    const { replay, uncovered } = replayer(image, hooksOf(recordedPolicy));
    assert.deepEqual(uncovered, []);
    const [answer, ...others] = replay(call(recorded, [fileOf('/etc/x'), intOf(4, 1)]));
    assert.deepEqual(others, []);
    assert.equal(answer?.verdict.reported, 'yes');
    const { policyName, message, tags, args, selector } = answer?.event as Extract<PlainEvent, { selector: number }>;
    assert.deepEqual([policyName, message, tags, selector], ['narrow', 'new', ['a'], 0]);
    assert.deepEqual(args, [fileOf('/etc/x')]);
    const [miss] = replay(call(recorded, [fileOf('/tmp/x'), intOf(4, 1)]));
    assert.deepEqual([miss?.verdict.reported, miss?.event], ['no', undefined]);
  });

  it('a value that the recorded hook did not read is not known', () => {
    const image = imageOf('other', permission('{index: 1, type: int}', ', selectors: [{matchArgs: [{index: 1, operator: Equal, values: ["4"]}]}]')); // prettier-ignore
    const [only] = hooksOf(imageOf('wide', permission(FILE)));
    const [answer] = replayer(image, [only as RecordedHook]).replay(call(only, [fileOf('/etc/x')]));
    assert.deepEqual(answer?.verdict.doubts.map(({ code }) => code), ['VALUE_NOT_RECORDED']); // prettier-ignore
    assert.equal(answer?.verdict.reported, 'unknown');
  });

  it('actions are those of mode monitor', () => {
    const action = ', selectors: [{matchActions: [{action: Sigkill}]}]';
    const image = imageOf('kill', permission(FILE, action));
    const [answer] = replayer(image, hooksOf(recordedPolicy)).replay(call(recorded, [fileOf('/a'), intOf(4, 1)]));
    const event = answer?.event as Extract<PlainEvent, { selector: number }>;
    assert.deepEqual(
      [event.action, event.policyMode, event.actions.map(({ action: name }) => name)],
      ['post', 'monitor', ['sigkill', 'post']],
    );
  });

  it('with the recorded policy, each call is answered once', () => {
    const image = imageOf('twice', permission(FILE, under('/etc/')), permission(FILE, under('/tmp/')));
    const hooks = hooksOf(image);
    const { replay } = replayer(image, hooks);
    for (const [at, path] of ['/etc/a', '/tmp/a'].entries()) {
      const answers = replay(call(hooks[at], [fileOf(path)]));
      assert.deepEqual(answers.map(({ hook, verdict }) => [hook, verdict.reported]), [[at, 'yes']]); // prettier-ignore
    }
  });

  it('a hook with the same values stands in for others on the function', () => {
    const image = imageOf('p', permission(FILE));
    const [same, other] = [...hooksOf(imageOf('q', permission(FILE))), recorded as RecordedHook];
    const { replay } = replayer(image, [same as RecordedHook, other as RecordedHook]);
    assert.equal(replay(call(same, [fileOf('/a')])).length, 1);
    assert.equal(replay(call(other, [fileOf('/a'), intOf(4, 1)])).length, 0);
  });

  it('another function, and a hook of another kind, are not covered', () => {
    const image = imageOf('p', '{call: security_file_open, syscall: false}');
    const { replay, uncovered } = replayer(image, hooksOf(recordedPolicy));
    assert.deepEqual(uncovered.map(({ call: name }) => name), ['security_file_open']); // prettier-ignore
    assert.deepEqual(replay(call(recorded, [fileOf('/a'), intOf(4, 1)])), []);
  });

  it('a system call has the name of its architecture in the kernel', () => {
    const [own] = hooksOf(imageOf('p', '{call: sys_lseek, syscall: true}'));
    const image = imageOf('q', '{call: __x64_sys_lseek, syscall: true}');
    for (const name of ['__x64_sys_lseek', '__arm64_sys_lseek']) {
      assert.equal(replayer(image, [own as RecordedHook]).replay(call(own, [], name)).length, 1, name);
    }
    assert.equal(replayer(image, [own as RecordedHook]).replay(call(own, [], '__ia32_sys_lseek')).length, 0);
  });

  it('a buffer that was recorded completely with maxData has what is read without it', () => {
    const buffer = (more: string): string => `{call: f, syscall: false, args: [{index: 0, type: char_buf, sizeArgIndex: 2${more}}, {index: 1, type: int}]}`; // prettier-ignore
    const [whole] = hooksOf(imageOf('p', buffer(', maxData: true')));
    const image = imageOf('q', buffer('').replace('}]}', '}], selectors: [{matchArgs: [{index: 0, operator: Prefix, values: [ab]}]}]}')); // prettier-ignore
    const value = (truncated: boolean): HookArgument => ({ type: 'char_buf', index: 0, value: Buffer.from('abc'), size: 3, truncated }); // prettier-ignore
    const answer = (truncated: boolean): unknown =>
      replayer(image, [whole as RecordedHook]).replay(call(whole, [value(truncated), intOf(1, 1)]))[0]?.verdict
        .reported;
    assert.deepEqual([answer(false), answer(true)], ['yes', 'unknown']);
  });
});
