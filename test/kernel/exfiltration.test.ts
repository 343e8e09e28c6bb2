/** Attacks on the policy `exfiltration`: ways to send out a secret, with enforcement. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXFILTRATION_WAYS } from './exfiltration-ways.js';
import { checkout, kprobeEvents, onOneKernel, Recording } from './support.js';

/** In a folder of `exfiltration.yaml`. */
const SECRET = '/etc/ssh/ssh_host_evasion';
/** It belongs to the loopback device, so the kernel refuses a connection by itself, too. */
const OUTSIDE = '203.0.113.2';
const PROGRAM = '/tmp/exfiltration';
/** The kernel's own answer differs from EPERM. */
const REFUSED = 'EPERM';
const POLICY = join(checkout, 'policies/exfiltration.yaml');

const PRIVATE = '[0.0.0.0/32, 10.0.0.0/8, 127.0.0.0/8, 192.168.0.0/16, ::/127, fc00::/7, fe80::/10]';
/** What the table names as the remedy: the address of the message, and that of a socket that is connected. */
const SENDMSG = `    - call: security_socket_sendmsg
      syscall: false
      message: A process that read a secret sends to the outside
      args:
        - { index: 1, type: sockaddr, resolve: msg_name }
        - { index: 0, type: socket }
      selectors:
        - matchMarks: [{ operator: In, values: [secret-read] }]
          matchArgs:
            - { index: 1, operator: Family, values: [AF_INET, AF_INET6] }
            - { index: 1, operator: NotSAddr, values: ${PRIVATE} }
          matchActions: [{ action: Override, argError: -1 }]
        - matchMarks: [{ operator: In, values: [secret-read] }]
          matchArgs:
            - { index: 0, operator: Family, values: [AF_INET, AF_INET6] }
            - { index: 0, operator: NotDAddr, values: ${PRIVATE} }
          matchActions: [{ action: Override, argError: -1 }]
`;

const send = (way: string): string => {
  const { stdout, stderr } = spawnSync(PROGRAM, [way, SECRET, OUTSIDE], { encoding: 'utf8' });
  return `${stdout}${stderr}`.trim();
};

// the programs are the same on each kernel, and test/kernel/marks.test.ts runs on all
const describeOnce = onOneKernel('6.12') ? describe : (): void => {};

describeOnce('ways to send out a secret', () => {
  let recording: Recording;
  const alone = new Map<string, string>();

  before(async () => {
    const source = join(checkout, 'test/kernel/exfiltration.c');
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-pthread', '-o', PROGRAM, source]);
    execFileSync('mkdir', ['-p', '/etc/ssh']);
    writeFileSync(SECRET, 'x');
    execFileSync('ip', ['address', 'add', `${OUTSIDE}/32`, 'dev', 'lo']);
    for (const { way } of EXFILTRATION_WAYS) alone.set(way, send(way));
    recording = await Recording.open({ file: POLICY }, { enforcement: true });
  });
  after(async () => {
    await recording?.close();
    spawnSync('ip', ['address', 'del', `${OUTSIDE}/32`, 'dev', 'lo']);
  });

  for (const { way, title, alone: expected, open } of EXFILTRATION_WAYS) {
    it(`${title}: ${open === undefined ? 'is refused' : `is not refused: ${open}`}`, async () => {
      let answer = '';
      const events = kprobeEvents(await recording.eventsDuring(() => void (answer = send(way))));
      assert.deepEqual([alone.get(way), answer], [expected, open === undefined ? REFUSED : expected]);
      const reported = events.filter(({ policyName }) => policyName === 'exfiltration');
      assert.equal(reported.length, open === undefined ? 1 : 0);
      const [event] = reported;
      if (event === undefined) return;
      assert.deepEqual([event.action, event.marks?.[0]?.cause?.argument], ['override', SECRET]);
    });
  }

  it('a hook on security_socket_sendmsg refuses what is sent without a new connection', async () => {
    await recording.tracer.removePolicy('exfiltration');
    await recording.tracer.addPolicy({ yaml: readFileSync(POLICY, 'utf8').trimEnd() + `\n${SENDMSG}` });
    const sent = EXFILTRATION_WAYS.filter(({ open }) => open?.includes('security_socket_sendmsg'));
    assert.equal(sent.length, 4);
    for (const { way } of sent) assert.equal(send(way), REFUSED, way);
  });

  it('an unmarked process connects', () => assert.equal(send('nothing'), 'ECONNREFUSED'));
});
