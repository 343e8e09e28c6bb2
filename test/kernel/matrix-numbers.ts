/** The matrix: numbers, system calls, capabilities and sets of them. */
import { type TypeOfClass } from '../../lib/names/arg-types.js';
import { ARG_TYPES, type ArgTypeName } from '../../lib/policy/language/vocabulary.js';
import type { Action, CompleteSubject, Hook, Subject, TestsOfType } from './matrix.js';

/** Bits above the width of the type. They must be ignored. */
const NOISE = 0x1122334455667788n;

/** lseek accepts any number as its offset. The descriptor is not open, so nothing happens. */
export function lseek(value: bigint, bits = 64): Action {
  const own = BigInt.asUintN(bits, value);
  const raw = bits === 64 ? own : ((NOISE >> BigInt(bits)) << BigInt(bits)) | own;
  return ['lseek', 4242, `0x${raw.toString(16)}`, 0];
}

export function signedTests(bits: number, act: (value: bigint) => Action): TestsOfType<'int'> {
  const least = -(2n ** BigInt(bits - 1));
  return {
    Equal: [
      { values: ['-5', '100'], match: act(-5n), miss: act(5n) },
      { values: [`${least}`, `${-least - 1n}`], match: act(least), miss: act(least + 1n) },
    ],
    GreaterThan: [{ values: ['-3'], match: act(2n), miss: act(-5n) }],
    LessThan: [{ values: ['-3'], match: act(least), miss: act(-3n) }],
    Mask: [{ values: ['0x6'], match: act(4n), miss: act(1n) }],
    InMap: [{ values: ['-5', '7'], match: act(7n), miss: act(6n) }],
    InRange: [{ values: ['-10:-4', '50:60'], match: act(-10n), miss: act(-3n) }],
    CelExpr: [{ values: ['arg0 * 2 == -10'], match: act(-5n), miss: act(5n) }],
  };
}

export function unsignedTests(bits: number, act: (value: bigint) => Action): TestsOfType<'uint32'> {
  const most = 2n ** BigInt(bits) - 1n;
  const half = 2n ** BigInt(bits - 1);
  return {
    Equal: [{ values: [`${most}`, '200'], match: act(most), miss: act(1n) }],
    GreaterThan: [{ values: [`${half - 1n}`], match: act(half), miss: act(half - 1n) }],
    LessThan: [{ values: ['100'], match: act(5n), miss: act(most) }],
    Mask: [{ values: [`${half}`, '0x8'], match: act(half + 1n), miss: act(half - 9n) }],
    InMap: [{ values: ['7', '200'], match: act(200n), miss: act(201n) }],
    InRange: [{ values: ['100:200', '7:7'], match: act(200n), miss: act(201n) }],
    CelExpr: [{ values: ['arg0 / 2u == 100u'], match: act(200n), miss: act(199n - 1n) }],
  };
}

type NumberType = Exclude<TypeOfClass<'signed' | 'unsigned'>, 'bpf_cmd'>;

/** The JSON field of each type. Numbers of 64 bits are written as strings. */
const JSON_FIELDS: Readonly<Record<NumberType, string>> = {
  int: 'int_arg',
  int8: 'int_arg',
  sint8: 'int_arg',
  int16: 'int_arg',
  sint16: 'int_arg',
  int32: 'int_arg',
  sint32: 'int_arg',
  uint8: 'uint_arg',
  uint16: 'uint_arg',
  uint32: 'uint_arg',
  long: 'long_arg',
  int64: 'long_arg',
  sint64: 'long_arg',
  ulong: 'size_arg',
  uint64: 'size_arg',
  size_t: 'size_arg',
};

function numberSubject(type: NumberType): CompleteSubject<'int' | 'uint32'> {
  const facts = ARG_TYPES[type];
  const act = (value: bigint): Action => lseek(value, facts.bits);
  const signed = facts.class === 'signed';
  const sample = signed ? -5n : 200n;
  const wide = facts.bits === 64;
  return {
    title: type,
    type,
    source: 'args',
    hook: { call: 'sys_lseek', syscall: true, args: [{ index: 1, type }] },
    tests: signed ? signedTests(facts.bits, act) : unsignedTests(facts.bits, act),
    expected: [
      {
        action: act(sample),
        value: { type, value: wide ? sample : Number(sample) },
        json: { [JSON_FIELDS[type]]: wide ? `${sample}` : Number(sample) },
      },
    ],
  };
}

/** The kernel calls security_bpf for any command, also for unknown commands like these. */
const BPF_CMD: CompleteSubject<'bpf_cmd'> = {
  title: 'bpf_cmd',
  type: 'bpf_cmd',
  source: 'args',
  hook: { call: 'security_bpf', args: [{ index: 0, type: 'bpf_cmd' }] },
  tests: unsignedTests(32, (value) => ['bpf', value]),
  expected: [
    { action: ['bpf', 5], value: { type: 'bpf_cmd', value: 5 }, json: { bpf_cmd_arg: 'BPF_PROG_LOAD' } },
    { action: ['bpf', 200], value: { type: 'bpf_cmd', value: 200 }, json: {} },
  ],
};

