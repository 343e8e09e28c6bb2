/** Encodes compiled hooks into the bytes of struct hook_config. */
import assert from 'node:assert/strict';
import { compilePolicy, parsePolicy } from '../../../../lib/policy/index.js';
import type {
  CompiledHook,
  IntGroup as ImageGroup,
  ProcessGroup,
  SelectorActions,
  CompiledValue,
} from '../../../../lib/compiled/compiled-policy.js';
import { encodeHook, type EncodeContext, type EncodedHook } from '../../../../lib/wire/encode/hook.js';
import {
  AbiLimit,
  ChangeTest,
  HookConfig,
  ImaHash,
  IntGroup,
  IntOp,
  IntTest,
  NetDetail,
  ObjectConfig,
  ProcessField,
  ProcessTest,
  RecordLimit,
  StringHash,
  ResolveStep,
  SubstringPass,
  Value,
  ValueConfig,
  ValueMemory,
  ValueRead,
  ValueSource,
  NegativeCache,
} from '../../../../lib/wire/layout.gen.js';
import { encodeContext, compiledHook, compiledValue } from '../../compiled-hooks.js';

const VALUES = AbiLimit.HOOK_VALUES_MAX * Value.sizeof;

function encodeConfig(hook: CompiledHook, context: Partial<EncodeContext> = {}): DataView {
  return new DataView(encodeHook(hook, encodeContext(context)).config.buffer);
}

function findMap(encoded: EncodedHook, name: string): EncodedHook['maps'][number] {
  const found = encoded.maps.find((each) => each.name === name);
  assert.ok(found, name);
  return found;
}

const slotOffset = (slot: number): number => HookConfig.values + slot * HookConfig.valuesStride;
const objectOffset = (index: number): number => HookConfig.objects + index * HookConfig.objectsStride;

/** Reads the groups with their tests. */
function readGroups(view: DataView, count: number): unknown[] {
  return Array.from({ length: count }, (_, g) => {
    const at = HookConfig.groups + g * HookConfig.groupsStride;
    const first = view.getUint8(at + IntGroup.first);
    const tests = Array.from({ length: view.getUint8(at + IntGroup.count) }, (_each, t) => {
      const test = HookConfig.tests + (first + t) * HookConfig.testsStride;
      return [
        view.getUint32(test + IntTest.op, true),
        view.getBigUint64(test + IntTest.value, true),
        view.getBigUint64(test + IntTest.upper, true),
        view.getBigUint64(test + IntTest.selectors, true),
      ];
    });
    const [negate, field] = [view.getUint8(at + IntGroup.negate), view.getUint8(at + IntGroup.field)];
    return { negate, field, selectors: view.getBigUint64(at + IntGroup.selectors, true), tests };
  });
}

const intTest = (more: Partial<ImageGroup['tests'][number]>): ImageGroup['tests'][number] => ({
  op: 'equal',
  signed: false,
  value: 0n,
  selectors: [0],
  ...more,
});
const intGroup = (tests: ImageGroup['tests'], more: Partial<ImageGroup> = {}): ImageGroup => ({
  negate: false,
  selectors: [0],
  tests,
  ...more,
});

