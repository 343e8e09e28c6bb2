/** `polytrace test` and `polytrace replay` over recorded events, and their results in each format. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compilePolicy, recorder } from '../../../lib/index.js';
import { matchesPattern } from '../../../lib/cli/event-pattern.js';
import { RESULT_PRINTERS, type ScenarioResult } from '../../../lib/cli/test-results.js';
import { eventPath } from '../../../lib/output/index.js';
import { toRecordedHook } from '../../../lib/recording/recorder.js';
import { encodePlain } from '../../../lib/recording/plain-json.js';
import type { EventPattern, PlainEvent } from '../../../types/index.js';
import { fileArgument } from '../output/arguments.js';
import { execEvent, kprobeEvent } from '../output/events.js';
import { FakeCommand } from './fake.js';

const policyWithSelector = (name: string, selector: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  kprobes:
  - call: security_file_open
    syscall: false
    message: opened
    args: [{ index: 0, type: file }]
    selectors: [${selector}]
`;
const PREFIX = '{ matchArgs: [{ index: 0, operator: Prefix, values: [/etc/] }] }';
const NAMESPACE = '{ matchNamespaces: [{ namespace: Net, operator: In, values: ["1"] }] }';

const COUNTS = `{ matchActions: [
      { action: Count, metric: opens, by: [binary, arg0], folders: 1 },
      { action: Count, metric: users, by: [uid] }] }`;
const FEW = '{ matchActions: [{ action: Count, metric: few, by: [arg0], maxKeys: 1 }] }';

/** Makes a recording of calls with these paths. */
const makeRecording = (...paths: readonly string[]): string => recordPolicy(policyWithSelector('wide', ''), paths);

function recordPolicy(yaml: string, paths: readonly string[]): string {
  const [compiled] = compilePolicy(yaml).hooks;
  assert.ok(compiled !== undefined);
  const line = (value: object): string => `${JSON.stringify(value)}\n`;
  const { process, ...event } = kprobeEvent('security_file_open', [], { policyName: 'wide' });
  return [
    recorder().header,
    line({ process: 0, is: encodePlain(process) }),
    line({ hook: 0, is: encodePlain(toRecordedHook({ policyName: 'wide', compiled: compiled })) }),
    ...paths.map((path) =>
      line({ event: { ...(encodePlain({ ...event, args: [fileArgument(path)] }) as object), process: 0 }, hook: 0 }),
    ),
  ].join('');
}

