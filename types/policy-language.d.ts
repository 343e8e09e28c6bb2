/** The policy format as types, for policies written in code; docs/policy.md explains the fields. */

export type SignedType =
  'int' | 'int8' | 'sint8' | 'int16' | 'sint16' | 'int32' | 'sint32' | 'int64' | 'sint64' | 'long';
export type UnsignedType = 'uint8' | 'uint16' | 'uint32' | 'uint64' | 'size_t' | 'ulong' | 'bpf_cmd';
export type NumberType = SignedType | UnsignedType;
export type TextType =
  'string' | 'filename' | 'char_buf' | 'char_iovec' | 'const_buf' | 'sockaddr_un' | 'data_loc' | 'net_device';
export type PathType = 'fd' | 'linux_binprm' | 'dentry';
export type FileType = 'file' | 'path';
export type SocketType = 'sock' | 'socket';
export type CapabilitySetType = 'kernel_cap_t' | 'cap_inheritable' | 'cap_permitted' | 'cap_effective';
/** Shown in events, but not compared. */
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
export type ArgumentType =
  | NumberType
  | TextType
  | PathType
  | FileType
  | SocketType
  | 'skb'
  | 'sockaddr'
  | 'capability'
  | CapabilitySetType
  | 'syscall64'
  | OpaqueType
  | 'auto';

export interface Argument {
  /** Position of the parameter in the function, from 0. */
  readonly index: number;
  readonly type: ArgumentType;
  readonly label?: string;
  readonly maxData?: boolean;
  /** Members to follow, such as `mm.owner.comm`. */
  readonly resolve?: string;
  readonly returnCopy?: boolean;
  /** Parameter with the size of the buffer, from 1. */
  readonly sizeArgIndex?: number;
  readonly btfType?: string;
  readonly btfTypeModule?: string;
  /** Instead of a parameter: the task that is running, or the registers. `resolve` says what of it. */
  readonly source?: 'current_task' | 'pt_regs';
}

/** `0x` hexadecimal, `0` octal or decimal when written as text. */
export type NumberValue = string | number | bigint;
export type FileTypeName =
  'sock' | 'socket' | 'lnk' | 'link' | 'reg' | 'regular' | 'blk' | 'block' | 'dir' | 'chr' | 'char' | 'fifo' | 'pipe';
export type NamespaceName =
  'Uts' | 'Ipc' | 'Mnt' | 'Pid' | 'PidForChildren' | 'Net' | 'Time' | 'TimeForChildren' | 'Cgroup' | 'User';

interface Comparison<O extends string, V> {
  readonly operator: O;
  readonly values: readonly [V, ...V[]];
}

export type NumberComparison =
  | Comparison<
      'Equal' | 'NotEqual' | 'GreaterThan' | 'LessThan' | 'GT' | 'LT' | 'Mask' | 'InMap' | 'NotInMap',
      NumberValue
    >
  | Comparison<'InRange' | 'NotInRange' | 'CelExpr', string>;
export type TextComparison = Comparison<
  'Equal' | 'NotEqual' | 'Prefix' | 'NotPrefix' | 'Postfix' | 'NotPostfix' | 'SubString' | 'SubStringIgnCase',
  string
>;
/** `inode`: whatever leads to the same inode as one of the values, such as a hard link, fits too. */
export type PathComparison =
  | (TextComparison & { readonly inode?: false })
  | (Comparison<'Equal' | 'NotEqual', string> & { readonly inode: boolean });
export type FileComparison =
  PathComparison | (Comparison<'FileType' | 'NotFileType', FileTypeName> & { readonly inode?: false });
export type AddressComparison =
  | Comparison<'SPort' | 'NotSPort' | 'Family', NumberValue>
  | Comparison<'SAddr' | 'NotSAddr', string>
  | { readonly operator: 'SPortPriv' | 'NotSportPriv'; readonly values?: undefined };
export type PacketComparison =
  | AddressComparison
  | Comparison<'DPort' | 'NotDPort' | 'Protocol', NumberValue>
  | Comparison<'DAddr' | 'NotDAddr', string>
  | { readonly operator: 'DPortPriv' | 'NotDPortPriv'; readonly values?: undefined };
