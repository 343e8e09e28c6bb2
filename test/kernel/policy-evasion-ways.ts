/** All ways around policies, and the table of them in docs/policy-library.md. */
import { DESCRIPTORS, HANDLES, PROGRAM_MOUNT } from './policy-evasion-mounts.js';
import { IA32_CALLS, LATE_POLICIES, LEADERS, PID_NAMESPACES } from './policy-evasion-processes.js';
import type { Way } from './policy-evasion-rows.js';

export const WAYS: readonly Way[] = [
  HANDLES,
  DESCRIPTORS,
  PROGRAM_MOUNT,
  PID_NAMESPACES,
  LATE_POLICIES,
  LEADERS,
  IA32_CALLS,
];
