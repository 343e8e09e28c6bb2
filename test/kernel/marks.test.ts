/** Marks on functions of the kernel: the policy `exfiltration`, LSM hooks, and the return of the call that sets a mark. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TracerEvent } from '../../types/index.js';
import { checkout, MECHANISMS, Recording, type Mechanism } from './support.js';

const SECRET = '/tmp/marks/secret';
/** It belongs to the loopback device, so the kernel refuses a connection by itself, too. */
const OUTSIDE = '203.0.113.1';

/** Connects after the commands. Returns the reason why it was refused. */
function connect(to: string, before = ':', ...more: string[]): string {
  const { stderr } = spawnSync('/bin/bash', ['-c', `${before}; : < /dev/tcp/${to}/9`, ...more], { encoding: 'utf8' });
  return /: ([^:]+)\n/.exec(stderr.replace(/[^]*(?=connect: )/, ''))?.[1] ?? stderr;
}

const READ = 'read -r line < /etc/shadow';
const isConnect = (event: TracerEvent): boolean =>
  'message' in event && event.message === 'A process that read a secret connects to the outside';

for (const attach of MECHANISMS) describe(`marks, by ${attach}`, () => testMarks(attach));

function testMarks(attach: Mechanism): void {
  let recording: Recording;
  before(async () => {
    spawnSync('ip', ['addr', 'add', `${OUTSIDE}/32`, 'dev', 'lo']);
    recording = await Recording.open(undefined, { attach, enforcement: true });
  });
  after(async () => {
    spawnSync('ip', ['addr', 'del', `${OUTSIDE}/32`, 'dev', 'lo']);
    await recording.close();
  });

  it('exfiltration: a process and its children that read a secret cannot connect outside, and nothing else is touched', async () => {
    // a kprobe cannot override on every kernel: there, the policy only reports
    const overrides = attach === 'fentry';
    const text = readFileSync(join(checkout, 'policies/exfiltration.yaml'), 'utf8');
    const yaml = overrides ? text : text.replaceAll(/matchActions: .*Override.*/g, '');
    await recording.tracer.addPolicy({ yaml });
    const refused = overrides ? 'Operation not permitted' : 'Connection refused';
    try {
      const events = await recording.eventsDuring(() => {
        assert.equal(connect(OUTSIDE), 'Connection refused');
        assert.equal(connect(OUTSIDE, 'cat /etc/shadow > /dev/null'), 'Connection refused');
        assert.equal(connect('127.0.0.1', READ), 'Connection refused');
        assert.equal(connect(OUTSIDE, READ), refused);
        const child = `${READ}; exec bash -c ': < /dev/tcp/${OUTSIDE}/9; exit 7'`;
        assert.equal(spawnSync('/bin/bash', ['-c', child]).status, 7);
      });
      const own = events.filter(isConnect);
      assert.equal(own.length, 2);
      for (const event of own) {
        assert.ok(event.type === 'process_kprobe');
        const cause = event.marks?.[0]?.cause;
        assert.deepEqual(
          [event.action, event.marks?.[0]?.mark, cause?.command, cause?.argument, cause?.functionName, cause?.pid],
          [
            overrides ? 'override' : 'post',
            'secret-read',
            'bash',
            '/etc/shadow',
            'security_file_permission',
            event.process.pid,
          ],
        );
      }
    } finally {
      await recording.tracer.removePolicy('exfiltration');
    }
  });

  it('the return of the call that has set a mark sees it', async () => {
    execFileSync('mkdir', ['-p', '/tmp/marks']);
    writeFileSync(SECRET, 'x');
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: returns }
spec:
  kprobes:
    - call: security_file_open
      syscall: false
      args: [{ index: 0, type: file }]
      selectors:
        - matchArgs: [{ index: 0, operator: Equal, values: [${SECRET}] }]
          matchActions: [{ action: Mark, mark: opened }, { action: NoPost }]
    - call: do_sys_openat2
      syscall: false
      message: opened
      return: true
      returnArg: { index: 0, type: int }
      args: [{ index: 1, type: string }]
      selectors:
        - matchMarks: [{ operator: In, values: [opened] }]
          matchReturnArgs: [{ index: 0, operator: GreaterThan, values: ['-1'] }]
          matchActions: [{ action: Unmark, mark: opened }, { action: Post }]
`;
    await recording.tracer.addPolicy({ yaml });
    try {
      const events = await recording.eventsDuring(() => {
        execFileSync('/bin/bash', ['-c', `: < /etc/hostname; : < ${SECRET}; : < /etc/passwd; : < ${SECRET}`]);
      });
      const paths = events.flatMap((event) =>
        event.type === 'process_kprobe' && event.message === 'opened'
          ? event.args.map((arg) => ('value' in arg ? arg.value : ''))
          : [],
      );
      assert.deepEqual(paths, [SECRET, SECRET]);
    } finally {
      await recording.tracer.removePolicy('returns');
    }
  });
}

describe('marks, by LSM hooks', () => {
  before(function () {
    if (!/\bbpf\b/.test(readFileSync('/sys/kernel/security/lsm', 'utf8'))) this.skip();
  });

  it('set by one and tested by another, which refuses', async () => {
    spawnSync('ip', ['addr', 'add', `${OUTSIDE}/32`, 'dev', 'lo']);
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: lsm }
spec:
  lsmhooks:
    - hook: file_open
      args: [{ index: 0, type: file }]
      selectors:
        - matchArgs: [{ index: 0, operator: Equal, values: [/etc/shadow] }]
          matchActions: [{ action: Mark, mark: opened }, { action: NoPost }]
    - hook: socket_connect
      args: [{ index: 1, type: sockaddr }]
      selectors:
        - matchMarks: [{ operator: In, values: [opened] }]
          matchArgs: [{ index: 1, operator: Family, values: [AF_INET] }]
          matchActions: [{ action: Override, argError: -1 }]
`;
    const recording = await Recording.open(yaml, { enforcement: true });
    try {
      const events = await recording.eventsDuring(() => {
        assert.equal(connect(OUTSIDE), 'Connection refused');
        assert.equal(connect(OUTSIDE, READ), 'Operation not permitted');
      });
      const own = events.flatMap((event) => (event.type === 'process_lsm' ? (event.marks ?? []) : []));
      assert.deepEqual(own.map(({ mark, cause }) => [mark, cause?.argument]), [['opened', '/etc/shadow']]); // prettier-ignore
    } finally {
      spawnSync('ip', ['addr', 'del', `${OUTSIDE}/32`, 'dev', 'lo']);
      await recording.close();
    }
  });
});
