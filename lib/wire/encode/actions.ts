/** Encodes the actions of selectors. Pure. */
import {
  allActions,
  isModifying,
  hasFileHash,
  isMatchedAtReturn,
  type CompiledAction,
} from '../../compiled/compiled-hook.js';
import type { CompiledHook, SelectorActions } from '../../compiled/compiled-policy.js';
import { type AssignedRegister, type Assignment, type EncodeContext, type ProgramChanges } from './context.js';
import { markBytes } from './marks.js';
import {
  AbiLimit,
  AssignmentKind,
  Assignment as AssignmentLayout,
  EnforcerConfig,
  ActionFlag,
  HookConfig,
  ImaHash,
  NotifyKind,
  RateScope,
  SelectorActions as Layout,
  SocketAction,
  StackKind,
} from '../layout.gen.js';

const RATE_SCOPES = {
  thread: RateScope.RATE_THREAD,
  process: RateScope.RATE_PROCESS,
  global: RateScope.RATE_GLOBAL,
} as const;

function notifyBits({ notify, order }: SelectorActions): number {
  const notifies = notify === undefined ? 0 : NotifyKind.NOTIFY_ENFORCER;
  const overrides = notify?.override === undefined ? 0 : NotifyKind.NOTIFY_OVERRIDES;
  const cleans = order.includes('cleanupEnforcerNotification') ? NotifyKind.NOTIFY_CLEANUP : 0;
  return notifies | overrides | cleans;
}

/** Number of bytes that the actions add to the event. */
export function actionBytes(hook: CompiledHook): number {
  const hasStack = (kind: 'kernelStack' | 'userStack'): boolean =>
    allActions(hook).some((actions) => actions[kind] === true);
  const stacks = AbiLimit.STACK_CAPACITY * (Number(hasStack('kernelStack')) + Number(hasStack('userStack')));
  return stacks + (hasFileHash(hook) ? ImaHash.sizeof : 0) + markBytes(hook);
}

export function encodeActions(view: DataView, hook: CompiledHook, context: EncodeContext): void {
  const { actions, returnActions, trackedSlot, returnedSocket, findsOwner } = hook;
  view.setUint8(HookConfig.findsOwner, Number(findsOwner === true));
  view.setUint8(HookConfig.returnedSocket, SOCKET_ACTIONS[returnedSocket ?? 'leave']);
  if (actions === undefined) return;
  const own = allActions(hook).flatMap(({ order }) => order.map((name) => ACTION_FLAGS[name]));
  const hash = hasFileHash(hook) ? ActionFlag.ACTIONS_IMA_HASH : 0;
  const { assignments, setsRegisters } = context.programChanges ?? NO_CHANGES;
  const registers = setsRegisters ? ActionFlag.ACTIONS_REGISTERS : 0;
  const both = returnActions === undefined ? 0 : ActionFlag.ACTIONS_RETURN;
  const flags = own.reduce<number>((all, flag) => all | flag, ActionFlag.ACTIONS_ANY | both | hash | registers);
  view.setUint8(HookConfig.hasActions, flags);
  // if the return has its own actions, the entry's actions run at the entry
  view.setUint8(
    HookConfig.actsAtReturn,
    Number(context.pair && returnActions === undefined && isMatchedAtReturn(hook)),
  );
  view.setUint8(HookConfig.socketSlot, trackedSlot ?? 0);
  actions.forEach((selector, i) => encodeSelector(view, HookConfig.actions + i * HookConfig.actionsStride, selector));
  encodeAssignments(view, assignments);
  returnActions?.forEach((selector, i) => {
    const at = HookConfig.returnActions + i * HookConfig.returnActionsStride;
    encodeSelector(view, at, selector);
    // entry and return share one event
    view.setUint8(at + Layout.noPost, Number(isSilent(selector, actions[i])));
  });
}

/** The part of the BPF program that each action needs. ACTIONS_ANY has what all actions share. */
const ACTION_FLAGS: Readonly<Record<CompiledAction, number>> = {
  post: 0,
  noPost: 0,
  signal: 0,
  sigkill: 0,
  override: ActionFlag.ACTIONS_OVERRIDE,
  set: ActionFlag.ACTIONS_OVERRIDE,
  notifyEnforcer: ActionFlag.ACTIONS_NOTIFY,
  cleanupEnforcerNotification: ActionFlag.ACTIONS_NOTIFY,
  trackSock: ActionFlag.ACTIONS_SOCKET,
  untrackSock: ActionFlag.ACTIONS_SOCKET,
  getUrl: 0,
  dnsLookup: 0,
  mark: 0,
  unmark: 0,
  count: 0,
};