describe('polytrace replay', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-replay-'));
  after(() => rmSync(folder, { recursive: true }));
  const writeText = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const calls = writeText('calls.jsonl', makeRecording('/etc/shadow', '/tmp/x'));

  it('prints and counts the events that the policy reports', async () => {
    const command = new FakeCommand();
    const status = await command.run(
      'replay',
      calls,
      '--policy',
      writeText('p.yaml', policyWithSelector('narrow', PREFIX)),
    );
    assert.equal(status, 0, command.stderr.text);
    assert.match(command.stdout.text, /^[^\n]*\/etc\/shadow[^\n]*opened\n$/);
    assert.match(command.stderr.text, /^2 calls: 1 reported, 1 not, 0 unknown$/m);
  });

  it('prints what the policy counts at the end, and what is not known, as a table or as JSON', async () => {
    const policy = writeText('counts.yaml', policyWithSelector('counting', COUNTS));
    const table = new FakeCommand();
    assert.equal(await table.run('replay', calls, '--policy', policy), 0, table.stderr.text);
    assert.equal(
      table.stdout.text,
      `counting: opens
CALLS  BINARY        ARG0
1      /usr/bin/cat  /etc
1      /usr/bin/cat  /tmp

counting: users
CALLS  UID
2      0
unknown: PROCESS_STATE uid: the state of the process at the call is not recorded, only that at its exec (2 calls under a label that may be wrong)

`,
    );
    assert.match(table.stderr.text, /^2 calls: 0 reported, 2 not, 0 unknown$/m);
    const json = new FakeCommand();
    assert.equal(await json.run('replay', calls, '--policy', policy, '-o', 'json'), 0);
    const { time, metrics } = JSON.parse(json.stdout.text) as {
      time: string;
      metrics: { [member: string]: unknown }[];
    };
    assert.match(time, /^\d{4}-/);
    assert.deepEqual(metrics.map(({ name, total }) => [name, total]), ['opens', 'users'].map((name) => [name, { calls: 2, sum: 0 }])); // prettier-ignore
    assert.deepEqual(metrics[0]?.['series'], [
      { labels: { binary: '/usr/bin/cat', arg0: '/etc' }, calls: 1, sum: 0 },
      { labels: { binary: '/usr/bin/cat', arg0: '/tmp' }, calls: 1, sum: 0 },
    ]);
    assert.deepEqual((metrics[1]?.['doubts'] as object[]).length, 1);
    const few = new FakeCommand();
    await few.run('replay', calls, '--policy', writeText('few.yaml', policyWithSelector('small', FEW)));
    assert.equal(few.stdout.text, 'small: few\nCALLS  ARG0\n1      /etc/shadow\n1      other\n\n');
  });

  it('says that a recording with filters, or of other hooks, does not have all calls', async () => {
    const silent = writeText('silent.jsonl', recordPolicy(policyWithSelector('counting', COUNTS), []));
    const policy = join(folder, 'counts.yaml');
    for (const [recording, reason] of [
      [silent, 'security_file_open'],
      [calls, 'security_bprm_check'],
    ] as const) {
      const other = writeText(
        'other.yaml',
        policyWithSelector('counting', COUNTS).replace('security_file_open', reason),
      );
      const command = new FakeCommand();
      assert.equal(
        await command.run('replay', recording, '--policy', reason === 'security_file_open' ? policy : other),
        0,
      );
      assert.equal(command.stdout.text.split(`unknown: CALLS_NOT_RECORDED ${reason}: calls of this hook may be missing in the recording (0 calls were recorded)\n`).length, 3); // prettier-ignore
    }
  });

  it('an unknown verdict has a code, and an exit status of its own', async () => {
    const command = new FakeCommand();
    const status = await command.run(
      'replay',
      calls,
      '--policy',
      writeText('n.yaml', policyWithSelector('net', NAMESPACE)),
    );
    assert.equal(status, 6);
    assert.equal(command.stdout.text, '');
    assert.match(command.stderr.text, /^unknown: net security_file_open: PROCESS_STATE namespace Net: .*\(2 calls\)$/m);
  });

  it('names a hook without recorded calls', async () => {
    const command = new FakeCommand();
    const other = policyWithSelector('other', '').replace('security_file_open', 'security_bprm_check');
    assert.equal(await command.run('replay', calls, '--policy', writeText('o.yaml', other)), 0);
    assert.match(command.stderr.text, /^note: other security_bprm_check: no hook of the recording has its calls$/m);
  });

  it('a wrong line is reported with its number, and the other lines are read', async () => {
    const command = new FakeCommand();
    const broken = writeText('broken.jsonl', `${makeRecording('/etc/a')}x\n`);
    assert.equal(await command.run('replay', broken, '--policy', join(folder, 'p.yaml')), 1);
    assert.match(command.stderr.text, /broken\.jsonl:5: RECORDING_INVALID/);
    assert.match(command.stdout.text, /\/etc\/a/);
  });

  it('reads a compressed recording, whatever its name, and prints what the file is', async () => {
    const command = new FakeCommand();
    const packed = join(folder, 'packed');
    writeFileSync(packed, gzipSync(makeRecording('/etc/a')));
    assert.equal(await command.run('replay', packed, '--policy', join(folder, 'p.yaml')), 0);
    assert.match(command.stdout.text, /\/etc\/a/);
    assert.ok(command.stderr.text.startsWith(`${packed}: a recording (getevents --record)\n`), command.stderr.text);
  });

  for (const [title, text, code, reason] of [
    ['an empty file', '', 2, /none\.jsonl is empty/],
    ['another file', '{"a":{}}\n', 1, /error RECORDING_INVALID: .*none\.jsonl: /],
    ['a file of JSON lines', '{"process_exec":{}}\n', 1, /error RECORDING_NEEDED: .*none\.jsonl: .*\n.*--record FILE/],
  ] as const) {
    it(`${title} is refused`, async () => {
      const command = new FakeCommand();
      assert.equal(
        await command.run('replay', writeText('none.jsonl', text), '--policy', join(folder, 'p.yaml')),
        code,
      );
      assert.match(command.stderr.text, reason);
    });
  }
});

