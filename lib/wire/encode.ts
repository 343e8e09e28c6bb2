/** Turns a HookImage into the bytes of struct hook_config and the entries of the hook's tables. Pure. */
import type { CelOp as ImageCelOp, CelStep, ChangeTest, HookImage, ProcessTest, ValueImage } from '../policy/image.js';
import { KernelError } from '../errors.js';
import { encodeGroups, groupsOf, type PlacedGroup } from './comparisons.js';
import { isReturnSlot, NAMESPACES, valuesOf, type EncodeContext } from './context.js';
import {
  AbiLimit,
  CelOp,
  CelStep as CelLayout,
  ChangeTest as ChangeLayout,
  HookConfig,
  ProcessField,
  ProcessTest as ProcessTestLayout,
  ResolveStep,
  Value,
  ValueConfig,
} from './layout.gen.js';
import { encodeMaps, type EncodedMap } from './maps.js';
import { automatonOf, encodeObject, encodeTable, objectOrder, type HookAutomaton } from './objects.js';
import { BUFFER_ROOM, DETAIL_ROOM, isLate, isSizeReturned, memoryOf, READS, roomOf, sourceOf } from './reads.js';
import { selectorMask } from './tables.js';

export type { EncodeContext, ResolvedValue } from './context.js';
export type { EncodedMap } from './maps.js';

export interface EncodedHook {
  readonly config: Uint8Array;
  readonly maps: readonly EncodedMap[];
}

const VALUES_BYTES = AbiLimit.HOOK_VALUES_MAX * Value.sizeof;
/** What the program has room for: BODY_MAX of bpf/hook.bpf.h, without the values. */
const ROOM_MAX = AbiLimit.HOOK_ARGS_MAX * (AbiLimit.STRING_BYTES_MAX + 1) + BUFFER_ROOM;

/** Throws KernelError LIMIT_… for what the compiler cannot know, or did not refuse. */
export function encodeHook(hook: HookImage, context: EncodeContext): EncodedHook {
  const room = valuesOf(hook).reduce((sum, value) => sum + roomOf(value), 0);
  if (room > ROOM_MAX) {
    throw new KernelError(
      'LIMIT_EVENT_BYTES',
      `${hook.call}: its values may have ${room} bytes together, an event has room for ${ROOM_MAX}`,
      'leave `maxData` to one of them, or make two hooks of it',
    );
  }
  const bodySize = VALUES_BYTES + Math.max(room, DETAIL_ROOM);
  const automaton = automatonOf(hook);
  return {
    config: encodeConfig(hook, context, automaton, bodySize),
    maps: encodeMaps(hook, context, automaton, VALUES_BYTES + ROOM_MAX - bodySize),
  };
}

function encodeConfig(hook: HookImage, context: EncodeContext, automaton: HookAutomaton, bodySize: number): Uint8Array {
  const bytes = new Uint8Array(HookConfig.sizeof);
  const view = new DataView(bytes.buffer);
  const u8 = (offset: number, value: number): void => view.setUint8(offset, value);
  const values = valuesOf(hook);
  const objects = objectOrder(hook);
  const groups = groupsOf(hook, context);
  const cel = [...hook.cel.entry, ...hook.cel.returned];

  view.setUint32(HookConfig.hook, context.id, true);
  view.setUint32(HookConfig.selfTgid, context.selfTgid, true);
  view.setBigUint64(HookConfig.selectors, (1n << BigInt(Math.max(1, hook.selectors))) - 1n, true);
  u8(HookConfig.valuesCount, values.length);
  u8(HookConfig.syscall, Number(hook.syscall));
  u8(HookConfig.pair, Number(context.pair));
  u8(HookConfig.params, context.params);
  u8(HookConfig.processGroups, hook.process.length);
  u8(HookConfig.processTests, hook.sets.length);
  u8(HookConfig.changeTests, hook.changes.length);
  u8(HookConfig.objectsCount, objects.length);
  u8(HookConfig.celEntry, hook.cel.entry.length);
  u8(HookConfig.celCount, cel.length);
  view.setUint32(HookConfig.bodySize, bodySize, true);

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
    encodeObject(view, at, slot, values[slot] as ValueImage, automaton.startsOf[slot] as readonly number[]);
  });
  encodeGroups(view, [...groups.process, ...groups.values.flat()], hook.call);
  forEachWithin(hook, 'LIMIT_PROCESS_TESTS', hook.sets, HookConfig.processLength, (test, i) =>
    encodeProcessTest(view, HookConfig.process + i * HookConfig.processStride, test, context),
  );
  forEachWithin(hook, 'LIMIT_CHANGE_TESTS', hook.changes, HookConfig.changesLength, (test, i) =>
    encodeChangeTest(view, HookConfig.changes + i * HookConfig.changesStride, test, context),
  );
  forEachWithin(hook, 'LIMIT_CEL', cel, HookConfig.celLength, (step, i) =>
    encodeCelStep(view, HookConfig.cel + i * HookConfig.celStride, step),
  );
  return bytes;
}

