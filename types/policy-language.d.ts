/** The policy format as types, for policies that are written in code. docs/policy.md explains the fields. */

/** Types of signed numbers. */
export type SignedType =
  'int' | 'int8' | 'sint8' | 'int16' | 'sint16' | 'int32' | 'sint32' | 'int64' | 'sint64' | 'long';
/** Types of unsigned numbers. */
export type UnsignedType = 'uint8' | 'uint16' | 'uint32' | 'uint64' | 'size_t' | 'ulong' | 'bpf_cmd';
/** Types of numbers. */
export type NumberType = SignedType | UnsignedType;
/** Types of strings and buffers. */
export type TextType = 'string' | 'filename' | 'char_buf' | 'char_iovec' | 'const_buf' | 'data_loc' | 'net_device';
/** Types of paths without filters on the file type. */
export type PathType = 'fd' | 'linux_binprm' | 'dentry';
/** Types of files. */
export type FileType = 'file' | 'path';
/** Types of sockets. */
export type SocketType = 'sock' | 'socket';
/** Types of capability sets. */
export type CapabilitySetType = 'kernel_cap_t' | 'cap_inheritable' | 'cap_permitted' | 'cap_effective';
/** Types that events contain, but that filters cannot compare. */
export type OpaqueType =
  | 'nop'
  | 'bpf_attr'
  | 'perf_event'
  | 'bpf_map'
  | 'bpf_prog'
  | 'user_namespace'
  | 'kiocb'
  | 'iov_iter'
  | 'cred'
  | 'load_info'
  | 'module';
/** Types of arguments. The type decides how a value is read and which operators can compare it. */
export type ArgumentType =
  | NumberType
  | TextType
  | PathType
  | FileType
  | SocketType
  | 'skb'
  | 'sockaddr'
  | 'sockaddr_un'
  | 'sockaddr_alg'
  | 'capability'
  | CapabilitySetType
  | 'syscall64'
  | OpaqueType
  | 'auto';

/** A value that a hook reads. */
export interface Argument {
  /** Position of the parameter in the function, from 0. */
  readonly index: number;
  /** Type of the value. */
  readonly type: ArgumentType;
  /** Name of the value in events and in expressions. */
  readonly label?: string;
  /** Reads up to 32,767 bytes of a buffer instead of 4,095. Default false. */
  readonly maxData?: boolean;
  /** Members to follow, such as `mm.owner.comm`. */
  readonly resolve?: string;
  /** Reads the value when the function returns. Default false. */
  readonly returnCopy?: boolean;
  /** Parameter, or field of a tracepoint, that contains the size of the buffer or of the `sockaddr_alg`, from 1. */
  readonly sizeArgIndex?: number;
  /** Struct that the parameter points to, if its own type does not name it. */
  readonly btfType?: string;
  /** Kernel module that defines `btfType`. */
  readonly btfTypeModule?: string;
  /**
   * Reads from the current task or from the registers instead of a parameter. `resolve` names the member or register.
   * `duration`: nanoseconds from the entry to the return; only in `data`, with the type uint64.
   */
  readonly source?: 'current_task' | 'pt_regs' | 'duration';
}

/** A number. A string is decimal, hexadecimal with `0x`, octal with `0`, or binary with `0b`. */
export type NumberValue = string | number | bigint;
/** Names of file types. */
export type FileTypeName =
  'sock' | 'socket' | 'lnk' | 'link' | 'reg' | 'regular' | 'blk' | 'block' | 'dir' | 'chr' | 'char' | 'fifo' | 'pipe';
/** Names of namespaces. */
export type NamespaceName =
  'Uts' | 'Ipc' | 'Mnt' | 'Pid' | 'PidForChildren' | 'Net' | 'Time' | 'TimeForChildren' | 'Cgroup' | 'User';

/** An operator with its values. */
interface Comparison<O extends string, V> {
  /** Operator. */
  readonly operator: O;
  /**
   * Values to compare with, at least one. A positive operator matches if any value matches. A negated operator matches
   * if none of them does.
   */
  readonly values: readonly V[];
}

/** Filter on a number. */
export type NumberComparison =
  | Comparison<
      'Equal' | 'NotEqual' | 'GreaterThan' | 'LessThan' | 'GT' | 'LT' | 'Mask' | 'InMap' | 'NotInMap',
      NumberValue
    >
  | Comparison<'InRange' | 'NotInRange' | 'CelExpr', string>;
