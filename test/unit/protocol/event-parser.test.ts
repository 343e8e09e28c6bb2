/** Events of JSON lines: the parser that reuses processes gives what fromJson gives. */
import assert from 'node:assert/strict';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { toJson } from '../../../lib/index.js';
import { GetEventsResponseSchema, type GetEventsResponse } from '../../../lib/proto/tetragon/events.gen.js';
import type { Process } from '../../../lib/proto/tetragon/tetragon.gen.js';
import { EventParser } from '../../../lib/protocol/event-parser.js';
import { toPlainEvent } from '../../../lib/protocol/plain-event.js';
import { createEventsOfAllKinds } from '../events/all-kinds.js';

const OPTIONS = { ignoreUnknownFields: true };
const parseAll = (json: JsonObject): GetEventsResponse => fromJson(GetEventsResponseSchema, json, OPTIONS);

/** An exec whose process and parent have these members. */
function execLine(process: JsonObject, parent: JsonObject = {}): JsonObject {
  const members = {
    process: { exec_id: 'a', pid: 1, ...process },
    parent: { exec_id: 'b', pid: 2, ...parent },
    ancestors: [{ exec_id: 'c', pid: 3 }],
  };
  return { process_exec: members, node_name: 'n', time: '2026-01-01T00:00:00Z' };
}

/** Returns the process of an exec. */
function findProcess({ event }: GetEventsResponse): Process | undefined {
  return event.case === 'processExec' ? event.value.process : undefined;
}

describe('EventParser', () => {
  const parser = new EventParser();
  const assertSame = (json: JsonObject, length = 100): void => {
    const message = parser.parse(json, length);
    assert.deepEqual(message, parseAll(json));
    assert.deepEqual(toPlainEvent(message, parser.toPlain), toPlainEvent(parseAll(json)));
  };

  it('reads events of all kinds, also again', () => {
    const options = { ancestors: true, processCred: true, processNs: true };
    const lines = createEventsOfAllKinds().map((event) => JSON.parse(toJson(event, options)) as JsonObject);
    for (const json of [...lines, ...lines]) assertSame(json);
  });

  it('uses the same process for lines that repeat it', () => {
    const [first, second] = [1, 2].map(() => parser.toPlain(findProcess(parser.parse(execLine({ uid: 7 }), 100))));
    assert.equal(first, second);
  });

  const changes: readonly (readonly [string, JsonObject])[] = [
    ['another value', { cwd: '/tmp' }],
    ['a member more', { cwd: '/tmp', uid: 1 }],
    ['a member less', { uid: 1 }],
    ['another member', { auid: 1 }],
    ['an object', { ns: { uts: { inum: 1 } } }],
    ['another object', { ns: { uts: { inum: 2 } } }],
    ['a member in the object', { ns: { uts: { inum: 2, is_host: true } } }],
    ['a list', { cap: { permitted: ['CAP_CHOWN'] } }],
    ['another list', { cap: { permitted: ['CAP_CHOWN', 'DAC_OVERRIDE'] } }],
    ['null', { ns: null }],
    ['the name of protobuf', { parentExecId: 'x' }],
  ];
  it('notices each change of a process, and that a parent has other members', () => {
    for (const [, process] of changes) assertSame(execLine(process, { pid: 1, exec_id: 'a' }));
    for (const [, parent] of changes) assertSame(execLine({}, parent));
  });

  it('reads names of protobuf, long lines, and members that are absent or null', () => {
    const { process_exec: event } = execLine({});
    assertSame({ processExec: event ?? null });
    assertSame(execLine({}), 1e6);
    assertSame({ process_exec: {} });
    assertSame({ process_exec: { process: null, parent: null, ancestors: null } });
    assertSame({ process_exec: null });
    assertSame({ node_name: 'n' });
  });

  const mistakes: readonly JsonObject[] = [
    { process_exec: 1 },
    { process_exec: [] },
    { process_exec: { process: 1 } },
    { process_exec: { parent: 'x' } },
    { process_exec: { process: { pid: 'x' } } },
    { process_exec: { ancestors: {} } },
    { process_exec: { ancestors: [1] } },
    { process_exec: {}, process_exit: {} },
  ];
  for (const json of mistakes) {
    it(`${JSON.stringify(json)} is an error of fromJson`, () => {
      assert.throws(() => parseAll(json));
      assert.throws(() => parser.parse(json, 100), /^Error: cannot decode /);
    });
  }

  it('forgets processes, so that memory does not grow with them', () => {
    const first = findProcess(parser.parse(execLine({}), 100));
    for (let i = 0; i < 20_000; i++) parser.parse(execLine({ exec_id: `e${i}` }), 100);
    const again = findProcess(parser.parse(execLine({}), 100));
    assert.deepEqual(again, first);
    assert.notEqual(again, first);
  });
});
