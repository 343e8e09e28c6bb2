/** Encodes a CompiledHook as the bytes of struct hook_config and the entries of the hook's tables. Pure. */
import { acting, isLate, isReturnSlot, suppressing, valuesOf } from '../../compiled/compiled-hook.js';
import type { CelStep, ChangeTest, CompiledHook, ProcessTest, CompiledValue } from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { encodeActions, addedRoom } from './actions.js';
import { celCode } from './cel.js';
import { encodeGroups, groupsOf, type PlacedGroup } from './comparisons.js';
import { NAMESPACES } from '../../names/namespaces.js';
import { type EncodeContext, type FieldPlace } from './context.js';
import {
  AbiLimit,
  ChangeTest as ChangeLayout,
  HookConfig,
  HookShape,
  Pair,
  ProcessField,
  ProcessTest as ProcessTestLayout,
  RecordRoom,
  ResolveStep,
  ScopeTest as ScopeTestLayout,
  SyscallRegisters,
  ValueConfig,
  VerdictMemory,
  ValueMemory,
  ValueRead,
  ValueSource,
  ValueWidth,
} from '../layout.gen.js';
import { encodeMaps, type EncodedMap } from './maps.js';
import { automatonOf, encodeObject, encodeTable, objectOrder, type HookAutomaton } from './objects.js';
import { isSizeReturned, memoryOf, READS, roomOf, sourceOf } from '../reads.js';
import { selectorMask } from './tables.js';

export type { EncodeContext } from './context.js';
export type { EncodedMap } from './maps.js';

/** Programs of a hook, which do not share their verdicts. */
const PROGRAMS = 2;

export interface EncodedHook {
  readonly config: Uint8Array;
  readonly maps: readonly EncodedMap[];
  /** Instructions that replace a body of the program. The body begins with the number `mark`. */
  readonly code: readonly EncodedCode[];
}

interface EncodedCode {
  readonly mark: number;
  readonly instructions: Uint8Array;
}

/** Throws KernelError LIMIT_… if the hook exceeds a limit that the policy compiler does not check. */
export function encodeHook(hook: CompiledHook, context: EncodeContext): EncodedHook {
  const room = valuesOf(hook).reduce((sum, value) => sum + roomOf(value), 0);
  if (room > RecordRoom.TEXTS_ROOM) {
    throw new KernelError(
      'LIMIT_EVENT_BYTES',
      `${hook.call}: its values can have up to ${room} bytes in total; an event has room for ${RecordRoom.TEXTS_ROOM}`,
      'use `maxData` for at most two values, or split the hook into two',
    );
  }
  const bodySize = RecordRoom.VALUES_ROOM + Math.max(room, AbiLimit.DETAIL_ROOM) + addedRoom(hook);
  const automaton = automatonOf(hook);
  return {
    config: encodeConfig(hook, context, automaton, bodySize),
    maps: encodeMaps(hook, context, automaton, RecordRoom.BODY_MAX - bodySize),
    code: [
      ...expressions(AbiLimit.CEL_ENTRY_MARK, hook.cel.entry, hook.call),
      ...expressions(AbiLimit.CEL_RETURN_MARK, hook.cel.returned, hook.call),
    ],
  };
}

function expressions(mark: number, steps: readonly CelStep[], call: string): EncodedCode[] {
  return steps.length === 0 ? [] : [{ mark, instructions: celCode(steps, AbiLimit.CEL_ROOM, call) }];
}

