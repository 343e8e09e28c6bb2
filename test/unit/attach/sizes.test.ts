import assert from 'node:assert/strict';
import type { FunctionInfo, TypeInfo } from '../../../types/kernel.js';
import { locateSizes } from '../../../lib/attach/sizes.js';
import { compiledHook, compiledValue } from '../compiled-hooks.js';

const number = (size: number): TypeInfo => ({
  kind: 'int',
  name: 'int',
  alias: '',
  size,
  signed: true,
  target: () => undefined,
  members: () => [],
});

function prototype(...params: readonly (readonly [name: string, size: number])[]): FunctionInfo {
  return { params: params.map(([name, size]) => ({ name, type: number(size) })), returns: number(4) };
}

describe('sizes of buffers and addresses', () => {
  it('the width of the size is that of the prototype', () => {
    const hook = compiledHook({
      args: [compiledValue('char_buf', { index: 0, sizeArgIndex: 2 }), compiledValue('size_t', { index: 1 })],
    });
    for (const [bytes, width] of [
      [1, 1],
      [2, 2],
      [4, 4],
      [16, 8],
    ] as const)
      assert.deepEqual(locateSizes(hook, prototype(['buf', 8], ['len', bytes])).get(0), { param: 2, width });
  });

  it('without a prototype, it is that of the declared type, or that of a register', () => {
    const value = compiledValue('char_buf', { index: 0, sizeArgIndex: 2 });
    const declared = compiledHook({ args: [value, compiledValue('int', { index: 1 })] });
    assert.deepEqual(locateSizes(declared, undefined).get(0), { param: 2, width: 4 });
    assert.deepEqual(locateSizes(compiledHook({ args: [value] }), undefined).get(0), { param: 2, width: 8 });
  });

  for (const [call, index, size, width] of [
    ['sys_write', 1, 3, 8],
    ['sys_setsockopt', 3, 5, 4],
    ['__x64_sys_sethostname', 0, 2, 4],
  ] as const) {
    it(`${call}: the width of a system call's parameter, whatever the policy declares`, () => {
      const args = [
        compiledValue('char_buf', { index, sizeArgIndex: size }),
        compiledValue(width === 8 ? 'int' : 'size_t', { index: size - 1 }),
      ];
      const hook = compiledHook({ call, syscall: true, args });
      assert.deepEqual(locateSizes(hook, undefined).get(0), { param: size, width });
    });
  }

  it('the length of the address of a local socket is the parameter behind it', () => {
    const hook = compiledHook({ args: [compiledValue('sockaddr_un', { index: 1 })] });
    const found = (...names: readonly string[]): unknown =>
      locateSizes(hook, prototype(...names.map((name) => [name, 4] as const))).get(0);
    assert.deepEqual(found('sock', 'address', 'addrlen'), { param: 3, width: 4 });
    assert.deepEqual(found('sock', 'uaddr', 'addr_len', 'flags'), { param: 3, width: 4 });
    // unix_getname: 1 for the address of the peer
    assert.equal(found('sock', 'uaddr', 'peer'), undefined);
    assert.equal(found('sock', 'uaddr'), undefined);
  });

  it('the same in system calls', () => {
    for (const [call, index, found] of [
      ['sys_connect', 1, { param: 3, width: 4 }],
      ['sys_bind', 1, { param: 3, width: 4 }],
      ['sys_sendto', 4, { param: 6, width: 4 }],
      ['sys_sendto', 1, undefined],
      ['sys_accept', 1, undefined],
    ] as const) {
      const hook = compiledHook({ call, syscall: true, args: [compiledValue('sockaddr_un', { index })] });
      assert.deepEqual(locateSizes(hook, undefined).get(0), found, call);
    }
  });

  it('not of a return value or a member', () => {
    const hook = compiledHook({
      args: [compiledValue('sockaddr_un', { index: 1, resolve: 'addr' })],
      returnArg: compiledValue('sockaddr_un', { index: 0 }),
    });
    assert.equal(locateSizes(hook, prototype(['sock', 8], ['address', 8], ['addrlen', 4])).size, 0);
  });
});
