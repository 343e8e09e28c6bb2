/** The commands that do not load policies: validate in its formats, explain, schema, completion. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from '../../../lib/cli/context.js';
import { runCommand } from '../../../lib/cli/program.js';
import { policySchema } from '../../../lib/policy/index.js';
import { validatePolicy } from '../../../lib/tracer/validate-policy.js';
import { fakeKernel } from '../policy/fake-kernel.js';
import { kprobeYaml } from '../policy/marked-policies.js';
import { FakeCommand } from './fake.js';

const GOOD = kprobeYaml('call: security_file_permission\nsyscall: false\nargs: [{index: 0, type: file}]');
const WARNS = kprobeYaml(
  'call: security_file_permission\nsyscall: false\nselectors:\n- matchBinaries: [{operator: In, values: [cat]}]',
);
const BAD = kprobeYaml('call: security_file_permission\nsycall: false');
const UNKNOWN = kprobeYaml('call: no_such_function\nsyscall: false');

describe('polytrace on policies', () => {
  let command: FakeCommand;
  let folder = '';
  let asked: (string | undefined)[] = [];
  let hasAddon = true;

  beforeEach(() => {
    command = new FakeCommand();
    folder = mkdtempSync(join(tmpdir(), 'polytrace-cli-'));
    asked = [];
    hasAddon = true;
    const files = { 'good.yaml': GOOD, 'warns.yaml': WARNS, 'bad.yaml': BAD, 'unknown.yaml': UNKNOWN };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const runCommandLine = (...args: string[]): Promise<number> => {
    const context = command.context();
    const loadKernelInfo: Context['api']['loadKernelInfo'] = (btf) => {
      asked.push(btf);
      if (!hasAddon) return command.api.loadKernelInfo(btf);
      return fakeKernel;
    };
    const api = { ...command.api, validatePolicy, loadKernelInfo };
    return runCommand(
      args.map((arg) => arg.replace('@', `${folder}/`)),
      { ...context, api },
    );
  };

  describe('validate', () => {
    it('checks without a kernel with --kernel none', async () => {
      assert.equal(await runCommandLine('validate', '--kernel', 'none', '@unknown.yaml'), 0);
      assert.equal(command.relativeOutput(folder), 'unknown.yaml: ok\n');
      assert.deepEqual(asked, []);
    });

    it('checks against the running kernel and against another one', async () => {
      assert.equal(await runCommandLine('validate', '--kernel', 'running', '@unknown.yaml'), 1);
      assert.match(command.relativeOutput(folder), /^unknown\.yaml:7:11: error FUNCTION_UNKNOWN: /);
      assert.equal(await runCommandLine('validate', '--btf', '@btf', '@unknown.yaml'), 1);
      assert.deepEqual(asked, [undefined, `${folder}/btf`]);
    });

    it('prints a note when it cannot check against a kernel', async function () {
      if (process.platform !== 'linux') return this.skip();
      hasAddon = false;
      assert.equal(await runCommandLine('validate', '@unknown.yaml'), 0);
      assert.match(command.stderr.text, /^note: not checked against a kernel: the native addon is not there\n$/);
      assert.match(command.relativeOutput(folder), /^unknown\.yaml:6:3: note NOT_CHECKED: [^]*\nunknown\.yaml: no mistakes found, but not everything was checked\n$/); // prettier-ignore
    });

    it('exits with 3 when it cannot read the kernel that an option names', async () => {
      hasAddon = false;
      assert.equal(await runCommandLine('validate', '--kernel', 'running', '@good.yaml'), 3);
      assert.match(command.stderr.text, /ADDON_MISSING/);
    });

    it('treats warnings as errors with --strict only', async () => {
      assert.equal(await runCommandLine('validate', '--kernel', 'none', '@warns.yaml'), 0);
      assert.match(command.relativeOutput(folder), /warning PATH_NOT_ABSOLUTE[^]*warns\.yaml: ok, 1 warning\n$/);
      command.stdout.text = '';
      assert.equal(await runCommandLine('validate', '--kernel', 'none', '--strict', '@warns.yaml'), 1);
      assert.doesNotMatch(command.relativeOutput(folder), /ok/);
    });

    it('accepts folders, and reports every file that cannot be read', async () => {
      mkdirSync(join(folder, 'empty'));
      writeFileSync(join(folder, 'latin.yml'), Buffer.from([0xff]));
      assert.equal(await runCommandLine('validate', '--kernel', 'none', '@', '@empty'), 1);
      const lines = command
        .relativeOutput(folder)
        .split('\n')
        .filter((line) => !line.startsWith(' '));
      assert.deepEqual(
        lines.map((line) => /^[\w./]*/.exec(line)?.[0]),
        ['bad.yaml', 'good.yaml', 'latin.yml', 'unknown.yaml', 'warns.yaml', 'warns.yaml', 'empty', ''].map((name) =>
          name === 'empty' ? `${folder}/empty`.slice(folder.length + 1) : name,
        ),
      );
      assert.match(command.relativeOutput(folder), /FILE_NOT_UTF8/);
      assert.match(command.relativeOutput(folder), /FOLDER_EMPTY/);
    });

    it('prints JSON', async () => {
      assert.equal(
        await runCommandLine('validate', '--kernel', 'none', '--format', 'json', '@bad.yaml', '@good.yaml'),
        1,
      );
      const result = JSON.parse(command.relativeOutput(folder)) as {
        errors: number;
        warnings: number;
        files: { file: string; diagnostics: { code: string; line: number }[] }[];
      };
      assert.equal(result.errors, 1);
      assert.equal(result.warnings, 0);
      assert.deepEqual(
        result.files.map(({ file, diagnostics }) => [file, diagnostics.map((d) => `${d.code} ${d.line}`)]),
        [
          ['bad.yaml', ['UNKNOWN_FIELD 8']],
          ['good.yaml', []],
        ],
      );
    });

    it('prints SARIF', async () => {
      assert.equal(
        await runCommandLine('validate', '--kernel', 'none', '--format', 'sarif', '@bad.yaml', '@warns.yaml'),
        1,
      );
      const log = JSON.parse(command.stdout.text) as Record<string, unknown> & {
        runs: { tool: { driver: { rules: { id: string }[] } }; results: Record<string, unknown>[] }[];
      };
      assert.equal(log['version'], '2.1.0');
      const [sarif] = log.runs;
      assert.deepEqual(
        sarif?.tool.driver.rules.map((rule) => rule.id),
        ['PATH_NOT_ABSOLUTE', 'UNKNOWN_FIELD'],
      );
      assert.deepEqual(
        sarif?.results.map(({ ruleId, ruleIndex, level }) => [ruleId, ruleIndex, level]),
        [
          ['UNKNOWN_FIELD', 1, 'error'],
          ['PATH_NOT_ABSOLUTE', 0, 'warning'],
        ],
      );
      const text = JSON.stringify(sarif?.results[0]);
      assert.match(text, /"startLine":8,"startColumn":5/);
      assert.match(text, /"uri":"file:\/\/\/.*bad\.yaml"/);
    });

    it('names files below the working folder by their relative path in SARIF', async () => {
      const below = mkdtempSync(join(process.cwd(), 'a b-'));
      try {
        writeFileSync(join(below, 'bad.yaml'), BAD);
        await runCommandLine('validate', '--kernel', 'none', '--format', 'sarif', join(below, 'bad.yaml'));
        assert.match(command.stdout.text, /"uri": "a%20b-[^/]*\/bad\.yaml"/);
      } finally {
        rmSync(below, { recursive: true });
      }
    });
  });

  describe('explain', () => {
    it('describes a policy in sentences', async () => {
      assert.equal(await runCommandLine('explain', '--kernel', 'none', '@warns.yaml'), 0);
      assert.match(command.relativeOutput(folder), /^policy test\n\nkprobes: function security_file_permission\n/);
      assert.match(command.relativeOutput(folder), /binary is "cat"/);
      assert.match(command.stderr.text, /PATH_NOT_ABSOLUTE/);
    });

    it('prints JSON with the compiled policy', async () => {
      assert.equal(await runCommandLine('explain', '--kernel', 'running', '--format', 'json', '@good.yaml'), 0);
      const result = JSON.parse(command.relativeOutput(folder)) as {
        name: string;
        image: { hooks: { call: string }[] };
      };
      assert.equal(result.name, 'test');
      assert.deepEqual(
        result.image.hooks.map((hook) => hook.call),
        ['security_file_permission'],
      );
    });

    it('lists the ways around a policy as text', async () => {
      assert.equal(await runCommandLine('explain', '--kernel', 'none', '--bypass', '@warns.yaml'), 0);
      assert.match(command.relativeOutput(folder), /^kprobes: security_file_permission\n {2}PROGRAM_COPY at /);
    });

    it('lists the ways around a policy as JSON', async () => {
      assert.equal(await runCommandLine('explain', '--kernel', 'none', '--bypass', '-o', 'json', '@warns.yaml'), 0);
      const found = JSON.parse(command.relativeOutput(folder)) as { code: string; hook: string }[];
      assert.ok(found.some(({ code, hook }) => code === 'PROGRAM_COPY' && hook === 'security_file_permission'));
    });

    it('refuses policies with mistakes, folders and missing files', async () => {
      assert.equal(await runCommandLine('explain', '--kernel', 'none', '@bad.yaml'), 1);
      assert.match(command.stderr.text, /UNKNOWN_FIELD/);
      assert.equal(await runCommandLine('explain', '--kernel', 'none', '@'), 2);
      assert.equal(await runCommandLine('explain', '--kernel', 'none', '@nothing'), 2);
    });
  });

  it('schema prints the JSON Schema', async () => {
    assert.equal(await runCommandLine('schema'), 0);
    assert.deepEqual(JSON.parse(command.stdout.text), JSON.parse(JSON.stringify(policySchema())));
  });

  describe('completion', () => {
    const isMissing = (error: NodeJS.ErrnoException | undefined): boolean => error?.code === 'ENOENT';
    const complete = async (...args: string[]): Promise<string[]> => {
      assert.equal(await runCommandLine('completion', 'bash'), 0);
      const script = `${command.stdout.text}\nCOMP_WORDS=(polytrace "$@"); COMP_CWORD=$#; _polytrace; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...args], { cwd: folder, encoding: 'utf8' });
      assert.equal(stderr, '');
      return stdout
        .split('\n')
        .filter((word) => word !== '')
        .sort();
    };
    const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
      [['val'], ['validate']],
      [['validate', '--for'], ['--format']],
      [
        ['validate', '--format', ''],
        ['json', 'sarif', 'text'],
      ],
      [['validate', '--format', 's'], ['sarif']],
      [['validate', 'go'], ['good.yaml']],
      [['getevents', '-o', 'j'], ['json']],
      [['getevents', '--policy', 'ba'], ['bad.yaml']],
      [['completion', 'z'], ['zsh']],
      [['explain', '--kernel', 'n'], ['none']],
      [['hooks', 's'], ['show']],
      [['hooks', 'show', '--pol'], ['--policy']],
    ];
    for (const [args, expected] of cases) {
      it(`bash: ${args.join(' ')}`, async () => assert.deepEqual(await complete(...args), expected));
    }

    it('completes names of hooks from the third character on, with the command itself', async function () {
      const tool = join(folder, 'polytrace');
      writeFileSync(tool, '#!/bin/sh\n[ "$*" = "hooks list sec* -o names" ] && echo security_path_unlink\n', {
        mode: 0o755,
      });
      const PATH = `${folder}:${process.env['PATH']}`;
      assert.equal(await runCommandLine('completion', 'bash'), 0);
      const script = `${command.stdout.text}\nfor word in sec se; do COMP_WORDS=(polytrace hooks show $word); COMP_CWORD=3; _polytrace; echo "\${COMPREPLY[@]}"; done`;
      const bash = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', env: { ...process.env, PATH } });
      assert.equal(bash.stdout, 'security_path_unlink\n\n', bash.stderr);
      command.stdout.text = '';
      assert.equal(await runCommandLine('completion', 'fish'), 0);
      const env = { ...process.env, PATH, HOME: folder, XDG_CONFIG_HOME: folder };
      const line = `${command.stdout.text}\ncomplete -C 'polytrace hooks show sec'`;
      const { error, stdout } = spawnSync('fish', ['-N', '-c', line], { cwd: folder, env, encoding: 'utf8' });
      if (isMissing(error)) this.skip();
      assert.equal(stdout, 'security_path_unlink\thook\n');
    });

    it('zsh: knows every command and option', async function () {
      assert.equal(await runCommandLine('completion', 'zsh'), 0);
      const script = command.stdout.text;
      assert.match(script, /^#compdef polytrace\n/);
      for (const word of [
        'getevents',
        'validate',
        'explain',
        'schema',
        'completion',
        '--format[',
        '--btf[',
        ':(text json sarif)',
        "'1:name of the shell:(bash zsh fish)'",
      ])
        assert.ok(script.includes(word.replace("'1", "'")), word);
      // An unclosed quote would make one word of the rest of the script.
      assert.equal((script.replaceAll("'\\''", '').match(/'/g) ?? []).length % 2, 0);
      const { error, status, stderr } = spawnSync('zsh', ['-n', '-c', script], { encoding: 'utf8' });
      if (isMissing(error)) this.skip();
      assert.equal(status, 0, stderr);
    });

    const fishCases: readonly (readonly [line: string, expected: readonly string[]])[] = [
      ['polytrace val', ['validate']],
      ['polytrace validate --for', ['--format']],
      ['polytrace validate --format ', ['json', 'sarif', 'text']],
      ['polytrace validate go', ['good.yaml']],
      ['polytrace getevents --policy ba', ['bad.yaml']],
      ['polytrace getevents -o j', ['json']],
      ['polytrace completion f', ['fish']],
      ['polytrace policy set', ['set-mode']],
      ['polytrace policy add --serv', ['--server']],
    ];
    for (const [line, expected] of fishCases) {
      it(`fish: ${line}`, async function () {
        assert.equal(await runCommandLine('completion', 'fish'), 0);
        const script = `${command.stdout.text}\ncomplete -C ${JSON.stringify(line)}`;
        const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder };
        const { error, stdout, stderr } = spawnSync('fish', ['-N', '-c', script], {
          cwd: folder,
          env,
          encoding: 'utf8',
        });
        if (isMissing(error)) this.skip();
        assert.equal(stderr, '');
        const candidates = stdout.split('\n').map((each) => each.split('\t')[0]);
        assert.deepEqual(candidates.filter((word) => word !== '').sort(), expected);
      });
    }
  });
});
