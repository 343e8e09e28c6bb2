import type { Diagnostic } from './errors.js';
import type { AnyHook, CheckedHooks, PolicyHead, PolicySettings } from './policy-language.js';

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

/** Throws PolicyError with every mistake. */
export function parsePolicy(yaml: string, options?: ParseOptions): Policy;

/** Every mistake and warning; none when the policy is good. Never throws for bad input. */
export function validatePolicy(yaml: string, options?: ParseOptions): Diagnostic[];

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
