import type { Diagnostic } from './errors.js';
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

/** A parsed, valid policy. */
export interface Policy {
  readonly name: string;
  readonly namespace?: string;
  readonly file: string;
}

export interface ParseOptions {
  /** Name in diagnostics. Default `<policy>`. */
  readonly file?: string;
}

export interface ValidateOptions extends ParseOptions {
  /** Functions, prototypes, tracepoints and LSM hooks are looked up in this kernel as well: see loadKernelInfo. */
  readonly kernel?: KernelInfo;
  /** Look at the files of this machine as well: programs, their symbols and static probes, symbolic links. Default false. */
  readonly files?: boolean;
}

/**
 * The types of the running kernel or, given a file, of another one (`vmlinux` BTF). Needs the addon. Throws KernelError
 * ADDON_MISSING or BTF_UNREADABLE.
 */
export function loadKernelInfo(btfFile?: string): KernelInfo;

/** The policy files that a path means: a file itself; of a folder, those whose names end in .yaml or .yml. Throws PolicyError. */
export function expandPolicyPaths(fileOrFolder: string): string[];

/** The text of a policy file: UTF-8, at most 1 MiB. Throws PolicyError. */
export function loadPolicyFile(path: string): string;

/** Throws PolicyError with every mistake. */
export function parsePolicy(yaml: string, options?: ParseOptions): Policy;

/** Every mistake and warning; none when the policy is good. Never throws for bad input. */
export function validatePolicy(yaml: string, options?: ValidateOptions): Diagnostic[];

/** The policy as it will be evaluated in the kernel. */
export function compilePolicy(policy: Policy | string, options?: ParseOptions): PolicyImage;

/**
 * A policy written in code: operators that do not fit an argument, and actions without their arguments, are errors of
 * TypeScript. Throws PolicyError with every other mistake; places in it are those of the same policy in YAML.
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
): Policy;

/**
 * The policy in words: what each hook reads, how its selectors are evaluated and in which order, what is done, what it costs.
 * Also of a policy that cannot be loaded yet. Throws PolicyError for one with mistakes.
 */
export function explainPolicy(policy: Policy | string, options?: ExplainOptions): PolicyExplanation;

export interface ExplainOptions extends ParseOptions {
  readonly kernel?: KernelInfo;
}

/** For a terminal; strings of the policy are quoted. */
export function formatExplanation(explanation: PolicyExplanation): string;

/** The JSON Schema (draft 7) of the format, as in the package's `schema` folder. */
export function policySchema(): object;

export interface PolicyExplanation {
  readonly name: string;
  readonly namespace?: string;
  readonly file: string;
  /** What stands in the way of loading it, in this version; empty when it can be loaded. */
  readonly unsupported: readonly string[];
  readonly hooks: readonly HookExplanation[];
  /** Functions at which the policy's notifications are carried out. */
  readonly enforcers: readonly string[];
  /** Files that are mapped as code are told. */
  readonly loader?: true;
  /** Bytes of all tables, about; 0 when it cannot be loaded. */
  readonly tableBytes: number;
  /** The compiler's output, when it can be loaded. */
  readonly image?: PolicyImage;
}

export interface HookExplanation {
  readonly kind: HookKind;
  /** What is hooked, in the words of the policy. */
  readonly target: string;
  readonly attach: string;
  readonly message?: string;
  readonly reads: readonly string[];
  readonly selectors: readonly SelectorExplanation[];
  readonly cost?: HookCost;
}

export interface SelectorExplanation {
  /** All of these must hold, tried in this order; none: it always matches. */
  readonly conditions: readonly string[];
  readonly actions: readonly string[];
}

/** Figures for planning, not measurements. */
export interface HookCost {
  /** Comparisons of numbers, at most. */
  readonly comparisons: number;
  /** Of bits that the process has: which binaries it runs, what of it has changed. */
  readonly binaryTests: number;
  /** Lookups in tables of numbers, texts and networks. */
  readonly lookups: number;
  /** Paths that are worked out for the filters on them. */
  readonly pathWalks: number;
  /** Passes through a text for substrings. */
  readonly textScans: number;
  /** Instructions of expressions. */
  readonly expressionSteps: number;
  /** Paths and texts that are read for the event only, after everything has matched. */
  readonly readForEvent: number;
  readonly tableEntries: number;
  /** Bytes that the tables take in the kernel, about. */
  readonly tableBytes: number;
}

