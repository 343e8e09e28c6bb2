import assert from 'node:assert/strict';
import { countParts, formatNumbers, makeBatch, parseNumbers } from '../../../lib/fleet/events/batches.js';
import { countNumbers, lineLossReason } from '../../../lib/fleet/events/numbered-line.js';
import { readMessage } from '../../../lib/fleet/reading/message.js';
import { chooseSubjects } from '../../../lib/fleet/reading/subjects.js';

describe('messages with events', () => {
  it('lines of the same type and policy are one message', () => {
    const lines = ['ab-1:7 exec.= {"a":1}', 'ab-1:8 kprobe.p {"b":1}', 'ab-1:9 exec.= {"c":1}'];
    const { messages, unreadable } = makeBatch([...lines, 'broken'], 1e6);
    assert.equal(unreadable, 1);
    assert.deepEqual(
      messages.map(({ topic, batch, numbers, payload }) => [topic, batch, numbers, payload]),
      [
        ['exec.=', 7, [7, 9], '{"a":1}\n{"c":1}'],
        ['kprobe.p', 7, [8], '{"b":1}'],
      ],
    );
    assert.deepEqual(makeBatch(lines, 1e6).messages, messages);
  });

  it('each message says how many the batch has of each type', () => {
    const { messages } = makeBatch(['ab-1:7 exec.= {}', 'ab-1:8 kprobe.p {}', 'ab-1:9 kprobe.q {}'], 1e6);
    assert.deepEqual(
      messages.map(({ parts }) => parts),
      Array(3).fill('exec:1,kprobe:2'),
    );
    assert.equal(countParts('exec:1,kprobe:2', undefined), 3);
    assert.equal(countParts('exec:1,kprobe:2', new Set(['kprobe', 'lost'])), 2);
    for (const text of ['', 'x', 'x:', 'x:1,', 'x:-1', 'x:9999999999'])
      assert.equal(countParts(text, undefined), undefined);
  });

  it('a message fits into what the server takes', () => {
    const line = (number: number): string => `ab-1:${number} exec.= {"a":"${'x'.repeat(1000)}"}`;
    const { messages } = makeBatch([1, 2, 3, 4, 5].map(line), 8192 + 2100);
    assert.deepEqual(
      messages.map(({ numbers }) => numbers),
      [[1, 2], [3, 4], [5]],
    );
  });

  it('numbers are written as ranges, and read with a limit', () => {
    assert.equal(formatNumbers([1, 3, 5, 6, 7]), '1,3,5-7');
    assert.deepEqual(parseNumbers('1,3,5-7', 5), [1, 3, 5, 6, 7]);
    for (const text of ['', 'x', '1-', '1,3,5-8', '1,3', '1-999999999999', '-1']) {
      assert.equal(parseNumbers(text, 5), undefined);
    }
  });

  it('aggregated events and reports of losses have as many numbers as they stand for', () => {
    assert.equal(countNumbers('x.= {"process_exec":{},"aggregation_info":{"count":"7"}}'), 7);
    assert.equal(countNumbers('ab-1:3 lost.= {"lost":{"count":12,"reason":"spool_full"}}'), 12);
    assert.equal(countNumbers('x.= {"process_exec":{"a":"}}"}}'), 1);
    assert.equal(lineLossReason('lost.= {"lost":{"count":12,"reason":"spool_full"}}'), 'spool_full');
    assert.equal(lineLossReason('lost.= {"lost":{"count":12,"reason":"ring_full"}}'), 'queue_full');
  });

  it('a node cannot report events of another one', () => {
    const headers: Record<string, string> = { 'Polytrace-Boot': 'b', 'Polytrace-Batch': '1' };
    const read = (lines: readonly string[], numbers = `1-${lines.length}`): ReturnType<typeof readMessage> =>
      readMessage({
        subject: 'polytrace.events.default.web=2E1.process_exec.=',
        header: (name) => ({ ...headers, 'Polytrace-Sequence': numbers })[name] ?? '',
        text: lines.join('\n'),
        storedMs: 0,
        types: undefined,
      });
    const own = '{"node_name":"web.1"}';
    const good = read([own]);
    assert.deepEqual([good.message?.node, good.message?.lines, good.problem], ['default.web=2E1', [own], undefined]);
    const others = [
      '{"node_name":"web.2"}',
      '{"node_name":"web.1","cluster_name":"other"}',
      '{"node_name":"db","x":{"node_name":"web.1"}}',
      '{}',
      'no json',
    ];
    for (const line of others) {
      const { message, problem } = read([own, line], '4-5');
      assert.deepEqual([message?.lines, message?.numbers], [[own], [4]]);
      assert.match(problem ?? '', /web\.1: 1 lines are not events of this node/);
    }
    assert.equal(read([own], '1-2').message, undefined);
  });

  it('a reader asks the server only for what it wants, and always for losses', () => {
    const all = { types: undefined };
    assert.deepEqual(chooseSubjects({}), { subjects: ['polytrace.events.*.*.*.*'], ...all });
    assert.deepEqual(chooseSubjects({ cluster: 'c', nodes: ['a.b'], types: ['process_exec'] }), {
      subjects: ['polytrace.events.c.a=2Eb.process_exec.*', 'polytrace.events.c.a=2Eb.lost.*'],
      types: new Set(['process_exec', 'lost']),
    });
    const many = Array.from({ length: 1000 }, (_, i) => `n${i}`);
    assert.deepEqual(chooseSubjects({ nodes: many }), { subjects: ['polytrace.events.*.>'], ...all });
    const some = chooseSubjects({ nodes: many.slice(0, 200), types: ['process_exec'] });
    assert.deepEqual([some.subjects[0], some.types], ['polytrace.events.*.n0.>', undefined]);
  });
});
