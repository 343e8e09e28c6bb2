/** Interprets the BPF instructions of expressions, and refuses programs that the verifier would refuse. */
const MASK = 2n ** 64n - 1n;
const FRAME = 10;
/** A fake address of the stack. The memory above it belongs to the caller. */
const STACK = 1n << 40n;
const VALUES_ADDRESS = 1n << 41n;

export const toSigned = (value: bigint): bigint => BigInt.asIntN(64, value);

const ALU: Readonly<Record<number, (a: bigint, b: bigint) => bigint>> = {
  0x00: (a, b) => a + b,
  0x10: (a, b) => a - b,
  0x20: (a, b) => a * b,
  0x30: (a, b) => (b === 0n ? 0n : a / b),
  0x40: (a, b) => a | b,
  0x50: (a, b) => a & b,
  0x60: (a, b) => a << (b & 63n),
  0x70: (a, b) => a >> (b & 63n),
  0x80: (a) => -a,
  0x90: (a, b) => (b === 0n ? a : a % b),
  0xa0: (a, b) => a ^ b,
  0xb0: (_, b) => b,
  0xc0: (a, b) => toSigned(a) >> (b & 63n),
};

/** Runs a program with the signature `u64 f(const u64 *values, u64 candidates)`. */
export function runInstructions(code: Uint8Array, values: readonly bigint[], candidates: bigint): bigint {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const memory = new Map<bigint, bigint>();
  const registers: (bigint | undefined)[] = [undefined, VALUES_ADDRESS, candidates];
  registers[FRAME] = STACK;
  values.forEach((value, i) => writeMemory(memory, VALUES_ADDRESS + BigInt(8 * i), 8, value));
  const readRegister = (register: number): bigint => {
    const value = registers[register];
    if (value === undefined) throw new Error(`R${register} !read_ok`);
    return value;
  };
  for (let at = 0; ; at += 8) {
    const operation = view.getUint8(at);
    const target = view.getUint8(at + 1) & 15;
    const source = view.getUint8(at + 1) >> 4;
    const offset = BigInt(view.getInt16(at + 2, true));
    const number = BigInt(view.getInt32(at + 4, true));
    const width = operation & 0x18 ? ((operation & 0x18) === 0x18 ? 8 : 1) : 4;
    if (operation === 0x95) return readRegister(0);
    if (operation === 0x05 && offset === 0n) continue;
    if (operation === 0x18) {
      registers[target] = BigInt.asUintN(32, number) | ((BigInt(view.getInt32(at + 12, true)) << 32n) & MASK);
      at += 8;
    } else if ((operation & 7) === 7) {
      const other = operation & 8 ? readRegister(source) : number & MASK;
      const isMove = (operation & 0xf0) === 0xb0;
      const compute = ALU[operation & 0xf0];
      if (compute === undefined || target === FRAME) throw new Error(`BPF_ALU uses reserved fields: ${operation}`);
      registers[target] = compute(isMove ? 0n : readRegister(target), other) & MASK;
    } else if ((operation & ~0x18) === 0x61) {
      registers[target] = readMemory(memory, readRegister(source) + offset, width);
    } else if ((operation & ~0x18) === 0x63) {
      const address = readRegister(target) + offset;
      if (address >= STACK || address < STACK - 512n) throw new Error('invalid write to stack');
      writeMemory(memory, address, width, readRegister(source));
    } else {
      throw new Error(`unknown opcode ${operation.toString(16)}`);
    }
  }
}

function writeMemory(memory: Map<bigint, bigint>, address: bigint, width: number, value: bigint): void {
  if (address % BigInt(width) !== 0n) throw new Error('misaligned access');
  for (let i = 0n; i < width; i++) memory.set(address + i, (value >> (8n * i)) & 255n);
}

function readMemory(memory: Map<bigint, bigint>, address: bigint, width: number): bigint {
  let value = 0n;
  for (let i = 0n; i < width; i++) {
    const byte = memory.get(address + i);
    if (byte === undefined) throw new Error('invalid read from stack');
    value |= byte << (8n * i);
  }
  return value;
}
