/** Limits of the policy language: its own ones, then those of the BPF programs, which bpf/abi.h describes. */
import { AbiLimit, SensorHook } from '../../names/abi.gen.js';

/** Largest size of a policy file in bytes. */
export const FILE_BYTES_MAX = 1024 * 1024;
/**
 * Most lexical tokens of a policy file. This limits the time to parse any text as YAML. The composer makes the nodes of
 * a file in one step, and the walker their data in another: each takes at most about 15 ms.
 */
export const YAML_TOKENS_MAX = 64_000;
/** Deepest nesting of collections. The language itself needs 9 levels. */
export const YAML_DEPTH_MAX = 32;
/** Most diagnostics of one file. The last one says that there were more. */
export const DIAGNOSTICS_MAX = 1000;
/** Most searches for a similar name of the kernel in the checks of one policy. */
export const SEARCHES_MAX = 20;
/** Most characters of the wrong text that a diagnostic shows. */
export const TEXT_SHOWN_MAX = 80;
/** Most filters of one selector, including those of its macros. This limits the time that checks take. */
export const SELECTOR_FILTERS_MAX = 128;
/** Most tags of a hook, as in the schema of the Kubernetes resource. */
export const TAGS_MAX = 16;

/** From this number of different Equal values on, numbers are looked up in a table instead of compared one by one. */
export const INT_TABLE_FROM = 9;
/**
 * Most steps of all expressions at the entry of a hook, and again of all at its return. They become up to CEL_ROOM
 * instructions (abi.h).
 */
export const CEL_STEPS_MAX = 48;
/** Number of values that the steps of an expression can use at the same time. */
export const CEL_REGISTERS = 8;
/** Most characters of a CEL expression, and deepest nesting of parentheses. This limits the time to compile it. */
export const CEL_TEXT_MAX = 1024;
export const CEL_DEPTH_MAX = 32;

export const {
  AUTOMATON_STATES_MAX,
  BINARY_TEXT_MAX,
  CHANGE_TESTS_MAX,
  ERROR_MAX,
  FILTER_TEXT_MAX,
  HOOK_ARGS_MAX,
  HOOK_PARAM_MAX,
  HOOK_SELECTORS_MAX,
  HOOKS_MAX,
  INT_GROUPS_MAX,
  INT_TESTS_MAX,
  PROBE_ARGS_MAX,
  PROCESS_SETS_MAX,
  PROCESS_TESTS_MAX,
  RESOLVE_STEPS_MAX,
  SCOPES_MAX,
  SUBSTRING_PASSES_MAX,
} = AbiLimit;
/** Most UTF-8 bytes of a value of Equal. */
export const EQUAL_BYTES_MAX = AbiLimit.PATH_BYTES_MAX;
/** Most hooks of policies. The base sensor uses the other hooks. */
export const POLICY_HOOKS_MAX = HOOKS_MAX - SensorHook.HOOK_FIRST_POLICY;