function encodeConfig(
  hook: CompiledHook,
  context: EncodeContext,
  automaton: HookAutomaton,
  bodySize: number,
): Uint8Array {
  const bytes = new Uint8Array(HookConfig.sizeof);
  const view = new DataView(bytes.buffer);
  const u8 = (offset: number, value: number): void => view.setUint8(offset, value);
  const values = valuesOf(hook);
  const objects = objectOrder(hook);
  const groups = groupsOf(hook, context);

  view.setUint32(HookConfig.hook, context.id, true);
  view.setUint32(HookConfig.selfTgid, context.selfTgid, true);
  view.setBigUint64(HookConfig.suppresses, selectorMask(suppressing(hook)), true);
  view.setBigUint64(HookConfig.selectors, (1n << BigInt(Math.max(1, hook.selectors))) - 1n, true);
  u8(HookConfig.valuesCount, values.length);
  u8(HookConfig.syscall, registersOf(hook, context));
  u8(HookConfig.pair, !context.pair ? Pair.PAIR_NONE : context.several ? Pair.PAIR_BY_PLACE : Pair.PAIR_BY_FRAME);
  u8(HookConfig.params, context.params);
  u8(HookConfig.processGroups, hook.process.length);
  const yielding = hook.sets.filter(({ yields }) => yields === true).length;
  u8(HookConfig.processTests, hook.sets.length - yielding);
  u8(HookConfig.yieldingTests, yielding);
  view.setBigUint64(HookConfig.acting, selectorMask(acting(hook)), true);
  u8(HookConfig.scopeTests, hook.scopes.length);
  u8(HookConfig.changeTests, hook.changes.length);
  u8(HookConfig.objectsCount, objects.length);
  u8(HookConfig.hasCelEntry, Number(hook.cel.entry.length > 0));
  u8(HookConfig.hasCelReturn, Number(hook.cel.returned.length > 0));
  view.setUint32(HookConfig.bodySize, bodySize, true);
  u8(HookConfig.countsHits, Number(context.countHits));
  u8(HookConfig.verdictRest, context.locks?.rest ?? 0);
  view.setUint32(HookConfig.verdictEntries, (context.locks?.cpus ?? 0) * PROGRAMS * VerdictMemory.VERDICTS_MAX, true);
  view.setBigUint64(HookConfig.renameLock, context.locks?.rename ?? 0n, true);
  view.setBigUint64(HookConfig.mountLock, context.locks?.mount ?? 0n, true);
  view.setUint32(HookConfig.shape, values.length + (context.several ? HookShape.SHAPE_PLACE : 0), true);

  let firstGroup = groups.process.length;
  values.forEach((value, slot) => {
    const own = groups.values[slot] as readonly PlacedGroup[];
    encodeValue(view, HookConfig.values + slot * HookConfig.valuesStride, hook, slot, value, context);
    u8(HookConfig.values + slot * HookConfig.valuesStride + ValueConfig.firstGroup, firstGroup);
    u8(HookConfig.values + slot * HookConfig.valuesStride + ValueConfig.groupsCount, own.length);
    firstGroup += own.length;
  });
  objects.forEach((slot, i) => {
    const at = HookConfig.objects + i * HookConfig.objectsStride;
    encodeObject(view, at, slot, values[slot] as CompiledValue, automaton.startsOf[slot] as readonly number[]);
  });
  encodeGroups(view, [...groups.process, ...groups.values.flat()], hook.call);
  forEachWithin(hook, 'LIMIT_PROCESS_TESTS', hook.sets, HookConfig.processLength, (test, i) =>
    encodeProcessTest(view, HookConfig.process + i * HookConfig.processStride, test, context),
  );
  forEachWithin(hook, 'LIMIT_SCOPES', hook.scopes, HookConfig.scopesLength, (test, i) => {
    const at = HookConfig.scopes + i * HookConfig.scopesStride;
    view.setBigUint64(at + ScopeTestLayout.selectors, selectorMask(test.selectors), true);
    view.setUint16(at + ScopeTestLayout.scope, context.scopeBits[test.scope] as number, true);
  });
  forEachWithin(hook, 'LIMIT_CHANGES', hook.changes, HookConfig.changesLength, (test, i) =>
    encodeChangeTest(view, HookConfig.changes + i * HookConfig.changesStride, test, context),
  );
  encodeActions(view, hook, context);
  return bytes;
}

function registersOf({ syscall }: CompiledHook, { ia32 }: EncodeContext): number {
  if (!syscall) return SyscallRegisters.SYSCALL_NONE;
  return ia32 ? SyscallRegisters.SYSCALL_IA32 : SyscallRegisters.SYSCALL_NATIVE;
}

/**
 * The policy compiler refuses more items, with their position. This check protects the bytes behind them nevertheless.
 */
function forEachWithin<T>(
  hook: CompiledHook,
  code: string,
  items: readonly T[],
  most: number,
  encode: (item: T, index: number) => void,
): void {
  if (items.length > most) {
    throw new KernelError(
      code,
      `${hook.call}: the hook has ${items.length} items of one kind; at most ${most} are allowed`,
      'split the hook into two',
    );
  }
  items.forEach(encode);
}