/** Filter on a string. */
export type TextComparison = Comparison<
  'Equal' | 'NotEqual' | 'Prefix' | 'NotPrefix' | 'Postfix' | 'NotPostfix' | 'SubString' | 'SubStringIgnCase',
  string
>;
/** Filter on a path. With `inode`, other paths to the same inode match too, such as hard links. */
export type PathComparison =
  | (TextComparison & { readonly inode?: false })
  | (Comparison<'Equal' | 'NotEqual', string> & { readonly inode: boolean });
/** Filter on a file. */
export type FileComparison =
  PathComparison | (Comparison<'FileType' | 'NotFileType', FileTypeName> & { readonly inode?: false });
/** Filter on the address of a local socket, or of an algorithm: its type, a slash, and its name. */
export type LocalAddressComparison = TextComparison | Comparison<'Family', NumberValue>;
/** Filter on a socket address. */
export type AddressComparison =
  | Comparison<'SPort' | 'NotSPort' | 'Family', NumberValue>
  | Comparison<'SAddr' | 'NotSAddr', string>
  | { readonly operator: 'SPortPriv' | 'NotSportPriv'; readonly values?: undefined };
/** Filter on a packet. */
export type PacketComparison =
  | AddressComparison
  | Comparison<'DPort' | 'NotDPort' | 'Protocol', NumberValue>
  | Comparison<'DAddr' | 'NotDAddr', string>
  | { readonly operator: 'DPortPriv' | 'NotDPortPriv'; readonly values?: undefined };
/** Filter on a socket. */
export type SocketComparison = PacketComparison | Comparison<'State', NumberValue>;
/** Filter on a capability. */
export type CapabilityComparison =
  Comparison<'Equal' | 'NotEqual' | 'InMap' | 'NotInMap', NumberValue> | Comparison<'CelExpr', string>;
/** Filter on a capability set. */
export type CapabilitySetComparison = Comparison<'Equal' | 'NotEqual' | 'Mask', NumberValue>;
/** Filter on a system call. */
export type SyscallComparison =
  Comparison<'Equal' | 'NotEqual' | 'InMap' | 'NotInMap', NumberValue> | Comparison<'InRange' | 'NotInRange', string>;

/** Filter on an argument of type T. */
export type ComparisonOf<T extends ArgumentType> = T extends NumberType
  ? NumberComparison
  : T extends TextType
    ? TextComparison
    : T extends 'sockaddr_un' | 'sockaddr_alg'
      ? LocalAddressComparison
      : T extends PathType
        ? PathComparison
        : T extends FileType
          ? FileComparison
          : T extends SocketType
            ? SocketComparison
            : T extends 'skb'
              ? PacketComparison
              : T extends 'sockaddr'
                ? AddressComparison
                : T extends 'capability'
                  ? CapabilityComparison
                  : T extends CapabilitySetType
                    ? CapabilitySetComparison
                    : T extends 'syscall64'
                      ? SyscallComparison
                      : T extends 'auto'
                        ? NumberComparison | FileComparison | SocketComparison
                        : never;

/** Filter on one of the arguments in A. It names the argument by `index`, or by its position in the list. */
export type FilterOf<A extends readonly Argument[]> =
  | (A[number] extends infer E
      ? E extends Argument
        ? { readonly index: E['index']; readonly args?: undefined } & ComparisonOf<E['type']>
        : never
      : never)
  | ({ readonly args: readonly [number]; readonly index?: undefined } & ComparisonOf<A[number]['type']>)
  | {
      readonly args: readonly [number, number];
      readonly index?: undefined;
      readonly operator: 'CapabilitiesGained';
      readonly values?: readonly string[];
    }
  | {
      /** Has no effect: an expression names its values itself. */
      readonly args?: readonly number[];
      readonly index?: undefined;
      readonly operator: 'CelExpr';
      readonly values: readonly string[];
    };

