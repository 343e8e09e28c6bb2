/** The list of processes, from a folder that replaces /proc. */
import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, rmSync, writeFileSync, type Dir, type Dirent } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runToCompletion } from '../../../lib/cooperative.js';
import { listPids, listProcesses } from '../../../lib/process/procfs.js';

const COUNT = 40;

describe('the list of processes', () => {
  const { opendirSync } = fs;
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'pt-proc-'));
    writeFileSync(join(root, 'uptime'), '');
    for (let pid = 1; pid <= COUNT; pid++) {
      mkdirSync(join(root, String(pid)));
      writeFileSync(join(root, `${pid}/stat`), `${pid} (a) b) S ${pid - 1} ${'0 '.repeat(17)}${pid} 0`);
    }
  });
  afterEach(() => {
    fs.opendirSync = opendirSync;
    rmSync(root, { recursive: true });
  });

  /** Makes reading a folder fail as in Node.js when a process has just ended. */
  function endProcesses(hasEnded: (name: string) => boolean): void {
    fs.opendirSync = (path, options) => {
      const folder: Dir = opendirSync(path, options);
      const readSync = (): Dirent | null => {
        // The entries in the buffer are dropped.
        const read: Dirent[] = [];
        for (let i = 0; i < (options?.bufferSize ?? 32); i++) {
          const entry = folder.readSync();
          if (entry === null) break;
          read.push(entry);
        }
        if (read.some(({ name }) => hasEnded(name))) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
        return read[0] ?? null;
      };
      return { readSync, closeSync: () => folder.closeSync() } as Dir;
    };
  }

  it('has parents before children', () => {
    const found = runToCompletion(listProcesses(root));
    const expected = Array.from({ length: COUNT }, (_, i) => ({ pid: i + 1, parentPid: i, startTicks: BigInt(i + 1) }));
    assert.deepEqual(found, expected);
  });

  it('leaves out only the processes that end meanwhile', () => {
    endProcesses((name) => name === '7' || name === '23');
    const pids = [...runToCompletion(listPids(root))].sort((a, b) => a - b);
    assert.deepEqual(
      pids,
      Array.from({ length: COUNT }, (_, i) => i + 1).filter((pid) => pid !== 7 && pid !== 23),
    );
    assert.equal(runToCompletion(listProcesses(root)).length, COUNT - 2);
  });
});
