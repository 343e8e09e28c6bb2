/** What policies are checked against: a kernel, as its BTF and tracefs describe it. */

export interface TypeInfo {
  readonly kind:
    'void' | 'int' | 'enum' | 'float' | 'pointer' | 'array' | 'struct' | 'union' | 'function' | 'forward' | 'other';
  /** Of a struct, union or enum. */
  readonly name: string;
  /** The typedef by which it was reached; '' when by none. */
  readonly alias: string;
  /** Bytes, of an array all of it; 0 where it has none. */
  readonly size: number;
  readonly signed: boolean;
  /** What a pointer points to, or an array consists of. */
  target(): TypeInfo | undefined;
  /** Of a struct or union; those of unnamed members included. */
  members(): readonly MemberInfo[];
}

export interface ParameterInfo {
  readonly name: string;
  readonly type: TypeInfo;
}

export interface MemberInfo extends ParameterInfo {
  /** From the start of the struct, also of a member of an unnamed member. */
  readonly bitOffset: number;
  /** Bits of a bit field; 0 for every other member. */
  readonly bitfieldSize: number;
}

export interface FunctionInfo {
  readonly params: readonly ParameterInfo[];
  readonly returns: TypeInfo;
}

export interface TracepointInfo {
  /** In the order of the tracepoint's format, the common ones included. */
  readonly fields: readonly TracepointField[];
}

export interface TracepointField {
  readonly name: string;
  /** As the format has it, without the name: `pid_t`, `const char *`, `char[16]`, `__data_loc char[]`. */
  readonly type: string;
  /** Bytes, from the start of the record. */
  readonly offset: number;
  readonly size: number;
}

/** A kernel: the running one, or another of which there is a BTF file. */
export interface KernelInfo {
  /** For messages. */
  readonly name: string;
  function(name: string): FunctionInfo | undefined;
  functionNames(): readonly string[];
  /** Whether a probe can be put there; undefined where that cannot be told. */
  attachable(name: string): boolean | undefined;
  /** Every function on which a probe can be put, those of modules included; undefined where that cannot be told. */
  attachableNames(): readonly string[] | undefined;
  /** Whether programs may change what it returns; undefined where that cannot be told. */
  overridable(name: string): boolean | undefined;
  /** A struct or union; with `module`, also of that kernel module. */
  struct(name: string, module?: string): TypeInfo | undefined;
  structNames(): readonly string[];
  /** Parameters of a raw tracepoint. */
  rawTracepoint(event: string): FunctionInfo | undefined;
  rawTracepointNames(): readonly string[];
  /** null: there is none of that name; undefined: that cannot be told. */
  tracepoint(subsystem: string, event: string): TracepointInfo | null | undefined;
  /** Names in a group of tracepoints; of the groups where no group is given. */
  tracepointNames(subsystem?: string): readonly string[];
}
