/** The performed actions, file hashes and stack traces of events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { SelectorActions } from '../../../lib/compiled/compiled-policy.js';
import { readImaHash } from '../../../lib/events/ima.js';
import {
  mainAction,
  performedActions,
  readPolicyMode,
  type EventActions,
} from '../../../lib/events/performed-actions.js';
import { FakeFileReader } from '../fake-file-reader.js';
import { resolveAddresses } from '../../../lib/events/mapped-files.js';
import { readStackAddresses, toUserFrames } from '../../../lib/events/stacks.js';
import { EventFlag, EventHeader, EventHook, ImaHash, StringRef } from '../../../lib/wire/layout.gen.js';
import { RecordChunk } from '../../../lib/wire/record-chunk.js';
import { hookRecord } from '../wire/records.js';

const WHO = { pid: 7, start: 1n };
const BOTH: SelectorActions = { order: ['override', 'sigkill', 'post'], signal: 9, override: -13 };
const atEntry = (entry: SelectorActions): EventActions => ({ entry, returned: undefined });

function chunkWithFlags(flags: number): RecordChunk {
  const bytes = hookRecord(WHO, 8);
  bytes.writeUInt16LE(flags, EventHeader.flags);
  return RecordChunk.from(bytes);
}

describe('performed actions', () => {
  it('a hook without actions posts', () => {
    assert.deepEqual(performedActions(chunkWithFlags(0), 0, undefined, []), [{ action: 'post' }]);
    assert.equal(readPolicyMode(chunkWithFlags(0), 0, undefined, []), undefined);
  });

  it('each action in the order of the policy, with its outcome', () => {
    const flags = EventFlag.EVENT_OVERRIDDEN | EventFlag.EVENT_SIGNAL_FAILED;
    const done = performedActions(chunkWithFlags(flags), 0, atEntry(BOTH), []);
    assert.deepEqual(done, [
      { action: 'override', value: -13, outcome: 'done' },
      { action: 'sigkill', signal: 9, outcome: 'failed' },
      { action: 'post' },
    ]);
    assert.equal(mainAction(done), 'override');
    assert.equal(readPolicyMode(chunkWithFlags(flags), 0, atEntry(BOTH), []), 'enforce');
  });

  it('notifications of enforcers', () => {
    const notify: SelectorActions = { order: ['notifyEnforcer'], notify: { signal: 9, override: -1 } };
    const actions = performedActions(chunkWithFlags(EventFlag.EVENT_NOTIFIED), 0, atEntry(notify), []);
    assert.deepEqual(actions, [
      { action: 'notifyEnforcer', signal: 9, value: -1, outcome: 'done' },
      { action: 'post' },
    ]);
    assert.equal(mainAction(actions), 'notifyEnforcer');
    assert.equal(readPolicyMode(chunkWithFlags(0), 0, atEntry(notify), []), 'enforce');
    assert.deepEqual(
      performedActions(chunkWithFlags(0), 0, atEntry({ order: ['notifyEnforcer'], notify: { signal: 9 } }), [])[0],
      {
        action: 'notifyEnforcer',
        signal: 9,
        outcome: 'failed',
      },
    );
    const cleanup = performedActions(chunkWithFlags(0), 0, atEntry({ order: ['cleanupEnforcerNotification'] }), []);
    assert.deepEqual(cleanup, [{ action: 'cleanupEnforcerNotification' }, { action: 'post' }]);
    assert.equal(mainAction(cleanup), 'post');
  });

  for (const [flag, outcome, mode, main] of [
    [EventFlag.EVENT_MONITORED, 'monitored', 'monitor', 'signal'],
    [EventFlag.EVENT_PROTECTED, 'protected', 'enforce', 'post'],
  ] as const) {
    it(outcome, () => {
      const actions = performedActions(chunkWithFlags(flag), 0, atEntry({ order: ['signal'], signal: 15 }), []);
      assert.deepEqual(actions, [{ action: 'signal', signal: 15, outcome }, { action: 'post' }]);
      assert.equal(mainAction(actions), main);
      assert.equal(readPolicyMode(chunkWithFlags(flag), 0, atEntry(BOTH), []), mode);
    });
  }

  it('actions of the return have their own flags, and come after the actions of the entry', () => {
    const both: EventActions = {
      entry: { order: ['signal'], signal: 10 },
      returned: { order: ['sigkill'], signal: 9 },
    };
    const flags = EventFlag.EVENT_SIGNALLED | (EventFlag.EVENT_SIGNAL_FAILED << EventFlag.EVENT_RETURN_SHIFT);
    assert.deepEqual(performedActions(chunkWithFlags(flags), 0, both, []), [
      { action: 'signal', signal: 10, outcome: 'done' },
      { action: 'sigkill', signal: 9, outcome: 'failed', onReturn: true },
      { action: 'post' },
    ]);
    const monitored = EventFlag.EVENT_MONITORED << EventFlag.EVENT_RETURN_SHIFT;
    assert.equal(
      readPolicyMode(chunkWithFlags(monitored), 0, { entry: { order: ['post'] }, returned: BOTH }, []),
      'monitor',
    );
  });

  it('requests, each with the result of starting it', () => {
    const actions: SelectorActions = {
      order: ['dnsLookup', 'trackSock', 'getUrl', 'getUrl'],
      requests: ['a.test', 'http://b.test', 'http://c.test'],
    };
    const done = performedActions(chunkWithFlags(0), 0, atEntry(actions), ['started', 'dropped', 'monitored']);
    assert.deepEqual(done, [
      { action: 'dnsLookup', name: 'a.test', outcome: 'started' },
      { action: 'trackSock' },
      { action: 'getUrl', url: 'http://b.test', outcome: 'dropped' },
      { action: 'getUrl', url: 'http://c.test', outcome: 'monitored' },
      { action: 'post' },
    ]);
    assert.equal(mainAction(done), 'getUrl');
  });
});

describe('hashes of files', () => {
  it('are at the end of the record, as long as their algorithm requires', () => {
    const bytes = Buffer.concat([hookRecord(WHO, 8), Buffer.alloc(ImaHash.sizeof, 0xab)]);
    const start = bytes.length - ImaHash.sizeof;
    bytes.writeUInt32LE(bytes.length, EventHeader.size);
    assert.equal(readImaHash(RecordChunk.from(bytes), 0), undefined);
    bytes.writeUInt16LE(EventFlag.EVENT_IMA_HASH, EventHeader.flags);
    bytes.writeUInt32LE(4, start + ImaHash.algorithm);
    assert.equal(readImaHash(RecordChunk.from(bytes), 0), `sha256:${'ab'.repeat(32)}`);
    bytes.writeUInt32LE(99, start + ImaHash.algorithm);
    assert.equal(readImaHash(RecordChunk.from(bytes), 0), `99:${'ab'.repeat(64)}`);
    bytes.writeUInt32LE(EventHook.sizeof, EventHeader.size);
    assert.equal(readImaHash(RecordChunk.from(bytes), 0), undefined);
  });
});

describe('stack traces', () => {
  it('are read only from inside the record', () => {
    const bytes = hookRecord(WHO, 8, 0, '0123456789abcdef');
    const ref = EventHook.kernelStack;
    assert.equal(readStackAddresses(RecordChunk.from(bytes), 0, ref), undefined);
    bytes.writeUInt32LE(EventHook.sizeof, ref + StringRef.offset);
    bytes.writeUInt16LE(16, ref + StringRef.length);
    assert.deepEqual(readStackAddresses(RecordChunk.from(bytes), 0, ref), [0x3736353433323130n, 0x6665646362613938n]);
    bytes.writeUInt16LE(24, ref + StringRef.length);
    assert.equal(readStackAddresses(RecordChunk.from(bytes), 0, ref), undefined);
  });

  it('have the file and offset of this process, and the address only on request', async () => {
    const reader = new FakeFileReader();
    const start = BigInt(`0x${/^[0-9a-f]+/.exec(readFileSync('/proc/self/maps', 'latin1'))?.[0] ?? ''}`);
    const addresses = [start + 5n, 1n];
    const resolved = await resolveAddresses(process.pid, addresses, reader);
    const [frame, none] = toUserFrames(addresses, resolved, false);
    assert.equal(frame?.module, process.execPath);
    assert.deepEqual([frame?.fileOffset, frame?.offset], [5n, 5n], 'the header of the file is in no function');
    assert.deepEqual(none, {});
    assert.equal(toUserFrames(addresses, resolved, true)[0]?.address, start + 5n);
    assert.equal(toUserFrames(addresses, resolved, false)[0]?.address, undefined);
    reader.isSilent = true;
    const unknown = await resolveAddresses(process.pid, addresses, reader);
    assert.deepEqual(toUserFrames(addresses, unknown, true), [{ address: start + 5n }, { address: 1n }]);
  });
});
