/** `polytrace learn`: its files, its summary, and wrong usage. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { validatePolicy } from '../../../lib/index.js';
import { hostProcess, RecordingFolder } from '../learn/recording-file.js';
import { fileArgument } from '../output/arguments.js';
import { FakeCommand } from './fake.js';

const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: files }
spec:
  kprobes:
    - { call: security_file_open, syscall: false, args: [{ index: 0, type: file }] }
`;

describe('polytrace learn', () => {
  const folder = new RecordingFolder();
  after(() => folder.remove());
  const policy = folder.path('policy.yaml');
  before(() => writeFileSync(policy, POLICY));
  const record = (program: string): string =>
    folder.write(POLICY, [{ process: hostProcess(program), args: [fileArgument('/etc/shadow')] }]);

  it('writes the policy, and says what it learned, what stays, and whether the check passed', async () => {
    const [file, output] = [record('/usr/sbin/sshd'), folder.path('out.yaml')];
    const command = new FakeCommand();
    const options = [
      '--policy',
      policy,
      '-o',
      output,
      '--check',
      '--attacks',
      record('/usr/bin/cat'),
      '--kernel',
      'none',
    ];
    assert.equal(await command.run('learn', file, ...options), 0);
    assert.match(command.stderr.text, /files: 1 alerts, 1 exceptions, 0 kinds of alerts stay/);
    assert.match(command.stderr.text, /check: 1 alerts before, 0 after; 1 of 1 alerts of attacks stay: passed/);
    assert.deepEqual(validatePolicy(readFileSync(output, 'utf8')), []);
    const failing = new FakeCommand();
    assert.equal(
      await failing.run('learn', file, '--policy', policy, '--check', '--attacks', file, '--kernel', 'none'),
      1,
    );
    assert.match(failing.stderr.text, /an attack is hidden/);
  });

  it('refuses what does not fit together', async () => {
    const rows: readonly (readonly string[])[] = [
      [],
      ['--policy', policy],
      ['--policy', policy, '--service', 'web'],
      ['x.jsonl', '--policy', policy, '--for', '1m'],
      ['x.jsonl', '--policy', policy, '--seccomp', 'f'],
      ['x.jsonl', '--policy', policy, '--attacks', 'y'],
      ['x.jsonl', '--service', 'web', '--check'],
      ['--policy', policy, '--for', '99y'],
    ];
    for (const args of rows) assert.equal(await new FakeCommand().run('learn', ...args), 2, args.join(' '));
  });

  it('prints the policy with which a service is recorded', async () => {
    const command = new FakeCommand();
    assert.equal(await command.run('learn', '--service', 'web', '--container', 'web', '--print-policy'), 0);
    assert.deepEqual(validatePolicy(command.stdout.text).filter(({ severity }) => severity === 'error'), []); // prettier-ignore
  });
});
