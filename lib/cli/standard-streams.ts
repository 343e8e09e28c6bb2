/** How standard input, output and error were when the command began, before a stream of Node.js changed that. */
import { readFileSync } from 'node:fs';

const O_NONBLOCK = 0o4000;

function isBlocking(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
    return (parseInt(flags, 8) & O_NONBLOCK) === 0;
  } catch {
    return true;
  }
}

/** Only `polytrace run` needs it. */
export const STANDARD_BLOCKING: readonly boolean[] = process.argv[2] === 'run' ? [0, 1, 2].map(isBlocking) : [];
