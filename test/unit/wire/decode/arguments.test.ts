import assert from 'node:assert/strict';
import fc from 'fast-check';
import { argumentJson } from '../../../../lib/output/arguments-json.js';
import { summarizeCall } from '../../../../lib/output/known-functions.js';
import { formatValues } from '../../../../lib/output/format-values.js';
import { ARG_TYPES } from '../../../../lib/policy/language/vocabulary.js';
import { hostArchitecture, SYSCALL_COMPAT, syscallNumber } from '../../../../lib/names/syscalls.js';
import { decodeArgument } from '../../../../lib/wire/decode/arguments.js';
import { formatMode } from '../../../../lib/wire/decode/files.js';
import {
  BpfDetail,
  CredDetail,
  EventHook,
  ModuleDetail,
  NetDetail,
  PerfDetail,
  StringFlag,
  UserNamespaceDetail,
  Value,
} from '../../../../lib/wire/layout.gen.js';
import { READS } from '../../../../lib/wire/reads.js';
import type { BufferArgument, HookArgument } from '../../../../types/events.js';
import type { ArgumentType } from '../../../../types/policy-language.js';
import { decodeValue, detailBytes, valuesRecord, placeInChunk, type RecordValue } from './values.js';

type ReportedType = HookArgument['type'];
/** The types of the language that events do not have. */
type UnreportedType = Exclude<ArgumentType, ReportedType>;
const UNREPORTED: Readonly<Record<'nop' | 'auto', UnreportedType>> & Readonly<Record<UnreportedType, UnreportedType>> =
  {
    nop: 'nop',
    auto: 'auto',
  };

const NET = detailBytes(NetDetail.sizeof, [
  [NetDetail.family, 2],
  [NetDetail.type, 1],
  [NetDetail.protocol, 6],
  [NetDetail.state, 2],
  [NetDetail.sourcePort, 65535],
  [NetDetail.destinationPort, 443],
  [NetDetail.mark, 3],
  [NetDetail.priority, 4],
  [NetDetail.source, [10, 0, 0, 1, 9, 9]],
  [NetDetail.destination, [192, 0, 2, 7]],
  [NetDetail.cookie, 2n ** 64n - 1n],
  [NetDetail.address, 2n ** 64n - 4096n],
  [NetDetail.hash, 5],
  [NetDetail.length, 1500],
  [NetDetail.secPathLen, 1],
  [NetDetail.secPathOlen, 2],
]);
const NET6 = detailBytes(NetDetail.sizeof, [
  [NetDetail.family, 10],
  [NetDetail.type, 7],
  [NetDetail.protocol, 200],
  [NetDetail.state, 77],
  [NetDetail.source, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  [NetDetail.destination, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1]],
]);
const UNIX = detailBytes(NetDetail.sizeof, [
  [NetDetail.family, 1],
  [NetDetail.source, [1, 2, 3, 4]],
]);
const ENDS = {
  family: 'AF_INET',
  protocol: 'IPPROTO_TCP',
  sourceAddress: '10.0.0.1',
  destinationAddress: '192.0.2.7',
  sourcePort: 65535,
  destinationPort: 443,
  mark: 3,
  priority: 4,
};
const SOCK = {
  ...ENDS,
  socketType: 'SOCK_STREAM',
  state: 'TCP_SYN_SENT',
  cookie: 2n ** 64n - 1n,
  address: 2n ** 64n - 4096n,
};
const NO_ENDS = { sourceAddress: '', destinationAddress: '', sourcePort: 0, destinationPort: 0, mark: 0, priority: 0 };

