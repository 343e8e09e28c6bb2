/** The rooms of native/: a case for each rule of scripts/native-rooms.cjs, and the sources themselves. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const { checkRooms } = require('../../../scripts/native-rooms.cjs') as {
  readonly checkRooms: (folder: string) => readonly string[];
};

const refused = [
  ['base', '#include "btf/btf_types.h"', 'must not include the room btf'],
  ['optimizer', '#include "base/error.h"', 'must not include the room base'],
  ['loading', '  #  include "hooks/hook.h"', 'must not include the room hooks'],
  ['backend', '#include "binding/session.h"', 'must not include the room binding'],
  ['backend', '#include <napi.h>', 'uses Node-API'],
  ['optimizer', '#include <bpf/libbpf.h>', 'uses libbpf'],
  ['hooks', '#include <zstd.h>', 'uses zstd'],
  ['ring', '#include "../bpf/abi.h"', 'includes this header of bpf/'],
  ['ring', '#include "ring_reader.h"', 'is not written as "room/file.h"'],
  ['ring', '#include "rings/ring_reader.h"', 'is not written as "room/file.h"'],
] as const;

const allowed = [
  ['base', '#include "../bpf/abi.h"'],
  ['loading', '#include "optimizer/optimize.h"'],
  ['loading', '#include <zstd.h>'],
  ['binding', '#include <napi.h>'],
  ['ring', '#include "ring/ring_reader.h"'],
  ['optimizer', '#include <linux/bpf.h>'],
  ['optimizer', '// #include "binding/session.h"'],
] as const;

describe('rooms of native/', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-rooms-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function check(room: string, text: string): readonly string[] {
    mkdirSync(join(folder, room));
    writeFileSync(join(folder, room, 'x.cc'), `#include <string>\n${text}\n`);
    return checkRooms(folder);
  }

  for (const [room, text, reason] of refused) {
    it(`${room}: ${text} is refused`, () => {
      const [error = '', ...others] = check(room, text);
      assert.ok(error.startsWith(`${room}/x.cc: `) && error.endsWith(reason), error);
      assert.deepEqual(others, []);
    });
  }
  for (const [room, text] of allowed) {
    it(`${room}: ${text} is allowed`, () => assert.deepEqual(check(room, text), []));
  }
  it('a file outside of the rooms is refused', () => {
    writeFileSync(join(folder, 'x.cc'), '');
    assert.deepEqual(checkRooms(folder), ['x.cc: is in no room']);
  });
  it('the sources keep the rules', () => assert.deepEqual(checkRooms(join(__dirname, '../../../native')), []));
});
