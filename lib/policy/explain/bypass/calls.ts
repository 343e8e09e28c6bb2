/** Finds the ways around a hook itself: other entries of the kernel, and calls that the kernel does not report. */
import { BEGINNINGS, OTHER_IA32_CALLS, RING_OPERATIONS } from './call-tables.js';
import {
  hasFunction,
  isHooked,
  isSyscallTracepoint,
  listNames,
  nativeSyscall,
  type Finding,
  type HookContext,
} from './context.js';
import { hasPathFilter } from './filtered-values.js';

/** Each function finds one way. */
export const CALL_WAYS: readonly ((context: HookContext) => Finding[])[] = [
  findIa32Calls,
  findX32Calls,
  findIoUring,
  findMountCalls,
  findDetachedMounts,
  findMissedCalls,
  findEarlierUses,
];

function findIa32Calls(context: HookContext): Finding[] {
  const missing = [...new Set(context.functions.flatMap((name) => missingIa32Calls(context, name)))];
  if (missing.length === 0) return [];
  const names = listNames(missing);
  const remedy = isTracepoint(context)
    ? `use kprobes on the system call and on ${names}`
    : `add hooks on ${names}, with \`optional: true\` for kernels without them, or hook a function that all calls reach`;
  const way = `on x86-64, 32-bit system calls (int 0x80) do not reach this hook; they run ${names}`;
  return [{ code: 'IA32_CALL', way, remedy, certain: context.kernel !== undefined }];
}

/** The calls of 32-bit programs that do the same, that the kernel has, and that the policy does not hook. */
function missingIa32Calls(context: HookContext, name: string): string[] {
  const call = nativeSyscall(name);
  if (call === undefined) return [];
  return [call, ...(OTHER_IA32_CALLS.get(call) ?? [])]
    .filter((each) => hasFunction(context, `__ia32_sys_${each}`, `__ia32_compat_sys_${each}`) !== false)
    .map((each) => `i386/sys_${each}`)
    .filter((each) => !isHooked(context, each));
}

function findX32Calls(context: HookContext): Finding[] {
  const missing = [...new Set(context.functions.flatMap((name) => missingX32Calls(context, name)))];
  if (missing.length === 0) return [];
  const names = listNames(missing);
  const way = `programs of the x32 ABI do not reach this hook; they run ${names}`;
  const remedy = isTracepoint(context)
    ? `use kprobes on the system call and on ${names}`
    : `add hooks on ${names}, or hook a function that all calls reach`;
  return [{ code: 'X32_CALL', way, remedy }];
}

/** Few kernels have the x32 ABI, so nothing is listed without a kernel. */
function missingX32Calls(context: HookContext, name: string): string[] {
  const call = nativeSyscall(name);
  const own = `__x64_compat_sys_${call}`;
  if (call === undefined || hasFunction(context, own) !== true || isHooked(context, own)) return [];
  return [own];
}

function findIoUring(context: HookContext): Finding[] {
  const operations = context.functions.flatMap((name) => {
    const operation = RING_OPERATIONS.get(nativeSyscall(name) ?? '');
    return operation === undefined || isHooked(context, operation.run, operation.both ?? '') ? [] : [operation];
  });
  const there = operations.filter(({ run }) => hasFunction(context, run) !== false);
  if (there.length === 0) return [];
  const run = listNames([...new Set(there.map((operation) => operation.run))]);
  const both = [...new Set(there.flatMap((operation) => operation.both ?? []))];
  const way = `io_uring does the same without this system call: it runs ${run}`;
  const remedy = `hook ${listNames(both.length > 0 ? both : [run])}, or set the sysctl kernel.io_uring_disabled to 2`;
  return [{ code: 'IO_URING', way, remedy, certain: context.kernel !== undefined }];
}

function findMountCalls(context: HookContext): Finding[] {
  const hooksMount = context.functions.some((name) => nativeSyscall(name) === 'mount' || name === 'security_sb_mount');
  if (!hooksMount || isHooked(context, 'security_move_mount', 'sys_move_mount')) return [];
  if (hasFunction(context, 'security_move_mount') === false) return [];
  const way =
    'fsopen, fsconfig, fsmount, open_tree and move_mount mount without mount(2); mount(8) of util-linux 2.39 and later uses them';
  return [{ code: 'MOUNT_CALLS', way, remedy: 'add a hook on security_move_mount' }];
}

/** A selector that compares a path is about the place of a mount. A detached mount has none. */
function findDetachedMounts(context: HookContext): Finding[] {
  const hooksMounts = context.functions.some(
    (name) => ['mount', 'move_mount'].includes(nativeSyscall(name) ?? '') || /^security_(sb|move)_mount$/.test(name),
  );
  const seesNew = isHooked(context, 'security_sb_kern_mount', 'sys_fsmount');
  const seesCopies = isHooked(context, '__do_loopback', 'sys_open_tree');
  if (!hooksMounts || (seesNew && seesCopies)) return [];
  const remedy = `add hooks on ${[...(seesNew ? [] : ['security_sb_kern_mount']), ...(seesCopies ? [] : ['sys_open_tree'])].join(' and ')}`;
  const way = 'files are used through the descriptor of fsmount or open_tree, and the mount is attached nowhere';
  return context.selectors.flatMap((selector, i): Finding[] =>
    hasPathFilter(context.hook, selector) ? [] : [{ code: 'DETACHED_MOUNT', selector: i, way, remedy }],
  );
}

function findMissedCalls(context: HookContext): Finding[] {
  const { kind } = context.hook;
  if (kind === 'kprobes' || kind === 'tracepoints') return [];
  // LSM programs and uprobes disable preemption where the kernel has this function (6.10)
  if (kind !== 'fentries' && hasFunction(context, 'bpf_preempt_disable') === true) return [];
  // the kernel takes milliseconds to find it
  const model = context.kernel?.preemption;
  if (model === 'none' || model === 'voluntary') return [];
  const certain = model !== undefined && model !== 'unknown' && context.kernel !== undefined;
  const way =
    'a kernel with the preemption model lazy, full or rt suspends BPF programs, and then skips them for other processes';
  const remedy =
    kind === 'fentries'
      ? 'use kprobes instead of fentries, or boot with preempt=voluntary'
      : 'use Linux 6.10 or later, or boot with preempt=voluntary';
  return [{ code: 'MISSED_CALLS', way, remedy, certain }];
}

function findEarlierUses({ functions }: HookContext): Finding[] {
  const found = functions.filter((name) => {
    const call = nativeSyscall(name);
    return BEGINNINGS.has(call === undefined ? name : `sys_${call}`);
  });
  if (found.length === 0) return [];
  const way = `what a process opened, mapped or connected before the policy was loaded does not pass ${listNames(found)} again`;
  const remedy = 'load the policy at boot; for files, also hook security_file_permission';
  return [{ code: 'ALREADY_OPEN', way, remedy }];
}

const isTracepoint = ({ functions }: HookContext): boolean => functions.some(isSyscallTracepoint);