export type SocketComparison = PacketComparison | Comparison<'State', NumberValue>;
export type CapabilityComparison =
  Comparison<'Equal' | 'NotEqual' | 'InMap' | 'NotInMap', NumberValue> | Comparison<'CelExpr', string>;
export type CapabilitySetComparison = Comparison<'Equal' | 'NotEqual' | 'Mask', NumberValue>;
export type SyscallComparison =
  Comparison<'Equal' | 'NotEqual' | 'InMap' | 'NotInMap', NumberValue> | Comparison<'InRange' | 'NotInRange', string>;

/** What a value of a type can be compared by. */
export type ComparisonOf<T extends ArgumentType> = T extends NumberType
  ? NumberComparison
  : T extends TextType
    ? TextComparison
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

/** A filter on one of these args: by its `index`, or by its position in the list. */
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
      readonly args: readonly [number, ...number[]];
      readonly index?: undefined;
      readonly operator: 'CelExpr';
      readonly values: readonly [string, ...string[]];
    };

interface PathFilter {
  readonly operator: 'In' | 'NotIn' | 'Prefix' | 'NotPrefix' | 'Postfix' | 'NotPostfix';
  readonly values: readonly [string, ...string[]];
}
/** Children can be followed of whole paths only. */
export type BinaryFilter =
  | (PathFilter & { readonly followChildren?: false })
  | {
      readonly operator: 'In' | 'NotIn';
      readonly values: readonly [string, ...string[]];
      readonly followChildren: boolean;
    };

export interface PidFilter {
  readonly operator: 'In' | 'NotIn';
  readonly values: readonly [number, ...number[]];
  readonly followForks?: boolean;
  readonly isNamespacePID?: boolean;
}

export interface NamespaceFilter {
  readonly namespace: NamespaceName;
  readonly operator: 'In' | 'NotIn';
  /** Inode numbers, or `host_ns`. */
  readonly values: readonly [NumberValue, ...NumberValue[]];
}

export interface CapabilityFilter {
  readonly type?: 'Effective' | 'Inheritable' | 'Permitted';
  readonly operator: 'In' | 'NotIn';
  readonly isNamespaceCapability?: boolean;
  readonly values: readonly [`CAP_${string}`, ...`CAP_${string}`[]];
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly (
    | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly [string, ...string[]] }
    | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist'; readonly values?: undefined }
  )[];
}

export type PostAction = {
  readonly action: 'Post';
  readonly kernelStackTrace?: boolean;
  readonly userStackTrace?: boolean;
} & (
  | { readonly rateLimit: string; readonly rateLimitScope?: 'thread' | 'process' | 'global' }
  | { readonly rateLimit?: undefined; readonly rateLimitScope?: undefined }
);
export type CommonAction =
  | PostAction
  | { readonly action: 'NoPost' | 'Sigkill' }
  | { readonly action: 'Signal'; readonly argSig: number }
  | { readonly action: 'GetUrl'; readonly argUrl: string }
  | { readonly action: 'DnsLookup'; readonly argFqdn: string };
export type OverrideAction = { readonly action: 'Override'; readonly argError: number };
export type ProgramOverrideAction = { readonly action: 'Override' } & (
  | { readonly argError: number }
  | { readonly argRegs: readonly [string, ...string[]] }
  | { readonly argNewAddr: number | bigint }
  | { readonly argNewOffset: number | bigint }
  | { readonly argNewSymbol: string }
);
export type SocketAction = { readonly action: 'TrackSock' | 'UntrackSock'; readonly argSock?: number };
export type EnforcerAction =
  | ({ readonly action: 'NotifyEnforcer'; readonly argIndex?: number } & (
      { readonly argError: number; readonly argSig?: number } | { readonly argSig: number; readonly argError?: number }
    ))
  | { readonly action: 'CleanupEnforcerNotification' };
export type SetAction = { readonly action: 'Set'; readonly argIndex: number; readonly argValue: number };

