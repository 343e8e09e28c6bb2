/** The file-monitoring policies, from YAML to the compact lines that the documentation shows. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { formatCompact } from '../../lib/index.js';
import {
  checkout,
  prepareWorkload,
  corpus,
  kprobeEvents,
  MECHANISMS,
  needsFile,
  Recording,
  WORKLOAD,
  runWorkload,
} from './support.js';

const UPSTREAM = join(corpus, 'quickstart__file_monitoring.yaml');
const POLICIES = [
  { name: 'the published policy', file: UPSTREAM },
  { name: 'our example', file: join(checkout, 'policies', 'file-monitoring.yaml') },
];

function hasProgram(program: string): (line: string) => boolean {
  return (line) => line.includes(` ${program}`);
}

describe('file monitoring', () => {
  before(prepareWorkload);

  for (const { name, file } of POLICIES) {
    for (const attach of MECHANISMS) {
      describe(`${name} by ${attach}`, () => {
        let recording: Recording;
        const node = 'minion';

        before(async function () {
          needsFile(this, file);
          recording = await Recording.open({ file }, { attach, nodeName: node });
        });
        after(() => recording?.close());

        /** The lines of this process's children: a thread of the kernel may end at any time. */
        async function collectLines(run: () => void): Promise<string[]> {
          const events = await recording.eventsDuring(run);
          const own = events.filter((event) => event.type === 'lost' || event.parent?.pid === process.pid);
          return own.map((event) => formatCompact(event)).filter((l) => !l.includes('mark-'));
        }

        it('shows a read of /etc/shadow between the process and its exit, twice for cat', async () => {
          const seen = await collectLines(() => execFileSync('/usr/bin/bash', ['-c', 'cat /etc/shadow']));
          assert.deepEqual(seen, [
            `🚀 process ${node} /usr/bin/bash -c "cat /etc/shadow"`,
            `🚀 process ${node} /usr/bin/cat /etc/shadow`,
            `📚 read    ${node} /usr/bin/cat /etc/shadow`,
            `📚 read    ${node} /usr/bin/cat /etc/shadow`,
            `💥 exit    ${node} /usr/bin/cat /etc/shadow 0`,
          ]);
        });

        it('shows a write under /usr/local/bin by the shell', async () => {
          const command = 'echo foo >> /usr/local/bin/bar';
          const seen = await collectLines(() => execFileSync('/usr/bin/bash', ['-c', command]));
          assert.deepEqual(seen, [
            `🚀 process ${node} /usr/bin/bash -c "${command}"`,
            `📝 write   ${node} /usr/bin/bash /usr/local/bin/bar`,
            `💥 exit    ${node} /usr/bin/bash -c "${command}" 0`,
          ]);
        });

        it('reports nothing about other files', async () => {
          const seen = await collectLines(() => execFileSync('/usr/bin/cat', ['/etc/hostname']));
          assert.deepEqual(seen, [
            `🚀 process ${node} /usr/bin/cat /etc/hostname`,
            `💥 exit    ${node} /usr/bin/cat /etc/hostname 0`,
          ]);
        });

        it('shows truncation by path and shared memory', async () => {
          spawnSync('/usr/bin/bash', ['-c', 'echo longer > /etc/polytrace-test']);
          const truncated = (await collectLines(() => runWorkload('truncate', '/etc/polytrace-test'))).filter(
            hasProgram(WORKLOAD),
          );
          assert.equal(truncated[1], `📝 truncate ${node} ${WORKLOAD} /etc/polytrace-test`);
          const mapped = (await collectLines(() => runWorkload('mmap', '/etc/polytrace-test', 3, 1))).filter(
            hasProgram(WORKLOAD),
          );
          assert.ok(mapped.includes(`📝 mmap-rw ${node} ${WORKLOAD} /etc/polytrace-test`), mapped.join('\n'));
        });

        it('reports the arguments, the return value and the policy', async () => {
          const [event] = kprobeEvents(await recording.eventsDuring(() => runWorkload('read', '/etc/shadow', 1)));
          assert.ok(event !== undefined);
          const [path, mask] = event.args;
          assert.ok(path?.type === 'file' && mask?.type === 'int');
          assert.equal(path.path, '/etc/shadow');
          assert.match(path.permission, /^-rw-/);
          assert.equal(mask.value, 4);
          assert.ok(event.return?.type === 'int' && event.return.value === 0);
          assert.equal(event.process.binary, WORKLOAD);
          assert.equal(event.parent?.pid, process.pid);
        });
      });
    }
  }

  it('our example shows ftruncate, which the published policy misses on kernels from 6.2 on', async () => {
    spawnSync('/usr/bin/bash', ['-c', 'echo longer > /etc/polytrace-test']);
    const recording = await Recording.open({ file: join(checkout, 'policies', 'file-monitoring.yaml') });
    const events = kprobeEvents(await recording.eventsDuring(() => runWorkload('ftruncate', '/etc/polytrace-test')));
    await recording.close();
    assert.equal(events.length, 1);
    assert.match(events[0]?.functionName ?? '', /^security_(path|file)_truncate$/);
  });
});
