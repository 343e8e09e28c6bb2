/** Count, matchDuration and durations: mistakes with their places, the compiled policy, the bytes, the explanation. */
import assert from 'node:assert/strict';
import { compilePolicy, explainPolicy, validatePolicy } from '../../../lib/policy/index.js';
import type { CompiledCount } from '../../../lib/compiled/compiled-policy.js';
import { encodeHook, type EncodeContext } from '../../../lib/wire/encode/hook.js';
import {
  CountConfig,
  CountLabel,
  CountLabelKind,
  HookConfig,
  ValueConfig,
  ValueSource,
} from '../../../lib/wire/layout.gen.js';
import { readProjectFile } from '../../project.js';
import { encodeContext } from '../compiled-hooks.js';
import { checkMarked, kprobeYaml, policyYaml } from './marked-policies.js';

const WRITE = `call: vfs_write
syscall: false
return: true
args: [{ index: 0, type: file }, { index: 2, type: uint64, label: size }]
returnArg: { index: 0, type: int64 }
`;

const counting = (hook: string, ...actions: readonly string[]): string =>
  kprobeYaml(`${hook}selectors: [{ matchActions: [${actions.join(', ')}] }]`);

function compileCounts(hook: string, ...actions: readonly string[]): readonly CompiledCount[] | undefined {
  return compilePolicy(counting(hook, ...actions)).hooks[0]?.counts;
}

