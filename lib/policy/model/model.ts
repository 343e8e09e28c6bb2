/**
 * Types of a policy as plain data. The walker leaves missing and wrong parts out, and the checks continue with the
 * rest. Only a policy without errors reaches the compiler.
 */
import type { ActionName, ArgTypeName, CountKind, HookKind, Operator } from '../language/vocabulary.js';

export interface PolicyData {
  readonly apiVersion?: string;
  readonly kind?: 'TracingPolicy' | 'TracingPolicyNamespaced';
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: SpecData;
}

type SpecData = {
  readonly [kind in HookKind]?: readonly HookData[];
} & {
  readonly loader?: boolean;
  readonly lists?: readonly ListData[];
  readonly enforcers?: readonly { readonly calls?: readonly string[] }[];
  readonly options?: readonly { readonly name?: string; readonly value?: string }[];
  readonly selectorsMacros?: Readonly<Record<string, SelectorData>>;
  readonly nodeSelector?: LabelSelectorData;
} & WorkloadData;

export interface WorkloadData {
  readonly podSelector?: LabelSelectorData;
  readonly containerSelector?: LabelSelectorData;
  readonly hostSelector?: LabelSelectorData;
}

export interface ListData {
  readonly name?: string;
  readonly type?: 'syscalls' | 'generated_syscalls' | 'generated_ftrace';
  readonly values?: readonly string[];
  readonly pattern?: string;
  readonly validated?: boolean;
}

export interface LabelSelectorData {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key?: string;
    readonly operator?: string;
    readonly values?: readonly string[];
  }[];
}

/** The fields of all kinds of hooks. The table in language/policy.ts has the fields of each kind. */
export interface HookData {
  readonly call?: string;
  readonly syscall?: boolean;
  /** polytrace only: the same as `ignore.callNotFound`. */
  readonly optional?: boolean;
  readonly subsystem?: string;
  readonly event?: string;
  readonly raw?: boolean;
  readonly path?: string;
  readonly symbols?: readonly string[];
  readonly offsets?: readonly bigint[];
  readonly addrs?: readonly bigint[];
  readonly refCtrOffsets?: readonly bigint[];
  readonly binaryDigests?: readonly string[];
  readonly btfPath?: string;
  readonly resolvePathInContainer?: boolean;
  readonly provider?: string;
  readonly name?: string;
  readonly hook?: string;
  readonly return?: boolean;
  readonly returnArg?: ArgData;
  readonly returnArgAction?: string;
  readonly ignore?: { readonly callNotFound?: boolean; readonly digestVerificationFailure?: boolean };
  readonly args?: readonly ArgData[];
  readonly data?: readonly ArgData[];
  readonly message?: string;
  readonly tags?: readonly string[];
  readonly selectors?: readonly SelectorData[];
}

export interface ArgData {
  readonly index?: number;
  readonly type?: ArgTypeName;
  /** True if the policy leaves the type to the kernel, and it was inferred from BTF. */
  readonly inferred?: true;
  readonly label?: string;
  readonly maxData?: boolean;
  readonly resolve?: string;
  readonly returnCopy?: boolean;
  readonly sizeArgIndex?: number;
  readonly btfType?: string;
  readonly btfTypeModule?: string;
  readonly source?: string;
}

export interface ValueFilter {
  readonly index?: number;
  readonly args?: readonly number[];
  readonly operator?: Operator;
  readonly values?: readonly string[];
  /** polytrace only: other paths to the same inode match too. */
  readonly inode?: boolean;
  /** True if the filter was made of `matchCEL`. */
  readonly fromMatchCel?: true;
}

export interface PidFilter {
  readonly operator?: 'In' | 'NotIn';
  readonly values?: readonly number[];
  readonly followForks?: boolean;
  readonly isNamespacePID?: boolean;
}

