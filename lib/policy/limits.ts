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

/** Bytes, as UTF-8, of a value of Equal. */
export const EQUAL_BYTES_MAX = 4095;
/** Bytes, as UTF-8, of a value of Prefix or Postfix: abi.h FILTER_TEXT_MAX. */
export const FILTER_TEXT_MAX = 255;
export const HOOK_ARGS_MAX = 8;
export const HOOK_PARAM_MAX = 6;
export const HOOK_SELECTORS_MAX = 64;
export const INT_TESTS_MAX = 192;
export const INT_GROUPS_MAX = 64;
/** More than selectors of a hook, each of which has one: never reached. */
export const BINARY_TESTS_MAX = 128;
export const BINARY_SETS_MAX = 256;
/** Bytes, as UTF-8, of a value of matchBinaries. */
export const BINARY_TEXT_MAX = 511;
/** string, filename, file, path and fd arguments of one hook. */
export const TEXT_ARGS_MAX = 5;
export const HOOKS_MAX = 1024;
/** The others are the base sensor's own: abi.h HOOK_FIRST_POLICY. */
export const POLICY_HOOKS_MAX = HOOKS_MAX - 8;