describe('polytrace test', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-test-'));
  after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'tests'));
  writeFileSync(join(folder, 'p.yaml'), policyWithSelector('narrow', PREFIX));
  writeFileSync(join(folder, 'net.yaml'), policyWithSelector('net', NAMESPACE));
  writeFileSync(join(folder, 'counts.yaml'), policyWithSelector('counting', COUNTS));
  writeFileSync(join(folder, 'few.yaml'), policyWithSelector('small', FEW));
  writeFileSync(join(folder, 'tests/silent.jsonl'), recordPolicy(policyWithSelector('counting', COUNTS), []));
  writeFileSync(join(folder, 'tests/calls.jsonl'), makeRecording('/etc/shadow', '/etc/passwd', '/tmp/x'));

  const POLICIES: readonly string[] = ['net', 'counts', 'few'];
  const runTest = async (scenarios: string, ...args: readonly string[]): Promise<readonly [number, string]> => {
    const head = `apiVersion: polytrace/v1\nkind: PolicyTest\npolicies: [../${args.find((arg) => POLICIES.includes(arg)) ?? 'p'}.yaml]\nscenarios:\n`;
    writeFileSync(join(folder, 'tests/p.yaml'), head + scenarios);
    const command = new FakeCommand();
    const options = args.filter((arg) => !POLICIES.includes(arg));
    const status = await command.run('test', join(folder, 'p.yaml'), '--kernel', 'none', ...options);
    return [status, command.stdout.text + command.stderr.text];
  };
  const scenarioYaml = (rest: string): string => `- name: one\n  recording: calls.jsonl\n${rest}`;

  it('passes if the expected events are there, as often as expected, and no forbidden ones', async () => {
    const [status, output] = await runTest(scenarioYaml('  exact: true\n  expect: [{message: opened, count: 2}, {path: /etc/shadow}]\n  never: [{pathMatches: ^/tmp/}]\n')); // prettier-ignore
    assert.equal(status, 0, output);
    assert.match(output, /^ok {2}.*p\.yaml: one \(\d\.\d s\)$/m);
    assert.match(output, /^1 scenarios: 1 passed, 0 failed, 0 skipped$/m);
  });

  it('a scenario over JSON lines fails, and says what to record with', async () => {
    writeFileSync(join(folder, 'tests/lines.jsonl'), '{"process_exec":{}}\n');
    const [status, output] = await runTest('- {name: one, recording: lines.jsonl, never: [{}]}\n');
    assert.equal(status, 1);
    assert.match(output, /RECORDING_NEEDED: .*lines\.jsonl: .*getevents --record FILE/s);
  });

  for (const [title, rest, position, code] of [
    ['a missing event', '  expect:\n  - {path: /etc/x}\n', '8:5', 'EVENT_MISSING'],
    ['another number of events', '  expect: [{message: opened, count: 3}]\n', '7:12', 'EVENT_MISSING'],
    ['a forbidden event', '  never: [{path: /etc/shadow}]\n', '7:11', 'EVENT_FORBIDDEN'],
    ['an unexpected event', '  exact: true\n  expect: [{path: /etc/shadow}]\n', '5:3', 'EVENT_UNEXPECTED'],
  ] as const) {
    it(`${title} fails, with its position`, async () => {
      const [status, output] = await runTest(scenarioYaml(rest));
      assert.equal(status, 1);
      assert.match(output, new RegExp(`p\\.yaml:${position}: ${code}: `));
    });
  }

  for (const rest of ['  expect: [{path: /etc/shadow}]\n', '  never: [{path: /etc/shadow}]\n']) {
    it(`fails if the recording lacks information:${rest.trimEnd()}`, async () => {
      const [status, output] = await runTest(scenarioYaml(rest), 'net');
      assert.equal(status, 1);
      assert.match(output, /ANSWER_UNKNOWN: .*PROCESS_STATE/);
    });
  }

  const metricYaml = (...metrics: readonly string[]): string => scenarioYaml(`  metrics:\n${metrics.map((each) => `  - ${each}\n`).join('')}`); // prettier-ignore

  it('passes if the metrics are exactly as expected', async () => {
    const [status, output] = await runTest(
      metricYaml(
        '{ metric: opens, calls: 3 }',
        '{ metric: opens, policy: counting, labels: { binary: /usr/bin/cat, arg0: /etc }, calls: 2 }',
        '{ metric: opens, labels: { arg0: /usr }, calls: 0 }',
        '{ metric: users, calls: 3 }',
      ),
      'counts',
    );
    assert.equal(status, 0, output);
    const few = metricYaml('{ metric: few, calls: 3 }', '{ metric: few, other: true, calls: 2 }');
    assert.equal((await runTest(few, 'few'))[0], 0);
  });

  for (const [title, metric, expected] of [
    [
      'another number',
      '{ metric: opens, labels: { arg0: /etc }, calls: 3 }',
      '8:15: METRIC_DIFFERS: opens, arg0 "/etc": calls 2 instead of 3; counted: binary "/usr/bin/cat" arg0 "/etc" 2 calls; binary "/usr/bin/cat" arg0 "/tmp" 1 calls',
    ],
    [
      'an unknown metric',
      '{ metric: open, calls: 3 }',
      '8:15: METRIC_UNKNOWN: the policies do not count "open": they count opens, users',
    ],
    [
      'the metric of another policy',
      '{ metric: opens, policy: p, calls: 3 }',
      '8:15: METRIC_UNKNOWN: the policies do not count "opens": they count opens, users',
    ],
    [
      'an unknown label',
      '{ metric: opens, labels: { file: /etc }, calls: 3 }',
      '8:32: METRIC_UNKNOWN: opens has no label "file": it has binary, arg0',
    ],
    [
      'the sum of a counter',
      '{ metric: opens, sum: 3 }',
      '8:15: METRIC_UNKNOWN: opens is a counter, which has no sum: expect `calls`',
    ],
    [
      'a label that the recording does not have',
      "{ metric: users, labels: { uid: '1000' }, calls: 3 }",
      '8:15: ANSWER_UNKNOWN: users, uid "1000": PROCESS_STATE uid: the state of the process at the call is not recorded, only that at its exec (3 calls)',
    ],
  ] as const) {
    it(`${title} fails, with its position and what was counted`, async () => {
      const [status, output] = await runTest(metricYaml(metric), 'counts');
      assert.equal(status, 1);
      assert.ok(output.includes(`p.yaml:${expected}\n`), output);
    });
  }

  it('a label has no exact number where calls found no room', async () => {
    const [status, output] = await runTest(metricYaml('{ metric: few, labels: { arg0: /etc/shadow }, calls: 1 }'), 'few'); // prettier-ignore
    assert.equal(status, 1);
    assert.match(output, /8:15: ANSWER_UNKNOWN: few, arg0 "\/etc\/shadow": 2 calls found no room, and have no labels: raise maxKeys\n/); // prettier-ignore
  });

  it('no call in a recording of a policy that only counts does not mean that there was none', async () => {
    const scenario = metricYaml('{ metric: opens, calls: 0 }').replace('calls.jsonl', 'silent.jsonl');
    const [status, output] = await runTest(scenario, 'counts');
    assert.equal(status, 1);
    assert.match(output, /8:15: ANSWER_UNKNOWN: opens: CALLS_NOT_RECORDED security_file_open: /);
  });

  it('with --recorded, commands are skipped, and no tracer is opened', async () => {
    const [status, output] = await runTest(
      '- {name: live, run: "true", never: [{}]}\n',
      '--recorded',
      '--format',
      'tap',
    );
    assert.equal(status, 0);
    assert.match(output, /^TAP version 14\nok 1 - .*: live # SKIP its commands need a kernel and root\n1\.\.1\n$/);
  });

  it('--grep that finds nothing is an error', async () => {
    assert.equal((await runTest(scenarioYaml('  never: [{path: /x}]\n'), '--grep', 'two'))[0], 2);
  });

  for (const [title, text, position, code] of [
    ['no source', '- {name: one, never: [{}]}\n', '5:3', 'SCENARIO_UNCLEAR'],
    ['two sources', '- {name: one, run: a, recording: b, never: [{}]}\n', '5:3', 'SCENARIO_UNCLEAR'],
    ['no expectation', '- {name: one, run: a}\n', '5:3', 'SCENARIO_UNCLEAR'],
    ['the same name', '- &a {name: one, run: a, never: [{}]}\n', '5:3', 'YAML_ALIAS'],
    ['a wrong pattern', '- name: one\n  run: a\n  never:\n  - pathMatches: "("\n', '8:18', 'SCENARIO_PATTERN'],
    ['an unknown field', '- {name: one, runs: a, never: [{}]}\n', '5:15', 'UNKNOWN_FIELD'],
    ['a wrong type', '- {name: one, run: a, never: 3}\n', '5:30', 'WRONG_TYPE'],
  ] as const) {
    it(`a file with ${title} is refused, with its position`, async () => {
      const [status, output] = await runTest(text);
      assert.equal(status, 1);
      assert.match(output, new RegExp(`p\\.yaml:${position}: error ${code}: `));
    });
  }

  it('a policy without a test is refused', async () => {
    const command = new FakeCommand();
    assert.equal(await command.run('test', join(folder, 'net.yaml')), 2);
    assert.match(command.stderr.text, /there is no .*tests\/net\.yaml/);
  });
});