export interface BinaryFilter {
  readonly operator?: 'In' | 'NotIn' | 'Prefix' | 'NotPrefix' | 'Postfix' | 'NotPostfix';
  readonly values?: readonly string[];
  readonly followChildren?: boolean;
}

export interface CmdArgFilter {
  readonly index?: number;
  readonly operator?: 'Equal' | 'NotEqual' | 'Prefix' | 'NotPrefix' | 'Postfix' | 'NotPostfix';
  readonly values?: readonly string[];
}

export interface SetFilter {
  readonly namespace?: string;
  readonly type?: string;
  readonly operator?: 'In' | 'NotIn';
  readonly isNamespaceCapability?: boolean;
  readonly values?: readonly string[];
}

/** A filter on the marks of the process. polytrace only. */
export interface MarkFilter {
  readonly operator?: 'In' | 'NotIn';
  readonly values?: readonly string[];
  readonly scope?: 'process' | 'container';
  readonly shared?: boolean;
}

export interface DurationFilter {
  readonly operator?: 'GT' | 'LT';
  readonly values?: readonly string[];
}

export interface ActionData {
  readonly action?: ActionName;
  readonly argError?: number;
  readonly argSig?: number;
  readonly argFqdn?: string;
  readonly argUrl?: string;
  readonly argSock?: number;
  readonly argIndex?: number;
  readonly argValue?: number;
  readonly argRegs?: readonly string[];
  readonly argNewAddr?: bigint;
  readonly argNewOffset?: bigint;
  readonly argNewSymbol?: string;
  readonly rateLimit?: string;
  readonly rateLimitScope?: string;
  readonly imaHash?: boolean;
  readonly kernelStackTrace?: boolean;
  readonly userStackTrace?: boolean;
  readonly mark?: string;
  readonly ttl?: string;
  readonly inherit?: boolean;
  readonly scope?: 'process' | 'container';
  readonly shared?: boolean;
  readonly metric?: string;
  readonly by?: readonly string[];
  readonly folders?: number;
  readonly value?: string;
  readonly kind?: CountKind;
  readonly maxKeys?: number;
}

export interface SelectorData {
  readonly label?: string;
  readonly macros?: readonly string[];
  readonly matchArgs?: readonly ValueFilter[];
  readonly matchReturnArgs?: readonly ValueFilter[];
  readonly matchData?: readonly ValueFilter[];
  /** One expression. In the selectors of a Hook, it is one of matchArgs, with the operator CelExpr. */
  readonly matchCEL?: { readonly expr?: string };
  /** One filter. In the selectors of a Hook, it is one of matchData. */
  readonly matchDuration?: DurationFilter;
  readonly matchPIDs?: readonly PidFilter[];
  readonly matchBinaries?: readonly BinaryFilter[];
  readonly matchParentBinaries?: readonly BinaryFilter[];
  readonly matchCmdArgs?: readonly CmdArgFilter[];
  readonly matchNamespaces?: readonly SetFilter[];
  readonly matchNamespaceChanges?: readonly SetFilter[];
  readonly matchCapabilities?: readonly SetFilter[];
  readonly matchCapabilityChanges?: readonly SetFilter[];
  readonly matchMarks?: readonly MarkFilter[];
  readonly matchWorkloads?: WorkloadData;
  readonly matchActions?: readonly ActionData[];
  readonly matchReturnActions?: readonly ActionData[];
}

/** A hook for the checks and the compiler. `selectors` include the filters of their macros. */
export interface Hook {
  readonly kind: HookKind;
  readonly data: HookData;
  readonly selectors: readonly SelectorData[];
}

export const FILTER_LISTS = [
  'matchArgs',
  'matchReturnArgs',
  'matchData',
  'matchPIDs',
  'matchBinaries',
  'matchParentBinaries',
  'matchCmdArgs',
  'matchNamespaces',
  'matchNamespaceChanges',
  'matchCapabilities',
  'matchCapabilityChanges',
  'matchMarks',
] as const;
