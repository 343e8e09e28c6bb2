/** Compiles the actions of selectors. */
import { isSocket } from '../model/arguments.js';
import { parseAssignment } from '../model/assignments.js';
import { isMarkAction } from '../model/marks.js';
import { SIGKILL } from '../../names/signals.js';
import type { CompiledAction } from '../../compiled/compiled-hook.js';
import type { CompiledHook, CompiledPolicy, SelectorActions } from '../../compiled/compiled-policy.js';
import { ACTION_TABLE } from '../language/actions.js';
import { isPolicyMode, isOptionOn, type OptionName } from '../language/options.js';
import type { ActionName } from '../language/vocabulary.js';
import type { ActionData, Hook, PolicyData, SelectorData } from '../model/model.js';

const ACTION_NAMES = {
  Post: 'post',
  NoPost: 'noPost',
  Signal: 'signal',
  Sigkill: 'sigkill',
  Override: 'override',
  NotifyEnforcer: 'notifyEnforcer',
  CleanupEnforcerNotification: 'cleanupEnforcerNotification',
  TrackSock: 'trackSock',
  UntrackSock: 'untrackSock',
  GetUrl: 'getUrl',
  DnsLookup: 'dnsLookup',
  Set: 'set',
  Mark: 'mark',
  Unmark: 'unmark',
  Count: 'count',
} as const satisfies Readonly<Record<ActionName, CompiledAction>>;

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** The members of a compiled hook for its actions and the sockets that they use. */
export type HookActions = Pick<
  CompiledHook,
  'actions' | 'returnActions' | 'trackedSlot' | 'returnedSocket' | 'findsOwner'
>;

export function compileHookActions({ data, selectors }: Hook, isTracking: boolean): HookActions {
  const returned = selectors.some(({ matchReturnActions = [] }) => matchReturnActions.length > 0);
  const all = selectors.map(compileEntryActions);
  const slot = selectors.flatMap(trackedSlots)[0];
  const { returnArgAction } = data;
  return {
    ...(all.every(isPostOnly) && !returned ? {} : { actions: all }),
    ...(returned ? { returnActions: selectors.map(compileReturnActions) } : {}),
    ...(slot === undefined ? {} : { trackedSlot: slot }),
    ...(data.return === true && returnArgAction !== undefined
      ? { returnedSocket: returnArgAction === 'TrackSock' ? ('trackSock' as const) : ('untrackSock' as const) }
      : {}),
    ...(isTracking && (data.args ?? []).some(isSocket) ? { findsOwner: true as const } : {}),
  };
}

/** True if any hook of the policy tracks which process owns a socket. */
export function hasTrackedSockets(hooks: readonly Hook[]): boolean {
  return hooks.some(
    ({ data, selectors }) =>
      (data.return === true && data.returnArgAction !== undefined) ||
      selectors.some((each) => trackedSlots(each).length > 0),
  );
}

/** The indexes in `args` of the sockets that the selector's actions track or untrack. */
export function trackedSlots({ matchActions = [], matchReturnActions = [] }: SelectorData): number[] {
  return [...matchActions, ...matchReturnActions].flatMap(({ action, argSock = 0 }) =>
    action !== undefined && ACTION_TABLE[action].effect === 'socket' ? [argSock] : [],
  );
}

/** Entry and return share one event. If the return actions have no Post, the options of the entry's Post apply. */
function compileReturnActions({ matchActions = [], matchReturnActions = [] }: SelectorData): SelectorActions {
  const own = compileActions(matchReturnActions);
  if (matchReturnActions.some(({ action }) => action === 'Post')) return own;
  const { rateLimit, kernelStack, userStack } = compileActions(matchActions);
  return {
    ...own,
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(kernelStack === undefined ? {} : { kernelStack }),
    ...(userStack === undefined ? {} : { userStack }),
  };
}

/** A selector that only counts posts no event. */
function compileEntryActions({ matchActions = [], matchReturnActions = [] }: SelectorData): SelectorActions {
  const compiled = compileActions(matchActions);
  const isSilent = compiled.order.every((name) => name === 'count') && matchReturnActions.length === 0;
  return isSilent ? { ...compiled, order: [...compiled.order, 'noPost'] } : compiled;
}