/** Filter on the path of a file. */
interface PathFilter {
  readonly operator: 'In' | 'NotIn' | 'Prefix' | 'NotPrefix' | 'Postfix' | 'NotPostfix';
  readonly values: readonly string[];
}
/** Filter on the binary of a process. `followChildren` needs whole paths, so `In` or `NotIn`. */
export type BinaryFilter =
  | (PathFilter & { readonly followChildren?: false })
  | {
      readonly operator: 'In' | 'NotIn';
      readonly values: readonly string[];
      readonly followChildren: boolean;
    };

/** Filter on the arguments with which the process was executed. */
export interface CmdArgFilter {
  /** Position of the argument; 0 is the name of the program. Without it, one of the arguments after the name matches. */
  readonly index?: number;
  readonly operator: 'Equal' | 'NotEqual' | 'Prefix' | 'NotPrefix' | 'Postfix' | 'NotPostfix';
  readonly values: readonly string[];
}

/** Filter on process ids. */
export interface PidFilter {
  /** `In`: the process has one of the ids. `NotIn`: it has none. */
  readonly operator: 'In' | 'NotIn';
  /** Process ids. */
  readonly values: readonly number[];
  /** Descendants of these processes match too. Default false. */
  readonly followForks?: boolean;
  /** The ids belong to the process's own pid namespace. Default false. */
  readonly isNamespacePID?: boolean;
}

/** Filter on a namespace of the process. */
export interface NamespaceFilter {
  /** Kind of namespace. */
  readonly namespace: NamespaceName;
  /** `In`: the namespace is one of the values. `NotIn`: it is none of them. */
  readonly operator: 'In' | 'NotIn';
  /** Inode numbers, or `host_ns` for the machine's initial namespace. */
  readonly values: readonly NumberValue[];
}

/** Filter on the capabilities of the process. */
export interface CapabilityFilter {
  /** Capability set. Default `Effective`. */
  readonly type?: 'Effective' | 'Inheritable' | 'Permitted';
  /** `In`: the set contains one of the values. `NotIn`: it contains none. */
  readonly operator: 'In' | 'NotIn';
  /** The process must also be outside the initial user namespace. Default false. */
  readonly isNamespaceCapability?: boolean;
  /** Names of capabilities, such as `CAP_SYS_ADMIN`. */
  readonly values: readonly `CAP_${string}`[];
}

/** Kubernetes label selector. Without conditions, it selects everything. */
export interface LabelSelector {
  /** Labels with their values. All must match. */
  readonly matchLabels?: Readonly<Record<string, string>>;
  /** Conditions on labels. All must match. */
  readonly matchExpressions?: readonly (
    | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
    | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist'; readonly values?: undefined }
  )[];
}

/**
 * Selectors for processes by their container. A container must match `podSelector` and `containerSelector`, if they are
 * present. `hostSelector` adds the processes in no container.
 */
export interface WorkloadSelectors {
  /** Labels of the pod. `{}` selects all pods. The key `k8s:io.kubernetes.pod.namespace` is the pod's namespace. */
  readonly podSelector?: LabelSelector;
  /** Fields of the container: `name`, `repo`, `image`, `runtime`, `id`, and `label:NAME` for its labels. */
  readonly containerSelector?: LabelSelector;
  /** Labels of the node. `{}` selects the processes in no container on every node. */
  readonly hostSelector?: LabelSelector;
}

/** Emits an event, with an optional rate limit and stack traces. */
export type PostAction = {
  readonly action: 'Post';
  readonly kernelStackTrace?: boolean;
  readonly userStackTrace?: boolean;
} & (
  | { readonly rateLimit: string; readonly rateLimitScope?: 'thread' | 'process' | 'global' }
  | { readonly rateLimit?: undefined; readonly rateLimitScope?: undefined }
);
/** Owner of a mark: the process, or its whole container. */
export type MarkScope = 'process' | 'container';
/** Sets or removes a mark of the process. This action is an extension of Tetragon's format. */
export type MarkAction =
  | {
      readonly action: 'Mark';
      readonly mark: string;
      /** Time after which the mark ends, such as `500ms`, `30s`, `5m` or `1h`. Default: it ends with the process. */
      readonly ttl?: string;
      /** Children have the mark, and it stays when the process executes another program. Default true. */
      readonly inherit?: boolean;
      /** Default `process`. */
      readonly scope?: MarkScope;
      /** Other policies see the mark, if they say `shared: true` as well. Default false. */
      readonly shared?: boolean;
    }
  | { readonly action: 'Unmark'; readonly mark: string; readonly scope?: MarkScope; readonly shared?: boolean };
