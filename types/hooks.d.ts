import type { KernelInfo } from './kernel.js';
import type { ArgumentType } from './policy-language.js';

/**
 * What a hook is attached to:
 * - `syscall`: a system call, such as `sys_unlink`
 * - `lsm`: a hook of the Linux security modules, such as `path_unlink`. The kernel must have `bpf` in `lsm=`.
 * - `tracepoint`: GROUP/NAME, with the fields of its format
 * - `raw_tracepoint`: NAME, with the parameters from the kernel's code
 * - `function`: a function of the kernel
 * - `usdt`: a static probe of a file, PROVIDER:NAME
 * - `uprobe`: a function of a file
 */
export type AvailableHookKind = 'syscall' | 'lsm' | 'tracepoint' | 'raw_tracepoint' | 'function' | 'usdt' | 'uprobe';

/** A parameter of a function, a field of a tracepoint, or an argument of a static probe. */
export interface HookParameter {
  /** `index` of the value in a policy. */
  readonly index: number;
  /** Its name; '' if it has none. */
  readonly name: string;
  /** Its type in C, without `const`. For a static probe, its specification, such as `-4@%edi`. */
  readonly cType: string;
  /** The type in a policy that reads the value. Absent if no type can read it; `resolve` can still read its members. */
  readonly type?: ArgumentType;
}

/** Something that a policy can hook. */
export interface AvailableHook {
  readonly kind: AvailableHookKind;
  readonly name: string;
  /** The file of a static probe or of a uprobe. */
  readonly file?: string;
  /** Group of a raw tracepoint. Absent for a BTF file, which does not contain it. */
  readonly group?: string;
  /** The values that it receives. Absent if the kernel has no types for it; uprobes never have them. */
  readonly parameters?: readonly HookParameter[];
  /** The return value. Absent for void and if it is not known. */
  readonly returns?: Pick<HookParameter, 'cType' | 'type'>;
  /** The action Override can replace its result. Absent if this is not known: without root, and for a BTF file. */
  readonly overridable?: boolean;
  /** Policies of the package that hook it, such as `file-integrity`. */
  readonly policies: readonly string[];
}

/** Options of `listHooks` and `findHook`. */
export interface HookQuery {
  /** The kernel. Default: the running one. */
  readonly kernel?: KernelInfo;
  /** Lists the static probes and functions of this program or library instead of those of a kernel. */
  readonly file?: string;
  /** Lists only these kinds. Default: all. */
  readonly kinds?: readonly AvailableHookKind[];
}

/**
 * Lists what policies can hook. `pattern` is a part of the name, or with `*` and `?` the whole name; letter case does
 * not matter. The best matches come first. Without root, the names of functions are those of BTF, of which some cannot be
 * probed, and tracepoints by format are missing. Throws a PolytraceError `PROGRAM_NOT_FOUND` or `PROGRAM_NOT_ELF` for
 * `file`, and the errors of `loadKernelInfo`.
 */
export function listHooks(pattern: string, options?: HookQuery): AvailableHook[];

/**
 * Returns the hook with exactly this name. If several kinds have it, returns the first in the order of
 * `AvailableHookKind`. Throws a PolytraceError `HOOK_NOT_FOUND` that names the nearest hooks, and the errors of `listHooks`.
 */
export function findHook(name: string, options?: HookQuery): AvailableHook;

/** Options of `hookPolicy`. */
export interface HookPolicyOptions {
  /** `metadata.name` of the policy. Default: from the name of the hook. */
  readonly name?: string;
  /** With false, the policy reads no values and reports nothing: it only counts, see `matched` of `policies()`. Default true. */
  readonly report?: boolean;
}

/**
 * Returns the YAML text of a policy that reports each call of the hook, with all its values that a policy can read. It has
 * no filters: many hooks are called thousands of times a second.
 */
export function hookPolicy(hook: AvailableHook, options?: HookPolicyOptions): string;

/**
 * Formats a hook in C notation, on one line: `int security_path_unlink(struct path *dir, struct dentry *dentry)`. With
 * `width`, the last parameters are left out if the line has more characters. The name is always complete.
 */
export function formatHook(hook: AvailableHook, width?: number): string;
