/**
 * The table of actions for checks, schema and types: the kinds of hooks that support an action, and its required and
 * optional fields.
 */
import type { ActionData } from '../model/model.js';
import type { Actions } from '../../../types/policy-language.js';
import { HOOK_KINDS, type ActionName, type HookKind } from './vocabulary.js';

export type ActionField = Exclude<keyof ActionData, 'action'>;

export interface ActionRule {
  /** What the action is about. */
  readonly effect: 'event' | 'signal' | 'override' | 'argument' | 'enforcer' | 'socket' | 'request' | 'mark' | 'count';
  readonly hooks: readonly HookKind[];
  /** All of these fields are required. */
  readonly needs: readonly ActionField[];
  /** If this list is not empty, at least one of these fields is required. */
  readonly needsAny: readonly ActionField[];
  readonly may: readonly ActionField[];
}

const FUNCTION_KINDS = ['kprobes', 'fentries'] as const;

function defineAction<const K extends readonly HookKind[]>(
  effect: ActionRule['effect'],
  hooks: K,
  rest: Partial<Omit<ActionRule, 'effect' | 'hooks'>> = {},
): ActionRule & { readonly hooks: K } {
  return { effect, hooks, needs: [], needsAny: [], may: [], ...rest };
}

const RULES = {
  Post: defineAction('event', HOOK_KINDS, {
    may: ['rateLimit', 'rateLimitScope', 'imaHash', 'kernelStackTrace', 'userStackTrace'],
  }),
  NoPost: defineAction('event', HOOK_KINDS),
  Sigkill: defineAction('signal', HOOK_KINDS),
  Signal: defineAction('signal', HOOK_KINDS, { needs: ['argSig'] }),
  Override: defineAction('override', [...FUNCTION_KINDS, 'uprobes', 'lsmhooks'], {
    needsAny: ['argError', 'argRegs', 'argNewAddr', 'argNewOffset', 'argNewSymbol'],
  }),
  GetUrl: defineAction('request', HOOK_KINDS, { needs: ['argUrl'] }),
  DnsLookup: defineAction('request', HOOK_KINDS, { needs: ['argFqdn'] }),
  TrackSock: defineAction('socket', FUNCTION_KINDS, { may: ['argSock'] }),
  UntrackSock: defineAction('socket', FUNCTION_KINDS, { may: ['argSock'] }),
  NotifyEnforcer: defineAction('enforcer', [...FUNCTION_KINDS, 'tracepoints'], {
    needsAny: ['argError', 'argSig'],
    may: ['argIndex'],
  }),
  CleanupEnforcerNotification: defineAction('enforcer', [...FUNCTION_KINDS, 'tracepoints']),
  Mark: defineAction('mark', HOOK_KINDS, { needs: ['mark'], may: ['ttl', 'inherit', 'scope', 'shared'] }),
  Unmark: defineAction('mark', HOOK_KINDS, { needs: ['mark'], may: ['scope', 'shared'] }),
  Set: defineAction('argument', ['usdts'], { needs: ['argIndex', 'argValue'] }),
  Count: defineAction('count', HOOK_KINDS, { needs: ['metric'], may: ['by', 'folders', 'value', 'kind', 'maxKeys'] }),
} satisfies Readonly<Record<ActionName, ActionRule>>;

export const ACTION_TABLE: Readonly<Record<ActionName, ActionRule>> = RULES;

type Nothing<T extends never> = T;
type ActionOfKind<K extends HookKind> = {
  [A in ActionName]: K extends (typeof RULES)[A]['hooks'][number] ? A : never;
}[ActionName];
type PublicAction<K extends HookKind> = Actions[K]['action'];
/** @public Only the compiler uses it: a policy in code has the actions of this table. The names are wrong actions. */
export type ActionChecks = Nothing<
  {
    [K in HookKind]: Exclude<PublicAction<K>, ActionOfKind<K>> | Exclude<ActionOfKind<K>, PublicAction<K>>;
  }[HookKind]
>;

/** Fields for uprobes only: they change the program's registers, or the address where it continues. */
export const UPROBE_ONLY_FIELDS: readonly ActionField[] = ['argRegs', 'argNewAddr', 'argNewOffset', 'argNewSymbol'];

/** True if actions of this kind of hook can have the field. */
export function canHaveField(kind: HookKind, field: ActionField): boolean {
  return kind === 'uprobes' || !UPROBE_ONLY_FIELDS.includes(field);
}
