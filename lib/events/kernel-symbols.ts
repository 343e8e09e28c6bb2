/** The functions of the kernel, from /proc/kallsyms. A machine has some hundred thousand: they are parsed in slices. */
import { closeSync, openSync, readSync } from 'node:fs';
import { runCooperatively, runToCompletion, type Steps } from '../cooperative.js';

const KALLSYMS = '/proc/kallsyms';

/** Symbols are cached for this time, because modules and BPF programs are loaded and unloaded. */
const FRESH_MS = 60_000;

/** A return address that is further from the start of a function is in none that has a symbol. */
const FUNCTION_BYTES_MAX = 2 ** 20;

/** All addresses of the kernel are above this one, by less than 2^48. */
const LOWEST_ADDRESS = 0xffff_0000_0000_0000n;
const LOWEST_UPPER = 0xffff_0000;

/** The module in which kallsyms lists BPF programs. */
const BPF_PROGRAMS = 'bpf';

export interface KernelFunction {
  readonly symbol: string;
  readonly module?: string;
  /** Bytes from the start of the function. */
  readonly offset: bigint;
}

/** The functions by their start. The text of a line is decoded when its function is found. */
export class KernelSymbols {
  readonly #text: Buffer;
  /** Relative to LOWEST_ADDRESS, in ascending order. */
  readonly #starts: Float64Array;
  /** Where the lines are in the text. */
  readonly #lines: Uint32Array;

  private constructor(text: Buffer, starts: Float64Array, lines: Uint32Array) {
    this.#text = text;
    this.#starts = starts;
    this.#lines = lines;
  }

  /**
   * Parses lines of functions such as `ffffffff81000000 T _stext [module]`. If the kernel hides addresses, they are 0, and
   * no function is known.
   */
  static *parse(text: Buffer): Steps<KernelSymbols> {
    let [starts, lines] = [new Float64Array(FEW_FUNCTIONS), new Uint32Array(FEW_FUNCTIONS)];
    let count = 0;
    for (let at = 0, end = 0, passed = 0; at < text.length; at = end + 1, passed++) {
      if (passed % LINES_PER_STEP === 0) yield;
      end = text.indexOf(NEWLINE, at);
      if (end < 0) end = text.length;
      if (end - at < TYPE_AT + 3 || !FUNCTION_TYPES.has(text[at + TYPE_AT] as number)) continue;
      const upper = parseHex(text, at);
      if (upper < LOWEST_UPPER) continue;
      if (count === starts.length) [starts, lines] = [growArray(starts), growArray(lines)];
      starts[count] = (upper - LOWEST_UPPER) * 2 ** 32 + parseHex(text, at + 8);
      lines[count++] = at;
    }
    yield;
    const order = yield* sortIndexes(starts.subarray(0, count));
    const [sorted, sortedLines] = [new Float64Array(count), new Uint32Array(count)];
    for (let i = 0; i < count; i++) {
      if (i % LINES_PER_STEP === 0) yield;
      sorted[i] = starts[order[i] as number] as number;
      sortedLines[i] = lines[order[i] as number] as number;
    }
    return new KernelSymbols(text, sorted, sortedLines);
  }

  get size(): number {
    return this.#starts.length;
  }

  /** Returns the function that contains the address, or undefined. */
  find(address: bigint): KernelFunction | undefined {
    const starts = this.#starts;
    const place = Number(address - LOWEST_ADDRESS);
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= place) low = middle + 1;
      else high = middle;
    }
    const start = starts[low - 1];
    if (start === undefined || place - start >= FUNCTION_BYTES_MAX) return undefined;
    const { symbol, module } = this.#decode(this.#lines[low - 1] as number);
    const offset = BigInt(place - start);
    return module === undefined ? { symbol, offset } : { symbol, module, offset };
  }

  #decode(at: number): { readonly symbol: string; readonly module: string | undefined } {
    const end = this.#text.indexOf(NEWLINE, at);
    const line = this.#text.toString('latin1', at + TYPE_AT + 2, end < 0 ? this.#text.length : end);
    const [, symbol = '', module] = /^(\S+)(?:\s+\[(.+)\])?$/.exec(line) ?? [];
    return { symbol, module };
  }
}

const NEWLINE = 10;
/** After the address and a space. */
const TYPE_AT = 17;
const FUNCTION_TYPES: ReadonlySet<number> = new Set(Buffer.from('tTwW'));
const LINES_PER_STEP = 4096;
const FEW_FUNCTIONS = 65536;

