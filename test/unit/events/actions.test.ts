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
import { localDevices, parseMaps } from '../../../lib/events/mapped-files.js';
import { readStackAddresses, parseKallsyms, resolveUserFrames } from '../../../lib/events/stacks.js';
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

  for (const [flag, outcome, mode] of [
    [EventFlag.EVENT_MONITORED, 'monitored', 'monitor'],
    [EventFlag.EVENT_PROTECTED, 'protected', 'enforce'],
  ] as const) {
    it(outcome, () => {
      const actions = performedActions(chunkWithFlags(flag), 0, atEntry({ order: ['signal'], signal: 15 }), []);
      assert.deepEqual(actions, [{ action: 'signal', signal: 15, outcome }, { action: 'post' }]);
      assert.equal(mainAction(actions), 'post');
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
    assert.equal(mainAction(done), 'trackSock');
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

  it('kernel functions in order, if the kernel shows their addresses', () => {
    const text = 'ffff0020 T b\nffff0010 t a\nffff0030 t c\t[mod]\nffff0015 d data\n';
    assert.deepEqual(parseKallsyms(text), [
      { start: 0xffff0010n, symbol: 'a' },
      { start: 0xffff0020n, symbol: 'b' },
      { start: 0xffff0030n, symbol: 'c', module: 'mod' },
    ]);
    assert.deepEqual(parseKallsyms('0000000000000000 T a\n'), []);
  });

  it('mapped files with offsets', () => {
    const [range] = parseMaps(
      '7f00001000-7f00003000 r-xp 00002000 08:01 42    /usr/lib/a b.so\n7f1-7f2 rw-p 0 00:00 0\n',
    );
    assert.deepEqual(range, {
      start: 0x7f00001000n,
      end: 0x7f00003000n,
      base: 0x7efffff000n,
      device: '8:1',
      module: '/usr/lib/a b.so',
    });
  });

  it('only files on local file systems are read', () => {
    const mounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
23 22 0:50 / /mnt rw - fuse.sshfs there rw
24 22 0:51 / /net rw master:2 - nfs4 there:/ rw
25 22 0:52 / /over rw - overlay overlay rw
26 22 0:53 / /host rw - virtiofs rootfs rw
`;
    assert.deepEqual([...localDevices(mounts)], ['8:1', '0:52', '0:53']);
  });

  it('have the file and offset of this process, and the address only on request', () => {
    const inside = parseMaps(readFileSync('/proc/self/maps', 'utf8'))[0];
    assert.ok(inside);
    const [frame] = resolveUserFrames([inside.start + 5n], process.pid, false);
    const fileOffset = inside.start + 5n - inside.base;
    assert.equal(frame?.module, inside.module);
    assert.equal(frame?.fileOffset, fileOffset);
    assert.equal(frame?.offset, fileOffset, 'the header of the file is in no function');
    assert.equal(resolveUserFrames([inside.start], process.pid, true)[0]?.address, inside.start);
    assert.deepEqual(resolveUserFrames([1n], process.pid, false), [{}]);
    assert.deepEqual(resolveUserFrames([inside.start], 0x7fffffff, false), [{}]);
    assert.deepEqual(resolveUserFrames([inside.start], undefined, true), [{ address: inside.start }]);
  });
});
