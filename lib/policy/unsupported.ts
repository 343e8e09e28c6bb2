/**
 * What a policy may say but the kernel side of this version cannot do yet: an error at load, with what to use instead.
 * Nothing that is written in a policy is passed over. Each entry goes away when the kernel side learns it.
 */
import { filteredArg } from './arguments.js';
import type { DiagnosticCode } from './codes.js';
import type { ActionData, ArgData, Hook, PolicyData, SelectorData, ValueFilter } from './model.js';
import type { ArgType } from './image.js';
import type { Report } from './report.js';
import { ARG_TYPES, HOOK_KINDS, OPERATORS_OF, type ArgTypeName, type Operator } from './vocabulary.js';

/** What the kernel side reads. */
const READABLE: ReadonlySet<string> = new Set<ArgType>([
  'nop',
  'int',
  'uint32',
  'size_t',
  'string',
  'filename',
  'file',
  'path',
  'fd',
]);
const RETURNABLE: ReadonlySet<string> = new Set<ArgType>(['nop', 'int', 'uint32', 'size_t']);
const COMPARABLE: ReadonlySet<string> = new Set<Operator>([
  'Equal', 'NotEqual', 'Prefix', 'NotPrefix', 'Postfix', 'NotPostfix', 'Mask', 'GreaterThan', 'GT', 'LessThan', 'LT',
]); // prettier-ignore

type Add = (code: DiagnosticCode, container: object, key: string, message: string, hint: string) => void;

export function findUnsupported(policy: PolicyData, hooks: readonly Hook[], report: Report): void {
  const add: Add = (code, container, key, message, hint) => {
    report.add(code, report.places.key(container, key), message, hint);
  };
  findInPolicy(policy, add, report);
  for (const hook of hooks) {
    if (hook.kind !== 'kprobes') continue;
    findInHook(hook, add);
    for (const selector of hook.selectors) findInSelector(hook, selector, add);
  }
}

function findInPolicy(policy: PolicyData, add: Add, report: Report): void {
  const { spec } = policy;
  if (spec === undefined) return;
  if (policy.kind === 'TracingPolicyNamespaced') {
    const hint = 'use kind TracingPolicy, which is for all processes, and narrow it by matchBinaries or matchPIDs';
    add('UNSUPPORTED_SCOPE', policy, 'kind', 'policies for one namespace of a cluster cannot be loaded yet', hint);
  }
  for (const kind of HOOK_KINDS) {
    if (kind === 'kprobes' || (spec[kind] ?? []).length === 0) continue;
    const hint =
      kind === 'fentries'
        ? 'write them under kprobes, which take the trampoline where the kernel has it'
        : HOOK_HINTS[kind];
    add('UNSUPPORTED_HOOK', spec, kind, `${kind} cannot be loaded yet`, hint);
  }
  for (const scope of ['podSelector', 'containerSelector', 'hostSelector', 'nodeSelector'] as const) {
    if (spec[scope] === undefined) continue;
    add(
      'UNSUPPORTED_SCOPE',
      spec,
      scope,
      `${scope} cannot be honoured yet`,
      'remove it; narrow the selectors by matchBinaries or matchPIDs',
    );
  }
  if (spec.loader === true)
    add(
      'UNSUPPORTED_LOADER',
      spec,
      'loader',
      'loader events are not reported yet',
      'use a kprobe on security_mmap_file',
    );
  if ((spec.enforcers ?? []).length > 0)
    add('UNSUPPORTED_ENFORCER', spec, 'enforcers', 'enforcers cannot be loaded yet', 'observe the calls by kprobes');
  for (const list of spec.lists ?? []) {
    if (list.type === undefined || list.type === 'syscalls') continue;
    add(
      'UNSUPPORTED_LIST',
      list,
      'type',
      `lists of type ${list.type} are not filled in yet`,
      'name the functions under `values`',
    );
  }
  for (const option of spec.options ?? []) findInOption(option, add, report);
}

const HOOK_HINTS = {
  tracepoints: 'use a kprobe on the function that the tracepoint is in',
  uprobes: 'observe the system calls of the program by kprobes with matchBinaries',
  usdts: 'observe the system calls of the program by kprobes with matchBinaries',
  lsmhooks: 'use a kprobe on security_NAME with `syscall: false`',
} as const;

/** Settings that hold already: nothing is enforced, and kprobe.multi is not used. */
function findInOption(option: { name?: string; value?: string }, add: Add, report: Report): void {
  if (option.name === undefined || report.places.isIncomplete(option)) return;
  if (option.name === 'policy-mode' && (option.value === 'monitor' || option.value === 'enforce')) return;
  if (option.name === 'disable-kprobe-multi') return;
  add('UNSUPPORTED_OPTION', option, 'name', `the option ${option.name} has no meaning here`, 'remove it');
}