/** Returns a copy with twice the room. */
function growArray<T extends Float64Array | Uint32Array>(array: T): T {
  const larger = new (array.constructor as new (length: number) => T)(2 * array.length);
  larger.set(array);
  return larger;
}

/** Eight hexadecimal digits. */
function parseHex(text: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) {
    const digit = text[i] as number;
    value = value * 16 + (digit > ZERO + 9 ? digit - LETTER_A + 10 : digit - ZERO);
  }
  return value;
}

const ZERO = 48;
const LETTER_A = 97;

/** The indexes of the keys, so that these ascend. Equal keys stay in their order. */
function* sortIndexes(keys: Float64Array): Steps<Uint32Array> {
  const { length } = keys;
  let from = new Uint32Array(length);
  for (let i = 0; i < length; i++) from[i] = i;
  let to = new Uint32Array(length);
  for (let width = 1; width < length; width *= 2) {
    for (let start = 0; start < length; start += 2 * width) {
      const middle = Math.min(start + width, length);
      const end = Math.min(start + 2 * width, length);
      for (let at = start, left = start, right = middle; at < end; at++) {
        const takesLeft =
          right >= end ||
          (left < middle && (keys[from[left] as number] as number) <= (keys[from[right] as number] as number));
        to[at] = from[takesLeft ? left++ : right++] as number;
        if (at % LINES_PER_STEP === 0) yield;
      }
    }
    [from, to] = [to, from];
  }
  return from;
}

/** The symbols of this kernel, and the functions of addresses that were found in them. */
interface Known {
  readonly symbols: KernelSymbols;
  readonly found: Map<bigint, KernelFunction | undefined>;
  /** Undefined: programs were loaded since. */
  readAt: number | undefined;
}

/** Most return addresses of the kernel that are remembered. Ordinary machines have some hundred of them in stacks. */
const FOUND_MAX = 4096;

let known: Known | undefined;
let reading: Promise<void> | undefined;
let expirations = 0;

async function readSymbols(): Promise<void> {
  const before = expirations;
  const symbols = await runCooperatively(readAndParse());
  known = toKnown(symbols, before === expirations ? performance.now() : undefined);
}

function toKnown(symbols: KernelSymbols, readAt: number | undefined): Known {
  return { symbols, found: new Map(), readAt };
}

function readOnce(): Promise<void> {
  return (reading ??= readSymbols().finally(() => (reading = undefined)));
}

/** Reads the symbols if nobody has read them yet. Without it, the first stack trace reads them, and blocks for 0.2 s. */
export async function prepareKernelSymbols(): Promise<void> {
  if (known === undefined) await readOnce();
}

/** To be called before BPF programs are loaded: until the symbols are read again, nobody knows what is where they are. */
export function expireKernelSymbols(): void {
  expirations++;
  if (known !== undefined) known.readAt = undefined;
}

/** To be called after BPF programs were loaded: reads the symbols, with theirs. */
export async function refreshKernelSymbols(): Promise<void> {
  expireKernelSymbols();
  await reading; // it may have begun before
  await readOnce();
}

/** Returns the function that contains the address. Old symbols are read again, and used until then. */
export function findKernelFunction(address: bigint): KernelFunction | undefined {
  const own = (known ??= toKnown(runToCompletion(readAndParse()), performance.now()));
  const isOld = own.readAt === undefined || performance.now() - own.readAt > FRESH_MS;
  if (isOld) readOnce().catch(() => undefined); // without memory, the old ones stay
  let found = own.found.get(address);
  if (found === undefined) {
    found = own.symbols.find(address);
    if (own.found.size < FOUND_MAX) own.found.set(address, found);
  }
  // a program that is new may be where another one ends
  return own.readAt === undefined && found?.module === BPF_PROGRAMS ? undefined : found;
}

function* readAndParse(): Steps<KernelSymbols> {
  return yield* KernelSymbols.parse(yield* readKallsyms());
}

/** Empty if the file cannot be read. A call returns a page of it at most, so that threads would only make it slower. */
function* readKallsyms(): Steps<Buffer> {
  const parts: Buffer[] = [];
  let fd: number | undefined;
  try {
    fd = openSync(KALLSYMS, 'r');
    for (;;) {
      const part = Buffer.allocUnsafe(PART_BYTES);
      let used = 0;
      for (let got = -1; got !== 0 && used < PART_BYTES; used += got)
        got = readSync(fd, part, used, PART_BYTES - used, null);
      if (used === 0) break;
      parts.push(part.subarray(0, used));
      yield;
    }
  } catch {
    return Buffer.alloc(0);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return Buffer.concat(parts);
}

const PART_BYTES = 65536;