describe('policy: mistakes of Count and matchDuration', () => {
  const cases: Readonly<Record<string, string>> = {
    'a name that is none': counting(WRITE, '{ action: Count, metric: ⟦METRIC_NAME⟧bytes-written }'),
    'no name': counting(WRITE, '{ action: ⟦ACTION_ARGUMENT_MISSING⟧Count }'),
    'an unknown label': counting(WRITE, '{ action: Count, metric: m, by: [binary, ⟦COUNT_LABEL⟧arg2] }'),
    'a label twice': counting(WRITE, '{ action: Count, metric: m, by: [uid, ⟦COUNT_LABEL⟧uid] }'),
    'an unknown part': counting(WRITE, '{ action: Count, metric: m, by: [⟦COUNT_LABEL⟧arg0.port] }'),
    'a part of a number': counting(WRITE, '{ action: Count, metric: m, by: [⟦COUNT_LABEL⟧size.device] }'),
    'a label without a text': counting(
      'call: f\nsyscall: false\nargs: [{ index: 0, type: cred }]\n',
      '{ action: Count, metric: m, by: [⟦COUNT_LABEL⟧arg0] }',
    ),
    'errno without a return value': counting(
      'call: sys_openat\n',
      '{ action: Count, metric: m, by: [⟦COUNT_LABEL⟧errno] }',
    ),
    'errno of a path': counting(
      'call: f\nsyscall: false\nreturn: true\nreturnArg: { index: 0, type: string }\n',
      '{ action: Count, metric: m, by: [⟦COUNT_LABEL⟧errno] }',
    ),
    'folders without a path': counting(
      WRITE,
      '{ action: Count, metric: m, by: [size], ⟦ACTION_ARGUMENT_UNUSED⟧folders: 2 }',
    ),
    'a sum of nothing': counting(WRITE, '{ action: Count, metric: m, kind: ⟦COUNT_VALUE⟧sum }'),
    'a histogram of calls': counting(WRITE, '{ action: Count, metric: m, kind: histogram, value: ⟦COUNT_VALUE⟧"1" }'),
    'a counter of values': counting(WRITE, '{ action: Count, metric: m, value: ⟦COUNT_VALUE⟧size }'),
    'a sum of paths': counting(WRITE, '{ action: Count, metric: m, kind: sum, value: ⟦COUNT_VALUE⟧arg0 }'),
    'an unknown value': counting(WRITE, '{ action: Count, metric: m, kind: sum, value: ⟦COUNT_VALUE⟧data0 }'),
    'an unknown kind': counting(WRITE, '{ action: Count, metric: m, kind: ⟦UNKNOWN_VALUE⟧gauge }'),
    'too many keys': counting(WRITE, '{ action: Count, metric: m, by: [uid], maxKeys: ⟦NUMBER_OUT_OF_RANGE⟧65537 }'),
    'five labels': counting(
      WRITE,
      '{ action: Count, metric: m, by: [uid, binary, pod, container, ⟦TOO_MANY_ITEMS⟧namespace] }',
    ),
    'one name, two kinds': counting(
      WRITE,
      '{ action: Count, metric: m }',
      '{ action: Count, metric: ⟦METRIC_CONFLICT⟧m, kind: sum, value: size }',
    ),
    'five counts': counting(
      WRITE,
      ...['a', 'b', 'c', 'd'].map((name) => `{ action: Count, metric: ${name} }`),
      '⟦LIMIT_COUNTS⟧{ action: Count, metric: e }',
    ),
    'under matchReturnActions': kprobeYaml(
      `${WRITE}selectors: [{ matchReturnActions: [{ action: ⟦COUNT_PLACE⟧Count, metric: m }] }]`,
    ),
    'a duration without a return': policyYaml(
      'tracepoints: [{ subsystem: a, event: b, raw: true, selectors: [{ matchActions: [{ action: Count, metric: m, kind: sum, value: ⟦DURATION_NOT_POSSIBLE⟧duration }] }] }]',
    ),
    'matchDuration without a return': policyYaml(
      'lsmhooks: [{ hook: file_open, selectors: [{ matchDuration: ⟦DURATION_NOT_POSSIBLE⟧{ operator: GT, values: [1s] } }] }]',
    ),
    'a time without a unit': kprobeYaml(
      `${WRITE}selectors: [{ matchDuration: { operator: GT, values: [⟦DURATION_INVALID⟧"10"] } }]`,
    ),
    'an operator that durations do not have': kprobeYaml(
      `${WRITE}selectors: [{ matchDuration: { operator: ⟦UNKNOWN_VALUE⟧Equal, values: [1s] } }]`,
    ),
    'a duration as an argument': kprobeYaml(
      'call: f\nsyscall: false\nargs: [{ index: 0, type: uint64, source: ⟦DURATION_NOT_POSSIBLE⟧duration }]',
    ),
    'a duration as text': kprobeYaml(
      'call: f\nsyscall: false\ndata: [{ index: 0, type: ⟦ARG_TYPE_MISMATCH⟧int, source: duration, ⟦ARG_FIELD_UNUSED⟧resolve: a }]',
    ),
    'a duration of a tracepoint': policyYaml(
      'tracepoints: [{ subsystem: a, event: b, raw: true, args: [{ index: 0, type: uint64, source: ⟦DURATION_NOT_POSSIBLE⟧duration }] }]',
    ),
  };
  for (const [name, policy] of Object.entries(cases)) it(name, () => checkMarked(policy));

  it('NoPost with Count, and several counts, are correct', () => {
    checkMarked(counting(WRITE, '{ action: Count, metric: a }', '{ action: Count, metric: b }', '{ action: NoPost }'));
    checkMarked(counting(WRITE, '{ action: Count, metric: a, kind: counter, value: "1" }'));
  });
});

