/** Syntax of Tetragon with the meaning that it has there, decided in the kernel: one hook for each row. */
import assert from 'node:assert/strict';
import type { ProcessKprobeEvent, TracerEvent } from '../../types/index.js';
import type { NamedAction } from './matrix-policy.js';
import { runActions, prepareMatrix } from './matrix-setup.js';
import { argumentValue, kernel, kprobeEvents, kprobePolicy, Recording } from './support.js';

const SYMLINKAT = 266;
const LSEEK = 8;
const FCNTL = 72;
const AT_FDCWD = -100;
const OFFSET = 0x1122334455;
const WRITTEN = '/language/written';
const TARGET = '/language/target';

interface Row {
  readonly name: string;
  readonly kind?: 'tracepoints';
  readonly hook: string;
  readonly action: NamedAction['action'];
  /** The values of the args and data that the event must have. */
  readonly values: readonly unknown[];
}

const lseek = (offset: number, whence: number): Row['action'] => ['call', LSEEK, 0, offset, whence];
const fcntl = (command: number, argument: number): Row['action'] => ['call', FCNTL, 0, command, argument];
const symlink = (target: string): Row['action'] => ['call', SYMLINKAT, `=${target}`, AT_FDCWD, '=/no/such/folder/link'];

const rows: readonly Row[] = [
  {
    name: 'types from the prototype of a function',
    hook: `call: security_file_fcntl
syscall: false
args: [{ index: 0 }, { index: 1, type: auto }, { index: 2 }]
selectors: [{ matchArgs: [{ index: 1, operator: Equal, values: ['28673'] }, { index: 2, operator: GT, values: ['4294967295'] }] }]`,
    action: fcntl(28673, OFFSET),
    values: [undefined, 28673, BigInt(OFFSET)],
  },
  {
    name: 'types from the format of a tracepoint',
    kind: 'tracepoints',
    hook: `subsystem: raw_syscalls
event: sys_enter
args: [{ index: 4, type: auto }]
selectors: [{ matchArgs: [{ index: 4, operator: Equal, values: ['${SYMLINKAT}'] }] }]`,
    action: symlink('/language/tracepoint'),
    values: [BigInt(SYMLINKAT)],
  },
  {
    name: 'a buffer and a descriptor in fields of a tracepoint',
    kind: 'tracepoints',
    hook: `subsystem: syscalls
event: sys_enter_write
args: [{ index: 6, type: char_buf, sizeArgIndex: 8 }, { index: 5, type: fd }]
selectors: [{ matchArgs: [{ index: 6, operator: Equal, values: [${WRITTEN}] }] }]`,
    action: ['write', WRITTEN],
    values: [new Uint8Array(Buffer.from(WRITTEN)), undefined],
  },
  {
    name: 'positions, casts and bit functions in an expression',
    hook: `call: sys_lseek
args: [{ index: 2, type: int }, { index: 1, type: int64 }]
selectors: [{ matchArgs: [{ index: 2, operator: CelExpr, values: ['arg1 == 4321 && int32(and(arg1, 1)) + arg0 == int32(3)'] }] }]`,
    action: lseek(4321, 2),
    values: [2, 4321n],
  },
  {
    name: 'matchCEL with an argument and data',
    hook: `call: sys_lseek
args: [{ index: 2, type: int }, { index: 1, type: int64 }]
data: [{ index: 0, type: int, source: current_task, resolve: static_prio }]
selectors: [{ matchArgs: [{ index: 2, operator: Equal, values: ['2'] }], matchCEL: { expr: 'arg1 == 4327 && data0 == int32(120) && arg0 < data0' } }]`,
    action: lseek(4327, 2),
    values: [2, 4327n, 120],
  },
  {
    name: 'matchCEL that data contradicts, in an earlier selector',
    hook: `call: sys_lseek
args: [{ index: 2, type: int }, { index: 1, type: int64 }]
data: [{ index: 0, type: int, source: current_task, resolve: static_prio }]
selectors: [{ matchCEL: { expr: 'arg1 == 4329 && data0 < int32(120)' }, matchActions: [{ action: NoPost }] }, { matchCEL: { expr: 'arg1 == 4329' } }]`,
    action: lseek(4329, 2),
    values: [2, 4329n, 120],
  },
  {
    name: 'the bits of a negative number',
    hook: `call: sys_lseek
args: [{ index: 2, type: int }]
selectors: [{ matchArgs: [{ index: 2, operator: Equal, values: ['4294967277'] }] }]`,
    action: lseek(0, -19),
    values: [-19],
  },
  {
    name: 'parts of registers',
    hook: `call: security_file_fcntl
syscall: false
args: [{ index: 2, type: uint64 }]
data: [{ index: 0, type: uint64, source: pt_regs, resolve: esi }, { index: 0, type: int, source: pt_regs, resolve: sil }]
selectors: [{ matchArgs: [{ index: 2, operator: Equal, values: ['3'] }] }]`,
    action: fcntl(0x223344f5, 3),
    values: [3n, 0x223344f5n, 0xf5],
  },
  {
    name: 'an empty text',
    hook: `call: sys_symlinkat
args: [{ index: 0, type: string }]
selectors: [{ matchArgs: [{ index: 0, operator: Equal, values: [''] }] }]`,
    action: symlink(''),
    values: [''],
  },
  {
    name: 'the same index twice',
    hook: `call: sys_symlinkat
args: [{ index: 0, type: string }, { index: 0, type: string, label: again }]
selectors: [{ matchArgs: [{ index: 0, operator: Equal, values: [${TARGET}] }] }]`,
    action: symlink(TARGET),
    values: [TARGET, TARGET],
  },
];

