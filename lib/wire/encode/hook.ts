/** Encodes a CompiledHook as the bytes of struct hook_config and the entries of the hook's tables. Pure. */
import { enforcingSelectors, suppressingSelectors, hookValues } from '../../compiled/compiled-hook.js';
import type { CelStep, ChangeTest, CompiledHook, ProcessTest, CompiledValue } from '../../compiled/compiled-policy.js';
import type { ErrorCode } from '../../../types/codes.js';
import { KernelError } from '../../errors.js';
import { encodeActions, actionBytes } from './actions.js';
import { encodeCel } from './cel.js';
import { encodeCounts } from './counts.js';
import { encodeGroups, buildGroups, type FieldGroup } from './comparisons.js';
import { NAMESPACES } from '../../names/namespaces.js';
import type { EncodeContext } from './context.js';
import {
  AbiLimit,
  ChangeTest as ChangeLayout,
  HookConfig,
  HookShape,
  Pair,
  ProcessField,
  ProcessTest as ProcessTestLayout,
  RecordLimit,
  ScopeTest as ScopeTestLayout,
  SyscallRegisters,
  ValueConfig,
  NegativeCache,
} from '../layout.gen.js';
import { encodeMarks } from './marks.js';
import { encodePathFilter } from './folders.js';
import { encodeMaps, type EncodedMap } from './maps.js';
import { buildHookAutomaton, encodeObject, objectOrder, type HookAutomaton } from './objects.js';
import { valueCapacity } from '../reads.js';
import { selectorMask } from './tables.js';
import { encodeValue } from './values.js';

export type { EncodeContext } from './context.js';
export type { EncodedMap } from './maps.js';

/** Programs of a hook. Each one has a negative cache of its own. */
const PROGRAMS_PER_HOOK = 2;

export interface EncodedHook {
  readonly config: Uint8Array;
  readonly maps: readonly EncodedMap[];
  /** Instructions that replace the body of a function in the program. The body begins with the number `mark`. */
  readonly code: readonly EncodedCode[];
}

interface EncodedCode {
  readonly mark: number;
  readonly instructions: Uint8Array;
}

/**
 * `order`: the slots of strings, paths and details, in the order in which the program reads them. Throws KernelError
 * LIMIT_… if the hook exceeds a limit that the policy compiler does not check.
 */
export function encodeHook(hook: CompiledHook, context: EncodeContext, order = objectOrder(hook)): EncodedHook {
  const capacity = hookValues(hook).reduce((sum, value) => sum + valueCapacity(value), 0);
  if (capacity > RecordLimit.STRINGS_SIZE_MAX) {
    throw new KernelError(
      'LIMIT_EVENT_BYTES',
      `${hook.call}: its values can have up to ${capacity} bytes in total; an event has room for ${RecordLimit.STRINGS_SIZE_MAX}`,
      'use `maxData` for at most two values, or split the hook into two',
    );
  }
  const bodySize = RecordLimit.VALUES_SIZE_MAX + Math.max(capacity, AbiLimit.DETAIL_CAPACITY) + actionBytes(hook);
  const automaton = buildHookAutomaton(hook);
  return {
    config: encodeConfig(hook, context, order, automaton, bodySize),
    maps: encodeMaps(hook, context, automaton, RecordLimit.BODY_SIZE_MAX - bodySize),
    code: [
      ...encodeExpressions(AbiLimit.CEL_ENTRY_MARK, hook.cel.entry, hook.call),
      ...encodeExpressions(AbiLimit.CEL_RETURN_MARK, hook.cel.returned, hook.call),
    ],
  };
}

function encodeExpressions(mark: number, steps: readonly CelStep[], call: string): EncodedCode[] {
  return steps.length === 0 ? [] : [{ mark, instructions: encodeCel(steps, AbiLimit.CEL_INSTRUCTIONS, call) }];
}