const SOCKET_ACTIONS = {
  leave: SocketAction.SOCKET_LEAVE,
  trackSock: SocketAction.SOCKET_TRACK,
  untrackSock: SocketAction.SOCKET_UNTRACK,
} as const;

/** True if the kernel writes no event for a match. A request needs an event: the tracer reads it, but does not report it. */
export function isSilent(...halves: readonly (SelectorActions | undefined)[]): boolean {
  const isAny = (what: (half: SelectorActions) => boolean): boolean => halves.some((half) => half && what(half));
  return isAny(({ order }) => order.includes('noPost')) && !isAny(({ requests }) => requests !== undefined);
}

const NO_CHANGES: ProgramChanges = { assignments: [], setsRegisters: false };

/** Encodes the assignments of all selectors, one after the other. */
function encodeAssignments(view: DataView, assignments: ProgramChanges['assignments']): void {
  let first = 0;
  assignments.forEach((own, i) => {
    const at = HookConfig.actions + i * HookConfig.actionsStride;
    view.setUint8(at + Layout.firstAssignment, first);
    view.setUint8(at + Layout.assignmentsCount, own.length);
    own.forEach((each, k) => {
      encodeAssignment(view, HookConfig.assignments + (first + k) * HookConfig.assignmentsStride, each);
    });
    first += own.length;
  });
}

function encodeAssignment(view: DataView, at: number, { to, from, memory, offset }: Assignment): void {
  const kind = memory ? AssignmentKind.ASSIGN_MEMORY : AssignmentKind.ASSIGN_REGISTER;
  view.setBigUint64(at + AssignmentLayout.offset, BigInt.asUintN(64, offset), true);
  view.setUint8(at + AssignmentLayout.kind, from === undefined ? AssignmentKind.ASSIGN_CONSTANT : kind);
  view.setUint8(at + AssignmentLayout.to, to.wordIndex);
  view.setUint8(at + AssignmentLayout.toShift, registerShift(to));
  view.setUint8(at + AssignmentLayout.from, from?.wordIndex ?? 0);
  view.setUint8(at + AssignmentLayout.fromShift, from === undefined ? 0 : registerShift(from));
}

const registerShift = ({ bytes }: AssignedRegister): number => 64 - 8 * bytes;

/** Returns the bytes of struct enforcer_config. */
export function encodeEnforcer(id: number, overrides: boolean, countHits: boolean): Uint8Array {
  const bytes = new Uint8Array(EnforcerConfig.sizeof);
  const view = new DataView(bytes.buffer);
  view.setUint32(EnforcerConfig.hook, id, true);
  view.setUint8(EnforcerConfig.overrides, Number(overrides));
  view.setUint8(EnforcerConfig.countsHits, Number(countHits));
  return bytes;
}

/** Writes the struct selector_actions of a selector. */
export function encodeSelector(view: DataView, at: number, selector: SelectorActions): void {
  const { order, signal, override, set, notify, rateLimit, kernelStack, userStack, imaHash } = selector;
  const stacks = (kernelStack ? StackKind.STACK_KERNEL : 0) | (userStack ? StackKind.STACK_USER : 0);
  view.setUint8(at + Layout.noPost, Number(isSilent(selector)));
  view.setUint8(at + Layout.signal, signal ?? 0);
  view.setUint8(at + Layout.overrides, Number(isModifying(selector)));
  view.setUint8(at + Layout.stacks, stacks);
  view.setInt32(at + Layout.overrideValue, override ?? set?.value ?? 0, true);
  view.setUint8(at + Layout.argument, set?.argument ?? 0);
  view.setUint8(at + Layout.notify, notifyBits(selector));
  view.setUint8(at + Layout.notifySignal, notify?.signal ?? 0);
  view.setUint8(at + Layout.imaHash, Number(imaHash === true));
  view.setInt32(at + Layout.notifyError, notify?.override ?? 0, true);
  const socket = order.find((name) => name === 'trackSock' || name === 'untrackSock') ?? 'leave';
  view.setUint8(at + Layout.socket, SOCKET_ACTIONS[socket]);
  if (rateLimit === undefined) return;
  view.setUint32(at + Layout.rateScope, RATE_SCOPES[rateLimit.scope], true);
  view.setBigUint64(at + Layout.rateInterval, BigInt(rateLimit.seconds) * 1_000_000_000n, true);
}
