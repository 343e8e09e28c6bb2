/** Files without an end and types that contain themselves give an error with a code. No process hangs or fills the memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeBtf, type BtfType } from '../fuzz/btf-file.js';
import { needsRoot, runScript, SANITIZED } from './support.js';

const PTR = 2;
const ARRAY = 3;
const STRUCT = 4;
const TYPEDEF = 8;
const CONST = 10;

const INT: BtfType = { kind: 1, name: 'int', ref: 4, rest: [32 | (1 << 24)] };

const DAMAGED: Readonly<Record<string, readonly BtfType[]>> = {
  'a typedef of itself': [{ kind: TYPEDEF, name: 'loop', ref: 1 }],
  'typedefs in a circle': [
    { kind: TYPEDEF, name: 'a', ref: 2 },
    { kind: CONST, ref: 3 },
    { kind: TYPEDEF, name: 'b', ref: 1 },
  ],
  'a struct that contains itself': [{ kind: STRUCT, name: 's', ref: 8, members: 1, rest: ['inner', 1, 0] }],
  'an unnamed member that contains itself': [{ kind: STRUCT, name: 's', ref: 8, members: 1, rest: ['', 1, 0] }],
  'an array of itself': [INT, { kind: ARRAY, rest: [2, 1, 4] }],
  'typedefs 100 deep': [INT, ...Array.from({ length: 100 }, (_, i) => ({ kind: TYPEDEF, name: `t${i}`, ref: i + 1 }))],
  'unnamed members that double 30 times': [
    INT,
    { kind: STRUCT, ref: 4, members: 1, rest: ['leaf', 1, 0] },
    ...Array.from({ length: 30 }, (_, i) => ({ kind: STRUCT, ref: 4, members: 2, rest: ['', i + 2, 0, '', i + 2, 0] })),
  ],
  'unnamed members that double 40 times around an empty struct': [
    { kind: STRUCT, ref: 0 },
    ...Array.from({ length: 40 }, (_, i) => ({ kind: STRUCT, ref: 4, members: 2, rest: ['', i + 1, 0, '', i + 1, 0] })),
  ],
};

describe('input without an end', function () {
  this.timeout(60_000);
  before(needsRoot);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-endless-'));
  const file = join(folder, 'types.btf');
  const pipe = join(folder, 'pipe');
  before(() => void execFileSync('mkfifo', [pipe]));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The error of an expression's promise, in a process with limited memory that ends after 20 s. */
  async function getRejection(expression: string): Promise<unknown> {
    const limits = SANITIZED ? [] : ['sh', '-c', 'ulimit -v 16000000; exec "$@"', 'sh'];
    const { stdout, stderr, signal } = await runScript(
      `out(await (async () => (${expression}))().then(() => 'no error', (e) => [e.code, e.message]))`,
      { timeout: 20_000, command: limits },
    );
    assert.equal(signal, null, `hangs: ${expression}`);
    return JSON.parse(stdout === '' ? JSON.stringify(stderr) : stdout);
  }

  for (const [what, types] of Object.entries(DAMAGED)) {
    it(`BTF with ${what}`, async () => {
      writeFileSync(file, encodeBtf(types));
      const [code, message] = (await getRejection(`polytrace.loadKernelInfo(${JSON.stringify(file)})`)) as [string, string];
      assert.equal(code, 'BTF_UNREADABLE');
      assert.match(message, /types contain themselves, or are nested too deep/);
    });
  }

  it('BTF that is valid is read: a struct may refer to itself by a pointer', async () => {
    writeFileSync(file, encodeBtf([{ kind: STRUCT, name: 'list', ref: 8, members: 1, rest: ['next', 2, 0] }, { kind: PTR, ref: 1 }]));
    const members = `polytrace.loadKernelInfo(${JSON.stringify(file)}).struct('list').members().map(({ name }) => name)`;
    assert.deepEqual(await getRejection(`Promise.reject({ code: ${members} })`), [['next'], null]);
  });

  const uprobePolicy = (path: string, more = ''): string =>
    JSON.stringify(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: endless }
spec: { uprobes: [{ path: ${path}, symbols: [main]${more} }] }`);

  for (const [what, path] of [['/dev/zero', '/dev/zero'], ['a pipe', pipe]] as const) {
    const name = JSON.stringify(path);
    it(`${what} as BTF`, async () => {
      const [code] = (await getRejection(`polytrace.loadKernelInfo(${name})`)) as [string];
      assert.equal(code, 'BTF_UNREADABLE');
    });

    it(`${what} as the program of a uprobe, also with digests`, async () => {
      const open = (yaml: string): string => `polytrace.openTracer({ policies: [{ yaml: ${yaml} }] })`;
      const [code] = (await getRejection(open(uprobePolicy(path)))) as [string];
      assert.equal(code, 'HOOK_ATTACH');
      const digests = `, binaryDigests: ["sha256:${'0'.repeat(64)}"]`;
      assert.deepEqual(((await getRejection(open(uprobePolicy(path, digests)))) as [string])[0], 'HOOK_NOT_FOUND');
    });
  }

  it('/dev/zero as a policy', async () => {
    assert.equal(((await getRejection(`polytrace.openTracer({ policies: ['/dev/zero'] })`)) as [string])[0], 'FILE_TOO_LARGE');
  });
});