/** Plain data, the same for the same policy. Selectors are named by their index. */
export interface PolicyImage {
  readonly name: string;
  /** Of a TracingPolicyNamespaced. */
  readonly namespace?: string;
  readonly hooks: readonly HookImage[];
  /** Sets of processes that this policy's hooks test; equal sets appear once. */
  readonly processSets: readonly ProcessSet[];
  /** As the policy's option `policy-mode` says. */
  readonly mode?: PolicyMode;
}

/** `monitor`: what selectors say is told, not done. */
export type PolicyMode = 'enforce' | 'monitor';

/** What a selector that has matched does. */
export interface SelectorActions {
  /** As the policy lists them; never empty. */
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
  )[];
  /** Number of the signal. */
  readonly signal?: number;
  /** What the function returns instead of running. */
  readonly override?: number;
  /** Of a function of a program: registers that are set, one after the other. */
  readonly registers?: readonly RegisterAssignment[];
  /** Of a function of a program: where in the file the call goes on; one of these says it. */
  readonly goOn?: { readonly symbol?: string; readonly fileOffset?: bigint; readonly address?: bigint };
  /** Of a static probe: an argument that is given a value. */
  readonly set?: { readonly argument: number; readonly value: number };
  /** What the policy's enforcers are told to do. */
  readonly notify?: { readonly signal?: number; readonly override?: number };
  readonly rateLimit?: { readonly scope: 'thread' | 'process' | 'global'; readonly seconds: number };
  readonly kernelStack?: true;
  readonly userStack?: true;
  /** Of `getUrl` the address, of `dnsLookup` the name, in their order. */
  readonly requests?: readonly string[];
  /** The event has the hash that IMA works out of the hook's first file. */
  readonly imaHash?: true;
}

/** to = offset; + from, where there is one; with `memory`, what is there. */
export interface RegisterAssignment {
  /** As the policy has it. */
  readonly text: string;
  readonly to: string;
  readonly from?: string;
  readonly memory?: true;
  readonly offset: bigint;
}

export interface HookImage {
  /**
   * `kprobe` takes a trampoline where the kernel has it; `fentry` nothing else. `enforcer`: a function that notifications are
   * carried out at; it tells nothing, and comes before the hooks that notify it. `loader`: where the kernel notes what is mapped.
   */
  readonly kind:
    'kprobe' | 'fentry' | 'tracepoint' | 'raw_tracepoint' | 'lsm' | 'uprobe' | 'usdt' | 'enforcer' | 'loader';
  /**
   * As written in the policy: the function, list:NAME or LSM hook; of a tracepoint SUBSYSTEM/EVENT; of a uprobe the symbol, or
   * the offset or address as 0x…, and of several how many more there are; of a static probe PROVIDER:NAME.
   */
  readonly call: string;
  readonly syscall: boolean;
  /** Of an enforcer: a notification may ask to override the function. */
  readonly mayOverride?: true;
  /** Of a list with more than one function, or of which that is known at load. */
  readonly list?: FunctionList;
  /** Of a uprobe with several places: all of them; `program` is the first. */
  readonly places?: readonly ProgramPlace[];
  /** Of these, each is attached by itself (`disable-kprobe-multi`, `disable-uprobe-multi`). */
  readonly singleLinks?: true;
  /** Of a tracepoint, raw or not. */
  readonly tracepoint?: { readonly subsystem: string; readonly event: string };
  /** Of a uprobe. */
  readonly program?: ProgramPlace;
  /** Of a static probe. */
  readonly usdt?: { readonly path: string; readonly provider: string; readonly name: string };
  /** File with the types of the program. */
  readonly btfPath?: string;
  /** The policy's own place of the hook, for errors at load. */
  readonly position: { readonly file: string; readonly line: number; readonly column: number };
  /** The policy says `ignore.callNotFound`: where the kernel has no such function, the hook is left out. */
  readonly ignoreCallNotFound?: true;
  readonly message?: string;
  readonly tags: readonly string[];
  /** Number of selectors; a hook without any has one that always matches. */
  readonly selectors: number;
  readonly args: readonly ValueImage[];
  /** Values that are not parameters. */
  readonly data: readonly ValueImage[];
  /** Present when the policy says `return: true`. */
  readonly returnArg?: ValueImage;
  /** matchPIDs without followForks, matchNamespaces, matchCapabilities. */
  readonly process: readonly ProcessGroup[];
  /** matchBinaries, matchParentBinaries, and matchPIDs with followForks. */
  readonly sets: readonly ProcessTest[];
  /** matchNamespaceChanges, matchCapabilityChanges. */
  readonly changes: readonly ChangeTest[];
  /** CelExpr and CapabilitiesGained: what is known at the entry, and what needs a value that is known at the return. */
  readonly cel: { readonly entry: readonly CelStep[]; readonly returned: readonly CelStep[] };
  /** Of each selector; absent when all of them only post. */
  readonly actions?: readonly SelectorActions[];
  /** The same of matchReturnActions; absent when no selector has them. */
  readonly returnActions?: readonly SelectorActions[];
  /** Slot of the argument that `trackSock` and `untrackSock` are about. */
  readonly trackedSlot?: number;
  /** What is done with the socket that the function returns (returnArgAction). */
  readonly returnedSocket?: 'trackSock' | 'untrackSock';
  /** The policy tracks sockets, and this hook has some: its events are of their owners. */
  readonly findsOwner?: true;
}