describe('policy: compiled counts', () => {
  it('labels with their slots, and the value', () => {
    assert.deepEqual(
      compileCounts(WRITE, '{ action: Count, metric: m, kind: sum, value: return, by: [binary, arg0, size, errno], folders: 2, maxKeys: 5 }'),
      [
        {
          metric: 'm', kind: 'sum', selectors: [0], value: 2, maxKeys: 5,
          labels: [
            { name: 'binary', of: 'binary' },
            { name: 'arg0', of: 'text', slot: 0, folders: 2 },
            { name: 'size', of: 'number', slot: 1 },
            { name: 'errno', of: 'errno', slot: 2 },
          ],
        },
      ],
    ); // prettier-ignore
  });

  it('parts of sockets and files', () => {
    const socket = 'call: tcp_connect\nsyscall: false\nargs: [{ index: 0, type: sock }, { index: 1, type: path }]\n';
    const [count] = compileCounts(socket, '{ action: Count, metric: m, by: [arg0, arg0.port, arg1.device] }') ?? [];
    assert.deepEqual(
      count?.labels.map(({ of }) => of),
      ['address', 'port', 'device'],
    );
    assert.equal(count.maxKeys, 1024);
  });

  it('equal counts of several selectors are one', () => {
    const action = '{ action: Count, metric: m, by: [uid] }';
    const hook = compilePolicy(
      kprobeYaml(
        `${WRITE}selectors:\n- matchActions: [${action}]\n- matchActions: [${action}, { action: Post }, ${action}]`,
      ),
    ).hooks[0];
    assert.deepEqual(
      hook?.counts?.map(({ selectors }) => selectors),
      [[0, 1]],
    );
    assert.deepEqual(
      hook.actions?.map(({ order }) => order),
      [
        ['count', 'noPost'],
        ['count', 'post', 'count'],
      ],
    );
  });

  it('with actions for the return, these decide about the event', () => {
    const hook = compilePolicy(
      kprobeYaml(
        `${WRITE}selectors: [{ matchActions: [{ action: Count, metric: m }], matchReturnActions: [{ action: Post }] }]`,
      ),
    ).hooks[0];
    assert.deepEqual(hook?.actions?.[0]?.order, ['count']);
  });

  it('a duration is a value of data that the hook gets once', () => {
    const [hook] = compilePolicy(
      kprobeYaml(`${WRITE}selectors:
- matchDuration: { operator: GT, values: [10ms, 1s] }
  matchActions: [{ action: Count, metric: m, kind: histogram, value: duration }]
- matchDuration: { operator: LT, values: [3us] }`),
    ).hooks;
    assert.equal(hook?.data.length, 1);
    const [duration] = hook.data;
    assert.equal(duration?.source, 'duration');
    assert.equal(duration.label, 'duration');
    assert.equal(hook.counts?.[0]?.value, 2);
    assert.deepEqual(
      duration.ints.flatMap(({ tests }) => tests.map(({ op, value, selectors }) => [op, value, selectors])),
      [
        ['greater', 10_000_000n, [0]],
        ['greater', 1_000_000_000n, [0]],
        ['less', 3000n, [1]],
      ],
    );
  });

  it('a duration of the policy is used, with its label and its place', () => {
    const [hook] = compilePolicy(
      kprobeYaml(
        `call: sys_fsync
data: [{ index: 0, type: auto, source: duration, label: took }, { index: 0, type: int, source: current_task, resolve: pid }]
selectors: [{ matchDuration: { operator: GT, values: [2m] } }]`.replace('type: auto', 'type: uint64'),
      ),
    ).hooks;
    assert.deepEqual(
      hook?.data.map(({ label, ints }) => [label, ints.length]),
      [
        ['took', 1],
        [undefined, 0],
      ],
    );
  });

  it('matchDuration of a macro', () => {
    const yaml = policyYaml(`selectorsMacros: { slow: { matchDuration: { operator: GT, values: [1s] } } }
kprobes: [{ call: sys_fsync, selectors: [{ macros: [slow] }] }]`);
    assert.deepEqual(validatePolicy(yaml), []);
    assert.equal(compilePolicy(yaml).hooks[0]?.data[0]?.ints.length, 1);
  });
});

