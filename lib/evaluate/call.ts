/** A recorded call of a hook: what the evaluator knows of it. */
import type { HookArgument, PlainProcess } from '../../types/events.js';

export interface Call {
  /** The values by slot. Undefined: the recording does not have this value. */
  readonly values: readonly (HookArgument | undefined)[];
  readonly process: PlainProcess;
  readonly parent?: PlainProcess;
  readonly ancestors: readonly PlainProcess[];
  /** `process` is the owner of a socket, and not the process that called. */
  readonly ofSocketOwner: boolean;
}