function encodeConfig(
  hook: CompiledHook,
  context: EncodeContext,
  objects: readonly number[],
  automaton: HookAutomaton,
  bodySize: number,
): Uint8Array {
  const bytes = new Uint8Array(HookConfig.sizeof);
  const view = new DataView(bytes.buffer);
  const setU8 = (offset: number, value: number): void => view.setUint8(offset, value);
  const values = hookValues(hook);
  const groups = buildGroups(hook, context);

  view.setUint32(HookConfig.hook, context.id, true);
  view.setUint32(HookConfig.selfTgid, context.selfTgid, true);
  view.setBigUint64(HookConfig.suppresses, selectorMask(suppressingSelectors(hook)), true);
  view.setBigUint64(HookConfig.selectors, (1n << BigInt(Math.max(1, hook.selectors))) - 1n, true);
  setU8(HookConfig.valuesCount, values.length);
  setU8(HookConfig.syscall, syscallRegisters(hook, context));
  setU8(
    HookConfig.pair,
    !context.pair ? Pair.PAIR_NONE : context.multiplePoints ? Pair.PAIR_BY_ATTACH_POINT : Pair.PAIR_BY_FRAME,
  );
  setU8(HookConfig.params, context.params);
  setU8(HookConfig.processGroups, hook.process.length);
  const yielding = hook.sets.filter(({ yields }) => yields === true).length;
  setU8(HookConfig.processTests, hook.sets.length - yielding);
  setU8(HookConfig.yieldingTests, yielding);
  view.setBigUint64(HookConfig.acting, selectorMask(enforcingSelectors(hook)), true);
  const needingExecutable = hook.sets.filter(({ needsExecutable }) => needsExecutable === true);
  const needsExecutable = selectorMask(needingExecutable.flatMap(({ selectors }) => selectors));
  view.setBigUint64(HookConfig.needsExecutable, needsExecutable, true);
  setU8(HookConfig.scopeTests, hook.scopes.length);
  setU8(HookConfig.changeTests, hook.changes.length);
  setU8(HookConfig.objectsCount, objects.length);
  setU8(HookConfig.hasCelEntry, Number(hook.cel.entry.length > 0));
  setU8(HookConfig.hasCelReturn, Number(hook.cel.returned.length > 0));
  view.setUint32(HookConfig.bodySize, bodySize, true);
  setU8(HookConfig.guard, context.guard);
  setU8(HookConfig.canMove, Number(context.canMove === true));
  setU8(HookConfig.countsHits, Number(context.countHits));
  setU8(HookConfig.cacheHoldTicks, context.locks?.holdTicks ?? 0);
  view.setUint32(
    HookConfig.cacheEntries,
    (context.locks?.cpus ?? 0) * PROGRAMS_PER_HOOK * NegativeCache.NEGATIVE_CACHE_SIZE,
    true,
  );
  view.setBigUint64(HookConfig.renameLock, context.locks?.rename ?? 0n, true);
  view.setBigUint64(HookConfig.mountLock, context.locks?.mount ?? 0n, true);
  view.setBigUint64(HookConfig.shmMnt, context.locks?.memoryMount ?? 0n, true);
  view.setUint32(HookConfig.shape, values.length + (context.multiplePoints ? HookShape.SHAPE_ATTACH_POINT : 0), true);

  let firstGroup = groups.process.length;
  values.forEach((value, slot) => {
    const own = groups.values[slot] as readonly FieldGroup[];
    encodeValue(view, HookConfig.values + slot * HookConfig.valuesStride, hook, slot, value, context);
    setU8(HookConfig.values + slot * HookConfig.valuesStride + ValueConfig.firstGroup, firstGroup);
    setU8(HookConfig.values + slot * HookConfig.valuesStride + ValueConfig.groupsCount, own.length);
    firstGroup += own.length;
  });
  objects.forEach((slot, i) => {
    const at = HookConfig.objects + i * HookConfig.objectsStride;
    const value = values[slot] as CompiledValue;
    encodeObject(view, at, slot, value, automaton.startsBySlot[slot] as readonly number[]);
    if (context.locks !== undefined) encodePathFilter(view, at, value);
  });
  encodeGroups(view, [...groups.process, ...groups.values.flat()], hook.call);
  encodeItems(hook, 'LIMIT_PROCESS_TESTS', hook.sets, HookConfig.processLength, (test, i) =>
    encodeProcessTest(view, HookConfig.process + i * HookConfig.processStride, test, context),
  );
  encodeItems(hook, 'LIMIT_SCOPES', hook.scopes, HookConfig.scopesLength, (test, i) => {
    const at = HookConfig.scopes + i * HookConfig.scopesStride;
    view.setBigUint64(at + ScopeTestLayout.selectors, selectorMask(test.selectors), true);
    view.setUint16(at + ScopeTestLayout.scope, context.scopeBits[test.scope] as number, true);
  });
  encodeItems(hook, 'LIMIT_CHANGES', hook.changes, HookConfig.changesLength, (test, i) =>
    encodeChangeTest(view, HookConfig.changes + i * HookConfig.changesStride, test, context),
  );
  encodeActions(view, hook, context);
  encodeMarks(view, hook, context);
  encodeCounts(view, hook, context);
  encodeUnwinder(view, context);
  return bytes;
}