function encodeValue(
  view: DataView,
  at: number,
  hook: CompiledHook,
  slot: number,
  value: CompiledValue,
  context: EncodeContext,
): void {
  const u8 = (offset: number, number: number): void => view.setUint8(at + offset, number);
  const isReturn = isReturnSlot(hook, slot);
  const facts = READS[value.type];
  const resolved = context.resolved.get(slot);
  const field = context.fields.get(slot);
  const fromContext = context.byHelper.has(slot) ? ValueSource.SOURCE_HELPER : sourceOf(value, isReturn);
  const source = field === undefined ? fromContext : ValueSource.SOURCE_FIELD;
  const register = context.registers.get(slot);
  const width = field?.width || resolved?.width || register?.bytes || facts.width;
  const steps = field?.steps ?? resolved?.steps ?? [];
  u8(ValueConfig.read, field?.isLocation === true ? ValueRead.READ_DATA_LOC : facts.read);
  u8(ValueConfig.source, source);
  u8(ValueConfig.param, isReturn || field !== undefined ? 0 : value.index);
  u8(ValueConfig.width, Math.min(facts.width, width) + (value.type === 'syscall64' ? ValueWidth.WIDTH_SYSCALL : 0));
  u8(ValueConfig.isSigned, Number(facts.signed && (register === undefined || register.bytes >= facts.width)));
  const isFound = field !== undefined || resolved !== undefined;
  u8(ValueConfig.indirect, Number(facts.pointed || (isFound && facts.width > 0)));
  u8(ValueConfig.late, Number(context.pair && (isReturn || isLate(value))));
  u8(
    ValueConfig.memory,
    field === undefined ? memoryOf(source, hook, resolved !== undefined) : FIELD_MEMORY[field.memory],
  );
  u8(ValueConfig.sizeParam, value.sizeArgIndex ?? 0);
  u8(ValueConfig.sizeWidth, field?.size?.width ?? 0);
  view.setUint16(at + ValueConfig.sizeField, field?.size?.offset ?? 0, true);
  u8(ValueConfig.sizeReturned, Number(isSizeReturned(value)));
  view.setUint16(at + ValueConfig.field, register?.offset ?? field?.offset ?? 0, true);
  view.setUint32(at + ValueConfig.room, roomOf(value), true);
  encodeTable(view, at + ValueConfig.integers, value.intTable);
  u8(ValueConfig.stepsCount, steps.length);
  steps.forEach((step, i) => {
    const stepAt = at + ValueConfig.steps + i * ValueConfig.stepsStride;
    view.setUint32(stepAt + ResolveStep.offset, step.offset, true);
    view.setUint32(stepAt + ResolveStep.follow, Number(step.follow), true);
  });
}

const FIELD_MEMORY: Readonly<Record<FieldPlace['memory'], number>> = {
  kernel: ValueMemory.MEMORY_KERNEL,
  user: ValueMemory.MEMORY_USER,
  'by-address': ValueMemory.MEMORY_BY_ADDRESS,
};

function encodeProcessTest(view: DataView, at: number, test: ProcessTest, context: EncodeContext): void {
  view.setBigUint64(at + ProcessTestLayout.selectors, selectorMask(test.selectors), true);
  view.setUint16(at + ProcessTestLayout.set, context.processBits[test.set] as number, true);
  view.setUint8(at + ProcessTestLayout.negate, Number(test.negate));
  view.setUint8(at + ProcessTestLayout.parent, Number(test.parent));
}

const CAPABILITY_SETS: Readonly<Record<ChangeTest['capabilitySet'], number>> = {
  permitted: ProcessField.PROCESS_CAP_PERMITTED,
  effective: ProcessField.PROCESS_CAP_EFFECTIVE,
  inheritable: ProcessField.PROCESS_CAP_INHERITABLE,
};

function encodeChangeTest(view: DataView, at: number, test: ChangeTest, context: EncodeContext): void {
  const namespaces = test.namespaces.reduce((bits, name) => bits | (1 << NAMESPACES.indexOf(name)), 0);
  view.setBigUint64(at + ChangeLayout.selectors, selectorMask(test.selectors), true);
  view.setBigUint64(at + ChangeLayout.capabilities, test.capabilities, true);
  view.setUint32(at + ChangeLayout.namespaces, namespaces, true);
  view.setUint8(at + ChangeLayout.capabilitySet, CAPABILITY_SETS[test.capabilitySet]);
  view.setUint8(at + ChangeLayout.negate, Number(test.negate));
  view.setUint8(at + ChangeLayout.outsideHost, Number(test.outsideHost));
  view.setUint32(at + ChangeLayout.hostUser, context.hostNamespaces.User[0] ?? 0, true);
}
