/**
 * Encodes the BPF instructions that expressions need. An instruction has 8 bytes in little-endian order: the operation; the
 * registers (the target in the lower half of the byte, the source in the upper half); an offset of 16 bits; and a number of
 * 32 bits. Offset and number are signed. The codes are defined in uapi/linux/bpf.h.
 */

/** The code of a BPF_ALU64 operation consists of its class, the operation, and the kind of the other operand: register (BPF_X) or number. */
const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  shl: 0x60,
  shr: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  sar: 0xc0,
} as const;
export type AluOp = keyof typeof ALU;

const CLASS_ALU64 = 0x07;
const FROM_REGISTER = 0x08;
/** BPF_LD | BPF_IMM | BPF_DW: takes two instructions. The second one contains only the upper half of the number. */
const LOAD_NUMBER = 0x18;
/** BPF_MEM with BPF_LDX and with BPF_STX. */
const LOAD = 0x61;
const STORE = 0x63;
const WIDTHS = { 1: 0x10, 8: 0x18 } as const;
const JUMP = 0x05;
const EXIT = 0x95;

const BYTES = 8;
/** Register of the frame's end. A function keeps its data below it. */
export const FRAME = 10;

export class BpfCode {
  readonly #bytes: number[] = [];

  /** Number of instructions. */
  get length(): number {
    return this.#bytes.length / BYTES;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** to = to op from. Division and shifts are unsigned, except `sar`. A shift by a register uses its lower 6 bits. */
  alu(op: AluOp, to: number, from: number): void {
    this.#put(CLASS_ALU64 | FROM_REGISTER | ALU[op], to, from, 0, 0);
  }

  aluNumber(op: AluOp, to: number, number: number): void {
    this.#put(CLASS_ALU64 | ALU[op], to, 0, 0, number);
  }

  /** to = the lower 64 bits of the number. */
  number(to: number, number: bigint): void {
    const low = Number(BigInt.asIntN(32, number));
    if (BigInt.asIntN(64, number) === BigInt(low)) {
      this.aluNumber('mov', to, low);
      return;
    }
    this.#put(LOAD_NUMBER, to, 0, 0, low);
    this.#put(0, 0, 0, 0, Number(BigInt.asIntN(32, number >> 32n)));
  }

  load(to: number, address: number, offset: number, width: keyof typeof WIDTHS = 8): void {
    this.#put(LOAD | WIDTHS[width], to, address, offset, 0);
  }

  store(address: number, offset: number, from: number, width: keyof typeof WIDTHS = 8): void {
    this.#put(STORE | WIDTHS[width], address, from, offset, 0);
  }

  /** Adds a jump to the next instruction. The kernel removes such jumps. */
  nothing(): void {
    this.#put(JUMP, 0, 0, 0, 0);
  }

  exit(): void {
    this.#put(EXIT, 0, 0, 0, 0);
  }

  #put(operation: number, target: number, source: number, offset: number, number: number): void {
    const bytes = [offset, offset >> 8, number, number >> 8, number >> 16, number >> 24].map((part) => part & 0xff);
    this.#bytes.push(operation, target | (source << 4), ...bytes);
  }
}
