/** The chain of the export: over rotation, compression, restarts and kills; and what `polytrace verify` says of tampering. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { runCommand } from '../../../lib/cli/program.js';
import { loadConfiguration } from '../../lib/config/load.js';
import { JsonExport, openSink } from '../../lib/export/export.js';
import { createExportFormat } from '../../lib/export/format.js';
import { openLog } from '../../lib/log/log.js';

const quiet = openLog({ level: 'info', format: 'json' }, new PassThrough().resume());

describe('the chain of the export', () => {
  let folder: string;
  let path: string;
  let chain: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-chain-'));
    path = join(folder, 'events.json');
    chain = join(folder, 'chain');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function openExport(flags: Parameters<typeof loadConfiguration>[0]['flags'] = {}): Promise<JsonExport> {
    const { options, sources } = loadConfiguration({
      env: {},
      flags: { exportFilename: path, exportChain: 'true', exportChainDir: chain, ...flags },
    });
    const sink = await openSink(options, new PassThrough(), quiet);
    assert.ok(sink !== undefined);
    return new JsonExport(options, createExportFormat(options, sources, undefined), sink, quiet, 'node');
  }

  /** Exports lines in pieces, each with a write of its own. */
  async function addLines(target: JsonExport, from: number, to: number, piece = 10): Promise<void> {
    for (let i = from; i < to; i++) {
      target.add(JSON.stringify({ process_exec: { process: { arguments: `n${i} ${'x'.repeat(1000)}` } } }), false);
      if (i % piece !== piece - 1) continue;
      target.flush();
      while (target.stats.waiting > 0) await new Promise(setImmediate);
    }
    target.flush();
  }

  async function exportLines(from: number, to: number, flags = {}): Promise<JsonExport> {
    const target = await openExport(flags);
    await addLines(target, from, to);
    await target.close();
    return target;
  }

  /** The files of the export, oldest first. */
  const files = (): string[] =>
    readdirSync(folder)
      .filter((name) => name.startsWith('events'))
      .sort((a, b) => Number(a === 'events.json') - Number(b === 'events.json') || (a < b ? -1 : 1))
      .map((name) => join(folder, name));
  const readLines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const writeLines = (file: string, lines: readonly string[]): void =>
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));

  async function verify(...more: readonly string[]): Promise<{ status: number; out: string; err: string }> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const keys = ['--checkpoints', join(chain, 'checkpoints.jsonl'), '--key', join(chain, 'public.pem')];
    const args = ['verify', ...(more.length > 0 ? more : files().reverse()), ...keys];
    const status = await runCommand(args, { stdout, stderr, env: {} } as never);
    const read = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? '');
    return { status, out: read(stdout), err: read(stderr) };
  }

  async function assertProblem(code: string, message: RegExp, ...more: readonly string[]): Promise<void> {
    const { status, out, err } = await verify(...more);
    assert.equal(status, 1, out);
    assert.match(err, new RegExp(`: ${code}: `));
    assert.match(err, message);
    assert.match(out, /^\d+ problems: /m);
  }

  it('goes on over rotation, compression and a restart, and is verified in any order of the files', async () => {
    const flags = { exportFileMaxSizeMb: '1', exportFileCompress: 'true', exportFileMaxBackups: '100' };
    await exportLines(0, 1500, flags);
    await exportLines(1500, 3000, flags);
    assert.ok(files().length >= 3 && files()[0]?.endsWith('.gz'), files().join());
    const { status, out, err } = await verify();
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, /^verified: 3000 lines, 1 to 3000, in \d files\nsigned: up to line 3000, at /);
    assert.match(out, /counted as lost: nothing\n$/);
    assert.equal(statSync(join(chain, 'key.pem')).mode & 0o777, 0o600);
  });

  it('old files that the agent removes itself are no problem; one that somebody else removes is', async () => {
    await exportLines(0, 4000, { exportFileMaxSizeMb: '1', exportFileMaxBackups: '2' });
    const { status, out, err } = await verify();
    assert.deepEqual([status, err], [0, ''], out);
    assert.ok(Number(/lines, (\d+) to 4000/.exec(out)?.[1]) > 1, out);
    unlinkSync(files()[0] as string);
    await assertProblem('CHAIN_MISSING', /lines \d+ to \d+ are missing before this line/);
  });

  const TAMPERING: Readonly<Record<string, readonly [code: string, change: (lines: string[]) => string[]]>> = {
    'a removed line': ['CHAIN_MISSING', (lines) => lines.filter((_, i) => i !== 20)],
    'a changed line': ['CHAIN_CHANGED', (lines) => lines.map((line, i) => (i === 20 ? line.replace('n20', 'n21') : line))],
    'a changed last line': ['CHAIN_CHANGED', (lines) => lines.map((line, i) => (i === 49 ? line.replace('n49', 'n48') : line))],
    'two swapped lines': ['CHAIN_ORDER', (lines) => [...lines.slice(0, 20), lines[21] as string, lines[20] as string, ...lines.slice(22)]],
    'a repeated line': ['CHAIN_ORDER', (lines) => [...lines.slice(0, 21), ...lines.slice(20)]],
    'an added line': ['CHAIN_LINE', (lines) => [...lines.slice(0, 20), '{"process_exec":{}}', ...lines.slice(20)]],
    'a number in the middle that is changed': ['CHAIN_MISSING', (lines) => lines.map((line, i) => (i === 20 ? line.replace('"seq":21', '"seq":99') : line))],
    'lines cut at the end of a line': ['CHAIN_MISSING', (lines) => lines.slice(0, 40)],
    'the first lines removed': ['CHAIN_MISSING', (lines) => lines.slice(10)],
    'no line at all': ['CHAIN_MISSING', () => []],
  }; // prettier-ignore
  for (const [title, [code, change]] of Object.entries(TAMPERING)) {
    it(`${title}: ${code}`, async () => {
      await exportLines(0, 50);
      writeLines(path, change(readLines(path)));
      await assertProblem(code, /./);
    });
  }

  it('the whole last file removed, and a rotated file replaced by an older one', async () => {
    await exportLines(0, 4000, { exportFileMaxSizeMb: '1', exportFileMaxBackups: '100' });
    const [first = '', second = '', ...others] = files();
    await assertProblem('CHAIN_MISSING', /are missing at the end/, ...files().slice(0, -1));
    copyFileSync(first, second);
    await assertProblem('CHAIN_ORDER', /repeated or moved/, first, second, ...others);
  });

  it('a rewritten chain with forged checkpoints: the signature is not that of the node', async () => {
    await exportLines(0, 20);
    const own = readFileSync(join(chain, 'public.pem'));
    for (const each of [path, chain]) rmSync(each, { recursive: true });
    await exportLines(5, 25);
    writeFileSync(join(chain, 'public.pem'), own);
    await assertProblem('CHAIN_SIGNATURE', /not signed with the key/);
  });

  it('lines that a killed agent has not signed are verified, and an incomplete one is counted as lost', async () => {
    await exportLines(0, 20);
    const checkpoints = readFileSync(join(chain, 'checkpoints.jsonl'));
    await exportLines(20, 40);
    writeFileSync(join(chain, 'checkpoints.jsonl'), checkpoints);
    const unsigned = await verify();
    assert.equal(unsigned.status, 0);
    assert.match(unsigned.out, /signed: up to line 20, .*\nnot signed yet: 20 lines at the end/);
    appendFileSync(path, '{"process_exec":{"proc');
    const next = await exportLines(40, 50);
    assert.equal(next.stats.lost, 1);
    const { status, out, err } = await verify();
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, /verified: 51 lines, .*[^]*counted as lost: 1 events \(export 1\)/);
  });

  for (const [title, remove] of [
    ['removed', () => unlinkSync(path)],
    ['emptied', () => truncateSync(path)],
  ] as const) {
    it(`a file that was ${title} while no agent ran: its lines are counted as lost, and missing in the chain`, async () => {
      await exportLines(0, 1024);
      remove();
      const next = await exportLines(1024, 1030);
      assert.equal(next.stats.lost, 1024);
      await assertProblem('CHAIN_MISSING', /lines 1 to 1024 are missing/);
      assert.match((await verify()).out, /counted as lost: 1024 events \(export 1024\)/);
    });
  }

  it('the key, the checkpoints and the files have to be there', async () => {
    const { status, err } = await verify('/no/such/file');
    assert.equal(status, 2);
    assert.match(err, /cannot read .*public\.pem: ENOENT; --key names the public key/);
    await exportLines(0, 5);
    assert.match((await verify('/no/such/file')).err, /cannot read \/no\/such\/file: ENOENT/);
    writeFileSync(join(chain, 'public.pem'), 'no key');
    assert.match((await verify()).err, /public\.pem has no key/);
  });

  it('a key of another kind, and an export to standard output, are refused', async () => {
    await exportLines(0, 1);
    writeFileSync(join(chain, 'key.pem'), readFileSync(join(chain, 'public.pem')));
    await assert.rejects(openExport(), /key\.pem is not a private key of Ed25519; remove it/);
    assert.throws(
      () => loadConfiguration({ env: {}, flags: { exportChain: 'true', exportFilename: '-' } }),
      /needs a file/,
    );
    assert.throws(
      () => loadConfiguration({ env: {}, flags: { exportChain: 'true' } }),
      /export-chain needs export-filename/,
    );
  });
});
