import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { mock } from 'node:test';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { runCommand } from '../../../lib/cli/program.js';
import { KernelError, PolicyError, PolytraceError } from '../../../lib/errors.js';
import type { PolicyStatus, TracerOptions } from '../../../types/index.js';
import { fileArgument } from '../output/arguments.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from '../output/events.js';
import { FakeCommand } from './fake.js';

const COUNTS = { matched: 0, posted: 0, suppressed: 0, enforced: 0, lost: 0, memory: 0 };

const NONE: PolicyStatus = {
  name: 'none',
  state: 'enabled',
  mode: 'enforce',
  enforcing: false,
  hooks: [],
  skipped: [],
  warnings: [],
  ...COUNTS,
  requests: { started: 0, answered: 0, failed: 0, dropped: 0 },
};

const FILES: PolicyStatus = {
  ...NONE,
  name: 'files',
  hooks: [
    {
      call: 'security_mmap_file',
      functionName: 'security_mmap_file',
      functions: ['security_mmap_file'],
      attach: 'fexit',
      ...COUNTS,
    },
    {
      call: 'sys_read',
      functionName: '__x64_sys_read',
      functions: ['__x64_sys_read'],
      attach: 'kprobe+kretprobe',
      ...COUNTS,
    },
  ],
};

describe('polytrace getevents', () => {
  let command: FakeCommand;
  beforeEach(() => {
    command = new FakeCommand();
  });

  it('prints one ready line with how each hook was attached, then events', async () => {
    command.tracer.statuses = [FILES, NONE];
    command.tracer.push(execEvent(), kprobeEvent('fd_install', [fileArgument('/etc/x')]));
    command.tracer.push(exitEvent());
    const status = command.run('getevents', '--policy', __filename, __dirname);
    await command.stdout.waitFor('exit');
    command.signals.emit('SIGINT');
    assert.equal(await status, 0);
    assert.deepEqual(command.openOptions, { coalesceMs: 50, containers: true, policies: [__filename, __dirname] });
    assert.equal(
      command.stderr.text,
      'ready: base sensor: exec, exit, fork; files: security_mmap_file (fexit), __x64_sys_read (kprobe+kretprobe); ' +
        'none: no hooks on this kernel\n',
    );
    assert.equal(
      command.stdout.text,
      [
        '🚀 process node /usr/bin/cat /etc/shadow',
        '📬 open    node /usr/bin/cat /etc/x',
        '💥 exit    node /usr/bin/cat /etc/shadow 0',
        '',
      ].join('\n'),
    );
  });

  describe('--policy-dir', () => {
    let folder = '';
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'polytrace-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    const runForOptions = async (...args: readonly string[]): Promise<TracerOptions | undefined> => {
      const status = command.run('getevents', ...args);
      await command.stderr.waitFor('ready');
      command.signals.emit('SIGTERM');
      assert.equal(await status, 0);
      return command.openOptions;
    };

    it('loads the policies of the folder, after those of --policy', async () => {
      writeFileSync(join(folder, 'b.yaml'), '');
      const opened = await runForOptions('--policy-dir', folder, '--policy', __filename);
      assert.deepEqual(opened, { coalesceMs: 50, containers: true, policies: [__filename, folder] });
      assert.doesNotMatch(command.stderr.text, /note/);
    });

    for (const [what, name] of [
      ['empty', ''],
      ['missing', 'nothing'],
    ] as const) {
      it(`warns that the folder is ${what}, and continues`, async () => {
        const path = join(folder, name);
        assert.deepEqual(await runForOptions('--policy-dir', path), { coalesceMs: 50, containers: true, policies: [] });
        assert.match(command.stderr.text, /^note: there are no policies in /);
        assert.ok(command.stderr.text.includes(path));
      });
    }
  });

  it('warns before it is ready about what a container hides', async () => {
    command.gaps = [{ name: 'pid_namespace', meaning: 'older processes are unknown', remedy: 'use --pid=host' }];
    const status = command.run('getevents');
    await command.stderr.waitFor('ready');
    command.signals.emit('SIGTERM');
    assert.equal(await status, 0);
    assert.match(command.stderr.text, /^warning: older processes are unknown: use --pid=host\nready: /);
  });

  it('reports every two seconds how many policies are loaded', async () => {
    let now = 0;
    const clock = mock.method(performance, 'now', () => now);
    command.onOpen = (onProgress) => {
      for (const [seconds, loaded] of [
        [1.9, 1],
        [2, 2],
        [3.9, 3],
        [4.1, 4],
        [7, 5],
      ] as const) {
        // prettier-ignore
        now = seconds * 1000;
        onProgress?.({ loaded, total: 5 });
      }
    };
    const status = command.run('getevents');
    await command.stderr.waitFor('ready');
    clock.mock.restore();
    command.signals.emit('SIGTERM');
    assert.equal(await status, 0);
    assert.match(command.stderr.text, /^loading: 2 of 5 policies\nloading: 4 of 5 policies\nready: /);
  });

  it('prints one ready line even if a name contains a line break', async () => {
    command.tracer.statuses = [{ ...NONE, name: 'a\nb\u001b[2J' }];
    const status = command.run('getevents');
    await command.stderr.waitFor('ready');
    command.signals.emit('SIGTERM');
    assert.equal(await status, 0);
    assert.match(command.stderr.text, /^ready: [^\n\u001b]*a b[^\n\u001b]*\n$/);
  });

  it('opens the tracer for enforcement or with a mode, and prints which policies enforce and which hooks are skipped', async () => {
    command.tracer.statuses = [
      { ...FILES, enforcing: true, skipped: ['gone'] },
      { ...NONE, enforcing: true, mode: 'monitor' },
    ];
    const status = command.run('getevents', '--enforcement', '--allow-requests', '--mode', 'monitor');
    await command.stderr.waitFor('ready');
    command.signals.emit('SIGTERM');
    assert.equal(await status, 0);
    assert.deepEqual(command.openOptions, {
      coalesceMs: 50,
      containers: true,
      policies: [],
      enforcement: true,
      allowRequests: true,
      mode: 'monitor',
    });
    assert.match(command.stderr.text, /files \[enforce\]: .*; none \[monitor\]: /);
    assert.match(command.stderr.text, /^warning: files: gone is left out, because this kernel does not have it$/m);
  });

  it('--no-optimize and --no-cache-paths make a tracer without the optimizer and the path cache', async () => {
    const status = command.run('getevents', '--no-optimize', '--no-cache-paths');
    await command.stderr.waitFor('ready');
    command.signals.emit('SIGTERM');
    assert.equal(await status, 0);
    assert.deepEqual(command.openOptions, {
      coalesceMs: 50,
      containers: true,
      policies: [],
      optimize: false,
      cachePaths: false,
    });
    assert.equal(await command.run('getevents', '--no-optimize', '--server', 'unix:///none'), 2);
  });

  it('--no-group-policies makes a tracer whose policies share no programs', async () => {
    const status = command.run('getevents', '--no-group-policies');
    await command.stderr.waitFor('ready');
    command.signals.emit('SIGTERM');
    assert.equal(await status, 0);
    assert.deepEqual(command.openOptions, { coalesceMs: 50, containers: true, policies: [], groupPolicies: false });
    assert.equal(await command.run('getevents', '--no-group-policies', '--server', 'unix:///none'), 2);
  });

  it('--persist and --keep: policies stay active after a crash, and after any exit', async () => {
    for (const [args, closed] of [
      [[], {}],
      [['--keep'], { keep: true }],
    ] as const) {
      command = new FakeCommand();
      const status = command.run('getevents', '--persist', '/sys/fs/bpf/x', ...args);
      await command.stderr.waitFor('ready');
      command.signals.emit('SIGTERM');
      assert.equal(await status, 0);
      assert.deepEqual(command.openOptions, {
        coalesceMs: 50,
        containers: true,
        policies: [],
        persist: '/sys/fs/bpf/x',
      });
      assert.deepEqual(command.tracer.closeOptions, closed);
    }
    assert.equal(await command.run('getevents', '--keep'), 2);
  });

  describe('output', () => {
    const process = plainProcess({ binary: '/bin/a', argv: ['--token=x'], arguments: '--token=x' });
    const event = execEvent({}, { process, parent: plainProcess(), ancestors: [plainProcess({ pid: 1 })] });
    const printEvent = async (...args: readonly string[]): Promise<string> => {
      command.tracer.push(event);
      const status = command.run('getevents', ...args);
      await command.stdout.waitFor('\n');
      command.signals.emit('SIGINT');
      assert.equal(await status, 0, command.stderr.text);
      return command.stdout.text;
    };
    const listJsonKeys = async (...args: readonly string[]): Promise<string[]> => {
      const { process_exec: fields } = JSON.parse(await printEvent('-o', 'json', ...args)) as {
        process_exec: Record<string, object>;
      };
      return [...Object.keys(fields), ...Object.keys(fields['process'] ?? {})];
    };

    it('JSON has the default fields; options add ancestors, credentials and namespaces', async () => {
      const lean = await listJsonKeys();
      for (const [args, added] of [
        [['--enable-ancestors'], ['ancestors']],
        [['--enable-ancestors', 'kprobe,base'], ['ancestors']],
        [['--enable-ancestors=kprobe'], []],
        [['--enable-process-cred'], ['cap', 'process_credentials']],
        [['--enable-process-ns'], ['ns']],
      ] as const) {
        command = new FakeCommand();
        const more = await listJsonKeys(...args);
        assert.deepEqual(
          more.filter((key) => !lean.includes(key)),
          added,
          args.join(' '),
        );
      }
    });

    it('--enable-process-environment-variables gives events the environment, or some of its variables', async () => {
      const enable = '--enable-process-environment-variables';
      const cases = [
        [[], undefined],
        [[enable], true],
        [
          [enable, '--filter-environment-variables', 'PATH,HOME'],
          ['PATH', 'HOME'],
        ],
      ] as const;
      for (const [args, expected] of cases) {
        command = new FakeCommand();
        await printEvent('-o', 'json', ...args);
        assert.deepEqual(command.openOptions?.environment, expected);
      }
    });

    it('-f and -F choose fields', async () => {
      const args = ['-f', 'process.binary,process.pid', '--include-fields', 'parent', '-F', 'parent,process.pid'];
      assert.deepEqual(await listJsonKeys(...args), ['process', 'binary']);
    });

    for (const output of ['json', 'compact']) {
      it(`--redaction-filters hide parts of arguments in ${output}`, async () => {
        const filters = [{ redact: ['--token=(\\S+)'], binary_regex: ['/a$'] }, { redact: ['(never)'] }];
        for (const text of [JSON.stringify(filters), filters.map((each) => JSON.stringify(each)).join('\n')]) {
          command = new FakeCommand();
          assert.match(await printEvent('-o', output, '--redaction-filters', text), /--token=\*{5}/);
        }
      });
    }

    const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [['-o', 'json', '--enable-ancestors', 'exec'], /Allowed types are base, kprobe, /],
      [['-o', 'json', '-f', 'proces'], /no event has the field 'proces' \(/],
      [['-o', 'json', '-F', 'process.pids'], /no event has the field 'process.pids' \(/],
      [['--process', '('], /--process '\(': Invalid regular expression.*Without an agent/],
      [['--pods', 'a', '(?i)b'], /--pods '\(\?i\)b': Invalid regular expression/],
      [['--containers', '['], /--containers '\['/],
      [['--enable-process-ns'], /--enable-process-ns needs --output json/],
      [['--enable-process-environment-variables'], /-variables needs --output json/],
      [
        ['-o', 'json', '--filter-environment-variables', 'PATH'],
        /--filter-environment-variables needs --enable-process-environment-variables/,
      ],
      [['-F', 'process'], /--exclude-fields needs --output json/],
      [['--redaction-filters', '{'], /This is not JSON: \{/],
      [['--redaction-filters', '7'], /A redaction filter is a JSON object/],
      [['--redaction-filters', '{"match": []}'], /has no field 'match', only redact and binary_regex/],
      [['--redaction-filters', '{}'], /needs the field redact/],
      [
        ['--redaction-filters', '{"redact": ["(a)"], "binary_regex": "b"}'],
        /binary_regex of a redaction filter is a list/,
      ],
      [['--redaction-filters', '{"redact": ["a"]}'], /'a' has no group, so it would hide nothing \(/],
    ];
    for (const [args, message] of refused) {
      it(`refuses, before anything is loaded: ${args.join(' ')}`, async () => {
        assert.equal(await command.run('getevents', ...args), 2);
        assert.match(command.stderr.text, message);
        assert.equal(command.openOptions, undefined);
      });
    }
  });

  it('accepts two modes', async () => {
    assert.equal(await command.run('getevents', '--mode', 'other'), 2);
  });

  for (const signal of ['SIGINT', 'SIGTERM']) {
    it(`${signal} prints the events before it, and exits with 0`, async () => {
      command.tracer.remaining = [execEvent({ binary: '/bin/late' })];
      const status = command.run('getevents');
      await command.stderr.waitFor('ready');
      command.signals.emit(signal);
      assert.equal(await status, 0);
      assert.match(command.stdout.text, /\/bin\/late/);
      assert.deepEqual(command.exits, []);
      assert.equal(command.tracer.closes, 1);
    });
  }

  it('a signal that comes twice, as from timeout or npm, is one; a later one exits immediately with 130', async () => {
    const now = performance.now.bind(performance);
    let time = 0;
    performance.now = () => time;
    after(() => (performance.now = now));
    let finishClose = (): void => undefined;
    command.tracer.onClose = () => new Promise((resolve) => (finishClose = resolve));
    const status = command.run('getevents');
    await command.stderr.waitFor('ready');
    command.signals.emit('SIGINT');
    time += 499;
    command.signals.emit('SIGTERM');
    assert.deepEqual(command.exits, []);
    assert.doesNotMatch(command.stderr.text, /missing/);
    time += 1;
    command.signals.emit('SIGINT');
    assert.deepEqual(command.exits, [130]);
    assert.match(command.stderr.text, /events that were still to be printed are missing\n$/);
    performance.now = now;
    finishClose();
    await status;
  });

  it('Ctrl-C while policies are being attached exits without a ready line', async () => {
    let finishOpening = (): void => undefined;
    const { tracer } = command;
    const context = command.context();
    const openTracer = () => new Promise<typeof tracer>((resolve) => (finishOpening = () => resolve(tracer)));
    const status = runCommand(['getevents'], { ...context, api: { ...command.api, openTracer } });
    command.signals.emit('SIGINT');
    finishOpening();
    assert.equal(await status, 0);
    assert.equal(command.stderr.text, '');
    assert.equal(tracer.closes, 1);
  });

  it('leaves no signal handler behind', async () => {
    const status = command.run('getevents');
    await command.stderr.waitFor('ready');
    assert.equal(command.signals.listenerCount('SIGINT'), 1);
    command.signals.emit('SIGINT');
    await status;
    assert.deepEqual(command.signals.eventNames(), []);
  });

  it('--duration exits by itself, after the events that the kernel had recorded', async () => {
    command.tracer.remaining = [exitEvent()];
    assert.equal(await command.run('getevents', '--duration', '0.01'), 0);
    assert.match(command.stdout.text, /^💥 exit/);
  });

  it('-o json prints one line of JSON for each event, also for losses', async () => {
    command.tracer.push(execEvent({ argv: ['a\nb'] }), lostEvent());
    const status = command.run('getevents', '-o', 'json', '--color', 'always', '--timestamps');
    await command.stdout.waitFor('"lost"');
    command.signals.emit('SIGINT');
    await status;
    const lines = command.stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => Object.keys(JSON.parse(line) as object)[0]);
    assert.deepEqual(lines, ['process_exec', 'lost']);
  });

  it('a loss is a line of compact output', async () => {
    command.tracer.remaining = [lostEvent()];
    assert.equal(await command.run('getevents', '--duration', '0.01', '--process', 'nothing-is-called-so'), 0);
    assert.equal(command.stdout.text, '⚠️  lost    node security_file_permission 12 events (ring_full)\n');
  });

  it('--process compares the binary of hook, exec and exit events', async () => {
    const bash = { binary: '/usr/bin/bash' };
    command.tracer.remaining = [execEvent(bash), execEvent(), exitEvent(bash), exitEvent({ binary: '/usr/sbin/sshd' })];
    await command.run('getevents', '--duration', '0.01', '--process', 'bash$', '^/usr/sbin/');
    assert.deepEqual(command.stdout.text.match(/\/usr\/\S+(?= \/etc)/g), [
      '/usr/bin/bash',
      '/usr/bin/bash',
      '/usr/sbin/sshd',
    ]);
  });

  it('the tracer applies --event-types and --policy-names', async () => {
    await command.run(
      'getevents',
      '--duration',
      '0.01',
      '--event-types',
      'process_exec,PROCESS_EXIT',
      'lost',
      '--policy-names',
      'a',
      'b,c',
    );
    assert.deepEqual(command.tracer.options, {
      types: ['process_exec', 'process_exit', 'lost'],
      policyNames: ['a', 'b', 'c'],
    });
  });

  it('filters by container and pod, and chooses the sources of their names', async () => {
    const names = [
      '--pods',
      '^web-',
      '-n',
      'default',
      '',
      '--containers',
      'nginx',
      '--labels',
      'app in (a,b),!old',
      '--host',
    ];
    const status = await command.run('getevents', '--duration', '0.01', ...names, '--container-sources', 'cri,docker');
    assert.equal(status, 0);
    assert.deepEqual(command.tracer.options, {
      pods: [/^web-/],
      namespaces: ['default', ''],
      containers: [/nginx/],
      labels: ['app in (a,b),!old'],
      host: true,
    });
    assert.deepEqual(command.openOptions?.containers, { sources: ['cri', 'docker'] });
  });

  it('connects to no runtime with --container-sources none', async () => {
    await command.run('getevents', '--duration', '0.01', '--container-sources', 'none');
    assert.equal(command.openOptions?.containers, false);
  });

  for (const args of [
    ['--labels', '=x'],
    ['--container-sources', 'lxd'],
    ['--pods', '('],
  ]) {
    it(`refuses ${args.join(' ')}`, async () => {
      assert.equal(await command.run('getevents', ...args), 2);
    });
  }

  describe('--color', () => {
    const cases: readonly (readonly [
      when: string,
      terminal: boolean,
      env: Record<string, string>,
      colored: boolean,
    ])[] = [
      ['auto', true, {}, true],
      ['auto', false, {}, false],
      ['auto', true, { NO_COLOR: '1' }, false],
      ['auto', true, { NO_COLOR: '' }, true],
      ['auto', true, { TERM: 'dumb' }, false],
      ['always', false, { NO_COLOR: '1' }, true],
      ['never', true, {}, false],
    ];
    for (const [when, terminal, env, colored] of cases) {
      it(`${when} ${terminal ? 'on a terminal' : 'into a file'} ${JSON.stringify(env)}: ${colored}`, async () => {
        command.stdout.isTTY = terminal;
        command.env = env;
        command.tracer.remaining = [execEvent()];
        await command.run('getevents', '--duration', '0.01', '--color', when);
        assert.match(command.stdout.text, /process/);
        assert.equal(command.stdout.text.includes('\u001b['), colored);
      });
    }
  });

  for (const format of ['compact', 'json']) {
    it(`--processes matched shows only processes that a policy reports: ${format}`, async () => {
      const other = { execId: 'other', argv: ['other'] };
      const opened = kprobeEvent('fd_install', [fileArgument('/etc/x')]);
      command.tracer.remaining = [execEvent(other), execEvent(), opened, exitEvent(other), exitEvent()];
      await command.run('getevents', '-o', format, '--duration', '0.01', '--processes', 'matched');
      assert.equal(command.stdout.text.split('\n').length, 4, command.stdout.text);
      assert.doesNotMatch(command.stdout.text, /other/);
    });
  }

  it('--timestamps prints the time first', async () => {
    command.tracer.remaining = [execEvent()];
    await command.run('getevents', '--duration', '0.01', '--timestamps');
    assert.match(command.stdout.text, /^2026-11-24T14:36:50\.316744941Z 🚀/);
  });

  it('writes a whole batch, and waits while the reader is slow', async () => {
    const writes: string[] = [];
    const slow = new PassThrough({ highWaterMark: 1 });
    const write = slow.write.bind(slow);
    slow.write = ((bytes: Uint8Array) => {
      writes.push(Buffer.from(bytes).toString());
      return write(bytes);
    }) as typeof slow.write;
    command.tracer.push(execEvent(), execEvent());
    command.tracer.push(exitEvent());
    const status = runCommand(['getevents'], command.context(slow));
    await command.stderr.waitFor('ready');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(writes.length, 1);
    assert.equal(writes[0]?.split('\n').length, 3);
    slow.resume();
    await once(slow, 'drain');
    command.signals.emit('SIGINT');
    assert.equal(await status, 0);
    assert.equal(writes.length, 2);
  });

  const brokenOutput = (code: string): Writable =>
    new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(`write ${code}`), { code })),
    });

  it('exits without a message when the pipe is closed, with the status of SIGPIPE', async () => {
    command.tracer.push(execEvent());
    assert.equal(await runCommand(['getevents'], command.context(brokenOutput('EPIPE'))), 141);
    assert.match(command.stderr.text, /^ready[^\n]*\n$/);
    assert.equal(command.tracer.closes, 1);
  });

  it('a full disk is reported', async () => {
    command.tracer.push(execEvent());
    assert.equal(await runCommand(['getevents'], command.context(brokenOutput('ENOSPC'))), 4);
    assert.match(command.stderr.text, /write ENOSPC\): 1 events were not written/);
  });

  const enforcing = {
    name: 'p',
    enforcing: true,
    mode: 'enforce',
    hooks: [],
    skipped: [],
    warnings: [],
  } as unknown as PolicyStatus;
  for (const code of ['EPIPE', 'ENOSPC']) {
    it(`${code} does not end the command while a policy enforces`, async () => {
      command.tracer.statuses = [enforcing];
      command.tracer.push(execEvent());
      const status = runCommand(['getevents'], command.context(brokenOutput(code)));
      await command.stderr.waitFor('1 events were not written');
      command.tracer.push(execEvent());
      assert.equal(command.tracer.closes, 0);
      command.signals.emit('SIGTERM', 'SIGTERM');
      assert.equal(await status, 4);
    });
  }

  it('/dev/full is reported once, and does not end the command', async () => {
    const stdoutFile = openSync('/dev/full', 'w');
    const status = runCommand(['getevents'], { ...command.context(), stdoutFile });
    for (let i = 0; i < 20; i++) command.tracer.push(execEvent());
    await command.stderr.waitFor('ENOSPC');
    command.signals.emit('SIGHUP', 'SIGHUP');
    assert.equal(await status, 4);
    assert.equal(command.stderr.text.split('ENOSPC').length, 2);
    closeSync(stdoutFile);
  });

  describe('errors', () => {
    const position = { file: 'p.yaml', line: 3, column: 5, text: 'x', hint: 'mind the gap' };
    const runFailing = async (error: Error): Promise<number> => {
      const api = { ...command.api, openTracer: () => Promise.reject(error) };
      return runCommand(['getevents'], { ...command.context(), api });
    };

    it('errors in policies: all diagnostics, status 1', async () => {
      const error = new PolicyError([
        { ...position, code: 'UNKNOWN_FIELD', severity: 'error', message: 'unknown field' },
        { ...position, line: 9, hint: '', code: 'WRONG_TYPE', severity: 'error', message: 'not a \u001b[2J number' },
      ]);
      assert.equal(await runFailing(error), 1);
      assert.equal(
        command.stderr.text,
        'p.yaml:3:5: error UNKNOWN_FIELD: unknown field\n    hint: mind the gap\n' +
          'p.yaml:9:5: error WRONG_TYPE: not a \\u{1b}[2J number\n',
      );
      assert.equal(command.stdout.text, '');
    });

    it('errors of the kernel: what is missing, status 3', async () => {
      const error = new KernelError('NOT_PERMITTED', 'CAP_BPF is missing', 'run as root', {
        log: 'line 1\nline 2',
      });
      assert.equal(await runFailing(error), 3);
      assert.equal(
        command.stderr.text,
        'polytrace: error NOT_PERMITTED: CAP_BPF is missing\n    hint: run as root\n    | line 1\n    | line 2\n',
      );
    });

    it('other errors of the library: status 1', async () => {
      assert.equal(await runFailing(new PolytraceError('POLICY_EXISTS', 'there is one', '')), 1);
      assert.equal(command.stderr.text, 'polytrace: error POLICY_EXISTS: there is one\n');
    });

    it('a tracer that does not close cleanly is reported', async () => {
      command.tracer.onClose = () => Promise.reject(new KernelError('SENSOR_ATTACH', 'no', ''));
      const status = command.run('getevents');
      await command.stderr.waitFor('ready');
      command.signals.emit('SIGINT');
      assert.equal(await status, 3);
      assert.match(command.stderr.text, /SENSOR_ATTACH/);
    });
  });
});
