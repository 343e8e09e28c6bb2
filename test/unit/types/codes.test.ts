/** The unions of codes in types/ have exactly the codes that polytrace uses, and the page that explains them. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileFunction } from 'node:vm';
import { build } from 'esbuild';
import { DIAGNOSTIC_CODES } from '../../../lib/policy/parse/codes.js';
import { readProjectFile, ROOT } from '../../project.js';

/** Codes of the addon that lib/ handles, and that no user sees. */
const INTERNAL = ['DESCRIPTORS', 'HOOK_NOT_FOUND', 'NO_MEMORY', 'NO_SUCH_HOOK', 'NO_THREAD'];

function unionMembers(name: string): string[] {
  const [, text = ''] = new RegExp(`export type ${name} =([^;]*);`).exec(readProjectFile('types/codes.d.ts')) ?? [];
  return [...text.matchAll(/'([A-Z_0-9]+)'/g)].map(([, code]) => code ?? '').sort();
}

function addonCodes(): string[] {
  const files = readdirSync(join(ROOT, 'native'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.cc'),
  );
  const texts = files.map((name) => readProjectFile(`native/${name}`));
  return texts.flatMap((text) => [...text.matchAll(/Failure\{\s*"([A-Z_]+)"/g)].map(([, code]) => code ?? ''));
}

describe('codes', () => {
  it('of diagnostics are a union', () => {
    assert.deepEqual(unionMembers('DiagnosticCode'), Object.keys(DIAGNOSTIC_CODES).sort());
  });

  it('of errors and of chains are unions, with the codes of diagnostics and those in the lists of docs/diagnostics.md', () => {
    const items = readProjectFile('docs/diagnostics.md').matchAll(/^- ((?:`[A-Z_0-9]+`(?:, )?)+)[ :]/gm);
    const names = [...items].flatMap(([, codes = '']) => [...codes.matchAll(/`([A-Z_0-9]+)`/g)]);
    const documented = new Set(names.map(([, code]) => code ?? ''));
    const others = [...documented].filter((code) => !Object.hasOwn(DIAGNOSTIC_CODES, code)).sort();
    assert.ok(others.length > 50);
    assert.deepEqual([...unionMembers('ErrorCode'), ...unionMembers('ChainProblemCode')].sort(), others);
  });

  it('of the addon are in the union', () => {
    const known = new Set([...unionMembers('ErrorCode'), ...INTERNAL]);
    const codes = addonCodes();
    assert.ok(codes.length > 20);
    assert.deepEqual(
      codes.filter((code) => !known.has(code)),
      [],
    );
  });
});

describe('names of errors', () => {
  it('stay when a bundler makes the names of classes shorter', async () => {
    const { outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: ['lib/errors.ts'],
      bundle: true,
      minify: true,
      write: false,
      format: 'cjs',
      platform: 'node',
    });
    const loaded = { exports: {} as typeof import('../../../lib/errors.js') };
    const run = compileFunction(outputFiles[0]?.text ?? '', ['module']) as (module: object) => void;
    run(loaded);
    const { KernelError, PolicyError, PolytraceError } = loaded.exports;
    const errors = [new PolytraceError('CLOSED', 'x', ''), new PolicyError([]), new KernelError('NO_BTF', 'x', '')];
    const names = ['PolytraceError', 'PolicyError', 'KernelError'];
    assert.notDeepEqual(
      errors.map((error) => error.constructor.name),
      names,
    );
    assert.deepEqual(
      errors.map(({ name }) => name),
      names,
    );
  });
});
