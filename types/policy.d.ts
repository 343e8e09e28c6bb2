import type { Diagnostic } from './errors.js';
import type { KernelInfo } from './kernel.js';
import type { AnyHook, CheckedHooks, HookKind, PolicyHead, PolicySettings } from './policy-language.js';

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
  readonly binaryTests: number;
  /** Lookups in tables of texts. */
  readonly lookups: number;
  /** Paths that are worked out for the filters on them. */
  readonly pathWalks: number;
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
  /** Sets of binaries that this policy's hooks test; equal sets appear once. */
  readonly binarySets: readonly BinarySet[];
}

export interface HookImage {
  readonly kind: 'kprobe';
  /** As written in the policy. */
  readonly call: string;
  readonly syscall: boolean;
  /** The policy's own place of the hook, for errors at load. */
  readonly position: { readonly file: string; readonly line: number; readonly column: number };
  /** The policy says `ignore.callNotFound`: where the kernel has no such function, the hook is left out. */
  readonly ignoreCallNotFound?: true;
  readonly message?: string;
  readonly tags: readonly string[];
  /** Number of selectors; a hook without any has one that always matches. */
  readonly selectors: number;
  readonly args: readonly ArgImage[];
  /** Present when the policy says `return: true`. */
  readonly returnArg?: ArgImage;
  /** matchPIDs. */
  readonly pids: readonly IntGroup[];
  /** matchBinaries. */
  readonly binaries: readonly BinaryTest[];
}

export type ArgType = 'nop' | 'int' | 'uint32' | 'size_t' | 'string' | 'filename' | 'file' | 'path' | 'fd';

export interface ArgImage {
  /** Function parameter, from 0; of a return value, 0. */
  readonly index: number;
  readonly type: ArgType;
  readonly label?: string;
  readonly ints: readonly IntGroup[];
  readonly texts: TextFilters;
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
  /** `mask`: any of the bits is set. */
  readonly op: 'equal' | 'mask' | 'greater' | 'less';
  /** Compare as signed 64-bit numbers (greater, less). */
  readonly signed: boolean;
  /** Two's complement, 64 bits: 0n to 2n**64n - 1n. */
  readonly value: bigint;
  readonly selectors: readonly number[];
}

/** One table a kind of comparison, for all selectors and values together. */
export interface TextFilters {
  readonly equal?: TextTable;
  readonly prefix?: TextTable;
  readonly postfix?: TextTable;
}

/**
 * candidates &= (match | ~positive) & ~reject, with `match` and `reject` of the longest entry that fits the text; of none when
 * none fits. An entry therefore includes what its own shorter prefixes (postfixes) say.
 */
export interface TextTable {
  /** Selectors with a filter that wants a match (Equal, Prefix, Postfix). */
  readonly positive: readonly number[];
  /** Selectors with a filter of any kind here, the negated ones included. */
  readonly used: readonly number[];
  readonly entries: readonly TextEntry[];
}

export interface TextEntry {
  readonly value: string;
  /** Selectors all of whose positive filters in this table the text satisfies. */
  readonly match: readonly number[];
  /** Selectors with a negated filter in this table that the text hits. */
  readonly reject: readonly number[];
}

export interface BinaryTest {
  /** Index in PolicyImage.binarySets. */
  readonly set: number;
  readonly negate: boolean;
  readonly selectors: readonly number[];
}

/** A process is in the set when the path of its executable fits any of the values. */
export interface BinarySet {
  readonly equal: readonly string[];
  readonly prefix: readonly string[];
  readonly postfix: readonly string[];
}
