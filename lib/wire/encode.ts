/** Turns a HookImage into the bytes of struct hook_config and the entries of the hook's tables. Pure. */
import type { ArgImage, ArgType as ImageArgType, HookImage, IntGroup, TextTable } from '../policy/image.js';
import { KernelError } from '../errors.js';
import {
  AbiLimit,
  ArgConfig,
  ArgType,
  ArgValue,
  BinaryTest,
  HookConfig,
  IntGroup as IntGroupLayout,
  IntOp,
  IntTest,
  TextConfig,
  TextTable as TextTableLayout,
} from './layout.gen.js';
import { equalEntries, selectorMask, textBytes, trieEntries } from './tables.js';

export interface EncodeContext {
  readonly id: number;
  /** 0: no process is left out. */
  readonly selfTgid: number;
  /** Entry and return are two programs. */
  readonly pair: boolean;
  /** Parameters of the kernel function. */
  readonly params: number;
  /** Bit of each of the policy's binary sets. */
  readonly binaryBits: readonly number[];
  /** Kernel allocates map entries on demand safely (BPF memory allocator). */
  readonly onDemand: boolean;
}

export interface EncodedHook {
  readonly config: Uint8Array;
  readonly maps: readonly EncodedMap[];
}

export interface EncodedMap {
  readonly name: string;
  readonly create: boolean;
  readonly keySize: number;
  readonly trim: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly entries: Uint8Array;
}

export const TYPE_NUMBERS: Readonly<Record<ImageArgType, number>> = {
  nop: ArgType.ARG_NOP,
  int: ArgType.ARG_INT,
  uint32: ArgType.ARG_UINT32,
  size_t: ArgType.ARG_SIZE_T,
  string: ArgType.ARG_STRING,
  filename: ArgType.ARG_FILENAME,
  file: ArgType.ARG_FILE,
  path: ArgType.ARG_PATH,
  fd: ArgType.ARG_FD,
};

const TEXT_ROOM = 4096;
const BPF_F_NO_PREALLOC = 1;
/** Calls of one hook that may be between entry and return at once. */
const PENDING_ON_DEMAND = 16384;
const PENDING_PREALLOCATED = 512;
const NO_ENTRIES = new Uint8Array(0);

export function isText(type: ImageArgType): boolean {
  return TYPE_NUMBERS[type] >= ArgType.ARG_STRING;
}

export function encodeHook(hook: HookImage, context: EncodeContext): EncodedHook {
  const texts = textOrder(hook);
  if (texts.length > AbiLimit.TEXT_ARGS_MAX) {
    throw new KernelError(
      'LIMIT_TEXT_ARGS',
      `${hook.call}: ${texts.length} string and path arguments, at most ${AbiLimit.TEXT_ARGS_MAX} fit one event`,
      'split the hook in two that read fewer arguments each',
    );
  }
  return {
    config: encodeConfig(hook, context, texts),
    maps: encodeMaps(hook, context, texts.length),
  };
}

/** Slots of the text arguments, cheapest to decide on first: filtered strings, filtered paths, then the others. */
function textOrder(hook: HookImage): number[] {
  const cost = (slot: number): number => {
    const arg = hook.args[slot] as ArgImage;
    return (hasFilter(arg) ? 0 : 2) + (TYPE_NUMBERS[arg.type] >= ArgType.ARG_FILE ? 1 : 0);
  };
  return hook.args
    .map((_, slot) => slot)
    .filter((slot) => isText((hook.args[slot] as ArgImage).type))
    .sort((a, b) => cost(a) - cost(b) || a - b);
}

function hasFilter(arg: ArgImage): boolean {
  return arg.texts.equal !== undefined || arg.texts.prefix !== undefined || arg.texts.postfix !== undefined;
}

function encodeConfig(hook: HookImage, context: EncodeContext, texts: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(HookConfig.sizeof);
  const view = new DataView(bytes.buffer);
  const u8 = (offset: number, value: number): void => view.setUint8(offset, value);

  view.setUint32(HookConfig.hook, context.id, true);
  view.setUint32(HookConfig.selfTgid, context.selfTgid, true);
  view.setBigUint64(HookConfig.selectors, (1n << BigInt(Math.max(1, hook.selectors))) - 1n, true);
  u8(HookConfig.argsCount, hook.args.length);
  u8(HookConfig.syscall, hook.syscall ? 1 : 0);
  u8(HookConfig.hasReturn, hook.returnArg === undefined ? 0 : 1);
  u8(HookConfig.pair, context.pair ? 1 : 0);
  u8(HookConfig.pidGroups, hook.pids.length);
  u8(HookConfig.returnGroups, hook.returnArg?.ints.length ?? 0);
  u8(HookConfig.binaryTests, hook.binaries.length);
  u8(HookConfig.returnType, TYPE_NUMBERS[hook.returnArg?.type ?? 'nop']);
  u8(HookConfig.params, context.params);
  u8(HookConfig.textsCount, texts.length);
  view.setUint32(HookConfig.bodySize, bodySize(texts.length), true);

  hook.args.forEach((arg, slot) => {
    const at = HookConfig.args + slot * HookConfig.argsStride;
    u8(at + ArgConfig.type, TYPE_NUMBERS[arg.type]);
    u8(at + ArgConfig.param, arg.index);
    u8(at + ArgConfig.intGroups, arg.ints.length);
  });
  texts.forEach((slot, i) => encodeText(view, HookConfig.texts + i * HookConfig.textsStride, hook, slot));
  encodeGroups(view, [...hook.pids, ...hook.args.flatMap((arg) => arg.ints), ...(hook.returnArg?.ints ?? [])]);
  hook.binaries.forEach((test, i) => {
    const at = HookConfig.binaries + i * HookConfig.binariesStride;
    view.setBigUint64(at + BinaryTest.selectors, selectorMask(test.selectors), true);
    view.setUint16(at + BinaryTest.set, context.binaryBits[test.set] as number, true);
    u8(at + BinaryTest.negate, test.negate ? 1 : 0);
  });
  return bytes;
}

