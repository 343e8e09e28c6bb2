/** Limits of the policy language. Limits of the BPF programs repeat bpf/abi.h; a test compares them. */

/** Largest size of a policy file in bytes. */
export const FILE_BYTES_MAX = 1024 * 1024;
/** Most lexical tokens of a policy file. This limits the time to parse any text as YAML. */
export const YAML_TOKENS_MAX = 250_000;
/** Deepest nesting of collections. The language itself needs 9 levels. */
export const YAML_DEPTH_MAX = 32;
/** Most diagnostics of one file. The last one says that there were more. */
export const DIAGNOSTICS_MAX = 1000;
/** Most characters of the wrong text that a diagnostic shows. */
export const TEXT_SHOWN_MAX = 80;
/** Most filters of one selector, including those of its macros. This limits the time that checks take. */
export const SELECTOR_FILTERS_MAX = 128;
/** Most tags of a hook, as in the schema of the Kubernetes resource. */
export const TAGS_MAX = 16;

/** Most UTF-8 bytes of a value of Equal: PATH_BYTES_MAX in abi.h. */
export const EQUAL_BYTES_MAX = 4095;
/** Most UTF-8 bytes of a value of Prefix or Postfix. */
export const FILTER_TEXT_MAX = 255;
/** Most args and data of a hook together. */
export const HOOK_ARGS_MAX = 8;
export const HOOK_PARAM_MAX = 6;
/** Most arguments of a static probe. libbpf supports no more. */
export const PROBE_ARGS_MAX = 12;
export const HOOK_SELECTORS_MAX = 64;
export const RESOLVE_STEPS_MAX = 12;
export const INT_TESTS_MAX = 192;
export const INT_GROUPS_MAX = 64;
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
export const SUBSTRING_PASSES_MAX = 4;
export const AUTOMATON_STATES_MAX = 65535;
export const PROCESS_TESTS_MAX = 128;
export const PROCESS_SETS_MAX = 256;
export const CHANGE_TESTS_MAX = 16;
/** Most UTF-8 bytes of a value of matchBinaries. */
export const BINARY_TEXT_MAX = 511;
export const HOOKS_MAX = 1024;
/** Most hooks of policies. The base sensor uses the other hooks: HOOK_FIRST_POLICY in abi.h. */
export const POLICY_HOOKS_MAX = HOOKS_MAX - 8;
