/** The list of processes, from a folder that replaces /proc. */
import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, type Dir, type Dirent } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runToCompletion } from '../../../lib/cooperative.js';
import { Cgroups } from '../../../lib/containers/cgroups.js';
import { Clock } from '../../../lib/process/clock.js';
import { listPids, listProcesses, readProcEntry, readRunningProcess } from '../../../lib/process/procfs.js';
import { ProcfsProcess } from '../../../lib/process/running-process.js';
import type { ProcessFacts } from '../../../lib/process/process.js';

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
    const expected = Array.from({ length: COUNT }, (_, i) => ({
      pid: i + 1,
      parentPid: i,
      startTicks: BigInt(i + 1),
      isKernelThread: false,
    }));
    assert.deepEqual(found, expected);
  });

  it('tells kernel threads by their flags', () => {
    const writeStat = (flags: number): void =>
      writeFileSync(join(root, '1/stat'), `1 (kthreadd) S 0 0 0 0 -1 ${flags} ${'0 '.repeat(12)}1 0`);
    writeStat(0x00200040);
    assert.equal(readProcEntry(1, root)?.isKernelThread, true);
    writeStat(0x00400040);
    assert.equal(readProcEntry(1, root)?.isKernelThread, false);
  });

  it('reads a process whose leader has ended from a thread that still runs', async () => {
    for (const thread of ['1', '2', '3']) mkdirSync(join(root, '1/task', thread), { recursive: true });
    writeFileSync(join(root, '1/status'), 'Name:\t/usr/sbin/sshd\n');
    const asked: number[] = [];
    const readFacts = (pid: number): Promise<ProcessFacts> => {
      asked.push(pid);
      return Promise.resolve({ commandLine: Buffer.from('node\0a\0'), runsHostFile: true });
    };
    const context = { nodeName: 'n', clock: new Clock(() => 0n), cgroups: new Cgroups(), readFacts };
    const entry = { pid: 1, parentPid: 0, startTicks: 1n };
    const read = (): ProcfsProcess =>
      new ProcfsProcess(context, readRunningProcess(entry, context.cgroups, root), undefined);
    assert.deepEqual([read().binary, read().binaryUntrusted, read().flags], ['', true, 'procFS errorFilename']);
    symlinkSync(process.execPath, join(root, '1/task/3/exe'));
    const tracked = read();
    await tracked.readFacts();
    assert.deepEqual(asked, [3]);
    assert.deepEqual([tracked.binary, tracked.argv, tracked.flags], [process.execPath, ['a'], 'procFS']);
    assert.equal(tracked.binaryUntrusted, false);
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
