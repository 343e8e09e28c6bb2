/** A policy with one hook costs at most four file descriptors, whatever mechanism attaches it, and gives them back. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { openTracer } from '../../lib/index.js';
import { describeOn, kprobePolicy, MECHANISMS, Recording } from './support.js';

/**
 * Lists those of programs, maps, links, types and probes. Pipes and sockets of other tests can close at any time, and so
 * can the objects of tracers that other tests have left to the garbage collector: only what is new counts.
 */
const listDescriptors = (): ReadonlySet<string> =>
  new Set(readdirSync('/proc/self/fd').filter((fd) => /bpf|btf|perf/.test(readTarget(fd))));

const countNew = (before: ReadonlySet<string>): number => [...listDescriptors()].filter((fd) => !before.has(fd)).length;

function readTarget(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the descriptor of the folder itself
  }
}

const ENTRY = 'call: security_file_open\nsyscall: false\nargs:\n- {index: 0, type: file}';
const RETURN = `${ENTRY}\nreturn: true\nreturnArg: {index: 0, type: int}`;
const HOOKS: Readonly<Record<string, readonly [yaml: string, most: number]>> = {
  'an entry': [kprobePolicy('one', ENTRY), 2],
  'an entry and its return': [kprobePolicy('one', RETURN), 4],
  'a system call with its return': [
    kprobePolicy('one', 'call: sys_lseek\nsyscall: true\nargs:\n- {index: 0, type: int}\nreturn: true\nreturnArg: {index: 0, type: int}'),
    4,
  ],
}; // prettier-ignore

describeOn('6.12', 'file descriptors of a policy', function () {
  this.timeout(120_000);
  before(() => Recording.closeCached());

  for (const attach of MECHANISMS) {
    it(`${attach}: at most 4, all given back`, async () => {
      const tracer = await openTracer({ attach });
      try {
        for (const [title, [yaml, most]] of Object.entries(HOOKS)) {
          const before = listDescriptors();
          await tracer.addPolicy({ yaml });
          const taken = countNew(before);
          assert.ok(taken > 0 && taken <= most, `${title}: ${taken} descriptors`);
          await tracer.removePolicy('one');
          assert.equal(countNew(before), 0, title);
        }
      } finally {
        await tracer.close();
      }
    });
  }
});
