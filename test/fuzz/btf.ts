/** BTF files that are damaged or malicious. The addon reads them, as for `loadKernelInfo(FILE)`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { KernelError, loadKernelInfo } from '../../lib/index.js';
import type { KernelInfo, TypeInfo } from '../../types/kernel.js';
import { encodeBtf, type BtfType } from './btf-file.js';
import { applyChanges, changes } from './mutations.js';
import type { Target } from './target.js';

const name = fc.constantFrom('a', 'b', 'list', 'pt_regs', 'btf_trace_x', '\u{fffd}', 'x'.repeat(300));
/** The id of a type: usually one that exists, often a later one or the type itself. */
const ref = fc.oneof({ weight: 100, arbitrary: fc.nat(12) }, fc.constantFrom(0xffff, 0xffff_ffff));
const bits = fc.constantFrom(0, 8, 32, 0x0400_0003, 0xffff_ffff);
const count = fc.constantFrom(1, 1, 2, 3, 200);

const repeat = (words: readonly (number | string)[], n: number): readonly (number | string)[] =>
  Array.from({ length: n }, () => words).flat();

const known: fc.Arbitrary<BtfType> = fc.oneof(
  fc.record({ kind: fc.constant(1), name, ref: fc.constantFrom(1, 4, 8), rest: fc.constantFrom([32], [0x0100_0020], [0xffff_ffff]) }),
  fc.record({ kind: fc.constantFrom(2, 7, 8, 9, 10, 11, 12, 18), name, ref }),
  fc.record({ kind: fc.constant(3), name: fc.constant(''), rest: fc.tuple(ref, ref, fc.constantFrom(1, 4, 0xffff_ffff)) }),
  fc.tuple(fc.constantFrom(4, 4, 5), name, name, ref, bits, count, fc.boolean()).map(([kind, own, inner, of, at, n, flag]) => ({
    kind, name: own, ref: 8, members: n, flag, rest: repeat([inner, of, at], n),
  })),
  fc.tuple(fc.constantFrom(6, 19), name, count).map(([kind, own, n]) => ({
    kind, name: own, ref: 4, members: n, rest: repeat(kind === 6 ? ['', 1] : ['', 1, 1], n),
  })),
  fc.tuple(name, ref, count).map(([param, of, n]) => ({ kind: 13, ref: of, members: n, rest: repeat([param, of], n) })),
  fc.tuple(name, ref).map(([own, of]) => ({ kind: 14, name: own, ref: of, rest: [1] })),
  fc.record({ kind: fc.constant(16), name, ref: fc.constantFrom(4, 8) }),
); // prettier-ignore

/** Sometimes a kind that does not exist. */
const type = fc.oneof({ weight: 60, arbitrary: known }, fc.record({ kind: fc.nat(31), name, ref }));

const FUNC = 12;
const FUNC_PROTO = 13;

/** Functions have a prototype, if there is one. */
function withPrototypes(types: readonly BtfType[]): BtfType[] {
  const prototypes = types.flatMap(({ kind }, i) => (kind === FUNC_PROTO ? [i + 1] : []));
  return types.map((type) =>
    type.kind === FUNC && prototypes.length > 0
      ? { ...type, ref: prototypes[(type.ref ?? 0) % prototypes.length] ?? 0 }
      : type,
  );
}

/** Most types refer to types that exist. */
const TYPES = 14;
const types = fc.array(type, { minLength: 12, maxLength: TYPES, size: 'max' }).map(withPrototypes);

/** Structs that contain the one before them, several times: their members multiply. */
const nested = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.nat(4), name).map(([depth, n, inner]) =>
  Array.from({ length: depth }, (_, i): BtfType => ({ kind: 4, name: `s${i}`, ref: 8, members: n, rest: repeat([inner, i, 0], i === 0 ? 0 : n) })).map(
    (each, i) => (i === 0 ? { ...each, members: 0, rest: [] } : each),
  ),
); // prettier-ignore

const inputs = fc
  .tuple(fc.oneof({ weight: 8, arbitrary: types }, fc.array(type, { maxLength: TYPES }), nested), changes)
  .map(([types, list]) => applyChanges(encodeBtf(types), list));

let folder: string | undefined;

/** One file for all inputs. */
function inputFile(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-fuzz-'));
    process.once('exit', () => rmSync(folder as string, { recursive: true, force: true }));
  }
  return join(folder, 'types.btf');
}

function load(input: Buffer): KernelInfo | undefined {
  writeFileSync(inputFile(), input);
  try {
    return loadKernelInfo(inputFile());
  } catch (error) {
    assert.ok(error instanceof KernelError && error.code === 'BTF_UNREADABLE', String(error));
    return undefined;
  }
}

/** Maximum number of types that one check looks at: structs of 200 members that contain each other have millions. */
const MAX_TYPES = 2000;

/** Looks at a type as the checks of policies do. */
function walk(type: TypeInfo | undefined, budget: { types: number }, depth = 0): void {
  if (type === undefined || depth > 3 || budget.types-- <= 0) return;
  assert.ok(Number.isInteger(type.size) && type.size >= 0);
  for (const member of type.members().slice(0, 20)) {
    assert.ok(member.bitOffset >= 0 && member.bitfieldSize >= 0);
    walk(member.type, budget, depth + 1);
  }
  walk(type.target(), budget, depth + 1);
}

function check(input: Buffer): void {
  const kernel = load(input);
  if (kernel === undefined) return;
  const budget = { types: MAX_TYPES };
  for (const each of kernel.functionNames().slice(0, 20)) {
    const found = kernel.function(each);
    for (const { type: own } of found?.params.slice(0, 20) ?? []) walk(own, budget);
    walk(found?.returns, budget);
  }
  for (const each of kernel.structNames().slice(-20)) walk(kernel.struct(each), budget);
  for (const each of kernel.rawTracepointNames().slice(0, 20))
    walk(kernel.rawTracepoint(each)?.params[0]?.type, budget);
}

export const btf: Target = { name: 'btf', extension: 'btf', inputs, check };
