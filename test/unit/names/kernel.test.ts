/** The table of registers is the same as in the BPF programs. */
import assert from 'node:assert/strict';
import { PROGRAM_REGISTERS } from '../../../lib/names/kernel.js';
import { readProjectFile } from '../../project.js';

describe('registers of programs', () => {
  it('are the registers that bpf/program_registers.bpf.h can read and set', () => {
    const header = readProjectFile('bpf/program_registers.bpf.h');
    const [list = ''] = /#define PROGRAM_REGISTERS\(X\)(?: X\(\d+\))+/.exec(header) ?? [];
    const numbers = [...list.matchAll(/X\((\d+)\)/g)].map(([, number]) => Number(number));
    assert.deepEqual(
      Object.values(PROGRAM_REGISTERS).sort((a, b) => a - b),
      numbers,
    );
    assert.equal(Number(/REGISTER_WORDS = (\d+)/.exec(header)?.[1]), Math.max(...numbers) + 1);
  });
});
