/** Properties of a compiled hook that several stages derive from it. Pure. */
import { isPacketBytes, SIZED_TYPES } from '../names/arg-types.js';
import type {
  CompiledHook,
  CompiledValue,
  NetFilters,
  SelectorActions,
  StringFilters,
  ValueTable,
} from './compiled-policy.js';

/** All values that a hook reads, each at the index of its slot. */
export function hookValues(hook: Pick<CompiledHook, 'args' | 'data' | 'returnArg'>): CompiledValue[] {
  return [...hook.args, ...hook.data, ...(hook.returnArg === undefined ? [] : [hook.returnArg])];
}

export function isReturnSlot(hook: Pick<CompiledHook, 'args' | 'data'>, slot: number): boolean {
  return slot === hook.args.length + hook.data.length;
}

/** A hook that reads, filters and reports nothing: the base of hooks that no policy names. */
export function makeEmptyHook(
  kind: CompiledHook['kind'],
  call: string,
  position: CompiledHook['position'],
): CompiledHook {
  return {
    ...{ kind, call, position },
    syscall: false,
    tags: [],
    selectors: 1,
    args: [],
    data: [],
    process: [],
    sets: [],
    scopes: [],
    changes: [],
    cel: { entry: [], returned: [] },
  };
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

type TableKey<Filters> = {
  [K in keyof Filters]-?: Required<Filters>[K] extends ValueTable<infer _> ? K : never;
}[keyof Filters];
/** The members of StringFilters and NetFilters that are tables. */
export type StringTableKey = TableKey<StringFilters>;
export type NetTableKey = TableKey<NetFilters>;

/** The tables for strings and addresses. */
function objectTables({ texts, net }: CompiledValue): ValueTable<unknown>[] {
  const { equal, prefix, postfix }: { readonly [K in StringTableKey]?: ValueTable<unknown> } = texts;
  const { source, destination }: { readonly [K in NetTableKey]?: ValueTable<unknown> } = net;
  const tables: Readonly<Record<StringTableKey | NetTableKey, ValueTable<unknown> | undefined>> = {
    equal,
    prefix,
    postfix,
    source,
    destination,
  };
  return Object.values(tables).filter((table) => table !== undefined);
}

/** All tables that filters look a value up in. */
export function valueTables(value: CompiledValue): ValueTable<unknown>[] {
  return value.intTable === undefined ? objectTables(value) : [value.intTable, ...objectTables(value)];
}

/** True if at least one filter of the value is a lookup in a table or a search for substrings. */
export function hasTables(value: CompiledValue): boolean {
  const { texts, net } = value;
  return [texts.substrings, net.groups, objectTables(value)].some((list) => (list ?? []).length > 0);
}

/**
 * The selectors whose filters on the string or path are all negated. They do not match if there is none: a file without
 * a path, a null pointer. A program that is executed has no path only if it is hidden in memory, so it matches.
 */
export function excludingSelectors({ type, texts }: CompiledValue): number[] {
  if (type === 'linux_binprm') return [];
  const tables = [texts.equal, texts.prefix, texts.postfix].filter((table) => table !== undefined);
  const positive = [tables.map((table) => table.positive), (texts.substrings ?? []).map(({ selectors }) => selectors)];
  return [...new Set(tables.flatMap(({ used }) => used))].filter((selector) => !positive.flat(2).includes(selector));
}

/** The members of a value that say when it is read, in a policy or compiled. */
type ReadValue = Partial<Pick<CompiledValue, 'type' | 'sizeArgIndex' | 'resolve' | 'btfType'>> & {
  readonly returnCopy?: boolean;
  readonly source?: string;
};

/** True if the value is read at the return: the function fills it, or the return value is its size. */
export function isReadAtReturn(value: ReadValue): boolean {
  const { type, sizeArgIndex, returnCopy, source } = value;
  if (isPacketBytes(value)) return false;
  const isSizedByReturn = type !== undefined && SIZED_TYPES.has(type) && sizeArgIndex === undefined;
  return returnCopy === true || source === 'duration' || isSizedByReturn;
}

/** True if the hook has a program at the return: it reads the return value, or another value at the return. */
export function hasReturnProgram(hook: CompiledHook): boolean {
  return hook.returnArg !== undefined || hookValues(hook).some(isReadAtReturn);
}

/** True if the hook measures the time between its two programs. */
export function hasDuration(hook: CompiledHook): boolean {
  return hook.data.some(({ source }) => source === 'duration');
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
export function hasEnforcingAction({ actions, returnActions }: CompiledHook): boolean {
  return actions?.some(isEnforcing) === true || returnActions?.some(isEnforcing) === true;
}

/** The name of an action in a compiled hook. */
export type CompiledAction = SelectorActions['order'][number];

/** The members of SelectorActions that act on a process, and those that only report. */
type EnforcingMember = 'signal' | 'override' | 'registers' | 'goOn' | 'set' | 'notify';
type ReportingMember = 'order' | 'rateLimit' | 'kernelStack' | 'userStack' | 'requests' | 'imaHash' | 'marks';
type Nothing<T extends never> = T;
/** @public Only the compiler uses it: each member belongs to one of the two. */
export type MemberChecks = Nothing<Exclude<keyof SelectorActions, EnforcingMember | ReportingMember>>;

export function isEnforcing(actions: Pick<SelectorActions, EnforcingMember>): boolean {
  return actions.signal !== undefined || actions.notify !== undefined || isModifying(actions);
}

/**
 * The selectors that exempt a call: they only suppress the event, or they remove a mark. An unknown value does not
 * match them.
 */
export function suppressingSelectors({ actions = [], returnActions }: ActionLists): number[] {
  return actions.flatMap((entry, selector) => {
    const returned = returnActions?.[selector];
    const both = [entry, returned ?? entry];
    const has = (action: CompiledAction): boolean => both.some(({ order }) => order.includes(action));
    const isSilent = (returned ?? entry).order.includes('noPost') && !has('mark') && !has('count');
    const isSuppressing = (isSilent || has('unmark')) && !both.some(isEnforcing);
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
export function isModifying({ override, registers, goOn, set }: Pick<SelectorActions, EnforcingMember>): boolean {
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

/** True if events have members that are not in their records: the functions of a stack trace, a build id. */
export function hasLateMembers(hook: CompiledHook): boolean {
  return hook.kind === 'loader' || allActions(hook).some(({ userStack }) => userStack === true);
}

/** FILE:LINE:COLUMN of the hook. Errors about the hook begin with it. */
export function formatHookPosition({ position }: Pick<CompiledHook, 'position'>): string {
  return formatPosition(position.file, position);
}

/** FILE:LINE:COLUMN of a value of the hook. */
export function formatValuePosition({ position }: Pick<CompiledHook, 'position'>, value: CompiledValue): string {
  return formatPosition(position.file, value.position);
}

/** As formatDiagnostic() writes it. */
function formatPosition(file: string, { line, column, path }: CompiledValue['position']): string {
  return path === undefined ? `${file}:${line}:${column}` : `${file} ${path}`.trimEnd();
}
