/** The file of the addon: its BPF objects are compressed, and a damaged one is refused. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needsRoot, ROOT, runScript } from './support.js';

/** What gzip -9 writes first: without a name and a time, with the most compression, on Unix. */
const GZIP = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]);

/** Two objects of each of 10 sources, and a third one of 8 of them. */
const OBJECTS = 28;

function findObjects(addon: Buffer): number[] {
  const starts = [];
  for (let at = addon.indexOf(GZIP); at >= 0; at = addon.indexOf(GZIP, at + 1)) starts.push(at);
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

  const open = (): ReturnType<typeof runScript> =>
    runScript(
      `const error = await polytrace.openTracer().then((tracer) => tracer.close(), (reason) => reason);
       out({ code: error?.code ?? null, message: error?.message ?? '' });`,
      { command: ['env', `POLYTRACE_PREBUILD=${folder}`] },
    );

  async function openDamaged(damage: (addon: Buffer, start: number, end: number) => void): Promise<unknown> {
    const addon = readFileSync(file);
    const starts = findObjects(addon);
    assert.equal(starts.length, OBJECTS);
    for (const [index, start] of starts.entries()) damage(addon, start, starts[index + 1] ?? start + GZIP.length);
    const whole = readFileSync(file);
    writeFileSync(file, addon);
    const { stdout, stderr } = await open();
    writeFileSync(file, whole);
    assert.equal(stderr, '');
    return JSON.parse(stdout);
  }

  it('is loaded where the environment says', async () => {
    assert.deepEqual(JSON.parse((await open()).stdout), { code: null, message: '' });
  });

  it('is refused when an object is damaged', async () => {
    const damaged = (await openDamaged((addon, start) => addon.fill(0x55, start + 1000, start + 1010))) as {
      code: string;
      message: string;
    };
    assert.equal(damaged.code, 'OBJECT_CORRUPT');
    assert.match(damaged.message, /the addon's file is damaged: its BPF object process_(direct|probe|old)$/);
  });

  it('is refused when an object has another size, and asks for no gigabytes', async () => {
    for (const size of [0, 1, 0xffff_ffff]) {
      // one byte follows each object
      const result = await openDamaged((addon, _start, end) => {
        if (end - 5 > 0 && !addon.subarray(end, end + GZIP.length).equals(GZIP)) return;
        addon.writeUInt32LE(size, end - 5);
      });
      assert.equal((result as { code: string }).code, 'OBJECT_CORRUPT', String(size));
    }
  });
});