describe('patterns of events', () => {
  const position = { line: 1, column: 1 };
  const event = kprobeEvent('security_file_open', [fileArgument('/etc/x')], {
    message: 'm',
    selector: 2,
    actions: [{ action: 'sigkill', signal: 9, outcome: 'monitored' }, { action: 'post' }],
  });
  const isMatch = (pattern: Omit<EventPattern, 'position'>, subject: PlainEvent = event): boolean =>
    matchesPattern({ ...pattern, position }, subject, { eventPath });

  it('every member of a pattern must match', () => {
    const good: readonly Omit<EventPattern, 'position'>[] = [
      {}, { type: 'process_kprobe' }, { policy: 'files' }, { function: 'security_file_open' }, { message: 'm' },
      { messageMatches: '^m$' }, { selector: 2 }, { action: 'sigkill' }, { binary: '/usr/bin/cat' },
      { binaryMatches: 'cat$' }, { path: '/etc/x' }, { pathMatches: '^/etc' },
    ]; // prettier-ignore
    for (const pattern of good) assert.ok(isMatch(pattern), JSON.stringify(pattern));
    const bad: readonly Omit<EventPattern, 'position'>[] = [
      { type: 'process_lsm' }, { policy: 'p' }, { function: 'f' }, { message: 'n' }, { messageMatches: 'n' },
      { selector: 0 }, { action: 'override' }, { binary: 'cat' }, { binaryMatches: '^cat' }, { path: '/etc' },
      { pathMatches: 'y' },
    ]; // prettier-ignore
    for (const pattern of bad) assert.ok(!isMatch({ message: 'm', ...pattern }), JSON.stringify(pattern));
  });

  it('a pattern for exec events needs their type', () => {
    assert.ok(!isMatch({}, execEvent()));
    assert.ok(isMatch({ type: 'process_exec', binary: '/usr/bin/cat' }, execEvent()));
  });
});

