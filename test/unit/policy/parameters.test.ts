/** Parameters of policies: lists that a comment names, and the exceptions that every policy has. */
import assert from 'node:assert/strict';
import {
  compilePolicy,
  listPolicyParameters,
  loadPolicyFile,
  PolicyError,
  policyLibrary,
  setPolicyParameters,
} from '../../../lib/index.js';
import { FakeCommand } from '../cli/fake.js';

const POLICY = `# A comment.
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: test }
spec:
  kprobes:
    - call: security_file_open
      syscall: false
      args: [{ index: 0, type: file }]
      selectors:
        - matchArgs:
            - index: 0
              operator: Prefix
              values: # parameter: paths
                - /etc/
                - /srv/
    - call: security_file_permission
      syscall: false
      args: [{ index: 0, type: file }, { index: 1, type: int }]
      selectors:
        - matchArgs: [{ index: 0, operator: Equal, values: [/etc/shadow] }] # no parameter
    - call: sys_sync
      syscall: true
  tracepoints:
    - { subsystem: sched, event: sched_process_exec, raw: true, args: [{ index: 2, type: linux_binprm }] }
`;

const assertError = (code: string, settings: readonly string[], hint: RegExp): void => {
  assert.throws(
    () => setPolicyParameters(POLICY, settings, { file: 'a.yaml' }),
    (error) =>
      error instanceof PolicyError &&
      error.diagnostics[0]?.code === code &&
      error.diagnostics[0].file === 'a.yaml' &&
      hint.test(error.diagnostics[0].hint),
  );
};

describe('parameters of policies', () => {
  it('are the lists with a comment, and the exceptions', () => {
    assert.deepEqual(
      listPolicyParameters(POLICY).map(({ name, values }) => [name, values.join()]),
      [
        ['allow.ancestors', ''],
        ['allow.arguments', ''],
        ['allow.binaries', ''],
        ['allow.images', ''],
        ['allow.parents', ''],
        ['allow.users', ''],
        ['paths', '/etc/,/srv/'],
      ],
    );
  });

  it('= replaces values, += adds those that are new, and comments stay', () => {
    assert.match(
      setPolicyParameters(POLICY, ['paths=/opt/, /home/']),
      /parameter: paths\n +- \/opt\/\n +- \/home\/\n +- call/s,
    );
    const added = setPolicyParameters(POLICY, ['paths+=/srv/,/opt/']);
    assert.deepEqual(listPolicyParameters(added).at(-1)?.values, ['/etc/', '/srv/', '/opt/']);
    assert.match(added, /^# A comment\.\n/);
    assert.equal(setPolicyParameters(added, []).includes('# no parameter'), true);
  });

  it('an exception is the first selector of each hook, and a hook without selectors still reports', () => {
    const text = setPolicyParameters(POLICY, [
      'allow.binaries=/usr/bin/tar',
      'allow.ancestors=/usr/bin/backup',
      'allow.parents=/usr/bin/make',
      'allow.arguments=--backup',
      'allow.images=docker.io/library/backup',
      'allow.users=0,1000',
    ]);
    const { hooks } = compilePolicy(text);
    assert.equal(hooks.length, 4);
    assert.deepEqual(hooks.map(({ selectors }) => selectors), [7, 7, 7, 7]); // prettier-ignore
    assert.equal(text.match(/action: NoPost/g)?.length, 4 * 6);
  });

  it('mistakes have a code, a file and a remedy', () => {
    assertError('PARAMETER_UNKNOWN', ['path=/opt/'], /did you mean "paths"\?/);
    assertError('PARAMETER_INVALID', ['paths'], /NAME=VALUE/);
    assertError('PARAMETER_INVALID', ['paths='], /NAME=VALUE/);
    assertError('PARAMETER_INVALID', ['paths=/a,,/b'], /NAME=VALUE/);
  });

  it('a value that the policy cannot have is an error of the policy', () => {
    assert.throws(() => setPolicyParameters(POLICY, ['allow.users=root']), PolicyError);
  });

  for (const { name, file } of policyLibrary()) {
    it(`${name}: the first comment lists its parameters, and each exception is possible`, () => {
      const yaml = loadPolicyFile(file);
      const own = listPolicyParameters(yaml).flatMap((each) => (each.name.startsWith('allow.') ? [] : each.name));
      const [, listed = ''] = /^# Parameters: (.*)\.$/m.exec(yaml) ?? [];
      const expected = listed === 'none but those of all policies' ? [] : listed.split(', ');
      assert.deepEqual([...expected].sort(), own);
      const settings = ['binaries=/usr/bin/a', 'ancestors=/usr/bin/b', 'users=33', 'images=web'].map(
        (each) => `allow.${each}`,
      );
      assert.doesNotThrow(() => setPolicyParameters(yaml, settings));
    });
  }

  it('the commands show them, and set them', async () => {
    const run = async (...args: string[]): Promise<FakeCommand> => {
      const command = new FakeCommand();
      await command.run(...args);
      return command;
    };
    assert.match((await run('policies', 'parameters', 'egress')).stdout.text, /^private-networks +10\.0\.0\.0\/8,/m);
    const json = await run('policies', 'parameters', 'egress', '-o', 'json');
    assert.deepEqual(JSON.parse(json.stdout.text), listPolicyParameters(loadPolicyFile('polytrace:egress')));
    const shown = await run('policies', 'show', 'egress', '--set', 'private-networks+=203.0.113.0/24');
    assert.match(shown.stdout.text, /^ +- 203\.0\.113\.0\/24$/m);
    const wrong = await run('policies', 'show', 'egress', '--set', 'network=1');
    assert.match(wrong.stderr.text, /PARAMETER_UNKNOWN/);
  });

  it('getevents sets them in all policies that have them, or in one', async () => {
    const load = async (...settings: string[]): Promise<FakeCommand> => {
      const command = new FakeCommand();
      const policies = ['polytrace:egress', 'polytrace:exfiltration'];
      await command.run('getevents', '--policy', ...policies, '--duration', '0.001', '--set', ...settings);
      return command;
    };
    const count = (command: FakeCommand): number[] =>
      (command.openOptions?.policies ?? []).map((each) =>
        typeof each === 'object' && 'yaml' in each && each.yaml.includes('198.51.100.0/24') ? 1 : 0,
      );
    assert.deepEqual(count(await load('private-networks+=198.51.100.0/24')), [1, 1]);
    assert.deepEqual(count(await load('egress:private-networks+=198.51.100.0/24')), [1, 0]);
    assert.match((await load('nothing=1')).stderr.text, /--set nothing=1: no policy has this parameter/);
  });
});
