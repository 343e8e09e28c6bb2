/** The surroundings of the commands `polytrace agent` and `polytrace fleet`. */
export interface CommandHost {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Emits SIGINT and SIGTERM, and SIGHUP for an agent. */
  readonly signals: NodeJS.EventEmitter;
  /** Default: the environment of the process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Exit statuses of both commands. */
export const GOOD = 0;
export const FAILED = 1;
export const USAGE = 2;
