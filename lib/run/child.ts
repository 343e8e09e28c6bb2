/** Starts the command of `run`, which waits until the hooks are attached, and reports its end. */
import { Socket } from 'node:net';
import { endianness } from 'node:os';
import { PolytraceError } from '../errors.js';
import { loadBinding } from '../native/binding.js';

export interface ChildEnd {
  /** -1: another part of this program has taken the status. */
  readonly status: number;
  /** Number of the signal that ended the command; 0: none. */
  readonly signal: number;
}

export interface ChildUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly groups: readonly number[];
}

const NOT_FOUND = 2;
const NO_SUCH_PROCESS = 3;
const ERRNO_BYTES = 4;

/** Finds the user that the command runs as. Undefined: it keeps the ids of this process. */
export function findRunUser(
  wanted: string | number | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ChildUser | undefined {
  const { SUDO_UID: sudoUid = '', SUDO_GID: sudoGid = '' } = env;
  const isSudo = process.geteuid?.() === 0 && /^\d{1,9}$/.test(sudoUid) && sudoUid !== '0';
  if (wanted === undefined && !isSudo) return undefined;
  const asked = wanted ?? Number(sudoUid);
  const key = typeof asked === 'string' && /^\d{1,9}$/.test(asked) ? Number(asked) : asked;
  const found = loadBinding().findUser(key);
  if (found !== null) {
    const [name, uid, gid, home, , groups] = found;
    const ownGid = wanted === undefined && /^\d{1,9}$/.test(sudoGid) ? Number(sudoGid) : gid;
    return { name, uid, gid: ownGid, home, groups };
  }
  if (typeof key === 'number')
    return { name: String(key), uid: key, gid: Number(sudoGid) || key, home: '/', groups: [] };
  throw new PolytraceError(
    'RUN_FAILED',
    `there is no user ${JSON.stringify(asked)}`,
    'use a name of /etc/passwd, or an id',
  );
}

/** A forked process that has not executed the command yet. */
export class Child {
  readonly pid: number;
  readonly #command: readonly string[];

  constructor(
    command: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
    folder: string,
    user: ChildUser | undefined,
    blocking?: readonly boolean[],
  ) {
    this.#command = command;
    const variables = Object.entries({ ...env, ...userVariables(user) }).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    );
    const ids = user === undefined ? null : [user.uid, user.gid, ...user.groups];
    this.pid = loadBinding().startChild(command, variables, folder, ids, blocking ?? null);
  }

  /**
   * Lets the command begin. Resolves with the errno of its exec, or 0. That takes any time if its file system does not answer,
   * and nothing else of this process waits for it.
   */
  async release(): Promise<number> {
    const fd = loadBinding().releaseChild(this.pid);
    if (fd < 0) return NO_SUCH_PROCESS;
    const pipe = new Socket({ fd, readable: true, writable: false });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of pipe) chunks.push(chunk as Buffer);
    } finally {
      pipe.destroy();
    }
    const bytes = Buffer.concat(chunks);
    return bytes.length < ERRNO_BYTES ? 0 : endianness() === 'LE' ? bytes.readInt32LE() : bytes.readInt32BE();
  }

  /** Resolves when the command has ended. */
  async waitForEnd(): Promise<ChildEnd> {
    return new Promise((resolve) => {
      const check = (): void => {
        const end = loadBinding().reapChild(this.pid);
        if (end === null) return;
        process.off('SIGCHLD', check);
        clearInterval(keepAlive);
        resolve({ status: end[0], signal: end[1] });
      };
      // a listener of a signal does not keep the process alive, and several children can share one signal
      const keepAlive = setInterval(check, 1000);
      process.on('SIGCHLD', check);
      check();
    });
  }

  kill(signal: number): void {
    try {
      process.kill(this.pid, signal);
    } catch {
      // it has ended
    }
  }

  /** The exit status that shells report for a command that cannot be executed, with the reason. */
  explainFailure(errno: number): { readonly status: number; readonly message: string } {
    const reason =
      errno === NOT_FOUND ? 'not found' : errno === 13 ? 'permission denied' : `cannot be executed (errno ${errno})`;
    return { status: errno === NOT_FOUND ? 127 : 126, message: `${this.#command[0] ?? ''}: ${reason}` };
  }
}

/** The variables that name the user. The ones of sudo are those of root. */
function userVariables(user: ChildUser | undefined): Record<string, string> {
  return user === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name };
}