describe('encoding of hooks', () => {
  it('a policy: its header, then its values in the order of args, data and return value', () => {
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: all}
spec:
  kprobes:
  - call: security_file_permission
    syscall: false
    return: true
    args:
    - {index: 1, type: int}
    - {index: 0, type: file}
    data:
    - {index: 0, type: string, source: current_task, resolve: comm}
    returnArg: {index: 0, type: int}
    selectors:
    - matchBinaries:
      - {operator: In, values: [/usr/bin/cat]}
      matchArgs:
      - {index: 0, operator: Equal, values: [/etc/shadow, /etc/passwd]}
    - matchArgs:
      - {index: 0, operator: Prefix, values: [/etc/]}
`;
    const hook = compilePolicy(parsePolicy(yaml)).hooks[0] as CompiledHook;
    const resolved = new Map([[2, { steps: [{ offset: 1000, follow: false }], width: 0 }]]);
    const view = encodeConfig(hook, { pair: true, processBits: [200], resolved });
    assert.equal(view.byteLength, HookConfig.sizeof);
    assert.equal(view.getUint32(HookConfig.hook, true), 12);
    assert.equal(view.getUint32(HookConfig.selfTgid, true), 99);
    assert.equal(view.getBigUint64(HookConfig.selectors, true), 0b11n);
    const u8: readonly (readonly [keyof typeof HookConfig, number])[] = [
      ['valuesCount', 4],
      ['syscall', 0],
      ['pair', 1],
      ['params', 2],
      ['processGroups', 0],
      ['processTests', 1],
      ['changeTests', 0],
      ['objectsCount', 2],
      ['hasCelEntry', 0],
      ['hasCelReturn', 0],
    ];
    for (const [name, expected] of u8) assert.equal(view.getUint8(HookConfig[name]), expected, name);
    assert.equal(view.getUint32(HookConfig.bodySize, true), VALUES + 2 * 4096);
    assert.equal(view.getUint32(HookConfig.shape, true), 4);
    const read = [0, 1, 2, 3].map((slot) => [
      view.getUint8(slotOffset(slot) + ValueConfig.read),
      view.getUint8(slotOffset(slot) + ValueConfig.source),
      view.getUint8(slotOffset(slot) + ValueConfig.param),
      view.getUint8(slotOffset(slot) + ValueConfig.readAtReturn),
    ]);
    assert.deepEqual(read, [
      [ValueRead.READ_SCALAR, ValueSource.SOURCE_PARAM, 1, 0],
      [ValueRead.READ_FILE, ValueSource.SOURCE_PARAM, 0, 0],
      [ValueRead.READ_STRING, ValueSource.SOURCE_TASK, 0, 0],
      [ValueRead.READ_SCALAR, ValueSource.SOURCE_RETURN, 0, 1],
    ]);
    const process = HookConfig.process;
    assert.equal(view.getUint16(process + ProcessTest.set, true), 200);
    assert.equal(view.getBigUint64(process + ProcessTest.selectors, true), 1n);
    // The filtered file comes before the string that only the event needs.
    assert.deepEqual(
      [0, 1].map((i) => view.getUint8(objectOffset(i) + ObjectConfig.slot)),
      [1, 2],
    );
    assert.equal(view.getBigUint64(objectOffset(0) + ObjectConfig.equalTablePositive, true), 0b01n);
    assert.equal(view.getUint32(objectOffset(0) + ObjectConfig.equalLongest, true), '/etc/shadow'.length);
    assert.equal(view.getBigUint64(objectOffset(0) + ObjectConfig.prefixTableUsed, true), 0b10n);
  });

  it('strings: a bitmap of the hashes of their first or last bytes, as the BPF program computes them', () => {
    const values = ['/etc/shadow', '/root/.ssh', '/boot/', '/usr/lib64'];
    const table = {
      positive: [0],
      used: [0],
      entries: values.map((text) => ({ value: text, match: [0], reject: [] })),
    };
    const config = encodeConfig(
      compiledHook({ args: [compiledValue('file', { texts: { prefix: table, postfix: table } })] }),
    );
    const readU64 = (bytes: Uint8Array, at: number): bigint => new DataView(bytes.buffer).getBigUint64(at, true);
    const readBit = (offset: number, hashInput: bigint): number => {
      const mixed = ((hashInput ^ (hashInput >> 32n)) * BigInt(StringHash.STRING_HASH_FACTOR)) & 0xffffffffn;
      const hash = Number(mixed >> 24n);
      return (config.getUint8(objectOffset(0) + offset + (hash >> 3)) >> (hash & 7)) & 1;
    };
    const shift = BigInt(64 - 8 * '/boot/'.length);
    for (const text of [...values, '/etc/shadow-', '/var/root/.ssh']) {
      const bytes = Uint8Array.from(Buffer.from(`${'?'.repeat(8)}${text}${'?'.repeat(8)}`));
      const first = BigInt.asUintN(64, readU64(bytes, 8) << shift);
      const last = readU64(bytes, text.length) >> shift;
      assert.equal(readBit(ObjectConfig.prefixBitmap, first), Number(text !== '/var/root/.ssh'), text);
      assert.equal(readBit(ObjectConfig.postfixBitmap, last), Number(text !== '/etc/shadow-'), text);
    }
    assert.equal(config.getUint32(objectOffset(0) + ObjectConfig.prefixHashed, true), '/boot/'.length);
    const all = { ...table, entries: [...table.entries, { value: '', match: [0], reject: [] }] };
    const withEmpty = encodeConfig(compiledHook({ args: [compiledValue('file', { texts: { prefix: all } })] }));
    assert.equal(withEmpty.getUint32(objectOffset(0) + ObjectConfig.prefixHashed, true), 0);
  });

  it('the locks of a hook with a negative cache', () => {
    const readLocks = (context: Partial<EncodeContext>): bigint[] => {
      const view = encodeConfig(compiledHook(), context);
      const offsets = [HookConfig.renameLock, HookConfig.mountLock, HookConfig.shmMnt];
      const addresses = offsets.map((offset) => view.getBigUint64(offset, true));
      return [
        ...addresses,
        ...[view.getUint8(HookConfig.cacheHoldTicks), view.getUint32(HookConfig.cacheEntries, true)].map(BigInt),
      ];
    };
    assert.deepEqual(readLocks({}), [0n, 0n, 0n, 0n, 0n]);
    const [rename, mount, memoryMount] = [0xffffffff81000000n, 0xffffffff82000000n, 0xffffffff83000000n];
    assert.deepEqual(readLocks({ locks: { rename, mount, memoryMount, cpus: 2, holdTicks: 25 } }), [
      rename,
      mount,
      memoryMount,
      25n,
      BigInt(2 * 2 * NegativeCache.NEGATIVE_CACHE_SIZE),
    ]);
  });

  it('several attach points, and system calls of both kinds', () => {
    const hook = compiledHook({ syscall: true, args: [compiledValue('syscall64'), compiledValue('int')] });
    const readConfig = (more: Partial<EncodeContext>): number[] => {
      const view = encodeConfig(hook, more);
      const width = view.getUint8(slotOffset(0) + ValueConfig.width);
      return [
        view.getUint8(HookConfig.syscall),
        view.getUint8(HookConfig.pair),
        view.getUint32(HookConfig.shape, true),
        width,
      ];
    };
    assert.deepEqual(readConfig({}), [1, 0, 2, 24]);
    assert.deepEqual(readConfig({ ia32: true, pair: true }), [2, 1, 2, 24]);
    assert.deepEqual(readConfig({ multiplePoints: true, pair: true }), [1, 2, 0x10002, 24]);
  });

  it('numbers: as wide as their type, and not wider than their member', () => {
    const numbers = ['int8', 'uint16', 'int', 'uint64', 'capability', 'kernel_cap_t', 'int64'] as const;
    const resolved = new Map([
      [
        3,
        {
          steps: [
            { offset: 8, follow: true },
            { offset: 4, follow: false },
          ],
          width: 2,
        },
      ],
      [6, { steps: [], width: 8 }],
    ]);
    const view = encodeConfig(compiledHook({ args: numbers.map((type) => compiledValue(type)) }), { resolved });
    const facts = numbers.map((_, slot) => {
      const at = slotOffset(slot);
      return [ValueConfig.width, ValueConfig.isSigned, ValueConfig.indirect].map((field) => view.getUint8(at + field));
    });
    assert.deepEqual(facts, [
      [1, 1, 0],
      [2, 0, 0],
      [4, 1, 0],
      [2, 0, 1],
      [4, 1, 0],
      [8, 0, 1],
      [8, 1, 1],
    ]);
    const at = slotOffset(3);
    assert.equal(view.getUint8(at + ValueConfig.stepsCount), 2);
    const steps = [0, 1].map((i) => {
      const step = at + ValueConfig.steps + i * ValueConfig.stepsStride;
      return [view.getUint32(step + ResolveStep.offset, true), view.getUint32(step + ResolveStep.follow, true)];
    });
    assert.deepEqual(steps, [
      [8, 1],
      [4, 0],
    ]);
  });

  it('parameters that a trampoline reads only with a helper', () => {
    const view = encodeConfig(
      compiledHook({ args: [compiledValue('const_buf', { index: 3, sizeArgIndex: 5 }), compiledValue('int')] }),
      {
        helperSlots: new Set([0]),
      },
    );
    const at = HookConfig.values;
    assert.equal(view.getUint8(at + ValueConfig.source), ValueSource.SOURCE_HELPER);
    assert.equal(view.getUint8(at + ValueConfig.param), 3);
    assert.equal(view.getUint8(at + ValueConfig.memory), ValueMemory.MEMORY_BY_ADDRESS);
    assert.equal(view.getUint8(at + HookConfig.valuesStride + ValueConfig.source), ValueSource.SOURCE_PARAM);
  });

  it('registers: by their offset, as numbers or as pointers', () => {
    const registers = [
      compiledValue('uint64', { source: 'pt_regs', resolve: 'r10' }),
      compiledValue('string', { source: 'pt_regs' }),
    ];
    const offsets = new Map([
      [0, { offset: 56, bytes: 8 }],
      [1, { offset: 256, bytes: 8 }],
    ]);
    const view = encodeConfig(compiledHook({ data: registers }), { registers: offsets });
    const facts = [0, 1].map((slot) =>
      [ValueConfig.source, ValueConfig.indirect, ValueConfig.memory].map((field) =>
        view.getUint8(slotOffset(slot) + field),
      ),
    );
    assert.deepEqual([0, 1].map((slot) => view.getUint16(slotOffset(slot) + ValueConfig.field, true)), [56, 256]); // prettier-ignore
    const { SOURCE_REGISTERS } = ValueSource;
    assert.deepEqual(facts, [
      [SOURCE_REGISTERS, 0, ValueMemory.MEMORY_BY_ADDRESS],
      [SOURCE_REGISTERS, 0, ValueMemory.MEMORY_BY_ADDRESS],
    ]);
  });

  it('parts of registers: their number of bytes, zero-extended', () => {
    const readRegisterValue = (type: CompiledValue['type'], bytes: number): number[] => {
      const registers = new Map([[0, { offset: 80, bytes }]]);
      const view = encodeConfig(compiledHook({ data: [compiledValue(type, { source: 'pt_regs', resolve: 'al' })] }), {
        registers,
      });
      return [ValueConfig.width, ValueConfig.isSigned].map((field) => view.getUint8(slotOffset(0) + field));
    };
    assert.deepEqual(readRegisterValue('uint64', 4), [4, 0]);
    assert.deepEqual(readRegisterValue('int', 1), [1, 0]);
    assert.deepEqual(readRegisterValue('int', 4), [4, 1]);
    assert.deepEqual(readRegisterValue('uint8', 8), [1, 0]);
  });

  it('strings: in the kernel, in user space, or decided by the address', () => {
    const readMemoryKind = (hook: Partial<CompiledHook>, resolved: EncodeContext['resolved'] = new Map()): number =>
      encodeConfig(compiledHook(hook), { resolved }).getUint8(slotOffset(0) + ValueConfig.memory);
    const text = [compiledValue('string')];
    assert.equal(readMemoryKind({ args: text }), ValueMemory.MEMORY_BY_ADDRESS);
    assert.equal(readMemoryKind({ args: text, syscall: true }), ValueMemory.MEMORY_USER);
    assert.equal(
      readMemoryKind({ data: [compiledValue('string', { source: 'current_task' })] }),
      ValueMemory.MEMORY_KERNEL,
    );
    assert.equal(readMemoryKind({ returnArg: compiledValue('string') }), ValueMemory.MEMORY_KERNEL);
    assert.equal(readMemoryKind({ args: text }, new Map([[0, { steps: [], width: 0 }]])), ValueMemory.MEMORY_KERNEL);
  });

  it('fields of a tracepoint: their offset, their target, and the memory of the target', () => {
    const field = { offset: 24, width: 0, steps: [], isDataLoc: false, memory: 'kernel' } as const;
    const follow = { offset: 0, follow: true };
    const fields = new Map([
      [0, { ...field, offset: 8, width: 2 }],
      [1, { ...field, isDataLoc: true }],
      [2, { ...field, steps: [follow], memory: 'user' as const }],
      [3, { ...field, steps: [follow, { offset: 40, follow: false }], memory: 'by-address' as const }],
    ]);
    const args = (['int32', 'string', 'string', 'file'] as const).map((type, i) =>
      compiledValue(type, { index: 4 + i }),
    );
    const view = encodeConfig(compiledHook({ kind: 'tracepoint', args }), { fields });
    const written = args.map((_, slot) => {
      const readU8 = (field: number): number => view.getUint8(slotOffset(slot) + field);
      return [
        readU8(ValueConfig.read), readU8(ValueConfig.source), readU8(ValueConfig.param), readU8(ValueConfig.width), readU8(ValueConfig.indirect),
        readU8(ValueConfig.memory), readU8(ValueConfig.stepsCount), view.getUint16(slotOffset(slot) + ValueConfig.field, true),
      ]; // prettier-ignore
    });
    const { SOURCE_FIELD } = ValueSource;
    const { MEMORY_KERNEL, MEMORY_USER, MEMORY_BY_ADDRESS } = ValueMemory;
    assert.deepEqual(written, [
      [ValueRead.READ_SCALAR, SOURCE_FIELD, 0, 2, 1, MEMORY_KERNEL, 0, 8],
      [ValueRead.READ_DATA_LOC, SOURCE_FIELD, 0, 0, 0, MEMORY_KERNEL, 0, 24],
      [ValueRead.READ_STRING, SOURCE_FIELD, 0, 0, 0, MEMORY_USER, 1, 24],
      [ValueRead.READ_FILE, SOURCE_FIELD, 0, 0, 0, MEMORY_BY_ADDRESS, 2, 24],
    ]);
  });

  it('strings of a program are in its memory', () => {
    const args = [compiledValue('string'), compiledValue('string', { source: 'current_task', resolve: 'comm' })];
    const view = encodeConfig(compiledHook({ kind: 'uprobe', args }), {
      resolved: new Map([[1, { steps: [], width: 0 }]]),
    });
    assert.deepEqual(
      [0, 1].map((slot) => view.getUint8(slotOffset(slot) + ValueConfig.memory)),
      [ValueMemory.MEMORY_USER, ValueMemory.MEMORY_KERNEL],
    );
  });

  it('buffers: their size, their capacity, and whether they are read at return', () => {
    const args = [
      compiledValue('char_buf', { index: 1, sizeArgIndex: 3 }),
      compiledValue('char_buf', { index: 1, sizeArgIndex: 3, returnCopy: true }),
      compiledValue('char_buf', { index: 1, maxData: true }),
      compiledValue('char_iovec', { index: 1, sizeArgIndex: 3 }),
      compiledValue('sock'),
      compiledValue('int'),
    ];
    const readBufferFields = (pair: boolean): number[][] => {
      const sizes = new Map([0, 1, 3].map((slot) => [slot, { param: 3, width: 4 }]));
      const view = encodeConfig(compiledHook({ args }), { pair, sizes });
      const fields = [ValueConfig.sizeParam, ValueConfig.sizeWidth, ValueConfig.sizeReturned, ValueConfig.readAtReturn];
      return args.map((_, slot) => [
        ...fields.map((field) => view.getUint8(slotOffset(slot) + field)),
        view.getUint32(slotOffset(slot) + ValueConfig.capacity, true),
      ]);
    };
    assert.deepEqual(readBufferFields(true), [
      [3, 4, 0, 0, 4096],
      [3, 4, 1, 1, 4096],
      [0, 0, 0, 1, 32768],
      [3, 4, 0, 0, 4096],
      [0, 0, 0, 0, 128],
      [0, 0, 0, 0, 0],
    ]);
    assert.ok(readBufferFields(false).every(([, , , atReturn]) => atReturn === 0));
    const encoded = encodeHook(compiledHook({ args }), encodeContext());
    const body = new DataView(encoded.config.buffer).getUint32(HookConfig.bodySize, true);
    assert.equal(body, VALUES + 3 * 4096 + 32768 + 128);
    const maxBytes = VALUES + 8 * 4096 + 2 * 32768 + 2048 + ImaHash.sizeof + RecordLimit.MARKS_SIZE_MAX;
    assert.equal(findMap(encoded, 'scratch').trim, maxBytes - body);
    assert.equal(findMap(encoded, 'pending').trim, maxBytes - body);
    const empty = encodeConfig(compiledHook());
    assert.equal(empty.getUint32(HookConfig.bodySize, true), VALUES + 128);
    const large = compiledHook({ args: Array.from({ length: 4 }, () => compiledValue('char_buf', { maxData: true })) });
    assert.throws(() => encodeHook(large, encodeContext()), { code: 'LIMIT_EVENT_BYTES' });
  });

  it('comparisons: first tests of the process, then of each value', () => {
    const process: ProcessGroup[] = [
      { ...intGroup([intTest({ value: 77n })], { negate: true }), field: 'namespacePid' },
      { ...intGroup([]), tests: [{ ...intTest({}), host: true }, intTest({ value: 9n })], field: { namespace: 'Mnt' } },
    ];
    const args = [
      compiledValue('file', { ints: [intGroup([intTest({ op: 'equal', value: 0o100000n })])] }),
      compiledValue('int', {
        ints: [
          intGroup([
            intTest({ op: 'mask', value: 6n }),
            intTest({ op: 'greater', signed: true, value: 2n ** 64n - 1n, selectors: [1] }),
            intTest({ op: 'less', value: 3n }),
            intTest({ op: 'range', signed: true, value: 1n, upper: 5n }),
            intTest({ op: 'range', value: 1n, upper: 5n }),
          ]),
        ],
      }),
      compiledValue('sock', {
        net: { groups: [{ ...intGroup([intTest({ value: 443n })]), field: 'destinationPort' }] },
      }),
    ];
    const view = encodeConfig(compiledHook({ process, args, selectors: 2 }));
    assert.equal(view.getUint8(HookConfig.processGroups), 2);
    assert.deepEqual(
      [0, 1, 2].map((slot) => [
        view.getUint8(slotOffset(slot) + ValueConfig.firstGroup),
        view.getUint8(slotOffset(slot) + ValueConfig.groupsCount),
      ]),
      [
        [2, 1],
        [3, 1],
        [4, 1],
      ],
    );
    const { INT_EQUAL, INT_MASK, INT_GREATER_SIGNED, INT_LESS, INT_RANGE, INT_RANGE_SIGNED } = IntOp;
    const plain = { negate: 0, selectors: 1n, field: 0 };
    assert.deepEqual(readGroups(view, 5), [
      { ...plain, negate: 1, field: ProcessField.PROCESS_NAMESPACE_TGID, tests: [[INT_EQUAL, 77n, 0n, 1n]] },
      {
        ...plain,
        field: ProcessField.PROCESS_NAMESPACE + 2,
        // The initial mount namespace is one of two values here.
        tests: [
          [INT_EQUAL, 3n, 0n, 1n],
          [INT_EQUAL, 33n, 0n, 1n],
          [INT_EQUAL, 9n, 0n, 1n],
        ],
      },
      { ...plain, tests: [[INT_EQUAL, 0o100000n, 0n, 1n]] },
      {
        ...plain,
        tests: [
          [INT_MASK, 6n, 0n, 1n],
          [INT_GREATER_SIGNED, 2n ** 64n - 1n, 0n, 2n],
          [INT_LESS, 3n, 0n, 1n],
          [INT_RANGE_SIGNED, 1n, 5n, 1n],
          [INT_RANGE, 1n, 5n, 1n],
        ],
      },
      { ...plain, field: NetDetail.destinationPort, tests: [[INT_EQUAL, 443n, 0n, 1n]] },
    ]);
  });

  it('too many comparisons are refused', () => {
    const many = Array.from({ length: 193 }, () => intTest({}));
    assert.throws(() => encodeConfig(compiledHook({ args: [compiledValue('int', { ints: [intGroup(many)] })] })), {
      code: 'LIMIT_INT_TESTS',
    });
    const groups = Array.from({ length: 65 }, () => intGroup([]));
    assert.throws(() => encodeConfig(compiledHook({ args: [compiledValue('int', { ints: groups })] })), {
      code: 'LIMIT_INT_GROUPS',
    });
    const sets = Array.from({ length: 129 }, () => ({ set: 0, negate: false, parent: false, selectors: [0] }));
    assert.throws(() => encodeConfig(compiledHook({ sets }), { processBits: [0] }), { code: 'LIMIT_PROCESS_TESTS' });
  });

  it('selectors that only suppress events', () => {
    const actionOrder = (...names: ('post' | 'noPost' | 'sigkill')[]): SelectorActions => ({
      order: names,
      ...(names.includes('sigkill') ? { signal: 9 } : {}),
    });
    const readSuppresses = (more: Partial<CompiledHook>): bigint =>
      encodeConfig(compiledHook({ selectors: 3, ...more })).getBigUint64(HookConfig.suppresses, true);
    assert.equal(readSuppresses({}), 0n);
    const actions = [actionOrder('noPost'), actionOrder('post'), actionOrder('sigkill', 'noPost')];
    assert.equal(readSuppresses({ actions }), 0b001n);
    // If there are actions of the return, they decide about the event.
    assert.equal(
      readSuppresses({ actions, returnActions: [actionOrder('post'), actionOrder('noPost'), actionOrder('noPost')] }),
      0b010n,
    );
  });

  it('enforcing selectors, and tests that exclude selectors before them', () => {
    const actions: SelectorActions[] = [{ order: ['post'] }, { order: ['sigkill'], signal: 9 }];
    const test = { set: 0, negate: false, parent: false, selectors: [0] };
    const view = encodeConfig(compiledHook({ selectors: 2, actions, sets: [test, { ...test, set: 1, yields: true }] }));
    assert.deepEqual(
      [
        view.getBigUint64(HookConfig.acting, true),
        view.getUint8(HookConfig.processTests),
        view.getUint8(HookConfig.yieldingTests),
      ],
      [0b10n, 1, 1],
    );
    const returnActions: SelectorActions[] = [{ order: ['sigkill'], signal: 9 }, { order: ['post'] }];
    assert.equal(
      encodeConfig(compiledHook({ selectors: 2, actions, returnActions })).getBigUint64(HookConfig.acting, true),
      0b11n,
    );
  });

  it('sets of the process and of its parent, and changes', () => {
    const view = encodeConfig(
      compiledHook({
        selectors: 64,
        sets: [
          { set: 1, negate: true, parent: false, needsExecutable: true, selectors: [0] },
          { set: 0, negate: false, parent: true, selectors: [63] },
        ],
        changes: [
          {
            selectors: [1],
            namespaces: ['Uts', 'User'],
            capabilities: 1n << 21n,
            capabilitySet: 'effective',
            outsideHost: true,
          },
        ],
      }),
      { processBits: [7, 255] },
    );
    const sets = [0, 1].map((i) => {
      const at = HookConfig.process + i * HookConfig.processStride;
      const flags = [view.getUint8(at + ProcessTest.negate), view.getUint8(at + ProcessTest.parent)];
      return [
        view.getUint16(at + ProcessTest.set, true),
        ...flags,
        view.getBigUint64(at + ProcessTest.selectors, true),
      ];
    });
    assert.equal(view.getBigUint64(HookConfig.needsExecutable, true), 1n);
    assert.deepEqual(sets, [
      [255, 1, 0, 1n],
      [7, 0, 1, 1n << 63n],
    ]);
    const at = HookConfig.changes;
    assert.equal(view.getBigUint64(at + ChangeTest.selectors, true), 2n);
    assert.equal(view.getBigUint64(at + ChangeTest.capabilities, true), 1n << 21n);
    assert.equal(view.getUint32(at + ChangeTest.namespaces, true), (1 << 0) | (1 << 9));
    assert.equal(view.getUint8(at + ChangeTest.capabilitySet), ProcessField.PROCESS_CAP_EFFECTIVE);
    assert.equal(view.getUint8(at + ChangeTest.outsideHost), 1);
    assert.equal(view.getUint32(at + ChangeTest.hostUser, true), 8);
  });

  it('selectors whose filters on a value are all negated', () => {
    const equal = { positive: [0, 3], used: [0, 1, 2, 3], entries: [] };
    const postfix = { positive: [], used: [1, 3, 4], entries: [] };
    const substrings = [{ ignoreCase: false, selectors: [2], needles: [] }];
    const file = compiledValue('file', { texts: { equal, postfix, substrings } });
    const view = encodeConfig(compiledHook({ args: [file], selectors: 5 }));
    assert.equal(view.getBigUint64(objectOffset(0) + ObjectConfig.excluding, true), 0b10010n);
    // a program that is executed is never a pipe or a socket
    const program = encodeConfig(
      compiledHook({ args: [compiledValue('linux_binprm', { texts: { equal, postfix, substrings } })], selectors: 5 }),
    );
    assert.equal(program.getBigUint64(objectOffset(0) + ObjectConfig.excluding, true), 0n);
  });

  it('values that are cheap to compare come first: details, strings, paths, then values without filters', () => {
    const equal = { positive: [0], used: [0], entries: [{ value: '/a', match: [0], reject: [] }] };
    const args = [
      compiledValue('path'),
      compiledValue('string'),
      compiledValue('sock'),
      compiledValue('int'),
      compiledValue('file', { texts: { equal } }),
      compiledValue('string', { texts: { equal } }),
      compiledValue('sockaddr', { net: { groups: [{ ...intGroup([intTest({})]), field: 'family' }] } }),
    ];
    const view = encodeConfig(compiledHook({ args }));
    assert.equal(view.getUint8(HookConfig.objectsCount), 6);
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((i) => view.getUint8(objectOffset(i) + ObjectConfig.slot)),
      [6, 5, 4, 2, 1, 0],
    );
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((i) => view.getUint8(objectOffset(i) + ObjectConfig.filtered)),
      [1, 1, 1, 0, 0, 0],
    );
  });

  it('each scan for substrings has its own start state', () => {
    const substringScan = (
      text: string,
      ignoreCase: boolean,
    ): NonNullable<CompiledHook['args'][0]['texts']['substrings']>[0] => ({
      ignoreCase,
      selectors: [0],
      needles: [{ text, selectors: [0] }],
    });
    const args = [
      compiledValue('string', { texts: { substrings: [substringScan('ab', false), substringScan('x', true)] } }),
      compiledValue('file', { texts: { substrings: [substringScan('y', false)] } }),
    ];
    const view = encodeConfig(compiledHook({ args }));
    const passes = [
      [0, 0],
      [0, 1],
      [1, 0],
    ].map(([object, pass]) => {
      const at = objectOffset(object as number) + ObjectConfig.passes + (pass as number) * ObjectConfig.passesStride;
      return [view.getUint16(at + SubstringPass.start, true), view.getUint8(at + SubstringPass.ignoreCase)];
    });
    assert.deepEqual(passes, [
      [1, 0],
      [4, 1],
      [6, 0],
    ]);
    assert.equal(view.getUint8(objectOffset(0) + ObjectConfig.passesCount), 2);
    const five = Array.from({ length: 5 }, () => substringScan('a', false));
    assert.throws(
      () => encodeConfig(compiledHook({ args: [compiledValue('string', { texts: { substrings: five } })] })),
      {
        code: 'LIMIT_SUBSTRINGS',
      },
    );
  });

  it('expressions replace the marked bodies', () => {
    const step = { op: 'filter', to: 0, a: 0, b: 0, imm: 0n, selectors: [0] } as const;
    const one = { ...step, op: 'const', imm: 1n } as const;
    const encoded = encodeHook(compiledHook({ cel: { entry: [one, step], returned: [] } }), encodeContext());
    assert.deepEqual(
      encoded.code.map(({ mark, instructions }) => [mark, instructions.length]),
      [[AbiLimit.CEL_ENTRY_MARK, 8 * AbiLimit.CEL_INSTRUCTIONS]],
    );
    const view = new DataView(encoded.config.buffer);
    assert.deepEqual([view.getUint8(HookConfig.hasCelEntry), view.getUint8(HookConfig.hasCelReturn)], [1, 0]);
  });
});
