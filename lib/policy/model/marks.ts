/** The marks of a policy: which marks its actions set, and which one a name in a filter refers to. */
import { MARK_NAME_MAX, MARK_SECONDS_MAX } from '../language/limits.js';
import type { ActionData, Hook, MarkFilter, SelectorData } from './model.js';

export interface MarkIdentity {
  readonly name: string;
  readonly container?: true;
  readonly shared?: true;
}

/** An action Mark or Unmark. */
export type MarkActionData = ActionData & { readonly action: 'Mark' | 'Unmark' };

export function isMarkAction(action: ActionData): action is MarkActionData {
  return action.action === 'Mark' || action.action === 'Unmark';
}

/** The actions Mark and Unmark of a selector, each with the list that it is in. */
export function markActions({ matchActions = [], matchReturnActions = [] }: SelectorData): readonly {
  readonly data: MarkActionData;
  readonly onReturn: boolean;
}[] {
  return [
    ...matchActions.filter(isMarkAction).map((data) => ({ data, onReturn: false })),
    ...matchReturnActions.filter(isMarkAction).map((data) => ({ data, onReturn: true })),
  ];
}

/** The scopes with which a policy sets its marks. A filter or Unmark without a scope has the scope of the Mark. */
export class MarkScopes {
  readonly #scopes = new Map<string, 'process' | 'container'>();

  constructor(hooks: readonly Hook[]) {
    for (const { data } of hooks.flatMap(({ selectors }) => selectors.flatMap(markActions))) {
      if (data.action !== 'Mark' || data.mark === undefined) continue;
      const key = scopeKey(data.mark, data.shared);
      if (!this.#scopes.has(key)) this.#scopes.set(key, data.scope ?? 'process');
    }
  }

  /** Undefined if no action of the policy sets the mark. */
  ofName(name: string, shared = false): 'process' | 'container' | undefined {
    return this.#scopes.get(scopeKey(name, shared));
  }

  identify(name: string, { scope, shared = false }: Pick<MarkFilter, 'scope' | 'shared'>): MarkIdentity {
    const owner = scope ?? this.ofName(name, shared) ?? 'process';
    return {
      name,
      ...(owner === 'container' ? { container: true as const } : {}),
      ...(shared ? { shared: true as const } : {}),
    };
  }
}

function scopeKey(name: string, shared = false): string {
  return `${shared ? 'shared' : 'own'} ${name}`;
}

export function isMarkName(name: string): boolean {
  return name.length <= MARK_NAME_MAX && /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(name);
}

const UNIT_NANOSECONDS: Readonly<Record<string, bigint>> = {
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Returns nanoseconds; undefined if the text is not a time, or longer than a year. The default unit is seconds. */
export function parseMarkTime(text: string): bigint | undefined {
  const parts = /^([1-9][0-9]{0,9})(ms|s|m|h)?$/.exec(text);
  if (parts === null) return undefined;
  const time = BigInt(parts[1] as string) * (UNIT_NANOSECONDS[parts[2] ?? 's'] as bigint);
  return time > BigInt(MARK_SECONDS_MAX) * 1_000_000_000n ? undefined : time;
}
