/** Other argument types, return values, system calls, pids and binaries. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import {
  argumentValue,
  prepareWorkload,
  fileArgument,
  fileHook,
  kprobePolicy,
  MECHANISMS,
  onPath,
  Recording,
  runWorkload,
  startWaiting,
  WORKLOAD,
} from './support.js';

const OPENAT = `call: sys_openat
syscall: true
args:
- index: 0
  type: int
- index: 1
  type: string
selectors:
- matchArgs:
  - index: 1
    operator: Prefix
    values: ["/no/such/", "relative/", "/aaaa"]`;

for (const attach of MECHANISMS) {
  describe(`hooks by ${attach}`, () => {
    before(prepareWorkload);

    async function withRecording(yaml: string, run: (recording: Recording) => void | Promise<void>): Promise<void> {
      const recording = await Recording.open(yaml, { attach });
      try {
        await run(recording);
      } finally {
        await recording.close();
      }
    }

    it('string: from user memory, filtered, complete up to 4,095 bytes, flagged if longer', () =>
      withRecording(kprobePolicy('strings', OPENAT), async (recording) => {
        const paths = ['/no/such/file', 'relative/file', '/other'];
        const events = await recording.hooksDuring(() => paths.forEach((path) => runWorkload('openat', path)));
        assert.deepEqual(
          events.map((event) => argumentValue(event.args[1])),
          ['/no/such/file', 'relative/file'],
        );
        const [whole, cut] = await recording.hooksDuring(() => {
          runWorkload('openlong', 4095);
          runWorkload('openlong', 5000);
        });
        assert.deepEqual(
          [whole, cut].map((event) => {
            const arg = event?.args[1];
            return arg?.type === 'string' ? [arg.value.length, arg.truncated] : undefined;
          }),
          [
            [4095, false],
            [4095, true],
          ],
        );
        assert.equal(whole?.functionName, process.arch === 'arm64' ? '__arm64_sys_openat' : '__x64_sys_openat');
      }));

    it('filename: the name that the kernel has copied', () =>
      withRecording(
        kprobePolicy(
          'filenames',
          `call: do_unlinkat
syscall: false
args:
- index: 1
  type: filename
selectors:
- matchArgs:
  - index: 1
    operator: Equal
    values: ["/srv/unlink-me"]`,
        ),
        async (recording) => {
          const events = await recording.hooksDuring(() => {
            runWorkload('unlink', '/srv/unlink-me-not');
            runWorkload('unlink', '/srv/unlink-me');
          });
          assert.deepEqual(
            events.map((event) => argumentValue(event.args[0])),
            ['/srv/unlink-me'],
          );
        },
      ));

    it('fd: the path of the descriptor, read at entry; the return value of a function that is not security_…', () =>
      withRecording(
        kprobePolicy(
          'descriptors',
          `call: sys_lseek
syscall: true
return: true
args:
- index: 0
  type: fd
returnArg:
  index: 0
  type: size_t
selectors:
- matchArgs:
  - index: 0
    operator: Equal
    values: ["/srv/seek-me"]`,
        ),
        async (recording) => {
          writeFileSync('/srv/seek-me', 'x');
          const [event] = await recording.hooksDuring(() => runWorkload('seekfile', '/srv/seek-me'));
          assert.ok(event !== undefined);
          const file = fileArgument(event);
          assert.equal(file.type, 'fd');
          assert.equal(file.path, '/srv/seek-me');
          assert.equal(file.fd, 3);
          assert.equal(argumentValue(event.return), 0n);
        },
      ));

    it('matchReturnArgs: entry and return are one event, judged together', () =>
      withRecording(
        kprobePolicy(
          'returns',
          `call: sys_lseek
syscall: true
return: true
args:
- index: 0
  type: int
returnArg:
  index: 0
  type: int
selectors:
- matchArgs:
  - index: 0
    operator: Equal
    values: ["4242", "3"]
  matchReturnArgs:
  - index: 0
    operator: Equal
    values: ["-9"]
  matchBinaries:
  - operator: In
    values: ["${WORKLOAD}"]`,
        ),
        async (recording) => {
          writeFileSync('/srv/seek-me', 'x');
          const events = await recording.hooksDuring(() => {
            runWorkload('lseek', 4242, 0, 0);
            runWorkload('seekfile', '/srv/seek-me');
          });
          assert.deepEqual(
            events.map((event) => [argumentValue(event.args[0]), argumentValue(event.return)]),
            [[4242, -9]],
          );
        },
      ));

    it('a hook without selectors reports each call; nop arguments are omitted; the first selector decides', () =>
      withRecording(
        kprobePolicy(
          'bare',
          `call: security_path_truncate
syscall: false
args:
- index: 0
  type: nop`,
          fileHook(`${onPath('Prefix', '/srv/first')}\n${onPath('Prefix', '/srv/f')}`),
        ),
        async (recording) => {
          writeFileSync('/srv/first', 'xx');
          writeFileSync('/srv/f', 'xx');
          const events = await recording.hooksDuring(() => {
            runWorkload('truncate', '/srv/f');
            runWorkload('read', '/srv/first', 1);
            runWorkload('read', '/srv/f', 1);
          });
          assert.deepEqual(
            events.map((event) => [event.functionName, event.args.length, event.selector]),
            [
              ['security_path_truncate', 0, 0],
              ['security_file_permission', 2, 0],
              ['security_file_permission', 2, 1],
            ],
          );
        },
      ));

    it('matchPIDs: In and NotIn', async () => {
      writeFileSync('/srv/pids', 'x');
      const pid = spawnSync('/bin/sh', ['-c', 'echo $$']).stdout.toString().trim();
      const selector = (operator: string): string =>
        `${onPath('Equal', '/srv/pids')}\n  matchPIDs:\n  - operator: ${operator}\n    values: [${pid}]`;
      await withRecording(kprobePolicy('pids', fileHook(selector('NotIn'))), async (recording) => {
        assert.equal((await recording.hooksDuring(() => runWorkload('read', '/srv/pids', 1))).length, 1);
      });
      await withRecording(kprobePolicy('pids', fileHook(selector('In'))), async (recording) => {
        assert.equal((await recording.hooksDuring(() => runWorkload('read', '/srv/pids', 1))).length, 0);
      });
    });

    it('matchPIDs: an already running process that waits', async () => {
      writeFileSync('/srv/pids', 'x');
      await Recording.closeCached(); // the process runs before the tracer
      const waiting = await startWaiting('/srv/pids');
      const pid = execFileSync('pgrep', ['-n', '-f', `${WORKLOAD} wait`])
        .toString()
        .trim();
      const selector = `${onPath('Equal', '/srv/pids')}\n  matchPIDs:\n  - operator: In\n    values: [${pid}]`;
      await withRecording(kprobePolicy('pids', fileHook(selector)), async (recording) => {
        const events = await recording.hooksDuring(async () => {
          runWorkload('read', '/srv/pids', 1);
          await waiting.go();
        });
        assert.deepEqual(
          events.map((event) => String(event.process.pid)),
          [pid],
        );
        assert.match(events[0]?.process.flags ?? '', /procFS/);
      });
    });

    const OTHER = '/srv/workload-copy';
    for (const [operator, value, expected] of [
      ['In', WORKLOAD, [WORKLOAD]],
      ['NotIn', WORKLOAD, [OTHER]],
      ['Prefix', '/srv/work', [OTHER]],
      ['NotPrefix', '/srv/work', [WORKLOAD]],
      ['Postfix', '-copy', [OTHER]],
      ['NotPostfix', '-copy', [WORKLOAD]],
    ] as const) {
      it(`matchBinaries: ${operator}, for new and for already running processes`, async () => {
        if (!existsSync(OTHER)) copyFileSync(WORKLOAD, OTHER);
        writeFileSync('/srv/binaries', 'x');
        if (operator === 'In' || operator === 'NotPrefix') await Recording.closeCached();
        const before = [await startWaiting('/srv/binaries', WORKLOAD), await startWaiting('/srv/binaries', OTHER)];
        const selector = `${onPath('Equal', '/srv/binaries')}\n  matchBinaries:\n  - operator: ${operator}\n    values: ["${value}"]`;
        await withRecording(kprobePolicy('binaries', fileHook(selector)), async (recording) => {
          const events = await recording.hooksDuring(async () => {
            for (const program of [WORKLOAD, OTHER]) execFileSync(program, ['read', '/srv/binaries', '1']);
            for (const program of [WORKLOAD, OTHER]) execFileSync(program, ['forkread', '/srv/binaries']);
            for (const process of before) await process.go();
          });
          assert.deepEqual(
            events.map((event) => event.process.binary),
            [expected[0], expected[0], expected[0]],
          );
        });
      });
    }
  });
}
