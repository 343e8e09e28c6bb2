/** The functions of the kernel, by address. */
import assert from 'node:assert/strict';
import { runCooperatively, runToCompletion } from '../../../lib/cooperative.js';
import {
  expireKernelSymbols,
  findKernelFunction,
  KernelSymbols,
  prepareKernelSymbols,
  refreshKernelSymbols,
} from '../../../lib/events/kernel-symbols.js';

const parse = (text: string): KernelSymbols => runToCompletion(KernelSymbols.parse(Buffer.from(text)));

describe('functions of the kernel', () => {
  it('have a name, a module and an offset; data and hidden addresses are in none', () => {
    const symbols = parse(
      [
        'ffffffff81000020 T b',
        'ffffffff81000010 t a',
        'ffffffffc0000030 t c\t[mod]',
        'ffffffff81000015 d data',
        '0000000000000000 T hidden',
        'ffff800080000000 W arm64',
        'cut',
      ].join('\n'),
    );
    assert.equal(symbols.size, 4);
    assert.deepEqual(symbols.find(0xffffffff81000010n), { symbol: 'a', offset: 0n });
    assert.deepEqual(symbols.find(0xffffffff8100001fn), { symbol: 'a', offset: 15n });
    assert.deepEqual(symbols.find(0xffffffff81000021n), { symbol: 'b', offset: 1n });
    assert.deepEqual(symbols.find(0xffffffffc0000035n), { symbol: 'c', module: 'mod', offset: 5n });
    assert.deepEqual(symbols.find(0xffff800080000003n), { symbol: 'arm64', offset: 3n });
    for (const address of [0n, 0x400000n, 0xffff_0000_0000_0000n]) assert.equal(symbols.find(address), undefined);
  });

  it('an address far behind the last function is in none', () => {
    const symbols = parse('ffffffffc0000000 t last\t[mod]\n');
    assert.deepEqual(symbols.find(0xffffffffc00fffffn)?.symbol, 'last');
    assert.equal(symbols.find(0xffffffffc0100000n), undefined);
    assert.equal(symbols.find(0xffffffffc0fe0a3en), undefined);
  });

  it('are found among many, in whatever order the kernel lists them', () => {
    const count = 5000;
    const addresses = Array.from({ length: count }, (_, i) => 0xffffffffa0000000n + BigInt((i * 7919) % count) * 64n);
    const symbols = parse(addresses.map((address) => `${address.toString(16)} t f${address}`).join('\n'));
    for (const address of addresses) {
      assert.deepEqual(symbols.find(address + 63n), { symbol: `f${address}`, offset: 63n });
    }
  });

  it('are parsed in slices: nothing blocks the event loop', async () => {
    const lines = Array.from({ length: 200_000 }, (_, i) => {
      const address = 0xffffffffa0000000n + BigInt((i * 7919) % 200_000) * 64n;
      return `${address.toString(16)} t a_function_with_an_ordinary_name_${i}\t[module]`;
    });
    const text = Buffer.from(lines.join('\n'));
    let steps = 0;
    const parsing = KernelSymbols.parse(text);
    for (let next = parsing.next(); next.done !== true; next = parsing.next()) steps++;
    // a step has some thousand lines, or places of one pass of the sort
    assert.ok(steps > 200, `${steps} steps`);
    assert.equal((await runCooperatively(KernelSymbols.parse(text))).size, 200_000);
  });

  it('of this kernel: old ones stay until new ones are read', async () => {
    await prepareKernelSymbols();
    const before = findKernelFunction(0xffffffff81000000n);
    expireKernelSymbols();
    assert.deepEqual(findKernelFunction(0xffffffff81000000n), before);
    await refreshKernelSymbols();
    assert.deepEqual(findKernelFunction(0xffffffff81000000n), before);
  });
});
