/** Resolves paths of members to byte offsets. */
import assert from 'node:assert/strict';
import {
  isFailure,
  resolveSteps,
  startType,
  type ResolvedPath,
  type ResolveFailure,
} from '../../../lib/policy/kernel/resolve.js';
import type { KernelInfo, MemberInfo, TypeInfo } from '../../../types/kernel.js';
import { fakeKernel } from './fake-kernel.js';

function typeInfo(kind: TypeInfo['kind'], more: Partial<TypeInfo> = {}): TypeInfo {
  return { kind, name: '', alias: '', size: 0, signed: false, target: () => undefined, members: () => [], ...more };
}

const pointerType = (target: TypeInfo | undefined): TypeInfo => typeInfo('pointer', { size: 8, target: () => target });
const arrayType = (target: TypeInfo, count: number): TypeInfo =>
  typeInfo('array', { size: target.size * count, target: () => target });
/** Each member is `[name, type, byte offset]`. A fourth number is the width of a bit field. */
const structType = (name: string, ...members: readonly (readonly [string, TypeInfo, number, number?])[]): TypeInfo =>
  typeInfo('struct', {
    name,
    size: 64,
    members: () =>
      members.map(([own, memberType, offset, bits = 0]): MemberInfo => ({
        name: own,
        type: memberType,
        bitOffset: offset * 8,
        bitfieldSize: bits,
      })),
  });

const INT = typeInfo('int', { name: 'int', size: 4, signed: true });
const U8 = typeInfo('int', { name: 'unsigned char', size: 1 });
const INODE = structType(
  'inode',
  ['i_mode', typeInfo('int', { name: 'unsigned short', size: 2 }), 0],
  ['i_ino', typeInfo('int', { size: 8 }), 64],
);
const DENTRY: TypeInfo = structType('dentry', ['d_name', arrayType(U8, 40), 56], ['d_inode', pointerType(INODE), 48]);
const PATH = structType('path', ['mnt', pointerType(undefined), 0], ['dentry', pointerType(DENTRY), 8]);
const ITEM = structType('item', ['value', INT, 12]);
const FILE = structType(
  'file',
  ['f_path', PATH, 152],
  ['f_inode', pointerType(INODE), 32],
  ['flags', INT, 20, 3],
  ['unaligned', INT, 20.5],
  ['table', arrayType(pointerType(ITEM), 4), 200],
  ['rows', pointerType(ITEM), 240],
  ['open', arrayType(ITEM, 0), 300],
  ['state', typeInfo('enum', { name: 'state', size: 4 }), 8],
);

function resolvePath(path: string, start = pointerType(FILE)): ResolvedPath {
  const result = resolveSteps(start, path);
  assert.ok(!isFailure(result), JSON.stringify(result));
  return result;
}

const formatSteps = (path: string, start?: TypeInfo): string =>
  resolvePath(path, start)
    .steps.map(({ offset, follow }) => `${offset}${follow ? '*' : ''}`)
    .join(' ');

function resolveFailure(path: string, start = pointerType(FILE)): ResolveFailure {
  const result = resolveSteps(start, path);
  assert.ok(isFailure(result));
  return result;
}

