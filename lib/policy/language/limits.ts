/** Limits of the policy language. The limits of the BPF programs come from bpf/abi.h, which describes them. */
import { AbiLimit, SensorHook } from '../../names/abi.gen.js';

/** Maximum size of a policy file in bytes. */
export const POLICY_BYTES_MAX = 1024 * 1024;
/**
 * Maximum number of lexical tokens of a policy file. It limits the time to parse any text as YAML. The composer makes
 * the nodes of a file in one step, and the walker makes their data in another. Each step takes at most about 15 ms.
 */
export const YAML_TOKENS_MAX = 64_000;
/** Maximum nesting of collections. The language needs 9 levels. */
export const YAML_DEPTH_MAX = 32;
/** Maximum number of diagnostics of one file. The last one reports that there are more. */
export const DIAGNOSTICS_MAX = 1000;
/** Maximum number of searches for a similar name of the kernel in the checks of one policy. */
export const SEARCHES_MAX = 20;
/** Maximum number of characters of the policy that a diagnostic quotes. */
export const EXCERPT_MAX = 80;
/** Maximum number of filters of one selector, including those of its macros. It limits the time of the checks. */
export const SELECTOR_FILTERS_MAX = 128;
/** Maximum number of tags of a hook, as in the schema of the Kubernetes resource. */
export const TAGS_MAX = 16;

/** Minimum number of different Equal values that are looked up in a table. Fewer values are compared one by one. */
export const INT_TABLE_MIN = 9;
/**
 * Maximum number of steps of all expressions at the entry of a hook, and also at its return. They become up to
 * CEL_INSTRUCTIONS instructions (bpf/abi.h).
 */
export const CEL_STEPS_MAX = 48;
/** Number of values that the steps of an expression can hold at the same time. */
export const CEL_REGISTERS = 8;
/** Maximum number of characters of a CEL expression, and maximum nesting of its parentheses. */
export const CEL_TEXT_MAX = 1024;
export const CEL_DEPTH_MAX = 32;

export const {
  AUTOMATON_STATES_MAX,
  BINARY_PATH_MAX,
  CHANGE_TESTS_MAX,
  COUNT_LABELS_MAX,
  COUNTS_MAX,
  ERROR_MAX,
  FILTER_STRING_MAX,
  HOOK_ARGS_MAX,
  HOOK_PARAM_MAX,
  HOOK_SELECTORS_MAX,
  HOOKS_MAX,
  INT_GROUPS_MAX,
  INT_TESTS_MAX,
  MARK_ACTIONS_MAX,
  MARK_GROUPS_MAX,
  MARKS_MAX,
  PROBE_ARGS_MAX,
  PROCESS_SETS_MAX,
  PROCESS_TESTS_MAX,
  RESOLVE_STEPS_MAX,
  SCOPES_MAX,
  SUBSTRING_PASSES_MAX,
} = AbiLimit;
/** Maximum number of characters of the name of a mark. */
export const MARK_NAME_MAX = 63;
/** Longest time that a mark can have: a year. */
export const MARK_SECONDS_MAX = 366 * 24 * 3600;
/** Number of keys that a Count keeps without `maxKeys`, and the highest number. */
export const COUNT_KEYS_DEFAULT = 1024;
export const COUNT_KEYS_MAX = 65_536;
/** Maximum number of folders of a label. */
export const COUNT_FOLDERS_MAX = 32;
/** Highest position of an argument in matchCmdArgs. */
export const ARGUMENT_INDEX_MAX = AbiLimit.ARGUMENT_ANY - 1;
/** Maximum number of UTF-8 bytes of a value of matchCmdArgs. */
export const ARGUMENT_VALUE_MAX = FILTER_STRING_MAX - 1;
/** Maximum number of UTF-8 bytes of a value of Equal. */
export const EQUAL_BYTES_MAX = AbiLimit.PATH_BYTES_MAX;
/** Maximum number of hooks of policies. The base sensor uses the other hooks. */
export const POLICY_HOOKS_MAX = HOOKS_MAX - SensorHook.HOOK_FIRST_POLICY;
