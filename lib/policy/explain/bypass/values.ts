/** Finds the ways around filters on values: memory and descriptors that change, and other names of a file. */
import { NAME_FUNCTION } from './call-tables.js';
import { hasSyscallValues, isHooked, type Finding, type HookContext } from './context.js';
import { comparedAs, filteredValues, type FilteredValue } from './filtered-values.js';

/** Each function finds one way around a filter, or returns undefined. */
const VALUE_WAYS: readonly ((context: HookContext, value: FilteredValue) => Omit<Finding, 'at'> | undefined)[] = [
  findChangingMemory,
  findChangingDescriptor,
  (context, value) => findOtherPath(context, value, 'link'),
  (context, value) => findOtherPath(context, value, 'rename'),
  findOtherMount,
];

export function findValueWays(context: HookContext): Finding[] {
  return context.selectors.flatMap((selector, i) =>
    filteredValues(context.hook, selector).flatMap((value) =>
      VALUE_WAYS.flatMap((find): Finding[] => {
        const found = find(context, value);
        return found === undefined ? [] : [{ ...found, selector: i, at: value.filter }];
      }),
    ),
  );
}

function findChangingMemory(context: HookContext, { arg }: FilteredValue): Finding | undefined {
  const { kind } = context.hook;
  const isProgram = kind === 'uprobes' || kind === 'usdts';
  const isInMemory = comparedAs(arg) === 'string' || comparedAs(arg) === 'address' || isCapabilitySet(arg);
  if (!isInMemory || arg.source === 'current_task' || !(isProgram || hasSyscallValues(context))) return undefined;
  const way = 'the value is in the memory of the process: another thread changes it after the filter, before its use';
  const remedy = isProgram
    ? 'a hook on a program only observes it; hook the function of the kernel that does the operation'
    : 'hook a security_ function, whose values the kernel has copied: for paths security_file_open, for addresses security_socket_connect';
  return { code: 'USER_MEMORY', way, remedy };
}

/** The sets of capset(2) are in the memory of the process. */
const isCapabilitySet = ({ type }: FilteredValue['arg']): boolean => type?.startsWith('cap_') === true;

function findChangingDescriptor(context: HookContext, { arg }: FilteredValue): Finding | undefined {
  if (arg.type !== 'fd' || !hasSyscallValues(context)) return undefined;
  const way = 'another thread puts another file behind the descriptor (dup2) after the filter, before its use';
  return { code: 'DESCRIPTOR_MAY_CHANGE', way, remedy: 'hook a security_ function, which receives the file itself' };
}

const isPath = ({ arg }: FilteredValue): boolean => comparedAs(arg) === 'path';
/** `inode: true` finds the file under each of its names. */
const isNamed = (value: FilteredValue): boolean => isPath(value) && value.filter.inode !== true;
const isFileUse = ({ functions }: HookContext): boolean => !functions.some((name) => NAME_FUNCTION.test(name));

/** The operations that give a file another path. */
const OTHER_PATHS = {
  link: {
    code: 'HARD_LINK',
    way: 'a hard link gives the file another path; the sysctl fs.protected_hardlinks limits who can make one',
  },
  rename: { code: 'RENAME', way: 'the file or a folder above it is renamed, and then used by its new path' },
} as const;

function findOtherPath(
  context: HookContext,
  value: FilteredValue,
  operation: keyof typeof OTHER_PATHS,
): Finding | undefined {
  if (!isNamed(value) || !isFileUse(context)) return undefined;
  if (isHooked(context, `security_path_${operation}`, `security_inode_${operation}`)) return undefined;
  const remedy = `use \`inode: true\`, which needs whole paths (Equal), or add a hook on security_path_${operation}`;
  return { ...OTHER_PATHS[operation], remedy };
}

function findOtherMount(context: HookContext, value: FilteredValue): Finding | undefined {
  if (!isNamed(value) || !isFileUse(context)) return undefined;
  const missing = [
    ...(isHooked(context, '__do_loopback') ? [] : ['__do_loopback']),
    ...(isHooked(context, 'clone_private_mount') ? [] : ['clone_private_mount']),
    ...(isHooked(context, 'security_path_chroot') ? [] : ['security_path_chroot']),
  ];
  if (missing.length === 0) return undefined;
  const way =
    'in a user namespace of its own, each process can bind-mount, overlay or chroot, and so give the file another path';
  const remedy =
    `use \`inode: true\`, which needs whole paths (Equal), add hooks on ${missing.join(', ')} as in ` +
    'policies/file-monitoring.yaml, or forbid user namespaces (sysctl user.max_user_namespaces)';
  return { code: 'OTHER_MOUNT', way, remedy };
}