describe('policy: the bytes of counts', () => {
  it('a static probe has no direct keys, because libbpf cannot resize them there', () => {
    const actions = 'selectors: [{ matchActions: [{ action: Count, metric: m, by: [arg0] }] }]';
    const args = 'args: [{ index: 0, type: uint32 }]';
    const [probe, symbol] = compilePolicy(
      policyYaml(`usdts: [{ path: /x, provider: p, name: n, ${args}, ${actions} }]
uprobes: [{ path: /x, symbols: [s], ${args}, ${actions} }]`),
    ).hooks.toSorted((a) => (a.kind === 'usdt' ? -1 : 1));
    assert.ok(probe && symbol);
    const count = (hook: typeof probe): number =>
      new DataView(encodeHook(hook, encodeContext({})).config.buffer).getUint32(HookConfig.directKeys, true);
    assert.equal(probe.kind, 'usdt');
    assert.equal(count(probe), 0);
    assert.ok(count(symbol) > 0);
  });

  it('labels, the value and the maps', () => {
    const [hook] = compilePolicy(
      counting(
        WRITE,
        '{ action: Count, metric: m, kind: histogram, value: return, by: [parentBinary, arg0, pod], folders: 3, maxKeys: 7 }',
        '{ action: Count, metric: n }',
      ),
    ).hooks;
    assert.ok(hook);
    const { config, maps } = encodeHook(hook, encodeContext({ pair: true }));
    const view = new DataView(config.buffer);
    assert.equal(view.getUint8(HookConfig.countsCount), 2);
    assert.equal(view.getUint8(HookConfig.countsBuckets), 1);
    assert.equal(view.getBigUint64(HookConfig.countSeed, true), 1n);
    // a histogram has no place for its keys outside of the map, but the other count has no labels
    assert.equal(view.getUint32(HookConfig.directKeys, true), 0);
    const at = HookConfig.counts;
    assert.equal(view.getBigUint64(at + CountConfig.selectors, true), 1n);
    assert.deepEqual(
      [
        CountConfig.labelsCount,
        CountConfig.hasValue,
        CountConfig.slot,
        CountConfig.isSigned,
        CountConfig.hasBuckets,
      ].map((offset) => view.getUint8(at + offset)),
      [3, 1, 2, 1, 1],
    );
    const labels = [0, 1, 2].map((i) => at + CountConfig.labels + i * CountConfig.labelsStride);
    assert.deepEqual(
      labels.map((label) => view.getUint8(label + CountLabel.kind)),
      [CountLabelKind.LABEL_PARENT_BINARY, CountLabelKind.LABEL_TEXT, CountLabelKind.LABEL_CGROUP],
    );
    assert.equal(view.getUint8((labels[1] ?? 0) + CountLabel.folders), 3);
    const sizes = maps
      .filter(({ name }) => name.startsWith('count_'))
      .map(({ name, create, keySize, maxEntries, trim }) => ({ name, create, keySize, maxEntries, trim }));
    assert.deepEqual(sizes, [
      { name: 'count_keys', create: true, keySize: 56, maxEntries: 7, trim: 0 },
      { name: 'count_totals', create: true, keySize: 0, maxEntries: 0, trim: 0 },
      { name: 'count_texts', create: true, keySize: 0, maxEntries: 14, trim: 0 },
    ]);
  });

  it('a hook without counts has no map for them', () => {
    const [hook] = compilePolicy(kprobeYaml('call: sys_fsync')).hooks;
    assert.ok(hook);
    const { maps } = encodeHook(hook, encodeContext());
    assert.ok(maps.filter(({ name }) => name.startsWith('count_')).every(({ create }) => !create));
  });

  describe('hooks that only count', () => {
    const FSYNC = 'call: sys_fsync\nargs: [{ index: 0, type: int }, { index: 1, type: int }]\n';
    const FILE = 'call: sys_fsync\nargs: [{ index: 0, type: fd }]\n';
    const DURATIONS = '{ action: Count, metric: m, kind: histogram, value: duration, by: [arg1] }';

    /** [counts only, keeps calls in places, counted slots]. */
    function describeHook(yaml: string, context: Partial<EncodeContext> = {}): readonly number[] {
      const [hook] = compilePolicy(yaml).hooks;
      assert.ok(hook);
      const view = new DataView(encodeHook(hook, encodeContext({ pair: true, ...context })).config.buffer);
      return [
        view.getUint8(HookConfig.countsOnly),
        view.getUint32(HookConfig.activeCalls, true),
        view.getUint32(HookConfig.countedSlots, true),
      ];
    }

    it('read only the values that they count, and keep numbers of active calls in places', () => {
      assert.deepEqual(describeHook(counting(FSYNC, DURATIONS)), [1, 1, 0b110]);
      assert.deepEqual(describeHook(counting(FSYNC, '{ action: Count, metric: m }')), [1, 1, 0]);
    });

    it('keep the record of an active call with an object, with several attach points, or with many values', () => {
      const many = FSYNC.replace(']', ', { index: 2, type: int }, { index: 3, type: int }]');
      assert.deepEqual(describeHook(counting(FILE, DURATIONS.replace('arg1', 'arg0'))), [1, 0, 0b11]);
      assert.deepEqual(describeHook(counting(FSYNC, DURATIONS), { multiplePoints: true }), [1, 0, 0b110]);
      assert.deepEqual(describeHook(counting(FSYNC, DURATIONS), { pair: false }), [1, 0, 0b110]);
      assert.deepEqual(describeHook(counting(many, DURATIONS)), [1, 0, 0b10010]);
    });

    it('a selector that posts, acts or marks needs an event', () => {
      for (const action of ['Post', 'Sigkill', 'Mark, mark: seen']) {
        assert.equal(describeHook(counting(FSYNC, DURATIONS, `{ action: ${action} }`))[0], 0, action);
      }
      const selectors = `selectors: [{ matchActions: [${DURATIONS}] }, { matchPIDs: [{ operator: In, values: [1] }] }]`;
      assert.equal(describeHook(kprobeYaml(`${FSYNC}${selectors}`))[0], 0);
    });
  });

  it('a duration is read from the record of the entry', () => {
    const [hook] = compilePolicy(
      kprobeYaml('call: sys_fsync\ndata: [{ index: 0, type: uint64, source: duration }]'),
    ).hooks;
    assert.ok(hook);
    const view = new DataView(encodeHook(hook, encodeContext({ pair: true })).config.buffer);
    assert.equal(view.getUint8(HookConfig.duration), 1);
    assert.equal(view.getUint8(HookConfig.durationSlot), 0);
    assert.equal(view.getUint8(HookConfig.values + ValueConfig.source), ValueSource.SOURCE_DURATION);
    assert.equal(view.getUint8(HookConfig.values + ValueConfig.readAtReturn), 1);
  });
});