const CRED = detailBytes(CredDetail.sizeof, [
  ...[10, 11, 12, 13, 14, 15, 16, 17].map((id, i) => [CredDetail.credsUid + 4 * i, id] as const),
  [CredDetail.credsCapPermitted, 2n ** 41n - 1n],
  [CredDetail.credsCapEffective, 2n],
  [CredDetail.credsCapInheritable, 1n],
  [CredDetail.securebits, 0x10],
  [CredDetail.userLevel, 1],
  [CredDetail.userOwner, 1000],
  [CredDetail.userGroup, 1001],
  [CredDetail.userInum, 4026532000],
]);
const BPF = detailBytes(BpfDetail.sizeof, [
  [BpfDetail.type, 2],
  [BpfDetail.instructions, 12],
  [BpfDetail.keySize, 4],
  [BpfDetail.valueSize, 8],
  [BpfDetail.maxEntries, 16],
  [BpfDetail.name, 'name\0rest'],
]);
const UNNAMED_BPF = detailBytes(BpfDetail.sizeof, [
  [BpfDetail.type, 250],
  [BpfDetail.name, 'x'.repeat(BpfDetail.nameLength)],
]);
const PERF = detailBytes(PerfDetail.sizeof, [
  [PerfDetail.type, 1],
  [PerfDetail.config, 2n ** 63n],
  [PerfDetail.probeOffset, 4n],
  [PerfDetail.function, 'do_exit'],
]);
const moduleDetail = (signature: number): Buffer =>
  detailBytes(ModuleDetail.sizeof, [
    [ModuleDetail.taints, 0x1000n],
    [ModuleDetail.signature, signature],
    [ModuleDetail.name, 'dummy'],
  ]);
const FILE = { text: '/etc/shadow', mode: 0o100640, value: 7n, device: (8 << 20) | 0xfffff, links: 2 };
const FILE_ARGUMENT = {
  path: '/etc/shadow',
  flags: [],
  permission: '-rw-r-----',
  inode: 7n,
  device: { major: 8, minor: 0xfffff },
  links: 2,
};
const OPENAT = syscallNumber('openat', hostArchitecture()) ?? 0n;

type Rows = readonly (readonly [value: RecordValue, expected: Record<string, unknown>])[];

