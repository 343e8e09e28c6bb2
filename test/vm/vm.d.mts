/** Types of vm.mjs. */

export const checkout: string;
/** The published policies; not on every machine. */
export const corpus: string;

export class VmError extends Error {}

export function vmObstacle(): string | undefined;

export interface VmOptions {
  /** A version, such as `6.12`. */
  readonly kernel?: string;
  /** Of the host; the guest's /run/vm. */
  readonly folder?: string;
  /** Run by bash in the checkout. */
  readonly script: string;
  /** The guest's clock advances one nanosecond for each instruction. */
  readonly icount?: boolean;
  readonly cpus?: number;
  readonly memoryMb?: number;
  readonly timeoutMs?: number;
  readonly quietMs?: number;
  readonly append?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdout?: NodeJS.WritableStream;
  readonly stderr?: NodeJS.WritableStream;
}

export function runInVm(options: VmOptions): Promise<{ readonly status: number; readonly seconds: number }>;
