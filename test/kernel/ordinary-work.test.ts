/**
 * Policies with negated path filters kill processes beside ordinary work: only files outside of the listed folders
 * count. Pipes, sockets and memory without a file have no path. POLYTRACE_WORK_SECONDS repeats the work for that time.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { kprobeEvents, kprobePolicy, onOneKernel, onPath, Recording } from './support.js';

/** The folders that the work uses. */
const FOLDERS = 'bin dev etc lib opt proc root run sbin srv sys tmp usr var work'.split(' ').map((name) => `/${name}`);
const ACTIONS = '\n  matchActions: [{action: Sigkill}]';

const POLICY = kprobePolicy(
  'outside',
  `call: security_file_permission
syscall: false
args:
- {index: 0, type: file}
- {index: 1, type: int}
selectors:
${onPath('NotPrefix', ...FOLDERS)}${ACTIONS}`,
  `call: security_mmap_file
syscall: false
args:
- {index: 0, type: file}
selectors:
${onPath('NotPrefix', ...FOLDERS)}${ACTIONS}`,
);

const SERVER = `
const server = require('http').createServer((_, answer) => answer.end('x'.repeat(1e5))).listen(0, '127.0.0.1', () =>
  require('http').get(server.address(), (answer) => answer.resume().on('end', () => server.close())));`;

/** Each line uses pipes, sockets, anonymous memory or files that were removed. */
const WORK = [
  'find /usr/share/doc -maxdepth 1 | sort | uniq -c | tail -3',
  'tar -C /etc -cf - passwd group hosts | gzip | gunzip | tar -tf -',
  'diff <(cat /etc/passwd) <(cat /etc/passwd)',
  'cat <<< "a document in the shell" | tr a-z A-Z | wc -c',
  'echo "int main(void) { return 0; }" > /tmp/work.c && cc -pipe -o /tmp/work /tmp/work.c && /tmp/work',
  'awk "BEGIN { while (i++ < 1000) print i | \\"sort -n\\" }" | tail -1',
  `exec 3<> /tmp/gone; rm /tmp/gone; echo text >&3`,
  `node -e "${SERVER.replaceAll('\n', ' ')}"`,
];

if (onOneKernel('6.12') || onOneKernel('6.1'))
  describe('ordinary work beside policies that kill', () => {
    it('no process of the work is killed, and a reader of another file is', async function () {
      const seconds = Number(process.env['POLYTRACE_WORK_SECONDS'] ?? 0);
      this.timeout(480_000 + 1000 * seconds);
      mkdirSync('/tmp/outside', { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', 'none', '/mnt']);
      const recording = await Recording.open(POLICY, { enforcement: true });
      try {
        const until = Date.now() + 1000 * seconds;
        do {
          const events = await recording.eventsDuring(() => {
            for (const line of WORK) {
              const { status, signal, stderr } = spawnSync('bash', ['-ec', line], { encoding: 'utf8' });
              assert.deepEqual({ status, signal }, { status: 0, signal: null }, `${line}\n${stderr}`);
            }
          });
          assert.deepEqual(kprobeEvents(events).map(({ args }) => args), []); // prettier-ignore
          if (seconds > 0) console.log('      the work was done once more');
        } while (Date.now() < until);
        writeFileSync('/mnt/file', 'x'); // the tracer itself is exempt
        assert.equal(spawnSync('cat', ['/mnt/file']).signal, 'SIGKILL');
      } finally {
        await recording.close();
        execFileSync('umount', ['/mnt']);
      }
    });
  });
