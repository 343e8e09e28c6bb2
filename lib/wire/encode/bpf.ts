/**
 * Encodes the BPF instructions that expressions need. An instruction has 8 bytes in little-endian order: the opcode,
 * the registers, an offset of 16 bits, and an immediate of 32 bits. In the byte of the registers, the destination is
 * the lower half. Offset and immediate are signed. The opcodes are defined in uapi/linux/bpf.h.
 */

/**
 * A BPF_ALU64 opcode consists of the class, the operation, and the kind of the source: register (BPF_X) or immediate.
 */
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
/** BPF_LD | BPF_IMM | BPF_DW: takes two instructions. The second one contains only the upper half of the immediate. */
const LOAD_IMMEDIATE = 0x18;
/** BPF_LDX | BPF_MEM and BPF_STX | BPF_MEM. */
const LOAD = 0x61;
const STORE = 0x63;
const WIDTHS = { 1: 0x10, 8: 0x18 } as const;
const JUMP = 0x05;
const EXIT = 0x95;

const INSTRUCTION_BYTES = 8;
/** The register that contains the end of the stack frame. A function stores its data below it. */
export const FRAME_POINTER = 10;

export class BpfCode {
  readonly #bytes: number[] = [];

  /** Number of instructions. */
  get length(): number {
    return this.#bytes.length / INSTRUCTION_BYTES;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** to = to op from. Division and shifts are unsigned, except `sar`. A shift by a register uses its lower 6 bits. */
  alu(op: AluOp, to: number, from: number): void {
    this.#emit(CLASS_ALU64 | FROM_REGISTER | ALU[op], to, from, 0, 0);
  }

  aluImmediate(op: AluOp, to: number, number: number): void {
    this.#emit(CLASS_ALU64 | ALU[op], to, 0, 0, number);
  }

  /** Loads the lower 64 bits of the number. */
  loadImmediate(to: number, number: bigint): void {
    const low = Number(BigInt.asIntN(32, number));
    if (BigInt.asIntN(64, number) === BigInt(low)) {
      this.aluImmediate('mov', to, low);
      return;
    }
    this.#emit(LOAD_IMMEDIATE, to, 0, 0, low);
    this.#emit(0, 0, 0, 0, Number(BigInt.asIntN(32, number >> 32n)));
  }

  load(to: number, address: number, offset: number, width: keyof typeof WIDTHS = 8): void {
    this.#emit(LOAD | WIDTHS[width], to, address, offset, 0);
  }

  store(address: number, offset: number, from: number, width: keyof typeof WIDTHS = 8): void {
    this.#emit(STORE | WIDTHS[width], address, from, offset, 0);
  }

  /** Adds a jump to the next instruction. The kernel removes such jumps. */
  nop(): void {
    this.#emit(JUMP, 0, 0, 0, 0);
  }

  exit(): void {
    this.#emit(EXIT, 0, 0, 0, 0);
  }

  #emit(operation: number, target: number, source: number, offset: number, number: number): void {
    const bytes = [offset, offset >> 8, number, number >> 8, number >> 16, number >> 24].map((part) => part & 0xff);
    this.#bytes.push(operation, target | (source << 4), ...bytes);
  }
}