/** Functions as the policy names them, or how they are found in the kernel. */
export type FunctionList =
  | { readonly functions: readonly string[] }
  | { readonly generated: 'syscalls' }
  | { readonly generated: 'ftrace'; readonly pattern: string };

/** A place in a file; one of symbol, fileOffset and address says where. */
export interface ProgramPlace {
  readonly path: string;
  readonly symbol?: string;
  /** From the symbol. */
  readonly symbolOffset?: bigint;
  readonly fileOffset?: bigint;
  /** Virtual, as the file has it. */
  readonly address?: bigint;
  /** ALGORITHM:HEX, of which the file must have one; any file when there is none. */
  readonly digests?: readonly string[];
  /** A file that has none of them is left out, and no error. */
  readonly ignoreDigests?: true;
  /** In the file, of the counter that says whether somebody is tracing. */
  readonly refCtrOffset?: bigint;
}

/** A value that a hook reads. A value's slot is its place in `args`, then `data`, then `returnArg`. */
export interface ValueImage {
  /** Function parameter, from 0; of a return value, 0. */
  readonly index: number;
  readonly type: ArgumentType;
  readonly label?: string;
  /** Where it comes from, when not from a parameter. */
  readonly source?: 'current_task' | 'pt_regs';
  /** Members to follow, such as `mm.owner.comm`; of pt_regs a register. */
  readonly resolve?: string;
  readonly btfType?: string;
  readonly btfTypeModule?: string;
  /** Parameter with the size of the buffer, from 1. */
  readonly sizeArgIndex?: number;
  readonly returnCopy?: true;
  readonly maxData?: true;
  /** Of numbers. */
  readonly ints: readonly IntGroup[];
  /** Of numbers: many values of Equal, in a table. */
  readonly intTable?: ValueTable<bigint>;
  /** Of texts and paths. */
  readonly texts: TextFilters;
  /** Of sock, socket, skb and sockaddr. */
  readonly net: NetFilters;
  /** The policy's own place, for errors at load. */
  readonly position: { readonly line: number; readonly column: number };
}

/**
 * One filter of each selector in `selectors`. A test that holds is a hit for its own selectors.
 * candidates &= hits | ~selectors; when negated, candidates &= ~hits.
 */
export interface IntGroup {
  readonly negate: boolean;
  readonly selectors: readonly number[];
  readonly tests: readonly IntTest[];
}

export interface IntTest {
  /** `mask`: any of the bits is set; `range`: from value to upper, both included. */
  readonly op: 'equal' | 'mask' | 'greater' | 'less' | 'range';
  /** Compare as signed 64-bit numbers (greater, less, range). */
  readonly signed: boolean;
  /** Two's complement, 64 bits: 0n to 2n**64n - 1n. */
  readonly value: bigint;
  /** Of a range. */
  readonly upper?: bigint;
  readonly selectors: readonly number[];
}

/** What a filter on the process compares. */
export type ProcessField =
  'pid' | 'namespacePid' | 'capPermitted' | 'capEffective' | 'capInheritable' | { readonly namespace: NamespaceName };

export interface ProcessGroup extends Omit<IntGroup, 'tests'> {
  readonly field: ProcessField;
  readonly tests: readonly (IntTest & {
    /** Compare with the initial namespace of the field's kind, which the machine gives; `value` is 0n. */
    readonly host?: true;
  })[];
}

