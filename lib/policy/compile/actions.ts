/** What selectors do when they have matched. */
import type { PolicyImage, SelectorActions } from '../image.js';
import type { ActionData, Hook, PolicyData, SelectorData } from '../model.js';

const NAMES = {
  Post: 'post',
  NoPost: 'noPost',
  Signal: 'signal',
  Sigkill: 'sigkill',
  Override: 'override',
  NotifyEnforcer: 'notifyEnforcer',
  CleanupEnforcerNotification: 'cleanupEnforcerNotification',
} as const;

const SIGKILL = 9;
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Undefined when every selector only posts. */
export function selectorActions(selectors: readonly SelectorData[]): readonly SelectorActions[] | undefined {
  const all = selectors.map(({ matchActions = [] }) => actionsOf(matchActions));
  return all.every(onlyPosts) ? undefined : all;
}

function actionsOf(actions: readonly ActionData[]): SelectorActions {
  const named = actions.flatMap(({ action }) => (action !== undefined && action in NAMES ? [action] : []));
  const post = actions.find(({ action }) => action === 'Post');
  const signal = signalOf(actions);
  const override = actions.find(({ action }) => action === 'Override')?.argError;
  const notify = notificationOf(actions);
  const rateLimit = post === undefined ? undefined : rateLimitOf(post);
  return {
    order: named.length === 0 ? ['post'] : named.map((name) => NAMES[name as keyof typeof NAMES]),
    ...(signal === undefined ? {} : { signal }),
    ...(override === undefined ? {} : { override }),
    ...(notify === undefined ? {} : { notify }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(post?.kernelStackTrace === true ? { kernelStack: true as const } : {}),
    ...(post?.userStackTrace === true ? { userStack: true as const } : {}),
  };
}

/** An error of 0 is none: the function runs. */
function notificationOf(actions: readonly ActionData[]): SelectorActions['notify'] {
  const told = actions.find(({ action }) => action === 'NotifyEnforcer');
  if (told === undefined) return undefined;
  const { argSig, argError = 0 } = told;
  return { ...(argSig === undefined ? {} : { signal: argSig }), ...(argError === 0 ? {} : { override: argError }) };
}

function signalOf(actions: readonly ActionData[]): number | undefined {
  if (actions.some(({ action }) => action === 'Sigkill')) return SIGKILL;
  return actions.find(({ action }) => action === 'Signal')?.argSig;
}

/** Seconds, unless a letter says minutes or hours; of each thread, unless a scope says otherwise. */
function rateLimitOf({ rateLimit, rateLimitScope }: ActionData): SelectorActions['rateLimit'] {
  const parts = /^(\d+)([smh]?)$/.exec(rateLimit ?? '');
  if (parts === null) return undefined;
  const scope = rateLimitScope === 'process' || rateLimitScope === 'global' ? rateLimitScope : 'thread';
  return { scope, seconds: Number(parts[1]) * (UNITS[parts[2] ?? ''] ?? 1) };
}

function onlyPosts({ order, ...more }: SelectorActions): boolean {
  return order.every((name) => name === 'post') && Object.keys(more).length === 0;
}

/** Of several options of a name the last counts. */
function optionOf({ spec }: PolicyData, wanted: string): string | undefined {
  return (spec?.options ?? []).findLast(({ name }) => name === wanted)?.value;
}

/** Whether the policy keeps several functions from being attached at once. */
export function singleLinks(policy: PolicyData, { kind }: Hook): boolean {
  const value = optionOf(policy, kind === 'uprobes' ? 'disable-uprobe-multi' : 'disable-kprobe-multi');
  return /^(1|t|true)$/i.test(value ?? '');
}

export function modeOf(policy: PolicyData): PolicyImage['mode'] {
  const value = optionOf(policy, 'policy-mode');
  return value === 'monitor' || value === 'enforce' ? value : undefined;
}