const SYSCALL64: CompleteSubject<'syscall64'> = {
  title: 'syscall64',
  type: 'syscall64',
  source: 'args',
  hook: { call: 'sys_lseek', syscall: true, args: [{ index: 1, type: 'syscall64' }] },
  tests: {
    Equal: [{ values: ['257', '1'], match: lseek(257n), miss: lseek(2n) }],
    InMap: [{ values: ['300:310', '3'], match: lseek(305n), miss: lseek(311n) }],
    InRange: [{ values: ['10:20'], match: lseek(20n), miss: lseek(21n) }],
  },
  expected: [{ action: lseek(257n), value: { type: 'syscall64', value: 257n }, json: { syscall_id: { id: 257 } } }],
};

const CHROOT = 18;
const PACCT = 20;
const BOOT = 22;
const capable = (capability: number): Action => ['capable', capability];
const CAPABILITY: CompleteSubject<'capability'> = {
  title: 'capability',
  type: 'capability',
  source: 'args',
  hook: { call: 'cap_capable', args: [{ index: 2, type: 'capability' }] },
  tests: {
    Equal: [{ values: ['CAP_SYS_CHROOT', '40'], match: capable(CHROOT), miss: capable(PACCT) }],
    InMap: [{ values: ['22:40', 'CAP_SYS_CHROOT'], match: capable(BOOT), miss: capable(PACCT) }],
    CelExpr: [{ values: ['arg0 == 18 || arg0 == 22'], match: capable(BOOT), miss: capable(PACCT) }],
  },
  expected: [
    {
      action: capable(CHROOT),
      value: { type: 'capability', value: CHROOT },
      json: { capability_arg: { value: CHROOT, name: 'CAP_SYS_CHROOT' } },
    },
  ],
};

/**
 * The parameter of security_capset: 2 effective, 3 inheritable, 4 permitted. The words of capset have the same order.
 */
function capabilitySet(
  type: TypeOfClass<'capabilities'>,
  index: number,
  json: string,
): CompleteSubject<'cap_effective'> {
  const other = index === 4 ? 3 : index + 1;
  const act = (value: number, before = 0): Action =>
    ['capset', 2, 3, 4].map((word) =>
      word === index ? value : word === other ? before : typeof word === 'string' ? word : 0,
    );
  const hook: Hook = {
    call: 'security_capset',
    args: [
      { index, type },
      { index: other, type },
    ],
  };
  const chroot = 1 << CHROOT;
  return {
    title: type,
    type,
    source: 'args',
    hook,
    tests: {
      Equal: [
        { values: ['CAP_SYS_CHROOT'], match: act(chroot), miss: act(chroot | 1) },
        { values: ['0x3'], match: act(3), miss: act(2) },
      ],
      Mask: [{ values: ['CAP_SYS_CHROOT'], match: act(chroot | 1), miss: act(1) }],
      CapabilitiesGained: [
        { values: ['CAP_SYS_CHROOT'], args: [1, 0], match: act(chroot | 1, 1), miss: act(chroot | 1, chroot) },
        { args: [1, 0], match: act(7, 3), miss: act(3, 7) },
      ],
    },
    expected: [
      {
        action: act(chroot | 1),
        value: { type, value: BigInt(chroot | 1) },
        json: { [json]: '0000000000040001' },
      },
    ],
  };
}

export const NUMBERS = {
  int: [numberSubject('int')],
  int8: [numberSubject('int8')],
  sint8: [numberSubject('sint8')],
  int16: [numberSubject('int16')],
  sint16: [numberSubject('sint16')],
  int32: [numberSubject('int32')],
  sint32: [numberSubject('sint32')],
  int64: [numberSubject('int64')],
  sint64: [numberSubject('sint64')],
  long: [numberSubject('long')],
  uint8: [numberSubject('uint8')],
  uint16: [numberSubject('uint16')],
  uint32: [numberSubject('uint32')],
  uint64: [numberSubject('uint64')],
  ulong: [numberSubject('ulong')],
  size_t: [numberSubject('size_t')],
  bpf_cmd: [BPF_CMD],
  syscall64: [SYSCALL64],
  capability: [CAPABILITY],
  kernel_cap_t: [capabilitySet('kernel_cap_t', 2, 'kernel_cap_t_arg')],
  cap_effective: [capabilitySet('cap_effective', 2, 'cap_effective_arg')],
  cap_inheritable: [capabilitySet('cap_inheritable', 3, 'cap_inheritable_arg')],
  cap_permitted: [capabilitySet('cap_permitted', 4, 'cap_permitted_arg')],
} as const satisfies Readonly<Partial<Record<ArgTypeName, readonly Subject[]>>>;
