/** BPF instructions as bytes: as many kinds as expressions need. `uapi/linux/bpf.h` has the numbers. */

const BYTES = 8;
const CLASS_ALU64 = 0x07;
const SOURCE_REGISTER = 0x08;

export const Alu = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  shl: 0x60,
  shr: 0x70,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  sar: 0xc0,
} as const;
export type AluName = keyof typeof Alu;

const NEGATE = 0x87;
const MOVE_32 = 0xb4;
const LOAD = 0x79;
const STORE = 0x7b;
const JUMP = 0x05;

/** The frame pointer. */
export const FRAME = 10;

export class BpfCode {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length / BYTES;
  }

  /** to op= from, a register. */
  alu(op: AluName, to: number, from: number): void {
    this.#emit(CLASS_ALU64 | SOURCE_REGISTER | Alu[op], to, from, 0, 0);
  }

  /** to op= number, of 32 bits with its sign. */
  aluNumber(op: AluName, to: number, number: number): void {
    this.#emit(CLASS_ALU64 | Alu[op], to, 0, 0, number);
  }

  negate(to: number): void {
    this.#emit(NEGATE, to, 0, 0, 0);
  }

  /** A number of 64 bits. In parts: the kernel takes no line of source for the middle of a double instruction. */
  constant(to: number, value: bigint, spare: number): void {
    const signed = BigInt.asIntN(64, value);
    if (signed === BigInt.asIntN(32, signed)) return this.aluNumber('mov', to, Number(signed));
    this.aluNumber('mov', to, Number(signed >> 32n));
    this.aluNumber('shl', to, 32);
    this.#emit(MOVE_32, spare, 0, 0, Number(BigInt.asIntN(32, signed)));
    this.alu('or', to, spare);
  }

  /** to = the eight bytes at register + offset. */
  load(to: number, register: number, offset: number): void {
    this.#emit(LOAD, to, register, offset, 0);
  }

  store(register: number, offset: number, from: number): void {
    this.#emit(STORE, register, from, offset, 0);
  }

  /** A jump to what follows anyway: the kernel takes it out. */
  nothing(): void {
    this.#emit(JUMP, 0, 0, 0, 0);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #emit(code: number, to: number, from: number, offset: number, number: number): void {
    const instruction = new DataView(new ArrayBuffer(BYTES));
    instruction.setUint8(0, code);
    instruction.setUint8(1, to | (from << 4));
    instruction.setInt16(2, offset, true);
    instruction.setInt32(4, number, true);
    this.#bytes.push(...new Uint8Array(instruction.buffer));
  }
}
