/** The target of an export: a file or standard output. */

export interface WriteResult {
  /** Written bytes. They end with a complete line. */
  readonly bytes: number;
  /** The reason when not everything was written. */
  readonly error?: NodeJS.ErrnoException;
}

/** Called with the number of exported lines that somebody has removed. */
export type LossListener = (lines: number, reason: string) => void;

/** When a file is rotated, and how many rotated files are kept. */
export interface RotationLimits {
  readonly maxBytes: number;
  /** 0: no rotation by time. */
  readonly intervalMs: number;
  readonly backups: number;
}

export interface Sink {
  /** Called once, before the first write. */
  listen(onLost: LossListener): void;
  /** Writes complete lines. Must not be called again before it resolves. Never rejects. */
  write(lines: Buffer): Promise<WriteResult>;
  /** Opens the file again, because another process may have moved it. */
  reopen(): void;
  /** Absent if nothing is rotated. */
  setRotation?(limits: RotationLimits): void;
  close(): Promise<void>;
}
