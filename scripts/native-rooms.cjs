// The rooms of the addon's C++ sources in native/, and which rooms each may include: the counterpart of rooms.cjs.
// `node scripts/native-rooms.cjs` prints the table, checks every #include against it, and fails if one is not allowed.
const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

/**
 * Lowest first: a room may include only rooms that are listed before it, so there are no cycles. `may`: rooms; a room may always include
 * itself. `napi`: it may include <napi.h>. `libbpf`: it may include <bpf/…>. `bpf`: headers of bpf/ that it may include.
 */
const rooms = [
  { room: 'base', may: [], libbpf: true, bpf: ['abi.h'] },
  { room: 'btf', may: ['base'], libbpf: true },
  { room: 'optimizer', may: [] },
  { room: 'loading', may: ['base', 'btf', 'optimizer'], libbpf: true },
  { room: 'attach', may: ['base', 'loading'], libbpf: true },
  { room: 'hooks', may: ['base', 'loading', 'attach'], libbpf: true },
  { room: 'backend', may: ['base', 'loading', 'hooks'], libbpf: true, bpf: ['container_name.h'] },
  { room: 'lines', may: ['base'] },
  { room: 'ring', may: ['base'], libbpf: true, napi: true },
  { room: 'files', may: ['base'], libbpf: true },
  {
    room: 'binding',
    may: ['base', 'btf', 'loading', 'hooks', 'backend', 'lines', 'ring', 'files'],
    libbpf: true,
    napi: true,
  },
];

/** The names of all included files of a source, with their brackets or quotes. */
function findIncludes(text) {
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(["<][^">]+[">])/gm)].map(([, name]) => name);
}

/** Why the room must not include the file; undefined if it may. */
function refuseInclude({ room, may, napi = false, libbpf = false, bpf = [] }, include) {
  const name = include.slice(1, -1);
  if (include.startsWith('<')) {
    if (name === 'zstd.h' && room !== 'loading') return 'uses zstd';
    if (/^(napi|node_api|js_native_api)\b/.test(name) && !napi) return 'uses Node-API';
    return name.startsWith('bpf/') && !libbpf ? 'uses libbpf' : undefined;
  }
  if (name.startsWith('../bpf/')) return bpf.includes(name.slice(7)) ? undefined : 'includes this header of bpf/';
  const parts = name.split('/');
  if (parts.length !== 2 || !rooms.some((each) => each.room === parts[0])) return 'is not written as "room/file.h"';
  return parts[0] === room || may.includes(parts[0]) ? undefined : `must not include the room ${parts[0]}`;
}

/** The errors of a folder with the rooms as its folders: a list of texts. */
function checkRooms(folder) {
  const errors = [];
  for (const [index, { room, may }] of rooms.entries()) {
    const higher = may.filter((each) => rooms.findIndex((other) => other.room === each) >= index);
    if (higher.length > 0) errors.push(`the table: ${room} is below ${higher.join(', ')}`);
  }
  for (const { name } of readdirSync(folder, { withFileTypes: true })) {
    const room = rooms.find((each) => each.room === name);
    if (room === undefined) {
      errors.push(`${name}: is in no room`);
      continue;
    }
    for (const file of readdirSync(path.join(folder, name))) {
      for (const include of findIncludes(readFileSync(path.join(folder, name, file), 'utf8'))) {
        const reason = refuseInclude(room, include);
        if (reason !== undefined) errors.push(`${name}/${file}: ${include} ${reason}`);
      }
    }
  }
  return errors;
}

module.exports = { rooms, checkRooms };

if (require.main === module) {
  for (const { room, may, napi, libbpf } of rooms) {
    const list = [...may, ...(libbpf ? ['libbpf'] : []), ...(napi ? ['Node-API'] : [])].join(', ') || 'nothing';
    console.log(`native/${room.padEnd(9)}  may include ${list}`);
  }
  const errors = checkRooms(path.join(__dirname, '../native'));
  for (const error of errors) console.error(`native/${error}`);
  process.exitCode = errors.length > 0 ? 1 : 0;
}
