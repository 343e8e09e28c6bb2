/** The generated layout has the numbers of bpf/abi.h. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as layout from '../../../lib/wire/layout.gen.js';
import { ROOT } from '../../project.js';

const { AbiLimit, LAYOUT_HASH, RecordLimit, SyscallBit, Value } = layout;

/** Enums that only the kernel programs and the addon need as a whole. */
const KERNEL_ENUMS: ReadonlySet<string> = new Set<keyof typeof layout>([
  'AbiLimit',
  'RecordLimit',
  'StringHash',
  'ScopeCache',
  'NegativeCache',
  'ScopeTracking',
  'MarkText',
  'ActiveCallSize',
  'DirectKeySize',
  'DirectKeyState',
  'StackCacheSize',
  'FrameKind',
  'InodeSlot',
  'RunningFlag',
]);
/** Members that are the absence of the others. */
const ABSENT: ReadonlySet<string> = new Set(['EVENT_SIGNAL_FAILED', 'RATE_NONE', 'SIGNATURE_INVALID', 'GROUP_NO_SET']);

describe('layout', () => {
  it('was generated from the current abi.h', () => {
    const hash = execFileSync(process.execPath, [join(ROOT, 'scripts/gen-layout.mjs'), '--hash'], { encoding: 'utf8' });
    assert.equal(LAYOUT_HASH, hash, 'run `npm run gen`');
  });

  it('the library knows each member of the other enums', () => {
    const names = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' });
    const sources = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.gen.ts'));
    const words = new Set(sources.flatMap((name) => readFileSync(join(ROOT, 'lib', name), 'utf8').match(/\w+/g) ?? []));
    const unknown = Object.entries(layout)
      .filter(([name, value]) => typeof value === 'object' && !('sizeof' in value) && !KERNEL_ENUMS.has(name))
      .flatMap(([, members]) => Object.keys(members))
      .filter((member) => !words.has(member) && !ABSENT.has(member));
    assert.deepEqual(unknown, []);
  });

  it('a 32-bit number keeps its highest bit', () => {
    assert.equal(SyscallBit.SYSCALL_COMPAT, 2 ** 31);
  });

  it('the longest record can hold every value, and two buffers of maxData', () => {
    const { HOOK_VALUES_MAX, HOOK_ARGS_MAX, STRING_CAPACITY, BUFFER_BYTES_MAX } = AbiLimit;
    const values = HOOK_VALUES_MAX * Value.sizeof + HOOK_ARGS_MAX * STRING_CAPACITY + 2 * BUFFER_BYTES_MAX;
    assert.ok(RecordLimit.RECORD_SIZE_MAX > values, `${RecordLimit.RECORD_SIZE_MAX}`);
  });
});
