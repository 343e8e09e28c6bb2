/**
 * The table of actions for checks, schema and types: the kinds of hooks that support an action, and its required and
 * optional fields.
 */
import type { ActionData } from '../model/model.js';
import type { ActionName, HookKind } from './vocabulary.js';

export type ActionField = Exclude<keyof ActionData, 'action'>;

export interface ActionRule {
  readonly hooks: readonly HookKind[];
  /** All of these fields are required. */
  readonly needs: readonly ActionField[];
  /** If this list is not empty, at least one of these fields is required. */
  readonly needsAny: readonly ActionField[];
  readonly may: readonly ActionField[];
}

const ALL_HOOK_KINDS: readonly HookKind[] = ['kprobes', 'fentries', 'tracepoints', 'uprobes', 'usdts', 'lsmhooks'];
const FUNCTION_KINDS: readonly HookKind[] = ['kprobes', 'fentries'];

function defineAction(hooks: readonly HookKind[], rest: Partial<Omit<ActionRule, 'hooks'>> = {}): ActionRule {
  return { hooks, needs: [], needsAny: [], may: [], ...rest };
}

export const ACTION_TABLE: Readonly<Record<ActionName, ActionRule>> = {
  Post: defineAction(ALL_HOOK_KINDS, {
    may: ['rateLimit', 'rateLimitScope', 'imaHash', 'kernelStackTrace', 'userStackTrace'],
  }),
  NoPost: defineAction(ALL_HOOK_KINDS),
  Sigkill: defineAction(ALL_HOOK_KINDS),
  Signal: defineAction(ALL_HOOK_KINDS, { needs: ['argSig'] }),
  Override: defineAction([...FUNCTION_KINDS, 'uprobes', 'lsmhooks'], {
    needsAny: ['argError', 'argRegs', 'argNewAddr', 'argNewOffset', 'argNewSymbol'],
  }),
  GetUrl: defineAction(ALL_HOOK_KINDS, { needs: ['argUrl'] }),
  DnsLookup: defineAction(ALL_HOOK_KINDS, { needs: ['argFqdn'] }),
  TrackSock: defineAction(FUNCTION_KINDS, { may: ['argSock'] }),
  UntrackSock: defineAction(FUNCTION_KINDS, { may: ['argSock'] }),
  NotifyEnforcer: defineAction([...FUNCTION_KINDS, 'tracepoints'], {
    needsAny: ['argError', 'argSig'],
    may: ['argIndex'],
  }),
  CleanupEnforcerNotification: defineAction([...FUNCTION_KINDS, 'tracepoints']),
  Set: defineAction(['usdts'], { needs: ['argIndex', 'argValue'] }),
};

/** Fields for uprobes only: they change the program's registers, or the address where it continues. */
export const UPROBE_ONLY_FIELDS: readonly ActionField[] = ['argRegs', 'argNewAddr', 'argNewOffset', 'argNewSymbol'];

/** True if actions of this kind of hook can have the field. */
export function canHaveField(kind: HookKind, field: ActionField): boolean {
  return kind === 'uprobes' || !UPROBE_ONLY_FIELDS.includes(field);
}
