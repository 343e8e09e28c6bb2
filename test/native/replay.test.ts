/** Recordings and tests of policies on this kernel: the evaluator and the kernel choose the same selectors; `polytrace test`. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedEvent } from '../../types/index.js';
import { needsRoot, openTracer, polytrace, ROOT } from './support.js';

const { compilePolicy, recorder, recordingReader, replayer } = polytrace;

const folder = mkdtempSync(join(tmpdir(), 'polytrace-replay-'));
const COMMAND = join(ROOT, 'dist/cli/main.js');

/** Each selector has another filter. What none of them matches comes to the last, which matches everything. */
const SELECTORS: readonly string[] = [
  'matchArgs: [{index: 2, operator: Equal, values: [FOLDER/equal]}]',
  'matchArgs: [{index: 2, operator: Prefix, values: [FOLDER/prefix-, FOLDER/pre]}]',
  'matchArgs: [{index: 2, operator: Postfix, values: [-suffix]}]',
  'matchArgs: [{index: 2, operator: SubString, values: [middle]}]',
  'matchArgs: [{index: 2, operator: SubStringIgnCase, values: [NOCASE]}]',
  'matchArgs: [{index: 2, operator: Prefix, values: [FOLDER/parent]}]\n      matchBinaries: [{operator: Postfix, values: [/parent-here]}]',
  'matchArgs: [{index: 2, operator: NotPrefix, values: [FOLDER/]}]',
  'matchArgs: [{index: 2, operator: NotPostfix, values: [-last]}]',
  'matchBinaries: [{operator: NotIn, values: [/usr/bin/nothing]}]',
];
const NAMES = ['equal', 'equal2', 'prefix-a', 'pre', 'a-suffix', 'a-middle-b', 'NoCaSe', 'parent-here', 'parent-there', 'a-last'];

const execPolicy = (name: string, selectors: readonly string[]): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  tracepoints:
  - subsystem: sched
    event: sched_process_exec
    raw: true
    message: executed
    args: [{ index: 2, type: linux_binprm }]
    selectors:
${selectors.map((selector) => `    - ${selector.replaceAll('FOLDER', folder)}\n`).join('')}`;

describe('recordings and tests of policies', function () {
  before(needsRoot);
  before(() => NAMES.forEach((name) => copyFileSync('/bin/true', join(folder, name))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('the evaluator matches the same selectors as the kernel', async () => {
    const yaml = execPolicy('all', SELECTORS);
    const tracer = await openTracer({ policies: [{ yaml }] });
    const { header, lines } = recorder();
    let text = header;
    const reading = (async () => {
      for await (const event of tracer) text += lines(event);
    })();
    for (const name of NAMES) execFileSync(join(folder, name));
    execFileSync('/bin/true');
    await tracer.close();
    await reading;

    const reader = recordingReader();
    const recorded = text.trimEnd().split('\n').flatMap((line) => reader.read(line) ?? []); // prettier-ignore
    const { replay } = replayer(compilePolicy(yaml), reader.hooks);
    const seen = new Set<number>();
    const isOwn = ({ event }: RecordedEvent): boolean => 'parent' in event && event.parent?.pid === process.pid;
    for (const item of recorded.filter(({ hook }) => hook !== undefined).filter(isOwn)) {
      const { event } = item;
      assert.ok(event.type === 'process_tracepoint');
      const [answer, ...others] = replay(item);
      assert.deepEqual(others, []);
      assert.deepEqual([answer?.verdict.reported, answer?.verdict.selector], ['yes', event.selector]);
      assert.deepEqual(answer?.event, event);
      seen.add(event.selector);
    }
    assert.deepEqual([...seen].sort(), [...SELECTORS.keys()]);
  });

  const runCommand = (...words: readonly string[]): readonly [number | null, string] => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...words], { encoding: 'utf8' });
    return [status, stdout + stderr];
  };

  const writeTest = (scenarios: string): string => {
    mkdirSync(join(folder, 'tests'), { recursive: true });
    writeFileSync(join(folder, 'p.yaml'), execPolicy('own', [`matchArgs: [{index: 2, operator: Prefix, values: [FOLDER/]}]`]));
    const file = join(folder, 'tests/p.yaml');
    const before = `before: 'true'\nafter: touch ${folder}/after\n`;
    writeFileSync(file, `apiVersion: polytrace/v1\nkind: PolicyTest\npolicies: [../p.yaml]\n${before}scenarios:\n${scenarios}`);
    return join(folder, 'p.yaml');
  };

  it('polytrace test: the events of the commands and of what they start, and of nothing else', () => {
    const policy = writeTest(`
- name: fires
  run: (setsid ${folder}/equal; ${folder}/pre) & wait; exit 3
  status: 3
  exact: true
  expect: [{message: executed, path: ${folder}/equal, count: 1}, {path: ${folder}/pre, count: 1}, {type: process_exec, binary: ${folder}/pre}]
- {name: harmless, run: /bin/true, never: [{}]}
`);
    const others = setInterval(() => execFileSync(join(folder, 'equal')), 5);
    const [status, output] = runCommand('test', policy);
    clearInterval(others);
    assert.equal(status, 0, output);
    assert.match(output, /^2 scenarios: 2 passed, 0 failed, 0 skipped$/m);
    rmSync(join(folder, 'after'));
  });

  it('polytrace test: what is missing, forbidden, too late or ends otherwise fails', () => {
    const policy = writeTest(`
- {name: missing, run: /bin/true, expect: [{path: ${folder}/equal}]}
- {name: forbidden, run: ${folder}/equal, never: [{}]}
- {name: late, run: sleep 100, timeout: 1, never: [{}]}
- {name: status, run: exit 1, status: 0, never: [{}]}
`);
    const [status, output] = runCommand('test', policy, '--format', 'tap');
    assert.equal(status, 1, output);
    assert.deepEqual(
      output.match(/(EVENT_MISSING|EVENT_FORBIDDEN|SCENARIO_[A-Z]+): /g),
      ['EVENT_MISSING: ', 'EVENT_FORBIDDEN: ', 'SCENARIO_TIMEOUT: ', 'SCENARIO_STATUS: '],
    ); // prettier-ignore
  });

  it('getevents --record, and a test over the recording without the kernel', async () => {
    const policy = writeTest(`
- {name: recorded, recording: ../calls.jsonl, exact: true, expect: [{path: ${folder}/equal}]}
`);
    const wide = join(folder, 'wide.yaml');
    writeFileSync(wide, execPolicy('wide', [`matchArgs: [{index: 2, operator: Postfix, values: [/equal, /true]}]`]));
    const file = join(folder, 'calls.jsonl');
    const command = spawn(process.execPath, [COMMAND, 'getevents', '--policy', wide, '--record', file], { stdio: ['ignore', 'ignore', 'pipe'] }); // prettier-ignore
    const ended = once(command, 'exit');
    for await (const chunk of command.stderr) if (String(chunk).includes('ready: ')) break;
    execFileSync(join(folder, 'equal'));
    execFileSync('/bin/true');
    command.kill('SIGINT');
    assert.deepEqual(await ended, [0, null]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const [tested, output] = runCommand('test', policy, '--recorded');
    assert.equal(tested, 0, output);
  });
});