describe('policy: counts in words', () => {
  it('the explanation says what is counted by what', () => {
    const [hook] = explainPolicy(
      kprobeYaml(`${WRITE}selectors:
- matchDuration: { operator: GT, values: [10ms] }
  matchActions: [{ action: Count, metric: slow, kind: histogram, value: duration, by: [binary, arg0], folders: 2 }, { action: Count, metric: n }]`),
    ).hooks;
    assert.deepEqual(hook?.selectors[0]?.actions, [
      'Count: the calls, the sum and a histogram of the duration in nanoseconds as "slow", by the binary and the first 2 folders of argument 0 (file), when the function returns (at most 1024 combinations, and the others together)',
      'Count: the calls as "n", when the function returns',
      'no event',
    ]);
    assert.deepEqual(hook.selectors[0].conditions, ['the call takes more than 10ms']);
  });

  it('the policies of docs/metrics.md are correct', () => {
    const blocks = [...readProjectFile('docs/metrics.md').matchAll(/```yaml\n(apiVersion[^]*?)```/g)].map(
      ([, yaml = '']) => yaml,
    );
    assert.equal(blocks.length, 8);
    for (const yaml of blocks) {
      assert.deepEqual(validatePolicy(yaml), [], yaml);
      assert.ok(compilePolicy(yaml, { architecture: 'x64' }).hooks.every(({ counts = [] }) => counts.length > 0));
    }
  });
});
