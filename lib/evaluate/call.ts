/** A recorded call of a hook, which is the input of the evaluator. */
import type { HookArgument, PlainProcess } from '../../types/events.js';

export interface RecordedCall {
  readonly timeNs: bigint;
  /** The same process before its last exec. */
  readonly former?: PlainProcess;
  /** The values by slot; undefined for a value that the recording does not have. */
  readonly values: readonly (HookArgument | undefined)[];
  readonly process: PlainProcess;
  readonly parent?: PlainProcess;
  readonly ancestors: readonly PlainProcess[];
  /** `process` is the owner of a socket, not the process that made the call. */
  readonly isSocketOwner: boolean;
}
