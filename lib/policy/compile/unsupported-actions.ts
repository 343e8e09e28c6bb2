/** Actions that cannot be done together: the kernel side of this version keeps one of a kind for each selector. */
import { isDeepStrictEqual } from 'node:util';
import { trackedSlots } from './actions.js';
import type { ActionData, Hook } from '../model/model.js';
import type { Add } from './unsupported.js';
import type { ActionName } from '../language/vocabulary.js';

/** The kernel side keeps one signal, one value and one way to post for each selector. */
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

/** The kernel side knows one argument that is tracked. */
export function findInTracked({ selectors }: Hook, add: Add): void {
  const first = selectors.flatMap(trackedSlots)[0];
  for (const { matchActions = [], matchReturnActions = [] } of selectors) {
    for (const action of [...matchActions, ...matchReturnActions]) {
      const { action: name, argSock = 0 } = action;
      if ((name !== 'TrackSock' && name !== 'UntrackSock') || argSock === first) continue;
      const message = `${name} of another argument than the first action of this hook that tracks cannot be done`;
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
    const message = `a second ${kind}, unlike the first, cannot be done by the same selector`;
    add('UNSUPPORTED_ACTION', action, 'action', message, 'keep one of the two');
  }
}
