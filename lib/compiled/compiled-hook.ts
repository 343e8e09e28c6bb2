/** Properties of a compiled hook that several stages derive from it. Pure. */
import { SIZED_TYPES } from '../names/arg-types.js';
import type { CompiledHook, SelectorActions, CompiledValue } from './compiled-policy.js';

/** All values that a hook reads, each at the index of its slot. */
export function hookValues(hook: Pick<CompiledHook, 'args' | 'data' | 'returnArg'>): CompiledValue[] {
  return [...hook.args, ...hook.data, ...(hook.returnArg === undefined ? [] : [hook.returnArg])];
}

export function isReturnSlot(hook: Pick<CompiledHook, 'args' | 'data'>, slot: number): boolean {
  return slot === hook.args.length + hook.data.length;
}

/** True if the value is a register of the hooked function, not one of its parameters. */
export function isRegister(value: CompiledValue): boolean {
  return value.source === 'pt_regs';
}

/** True if at least one filter compares the value. */
export function isFiltered(value: CompiledValue): boolean {
  return (
    hasTables(value) || value.intTable !== undefined || value.ints.length > 0 || (value.net.groups ?? []).length > 0
  );
}

/** True if at least one filter of the value is a lookup in a table or a search for substrings. */
export function hasTables({ texts, net }: CompiledValue): boolean {
  const tables = [texts.equal, texts.prefix, texts.postfix, net.source, net.destination];
  return (
    [texts.substrings, net.groups].some((list) => (list ?? []).length > 0) ||
    tables.some((table) => table !== undefined)
  );
}

/** True if the value is read at the return: the function fills it, or the return value is its size. */
export function isReadAtReturn(value: CompiledValue): boolean {
  const isSizedByReturn = SIZED_TYPES.has(value.type) && value.sizeArgIndex === undefined;
  return value.returnCopy === true || isSizedByReturn;
}

/** True if the hook has a program at the return: it reads the return value, or another value at the return. */
export function hasReturnProgram(hook: CompiledHook): boolean {
  return hook.returnArg !== undefined || hookValues(hook).some(isReadAtReturn);
}

/** True if a filter compares a value that is read at the return, so that the selector is known only then. */
export function isMatchedAtReturn(hook: CompiledHook): boolean {
  return (
    hook.cel.returned.length > 0 ||
    hookValues(hook).some((value, slot) => (isReturnSlot(hook, slot) || isReadAtReturn(value)) && isFiltered(value))
  );
}

/** The actions of all selectors, including those for the return. */
export function allActions({ actions = [], returnActions = [] }: CompiledHook): readonly SelectorActions[] {
  return [...actions, ...returnActions];
}

/** True if a selector tracks or untracks the owner of a socket. */
export function hasSocketTracking(hook: CompiledHook): boolean {
  return hook.trackedSlot !== undefined || hook.returnedSocket !== undefined;
}

/** True if a selector acts on a process, and does not only report. */
export function hasEnforcingAction(hook: CompiledHook): boolean {
  return allActions(hook).some(isEnforcing);
}

export function isEnforcing(actions: SelectorActions): boolean {
  return actions.signal !== undefined || actions.notify !== undefined || isModifying(actions);
}

/** The selectors that only suppress the event: a call that matches one of them is exempt from the hook. */
export function suppressingSelectors({ actions = [], returnActions }: ActionLists): number[] {
  return actions.flatMap((entry, selector) => {
    const returned = returnActions?.[selector];
    const isSuppressing = (returned ?? entry).order.includes('noPost') && ![entry, returned ?? entry].some(isEnforcing);
    return isSuppressing ? [selector] : [];
  });
}

type ActionLists = Pick<CompiledHook, 'actions' | 'returnActions'>;

/** The selectors that act on a process, at the entry or at the return. */
export function enforcingSelectors({ actions = [], returnActions }: ActionLists): number[] {
  return [...actions.keys()].filter((at) =>
    [actions[at], returnActions?.[at]].some((each) => each && isEnforcing(each)),
  );
}

/** The selectors that only report and come before an enforcing one: a call that matches them is exempt from the action. */
export function reportOnlySelectors(hook: ActionLists): number[] {
  const [active, silent] = [enforcingSelectors(hook), suppressingSelectors(hook)];
  return [...(hook.actions ?? []).keys()].filter(
    (at) => at < (active.at(-1) ?? 0) && !active.includes(at) && !silent.includes(at),
  );
}

export function hasModifyingAction(hook: CompiledHook): boolean {
  return (hook.actions ?? []).some(isModifying);
}

/** True if the actions change what runs: an override, or new values for registers, an argument or the next instruction. */
export function isModifying({ override, registers, goOn, set }: SelectorActions): boolean {
  return [override, registers, goOn, set].some((each) => each !== undefined);
}

/** True if a selector notifies an enforcer, or withdraws a notification. */
export function hasNotifications(hook: CompiledHook): boolean {
  return allActions(hook).some(
    ({ notify, order }) => notify !== undefined || order.includes('cleanupEnforcerNotification'),
  );
}

export function hasRateLimit(hook: CompiledHook): boolean {
  return allActions(hook).some(({ rateLimit }) => rateLimit !== undefined);
}

/** True if a second program of the hook gets the hash of a file from IMA. */
export function hasFileHash(hook: CompiledHook): boolean {
  return (hook.actions ?? []).some(({ imaHash }) => imaHash === true);
}

/** True if a selector sends a request to the network: GetUrl, DnsLookup. */
export function hasNetworkRequests(hook: CompiledHook): boolean {
  return allActions(hook).some(({ requests }) => requests !== undefined);
}

/** FILE:LINE:COLUMN of the hook. Errors about the hook begin with it. */
export function formatHookPosition({ position }: Pick<CompiledHook, 'position'>): string {
  return `${position.file}:${position.line}:${position.column}`;
}

/** FILE:LINE:COLUMN of a value of the hook. */
export function formatValuePosition({ position }: Pick<CompiledHook, 'position'>, value: CompiledValue): string {
  return `${position.file}:${value.position.line}:${value.position.column}`;
}
