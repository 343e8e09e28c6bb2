/**
 * CompiledPolicy: the result of the policy compiler. It is plain data without kernel addresses, and the same policy always
 * gives the same data. lib/wire/encode/ encodes it as the structs of bpf/abi.h.
 *
 * Selectors are referred to by their index. The kernel keeps a set of candidate selectors, and each filter removes some of
 * them. The remaining selector with the lowest index matches. A filter does not affect selectors that do not use it.
 */
export type {
  AddressPrefix,
  CelOp,
  CelStep,
  ChangeTest,
  CompiledCount,
  CountLabel,
  FunctionList,
  CompiledHook,
  CompiledMark,
  IntGroup,
  IntTest,
  LabelCondition,
  MarkChange,
  MarkTest,
  NamespaceName,
  NetField,
  NetFilters,
  CompiledPolicy,
  ProcessField,
  ProcessGroup,
  ProcessSet,
  ProcessTest,
  UprobeAttachPoint,
  RegisterAssignment,
  Scope,
  ScopeTest,
  SelectorActions,
  SubstringScan,
  TableEntry,
  StringFilters,
  StringTable,
  CompiledValue,
  ValueTable,
} from '../../types/policy.js';