function findInHook(hook: Hook, add: Add): void {
  const { data } = hook;
  for (const arg of data.args ?? []) findInArg(arg, READABLE, add);
  if (data.return === true && data.returnArg !== undefined) findInArg(data.returnArg, RETURNABLE, add);
  if ((data.data ?? []).length > 0)
    add(
      'UNSUPPORTED_FIELD',
      data,
      'data',
      'data is not read yet',
      'read a parameter of a function that is given the value',
    );
  if (data.returnArgAction !== undefined)
    add('UNSUPPORTED_ACTION', data, 'returnArgAction', 'sockets are not tracked yet', 'remove it');
}

function findInArg(arg: ArgData, types: ReadonlySet<string>, add: Add): void {
  if (arg.type !== undefined && !types.has(arg.type)) {
    add(
      'UNSUPPORTED_ARG_TYPE',
      arg,
      'type',
      `${arg.type} is not read yet${types === RETURNABLE ? ' from a return value' : ''}`,
      typeHint(arg.type),
    );
  }
  const fields = {
    maxData: arg.maxData === true,
    resolve: arg.resolve !== undefined && arg.resolve !== '',
    returnCopy: arg.returnCopy === true,
    sizeArgIndex: arg.sizeArgIndex !== undefined,
    btfType: arg.btfType !== undefined,
    btfTypeModule: arg.btfTypeModule !== undefined,
    source: arg.source !== undefined,
  };
  for (const [field, used] of Object.entries(fields)) {
    if (used)
      add(
        'UNSUPPORTED_ARG_FIELD',
        arg,
        field,
        `${field} of an argument is not honoured yet`,
        'remove it, or read another parameter',
      );
  }
}

function typeHint(type: ArgTypeName): string {
  const { class: compared } = ARG_TYPES[type];
  const bits = 'bits' in ARG_TYPES[type] ? (ARG_TYPES[type] as { bits: number }).bits : 64;
  if (compared === 'signed' && bits === 32) return 'use int, which is the same';
  if (compared === 'unsigned') return bits === 64 ? 'use size_t, which is the same' : 'use uint32';
  if (compared === 'signed') return 'use int where the values fit in it';
  if (compared === 'auto') return 'name the type';
  return 'use nop, or an argument of type int, uint32, size_t, string, filename, file, path or fd';
}

function findInSelector(hook: Hook, selector: SelectorData, add: Add): void {
  const { args = [], returnArg } = hook.data;
  for (const filter of selector.matchArgs ?? []) findInFilter(filter, filteredArg(hook, args, filter)?.arg, add);
  for (const filter of selector.matchReturnArgs ?? []) findInFilter(filter, returnArg, add);
  const fields = [
    'matchData',
    'matchParentBinaries',
    'matchNamespaces',
    'matchNamespaceChanges',
    'matchCapabilities',
    'matchCapabilityChanges',
    'matchWorkloads',
    'matchReturnActions',
  ] as const;
  for (const field of fields) {
    const value = selector[field];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    add(
      'UNSUPPORTED_FILTER',
      selector,
      field,
      `${field} cannot be honoured yet`,
      'filter by matchArgs, matchBinaries, matchPIDs or matchReturnArgs',
    );
  }
  for (const filter of selector.matchPIDs ?? []) {
    if (filter.followForks === true)
      add(
        'UNSUPPORTED_FILTER',
        filter,
        'followForks',
        'children cannot be followed yet',
        'remove it and name the processes',
      );
    if (filter.isNamespacePID === true)
      add(
        'UNSUPPORTED_FILTER',
        filter,
        'isNamespacePID',
        'ids of pid namespaces cannot be compared yet',
        'use the ids of the initial namespace',
      );
  }
  for (const filter of selector.matchBinaries ?? []) {
    if (filter.followChildren === true)
      add(
        'UNSUPPORTED_FILTER',
        filter,
        'followChildren',
        'children cannot be followed yet',
        'remove it and name their binaries',
      );
  }
  for (const action of selector.matchActions ?? []) findInAction(action, add);
}

function findInFilter(filter: ValueFilter, arg: ArgData | undefined, add: Add): void {
  const { operator } = filter;
  const allowed: readonly Operator[] = arg?.type === undefined ? [] : OPERATORS_OF[ARG_TYPES[arg.type].class];
  // An operator that does not fit its argument is a mistake of another kind.
  if (operator !== undefined && arg !== undefined && !allowed.includes(operator)) return;
  if (operator !== undefined && !COMPARABLE.has(operator)) {
    add(
      'UNSUPPORTED_OPERATOR',
      filter,
      'operator',
      `${operator} cannot be evaluated yet`,
      `use one of ${[...COMPARABLE].join(', ')}`,
    );
  }
}

function findInAction(action: ActionData, add: Add): void {
  if (action.action === undefined) return;
  if (action.action !== 'Post') {
    add(
      'UNSUPPORTED_ACTION',
      action,
      'action',
      `${action.action} cannot be done yet`,
      'use Post, which reports the event',
    );
    return;
  }
  for (const field of ['rateLimit', 'rateLimitScope', 'imaHash', 'kernelStackTrace', 'userStackTrace'] as const) {
    if (action[field] === undefined || action[field] === false) continue;
    add('UNSUPPORTED_ACTION', action, field, `${field} of Post is not honoured yet`, 'remove it');
  }
}
