/** Compiles the actions of selectors. */
import { isSocket } from '../model/arguments.js';
import { parseAssignment } from '../model/assignments.js';
import { SIGKILL } from '../../names/signals.js';
import type { CompiledHook, CompiledPolicy, SelectorActions } from '../../compiled/compiled-policy.js';
import { isMode, isOn, type OptionName } from '../language/options.js';
import type { ActionData, Hook, PolicyData, SelectorData } from '../model/model.js';

const NAMES = {
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
} as const;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** The actions of the hook's selectors, and the sockets that they use. */
export type HookActions = Pick<
  CompiledHook,
  'actions' | 'returnActions' | 'trackedSlot' | 'returnedSocket' | 'findsOwner'
>;

export function hookActions({ data, selectors }: Hook, tracks: boolean): HookActions {
  const returned = selectors.some(({ matchReturnActions = [] }) => matchReturnActions.length > 0);
  const all = selectors.map(({ matchActions = [] }) => actionsOf(matchActions));
  const slot = selectors.flatMap(trackedSlots)[0];
  const { returnArgAction } = data;
  return {
    ...(all.every(onlyPosts) && !returned ? {} : { actions: all }),
    ...(returned ? { returnActions: selectors.map(returnActionsOf) } : {}),
    ...(slot === undefined ? {} : { trackedSlot: slot }),
    ...(data.return === true && returnArgAction !== undefined
      ? { returnedSocket: returnArgAction === 'TrackSock' ? ('trackSock' as const) : ('untrackSock' as const) }
      : {}),
    ...(tracks && (data.args ?? []).some(isSocket) ? { findsOwner: true as const } : {}),
  };
}

/** True if any hook of the policy remembers which process owns a socket. */
export function tracksSockets(hooks: readonly Hook[]): boolean {
  return hooks.some(
    ({ data, selectors }) =>
      (data.return === true && data.returnArgAction !== undefined) ||
      selectors.some((each) => trackedSlots(each).length > 0),
  );
}

/** The positions in `args` of the sockets that the selector's actions track or stop to track. */
export function trackedSlots({ matchActions = [], matchReturnActions = [] }: SelectorData): number[] {
  return [...matchActions, ...matchReturnActions].flatMap(({ action, argSock = 0 }) =>
    action === 'TrackSock' || action === 'UntrackSock' ? [argSock] : [],
  );
}

/** Entry and return share one event. If the return actions have no Post, the Post of the entry decides. */
function returnActionsOf({ matchActions = [], matchReturnActions = [] }: SelectorData): SelectorActions {
  const own = actionsOf(matchReturnActions);
  if (matchReturnActions.some(({ action }) => action === 'Post')) return own;
  const { rateLimit, kernelStack, userStack } = actionsOf(matchActions);
  return {
    ...own,
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(kernelStack === undefined ? {} : { kernelStack }),
    ...(userStack === undefined ? {} : { userStack }),
  };
}

function actionsOf(actions: readonly ActionData[]): SelectorActions {
  const named = actions.flatMap(({ action }) => (action !== undefined && action in NAMES ? [action] : []));
  const post = actions.find(({ action }) => action === 'Post');
  const signal = signalOf(actions);
  const override = actions.find(({ action }) => action === 'Override');
  const set = actions.find(({ action }) => action === 'Set');
  const notify = notificationOf(actions);
  const rateLimit = post === undefined ? undefined : rateLimitOf(post);
  const requests = actions.flatMap(({ argUrl, argFqdn }) => argUrl ?? argFqdn ?? []);
  return {
    order: named.length === 0 ? ['post'] : named.map((name) => NAMES[name as keyof typeof NAMES]),
    ...(signal === undefined ? {} : { signal }),
    ...(override === undefined ? {} : overrideOf(override)),
    ...(set === undefined ? {} : { set: { argument: set.argIndex ?? 0, value: set.argValue ?? 0 } }),
    ...(notify === undefined ? {} : { notify }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(post?.kernelStackTrace === true ? { kernelStack: true as const } : {}),
    ...(post?.userStackTrace === true ? { userStack: true as const } : {}),
    ...(requests.length === 0 ? {} : { requests }),
    ...(post?.imaHash === true ? { imaHash: true as const } : {}),
  };
}

/** An `argError` of 0 means no error: the function runs. */
function notificationOf(actions: readonly ActionData[]): SelectorActions['notify'] {
  const notify = actions.find(({ action }) => action === 'NotifyEnforcer');
  if (notify === undefined) return undefined;
  const { argSig, argError = 0 } = notify;
  return { ...(argSig === undefined ? {} : { signal: argSig }), ...(argError === 0 ? {} : { override: argError }) };
}

/** The one way in which the call is overridden. The checks have made sure that there is only one. */
function overrideOf(action: ActionData): Pick<SelectorActions, 'override' | 'registers' | 'goOn'> {
  const { argError, argRegs, argNewSymbol, argNewOffset, argNewAddr } = action;
  if (argRegs !== undefined) return { registers: argRegs.flatMap((text) => parseAssignment(text) ?? []) };
  if (argNewSymbol !== undefined) return { goOn: { symbol: argNewSymbol } };
  if (argNewOffset !== undefined) return { goOn: { fileOffset: argNewOffset } };
  if (argNewAddr !== undefined) return { goOn: { address: argNewAddr } };
  return { override: argError ?? 0 };
}

function signalOf(actions: readonly ActionData[]): number | undefined {
  if (actions.some(({ action }) => action === 'Sigkill')) return SIGKILL;
  return actions.find(({ action }) => action === 'Signal')?.argSig;
}

/** The time is in seconds unless a letter says minutes or hours. The limit is per thread unless a scope is given. */
function rateLimitOf({ rateLimit, rateLimitScope }: ActionData): SelectorActions['rateLimit'] {
  const parts = /^(\d+)([smh]?)$/.exec(rateLimit ?? '');
  if (parts === null) return undefined;
  const scope = rateLimitScope === 'process' || rateLimitScope === 'global' ? rateLimitScope : 'thread';
  return { scope, seconds: Number(parts[1]) * (UNITS[parts[2] ?? ''] ?? 1) };
}

function onlyPosts({ order, ...more }: SelectorActions): boolean {
  return order.every((name) => name === 'post') && Object.keys(more).length === 0;
}

/** If an option is given several times, the last one counts. */
function optionOf({ spec }: PolicyData, wanted: OptionName): string | undefined {
  return (spec?.options ?? []).findLast(({ name }) => name === wanted)?.value;
}

/** True if the policy forbids attaching several functions with one link. */
export function singleLinks(policy: PolicyData, { kind }: Hook): boolean {
  return isOn(optionOf(policy, kind === 'uprobes' ? 'disable-uprobe-multi' : 'disable-kprobe-multi'));
}

/** Whether the path of an executable counts as the process sees it, also where a filter exempts the process. */
export function trustsPaths(policy: PolicyData): boolean {
  return isOn(optionOf(policy, 'trust-binary-paths'));
}

export function modeOf(policy: PolicyData): CompiledPolicy['mode'] {
  const value = optionOf(policy, 'policy-mode');
  return isMode(value) ? value : undefined;
}
