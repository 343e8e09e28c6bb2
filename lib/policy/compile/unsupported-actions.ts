/** Finds actions that cannot be combined: the BPF programs keep one action of each kind per selector. */
import { isDeepStrictEqual } from 'node:util';
import { trackedSlots } from './actions.js';
import type { ActionData, Hook } from '../model/model.js';
import type { DiagnosticCode } from '../parse/codes.js';
import type { ActionName } from '../language/vocabulary.js';

export type Add = (code: DiagnosticCode, container: object, key: string, message: string, hint: string) => void;

/** Names the kind of each action that a selector can have only once: one signal, one value, one way to post. */
const ONCE: Partial<Record<ActionName, string>> = {
  Signal: 'signal',
  Sigkill: 'signal',
  Override: 'Override',
  NotifyEnforcer: 'NotifyEnforcer',
  Set: 'Set',
  Post: 'Post',
  TrackSock: 'TrackSock or UntrackSock',
  UntrackSock: 'TrackSock or UntrackSock',
};

/** Finds actions that track a second argument: the BPF programs track only one argument per hook. */
export function findInTracked({ selectors }: Hook, add: Add): void {
  const first = selectors.flatMap(trackedSlots)[0];
  for (const { matchActions = [], matchReturnActions = [] } of selectors) {
    for (const action of [...matchActions, ...matchReturnActions]) {
      const { action: name, argSock = 0 } = action;
      if ((name !== 'TrackSock' && name !== 'UntrackSock') || argSock === first) continue;
      const message = `${name} must use the same argument as the first action of this hook that tracks a socket`;
      add('UNSUPPORTED_ACTION', action, 'argSock', message, 'make a second hook on the same function');
    }
  }
}

export function findInActions(actions: readonly ActionData[], add: Add): void {
  const seen = new Map<string, ActionData>();
  for (const action of actions) {
    const { action: name } = action;
    if (name === undefined) continue;
    const kind = ONCE[name];
    const before = seen.get(kind ?? '');
    if (kind === undefined) continue;
    seen.set(kind, action);
    if (before === undefined || isDeepStrictEqual(before, action)) continue;
    const message = `a selector cannot have a second ${kind} that differs from the first`;
    add('UNSUPPORTED_ACTION', action, 'action', message, 'keep one of the two');
  }
}
