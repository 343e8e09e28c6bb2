/**
 * CompiledPolicy: the result of the policy compiler. It is plain data without kernel addresses, and the same policy always
 * gives the same image. lib/wire/encode/ turns it into the bytes of bpf/abi.h.
 *
 * Selectors are referred to by their index. The kernel keeps a set of candidate selectors, and each filter removes some of
 * them. The selector with the lowest index that is left has matched. A filter does not affect selectors that do not use it.
 */
export type {
  AddressPrefix,
  CelOp,
  CelStep,
  ChangeTest,
  FunctionList,
  CompiledHook,
  IntGroup,
  IntTest,
  LabelCondition,
  NamespaceName,
  NetField,
  NetFilters,
  CompiledPolicy,
  ProcessField,
  ProcessGroup,
  ProcessSet,
  ProcessTest,
  ProgramPlace,
  RegisterAssignment,
  Scope,
  ScopeTest,
  SelectorActions,
  SubstringScan,
  TableEntry,
  TextFilters,
  TextTable,
  CompiledValue,
  ValueTable,
} from '../../types/policy.js';