function compileActions(actions: readonly ActionData[]): SelectorActions {
  const names = actions.flatMap(({ action }) => action ?? []);
  const parts = actions.map(compileArguments);
  const requests = parts.flatMap((part) => part.requests ?? []);
  const marks = actions.filter(isMarkAction).map(({ mark = '' }) => mark);
  return {
    order: names.length === 0 ? ['post'] : names.map((name) => ACTION_NAMES[name]),
    ...parts.reduce((all, part) => ({ ...all, ...part }), {}),
    ...(requests.length === 0 ? {} : { requests }),
    ...(marks.length === 0 ? {} : { marks }),
  };
}

/** Compiles the arguments of one action. Several actions of a selector with arguments of the same kind are equal. */
function compileArguments(action: ActionData): Omit<SelectorActions, 'order'> {
  const { action: name, argSig, argIndex = 0, argValue = 0, argUrl = '', argFqdn = '' } = action;
  if (name === undefined) return {};
  switch (name) {
    case 'Post':
      return compilePost(action);
    case 'Signal':
      return argSig === undefined ? {} : { signal: argSig };
    case 'Sigkill':
      return { signal: SIGKILL };
    case 'Override':
      return compileOverride(action);
    case 'Set':
      return { set: { argument: argIndex, value: argValue } };
    case 'NotifyEnforcer':
      return { notify: compileNotification(action) };
    case 'GetUrl':
      return { requests: [argUrl] };
    case 'DnsLookup':
      return { requests: [argFqdn] };
    case 'NoPost':
    case 'CleanupEnforcerNotification':
    case 'TrackSock':
    case 'UntrackSock':
    case 'Mark': // see marks.ts
    case 'Unmark':
    case 'Count':
      return {};
  }
}

function compilePost(post: ActionData): Omit<SelectorActions, 'order'> {
  const rateLimit = compileRateLimit(post);
  return {
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(post.kernelStackTrace === true ? { kernelStack: true } : {}),
    ...(post.userStackTrace === true ? { userStack: true } : {}),
    ...(post.imaHash === true ? { imaHash: true } : {}),
  };
}

/** An `argError` of 0 means no error: the function runs. */
function compileNotification({ argSig, argError = 0 }: ActionData): NonNullable<SelectorActions['notify']> {
  return { ...(argSig === undefined ? {} : { signal: argSig }), ...(argError === 0 ? {} : { override: argError }) };
}

/** An Override has exactly one of these arguments; the checks report any other combination. */
function compileOverride(action: ActionData): Pick<SelectorActions, 'override' | 'registers' | 'goOn'> {
  const { argError, argRegs, argNewSymbol, argNewOffset, argNewAddr } = action;
  if (argRegs !== undefined) return { registers: argRegs.flatMap((text) => parseAssignment(text) ?? []) };
  if (argNewSymbol !== undefined) return { goOn: { symbol: argNewSymbol } };
  if (argNewOffset !== undefined) return { goOn: { fileOffset: argNewOffset } };
  if (argNewAddr !== undefined) return { goOn: { address: argNewAddr } };
  return { override: argError ?? 0 };
}

/** The default unit is seconds, and the default scope is the thread. */
function compileRateLimit({ rateLimit, rateLimitScope }: ActionData): SelectorActions['rateLimit'] {
  const parts = /^(\d+)([smh]?)$/.exec(rateLimit ?? '');
  if (parts === null) return undefined;
  const scope = rateLimitScope === 'process' || rateLimitScope === 'global' ? rateLimitScope : 'thread';
  return { scope, seconds: Number(parts[1]) * (UNIT_SECONDS[parts[2] ?? ''] ?? 1) };
}

function isPostOnly({ order, ...more }: SelectorActions): boolean {
  return order.every((name) => name === 'post') && Object.keys(more).length === 0;
}

/** If an option is given several times, the last one counts. */
function optionValue({ spec }: PolicyData, wanted: OptionName): string | undefined {
  return (spec?.options ?? []).findLast(({ name }) => name === wanted)?.value;
}

/** True if the policy forbids attaching several functions with one link. */
export function hasSingleLinks(policy: PolicyData, { kind }: Hook): boolean {
  return isOptionOn(optionValue(policy, kind === 'uprobes' ? 'disable-uprobe-multi' : 'disable-kprobe-multi'));
}

/** True if filters compare the path that the process sees, even where a match exempts the process. */
export function isTrustingPaths(policy: PolicyData): boolean {
  return isOptionOn(optionValue(policy, 'trust-binary-paths'));
}

export function policyMode(policy: PolicyData): CompiledPolicy['mode'] {
  const value = optionValue(policy, 'policy-mode');
  return isPolicyMode(value) ? value : undefined;
}
