/** `getevents --filter`: CEL over live and recorded events, and the expressions that it refuses. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { toJson } from '../../../lib/output/index.js';
import { fileArgument } from '../output/arguments.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent } from '../output/events.js';
import { FakeCommand } from './fake.js';

const EVENTS = [
  execEvent({ pid: 1 }),
  execEvent({ pid: 2, uid: 5 }),
  kprobeEvent('fd_install', [fileArgument('/etc/x')]),
  exitEvent({ pid: 2 }, { status: 3 }),
  lostEvent(),
];

describe('getevents --filter', () => {
  const cases: readonly (readonly [expression: string, count: number])[] = [
    ['true', 5],
    ['process.pid == 2', 3],
    ['event_type == "process_exit" && status == 3', 2],
    ['args.exists(a, a.file_arg.path.startsWith("/etc/"))', 2],
    ['process_kprobe.function_name == "fd_install" || process.pid == 1', 3],
    ['process.binary.matches("^/usr/(a+)+$")', 1],
  ];

  for (const [expression, count] of cases) {
    it(`${expression}: ${count} events`, async () => {
      const command = new FakeCommand();
      command.tracer.remaining = EVENTS;
      assert.equal(await command.run('getevents', '--filter', expression, '--duration', '0.001'), 0);
      const lines = command.stdout.text.split('\n').length - 1;
      assert.equal(lines, count);

      const recorded = new FakeCommand();
      recorded.stdin = Readable.from(EVENTS.map((event) => Buffer.from(`${toJson(event)}\n`)));
      assert.equal(await recorded.run('getevents', '--filter', expression, '--input', '-'), 0);
      assert.equal(recorded.stdout.text, command.stdout.text);
    });
  }

  it('a field that no event has is refused, and the nearest one is named', async () => {
    const command = new FakeCommand();
    assert.equal(await command.run('getevents', '--filter', 'proces.pid == 1', '--duration', '0.001'), 2);
    assert.match(command.stderr.text, /no event has the field 'proces': did you mean 'process'\?/);
  });

  it('--cel-expression is the same option, and one matching expression of several is enough', async () => {
    const command = new FakeCommand();
    command.tracer.remaining = EVENTS;
    const expressions = ['--filter', 'process.pid == 1', '--cel-expression', 'status == 3'];
    assert.equal(await command.run('getevents', ...expressions, '--duration', '0.001'), 0);
    assert.equal(command.stdout.text.split('\n').length - 1, 3);
  });

  it('refuses an invalid or expensive expression', async () => {
    const nestedExpression = (depth: number): string =>
      depth === 0 ? 'true' : `[1, 2, 3, 4, 5, 6, 7, 8, 9].all(x${depth}, ${nestedExpression(depth - 1)})`;
    for (const [expression, reason] of [
      ['process.', /--filter: .*expression/],
      [nestedExpression(6), /too many steps/],
      ['x'.repeat(3000), /more than 2048 characters/],
    ] as const) {
      const command = new FakeCommand();
      assert.equal(await command.run('getevents', '--filter', expression), 2);
      assert.match(command.stderr.text, reason);
      assert.equal(command.openOptions, undefined);
    }
  });
});
