/** The table of ways around a policy: the needs of a process, and whether `validatePolicy` warns. */
import type { BypassCode, BypassNeed } from '../../../../types/bypass.js';

interface BypassFacts {
  readonly needs: BypassNeed;
  /**
   * False if the policy language has no way to close it, if it is a property of every filter on paths, or if an
   * unprivileged process cannot choose it.
   */
  readonly warns: boolean;
}

const FREE: BypassFacts = { needs: 'nothing', warns: true };

export const BYPASSES: Readonly<Record<BypassCode, BypassFacts>> = {
  ALREADY_OPEN: { needs: 'earlier-start', warns: false },
  DESCRIPTOR_MAY_CHANGE: FREE,
  DETACHED_MOUNT: FREE,
  HARD_LINK: { needs: 'file-access', warns: false },
  IA32_CALL: FREE,
  INTERPRETER: FREE,
  IO_URING: FREE,
  LATE_POLICY: { needs: 'earlier-start', warns: false },
  MISSED_CALLS: FREE,
  MOUNT_CALLS: FREE,
  NAMESPACE_PID: FREE,
  OTHER_MOUNT: { needs: 'nothing', warns: false },
  PROGRAM_CODE: { needs: 'nothing', warns: false },
  PROGRAM_COPY: FREE,
  RENAME: { needs: 'file-access', warns: false },
  USER_MEMORY: FREE,
  X32_CALL: FREE,
};
