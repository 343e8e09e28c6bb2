/**
 * The table of actions for checks, schema and types: the hooks that support each action, and its required and optional
 * fields.
 */
import type { ActionData } from '../model/model.js';
import type { ActionName, HookKind } from './vocabulary.js';

export type ActionField = Exclude<keyof ActionData, 'action'>;

export interface ActionFacts {
  readonly hooks: readonly HookKind[];
  /** All of these fields are required. */
  readonly needs: readonly ActionField[];
  /** If this list is not empty, at least one of these fields is required. */
  readonly needsOneOf: readonly ActionField[];
  readonly may: readonly ActionField[];
}

const ALL: readonly HookKind[] = ['kprobes', 'fentries', 'tracepoints', 'uprobes', 'usdts', 'lsmhooks'];
const FUNCTIONS: readonly HookKind[] = ['kprobes', 'fentries'];

function facts(hooks: readonly HookKind[], rest: Partial<Omit<ActionFacts, 'hooks'>> = {}): ActionFacts {
  return { hooks, needs: [], needsOneOf: [], may: [], ...rest };
}

export const ACTION_TABLE: Readonly<Record<ActionName, ActionFacts>> = {
  Post: facts(ALL, { may: ['rateLimit', 'rateLimitScope', 'imaHash', 'kernelStackTrace', 'userStackTrace'] }),
  NoPost: facts(ALL),
  Sigkill: facts(ALL),
  Signal: facts(ALL, { needs: ['argSig'] }),
  Override: facts([...FUNCTIONS, 'uprobes', 'lsmhooks'], {
    needsOneOf: ['argError', 'argRegs', 'argNewAddr', 'argNewOffset', 'argNewSymbol'],
  }),
  GetUrl: facts(ALL, { needs: ['argUrl'] }),
  DnsLookup: facts(ALL, { needs: ['argFqdn'] }),
  TrackSock: facts(FUNCTIONS, { may: ['argSock'] }),
  UntrackSock: facts(FUNCTIONS, { may: ['argSock'] }),
  NotifyEnforcer: facts([...FUNCTIONS, 'tracepoints'], { needsOneOf: ['argError', 'argSig'], may: ['argIndex'] }),
  CleanupEnforcerNotification: facts([...FUNCTIONS, 'tracepoints']),
  Set: facts(['usdts'], { needs: ['argIndex', 'argValue'] }),
};

/** Fields for uprobes only: they change the program's registers, or the place where it continues. */
export const PROGRAM_ONLY: readonly ActionField[] = ['argRegs', 'argNewAddr', 'argNewOffset', 'argNewSymbol'];
