/** The hooks that keep the kernel stacks that they have seen. */
import assert from 'node:assert/strict';
import type { AttachContext } from '../../../lib/attach/request.js';
import { kernelUnwinder, readUnwinder } from '../../../lib/attach/stack-cache.js';
import type { CompiledHook } from '../../../lib/compiled/compiled-policy.js';
import { ScratchGuard } from '../../../lib/wire/layout.gen.js';
import { compiledHook } from '../compiled-hooks.js';

const SYMBOLS: Readonly<Record<string, bigint>> = {
  _stext: 0xffffffff81000000n,
  _etext: 0xffffffff81100000n,
  orc_lookup: 0xffffffff83000000n,
  orc_lookup_end: 0xffffffff83004004n, // a word for each 256 bytes, and the end
  __start_orc_unwind_ip: 0xffffffff82000000n,
  __start_orc_unwind: 0xffffffff82100000n,
};
const findSymbol = (name: string): bigint => SYMBOLS[name] ?? 0n;

const PLAIN = { mechanism: 'fentry', guard: ScratchGuard.GUARD_NONE as number, params: 2 };

const contextWith = (directRead: boolean): AttachContext =>
  ({ features: { directRead: { available: directRead } }, binding: { kernelSymbol: findSymbol } }) as AttachContext;

const hookWith = (stacks: object): CompiledHook => compiledHook({ actions: [{ order: ['post'], ...stacks }] });

describe('known kernel stacks of hooks', function () {
  before(function () {
    if (process.arch !== 'x64') this.skip();
  });

  it('hooks with stack traces whose context is in a stack frame have them', () => {
    for (const mechanism of ['fentry', 'lsm']) {
      for (const stacks of [{ kernelStack: true }, { userStack: true } as const]) {
        const found = kernelUnwinder(hookWith(stacks), { ...PLAIN, mechanism }, contextWith(true));
        assert.equal(found?.textStart, SYMBOLS['_stext'], mechanism);
        assert.ok((found?.cpus ?? 0) > 0);
      }
    }
  });

  it('other hooks do not have them', () => {
    const find = (hook: CompiledHook, more: Partial<typeof PLAIN> = {}, direct = true): unknown =>
      kernelUnwinder(hook, { ...PLAIN, ...more }, contextWith(direct));
    assert.equal(find(hookWith({})), undefined);
    const stack = hookWith({ kernelStack: true });
    for (const mechanism of ['kprobe', 'kprobe.multi', 'tracepoint', 'raw_tracepoint', 'uprobe', 'usdt'])
      assert.equal(find(stack, { mechanism }), undefined, mechanism);
    // its programs may interrupt each other
    assert.equal(find(stack, { mechanism: 'lsm', guard: ScratchGuard.GUARD_LEVELS }), undefined);
    assert.equal(find(stack, { params: 7 }), undefined);
    assert.equal(find(stack, {}, false), undefined);
  });

  it('the tables need all symbols, and cover only what the look-up table covers', () => {
    assert.equal(readUnwinder(findSymbol)?.textSize, 0x100000n);
    const half = (name: string): bigint => (name === 'orc_lookup_end' ? 0xffffffff83002004n : findSymbol(name));
    assert.equal(readUnwinder(half)?.textSize, 0x80000n);
    for (const missing of Object.keys(SYMBOLS))
      assert.equal(
        readUnwinder((name) => (name === missing ? 0n : findSymbol(name))),
        undefined,
        missing,
      );
  });
});