/** Filter on the marks of the process. It is an extension of Tetragon's format. */
export interface MarkFilter {
  readonly operator: 'In' | 'NotIn';
  /** Names of marks. */
  readonly values: readonly string[];
  /** Default: the scope with which this policy sets the mark. */
  readonly scope?: MarkScope;
  /** These are the marks that policies share. Default false. */
  readonly shared?: boolean;
}
/** Counts calls in the kernel, without events. This action is an extension of Tetragon's format. */
export type CountAction = {
  readonly action: 'Count';
  /** Name of the metric. */
  readonly metric: string;
  /**
   * Labels, at most four: `binary`, `parentBinary`, `container`, `pod`, `namespace`, `uid`, `errno`, `return`, `argN`,
   * `dataN` (positions in `args` and `data`), or the label of a value; with `.port` or `.device`, that part of it.
   */
  readonly by?: readonly string[];
  /** Paths in labels are cut after this many folders. */
  readonly folders?: number;
  /** Maximum number of combinations of labels; default 1024. All others are added up as `other`. */
  readonly maxKeys?: number;
} & (
  | { readonly kind?: 'counter'; readonly value?: '1' | 1 }
  | { readonly kind: 'sum' | 'histogram'; readonly value: string }
);
/** Action for every kind of hook. */
export type CommonAction =
  | PostAction
  | MarkAction
  | { readonly action: 'NoPost' | 'Sigkill' }
  | { readonly action: 'Signal'; readonly argSig: number }
  | { readonly action: 'GetUrl'; readonly argUrl: string }
  | { readonly action: 'DnsLookup'; readonly argFqdn: string }
  | CountAction;
/** Returns `argError` instead of running the function. */
export type OverrideAction = { readonly action: 'Override'; readonly argError: number };
/** Changes a function of a program: its return value, registers, or the address where the program continues. */
export type ProgramOverrideAction = { readonly action: 'Override' } & (
  | { readonly argError: number }
  | { readonly argRegs: readonly string[] }
  | { readonly argNewAddr: number | bigint }
  | { readonly argNewOffset: number | bigint }
  | { readonly argNewSymbol: string }
);
/** Stores or deletes the owner of a socket. `argSock` is a position in `args`, from 0; default 0. */
export type SocketAction = { readonly action: 'TrackSock' | 'UntrackSock'; readonly argSock?: number };
/** Notifies the policy's enforcers, or withdraws the notification. */
export type EnforcerAction =
  | ({ readonly action: 'NotifyEnforcer'; readonly argIndex?: number } & (
      { readonly argError: number; readonly argSig?: number } | { readonly argSig: number; readonly argError?: number }
    ))
  | { readonly action: 'CleanupEnforcerNotification' };
/** Writes a value to an argument of a static probe. */
export type SetAction = { readonly action: 'Set'; readonly argIndex: number; readonly argValue: number };

/** Actions for each kind of hook. */
export interface Actions {
  readonly kprobes: CommonAction | OverrideAction | SocketAction | EnforcerAction;
  readonly fentries: CommonAction | OverrideAction | SocketAction | EnforcerAction;
  readonly tracepoints: CommonAction | EnforcerAction;
  readonly uprobes: CommonAction | ProgramOverrideAction;
  readonly usdts: CommonAction | SetAction;
  readonly lsmhooks: CommonAction | OverrideAction | (PostAction & { readonly imaHash: boolean });
}
/** Name of a section of hooks in `spec`. */
export type HookKind = keyof Actions;

/** Filters that do not depend on the hook. */
export interface ProcessFilters {
  /** Name of the selector. */
  readonly label?: string;
  /**
   * Filter on the time from the entry of the function to its return. Values are times such as `10ms`. Only for kprobes,
   * fentries and uprobes. This filter is an extension of Tetragon's format.
   */
  readonly matchDuration?: { readonly operator: 'GT' | 'LT'; readonly values: readonly string[] };
  readonly matchPIDs?: readonly PidFilter[];
  readonly matchBinaries?: readonly [] | readonly [BinaryFilter];
  readonly matchParentBinaries?: readonly [] | readonly [BinaryFilter];
  readonly matchCmdArgs?: readonly CmdArgFilter[];
  readonly matchNamespaces?: readonly NamespaceFilter[];
  readonly matchNamespaceChanges?: readonly {
    readonly operator: 'In' | 'NotIn';
    readonly values: readonly NamespaceName[];
  }[];
  readonly matchCapabilities?: readonly CapabilityFilter[];
  readonly matchCapabilityChanges?: readonly CapabilityFilter[];
  readonly matchMarks?: readonly MarkFilter[];
  /** Filter on the container of the process. Without selectors, every process matches. */
  readonly matchWorkloads?: WorkloadSelectors;
}

