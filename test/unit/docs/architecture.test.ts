/** docs/architecture.md shows the rooms and files of the sources, and the direction of their imports. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT, readProjectFile } from '../../project.js';

interface Room {
  readonly room: string;
  readonly may: readonly string[];
  readonly pure?: boolean;
}

const load = createRequire(__filename);
const { rooms } = load('../../../scripts/rooms.cjs') as { readonly rooms: readonly Room[] };
const { rooms: nativeRooms } = load('../../../scripts/native-rooms.cjs') as { readonly rooms: readonly Room[] };
const page = readProjectFile('docs/architecture.md');

interface Section {
  /** The names in each line of the picture, from the top to the bottom. */
  readonly picture: readonly (readonly string[])[];
  /** The names in the first column of the first table. */
  readonly table: readonly string[];
}

/** Reads the picture and the first table of a section. A room is a folder, with a slash at its end, or a file. */
function readSection(heading: string): Section {
  const [, section] = page.split(`\n## ${heading}\n`);
  assert.ok(section !== undefined, `no section ${heading}`);
  const [content = ''] = section.split(/^## /m);
  const [, drawing = ''] = /^```\n([^]*?)^```/m.exec(content) ?? [];
  const [rows = ''] = /^(\|.*\n)+/m.exec(content) ?? [];
  return { picture: drawing.trimEnd().split('\n').map(listNames), table: listFirstCells(rows) };
}

function listNames(line: string): string[] {
  return line.split(/\s+/).filter((word) => /^[\w-]+(\/|\.\w[\w.]*)$/.test(word));
}

function listFirstCells(rows: string): string[] {
  return [...rows.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name ?? '');
}

/** The files of a folder, and its folders with a slash at their ends. Folders without files are left out. */
function listSources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [entry.name];
    return listSources(`${folder}/${entry.name}`).length === 0 ? [] : [`${entry.name}/`];
  });
}

/** The names that a room may import or include, and that are in the same picture. */
type Imports = (name: string) => readonly string[];

const importsBelow =
  (folder: string): Imports =>
  (name) =>
    (rooms.find(({ room }) => room === folder + name)?.may ?? [])
      .filter((path) => path.startsWith(folder))
      .map((path) => path.slice(folder.length))
      .map((path) => (path.includes('/') ? path.slice(0, path.indexOf('/') + 1) : path));

const includesOfRoom: Imports = (name) =>
  (nativeRooms.find(({ room }) => `${room}/` === name)?.may ?? []).map((room) => `${room}/`);

/** The modules of agent/page are not rooms, so their imports are read from the sources. */
const importsOfModule: Imports = (name) => {
  const source = readFileSync(join(ROOT, 'agent/page', name), 'utf8');
  return [...source.matchAll(/from '\.\/([\w-]+)\.js'/g)].map(([, module]) => `${module}.ts`);
};

const SECTIONS: readonly (readonly [heading: string, folder: string, imports: Imports])[] = [
  ['The rooms of lib/', 'lib', importsBelow('lib/')],
  ['The rooms of agent/lib/', 'agent/lib', importsBelow('agent/lib/')],
  ['The page of a report: agent/page/', 'agent/page', importsOfModule],
  ['The rooms of native/', 'native', includesOfRoom],
];

describe('docs/architecture.md', () => {
  for (const [heading, folder, imports] of SECTIONS) {
    describe(folder, () => {
      const { picture, table: rows } = readSection(heading);
      const sources = listSources(folder).sort();
      // The files of the page have no table: each begins with a sentence on what it does.
      if (folder !== 'agent/page') {
        it('the table has each room and file once', () => assert.deepEqual([...rows].sort(), sources));
      }

      it('the picture has each room and file once', () => assert.deepEqual(picture.flat().sort(), sources));

      it('imports go down in the picture', () => {
        const lineNumber = (name: string): number => picture.findIndex((names) => names.includes(name));
        const upwards = sources.flatMap((name) =>
          imports(name)
            .filter((imported) => imported !== name && lineNumber(imported) <= lineNumber(name))
            .map((imported) => `${name} imports ${imported}`),
        );
        assert.deepEqual(upwards, []);
      });
    });
  }

  it('has each room and file of lib/policy/', () => {
    const [, section = ''] = page.split('`lib/policy/` has rooms of its own');
    const [rows = ''] = /^(\|.*\n)+/m.exec(section) ?? [];
    assert.deepEqual(listFirstCells(rows).sort(), listSources('lib/policy').sort());
  });

  it('names the pure rooms', () => {
    const pure = rooms.filter(({ room, pure: isPure = false }) => isPure && room.endsWith('/')).map(({ room }) => room);
    const named = [...page.matchAll(/^((?:`[\w/]+`(?:, |,\n| and |\nand | and\n)?)+)\s+are pure\./gm)];
    assert.deepEqual(
      named.flatMap(([, names]) => listQuoted(names ?? '')).sort(),
      pure.filter((room) => room !== 'types/').sort(),
    );
  });
});

function listQuoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '');
}