/** The compiler refuses more, and names the place; this keeps what it did not foresee from overwriting what follows. */
function forEachWithin<T>(
  hook: HookImage,
  code: string,
  items: readonly T[],
  most: number,
  encode: (item: T, index: number) => void,
): void {
  if (items.length > most) {
    throw new KernelError(code, `${hook.call}: ${items.length} where ${most} is the most`, 'make two hooks of it');
  }
  items.forEach(encode);
}

function encodeValue(
  view: DataView,
  at: number,
  hook: HookImage,
  slot: number,
  value: ValueImage,
  context: EncodeContext,
): void {
  const u8 = (offset: number, number: number): void => view.setUint8(at + offset, number);
  const isReturn = isReturnSlot(hook, slot);
  const facts = READS[value.type];
  const source = sourceOf(value, isReturn);
  const resolved = context.resolved.get(slot);
  u8(ValueConfig.read, facts.read);
  u8(ValueConfig.source, source);
  u8(ValueConfig.param, context.registers.get(slot) ?? (isReturn ? 0 : value.index));
  u8(ValueConfig.width, Math.min(facts.width, resolved?.width || facts.width));
  u8(ValueConfig.isSigned, Number(facts.signed));
  u8(ValueConfig.indirect, Number(facts.pointed || (resolved !== undefined && facts.width > 0)));
  u8(ValueConfig.late, Number(context.pair && (isReturn || isLate(value))));
  u8(ValueConfig.memory, memoryOf(source, hook.syscall, resolved !== undefined));
  u8(ValueConfig.sizeParam, value.sizeArgIndex ?? 0);
  u8(ValueConfig.sizeReturned, Number(isSizeReturned(value)));
  view.setUint32(at + ValueConfig.room, roomOf(value), true);
  encodeTable(view, at + ValueConfig.integers, value.intTable);
  u8(ValueConfig.stepsCount, resolved?.steps.length ?? 0);
  (resolved?.steps ?? []).forEach((step, i) => {
    const stepAt = at + ValueConfig.steps + i * ValueConfig.stepsStride;
    view.setUint32(stepAt + ResolveStep.offset, step.offset, true);
    view.setUint32(stepAt + ResolveStep.follow, Number(step.follow), true);
  });
}

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

const CEL_OPS: Readonly<Record<ImageCelOp, number>> = {
  const: CelOp.CEL_CONST,
  value: CelOp.CEL_VALUE,
  add: CelOp.CEL_ADD,
  sub: CelOp.CEL_SUB,
  mul: CelOp.CEL_MUL,
  div: CelOp.CEL_DIV,
  mod: CelOp.CEL_MOD,
  divS: CelOp.CEL_DIV_SIGNED,
  modS: CelOp.CEL_MOD_SIGNED,
  and: CelOp.CEL_AND,
  or: CelOp.CEL_OR,
  xor: CelOp.CEL_XOR,
  shl: CelOp.CEL_SHL,
  shr: CelOp.CEL_SHR,
  sar: CelOp.CEL_SAR,
  eq: CelOp.CEL_EQ,
  ne: CelOp.CEL_NE,
  lt: CelOp.CEL_LT,
  le: CelOp.CEL_LE,
  ltS: CelOp.CEL_LT_SIGNED,
  leS: CelOp.CEL_LE_SIGNED,
  both: CelOp.CEL_BOTH,
  either: CelOp.CEL_EITHER,
  not: CelOp.CEL_NOT,
  invert: CelOp.CEL_INVERT,
  negate: CelOp.CEL_NEGATE,
  signExtend: CelOp.CEL_SIGN_EXTEND,
  zeroExtend: CelOp.CEL_ZERO_EXTEND,
  select: CelOp.CEL_SELECT,
  filter: CelOp.CEL_FILTER,
};

function encodeCelStep(view: DataView, at: number, step: CelStep): void {
  const imm = step.op === 'filter' ? selectorMask(step.selectors ?? []) : BigInt.asUintN(64, step.imm);
  view.setBigUint64(at + CelLayout.imm, imm, true);
  view.setUint8(at + CelLayout.op, CEL_OPS[step.op]);
  view.setUint8(at + CelLayout.to, step.to);
  view.setUint8(at + CelLayout.a, step.a);
  view.setUint8(at + CelLayout.b, step.b);
}
