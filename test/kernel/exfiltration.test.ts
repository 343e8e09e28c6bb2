/** Attacks on the policy `exfiltration`: ways to send out a secret, with enforcement. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXFILTRATION_WAYS } from './exfiltration-ways.js';
import { copyProgram, checkout, kprobeEvents, describeOn, Recording } from './support.js';

/** In a folder of `exfiltration.yaml`. */
const SECRET = '/etc/ssh/ssh_host_evasion';
/** It belongs to the loopback device, so the kernel refuses a connection by itself, too. */
const OUTSIDE = '203.0.113.2';
const PROGRAM = '/tmp/exfiltration';
/** The kernel's own answer differs from EPERM. */
const REFUSED = 'EPERM';
const POLICY = join(checkout, 'policies/exfiltration.yaml');

const send = (way: string): string => {
  const { stdout, stderr } = spawnSync(PROGRAM, [way, SECRET, OUTSIDE], { encoding: 'utf8' });
  return `${stdout}${stderr}`.trim();
};

// the programs are the same on each kernel, and test/kernel/marks.test.ts runs on all
describeOn('6.12', 'ways to send out a secret', () => {
  let recording: Recording;
  const alone = new Map<string, string>();

  before(async () => {
    copyProgram('exfiltration', PROGRAM);
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

  it('an unmarked process connects', () => assert.equal(send('nothing'), 'ECONNREFUSED'));
});
