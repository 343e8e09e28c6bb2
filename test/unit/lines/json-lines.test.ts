/** Without the addon, jsonLines() formats each event with toJson(). test/native/json-lines.test.ts has the addon. */
import assert from 'node:assert/strict';
import { jsonLines } from '../../../lib/lines/json-lines.js';
import { leaveLines } from '../../../lib/lines/line-batch.js';
import { toJson } from '../../../lib/output/json.js';
import { createEventsOfAllKinds } from '../events/all-kinds.js';

describe('jsonLines without the addon', () => {
  it('1. writes events of all kinds, and asks for the addon once', () => {
    const events = createEventsOfAllKinds();
    let asked = 0;
    const format = jsonLines({}, () => {
      asked += 1;
      return leaveLines;
    });
    for (const list of [[], events.map((event) => event.toObject()), events, [...events, ...events].reverse()])
      assert.equal(Buffer.from(format(list)).toString(), list.map((event) => `${toJson(event)}\n`).join(''));
    assert.equal(asked, 1);
  });

  it('2. does not ask for it before the first event with a record', () => {
    const format = jsonLines({}, () => assert.fail('the addon was loaded'));
    const plain = createEventsOfAllKinds().map((event) => event.toObject());
    assert.equal(Buffer.from(format(plain)).toString(), plain.map((event) => `${toJson(event)}\n`).join(''));
  });
});
