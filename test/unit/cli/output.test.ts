/** Every command whose output fails ends quietly, with the status that other tools give, and without a stack. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recorder } from '../../../lib/recording/recorder.js';
import { makeEvent } from '../../../lib/testing/make-event.js';
import { toJson } from '../../../lib/output/index.js';
import { ROOT } from '../../project.js';
import { execEvent } from '../output/events.js';

const POLICY = join(ROOT, 'policies/file-monitoring.yaml');

describe('an output that fails', () => {
  let folder: string;
  let commands: readonly (readonly string[])[];

  before(function () {
    if (process.platform !== 'linux') return this.skip();
    folder = mkdtempSync(join(tmpdir(), 'polytrace-output-'));
    const [lines, recording] = [join(folder, 'events.jsonl'), join(folder, 'recording.jsonl')];
    writeFileSync(lines, `${toJson(execEvent())}\n`.repeat(100));
    const records = recorder();
    writeFileSync(recording, records.header + records.lines(makeEvent('process_exec')));
    commands = [
      ['--help'],
      ['--version'],
      ['getevents', '--help'],
      ['validate', '--kernel', 'none', POLICY],
      ['validate', '--kernel', 'none', '--format', 'sarif', POLICY],
      ['explain', '--kernel', 'none', POLICY],
      ['explain', '--kernel', 'none', '--bypass', POLICY],
      ['policies', 'list'],
      ['policies', 'show', 'file-monitoring'],
      ['schema'],
      ['completion', 'bash'],
      ['read', lines],
      ['read', lines, '-o', 'json'],
      ['read', lines, '-o', 'tree'],
      ['read', lines, '-o', 'table'],
      ['getevents', '--input', lines],
      ['report', lines, '-o', '-'],
      ['replay', recording, '--kernel', 'none', '--policy', POLICY],
      ['test', '--recorded', '--kernel', 'none', join(ROOT, 'policies/tests/file-monitoring.yaml')],
      ['preflight'],
      ['preflight', '-o', 'json'],
    ];
  });
  after(() => rmSync(folder, { recursive: true }));

  function run(args: readonly string[], stdout: number): { status: number | null; stderr: string } {
    const command = join(ROOT, 'dist/cli/main.js');
    const { status, stderr } = spawnSync(process.execPath, [command, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', stdout, 'pipe'],
    });
    assert.doesNotMatch(stderr, /internal error|^ {4}at |EPIPE/m, args.join(' '));
    return { status, stderr };
  }

  it('a reader that has closed the pipe, as `head` does: status 141', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(pipe, 'w');
    closeSync(reader);
    const statuses = commands.map((args) => [args.join(' '), run(args, writer).status]);
    closeSync(writer);
    assert.deepEqual(
      statuses.filter(([, status]) => status !== 141),
      [],
    );
  }).timeout(120_000);

  it('a full disk: status 4, and a message', () => {
    const full = openSync('/dev/full', 'w');
    const results = commands.map((args) => [args.join(' '), run(args, full)] as const);
    closeSync(full);
    assert.deepEqual(
      results.filter(([, { status, stderr }]) => status !== 4 || !/the output failed.*ENOSPC/.test(stderr)),
      [],
    );
  }).timeout(120_000);

  it('a report on a device is written to it: the device stays', () => {
    const [lines, pipe] = [join(folder, 'events.jsonl'), openSync('/dev/null', 'w')];
    assert.equal(run(['report', lines, '-o', '/dev/null'], pipe).status, 0);
    assert.ok(statSync('/dev/null').isCharacterDevice());
    const { status, stderr } = run(['report', lines, '-o', '/dev/full'], pipe);
    assert.deepEqual([status, /cannot write \/dev\/full: ENOSPC/.test(stderr)], [4, true]);
    const missing = run(['report', lines, '-o', join(folder, 'no/such/page.html')], pipe);
    assert.deepEqual([missing.status, /cannot write .*: ENOENT/.test(missing.stderr)], [4, true]);
    closeSync(pipe);
    assert.deepEqual(
      readdirSync('/dev').filter((name) => name.endsWith('.part')),
      [],
    );
  });
});
