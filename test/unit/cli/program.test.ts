import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../../lib/cli/program.js';
import { EVENT_TYPES } from '../../../lib/names/event-types.js';
import type { Diagnostic, PreflightReport, TracingCheck } from '../../../types/index.js';
import { FakeCommand } from './fake.js';
import { readProjectFile } from '../../project.js';

describe('polytrace', () => {
  let command: FakeCommand;
  beforeEach(() => {
    command = new FakeCommand();
  });

  it('--version prints the version of the package', async () => {
    const { version } = JSON.parse(readProjectFile('package.json')) as {
      version: string;
    };
    assert.equal(await command.run('--version'), 0);
    assert.equal(command.stdout.text, `${version}\n`);
  });

  it('--help shows the commands and the exit statuses', async () => {
    assert.equal(await command.run('--help'), 0);
    for (const part of ['getevents', 'validate', 'preflight', 'Exit status:\n  0  success']) {
      assert.ok(command.stdout.text.includes(part), part);
    }
    assert.equal(command.stderr.text, '');
  });

  it('cleanup lists what it removed', async () => {
    assert.equal(await command.run('cleanup', '/sys/fs/bpf/x'), 0);
    assert.equal(command.stdout.text, '/sys/fs/bpf/x/1\n/sys/fs/bpf/x\n');
  });

  it('getevents --help shows every option', async () => {
    assert.equal(await command.run('getevents', '--help'), 0);
    for (const option of [
      'policy',
      'output',
      'process',
      'event-types',
      'policy-names',
      'color',
      'timestamps',
      'style',
      'who',
      'persist',
      'keep',
      'duration',
    ]) {
      assert.ok(command.stdout.text.includes(`--${option}`), option);
    }
  });

  describe('wrong usage exits with 2 and prints the reason', () => {
    const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [[], /Usage: polytrace/],
      [['frobnicate'], /unknown command 'frobnicate'/],
      [['getevents', '--frobnicate'], /unknown option '--frobnicate'/],
      [['getevents', 'extra'], /getevents has no argument extra: policies follow --policy/],
      [['getevents', 'x.yaml'], /getevents has no argument x\.yaml: write `--policy x\.yaml`/],
      [['getevents', 'polytrace:files', '-o', 'json'], /write `--policy polytrace:files`/],
      [['getevents', __dirname], /write `--policy \//],
      [['getevents', 'events.jsonl.gz'], /write `polytrace read events\.jsonl\.gz`/],
      [['getevents', '--policy'], /argument missing/],
      [['getevents', '--policy', '/nonexistent/policy.yaml'], /no such file or folder: \/nonexistent\/policy\.yaml/],
      [['getevents', '-o', 'xml'], /Allowed choices are compact, json/],
      [['getevents', '--color', 'blue'], /Allowed choices are auto, always, never/],
      [['getevents', '--process', '('], /Invalid regular expression/],
      [['getevents', '--event-types', 'process_exec,open'], new RegExp(`Allowed types are ${EVENT_TYPES.join(', ')}`)],
      [['getevents', '--duration', '0'], /above 0/],
      [['getevents', '--duration', '-1'], /above 0/],
      [['getevents', '--duration', 'soon'], /above 0/],
      [['getevents', '--duration', '1e9'], /above 0/],
      [['getevents', '--duration', '3000000'], /at most 2147483/],
      [['validate'], /missing required argument 'file'/],
      [['validate', '/nonexistent/policy.yaml'], /cannot read \/nonexistent\/policy\.yaml: ENOENT/],
      [['validate', '--kernel', 'some', 'x'], /Allowed choices are/],
      [['validate', '--format', 'xml', 'x'], /Allowed choices are/],
      [['validate', '--btf', 'a', '--kernel', 'none', 'x'], /cannot be used with/],
      [['explain'], /missing required argument 'file'/],
      [['completion', 'csh'], /Allowed choices are bash, zsh, fish/],
      [['preflight', 'extra'], /too many arguments/],
    ];
    for (const [args, message] of wrong) {
      it(`polytrace ${args.join(' ')}`, async () => {
        assert.equal(await command.run(...args), 2);
        assert.match(command.stderr.text, message);
        assert.equal(command.stdout.text, '');
        assert.equal(command.openOptions, undefined);
      });
    }
  });

  describe('validate', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'polytrace-cli-'));
      writeFileSync(join(folder, 'good.yaml'), 'good');
      writeFileSync(join(folder, 'bad.yaml'), 'bad');
      writeFileSync(join(folder, 'odd.yaml'), 'odd');
    });
    afterEach(() => {
      rmSync(folder, { recursive: true });
    });

    const diagnostic = (severity: Diagnostic['severity'], file: string, line: number): Diagnostic => ({
      code: 'UNKNOWN_FIELD',
      severity,
      message: 'unknown field "x"',
      hint: 'did you mean "y"?',
      file,
      line,
      column: 3,
      text: 'x',
    });
    const runValidate = (...names: string[]): Promise<number> => {
      const validatePolicy = (yaml: string, options?: { file?: string }): Diagnostic[] => {
        const file = options?.file ?? '';
        if (yaml === 'bad') return [diagnostic('error', file, 2), diagnostic('error', file, 7)];
        return yaml === 'odd' ? [diagnostic('warning', file, 4)] : [];
      };
      const args = names.map((name) => join(folder, name));
      return runCommand(['validate', ...args], { ...command.context(), api: { ...command.api, validatePolicy } });
    };

    it('a correct file: one line, status 0', async () => {
      assert.equal(await runValidate('good.yaml'), 0);
      assert.equal(command.relativeOutput(folder), 'good.yaml: ok\n');
    });

    it('warnings do not fail', async () => {
      assert.equal(await runValidate('odd.yaml'), 0);
      assert.match(
        command.relativeOutput(folder),
        /^odd\.yaml:4:3: warning UNKNOWN_FIELD: [^\n]*\n {4}hint: [^\n]*\nodd\.yaml: ok, 1 warning\n$/,
      );
    });

    it('all mistakes of all files, status 1', async () => {
      assert.equal(await runValidate('good.yaml', 'bad.yaml', 'odd.yaml'), 1);
      assert.equal(
        command.relativeOutput(folder),
        'good.yaml: ok\n' +
          'bad.yaml:2:3: error UNKNOWN_FIELD: unknown field "x"\n    hint: did you mean "y"?\n' +
          'bad.yaml:7:3: error UNKNOWN_FIELD: unknown field "x"\n    hint: did you mean "y"?\n' +
          'odd.yaml:4:3: warning UNKNOWN_FIELD: unknown field "x"\n    hint: did you mean "y"?\n' +
          'odd.yaml: ok, 1 warning\n',
      );
    });
  });

  describe('preflight', () => {
    const report: PreflightReport = {
      kernel: '6.18.0',
      preemption: 'lazy',
      features: [
        { name: 'btf', available: true, detail: '/sys/kernel/btf/vmlinux', meaning: 'types are known' },
        { name: 'kprobe', available: false, detail: 'CONFIG_KPROBES is off', meaning: 'no kprobes' },
      ],
      canTrace: true,
      canAttachKprobes: false,
    };
    const trial: TracingCheck = {
      canTrace: true,
      hooks: { kprobes: false, fentries: false, tracepoints: true, uprobes: true, usdts: true, lsmhooks: false },
      remedies: { lsmhooks: 'lsm (CONFIG_BPF_LSM is off)' },
      ways: {
        fentry: false, fmod_ret: false, kprobe: false, 'kprobe.multi': false, lsm: false, tracepoint: false,
        raw_tracepoint: true, uprobe: true, 'uprobe.multi': true, usdt: true,
      }, // prettier-ignore
      problems: [],
    };
    const runPreflight = (changes: Partial<TracingCheck>, ...args: string[]): Promise<number> =>
      runCommand(['preflight', ...args], {
        ...command.context(),
        api: { ...command.api, preflight: () => report, tryTracing: () => Promise.resolve({ ...trial, ...changes }) },
      });

    it('prints a table of features and their consequences', async () => {
      assert.equal(await runPreflight({}), 0);
      assert.equal(
        command.stdout.text,
        [
          'kernel 6.18.0',
          '',
          'FEATURE  HERE  DETAIL                   WHAT IT MEANS',
          'btf      yes   /sys/kernel/btf/vmlinux  types are known',
          'kprobe   no    CONFIG_KPROBES is off    no kprobes',
          '',
          'The preemption model is lazy: the kernel can suspend programs, so functions are hooked by kprobes, which it does not suspend.',
          'The base sensor (exec, exit, fork) can run here.',
          'Policies with these hooks can run here: tracepoints, uprobes, usdts; cannot: kprobes, fentries, lsmhooks.',
          '  lsmhooks: lsm (CONFIG_BPF_LSM is off)',
          'Hooks can be attached by: raw_tracepoint, uprobe, uprobe.multi, usdt; ' +
            'cannot: fentry, fmod_ret, kprobe, kprobe.multi, lsm, tracepoint.',
          '',
        ].join('\n'),
      );
    });

    it('-o json prints everything, and exits with the same status', async () => {
      command.gaps = [{ name: 'pid_namespace', meaning: 'not all', remedy: 'do\u202e' }] as never;
      assert.equal(await runPreflight({ canTrace: false }, '-o', 'json'), 3);
      assert.doesNotMatch(command.stdout.text, /\u202e/);
      const { features } = report;
      const expected = {
        kernel: '6.18.0',
        preemption: 'lazy',
        features,
        ...trial,
        canTrace: false,
        gaps: command.gaps,
      };
      assert.deepEqual(JSON.parse(command.stdout.text), expected);
    });

    it('exits with 3 when nothing can be traced, and prints why, even if all features are available', async () => {
      const problems = ['base sensor: the kernel refuses it\u001b'];
      assert.equal(await runPreflight({ canTrace: false, problems }), 3);
      assert.match(command.stdout.text, /\(exec, exit, fork\) cannot run here\.\n/);
      assert.match(command.stdout.text, /^problem: base sensor: the kernel refuses it/m);
      assert.doesNotMatch(command.stdout.text, /\u001b/);
    });
  });
});
