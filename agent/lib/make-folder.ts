/** Makes a folder and those above it. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `mkdir` of Node.js with `recursive` never ends where the kernel answers ENOENT below a folder that exists, as in /proc. */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    return await makeOne(path, mode);
  } catch (error) {
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw error;
    await makeFolder(above, mode);
  }
  await makeOne(path, mode);
}

async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    if (!exists || !(await stat(path)).isDirectory()) throw error;
  }
}