describe('results of tests', () => {
  const results: readonly ScenarioResult[] = [
    { file: 'a.yaml', name: 'good', seconds: 0.25, reasons: [] },
    { file: 'a.yaml', name: '<b> # "&"\u001b', seconds: 1, reasons: ['X: <y> "z"\n\u001b'] },
    { file: 'b.yaml', name: 'c', seconds: 0, reasons: [], skipped: 'why' },
  ];
  const formatResults = (format: keyof typeof RESULT_PRINTERS): string => {
    const { start, format: one, end } = RESULT_PRINTERS[format];
    return start + results.map((result, i) => one(result, i + 1)).join('') + end(results);
  };

  it('TAP: names cannot add directives or escapes', () => {
    assert.equal(
      formatResults('tap'),
      `TAP version 14
ok 1 - a.yaml: good
not ok 2 - a.yaml: <b> \\# "&"\\\\u{1b}
  ---
  duration_ms: 1000
  reasons:
    - "X: <y> \\"z\\" \\\\u{1b}"
  ...
ok 3 - b.yaml: c # SKIP why
1..3
`,
    );
  });

  it('JUnit: has counts, and escapes markup and control characters of names', () => {
    assert.equal(
      formatResults('junit'),
      `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="polytrace">
  <testsuite name="a.yaml" tests="2" failures="1" skipped="0" time="1.250">
    <testcase classname="a.yaml" name="good" time="0.250"/>
    <testcase classname="a.yaml" name="&lt;b&gt; # &quot;&amp;&quot;\\u{1b}" time="1.000"><failure message="X: &lt;y&gt; &quot;z&quot; \\u{1b}"/></testcase>
  </testsuite>
  <testsuite name="b.yaml" tests="1" failures="0" skipped="1" time="0.000">
    <testcase classname="b.yaml" name="c" time="0.000"><skipped message="why"/></testcase>
  </testsuite>
</testsuites>
`,
    );
  });
});
