/** The import rules: a copy of the sources breaks each rule once, and dependency-cruiser reports the rule. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from '../../project.js';

const load = createRequire(__filename);
const { rooms } = load('../../../scripts/rooms.cjs') as {
  rooms: readonly { room: string; may: readonly string[]; pure?: boolean }[];
};

interface BrokenRule {
  readonly rule: string;
  readonly file: string;
  readonly text: string;
}

/** Returns the path of a new file in a room, or the room itself if it is one file. */
const pathInRoom = (room: string, name: string): string => (room.endsWith('/') ? `${room}${name}.ts` : room);

/** The file at the other end of the cycle. The cycle is reported once. */
const TWO = { file: 'lib/compiled/two.ts', text: "import type { One } from './one.js';\nexport type Two = One;\n" };

/** For each room, a file that imports from a forbidden room. */
const forbiddenRooms: readonly BrokenRule[] = rooms.map(({ room, may }) => {
  const other = may.some((each) => each.startsWith('lib/policy'))
    ? 'lib/policy/compile/compile.js'
    : 'lib/policy/index.js';
  const target =
    room === 'lib/policy/' ? 'lib/tracer/options.js' : room === 'lib/cli/' ? 'lib/tracer/tracer.js' : other;
  const depth = dirname(room.endsWith('/') ? `${room}x` : room).split('/').length;
  return {
    rule: `room ${room}`,
    file: pathInRoom(room, 'forbidden-room'),
    text: `import '${'../'.repeat(depth)}${target}';\n`,
  };
});

const forbiddenPackages: readonly BrokenRule[] = rooms.map(({ room }) => ({
  rule: `packages of ${room}`,
  file: pathInRoom(room, 'forbidden-package'),
  text: "import 'mocha';\n",
}));

const others: readonly BrokenRule[] = [
  ...rooms
    .filter(({ room, pure }) => pure && room.endsWith('/'))
    .map(({ room }) => ({ rule: 'pure rooms', file: pathInRoom(room, 'reads-files'), text: "import 'node:fs';\n" })),
  { rule: 'pure rooms', file: 'lib/policy/reaches-files.ts', text: "import '../elf/reads-files.js';\n" },
  {
    rule: 'no cycles',
    file: 'lib/compiled/one.ts',
    text: "import type { Two } from './two.js';\nexport type One = Two;\n",
  },
  { rule: 'no orphans', file: 'lib/compiled/orphan.ts', text: 'export const orphan = 1;\n' },
  { rule: 'everything resolves', file: 'lib/compiled/lost.ts', text: "import './nowhere.js';\n" },
  { rule: 'tables of the kernel tests', file: 'test/kernel/matrix-x.ts', text: "import '../../lib/errors.js';\n" },
  { rule: 'tests of the public interface', file: 'test/native/x.test.ts', text: "import '../../lib/errors.js';\n" },
  { rule: 'sources import no tests', file: 'lib/compiled/test.ts', text: "import '../../test/native/x.test.js';\n" },
];

interface Cruise {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

/** Runs dependency-cruiser on a folder. Returns `RULE: FILE` of each violation. */
function findViolations(folder: string): Set<string> {
  const command = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [command, 'agent/lib', 'agent/page', 'lib', 'types', 'test', 'examples', '--output-type', 'json'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 28 });
  assert.ok(stdout.startsWith('{'), `dependency-cruiser says: ${stderr}`);
  const { summary } = JSON.parse(stdout) as Cruise;
  return new Set(summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`));
}

describe('import rules', function () {
  this.timeout(120_000);
  let folder: string;
  let found: Set<string>;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-imports-'));
    for (const name of [
      'agent/lib',
      'agent/page',
      'lib',
      'types',
      'examples',
      'scripts',
      '.dependency-cruiser.cjs',
      'tsconfig.json',
      'package.json',
    ]) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    for (const name of ['agent/test', 'test/kernel', 'test/native']) mkdirSync(join(folder, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const { file, text } of [...forbiddenRooms, ...forbiddenPackages, ...others, TWO]) {
      writeFileSync(join(folder, file), text, { flag: 'a' });
    }
    found = findViolations(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const { rule, file } of [...forbiddenRooms, ...forbiddenPackages, ...others]) {
    it(`${rule}: ${file} is refused`, () => {
      assert.ok(found.has(`${rule}: ${file}`), `not among\n${[...found].sort().join('\n')}`);
    });
  }

  it('every rule is broken by a case', () => {
    const config = load('../../../.dependency-cruiser.cjs') as { forbidden: readonly { name: string }[] };
    const broken = new Set([...found].map((each) => each.replace(/: .*$/, '')));
    assert.deepEqual(
      config.forbidden.map(({ name }) => name).filter((name) => !broken.has(name)),
      [],
    );
  });
});
