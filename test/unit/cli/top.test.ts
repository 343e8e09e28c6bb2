/** The table of `polytrace top` fits its terminal, and the command says what to start when no agent answers. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { runTop } from '../../../lib/cli/top.js';
import type { AgentClient } from '../../../lib/grpc/client.js';
import { FakeCommand } from './fake.js';

const LONG = `a-policy-with-a-long-name-${'x'.repeat(200)}`;
const policies = Array.from({ length: 30 }, (_, i) => ({
  name: `${i} ${LONG}`,
  matched: i,
  posted: i,
  lost: 0,
  hooks: [],
}));
const client = {
  policies: () => Promise.resolve(policies),
  async *events() {},
  close: () => undefined,
} as unknown as AgentClient;

/** Runs the command on a terminal of this size until it has drawn one table, and returns the table. */
async function drawTable(size: {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}): Promise<string> {
  const command = new FakeCommand();
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      command.signals.emit('SIGINT');
      done();
    },
  });
  const context = command.context(Object.assign(stdout, size));
  assert.equal(await runTop(client, { by: 'policies', interval: 0.001 }, context), 0);
  return text;
}

describe('the command top', () => {
  for (const [columns, rows] of [
    [80, 24],
    [200, 10],
    [40, 50],
    [10, 5],
  ] as const) {
    it(`fits a terminal of ${columns} columns and ${rows} lines`, async () => {
      const text = (await drawTable({ isTTY: true, columns, rows })).replace('\u001b[H\u001b[2J', '');
      const lines = text.split('\n');
      assert.ok(lines.length <= rows, `${lines.length} lines`);
      assert.ok(
        lines.every((line) => line.length <= columns),
        text,
      );
      assert.ok(lines.length >= Math.min(rows, 30), text);
      assert.equal(text.includes('MATCHED'), columns >= 60);
    });
  }

  it('keeps whole names on a terminal that does not know its size', async () => {
    const text = await drawTable({ isTTY: true, columns: 0, rows: 0 });
    assert.ok(text.includes(`29 ${LONG}\n`) && text.includes('keys:'), text);
  });

  it('keeps whole names where there is no terminal', async () => {
    const text = await drawTable({});
    assert.ok(text.includes(`29 ${LONG}\n`) && !text.includes('keys:'));
    assert.equal(text.split('\n').length, 32);
  });

  it('says what to start when no agent answers', async () => {
    const command = new FakeCommand();
    assert.equal(await command.run('top', '--once', '--server', 'unix:///nowhere/x'), 5);
    assert.equal(
      command.stderr.text,
      'polytrace: no agent answers at unix:///nowhere/x: connect ENOENT /nowhere/x\n    hint: start an agent as root (`polytrace agent --policy FILE`, or its service), or name one with --server\n',
    );
  });
});