/** What an exact value of a table says: candidates &= (match | ~positive) & ~reject; of a value that has no entry, nothing. */
export interface ValueTable<T> {
  /** Selectors with a filter that wants a match. */
  readonly positive: readonly number[];
  /** Selectors with a filter of any kind here, the negated ones included. */
  readonly used: readonly number[];
  readonly entries: readonly TableEntry<T>[];
}

export interface TableEntry<T> {
  readonly value: T;
  /** Selectors all of whose positive filters in this table the value satisfies. */
  readonly match: readonly number[];
  /** Selectors with a negated filter in this table that the value hits. */
  readonly reject: readonly number[];
}

/**
 * One table a kind of comparison, for all selectors and values together. Of prefixes and postfixes the longest entry that
 * fits counts. An entry therefore includes what its own shorter prefixes (postfixes) say.
 */
export interface TextFilters {
  readonly equal?: TextTable;
  readonly prefix?: TextTable;
  readonly postfix?: TextTable;
  /** Each is one scan of the text, with at most one filter of each selector. */
  readonly substrings?: readonly SubstringScan[];
  /** Selectors whose Equal and NotEqual hold for the file's inode as well (`inode: true`). */
  readonly inode?: readonly number[];
}

export type TextTable = ValueTable<string>;
export type TextEntry = TableEntry<string>;

/** candidates &= hits | ~selectors, where every needle that the text contains is a hit for its selectors. */
export interface SubstringScan {
  readonly ignoreCase: boolean;
  readonly selectors: readonly number[];
  /** Lower case when `ignoreCase` is set (ASCII letters only). */
  readonly needles: readonly { readonly text: string; readonly selectors: readonly number[] }[];
}

/** What a filter on a socket, packet or socket address compares, beside its addresses. */
export type NetField = 'family' | 'protocol' | 'state' | 'sourcePort' | 'destinationPort';

export interface NetFilters {
  readonly groups?: readonly (IntGroup & { readonly field: NetField })[];
  readonly source?: ValueTable<AddressPrefix>;
  readonly destination?: ValueTable<AddressPrefix>;
}

/** The longest entry that fits counts, and includes what shorter ones that contain it say. */
export interface AddressPrefix {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, zero beyond the prefix. */
  readonly bytes: readonly number[];
  readonly bits: number;
}

export interface ProcessTest {
  /** Index in PolicyImage.processSets. */
  readonly set: number;
  readonly negate: boolean;
  /** The process's parent is meant. */
  readonly parent: boolean;
  readonly selectors: readonly number[];
}

/** A process is in the set when the path of its executable fits any of the values, or its id is one of `pids`. */
export interface ProcessSet {
  readonly equal: readonly string[];
  readonly prefix: readonly string[];
  readonly postfix: readonly string[];
  readonly pids: readonly number[];
  /** `pids` are those of the process's own pid namespace. */
  readonly inNamespace: boolean;
  /** Descendants of a process in the set are in it, and what such a process executes. */
  readonly follow: boolean;
}

/** One filter: whether something of the process differs from what it was at its exec, or when this was last reported. */
export interface ChangeTest {
  readonly negate: boolean;
  readonly selectors: readonly number[];
  /** Any of these. */
  readonly namespaces: readonly NamespaceName[];
  /** Any of these bits of the set. */
  readonly capabilities: bigint;
  readonly capabilitySet: 'permitted' | 'effective' | 'inheritable';
  /** Only outside of the initial user namespace. */
  readonly outsideHost: boolean;
}

/**
 * One instruction on eight registers of 64 bits. `const`: to = imm. `value`: to = the number in slot imm. Two operands: to = a op b;
 * the names that end in S are signed. `both`, `either`, comparisons and `not` give 1 or 0. Division by zero is an error, which
 * makes a filter not hold, unless the other side of `both` or `either` decides. `select`: to = a ? to : b.
 * `signExtend`, `zeroExtend`: to = the lower imm bits of a. `filter`: the selectors go on only when a is not 0.
 */
export interface CelStep {
  readonly op: CelOp;
  readonly to: number;
  readonly a: number;
  readonly b: number;
  readonly imm: bigint;
  /** Of `filter`. */
  readonly selectors?: readonly number[];
}

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