/** A selector: it matches if all its filters match. */
export interface Selector<
  K extends HookKind,
  A extends readonly Argument[],
  D extends readonly Argument[],
  R,
> extends ProcessFilters {
  /** Names in `selectorsMacros`. Their filters are added to the selector. */
  readonly macros?: readonly string[];
  /** Filters on `args`. */
  readonly matchArgs?: readonly FilterOf<A>[];
  /** Filters on `data`. */
  readonly matchData?: readonly FilterOf<D>[];
  /** Filter with an expression over `arg0`, `arg1`, … (positions in `args`) and `data0`, `data1`, … (in `data`). */
  readonly matchCEL?: { readonly expr: string };
  /** Filters on the return value. They need `return: true` and `returnArg`. */
  readonly matchReturnArgs?: R extends Argument
    ? readonly ({ readonly index?: R['index'] } & ComparisonOf<R['type']>)[]
    : undefined;
  /** Actions of the selector. Default: `Post`. */
  readonly matchActions?: readonly Actions[K][];
  /** Actions when the function returns. */
  readonly matchReturnActions?: R extends Argument
    ? readonly Exclude<Actions[K], { readonly action: 'Override' }>[]
    : undefined;
}

/** Fields that every hook has. */
interface HookBase<K extends HookKind, A extends readonly Argument[], D extends readonly Argument[], R> {
  /** Text that events contain. */
  readonly message?: string;
  /** Tags that events contain: at most 16. */
  readonly tags?: readonly string[];
  /**
   * Skips the hook if its function, tracepoint or file does not exist. This field is an extension of Tetragon's format.
   * Default false.
   */
  readonly optional?: boolean;
  /** Values that the hook reads. */
  readonly args?: readonly Argument[];
  /** Selectors, in the order in which they are tested. The first one that matches is used. */
  readonly selectors?: readonly Selector<K, A, D, R>[];
}

type Returning<R> = R extends Argument
  ? { readonly return: true; readonly returnArg: Argument }
  : { readonly return?: false; readonly returnArg?: undefined };

type FunctionHook<
  K extends 'kprobes' | 'fentries',
  A extends readonly Argument[],
  D extends readonly Argument[],
  R,
> = HookBase<K, A, D, R> &
  Returning<R> & {
    readonly call: string;
    readonly syscall?: boolean;
    readonly data?: readonly Argument[];
    readonly returnArgAction?: 'TrackSock' | 'UntrackSock';
    readonly ignore?: { readonly callNotFound?: boolean };
  };

interface Tracepoint<A extends readonly Argument[]> extends HookBase<'tracepoints', A, [], undefined> {
  readonly subsystem: string;
  readonly event: string;
  readonly raw?: boolean;
}

type Uprobe<A extends readonly Argument[], D extends readonly Argument[], R> = HookBase<'uprobes', A, D, R> &
  Returning<R> & {
    readonly path: string;
    readonly resolvePathInContainer?: boolean;
    readonly data?: readonly Argument[];
    readonly refCtrOffsets?: readonly (number | bigint)[];
    readonly binaryDigests?: readonly string[];
    readonly btfPath?: string;
    readonly ignore?: { readonly digestVerificationFailure?: boolean };
    readonly symbols?: readonly string[];
    readonly offsets?: readonly (number | bigint)[];
    readonly addrs?: readonly (number | bigint)[];
  };

interface Usdt<A extends readonly Argument[]> extends HookBase<'usdts', A, [], undefined> {
  readonly path: string;
  readonly provider: string;
  readonly name: string;
  readonly btfPath?: string;
}

interface LsmHook<A extends readonly Argument[]> extends HookBase<'lsmhooks', A, [], undefined> {
  readonly hook: string;
}