function encodeText(view: DataView, at: number, hook: HookImage, slot: number): void {
  const arg = hook.args[slot] as ArgImage;
  view.setUint8(at + TextConfig.slot, slot);
  view.setUint8(at + TextConfig.type, TYPE_NUMBERS[arg.type]);
  view.setUint8(at + TextConfig.param, arg.index);
  view.setUint8(at + TextConfig.user, hook.syscall && arg.type === 'string' ? 1 : 0);
  view.setUint8(at + TextConfig.filtered, hasFilter(arg) ? 1 : 0);
  const table = (offset: number, of: TextTable | undefined): void => {
    if (of === undefined) return;
    view.setBigUint64(at + offset + TextTableLayout.positive, selectorMask(of.positive), true);
    view.setBigUint64(at + offset + TextTableLayout.used, selectorMask(of.used), true);
    view.setUint32(at + offset + TextTableLayout.longest, longest(of), true);
  };
  table(TextConfig.equal, arg.texts.equal);
  table(TextConfig.prefix, arg.texts.prefix);
  table(TextConfig.postfix, arg.texts.postfix);
}

function encodeGroups(view: DataView, groups: readonly IntGroup[]): void {
  let first = 0;
  groups.forEach((group, g) => {
    const at = HookConfig.groups + g * HookConfig.groupsStride;
    view.setBigUint64(at + IntGroupLayout.selectors, selectorMask(group.selectors), true);
    view.setUint8(at + IntGroupLayout.negate, group.negate ? 1 : 0);
    view.setUint8(at + IntGroupLayout.first, first);
    view.setUint8(at + IntGroupLayout.count, group.tests.length);
    group.tests.forEach((test, t) => {
      const testAt = HookConfig.tests + (first + t) * HookConfig.testsStride;
      view.setBigUint64(testAt + IntTest.value, test.value, true);
      view.setBigUint64(testAt + IntTest.selectors, selectorMask(test.selectors), true);
      view.setUint32(testAt + IntTest.op, opNumber(test.op, test.signed), true);
    });
    first += group.tests.length;
  });
}

function opNumber(op: 'equal' | 'mask' | 'greater' | 'less', signed: boolean): number {
  switch (op) {
    case 'equal':
      return IntOp.INT_EQUAL;
    case 'mask':
      return IntOp.INT_MASK;
    case 'greater':
      return signed ? IntOp.INT_GREATER_SIGNED : IntOp.INT_GREATER;
    case 'less':
      return signed ? IntOp.INT_LESS_SIGNED : IntOp.INT_LESS;
  }
}

function bodySize(texts: number): number {
  return AbiLimit.HOOK_ARGS_MAX * ArgValue.sizeof + texts * TEXT_ROOM;
}

function longest(table: TextTable): number {
  return table.entries.reduce((most, entry) => Math.max(most, textBytes(entry.value).length), 0);
}

function encodeMaps(hook: HookImage, context: EncodeContext, texts: number): EncodedMap[] {
  const trim = (AbiLimit.TEXT_ARGS_MAX - texts) * TEXT_ROOM;
  const plain = { create: true, keySize: 0, trim: 0, maxEntries: 0, flags: 0, entries: NO_ENTRIES };
  const tables = (kind: 'equal' | 'prefix' | 'postfix'): { slot: number; table: TextTable }[] =>
    hook.args.flatMap((arg, slot) => {
      const table = arg.texts[kind];
      return table === undefined ? [] : [{ slot, table }];
    });
  const sized = (name: string, count: number, more: Partial<EncodedMap>): EncodedMap => ({
    ...plain,
    name,
    create: count > 0,
    maxEntries: count,
    ...more,
  });
  const count = (of: { table: TextTable }[]): number => of.reduce((sum, { table }) => sum + table.entries.length, 0);
  const equal = tables('equal');
  const keySize = 1 + equal.reduce((most, { table }) => Math.max(most, longest(table)), 1);
  return [
    { ...plain, name: 'scratch', trim },
    sized('text_equal', count(equal), { keySize, entries: equalEntries(equal, keySize) }),
    sized('text_prefix', count(tables('prefix')), { entries: trieEntries(tables('prefix'), false) }),
    sized('text_postfix', count(tables('postfix')), { entries: trieEntries(tables('postfix'), true) }),
    {
      ...plain,
      name: 'pending',
      create: context.pair,
      trim,
      maxEntries: context.onDemand ? PENDING_ON_DEMAND : PENDING_PREALLOCATED,
      flags: context.onDemand ? BPF_F_NO_PREALLOC : 0,
    },
  ];
}
