/** Questions that several stages ask about the image of a hook. Pure. */
import type { CompiledHook, SelectorActions, CompiledValue } from './compiled-policy.js';

/** All values that a hook reads, each at the index of its slot. */
export function valuesOf(hook: Pick<CompiledHook, 'args' | 'data' | 'returnArg'>): CompiledValue[] {
  return [...hook.args, ...hook.data, ...(hook.returnArg === undefined ? [] : [hook.returnArg])];
}

export function isReturnSlot(hook: Pick<CompiledHook, 'args' | 'data'>, slot: number): boolean {
  return slot === hook.args.length + hook.data.length;
}

/** The value is a register of the hooked function, not one of its parameters. */
export function isRegister(value: CompiledValue): boolean {
  return value.source === 'pt_regs';
}

/** At least one filter compares the value. */
export function isFiltered(value: CompiledValue): boolean {
  return (
    hasTables(value) || value.intTable !== undefined || value.ints.length > 0 || (value.net.groups ?? []).length > 0
  );
}

/** At least one filter of the value is a lookup in a table or a search. */
export function hasTables({ texts, net }: CompiledValue): boolean {
  const tables = [texts.equal, texts.prefix, texts.postfix, net.source, net.destination];
  return (
    [texts.substrings, net.groups].some((list) => (list ?? []).length > 0) ||
    tables.some((table) => table !== undefined)
  );
}

/** Buffers: their type does not say how long they are, a parameter or the return value does. */
export const SIZED_TYPES: ReadonlySet<CompiledValue['type']> = new Set<CompiledValue['type']>([
  'char_buf',
  'const_buf',
  'char_iovec',
]);

/** All buffers, including the type whose own struct says how long it is. */
export const BUFFER_TYPES: ReadonlySet<CompiledValue['type']> = new Set<CompiledValue['type']>([
  ...SIZED_TYPES,
  'iov_iter',
]);

/** Sockets, and packets, which belong to a socket. */
export const SOCKET_TYPES: ReadonlySet<CompiledValue['type']> = new Set<CompiledValue['type']>([
  'sock',
  'socket',
  'skb',
]);

/** The value can be read only when the function returns: it is filled by the function, or the return value is its size. */
export function isLate(value: CompiledValue): boolean {
  const isSizedByReturn = SIZED_TYPES.has(value.type) && value.sizeArgIndex === undefined;
  return value.returnCopy === true || isSizedByReturn;
}

/** The hook has a program at the return of the function: it reads the return value, or a late value. */
export function seesReturn(hook: CompiledHook): boolean {
  return hook.returnArg !== undefined || valuesOf(hook).some(isLate);
}

/** Only the return shows which selector matches. */
export function matchesLate(hook: CompiledHook): boolean {
  return (
    hook.cel.returned.length > 0 ||
    valuesOf(hook).some((value, slot) => (isReturnSlot(hook, slot) || isLate(value)) && isFiltered(value))
  );
}

/** The actions of all selectors, those for the return included. */
export function allActions({ actions = [], returnActions = [] }: CompiledHook): readonly SelectorActions[] {
  return [...actions, ...returnActions];
}

/** A selector tracks or untracks the owner of a socket. */
export function tracks(hook: CompiledHook): boolean {
  return hook.trackedSlot !== undefined || hook.returnedSocket !== undefined;
}

/** A selector acts on a process; it does not only report. */
export function enforces(hook: CompiledHook): boolean {
  return allActions(hook).some(acts);
}

export function acts(actions: SelectorActions): boolean {
  return actions.signal !== undefined || actions.notify !== undefined || changes(actions);
}

/** The selectors that do nothing but suppress the event: what matches them is exempt from the hook. */
export function suppressing({ actions = [], returnActions }: Actions): number[] {
  return actions.flatMap((entry, selector) => {
    const returned = returnActions?.[selector];
    const isSuppressing = (returned ?? entry).order.includes('noPost') && ![entry, returned ?? entry].some(acts);
    return isSuppressing ? [selector] : [];
  });
}

type Actions = Pick<CompiledHook, 'actions' | 'returnActions'>;

/** The selectors that act on a process, at the entry or at the return. */
export function acting({ actions = [], returnActions }: Actions): number[] {
  return [...actions.keys()].filter((at) => [actions[at], returnActions?.[at]].some((each) => each && acts(each)));
}

/** The selectors that report, do not act, and come before one that acts: what matches them is exempt from the action. */
export function sparing(hook: Actions): number[] {
  const [active, silent] = [acting(hook), suppressing(hook)];
  return [...(hook.actions ?? []).keys()].filter(
    (at) => at < (active.at(-1) ?? 0) && !active.includes(at) && !silent.includes(at),
  );
}

export function overrides(hook: CompiledHook): boolean {
  return (hook.actions ?? []).some(changes);
}

/** The function does not run as it would, or the hook changes registers or memory of a program. */
export function changes({ override, registers, goOn, set }: SelectorActions): boolean {
  return [override, registers, goOn, set].some((each) => each !== undefined);
}

/** A selector notifies an enforcer, or withdraws a notification. */
export function hasNotifications(hook: CompiledHook): boolean {
  return allActions(hook).some(
    ({ notify, order }) => notify !== undefined || order.includes('cleanupEnforcerNotification'),
  );
}

export function limitsRate(hook: CompiledHook): boolean {
  return allActions(hook).some(({ rateLimit }) => rateLimit !== undefined);
}

/** A second program of the hook asks the kernel for the hash of a file. */
export function hashesFiles(hook: CompiledHook): boolean {
  return (hook.actions ?? []).some(({ imaHash }) => imaHash === true);
}

/** A selector sends a request to the network: GetUrl, DnsLookup. */
export function makesRequests(hook: CompiledHook): boolean {
  return allActions(hook).some(({ requests }) => requests !== undefined);
}

/** FILE:LINE:COLUMN of the hook, with which its errors begin. */
export function hookPlace({ position }: Pick<CompiledHook, 'position'>): string {
  return `${position.file}:${position.line}:${position.column}`;
}

/** The same for one of its values. */
export function valuePlace({ position }: Pick<CompiledHook, 'position'>, value: CompiledValue): string {
  return `${position.file}:${value.position.line}:${value.position.column}`;
}