describe('policy: steps of resolve', () => {
  const paths: readonly (readonly [string, string])[] = [
    ['', ''],
    ['f_path', '152'],
    ['f_path.dentry', '160'],
    ['f_path.dentry.d_inode.i_ino', '160* 48* 64'],
    ['f_path.dentry.d_inode.i_mode', '160* 48*'],
    ['f_inode.i_mode', '32*'],
    ['f_path.dentry.d_name[3]', '160* 59'],
    ['table[2]', '216'],
    ['table[2].value', '216* 12'],
    ['rows[2].value', '240* 140'],
    ['open[1].value', '376'],
  ];
  for (const [path, expected] of paths) it(path || 'nothing', () => assert.equal(formatSteps(path), expected));

  it('starts at a struct as at a pointer to the struct', () => {
    assert.equal(formatSteps('f_inode.i_ino', FILE), '32* 64');
  });

  it('describes the value at the end of the path', () => {
    const describeEnd = (path: string): unknown[] => {
      const { width, signed, isPointer, arrayBytes } = resolvePath(path).end;
      return [width, signed, isPointer, arrayBytes];
    };
    assert.deepEqual(describeEnd('f_inode.i_mode'), [2, false, false, 0]);
    assert.deepEqual(describeEnd('rows[0].value'), [4, true, false, 0]);
    assert.deepEqual(describeEnd('state'), [4, false, false, 0]);
    assert.deepEqual(describeEnd('f_path.dentry'), [8, false, true, 0]);
    assert.deepEqual(describeEnd('f_path.dentry.d_name'), [0, false, false, 40]);
    assert.deepEqual(describeEnd('f_path'), [0, false, false, 0]);
  });

  const failures: readonly (readonly [string, string, RegExp])[] = [
    ['flags', 'RESOLVE_BITFIELD', /3 bits/],
    ['unaligned', 'RESOLVE_BITFIELD', /bits/],
    ['f_pathh', 'RESOLVE_NO_MEMBER', /no member "f_pathh"/],
    ['f_path.dentry.d_name[40]', 'RESOLVE_NO_MEMBER', /has 40 elements/],
    ['state.x', 'RESOLVE_NOT_A_STRUCT', /no members/],
    ['state[1]', 'RESOLVE_NOT_A_STRUCT', /no elements/],
    ['f_path.mnt.x', 'RESOLVE_NOT_A_STRUCT', /no members/],
  ];
  for (const [path, code, message] of failures) {
    it(`refuses ${path}`, () => {
      const found = resolveFailure(path);
      assert.equal(found.code, code);
      assert.match(found.message, message);
      assert.ok(found.hint !== '');
    });
  }

  it('refuses more pointers than the BPF programs follow', () => {
    const node: TypeInfo = {
      ...typeInfo('struct', { name: 'node' }),
      members: () => [{ name: 'next', type: pointerType(node), bitOffset: 64, bitfieldSize: 0 }],
    };
    const longPath = (length: number): string => Array.from({ length }, () => 'next').join('.');
    assert.equal(resolvePath(longPath(12), pointerType(node)).steps.length, 12);
    assert.equal(resolveFailure(longPath(13), pointerType(node)).code, 'LIMIT_RESOLVE');
  });

  it('refuses an element whose offset is too large', () => {
    assert.equal(resolveFailure('rows[999999999].value').code, 'LIMIT_RESOLVE');
  });
});

describe('policy: start of resolve', () => {
  const kernel: KernelInfo = {
    ...fakeKernel,
    struct: (name, module) => (module === undefined ? fakeKernel.struct(name) : module === 'xfs' ? FILE : undefined),
  };
  const prototype = { params: [{ name: 'a', type: INT }], returns: pointerType(FILE) };
  const startName = (found: ReturnType<typeof startType>): string | undefined =>
    found === undefined ? undefined : isFailure(found) ? `${found.code}: ${found.message}` : found.name || found.kind;

  it('is the parameter, or the return value', () => {
    assert.equal(startName(startType(kernel, { index: 0 }, prototype)), 'int');
    assert.equal(startName(startType(kernel, { index: 0 }, prototype, true)), 'pointer');
    assert.equal(startType(kernel, { index: 1 }, prototype), undefined);
    assert.equal(startType(kernel, { index: 0 }, undefined), undefined);
  });

  it('is the task', () => {
    assert.equal(startName(startType(kernel, { index: 0, source: 'current_task' }, prototype)), 'task_struct');
  });

  it('is the named struct, of the kernel or of a module', () => {
    assert.equal(startName(startType(kernel, { index: 0, btfType: 'inode' }, prototype)), 'inode');
    assert.equal(startName(startType(kernel, { index: 0, btfType: 'x', btfTypeModule: 'xfs' }, prototype)), 'file');
    const wrong = startType(kernel, { index: 0, btfType: 'inodee' }, prototype);
    assert.ok(wrong !== undefined && isFailure(wrong));
    assert.match(wrong.hint, /did you mean "inode"/);
    const far = startType(kernel, { index: 0, btfType: 'qqqqqqqqqqq' }, prototype);
    assert.match(far !== undefined && isFailure(far) ? far.hint : '', /without the word struct/);
    assert.match(
      startName(startType(kernel, { index: 0, btfType: 'x', btfTypeModule: 'ext4' }, prototype)) ?? '',
      /BTF_TYPE_UNKNOWN: the module "ext4"/,
    );
  });
});