function eventValues({ args, data }: ProcessKprobeEvent): unknown[] {
  return [...args, ...(data ?? [])].map(argumentValue);
}

const isHook = (event: TracerEvent): event is TracerEvent & { message?: string } => 'message' in event;

describe(`the meaning that Tetragon gives, on ${kernel}`, () => {
  let events: readonly (TracerEvent & { message?: string })[] = [];

  before(async () => {
    prepareMatrix();
    const recording = await Recording.open(undefined);
    try {
      const hookYaml = ({ name, hook }: Row): string => `message: ${name}\n${hook}`;
      const kprobes = kprobePolicy('language', ...rows.filter(({ kind }) => kind === undefined).map(hookYaml));
      const tracepoints = kprobePolicy(
        'language-fields',
        ...rows.filter(({ kind }) => kind !== undefined).map(hookYaml),
      );
      await recording.tracer.addPolicy({ yaml: kprobes });
      await recording.tracer.addPolicy({ yaml: tracepoints.replace('kprobes:', 'tracepoints:') });
      const actions = rows.map(({ action }, i): NamedAction => ({ name: `language${i}`, action }));
      events = (await recording.eventsDuring(() => runActions(actions))).filter(isHook);
    } finally {
      await recording.close();
    }
  });

  for (const { name, values } of rows) {
    it(name, () => {
      const own = events.filter(({ message }) => message === name) as unknown as ProcessKprobeEvent[];
      assert.ok(
        own.some((event) => JSON.stringify(toStrings(eventValues(event))) === JSON.stringify(toStrings(values))),
        `${own.length} events: ${own.map((event) => JSON.stringify(toStrings(eventValues(event)))).join(' ')}`,
      );
    });
  }

  it('no other call has passed the filters', () => {
    const counts = kprobeEvents(events).map(({ message }) => message);
    for (const { name } of rows.filter(({ kind }) => kind === undefined))
      assert.equal(counts.filter((message) => message === name).length, 1, name);
  });
});

const toStrings = (values: readonly unknown[]): unknown[] =>
  values.map((value) =>
    typeof value === 'bigint' ? String(value) : typeof value === 'number' ? String(value) : value,
  );
