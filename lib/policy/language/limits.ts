/** Limits that the policy language is held to. Those of the kernel side repeat bpf/abi.h; a test compares them. */

/** Bytes of a policy file. */
export const FILE_BYTES_MAX = 1024 * 1024;
/** Lexical tokens of a policy file: bounds the time that YAML takes, whatever the text. */
export const YAML_TOKENS_MAX = 250_000;
/** Collections inside each other. The language itself needs 9. */
export const YAML_DEPTH_MAX = 32;
/** Diagnostics of one file; the last says that there were more. */
export const DIAGNOSTICS_MAX = 1000;
/** Characters of the offending text in a diagnostic. */
export const TEXT_SHOWN_MAX = 80;
/** Filters of one selector, those of its macros included: bounds the time that checks take. */
export const SELECTOR_FILTERS_MAX = 128;
/** Of the resource's schema. */
export const TAGS_MAX = 16;

/** Bytes, as UTF-8, of a value of Equal: abi.h PATH_BYTES_MAX. */
export const EQUAL_BYTES_MAX = 4095;
/** Bytes, as UTF-8, of a value of Prefix or Postfix. */
export const FILTER_TEXT_MAX = 255;
/** args and data of a hook together. */
export const HOOK_ARGS_MAX = 8;
export const HOOK_PARAM_MAX = 6;
/** Arguments of a static probe: as many as libbpf knows. */
export const PROBE_ARGS_MAX = 12;
export const HOOK_SELECTORS_MAX = 64;
export const RESOLVE_STEPS_MAX = 12;
export const INT_TESTS_MAX = 192;
export const INT_GROUPS_MAX = 64;
/** Different values of Equal on a number from which on they are looked up in a table instead of compared one by one. */
export const INT_TABLE_FROM = 9;
/** Steps of all expressions of a hook, of those at its entry and of those at its return; they become abi.h CEL_ROOM instructions. */
export const CEL_STEPS_MAX = 48;
/** Values that the steps of an expression work on at once. */
export const CEL_REGISTERS = 8;
/** Characters of a CEL expression, and parentheses in each other: bounds the time that it takes. */
export const CEL_TEXT_MAX = 1024;
export const CEL_DEPTH_MAX = 32;
export const SUBSTRING_PASSES_MAX = 4;
export const AUTOMATON_STATES_MAX = 65535;
export const PROCESS_TESTS_MAX = 128;
export const PROCESS_SETS_MAX = 256;
export const CHANGE_TESTS_MAX = 16;
/** Bytes, as UTF-8, of a value of matchBinaries. */
export const BINARY_TEXT_MAX = 511;
export const HOOKS_MAX = 1024;
/** The others are the base sensor's own: abi.h HOOK_FIRST_POLICY. */
export const POLICY_HOOKS_MAX = HOOKS_MAX - 8;
