/** Where lines of the export go: a file or standard output. */

export interface Written {
  /** Bytes that are written; they end with a whole line. */
  readonly bytes: number;
  /** Why not everything is written. */
  readonly error?: NodeJS.ErrnoException;
}

export interface Sink {
  /** Writes whole lines. One call at a time. Never rejects. */
  write(lines: Buffer): Promise<Written>;
  /** Opens the file again, because somebody may have moved it. */
  reopen(): void;
  close(): Promise<void>;
}
