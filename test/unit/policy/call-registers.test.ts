/** Raw tracepoints: registers of system calls, and the bytes of packets. */
import assert from 'node:assert/strict';
import { locateSizes } from '../../../lib/attach/sizes.js';
import { validatePolicy } from '../../../lib/policy/index.js';
import { compiledHook, compiledValue } from '../compiled-hooks.js';

const policy = (hook: object): string =>
  JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: 'p' },
    spec: { tracepoints: [hook] },
  });
const codes = (hook: object): string[] => validatePolicy(policy(hook)).map(({ code }) => code);
const calls = { subsystem: 'raw_syscalls', raw: true };
const register = { index: 0, source: 'pt_regs', resolve: 'rsi', type: 'string' };

describe('registers of system calls', () => {
  it('are values of the raw tracepoints sys_enter and sys_exit', () => {
    for (const event of ['sys_enter', 'sys_exit']) assert.deepEqual(codes({ ...calls, event, args: [register] }), []);
  });

  it('other tracepoints have none', () => {
    assert.deepEqual(codes({ ...calls, event: 'other', args: [register] }), ['UNSUPPORTED_ARG_TYPE']);
    assert.deepEqual(codes({ subsystem: 'net', event: 'sys_exit', raw: true, args: [register] }), [
      'UNSUPPORTED_ARG_TYPE',
    ]);
    assert.deepEqual(codes({ subsystem: 'raw_syscalls', event: 'sys_exit', args: [register] }), [
      'UNSUPPORTED_ARG_TYPE',
    ]);
  });

  it('a buffer in a register has the size of a parameter', () => {
    const buffer = { ...register, type: 'char_buf', sizeArgIndex: 2 };
    assert.deepEqual(codes({ ...calls, event: 'sys_exit', args: [{ index: 1, type: 'int64' }, buffer] }), []);
    const value = compiledValue('char_buf', { index: 0, source: 'pt_regs', resolve: 'rsi', sizeArgIndex: 2 });
    const hook = compiledHook({ kind: 'raw_tracepoint', args: [value, compiledValue('int64', { index: 1 })] });
    assert.deepEqual(locateSizes(hook, undefined).get(0), { param: 2, width: 8 });
  });
});

describe('bytes of packets', () => {
  const bytes = { index: 0, type: 'char_buf', resolve: 'data', btfType: 'sk_buff' };
  const raw = { subsystem: 'net', event: 'net_dev_queue', raw: true };

  it('need no size on raw tracepoints', () => {
    assert.deepEqual(codes({ ...raw, args: [bytes] }), []);
    assert.deepEqual(codes({ ...raw, args: [{ ...bytes, type: 'const_buf' }] }), []);
  });

  it('other buffers do', () => {
    for (const other of [
      { ...bytes, resolve: 'head' },
      { ...bytes, btfType: 'sock' },
      { index: 0, type: 'char_buf' },
    ])
      assert.deepEqual(codes({ ...raw, args: [other] }), ['BUFFER_WITHOUT_SIZE']);
    assert.deepEqual(codes({ subsystem: 'net', event: 'net_dev_queue', args: [bytes] }), ['BUFFER_WITHOUT_SIZE']);
  });

  it('their size is a member of the packet, if the kernel has it where the programs read it', () => {
    const member = (name: string, bitOffset: number) => ({ name, bitOffset, bitfieldSize: 0, type: {} }) as never;
    const kernel = (...members: readonly never[]) => ({ struct: () => ({ members: () => members }) as never });
    const hook = compiledHook({
      kind: 'raw_tracepoint',
      args: [compiledValue('char_buf', { index: 0, resolve: 'data', btfType: 'sk_buff' })],
    });
    assert.deepEqual(locateSizes(hook, undefined, kernel(member('len', 896), member('data_len', 928))).get(0), {
      param: 1,
      width: 4,
      packetLength: 112,
    });
    assert.equal(locateSizes(hook, undefined, kernel(member('len', 896), member('data_len', 0))).get(0), undefined);
    assert.equal(locateSizes(hook, undefined, { struct: () => undefined }).get(0), undefined);
  });
});
