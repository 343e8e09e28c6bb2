/**
 * PolicyImage: what the policy compiler makes of a policy. Plain data, deterministic, free of kernel addresses;
 * lib/wire/encode.ts turns it into the bytes of bpf/abi.h.
 *
 * Selectors are named by their index. The kernel keeps a set of candidate selectors, each filter takes some out, and the lowest
 * index that is left has matched. Filters that a selector does not have do not concern it.
 */
export type {
  AddressPrefix,
  CelOp,
  CelStep,
  ChangeTest,
  FunctionList,
  HookImage,
  IntGroup,
  IntTest,
  NamespaceName,
  NetField,
  NetFilters,
  PolicyImage,
  ProcessField,
  ProcessGroup,
  ProcessSet,
  ProcessTest,
  ProgramPlace,
  RegisterAssignment,
  SelectorActions,
  SubstringScan,
  TableEntry,
  TextFilters,
  TextTable,
  ValueImage,
  ValueTable,
} from '../../types/policy.js';