type HookOf<K extends HookKind, A extends readonly Argument[], D extends readonly Argument[], R> = K extends
  'kprobes' | 'fentries'
  ? FunctionHook<K, A, D, R>
  : K extends 'tracepoints'
    ? Tracepoint<A>
    : K extends 'uprobes'
      ? Uprobe<A, D, R>
      : K extends 'usdts'
        ? Usdt<A>
        : LsmHook<A>;

type ArgsOf<H, F extends string> = H extends { readonly [key in F]: infer A extends readonly Argument[] } ? A : [];
type ReturnOf<H> = H extends { readonly return: true; readonly returnArg: infer R extends Argument }
  ? R
  : H extends { readonly return: true }
    ? Argument
    : undefined;
type CheckedHook<K extends HookKind, H> =
  true extends HasEmptyList<H>
    ? {
        readonly selectors: 'Each filter needs at least one value. A list that is computed at run time is checked there.';
      }
    : HookOf<K, ArgsOf<H, 'args'>, ArgsOf<H, 'data'>, ReturnOf<H>>;
/** The result contains `true` if a filter has `values: []`. */
type HasEmptyList<H> = H extends { readonly selectors: readonly (infer S)[] } ? EmptyFilters<S> : false;
type EmptyFilters<S> = S extends unknown ? { [F in keyof S]: HasNoValues<S[F]> }[keyof S] : never;
type HasNoValues<F> = F extends readonly (infer E)[]
  ? E extends { readonly values: readonly [] }
    ? true
    : false
  : false;
/** Hooks whose filters and actions are checked against the arguments of the same hook. */
export type CheckedHooks<K extends HookKind, L> = { readonly [I in keyof L]: CheckedHook<K, L[I]> };

/** A named list of functions. */
export type FunctionList =
  | {
      readonly name: string;
      readonly type?: 'syscalls';
      readonly values: readonly string[];
      readonly validated?: boolean;
    }
  | { readonly name: string; readonly type: 'generated_syscalls' }
  | { readonly name: string; readonly type: 'generated_ftrace'; readonly pattern: string };

/** An option of the policy. */
export type PolicyOption =
  | { readonly name: 'policy-mode'; readonly value: 'enforce' | 'monitor' | 'monitor_only' }
  | {
      readonly name: 'disable-kprobe-multi' | 'disable-uprobe-multi' | 'trust-binary-paths';
      readonly value: '0' | '1' | 'true' | 'false';
    }
  /** Has no effect: polytrace chooses the mechanism of overrides. */
  | { readonly name: 'override-method'; readonly value: 'fmod-ret' | 'override-return' }
  /**
   * These two have no effect: they are sizes of tables in Tetragon. A value is a number of entries, 1 to 4294967295.
   */
  | { readonly name: 'sleepable-preload-size' | 'uprobe-heap-size'; readonly value: `${bigint}` };

/** Fields of `spec` that are not hooks. */
export interface PolicySettings extends WorkloadSelectors {
  /** Reports files that are mapped as code. Default false. */
  readonly loader?: boolean;
  /** Named lists of functions. */
  readonly lists?: readonly FunctionList[];
  /** Functions where notifications take effect. */
  readonly enforcers?: readonly [] | readonly [{ readonly calls: readonly string[] }];
  /** Options of the policy. */
  readonly options?: readonly PolicyOption[];
  /** Named sets of filters that selectors share. */
  readonly selectorsMacros?: Readonly<
    Record<string, ProcessFilters & { readonly matchArgs?: readonly FilterOf<readonly Argument[]>[] }>
  >;
  /** Labels of the node. On other nodes, the policy is loaded, but not attached. */
  readonly nodeSelector?: LabelSelector;
}

/** A hook before it is checked. */
export interface AnyHook {
  readonly call?: string;
  readonly subsystem?: string;
  readonly path?: string;
  readonly hook?: string;
  readonly return?: boolean;
  readonly args?: readonly Argument[];
  readonly data?: readonly Argument[];
  readonly returnArg?: Argument;
}

/** Fields of a policy beside `spec`. */
export interface PolicyHead {
  readonly apiVersion?: 'cilium.io/v1alpha1';
  readonly kind?: 'TracingPolicy' | 'TracingPolicyNamespaced';
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}
