/**
 * Opens the files of a run as the user that the command runs as: the command may have put a link in their place. Nothing waits for
 * a file system meanwhile: the ids of a process belong to all its threads, so another process opens the file.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, type FileHandle } from 'node:fs/promises';
import type { ChildUser } from './child.js';

type FileUser = Pick<ChildUser, 'uid' | 'gid'>;

/** A pipe without a reader, or a file system that does not answer, is not waited for. */
const OPEN_MS = 10_000;
/** Opens the file as descriptor 3, says so, and keeps it until its input ends. */
const HOLDER = 'exec 3> "$1" && echo open && read -r _; exit 0';

/** Opens a file for writing as the user. Rejects with an error of Node.js, or one with the code EACCES, EIO or ETIMEDOUT. */
export async function openAsUser(user: FileUser | undefined, path: string): Promise<FileHandle> {
  if (user === undefined || process.geteuid?.() === user.uid) return open(path, 'w', 0o644);
  const { uid, gid } = user;
  const holder = spawn('/bin/sh', ['-c', HOLDER, 'sh', path], { uid, gid, env: {}, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(holder, 'close');
  ended.catch(() => undefined);
  holder.stdin.on('error', () => undefined);
  let [said, complaint] = ['', ''];
  holder.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  holder.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString().slice(0, 1000)));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    holder.kill('SIGKILL');
  }, OPEN_MS);
  try {
    await Promise.race([once(holder.stdout, 'data').catch(() => undefined), ended]);
    if (said === 'open\n') return await open(`/proc/${holder.pid ?? 0}/fd/3`, 'w');
    await ended;
    const code = isLate ? 'ETIMEDOUT' : /denied|permitted/i.test(complaint) ? 'EACCES' : 'EIO';
    throw Object.assign(new Error(`${code}: ${complaint.trim() || 'the file cannot be opened'}`), { code });
  } finally {
    clearTimeout(timer);
    holder.stdin.end();
    holder.kill('SIGKILL');
  }
}
