/** The journal: each change of policies is a line of the log that says what changed, and who changed it by which way. */
import { createHash } from 'node:crypto';
import type { Log } from '../log/log.js';

/** A client that asked for a change. */
export interface Caller {
  /** The address of the server, or of the client. */
  readonly address: string;
  /** The process that connected the Unix socket. */
  readonly pid?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** The exec id of that process, if the tracer knows it. */
  readonly execId?: string;
  readonly binary?: string;
  /** The subject of the client's certificate. */
  readonly certificate?: string;
}

export interface PolicyChange {
  readonly policy: string;
  /** The texts of the policy. Undefined when there was none, or is none. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** The file or resource, or the client. */
  readonly source: { readonly file: string } | { readonly by: Caller | undefined };
  readonly enable?: boolean | undefined;
  readonly mode?: string | undefined;
}

export class Journal {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  record(message: string, { policy, before, after, source, enable, mode }: PolicyChange): void {
    this.#log.info(
      {
        policy,
        ...source,
        ...(before === undefined ? {} : { before: hashText(before) }),
        ...(after === undefined ? {} : { after: hashText(after) }),
        ...(enable === undefined ? {} : { enable }),
        ...(mode === undefined ? {} : { mode }),
      },
      message,
    );
  }
}

/** Returns what `sha256sum` prints for a file with this text. */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
