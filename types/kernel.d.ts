/** Types of a kernel against which policies are checked, as its BTF and tracefs describe it. */

/** A type. */
export interface TypeInfo {
  /** Kind of the type. */
  readonly kind:
    'void' | 'int' | 'enum' | 'float' | 'pointer' | 'array' | 'struct' | 'union' | 'function' | 'forward' | 'other';
  /** Name of the struct, union or enum. */
  readonly name: string;
  /** Name of the typedef of this type; '' if there is none. */
  readonly alias: string;
  /** Size in bytes; for an array, of all elements; 0 if the type has no size. */
  readonly size: number;
  /** The number is signed. */
  readonly signed: boolean;
  /** Returns the type that a pointer points to, or the type of an array's elements. */
  target(): TypeInfo | undefined;
  /** Returns the members of a struct or union, including those of unnamed members. */
  members(): readonly MemberInfo[];
}

/** A parameter of a function. */
export interface ParameterInfo {
  /** Name of the parameter or member. */
  readonly name: string;
  /** Type of the parameter or member. */
  readonly type: TypeInfo;
}

/** A member of a struct or union. */
export interface MemberInfo extends ParameterInfo {
  /**
   * Offset in bits from the start of the struct. For members of an unnamed member, the offset from the start of the outer struct.
   */
  readonly bitOffset: number;
  /** Size of a bit field in bits; 0 for every other member. */
  readonly bitfieldSize: number;
}

/** Prototype of a function. */
export interface FunctionInfo {
  /** Parameters, in their order. */
  readonly params: readonly ParameterInfo[];
  /** Type of the return value. */
  readonly returns: TypeInfo;
}

/** Format of a tracepoint. */
export interface TracepointInfo {
  /** Fields in the order of the tracepoint's format, including the common fields. */
  readonly fields: readonly TracepointField[];
}

/** A field of a tracepoint. */
export interface TracepointField {
  /** Name of the field. */
  readonly name: string;
  /** Type as in the format, without the name: `pid_t`, `const char *`, `char[16]`, `__data_loc char[]`. */
  readonly type: string;
  /** Offset in bytes from the start of the record. */
  readonly offset: number;
  /** Size in bytes. */
  readonly size: number;
  /** True for a signed number, otherwise absent. */
  readonly signed?: boolean;
}

/** A kernel: the running one, or another one that a BTF file describes. */
export interface KernelInfo {
  /** Name for messages. */
  readonly name: string;
  /** Preemption model of the running kernel. Absent for a BTF file, which does not contain it. */
  readonly preemption?: PreemptionModel | undefined;
  /** Returns the prototype of a function; undefined when there is no such function. */
  function(name: string): FunctionInfo | undefined;
  /** Returns the names of all functions with a prototype. */
  functionNames(): readonly string[];
  /** Returns true when a probe can be attached to the function; undefined when this is unknown. */
  attachable(name: string): boolean | undefined;
  /**
   * Returns all functions that probes can be attached to, including those of modules; undefined when this is unknown.
   */
  attachableNames(): readonly string[] | undefined;
  /** Returns true when programs may change the function's return value; undefined when this is unknown. */
  overridable(name: string): boolean | undefined;
  /** Returns a struct or union. With `module`, structs of that kernel module are searched too. */
  struct(name: string, module?: string): TypeInfo | undefined;
  /** Returns the names of all structs. */
  structNames(): readonly string[];
  /** Returns the parameters of a raw tracepoint; undefined when there is no such tracepoint. */
  rawTracepoint(event: string): FunctionInfo | undefined;
  /** Returns the names of all raw tracepoints. */
  rawTracepointNames(): readonly string[];
  /** Returns the format of a tracepoint; null when there is no such tracepoint; undefined when this is unknown. */
  tracepoint(subsystem: string, event: string): TracepointInfo | null | undefined;
  /** Returns the names in a group of tracepoints. Without a group, returns the names of the groups. */
  tracepointNames(subsystem?: string): readonly string[];
}

/**
 * The preemption model of a kernel: when it can suspend its own code. `none` and `voluntary` do not suspend BPF programs;
 * `lazy`, `full` and `rt` do. `unknown` counts as preemptible.
 */
export type PreemptionModel = 'none' | 'voluntary' | 'lazy' | 'full' | 'rt' | 'unknown';