const numberRows = (bits: number, signed: boolean): Rows => {
  return [0n, 1n, -1n, 2n ** BigInt(bits - 1), 0x1122_3344_5566_7788n].map((value) => {
    const own = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    return [{ value }, { value: bits === 64 ? own : Number(own) }];
  });
};
const text: Rows = [
  [{ text: 'grüße' }, { value: 'grüße', truncated: false }],
  [
    { text: '', size: 3 },
    { value: '', truncated: false },
  ],
  [{ text: Buffer.from([0x61, 0xff]) }, { value: 'a\udcff', truncated: false }],
  [
    { text: 'x', flags: StringFlag.STRING_TRUNCATED },
    { value: 'x', truncated: true },
  ],
  [{ flags: StringFlag.STRING_FAULT }, { value: '', truncated: false, unreadable: true }],
];
const buffer: Rows = [
  [
    { text: Buffer.from([0, 255, 10]), size: 3 },
    { value: Uint8Array.of(0, 255, 10), size: 3, truncated: false },
  ],
  [
    { text: 'abc', size: 5000, flags: StringFlag.STRING_TRUNCATED },
    { value: new Uint8Array(Buffer.from('abc')), size: 5000, truncated: true },
  ],
  [
    { size: 9, flags: StringFlag.STRING_FAULT },
    { value: new Uint8Array(), size: 9, truncated: false, unreadable: true },
  ],
];
const file: Rows = [[FILE, FILE_ARGUMENT]];
const set: Rows = [
  [{ value: 0n }, { value: 0n, names: [] }],
  [{ value: (2n ** 63n) | 3n }, { value: (2n ** 63n) | 3n, names: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE'] }],
];
const socket: Rows = [
  [{ text: NET }, SOCK],
  [
    { text: NET6 },
    {
      ...NO_ENDS,
      family: 'AF_INET6',
      protocol: '200',
      socketType: '7',
      state: '77',
      cookie: 0n,
      address: 0n,
      sourceAddress: '2001:db8::1',
      destinationAddress: '::ffff:127.0.0.1',
    },
  ],
  [
    { text: UNIX },
    { ...NO_ENDS, family: 'AF_UNIX', protocol: 'IPPROTO_IP', socketType: '0', state: '0', cookie: 0n, address: 0n },
  ],
];
const program: Rows = [
  [{ text: BPF }, { programType: 'BPF_PROG_TYPE_KPROBE', instructions: 12, name: 'name' }],
  [{ text: UNNAMED_BPF }, { programType: '250', instructions: 0, name: 'x'.repeat(16) }],
];
const kernelModule: Rows = [
  [{ text: moduleDetail(1) }, { name: 'dummy', signatureValid: true, taints: 0x1000n }],
  [{ text: moduleDetail(0) }, { name: 'dummy', signatureValid: false, taints: 0x1000n }],
  [{ text: moduleDetail(2) }, { name: 'dummy', taints: 0x1000n }],
];

const TABLE: Readonly<Record<ReportedType, Rows>> = {
  int: numberRows(32, true),
  int8: numberRows(8, true),
  sint8: numberRows(8, true),
  int16: numberRows(16, true),
  sint16: numberRows(16, true),
  int32: numberRows(32, true),
  sint32: numberRows(32, true),
  uint8: numberRows(8, false),
  uint16: numberRows(16, false),
  uint32: numberRows(32, false),
  int64: numberRows(64, true),
  sint64: numberRows(64, true),
  long: numberRows(64, true),
  uint64: numberRows(64, false),
  ulong: numberRows(64, false),
  size_t: numberRows(64, false),
  bpf_cmd: [
    [{ value: 0n }, { value: 0, name: 'BPF_MAP_CREATE' }],
    [{ value: 36n }, { value: 36, name: 'BPF_TOKEN_CREATE' }],
    [{ value: 200n }, { value: 200 }],
  ],
  capability: [
    [{ value: 1n }, { value: 1, name: 'CAP_DAC_OVERRIDE' }],
    [{ value: 40n }, { value: 40, name: 'CAP_CHECKPOINT_RESTORE' }],
    [{ value: 41n }, { value: 41 }],
    [{ value: -1n }, { value: -1 }],
  ],
  syscall64: [
    [{ value: OPENAT }, { value: OPENAT, name: 'openat', abi: hostArchitecture() }],
    [{ value: 2n ** 64n - 1n }, { value: 2n ** 64n - 1n, abi: hostArchitecture() }],
    [
      { value: 41n | SYSCALL_COMPAT },
      hostArchitecture() === 'x64' ? { value: 41n, name: 'dup', abi: 'i386' } : { value: 41n, abi: 'arm32' },
    ],
  ],
  kernel_cap_t: set,
  cap_inheritable: set,
  cap_permitted: set,
  cap_effective: set,
  string: text,
  data_loc: text,
  filename: text,
  net_device: text,
  sockaddr_un: text,
  sockaddr_alg: [
    [
      { text: Buffer.from('hash/sha256'), value: (9n << 32n) | 8n },
      { value: 'hash/sha256', features: 8, mask: 9, truncated: false },
    ],
  ],
  char_buf: buffer,
  const_buf: buffer,
  char_iovec: buffer,
  iov_iter: buffer,
  file,
  path: file,
  fd: [
    [
      { ...FILE, fd: -100 },
      { ...FILE_ARGUMENT, fd: -100 },
    ],
  ],
  dentry: file,
  linux_binprm: file,
  kiocb: file,
  sock: socket,
  socket,
  skb: [[{ text: NET }, { ...ENDS, protocolNumber: 6, hash: 5, length: 1500, secPathLength: 1, secPathOffloads: 2 }]],
  sockaddr: [
    [{ text: NET }, { family: 'AF_INET', address: '10.0.0.1', port: 65535 }],
    [{ text: NET6 }, { family: 'AF_INET6', address: '2001:db8::1', port: 0 }],
    [{ text: UNIX }, { family: 'AF_UNIX', address: '', port: 0 }],
  ],
  cred: [
    [
      { text: CRED },
      {
        uid: 10,
        gid: 11,
        euid: 12,
        egid: 13,
        suid: 14,
        sgid: 15,
        fsuid: 16,
        fsgid: 17,
        capabilities: { permitted: 2n ** 41n - 1n, effective: 2n, inheritable: 1n },
        securebits: 0x10,
        userNamespace: { level: 1, owner: 1000, group: 1001, inode: 4026532000 },
      },
    ],
  ],
  user_namespace: [
    [
      {
        text: detailBytes(UserNamespaceDetail.sizeof, [
          [UserNamespaceDetail.level, 1],
          [UserNamespaceDetail.owner, 1000],
          [UserNamespaceDetail.group, 0xffff_ffff],
          [UserNamespaceDetail.inum, 4026531837],
        ]),
      },
      { level: 1, owner: 1000, group: 0xffff_ffff, inode: 4026531837 },
    ],
  ],
  bpf_attr: program,
  bpf_prog: program,
  bpf_map: [
    [{ text: BPF }, { mapType: 'BPF_MAP_TYPE_ARRAY', keySize: 4, valueSize: 8, maxEntries: 16, name: 'name' }],
    [{ text: UNNAMED_BPF }, { mapType: '250', keySize: 0, valueSize: 0, maxEntries: 0, name: 'x'.repeat(16) }],
  ],
  perf_event: [
    [{ text: PERF }, { eventType: 'PERF_TYPE_SOFTWARE', config: 2n ** 63n, function: 'do_exit', probeOffset: 4n }],
  ],
  module: kernelModule,
  load_info: kernelModule,
};
const TYPES = Object.keys(TABLE) as ReportedType[];
const DETAILS = TYPES.filter((type) => READS[type].class === 'detail');

describe('decoding of arguments', () => {
  it('every type of the language is in the table', () => {
    const unreported = Object.keys(UNREPORTED);
    assert.deepEqual([...TYPES, ...unreported].sort(), Object.keys(ARG_TYPES).sort());
    for (const type of Object.values(UNREPORTED)) assert.equal(decodeValue(type, { value: 1n }), undefined);
  });

  for (const type of TYPES) {
    TABLE[type].forEach(([value, expected], i) => {
      it(`${type}, ${i + 1}`, () => {
        assert.deepEqual(decodeValue(type, value), { type, index: 2, ...expected });
        assert.deepEqual(decodeValue(type, value, 'name'), { type, index: 2, label: 'name', ...expected });
      });
    });
  }

  it('a buffer is a copy, which outlives its chunk', () => {
    const record = valuesRecord([{ text: 'abc', size: 3 }]);
    const { chunk, at } = placeInChunk(record);
    const argument = decodeArgument(chunk, at, record.length, 0, { type: 'char_buf', index: 0 }) as BufferArgument;
    chunk.bytes(0, chunk.length).fill(0);
    assert.equal(Buffer.from(argument.value).toString(), 'abc');
  });

  it('special flags of a path', () => {
    const all =
      StringFlag.STRING_DELETED |
      StringFlag.STRING_UNREACHABLE |
      StringFlag.STRING_TRUNCATED |
      StringFlag.STRING_FAULT |
      StringFlag.STRING_UNKNOWN;
    const got = decodeValue('file', { ...FILE, flags: all }) as { flags: unknown };
    assert.deepEqual(got.flags, ['truncated', 'deleted', 'unreachable', 'fault', 'unknown']);
  });

  const pseudo: readonly (readonly [number, string, string])[] = [
    [0x50495045, '', 'pipe:[9]'],
    [0x534f434b, '', 'socket:[9]'],
    [0x09041934, '[eventpoll]', 'anon_inode:[eventpoll]'],
    [0x6e736673, '', 'ns:[9]'],
    [0x01021994, 'memfd:x', '/memfd:x'],
  ];
  for (const [magic, name, path] of pseudo) {
    it(path, () => {
      const got = decodeValue('file', { magic, text: name, value: 9n, flags: StringFlag.STRING_PSEUDO });
      assert.equal((got as { path: string }).path, path);
    });
  }

  it('modes as ls shows them', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, ''],
      [0o100755, '-rwxr-xr-x'],
      [0o104755, '-rwsr-xr-x'],
      [0o102644, '-rw-r-Sr--'],
      [0o041777, 'drwxrwxrwt'],
      [0o041776, 'drwxrwxrwT'],
      [0o020620, 'crw--w----'],
      [0o140777, 'srwxrwxrwx'],
      [0o010000, 'p---------'],
    ];
    for (const [mode, expected] of cases) assert.equal(formatMode(mode), expected);
  });
});

