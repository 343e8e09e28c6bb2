/** Finds the files that the kernel executes for the programs of a lock file: the targets of links, and interpreters of scripts. */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import type { PathPattern } from './lock-facts.js';

/** Longest first line of a script that the kernel reads, and scripts whose interpreter is a script. */
const LINE_MAX = 256;
const DEPTH_MAX = 5;

/** The same patterns, with what is executed for each of them. A file that does not exist or cannot be read adds nothing. */
export async function findPrograms(patterns: readonly PathPattern[]): Promise<PathPattern[]> {
  const paths = patterns.filter(({ isPrefix }) => !isPrefix).map(({ path }) => path);
  const found = await Promise.all(paths.map((path) => findExecuted(path)));
  const more = new Set(found.flat().filter((path) => !paths.includes(path)));
  return [...patterns, ...[...more].map((path) => ({ path, isPrefix: false }))];
}

async function findExecuted(path: string): Promise<string[]> {
  const executed: string[] = [];
  try {
    for (let next: string | undefined = path; next !== undefined && executed.length < DEPTH_MAX;) {
      const file: string = await realpath(next);
      executed.push(file);
      next = await readInterpreter(file);
    }
  } catch {
    // it is not there, or is nobody's to read
  }
  return executed;
}

async function readInterpreter(file: string): Promise<string | undefined> {
  // a pipe does not wait for its writer
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LINE_MAX), 0, LINE_MAX, 0);
    return /^#![ \t]*(\/[^ \t\n\0]*)/.exec(buffer.toString('latin1', 0, bytesRead))?.[1];
  } finally {
    await handle.close();
  }
}