function encodeUnwinder(view: DataView, { unwinder }: EncodeContext): void {
  if (unwinder === undefined) return;
  view.setBigUint64(HookConfig.textStart, unwinder.textStart, true);
  view.setBigUint64(HookConfig.textSize, unwinder.textSize, true);
  view.setBigUint64(HookConfig.orcLookup, unwinder.lookup, true);
  view.setBigUint64(HookConfig.orcAddresses, unwinder.addresses, true);
  view.setBigUint64(HookConfig.orcEntries, unwinder.entries, true);
  view.setUint32(HookConfig.stackCaches, unwinder.cpus, true);
}

function syscallRegisters({ syscall }: CompiledHook, { ia32 }: EncodeContext): number {
  if (!syscall) return SyscallRegisters.SYSCALL_NONE;
  return ia32 ? SyscallRegisters.SYSCALL_IA32 : SyscallRegisters.SYSCALL_NATIVE;
}

/**
 * Encodes each item. The policy compiler already refuses too many items, with their position. This check protects the
 * bytes after them.
 */
function encodeItems<T>(
  hook: CompiledHook,
  code: ErrorCode,
  items: readonly T[],
  limit: number,
  encode: (item: T, index: number) => void,
): void {
  if (items.length > limit) {
    throw new KernelError(
      code,
      `${hook.call}: the hook has ${items.length} items of one kind; at most ${limit} are allowed`,
      'split the hook into two',
    );
  }
  items.forEach(encode);
}

function encodeProcessTest(view: DataView, at: number, test: ProcessTest, context: EncodeContext): void {
  view.setBigUint64(at + ProcessTestLayout.selectors, selectorMask(test.selectors), true);
  view.setUint16(at + ProcessTestLayout.set, context.processBits[test.set] as number, true);
  view.setUint8(at + ProcessTestLayout.negate, Number(test.negate));
  view.setUint8(at + ProcessTestLayout.parent, Number(test.parent));
}

const CAPABILITY_FIELDS: Readonly<Record<ChangeTest['capabilitySet'], number>> = {
  permitted: ProcessField.PROCESS_CAP_PERMITTED,
  effective: ProcessField.PROCESS_CAP_EFFECTIVE,
  inheritable: ProcessField.PROCESS_CAP_INHERITABLE,
};

function encodeChangeTest(view: DataView, at: number, test: ChangeTest, context: EncodeContext): void {
  const namespaces = test.namespaces.reduce((bits, name) => bits | (1 << NAMESPACES.indexOf(name)), 0);
  view.setBigUint64(at + ChangeLayout.selectors, selectorMask(test.selectors), true);
  view.setBigUint64(at + ChangeLayout.capabilities, test.capabilities, true);
  view.setUint32(at + ChangeLayout.namespaces, namespaces, true);
  view.setUint8(at + ChangeLayout.capabilitySet, CAPABILITY_FIELDS[test.capabilitySet]);
  view.setUint8(at + ChangeLayout.outsideHost, Number(test.outsideHost));
  view.setUint32(at + ChangeLayout.hostUser, context.hostNamespaces.User[0] ?? 0, true);
}
