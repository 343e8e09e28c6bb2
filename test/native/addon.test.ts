/** The file of the addon: its BPF objects are compressed, and a damaged one is refused. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needsRoot, ROOT, runScript } from './support.js';

/** How a frame of zstd begins. The byte after it says which members the header has. */
const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** A header with a checksum and a size of 4 bytes, as all but small objects have it. */
const LARGE = 0xa4;
const SIZE_OFFSET = MAGIC.length + 1;

/** Nine sources have three objects each, two have two, and the four groups have one. CMakeLists.txt lists them. */
const OBJECTS = 35;

const POLICY = `
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: exits }
spec:
  tracepoints: [{ subsystem: sched, event: sched_process_exit, raw: true, args: [{ index: 0, type: nop }] }]
`;

interface Outcome {
  code: string | null;
  message: string;
}

function findObjects(addon: Buffer): number[] {
  const starts = [];
  for (let at = addon.indexOf(MAGIC); at >= 0; at = addon.indexOf(MAGIC, at + 1)) starts.push(at);
  return starts;
}

describe('the file of the addon', function () {
  this.timeout(60_000);
  let folder: string;
  let file: string;

  before(needsRoot);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-addon-'));
    file = join(folder, 'build/Release/polytrace.node');
    mkdirSync(join(folder, 'build/Release'), { recursive: true });
    copyFileSync(join(process.env['POLYTRACE_PREBUILD'] ?? ROOT, 'build/Release/polytrace.node'), file);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Opens a tracer, and adds a policy with the second source of objects. */
  const open = (): ReturnType<typeof runScript> =>
    runScript(
      `const run = async () => {
         const tracer = await polytrace.openTracer();
         await tracer.addPolicy({ yaml: ${JSON.stringify(POLICY)} }).finally(() => tracer.close());
       };
       const error = await run().catch((reason) => reason);
       out({ code: error?.code ?? null, message: error?.message ?? '' });`,
      { command: ['env', `POLYTRACE_PREBUILD=${folder}`] },
    );

  async function openDamaged(damage: (addon: Buffer, start: number, index: number) => void): Promise<Outcome> {
    const addon = readFileSync(file);
    const starts = findObjects(addon);
    assert.equal(starts.length, OBJECTS);
    for (const [index, start] of starts.entries()) damage(addon, start, index);
    const whole = readFileSync(file);
    writeFileSync(file, addon);
    const { stdout, stderr } = await open();
    writeFileSync(file, whole);
    assert.equal(stderr, '');
    return JSON.parse(stdout) as Outcome;
  }

  const overwrite = (addon: Buffer, start: number): unknown => addon.fill(0x55, start + 1000, start + 1010);

  it('is loaded where the environment says', async () => {
    assert.deepEqual(JSON.parse((await open()).stdout), { code: null, message: '' });
  });

  it('is refused when an object is damaged', async () => {
    const damaged = await openDamaged(overwrite);
    assert.equal(damaged.code, 'OBJECT_CORRUPT');
    assert.match(damaged.message, /the addon's file is damaged: its BPF object process_(direct|probe|old)$/);
  });

  it('is refused when the object that another one refers to is damaged', async () => {
    // the table begins with the two objects of `process`
    const damaged = await openDamaged((addon, start, index) => index > 1 && overwrite(addon, start));
    assert.equal(damaged.code, 'OBJECT_CORRUPT');
    assert.match(damaged.message, /: its BPF object fentry_direct$/);
  });

  it('is refused when an object has another size, and asks for no gigabytes', async () => {
    for (const size of [0, 1, 0xffff_ffff]) {
      const { code } = await openDamaged((addon, start) => {
        if (addon[start + MAGIC.length] === LARGE) addon.writeUInt32LE(size, start + SIZE_OFFSET);
      });
      assert.equal(code, 'OBJECT_CORRUPT', String(size));
    }
  });
});
