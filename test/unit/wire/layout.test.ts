/** The generated layout has the numbers of bpf/abi.h. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { AbiLimit, LAYOUT_HASH, RecordLimit, SyscallBit, Value } from '../../../lib/wire/layout.gen.js';
import { ROOT } from '../../project.js';

describe('layout', () => {
  it('was generated from the current abi.h', () => {
    const hash = execFileSync(process.execPath, [join(ROOT, 'scripts/gen-layout.mjs'), '--hash'], { encoding: 'utf8' });
    assert.equal(LAYOUT_HASH, hash, 'run `npm run gen`');
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
