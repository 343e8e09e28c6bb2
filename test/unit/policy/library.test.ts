/** The policies of the package have names, no mistakes, and a section on their page. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { compilePolicy, parsePolicy, parsePolicyTest, PolicyError, validatePolicy } from '../../../lib/index.js';
import { expandPolicyPaths, loadPolicyFile, policyLibrary } from '../../../lib/tracer/policy-files.js';
import { FakeCommand } from '../cli/fake.js';
import { readProjectFile } from '../../project.js';

const page = readProjectFile('docs/policy-library.md');

describe('policies of the package', () => {
  const policies = policyLibrary();

  it('are there', () => {
    assert.ok(policies.length >= 29);
  });

  for (const { name, file, summary, severity, maturity } of policies) {
    it(`${name}: has no mistakes, a name, a comment, and tags and a message for each hook`, () => {
      const yaml = readFileSync(file, 'utf8');
      // matchCmdArgs is of polytrace only
      assert.deepEqual(validatePolicy(yaml).filter(({ code }) => code !== 'FIELD_UNRELEASED'), []); // prettier-ignore
      const compiled = compilePolicy(parsePolicy(yaml));
      assert.equal(compiled.name, name);
      const { annotations } = parsePolicy(yaml);
      assert.deepEqual(annotations, { 'polytrace.io/severity': severity, 'polytrace.io/maturity': maturity });
      assert.match(page, new RegExp(`^\\| \`${name}\` +\\| ${severity} +\\| ${maturity} +\\|`, 'm'));
      assert.ok(compiled.hooks.length > 0);
      assert.match(summary, /^[A-Z].*\.$/);
      for (const text of ['# Sees', '# Does not see: ', '# Harmless events: ', '# What to do: ', '# Parameters: '])
        assert.ok(yaml.includes(text), text);
      for (const { tags, message = '' } of compiled.hooks) {
        assert.notEqual(message, '');
        assert.ok(tags.length > 0 && tags.every((tag) => /^mitre\.T\d{4}(\.\d{3})?$/.test(tag)), String(tags));
      }
    });

    it(`${name}: has a test, with three attacks and ordinary work`, () => {
      const path = join(dirname(file), 'tests', basename(file));
      const { policies: tested, scenarios } = parsePolicyTest(readFileSync(path, 'utf8'), { file: path });
      assert.deepEqual(tested, [`../${name}.yaml`]);
      const attacks = scenarios.filter((scenario) => scenario.name.startsWith('fires: '));
      assert.ok(attacks.length >= 3 && attacks[0]?.exact === true);
      assert.deepEqual(scenarios.slice(attacks.length).map((scenario) => [scenario.name, scenario.never.length]), [['harmless', 1]]); // prettier-ignore
      const messages = new Set(compilePolicy(readFileSync(file, 'utf8')).hooks.map(({ message }) => message));
      for (const { expect } of attacks) {
        assert.ok(expect.length > 0 && expect.every(({ message }) => messages.has(message ?? '')));
      }
    });
  }

  it('polytrace:NAME stands for the path', () => {
    for (const { name, file } of policies) {
      assert.deepEqual(expandPolicyPaths(`polytrace:${name}`), [file]);
      assert.equal(loadPolicyFile(`polytrace:${name}`), readFileSync(file, 'utf8'));
    }
  });

  it('another name is refused, and the error lists the valid names', () => {
    for (const name of ['', 'nothing', '../policies/file-monitoring', 'kernel.yaml', '\u001b']) {
      for (const use of [expandPolicyPaths, loadPolicyFile]) {
        assert.throws(
          () => use(`polytrace:${name}`),
          (error) => error instanceof PolicyError && /polytrace:egress, /.test(error.diagnostics[0]?.hint ?? ''),
        );
      }
    }
  });

  it('the command lists, prints, validates, explains and loads them', async () => {
    const runForOutput = async (...args: string[]): Promise<string> => {
      const command = new FakeCommand();
      assert.equal(await command.run(...args), 0, command.stderr.text);
      return command.stdout.text;
    };
    assert.match(await runForOutput('policies', 'list'), /^polytrace:egress +medium +sandbox +Connections /m);
    assert.deepEqual(JSON.parse(await runForOutput('policies', 'list', '-o', 'json')), policies);
    assert.equal(await runForOutput('policies', 'show', 'egress'), loadPolicyFile('polytrace:egress'));
    assert.match(await runForOutput('validate', '--kernel', 'none', 'polytrace:egress'), /egress.yaml: ok/);
    assert.match(await runForOutput('explain', '--kernel', 'none', 'polytrace:egress'), /tcp_connect/);
    const command = new FakeCommand();
    assert.equal(await command.run('getevents', '--policy', 'polytrace:egress', '--duration', '0.001'), 0);
    assert.deepEqual(command.openOptions?.policies, ['polytrace:egress']);
    const wrong = new FakeCommand();
    assert.equal(await wrong.run('policies', 'show', 'nothing'), 1);
    assert.match(wrong.stderr.text, /there is no policy "nothing" in the package/);
  });
});
