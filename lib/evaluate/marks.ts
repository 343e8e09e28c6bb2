/**
 * The marks of processes in a replay: what the actions of a policy have set in earlier calls. At the start of a
 * recording, no process has a mark. A process that began after its parent was marked has the mark, too. Pure.
 */
import type { PlainProcess } from '../../types/events.js';
import type { Verdict } from '../../types/recording.js';
import type { CompiledHook, CompiledMark, MarkChange, MarkTest } from '../compiled/compiled-policy.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { RecordedCall } from './call.js';
import type { Candidates } from './candidates.js';

interface SetMark {
  readonly since: bigint;
  readonly until: bigint | undefined;
  readonly inherits: boolean;
  /** False if it is not certain that the action ran. */
  readonly isCertain: boolean;
}

type MarkState = 'set' | 'unset' | 'unknown';
type MarkedCall = Pick<RecordedCall, 'timeNs' | 'process' | 'former' | 'parent' | 'ancestors'>;

/** Number of marks that a replay keeps. Without room, further ones are not known. */
const MARKS_KEPT = 1_000_000;

export class MarkHistory {
  /** By the owner and the mark. `unknown`: it is not certain that Unmark has removed it. */
  readonly #marks = new Map<string, SetMark | 'removed' | 'unknown'>();
  readonly #known: readonly CompiledMark[];

  /** `marks`: those of the policy. */
  constructor(marks: readonly CompiledMark[]) {
    this.#known = marks;
  }

  read(test: Pick<MarkTest, 'mark' | 'container'>, call: MarkedCall): MarkState {
    const state = this.#find(test, call);
    // another policy may have set it
    return state === 'unset' && this.#known[test.mark]?.shared === true ? 'unknown' : state;
  }

  #find({ mark, container }: Pick<MarkTest, 'mark' | 'container'>, call: MarkedCall): MarkState {
    const owner = container === true ? containerKey(call.process) : undefined;
    if (owner !== undefined) return stateAt(this.#marks.get(markKey(owner, mark)), call.timeNs);
    const own = this.#marks.get(markKey(call.process.execId, mark));
    if (own !== undefined) return stateAt(own, call.timeNs);
    const former = call.former === undefined ? undefined : this.#marks.get(markKey(call.former.execId, mark));
    if (former !== undefined) return isInherited(former) ? stateAt(former, call.timeNs) : 'unset';
    let child = call.former ?? call.process;
    for (const above of call.parent === undefined ? [] : [call.parent, ...call.ancestors]) {
      const known = this.#marks.get(markKey(above.execId, mark));
      if (known === 'unknown') return 'unknown';
      if (known !== undefined && known !== 'removed' && known.since < child.startTimeNs) {
        return known.inherits ? stateAt(known, call.timeNs) : 'unset';
      }
      child = above;
    }
    return 'unset';
  }

  /** Runs Mark and Unmark of the selectors that match the call. */
  apply({ markChanges = [] }: CompiledHook, call: MarkedCall, verdict: Verdict): void {
    for (const change of markChanges) {
      if (!verdict.selectors.some((selector) => change.selectors.includes(selector))) continue;
      this.#change(change, call, verdict.selector !== undefined);
    }
  }

  #change({ action, mark, container, ttl, inherits }: MarkChange, call: MarkedCall, isCertain: boolean): void {
    const owner = (container === true ? containerKey(call.process) : undefined) ?? call.process.execId;
    const key = markKey(owner, mark);
    const before = this.#marks.get(key);
    if (this.#marks.size >= MARKS_KEPT && before === undefined) return;
    if (action === 'unmark') {
      this.#marks.set(key, isCertain ? 'removed' : 'unknown');
      return;
    }
    const isSet = stateAt(before, call.timeNs) === 'set' && typeof before === 'object';
    this.#marks.set(key, {
      since: isSet ? before.since : call.timeNs,
      until: ttl === undefined ? undefined : call.timeNs + ttl,
      inherits,
      isCertain: isCertain || isSet,
    });
  }
}

export function filterMarks(
  candidates: Candidates,
  { markTests = [] }: CompiledHook,
  call: RecordedCall,
  marks: MarkHistory | undefined,
): void {
  const groups = new Map<number, { needing: bigint; set: bigint; unknown: bigint }>();
  for (const test of markTests) {
    const state = marks === undefined || call.isSocketOwner ? 'unknown' : marks.read(test, call);
    const about = `mark ${test.name}`;
    if (state === 'set') candidates.drop(selectorMask(test.notIn));
    else if (state === 'unknown') candidates.addUncertainty(selectorMask(test.notIn), 'PROCESS_HISTORY', about);
    test.in.forEach((selectors, i) => {
      const mask = selectorMask(selectors);
      const group = groups.get(i) ?? { needing: 0n, set: 0n, unknown: 0n };
      group.needing |= mask;
      if (state === 'set') group.set |= mask;
      if (state === 'unknown') group.unknown |= mask;
      groups.set(i, group);
    });
  }
  for (const { needing, set, unknown } of groups.values()) {
    candidates.drop(needing & ~set & ~unknown);
    candidates.addUncertainty(unknown & ~set, 'PROCESS_HISTORY', 'matchMarks');
  }
}

function stateAt(mark: SetMark | 'removed' | 'unknown' | undefined, time: bigint): MarkState {
  if (mark === 'unknown') return 'unknown';
  if (mark === undefined || mark === 'removed') return 'unset';
  if (mark.until !== undefined && time >= mark.until) return 'unset';
  return mark.isCertain ? 'set' : 'unknown';
}

function isInherited(mark: SetMark | 'removed' | 'unknown'): boolean {
  return typeof mark !== 'object' || mark.inherits;
}

/** Undefined for a process in no container: its marks are its own. */
function containerKey({ container }: PlainProcess): string | undefined {
  return container === undefined ? undefined : `container ${container.id}`;
}

function markKey(owner: string, mark: number): string {
  return `${mark} ${owner}`;
}
