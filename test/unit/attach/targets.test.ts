/** The target of each kind of hook. */
import assert from 'node:assert/strict';
import { compilePolicy, parsePolicy } from '../../../lib/policy/index.js';
import { fileOffset } from '../../../lib/elf/elf-info.js';
import { readElf } from '../../../lib/elf/elf.js';
import { buildElf, toFileBytes } from '../elf/elf-builder.js';
import { policyYaml } from '../policy/marked-policies.js';

function compileTargets(yaml: string): unknown[] {
  const { hooks } = compilePolicy(parsePolicy(policyYaml(yaml), { file: 'x.yaml' }));
  return hooks.map(({ kind, call, syscall, tracepoint, program, places, list }) => ({
    kind,
    call,
    syscall,
    ...(tracepoint === undefined ? {} : { tracepoint }),
    ...(program === undefined ? {} : { program }),
    ...(places === undefined ? {} : { places }),
    ...(list === undefined ? {} : { list }),
  }));
}

describe('policy: targets', () => {
  it('functions of the kernel', () => {
    assert.deepEqual(
      compileTargets('fentries: [{call: "list:all", syscall: false}]\nlists: [{name: all, values: [f, g]}]'),
      [{ kind: 'fentry', call: 'list:all', syscall: false, list: { functions: ['f', 'g'] } }],
    );
  });

  it('tracepoints and LSM hooks', () => {
    const tracepoint = { subsystem: 'sched', event: 'sched_switch' };
    const call = 'sched/sched_switch';
    assert.deepEqual(compileTargets('tracepoints: [{subsystem: sched, event: sched_switch}]'), [
      { kind: 'tracepoint', call, syscall: false, tracepoint },
    ]);
    assert.deepEqual(compileTargets('tracepoints: [{subsystem: sched, event: sched_switch, raw: true}]'), [
      { kind: 'raw_tracepoint', call, syscall: false, tracepoint },
    ]);
    assert.deepEqual(compileTargets('lsmhooks: [{hook: file_open}]'), [
      { kind: 'lsm', call: 'file_open', syscall: false },
    ]);
  });

  const placesIn: readonly (readonly [string, string, readonly object[]])[] = [
    ['symbols: [f, g+0x10]', 'f and 1 more', [{ symbol: 'f' }, { symbol: 'g', symbolOffset: 16n }]],
    ['offsets: [4096, 8192]', '0x1000 and 1 more', [{ fileOffset: 4096n }, { fileOffset: 8192n }]],
    ['addrs: [0x401000, 0x402000]', '0x401000 and 1 more', [{ address: 0x401000n }, { address: 0x402000n }]],
  ];
  for (const [written, call, wanted] of placesIn) {
    it(`attach points in programs, with their counters: ${written}`, () => {
      const places = wanted.map((point, i) => ({ ...point, path: '/a', refCtrOffset: BigInt(i + 1) }));
      assert.deepEqual(compileTargets(`uprobes: [{path: /a, ${written}, refCtrOffsets: [1, 2]}]`), [
        { kind: 'uprobe', call, syscall: false, program: places[0], places },
      ]);
    });
  }

  it('names of attach points in programs', () => {
    const compileUprobeCall = (point: string): unknown =>
      compilePolicy(policyYaml(`uprobes: [{path: /a, ${point}}]`)).hooks[0]?.call;
    assert.deepEqual(
      ['symbols: [f]', 'symbols: [h+3]', 'offsets: [4096]', 'addrs: [0x401000]'].map(compileUprobeCall),
      ['f', 'h+0x3', '0x1000', '0x401000'],
    );
  });

  it('mappings: executable, and of a file', () => {
    const [hook, ...more] = compilePolicy(parsePolicy(policyYaml('loader: true'), { file: 'x.yaml' })).hooks;
    assert.deepEqual(
      [hook?.kind, hook?.call, hook?.position, more.length],
      ['loader', 'perf_event_mmap', { file: 'x.yaml', line: 6, column: 11 }, 0],
    );
    assert.deepEqual(
      hook?.data.map(({ resolve, ints }) => [
        resolve,
        ints[0]?.negate,
        ints[0]?.tests[0]?.op,
        ints[0]?.tests[0]?.value,
      ]),
      [
        ['vm_flags', false, 'mask', 4n],
        ['vm_file', true, 'equal', 0n],
      ],
    );
    assert.deepEqual(compilePolicy(policyYaml('loader: false\nkprobes: [{call: sys_dup}]')).hooks.length, 1);
  });

  it('each target has the position of its own name', () => {
    const positions = [
      'tracepoints: [{subsystem: a, event: b}]',
      'lsmhooks: [{hook: c}]',
      'uprobes: [{path: /a, symbols: [b]}]',
    ];
    assert.deepEqual(
      positions.map((yaml) => compilePolicy(policyYaml(yaml)).hooks[0]?.position.column),
      [39, 21, 20],
    );
  });

  it('an address becomes an offset in the segment that is mapped there', () => {
    for (const bigEndian of [false, true]) {
      const file = buildElf({ symbols: ['f'], probes: [], bigEndian, segments: [[0x400000, 0, 0x1000], [0x402000, 0x1800, 0x100]] }); // prettier-ignore
      const elf = readElf(toFileBytes(file));
      assert.ok(elf);
      assert.deepEqual(
        [0x400010n, 0x402000n, 0x4020ffn, 0x402100n, 0x3fffffn].map((address) => fileOffset(elf, address)),
        [0x10n, 0x1800n, 0x18ffn, undefined, undefined],
      );
    }
  });
});
