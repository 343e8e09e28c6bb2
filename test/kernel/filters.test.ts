/** Each argument type with each operator: one action that matches and one that does not, decided in the kernel. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { HookArgument } from '../../types/index.js';
import {
  prepareWorkload,
  fileHook,
  MECHANISMS,
  onPath,
  kprobePolicy,
  Recording,
  WORKLOAD,
  runWorkload,
} from './support.js';

/** A case is one hook, identified by its message. All cases of a kind are in one policy. */
interface Case {
  readonly name: string;
  readonly selectors: string;
  /** Arguments of lseek (or paths) that must match, and those that must not. */
  readonly match: readonly (readonly (string | number)[])[];
  readonly miss: readonly (readonly (string | number)[])[];
}

/** lseek(fd, offset, whence) accepts any numbers and fails without an effect. */
function lseekHook(test: Case): string {
  return `call: sys_lseek
syscall: true
message: ${JSON.stringify(test.name)}
args:
- index: 0
  type: int
- index: 1
  type: size_t
- index: 2
  type: uint32
selectors:
${test.selectors.trim()}`;
}

function onNumber(index: number, operator: string, ...values: readonly (string | number)[]): string {
  return `- matchArgs:
  - index: ${index}
    operator: ${operator}
    values: [${values.map((value) => `"${value}"`).join(', ')}]`;
}

/** A number that is not an open descriptor, and that no other program passes. */
const FD = 4242;

const NUMBERS: readonly Case[] = [
  {
    name: 'int Equal',
    selectors: onNumber(0, 'Equal', -77, '0x1234'),
    match: [
      [-77, 0, 0],
      [0x1234, 0, 0],
    ],
    miss: [
      [77, 0, 0],
      [-78, 0, 0],
    ],
  },
  {
    name: 'int NotEqual',
    selectors: `${onNumber(0, 'NotEqual', 4243)}\n  - index: 1\n    operator: Equal\n    values: ["777"]`,
    match: [[FD, 777, 0]],
    miss: [[4243, 777, 0]],
  },
  {
    name: 'int GreaterThan and LessThan',
    selectors: `${onNumber(0, 'GreaterThan', 5000)}\n  - index: 0\n    operator: LessThan\n    values: ["6000"]`,
    match: [
      [5001, 0, 0],
      [5999, 0, 0],
    ],
    miss: [
      [5000, 0, 0],
      [6000, 0, 0],
    ],
  },
  {
    name: 'int LessThan, signed',
    selectors: onNumber(0, 'LessThan', -1000),
    match: [
      [-1001, 0, 0],
      [-2147483648, 0, 0],
    ],
    miss: [
      [-1000, 0, 0],
      [1, 0, 0],
    ],
  },
  {
    name: 'size_t Equal, 64 bits',
    selectors: onNumber(1, 'Equal', '0x123456789abcdef0'),
    match: [[FD, '0x123456789abcdef0', 0]],
    miss: [[FD, '0x9abcdef0', 0]],
  },
  {
    name: 'size_t GreaterThan, unsigned',
    selectors: `${onNumber(1, 'GreaterThan', '0x8000000000000000')}\n  - index: 0\n    operator: Equal\n    values: ["${FD}"]`,
    match: [[FD, -5, 0]],
    miss: [[FD, 5, 0]],
  },
  {
    name: 'uint32 Mask',
    selectors: `${onNumber(2, 'Mask', '0x70')}\n  - index: 0\n    operator: Equal\n    values: ["4244"]`,
    match: [
      [4244, 0, 0x10],
      [4244, 0, 0x60],
    ],
    miss: [[4244, 0, 0x8f]],
  },
  {
    name: 'uint32 Equal, high bit',
    selectors: onNumber(2, 'Equal', 4294967290),
    match: [[FD, 0, -6]],
    miss: [[FD, 0, 6]],
  },
  {
    name: 'a selector is the AND of its filters, selectors are ORed',
    selectors: `${onNumber(0, 'Equal', 4301)}
  - index: 2
    operator: Equal
    values: ["9"]
${onNumber(0, 'Equal', 4302)}`,
    match: [
      [4301, 0, 9],
      [4302, 0, 1],
    ],
    miss: [
      [4301, 0, 1],
      [4303, 0, 9],
    ],
  },
  {
    name: 'many values',
    selectors: onNumber(0, 'Equal', ...Array.from({ length: 100 }, (_, i) => 6000 + 2 * i)),
    match: [
      [6000, 0, 0],
      [6198, 0, 0],
    ],
    miss: [
      [6001, 0, 0],
      [6200, 0, 0],
    ],
  },
];

