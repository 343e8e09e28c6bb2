import type { Diagnostic } from './errors.js';
import type { ArgumentOf, HookArgument } from './events.js';
import type { KernelInfo } from './kernel.js';
import type {
  AnyHook,
  ArgumentType,
  CheckedHooks,
  HookKind,
  NamespaceName,
  PolicyHead,
  PolicySettings,
} from './policy-language.js';

export type * from './policy-language.js';

/** A policy that was parsed, has no errors and is supported by this version. */
export interface Policy {
  /** `metadata.name` of the policy. */
  readonly name: string;
  /** `metadata.namespace` of a TracingPolicyNamespaced. */
  readonly namespace?: string;
  /** Name of the file in diagnostics. */
  readonly file: string;
  /** `metadata.annotations` of the policy, if it has any. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The labelled values of these hooks: `ArgumentOf` the type in the policy, by label. */
export type LabelledValues<H extends readonly AnyHook[]> = {
  readonly [V in LabelledArgument<H[number]> as V['label']]?: V['type'] extends HookArgument['type']
    ? ArgumentOf<V['type']>
    : HookArgument;
};

type LabelledArgument<H> =
  | (H extends { readonly args: readonly (infer A)[] }
      ? Extract<A, { readonly label: string; readonly type: string }>
      : never)
  | (H extends { readonly data: readonly (infer D)[] }
      ? Extract<D, { readonly label: string; readonly type: string }>
      : never);

/** A policy that knows the types of its labelled values, as `definePolicy` returns it. The member does not exist at run time. */
export interface LabelledPolicy<V> extends Policy {
  readonly labelledValues?: V;
}

/** Options for functions that read YAML text. */
export interface ParseOptions {
  /** Name of the file in diagnostics. Default `<policy>`. */
  readonly file?: string;
}

/** Options for `validatePolicy`. */
export interface ValidateOptions extends ParseOptions {
  /**
   * Kernel in which functions, prototypes, tracepoints and LSM hooks are looked up: see `loadKernelInfo`. Default: none.
   */
  readonly kernel?: KernelInfo;
  /**
   * Also check files of this machine: programs, their symbols and static probes, and symbolic links. Default false.
   */
  readonly files?: boolean;
  /**
   * Also report, as warnings with a code `TETRAGON_…`, the places of the policy where this agent does something else.
   * Default: none.
   */
  readonly like?: 'tetragon';
  /** Also report, as notes, which checks were skipped because of these options. Default false. */
  readonly reportUnchecked?: boolean;
}

/**
 * Loads the BTF of a kernel: that of the running kernel, or that of a BTF file (`vmlinux`). Needs the addon.
 * Throws KernelError ADDON_MISSING or BTF_UNREADABLE.
 */
export function loadKernelInfo(btfFile?: string): KernelInfo;

/** A policy of the package. `polytrace:NAME` names it wherever the path of a policy is expected. */
export interface LibraryPolicy {
  readonly name: string;
  /** Path of the policy's file. Its first comment describes what the policy reports and what it cannot report. */
  readonly file: string;
  /** First sentence of the file's first comment. */
  readonly summary: string;
  /** Severity of its alerts: the annotation `polytrace.io/severity`. */
  readonly severity: AlertSeverity;
  /** The annotation `polytrace.io/maturity`. */
  readonly maturity: 'stable' | 'sandbox';
}

/** Severity of an alert, which the agent makes of the event of a hook. */
export type AlertSeverity = 'critical' | 'high' | 'medium' | 'low' | 'info';

/** Returns the policies of the package, sorted by name. Empty in a bundle without the folder `policies`. */
export function policyLibrary(): LibraryPolicy[];

/**
 * Returns the policy files of a path. For a file, this is the file itself. For a folder, these are the files in it whose
 * names end in .yaml or .yml. Throws PolicyError.
 */
export function expandPolicyPaths(fileOrFolder: string): string[];

/** Reads the text of a policy file: UTF-8, at most 1 MiB. Throws PolicyError. */
export function loadPolicyFile(path: string): string;

/** A list of values of a policy that can be replaced without a change of the file. */
export interface PolicyParameter {
  /** Name of a list with the comment `# parameter: NAME`, or of an exception that every policy has: `allow.binaries`. */
  readonly name: string;
  /** The values of the file. Empty for exceptions. */
  readonly values: readonly string[];
}

/** Returns the parameters of a policy, sorted by name. */
export function listPolicyParameters(yaml: string): PolicyParameter[];

/**
 * Sets parameters of a policy, and returns the text of the new policy. A setting is `NAME=VALUE,VALUE`, which replaces the
 * values, or `NAME+=VALUE,VALUE`, which adds some. `file` is the name in messages.
 * Throws PolicyError PARAMETER_UNKNOWN or PARAMETER_INVALID, or the errors of the new policy.
 */
export function setPolicyParameters(
  yaml: string,
  settings: readonly string[],
  options?: { readonly file?: string },
): string;

/**
 * Parses and checks a policy. Throws PolicyError with the diagnostics of `validatePolicy` when there is an error. A part of
 * the policy that this version does not support is an error, too.
 */
export function parsePolicy(yaml: string, options?: ParseOptions): Policy;

/**
 * Checks a policy. Returns all errors and warnings; the list is empty when the policy is correct. Never throws for
 * incorrect input.
 */
export function validatePolicy(yaml: string, options?: ValidateOptions): Diagnostic[];

/**
 * Compiles a policy to the form in which the kernel evaluates it. A policy with inferred types (`type: auto`) needs
 * `kernel`. Throws PolicyError with all errors.
 */
export function compilePolicy(policy: Policy | string, options?: CompileOptions): CompiledPolicy;

/**
 * Checks a policy that is written in code. TypeScript reports operators that do not fit an argument, and actions
 * without their arguments.
 * Throws PolicyError with all other errors. Each has the `path` of the wrong value in the object.
 */
export function definePolicy<
  const K extends readonly AnyHook[] = [],
  const F extends readonly AnyHook[] = [],
  const T extends readonly AnyHook[] = [],
  const U extends readonly AnyHook[] = [],
  const S extends readonly AnyHook[] = [],
  const L extends readonly AnyHook[] = [],
>(
  policy: PolicyHead & {
    readonly spec: PolicySettings & {
      readonly kprobes?: K & CheckedHooks<'kprobes', K>;
      readonly fentries?: F & CheckedHooks<'fentries', F>;
      readonly tracepoints?: T & CheckedHooks<'tracepoints', T>;
      readonly uprobes?: U & CheckedHooks<'uprobes', U>;
      readonly usdts?: S & CheckedHooks<'usdts', S>;
      readonly lsmhooks?: L & CheckedHooks<'lsmhooks', L>;
    };
  },
): LabelledPolicy<
  LabelledValues<K> & LabelledValues<F> & LabelledValues<T> & LabelledValues<U> & LabelledValues<S> & LabelledValues<L>
>;

/**
 * Describes a policy in English: what each hook reads, how and in which order its selectors are evaluated, which
 * actions follow, and what the hook costs. Also describes YAML that `parsePolicy` refuses only because this version does
 * not support it.
 * Throws PolicyError for a policy with errors.
 */
export function explainPolicy(policy: Policy | string, options?: ExplainOptions): PolicyExplanation;

/** Options for `explainPolicy`. */
export interface ExplainOptions extends ParseOptions {
  /** Kernel in which types are looked up: see `loadKernelInfo`. Default: none. */
  readonly kernel?: KernelInfo;
}

/** Options for `compilePolicy`. */
export interface CompileOptions extends ExplainOptions {
  /** Architecture whose system call numbers are used. Default: that of this machine. */
  readonly architecture?: 'x64' | 'arm64';
}

/** Formats an explanation for a terminal. Strings from the policy are quoted. */
export function formatExplanation(explanation: PolicyExplanation): string;

/** Returns the JSON Schema (draft 7) of the policy format. The package's `schema` folder contains the same schema. */
export function policySchema(): object;

/** Description of a policy in English. */
export interface PolicyExplanation {
  /** `metadata.name` of the policy. */
  readonly name: string;
  /** `metadata.namespace` of a TracingPolicyNamespaced. */
  readonly namespace?: string;
  /** Name of the file in diagnostics. */
  readonly file: string;
  /** Severity of the policy's alerts, if the annotation `polytrace.io/severity` says it. */
  readonly severity?: AlertSeverity;
  /** The annotation `polytrace.io/maturity`. */
  readonly maturity?: 'stable' | 'sandbox';
  /** Reasons why this version cannot load the policy; empty when it can. */
  readonly unsupported: readonly string[];
  /** Processes that the policy applies to, if it is limited to some of them. A process that fits one element is enough. */
  readonly scope?: readonly string[];
  /** Conditions on the labels of the node, if the policy is for some nodes only. All must hold. */
  readonly nodes?: readonly string[];
  /** Options of the policy. If an option is written several times, only the last one is used and listed. */
  readonly options: readonly OptionExplanation[];
  /** Hooks of the policy, in its order. */
  readonly hooks: readonly HookExplanation[];
  /** Functions where the policy's notifications take effect. */
  readonly enforcers: readonly string[];
  /** The policy reports files that are mapped as code. */
  readonly loader?: true;
  /** Approximate size of all tables in bytes; 0 when the policy cannot be loaded. */
  readonly tableBytes: number;
  /** Output of the compiler. Present when the policy can be loaded. */
  readonly image?: CompiledPolicy;
}

/** Description of one option of a policy. */
export interface OptionExplanation {
  /** Name of the option. */
  readonly name: string;
  /** Value that the policy gives it. */
  readonly value: string;
  /** Effect of the option. Begins with `no effect` for an option that polytrace does not need. */
  readonly effect: string;
}

/** Description of one hook of a policy. */
export interface HookExplanation {
  /** Section of `spec` that contains the hook. */
  readonly kind: HookKind;
  /** Name of what is hooked, as in the policy. */
  readonly target: string;
  /** Mechanisms that can attach the hook. */
  readonly attach: string;
  /** `message` of the hook in the policy. */
  readonly message?: string;
  /** Values that the hook reads. */
  readonly reads: readonly string[];
  /** Selectors of the hook, in their order. */
  readonly selectors: readonly SelectorExplanation[];
  /** Cost of one call. Present when the policy can be loaded. */
  readonly cost?: HookCost;
}

/** Description of one selector of a hook. */
export interface SelectorExplanation {
  /** Conditions, in the order in which they are tested. All must hold. A selector without conditions always matches. */
  readonly conditions: readonly string[];
  /** Actions of the selector, in their order. */
  readonly actions: readonly string[];
}

/** Estimated cost of a hook. The numbers are for planning; they are not measured. */
export interface HookCost {
  /** Maximum number of number comparisons. */
  readonly comparisons: number;
  /** Number of tests of the process's bits: which binaries it runs, and which of its properties have changed. */
  readonly binaryTests: number;
  /** Number of lookups in tables of numbers, strings and networks. */
  readonly lookups: number;
  /** Number of paths that are computed for filters. */
  readonly pathWalks: number;
  /** Number of scans of a string for substrings. */
  readonly textScans: number;
  /** Number of instructions of CEL expressions. */
  readonly expressionSteps: number;
  /** Number of paths and strings that are read only for the event, after all filters have matched. */
  readonly readForEvent: number;
  /** Number of entries in all tables. */
  readonly tableEntries: number;
  /** Approximate size of the tables in the kernel, in bytes. */
  readonly tableBytes: number;
}

/**
 * A compiled policy. It is plain data, and the same policy always gives the same data. Selectors are referred to by
 * their index.
 */
export interface CompiledPolicy {
  /** `metadata.name` of the policy. */
  readonly name: string;
  /** `metadata.namespace` of a TracingPolicyNamespaced. */
  readonly namespace?: string;
  /** Hooks to attach, in this order. */
  readonly hooks: readonly CompiledHook[];
  /** Sets of processes that the hooks test. Equal sets appear once. */
  readonly processSets: readonly ProcessSet[];
  /** Scopes of the policy and of its selectors. Equal scopes are kept once. */
  readonly scopes: readonly Scope[];
  /** Marks that the hooks set and test. Equal marks appear once. Absent when there are none. */
  readonly marks?: readonly CompiledMark[];
  /** Conditions on the labels of the node (`nodeSelector`). On other nodes, the policy is not attached. */
  readonly nodes?: readonly LabelCondition[];
  /**
   * Mode that the policy's option `policy-mode` sets. `monitor_only` is mode `monitor` that cannot be changed, neither
   * at load nor later.
   */
  readonly mode?: PolicyMode | 'monitor_only';
}

/**
 * Mode of a policy. In mode `enforce`, actions take effect. In mode `monitor`, events only report the actions.
 */
export type PolicyMode = 'enforce' | 'monitor';

/** Actions of a selector that has matched. */
export interface SelectorActions {
  /** Names of the actions, in the order of the policy; never empty. */
  readonly order: readonly (
    | 'post'
    | 'noPost'
    | 'signal'
    | 'sigkill'
    | 'override'
    | 'set'
    | 'notifyEnforcer'
    | 'cleanupEnforcerNotification'
    | 'trackSock'
    | 'untrackSock'
    | 'getUrl'
    | 'dnsLookup'
    | 'mark'
    | 'unmark'
    | 'count'
  )[];
  /** Number of the signal that `signal` or `sigkill` sends. */
  readonly signal?: number;
  /** Value that the function returns instead of running. */
  readonly override?: number;
  /** Registers to set, one after the other. Only for functions of programs. */
  readonly registers?: readonly RegisterAssignment[];
  /** Instruction in the file where the call continues: exactly one of the members. Only for functions of programs. */
  readonly goOn?: { readonly symbol?: string; readonly fileOffset?: bigint; readonly address?: bigint };
  /** Argument that `set` changes, and its new value. Only for static probes. */
  readonly set?: { readonly argument: number; readonly value: number };
  /** Actions that `notifyEnforcer` requests from the policy's enforcers: a signal, a return value, or both. */
  readonly notify?: { readonly signal?: number; readonly override?: number };
  /** Rate limit of `post`: at most one equal event in this many seconds. */
  readonly rateLimit?: { readonly scope: 'thread' | 'process' | 'global'; readonly seconds: number };
  /** The event contains the stack trace of the kernel. */
  readonly kernelStack?: true;
  /** The event contains the stack trace of the process. */
  readonly userStack?: true;
  /** Marks that `mark` sets and `unmark` removes, in the order of the actions. */
  readonly marks?: readonly string[];
  /** Targets of `getUrl` (an address) and `dnsLookup` (a name), in the order of the actions. */
  readonly requests?: readonly string[];
  /** The event contains the hash that IMA computes of the hook's first file. */
  readonly imaHash?: true;
}

/**
 * Assignment to a register: to = offset, plus the value of `from` when it is present. With `memory`, the sum is an
 * address, and the register gets the value that is stored there.
 */
export interface RegisterAssignment {
  /** The assignment as written in the policy. */
  readonly text: string;
  /** Register that is set. */
  readonly to: string;
  /** Register that is added. */
  readonly from?: string;
  /** The value is read from memory. */
  readonly memory?: true;
  /** Constant that is added. */
  readonly offset: bigint;
}

/** A mark. Two marks with the same name are different if another member differs. */
export interface CompiledMark {
  readonly name: string;
  /** It belongs to the container, not to the process. */
  readonly container?: true;
  /** All policies that share a mark of this name have the same one. Otherwise it belongs to the policy. */
  readonly shared?: true;
}

/** Test of a mark, for all selectors that name it. */
export interface MarkTest {
  /** Index in `marks` of the policy. */
  readonly mark: number;
  /** Name of the mark. */
  readonly name: string;
  /** It belongs to the container. */
  readonly container?: true;
  /** For the n-th filter with `In` of a selector: the selectors that the mark satisfies. */
  readonly in: readonly (readonly number[])[];
  /** Selectors that the mark rules out, because a filter with `NotIn` names it. */
  readonly notIn: readonly number[];
}

/** Sets or removes a mark. */
export interface MarkChange {
  readonly action: 'mark' | 'unmark';
  /** Index in `marks` of the policy. */
  readonly mark: number;
  /** It belongs to the container. */
  readonly container?: true;
  /** Selectors that have the action. */
  readonly selectors: readonly number[];
  /** Time in nanoseconds until the mark ends. Absent: it ends with its owner. */
  readonly ttl?: bigint;
  /** Children have the mark, and it stays over an exec. */
  readonly inherits: boolean;
  /** The action is one of matchReturnActions. */
  readonly onReturn?: true;
}

/** One hook to attach. */
export interface CompiledHook {
  /**
   * Kind of hook:
   * - `kprobe`: a trampoline when the kernel supports it, otherwise a kprobe.
   * - `fentry`: a trampoline only.
   * - `tracepoint`, `raw_tracepoint`, `lsm`, `uprobe`, `usdt`: a hook of that kind.
   * - `enforcer`: a function where notifications take effect. It emits no events, and it comes before the hooks that
   *   notify it.
   * - `loader`: the kernel function where files are mapped as code.
   */
  readonly kind:
    'kprobe' | 'fentry' | 'tracepoint' | 'raw_tracepoint' | 'lsm' | 'uprobe' | 'usdt' | 'enforcer' | 'loader';
  /**
   * Name in the policy:
   * - a function, list:NAME or LSM hook
   * - for a tracepoint SUBSYSTEM/EVENT
   * - for a uprobe the symbol, or the offset or address as 0x…; with several attach points, also the number of the others
   * - for a static probe PROVIDER:NAME
   */
  readonly call: string;
  /** The function is a system call. */
  readonly syscall: boolean;
  /** A notification may override the function. Only for enforcers. */
  readonly mayOverride?: true;
  /**
   * Functions of the list. Present when the list has more than one function, or when its functions are known only at
   * load.
   */
  readonly list?: FunctionList;
  /** All attach points of a uprobe that has more than one. `program` is the first. */
  readonly places?: readonly UprobeAttachPoint[];
  /** Each attach point has its own link (`disable-kprobe-multi`, `disable-uprobe-multi`). */
  readonly singleLinks?: true;
  /** Tracepoint, raw or by format. */
  readonly tracepoint?: { readonly subsystem: string; readonly event: string };
  /** First attach point of a uprobe. */
  readonly program?: UprobeAttachPoint;
  /** Static probe. */
  readonly usdt?: { readonly path: string; readonly provider: string; readonly name: string };
  /** BTF file with the types of the program. */
  readonly btfPath?: string;
  /** Position of the hook in the policy, for errors at load. */
  readonly position: { readonly file: string; readonly line: number; readonly column: number; readonly path?: string };
  /** The hook is left out when the kernel has no such function. The policy sets `ignore.callNotFound`. */
  readonly ignoreCallNotFound?: true;
  /** `message` of the hook in the policy. */
  readonly message?: string;
  /** `tags` of the hook in the policy. */
  readonly tags: readonly string[];
  /** Number of selectors. A hook without selectors has one that always matches. */
  readonly selectors: number;
  /** Values of `args`. */
  readonly args: readonly CompiledValue[];
  /** Values of `data`, which are not parameters. */
  readonly data: readonly CompiledValue[];
  /** Return value. Present when the policy says `return: true`. */
  readonly returnArg?: CompiledValue;
  /** Filters of matchPIDs without followForks, matchNamespaces and matchCapabilities. */
  readonly process: readonly ProcessGroup[];
  /** Filters of matchBinaries, matchParentBinaries, matchCmdArgs, and matchPIDs with followForks. */
  readonly sets: readonly ProcessTest[];
  /** The scope of the policy, and filters of matchWorkloads. */
  readonly scopes: readonly ScopeTest[];
  /** Filters of matchNamespaceChanges and matchCapabilityChanges. */
  readonly changes: readonly ChangeTest[];
  /** Filters of matchMarks. Absent when there are none. */
  readonly markTests?: readonly MarkTest[];
  /** Actions Mark and Unmark, in their order. Absent when there are none. */
  readonly markChanges?: readonly MarkChange[];
  /**
   * Instructions for CelExpr and CapabilitiesGained. `entry` runs when the function is called. `returned` runs when it
   * returns, because it needs a value that is read then.
   */
  readonly cel: { readonly entry: readonly CelStep[]; readonly returned: readonly CelStep[] };
  /** Actions of each selector. Absent when all selectors only post. */
  readonly actions?: readonly SelectorActions[];
  /** matchReturnActions of each selector. Absent when no selector has them. */
  readonly returnActions?: readonly SelectorActions[];
  /** Slot of the argument that `trackSock` and `untrackSock` use. */
  readonly trackedSlot?: number;
  /** Action for the socket that the function returns (`returnArgAction`). */
  readonly returnedSocket?: 'trackSock' | 'untrackSock';
  /**
   * Events are reported for the owner of a socket. Present when the policy tracks sockets and this hook has socket
   * arguments.
   */
  readonly findsOwner?: true;
  /** Count actions. Absent when the hook has none. */
  readonly counts?: readonly CompiledCount[];
}

/** A Count action. Equal ones of several selectors are one count. */
export interface CompiledCount {
  /** Name of the metric. */
  readonly metric: string;
  /** Kind of the metric. */
  readonly kind: 'counter' | 'sum' | 'histogram';
  /** Selectors whose calls are counted. */
  readonly selectors: readonly number[];
  /** Labels, in the order of the policy. */
  readonly labels: readonly CountLabel[];
  /** Slot of the value that is added up. Absent for a counter. */
  readonly value?: number;
  /** Maximum number of combinations of labels. */
  readonly maxKeys: number;
}

/** A label of a metric: a property of the process, or a part of the value in `slot`. */
export interface CountLabel {
  /** Name in the policy. */
  readonly name: string;
  /** What the label has. */
  readonly of:
    | 'binary'
    | 'parentBinary'
    | 'container'
    | 'pod'
    | 'namespace'
    | 'uid'
    | 'number'
    | 'text'
    | 'address'
    | 'port'
    | 'device'
    | 'errno';
  /** Slot of the value. */
  readonly slot?: number;
  /** A path is cut after this many folders. */
  readonly folders?: number;
}

/** Functions of a list: their names, or the rule that finds them in the kernel. */
export type FunctionList =
  | { readonly functions: readonly string[] }
  | { readonly generated: 'syscalls' }
  | { readonly generated: 'ftrace'; readonly pattern: string };

/** Attach point of a uprobe in a file. Exactly one of `symbol`, `fileOffset` and `address` is present. */
export interface UprobeAttachPoint {
  /** Path of the file. */
  readonly path: string;
  /** The path is below the root of each container (`resolvePathInContainer`). */
  readonly inContainers?: true;
  /** Name of a function in the file. */
  readonly symbol?: string;
  /** Bytes from the symbol. */
  readonly symbolOffset?: bigint;
  /** Bytes from the start of the file. */
  readonly fileOffset?: bigint;
  /** Virtual address in the file. */
  readonly address?: bigint;
  /** Allowed digests of the file, as ALGORITHM:HEX. Without them, any file is allowed. */
  readonly digests?: readonly string[];
  /** A file with another digest is skipped without an error. */
  readonly ignoreDigests?: true;
  /** Offset in the file of the reference counter (semaphore) with which the program checks if it is traced. */
  readonly refCtrOffset?: bigint;
}

/** A value that a hook reads. Values have slots: first those of `args`, then `data`, then `returnArg`. */
export interface CompiledValue {
  /** Index of the function's parameter, from 0. For a return value: 0. */
  readonly index: number;
  /** Type in the policy. */
  readonly type: ArgumentType;
  /** `label` of the value in the policy. */
  readonly label?: string;
  /** Source of a value that is not a parameter: the current task or the registers. `resolve` starts there. */
  readonly source?: 'current_task' | 'pt_regs' | 'duration';
  /** Members to follow, such as `mm.owner.comm`. With `pt_regs`, the name of a register. */
  readonly resolve?: string;
  /** Struct that the parameter points to, when the type of the parameter does not name it. */
  readonly btfType?: string;
  /** Kernel module that defines `btfType`. */
  readonly btfTypeModule?: string;
  /** Number of the parameter or tracepoint field that contains the size of the buffer, from 1. */
  readonly sizeArgIndex?: number;
  /** The value is read when the function returns. */
  readonly returnCopy?: true;
  /** Up to 32,767 bytes of a buffer are read instead of 4,095. */
  readonly maxData?: true;
  /** Filters on a number. */
  readonly ints: readonly IntGroup[];
  /** Filters on a number by many values of Equal, in a table. */
  readonly intTable?: ValueTable<bigint>;
  /** Filters on a string or path. */
  readonly texts: StringFilters;
  /** Filters on a sock, socket, skb or sockaddr. */
  readonly net: NetFilters;
  /** Position of the value in the policy, for errors at load. */
  readonly position: { readonly line: number; readonly column: number; readonly path?: string };
}

/**
 * Filters on a number, one for each selector in `selectors`. A test that holds is a hit for the selectors of the test.
 * candidates &= hits | ~selectors; when `negate` is set, candidates &= ~hits.
 */
export interface IntGroup {
  /** A hit excludes the selector. */
  readonly negate: boolean;
  /** Selectors that have a filter in this group. */
  readonly selectors: readonly number[];
  /** Tests, one for each value. */
  readonly tests: readonly IntTest[];
}

/** One comparison of a number. */
export interface IntTest {
  /** Comparison. `mask`: any of the bits is set. `range`: from `value` to `upper`, both included. */
  readonly op: 'equal' | 'mask' | 'greater' | 'less' | 'range';
  /** The comparison is signed, on 64 bits (`greater`, `less` and `range`). */
  readonly signed: boolean;
  /** Value to compare with: 64 bits in two's complement, 0n to 2n**64n - 1n. */
  readonly value: bigint;
  /** Upper end of a range, included. */
  readonly upper?: bigint;
  /** Selectors for which this test is a hit. */
  readonly selectors: readonly number[];
}

/** Property of the process that a filter compares. */
export type ProcessField =
  'pid' | 'namespacePid' | 'capPermitted' | 'capEffective' | 'capInheritable' | { readonly namespace: NamespaceName };

/** Filters on a property of the process that is a number. */
export interface ProcessGroup extends Omit<IntGroup, 'tests'> {
  /** Property to compare. */
  readonly field: ProcessField;
  /** Tests, one for each value. */
  readonly tests: readonly (IntTest & {
    /**
     * The test compares with the initial namespace of the field's kind, which is read at load. `value` is 0n.
     */
    readonly host?: true;
  })[];
}

/**
 * Table of exact values. For a value with an entry: candidates &= (match | ~positive) & ~reject. For a value without
 * an entry, only negated filters hold: candidates &= ~positive.
 */
export interface ValueTable<T> {
  /** Selectors that have a filter without negation in this table. */
  readonly positive: readonly number[];
  /** Selectors that have any filter in this table. */
  readonly used: readonly number[];
  /** Entries, one for each value. */
  readonly entries: readonly TableEntry<T>[];
}

/** One value in a table. */
export interface TableEntry<T> {
  /** The value. */
  readonly value: T;
  /** Selectors for which the value satisfies all filters without negation in this table. */
  readonly match: readonly number[];
  /** Selectors that have a negated filter in this table with this value. */
  readonly reject: readonly number[];
}

/**
 * Filters on a string or path. Each kind of comparison has one table for all selectors and values.
 * A lookup of prefixes or postfixes finds the longest entry that fits. This entry therefore also contains the results of
 * all shorter entries that fit.
 */
export interface StringFilters {
  /** Values of Equal and NotEqual. */
  readonly equal?: StringTable;
  /** Values of Prefix and NotPrefix. */
  readonly prefix?: StringTable;
  /** Values of Postfix and NotPostfix. */
  readonly postfix?: StringTable;
  /**
   * Values of SubString and SubStringIgnCase. Each element is one scan of the string, with at most one filter of each
   * selector.
   */
  readonly substrings?: readonly SubstringScan[];
  /** Selectors whose Equal and NotEqual also compare the file's inode (`inode: true`). */
  readonly inode?: readonly number[];
}

/** Table of strings. */
export type StringTable = ValueTable<string>;
/** One string in a table. */
export type StringEntry = TableEntry<string>;

/**
 * One scan of a string. A needle that the string contains is a hit for the selectors of the needle.
 * candidates &= hits | ~selectors
 */
export interface SubstringScan {
  /** Letters A to Z and a to z are compared without case. */
  readonly ignoreCase: boolean;
  /** Selectors that have a filter in this scan. */
  readonly selectors: readonly number[];
  /** Strings to search for. With `ignoreCase` they are in lower case (ASCII letters only). */
  readonly needles: readonly { readonly text: string; readonly selectors: readonly number[] }[];
}

/** Number of a socket, packet or socket address that a filter compares. */
export type NetField = 'family' | 'protocol' | 'state' | 'sourcePort' | 'destinationPort';

/** Filters on a socket, packet or socket address. */
export interface NetFilters {
  /** Filters on numbers, each with the number that it compares. */
  readonly groups?: readonly (IntGroup & { readonly field: NetField })[];
  /** Filters on the source address. */
  readonly source?: ValueTable<AddressPrefix>;
  /** Filters on the destination address. */
  readonly destination?: ValueTable<AddressPrefix>;
}

/**
 * A network. A lookup finds the longest prefix that contains the address. This entry therefore also contains the results
 * of all shorter prefixes that contain the address.
 */
export interface AddressPrefix {
  /** IPv4 or IPv6. */
  readonly family: 4 | 6;
  /** Address: 4 or 16 bytes, zero after the prefix. */
  readonly bytes: readonly number[];
  /** Length of the prefix in bits. */
  readonly bits: number;
}

/** Filter on membership in a set of processes. */
export interface ProcessTest {
  /** Index of the set in CompiledPolicy.processSets. */
  readonly set: number;
  /** The filter holds for processes that are not in the set. */
  readonly negate: boolean;
  /** The parent of the process is tested. */
  readonly parent: boolean;
  /** The filter holds only for processes that execute a file: not for kernel threads. */
  readonly needsExecutable?: true;
  /** Selectors that have this filter. */
  readonly selectors: readonly number[];
  /**
   * The test is not a filter. When it fails and a later selector that acts matches, the selectors of the test are no
   * longer candidates, because they only report. Such tests are the last ones.
   */
  readonly yields?: true;
}

/**
 * Set of processes. A process is in the set when the path of its executable matches one of the values, or when its id is
 * one of `pids`.
 */
export interface ProcessSet {
  /**
   * The values are not compared with the path of the executable, but with the argument at this position of the command;
   * `any`: with each argument after the name of the program. `trusted` then means that a process with unknown arguments
   * is not in the set.
   */
  readonly argument?: number | 'any';
  /** Paths that the executable equals. */
  readonly equal: readonly string[];
  /** Beginnings of paths. */
  readonly prefix: readonly string[];
  /** Ends of paths. */
  readonly postfix: readonly string[];
  /** Ids of processes. */
  readonly pids: readonly number[];
  /** `pids` are ids in the process's own pid namespace. */
  readonly inNamespace: boolean;
  /** Descendants of a process in the set are in the set, too. They remain in it when they execute another file. */
  readonly follow: boolean;
  /**
   * A match exempts the process. The set therefore has only executables that are known to be the file of their path, and only
   * ids in pid namespaces that the initial user namespace owns.
   */
  readonly trusted: boolean;
}

/** Filter on membership in a scope. */
export interface ScopeTest {
  /** Index of the scope in CompiledPolicy.scopes. */
  readonly scope: number;
  /** Selectors that have this filter; all selectors for the scope of the policy. */
  readonly selectors: readonly number[];
}

/**
 * Scope of a policy or of a selector: the containers that it applies to, and the rule for processes in no container.
 * A container is in the scope when all of `namespace`, `pods` and `containers` that are present hold. Without any of them,
 * no container is in the scope.
 */
export interface Scope {
  /** Kubernetes namespace of the container's pod. */
  readonly namespace?: string;
  /** Conditions on the labels of the pod. All must hold. An empty list selects the containers of all pods. */
  readonly pods?: readonly LabelCondition[];
  /** Conditions on the fields of the container. All must hold. */
  readonly containers?: readonly LabelCondition[];
  /** Processes in no container are in the scope if these conditions on the labels of the node hold. */
  readonly host?: readonly LabelCondition[];
  /**
   * A match exempts the process from the hook or from an action. An unknown container is then not in the scope. Otherwise
   * it satisfies NotIn and DoesNotExist.
   */
  readonly exempts: boolean;
}

/** Condition on a label, or on a field that is compared like a label. NotIn also holds without such a label. */
export interface LabelCondition {
  /** Name of the label or field. */
  readonly key: string;
  /** Comparison. */
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  /** Values of In and NotIn; empty for the others. */
  readonly values: readonly string[];
}

/**
 * One filter on a change of the process. It compares properties with their values at the exec, or at the last event with
 * which the hook reported such a change. NotIn compares all properties that it does not name.
 */
export interface ChangeTest {
  /** Selectors that have this filter. */
  readonly selectors: readonly number[];
  /** Namespaces that are compared; a change of one is enough. */
  readonly namespaces: readonly NamespaceName[];
  /** Bit mask of the capabilities that are compared; a change of one is enough. */
  readonly capabilities: bigint;
  /** Capability set that is compared. */
  readonly capabilitySet: 'permitted' | 'effective' | 'inheritable';
  /** The filter holds only outside the initial user namespace. */
  readonly outsideHost: boolean;
}

/**
 * One instruction of an expression. It works on eight registers of 64 bits.
 * - `const`: to = imm. `value`: to = the number in slot imm.
 * - Operations with two operands: to = a op b. Names that end in S are signed.
 * - `both`, `either`, `not` and comparisons result in 1 or 0.
 * - `select`: to = a ? to : b.
 * - `signExtend`, `zeroExtend`: to = the lower imm bits of a.
 * - `filter`: the selectors remain candidates only when a is not 0.
 * Division by zero is an error. With an error, the filter does not hold unless the other operand of `both` or `either`
 * decides the result.
 */
export interface CelStep {
  /** Operation. */
  readonly op: CelOp;
  /** Register for the result. */
  readonly to: number;
  /** Register of the first operand. */
  readonly a: number;
  /** Register of the second operand. */
  readonly b: number;
  /** Constant of the operation. */
  readonly imm: bigint;
  /** Selectors that the operation `filter` tests. */
  readonly selectors?: readonly number[];
}

/** Operation of an instruction of an expression. */
export type CelOp =
  | 'const'
  | 'value'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'mod'
  | 'divS'
  | 'modS'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr'
  | 'sar'
  | 'eq'
  | 'ne'
  | 'lt'
  | 'le'
  | 'ltS'
  | 'leS'
  | 'both'
  | 'either'
  | 'not'
  | 'invert'
  | 'negate'
  | 'signExtend'
  | 'zeroExtend'
  | 'select'
  | 'filter';