describe('decoding of invalid records', () => {
  it('a string beyond its record is empty', () => {
    for (const bad of [{ offset: 0xffff_fff0, length: 0xffff }, { offset: 0, length: 0xffff }, { length: 4 }]) {
      assert.equal((decodeValue('string', { text: 'abc', ...bad }) as { value: string }).value, '');
      assert.equal((decodeValue('file', { text: 'abc', ...bad }) as { path: string }).path, '');
      assert.equal((decodeValue('char_buf', { text: 'abc', ...bad }) as BufferArgument).value.length, 0);
    }
  });

  for (const type of DETAILS) {
    it(`${type} is unreadable if its detail is too short or beyond the record, or if its pointer is null`, () => {
      const [[{ text: whole = '' }]] = TABLE[type] as unknown as [[RecordValue]];
      const detail = Buffer.from(whole);
      for (const bad of [
        { text: detail, length: detail.length - 1 },
        { text: detail, offset: 0xffff_fff0 },
        { text: Buffer.alloc(0) },
        { text: Buffer.alloc(detail.length), flags: StringFlag.STRING_FAULT },
      ]) {
        const got = decodeValue(type, bad) as { readonly unreadable?: true } & HookArgument;
        assert.equal(got.unreadable, true);
        assert.equal(argumentJson(got), '{"error_arg":{"Message":"could not be read"}}');
      }
    });
  }

  it('a missing value is not read from the bytes after the record', () => {
    const whole = valuesRecord([{ value: 5n, text: 'a' }]);
    const short = whole.subarray(0, EventHook.sizeof + Value.sizeof - 1);
    for (const [record, slot] of [
      [whole, 1],
      [short, 0],
      [valuesRecord([{ value: 5n }], 0), 0],
      [whole.subarray(0, EventHook.sizeof), 0],
    ] as const) {
      const { chunk, at } = placeInChunk(record);
      const decodeAs = (type: ReportedType): unknown =>
        decodeArgument(chunk, at, record.length, slot, { type, index: 0 });
      assert.deepEqual(decodeAs('uint64'), { type: 'uint64', index: 0, value: 0n });
      assert.deepEqual(decodeAs('string'), { type: 'string', index: 0, value: '', truncated: false, unreadable: true });
      assert.deepEqual((decodeAs('file') as { flags: unknown }).flags, ['fault']);
    }
  });

  it('with any bytes in a record, decoding, JSON and compact lines do not throw or show bytes after the record', () => {
    const record = fc.uint8Array({ minLength: EventHook.sizeof, maxLength: 700 });
    const small = fc.record({ count: fc.nat(12), offset: fc.nat(800), length: fc.nat(400) });
    fc.assert(
      fc.property(record, small, fc.nat(9), fc.constantFrom(...TYPES), (bytes, shape, slot, type) => {
        const buffer = Buffer.from(bytes.map((byte) => (byte === 0x21 ? 0 : byte)));
        buffer.writeUInt16LE(shape.count, EventHook.valuesCount);
        const at = EventHook.sizeof + slot * Value.sizeof;
        if (at + Value.sizeof <= buffer.length) {
          buffer.writeUInt32LE(shape.offset, at + Value.stringOffset);
          buffer.writeUInt16LE(shape.length, at + Value.stringLength);
        }
        const placed = placeInChunk(buffer);
        const argument = decodeArgument(placed.chunk, placed.at, buffer.length, slot, {
          type,
          index: 0,
        }) as HookArgument;
        assert.equal(argument.type, type);
        JSON.parse(argumentJson(argument));
        for (const name of [
          'tcp_connect',
          'sys_read',
          'sys_mount',
          'bpf_check',
          'security_bpf_map_alloc',
          'sys_setns',
        ]) {
          assert.doesNotMatch(summarizeCall(name, [argument])?.detail ?? '', /[\n\u001b]/);
        }
        assert.doesNotMatch(formatValues([argument]), /[\n\u001b]/);
        const expected =
          'size' in argument ? Buffer.from(argument.value).toString('latin1') : JSON.stringify(listStrings(argument));
        assert.doesNotMatch(expected, /!!/);
      }),
      { numRuns: 5000, endOnFailure: true },
    );
  });
});

function listStrings(argument: HookArgument): unknown[] {
  return Object.values(argument).filter((value) => typeof value === 'string');
}