/** What can be done on each kind of hook. */
export interface Actions {
  readonly kprobes: CommonAction | OverrideAction | SocketAction | EnforcerAction;
  readonly fentries: CommonAction | OverrideAction | SocketAction | EnforcerAction;
  readonly tracepoints: CommonAction | EnforcerAction;
  readonly uprobes: CommonAction | ProgramOverrideAction;
  readonly usdts: CommonAction | SetAction;
  readonly lsmhooks: CommonAction | OverrideAction | (PostAction & { readonly imaHash: boolean });
}
export type HookKind = keyof Actions;

/** The filters that need no knowledge of the hook. */
export interface ProcessFilters {
  readonly label?: string;
  readonly matchPIDs?: readonly PidFilter[];
  readonly matchBinaries?: readonly [] | readonly [BinaryFilter];
  readonly matchParentBinaries?: readonly [] | readonly [BinaryFilter];
  readonly matchNamespaces?: readonly NamespaceFilter[];
  readonly matchNamespaceChanges?: readonly {
    readonly operator: 'In' | 'NotIn';
    readonly values: readonly [NamespaceName, ...NamespaceName[]];
  }[];
  readonly matchCapabilities?: readonly CapabilityFilter[];
  readonly matchCapabilityChanges?: readonly CapabilityFilter[];
  readonly matchWorkloads?: {
    readonly podSelector?: LabelSelector;
    readonly containerSelector?: LabelSelector;
    readonly hostSelector?: LabelSelector;
  };
}

export interface Selector<
  K extends HookKind,
  A extends readonly Argument[],
  D extends readonly Argument[],
  R,
> extends ProcessFilters {
  readonly macros?: readonly string[];
  readonly matchArgs?: readonly FilterOf<A>[];
  readonly matchData?: readonly FilterOf<D>[];
  /** Needs `return: true` and a returnArg. */
  readonly matchReturnArgs?: R extends Argument
    ? readonly ({ readonly index?: R['index'] } & ComparisonOf<R['type']>)[]
    : undefined;
  readonly matchActions?: readonly Actions[K][];
  readonly matchReturnActions?: R extends Argument
    ? readonly Exclude<Actions[K], { readonly action: 'Override' }>[]
    : undefined;
}

interface HookBase<K extends HookKind, A extends readonly Argument[], D extends readonly Argument[], R> {
  readonly message?: string;
  /** At most 16. */
  readonly tags?: readonly string[];
  /** Left out where what it is on is not there. Our own: not in Tetragon's format. */
  readonly optional?: boolean;
  readonly args?: readonly Argument[];
  /** The first selector all of whose filters hold has matched. */
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
type CheckedHook<K extends HookKind, H> = HookOf<K, ArgsOf<H, 'args'>, ArgsOf<H, 'data'>, ReturnOf<H>>;
/** Each hook is checked against the args that it has itself: which filters they allow, and what can be done there. */
export type CheckedHooks<K extends HookKind, L> = { readonly [I in keyof L]: CheckedHook<K, L[I]> };

export type FunctionList =
  | {
      readonly name: string;
      readonly type?: 'syscalls';
      readonly values: readonly [string, ...string[]];
      readonly validated?: boolean;
    }
  | { readonly name: string; readonly type: 'generated_syscalls' }
  | { readonly name: string; readonly type: 'generated_ftrace'; readonly pattern: string };

export type PolicyOption =
  | { readonly name: 'policy-mode'; readonly value: 'enforce' | 'monitor' | 'monitor_only' }
  | { readonly name: 'disable-kprobe-multi' | 'disable-uprobe-multi'; readonly value: '0' | '1' | 'true' | 'false' };

/** Everything of `spec` that is not a hook. */
export interface PolicySettings {
  readonly loader?: boolean;
  readonly lists?: readonly FunctionList[];
  readonly enforcers?: readonly [] | readonly [{ readonly calls: readonly [string, ...string[]] }];
  readonly options?: readonly PolicyOption[];
  readonly selectorsMacros?: Readonly<
    Record<string, ProcessFilters & { readonly matchArgs?: readonly FilterOf<readonly Argument[]>[] }>
  >;
  readonly podSelector?: LabelSelector;
  readonly containerSelector?: LabelSelector;
  readonly hostSelector?: LabelSelector;
  readonly nodeSelector?: LabelSelector;
}

/** What is known of a hook before it is checked. */
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
