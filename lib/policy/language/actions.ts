/** Actions: on which hooks each is possible, and which arguments it needs and may have. One table for checks, schema and types. */
import type { ActionData } from '../model/model.js';
import type { ActionName, HookKind } from './vocabulary.js';

export type ActionField = Exclude<keyof ActionData, 'action'>;

export interface ActionFacts {
  readonly hooks: readonly HookKind[];
  /** All of these. */
  readonly needs: readonly ActionField[];
  /** At least one of these, where there are any. */
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

/** For uprobes only: they change the program's registers, or where it goes on. */
export const PROGRAM_ONLY: readonly ActionField[] = ['argRegs', 'argNewAddr', 'argNewOffset', 'argNewSymbol'];