const ROOT = '/srv/filters';
const PATHS: readonly Case[] = [
  {
    name: 'file Equal',
    selectors: onPath('Equal', `${ROOT}/a`, `${ROOT}/b`),
    match: [['a'], ['b']],
    miss: [['aa'], ['c']],
  },
  { name: 'file Prefix', selectors: onPath('Prefix', `${ROOT}/sub/`), match: [['sub/x']], miss: [['a'], ['subway']] },
  {
    name: 'file Postfix',
    selectors: onPath('Postfix', '.secret', 'way'),
    match: [['k.secret'], ['subway']],
    miss: [['a'], ['k.secret2']],
  },
  {
    name: 'file NotEqual',
    selectors: `${onPath('NotEqual', `${ROOT}/sub/x`)}\n  - index: 0\n    operator: Prefix\n    values: ["${ROOT}/sub/"]`,
    match: [['sub/y']],
    miss: [['sub/x'], ['a']],
  },
  {
    name: 'file NotPrefix',
    selectors: `${onPath('NotPrefix', `${ROOT}/sub/`)}\n  - index: 0\n    operator: Prefix\n    values: ["${ROOT}"]`,
    match: [['a']],
    miss: [['sub/x']],
  },
  {
    name: 'file NotPostfix',
    selectors: `${onPath('NotPostfix', 'x', 'secret')}\n  - index: 0\n    operator: Prefix\n    values: ["${ROOT}/"]`,
    match: [['sub/y'], ['k.secret2']],
    miss: [['sub/x'], ['k.secret']],
  },
  {
    name: 'a prefix inside another, of two selectors',
    selectors: `${onPath('Prefix', `${ROOT}/sub/x`)}
  - index: 1
    operator: Equal
    values: ["2"]
${onPath('Prefix', `${ROOT}/sub`)}`,
    match: [['sub/x'], ['subway']],
    miss: [['a']],
  },
  {
    name: 'a thousand prefixes',
    selectors: onPath('Prefix', ...Array.from({ length: 1000 }, (_, i) => `${ROOT}/p${i}/`), `${ROOT}/aa`),
    match: [['aa']],
    miss: [['a']],
  },
  {
    name: 'two thousand values',
    selectors: onPath('Equal', ...Array.from({ length: 2000 }, (_, i) => `${ROOT}/v${i}`), `${ROOT}/c`),
    match: [['c']],
    miss: [['a']],
  },
];

const FILES = ['a', 'aa', 'b', 'c', 'subway', 'sub/x', 'sub/y', 'k.secret', 'k.secret2'];

for (const attach of MECHANISMS) {
  describe(`numbers by ${attach}`, () => {
    check(NUMBERS, lseekHook, attach, (args) => runWorkload('lseek', ...args));

    it('arguments are reported completely', async () => {
      const recording = await Recording.open(kprobePolicy('values', lseekHook(NUMBERS[4] as Case)), { attach });
      const [event] = await recording.hooksDuring(() => runWorkload('lseek', -3, '0x123456789abcdef0', -2));
      await recording.close();
      const values = event?.args.map((arg: HookArgument) => ('value' in arg ? arg.value : undefined));
      assert.deepEqual(values, [-3, 0x123456789abcdef0n, 0xfffffffe]);
    });
  });

  describe(`paths against filters by ${attach}`, () => {
    before(() => {
      mkdirSync(`${ROOT}/sub`, { recursive: true });
      for (const name of FILES) writeFileSync(`${ROOT}/${name}`, 'x');
    });
    const hook = (test: Case): string => `message: ${JSON.stringify(test.name)}\n${fileHook(test.selectors)}`;
    check(PATHS, hook, attach, ([name]) => runWorkload('read', `${ROOT}/${name as string}`, 1));
  });
}

/** All cases share one tracer. The events of a case have its message. */
function check(
  cases: readonly Case[],
  hook: (test: Case) => string,
  attach: 'fentry' | 'kprobe',
  act: (args: readonly (string | number)[]) => void,
): void {
  let recording: Recording;
  before(async () => {
    prepareWorkload();
    recording = await Recording.open(kprobePolicy('matrix', ...cases.map(hook)), { attach });
  });
  after(() => recording?.close());

  for (const test of cases) {
    it(test.name, async () => {
      const countMatches = async (args: readonly (string | number)[]): Promise<number> =>
        (await recording.hooksDuring(() => act(args))).filter(
          (event) => event.message === test.name && event.process.binary === WORKLOAD,
        ).length;
      for (const args of test.match) assert.equal(await countMatches(args), 1, `${args.join(' ')} must match, once`);
      for (const args of test.miss) assert.equal(await countMatches(args), 0, `${args.join(' ')} must not match`);
    });
  }
}
