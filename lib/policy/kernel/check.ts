/** Checks a policy against a kernel: its hooks must exist there, and its values must have the types of the policy. */
import type { Steps } from '../../cooperative.js';
import { canEnforcersOverride } from '../compile/enforcers.js';
import { expandCall, findList, isGeneratedList, listName, type CalledFunction, compileRegExp } from '../model/lists.js';
import type { ArgData, HookData, PolicyData, Hook } from '../model/model.js';
import type { KernelInfo, TracepointInfo } from '../../../types/kernel.js';
import { isNamedCall, syscallFunctionNames } from '../../names/syscall-functions.js';
import { findNearestName, nearestHint } from '../parse/nearest-name.js';
import type { Span } from '../parse/positions.js';
import { FirstOfEachCode, quote, type Report } from '../parse/report.js';
import { isNegatedOperator } from '../language/vocabulary.js';
import { findFilteredSlots } from '../model/slots.js';
import { fieldHint, findFieldAccess } from './fields.js';
import { checkParameters, checkResolvedField, checkReturnType, checkSource } from './parameters.js';
import { hookArgs } from './infer.js';
import { findFunction, findSyscall } from './prototypes.js';
import { findBroaderFunction } from './renamed-functions.js';
import { suggestFunction } from './suggestions.js';

export function* checkAgainstKernel(
  policy: PolicyData,
  hooks: readonly Hook[],
  kernel: KernelInfo,
  report: Report,
): Steps<void> {
  for (const hook of hooks) {
    yield;
    switch (hook.kind) {
      case 'kprobes':
      case 'fentries':
        checkFunctionHook(policy, hook, kernel, report);
        break;
      case 'lsmhooks':
        checkLsmHook(hook.data, kernel, report);
        break;
      case 'tracepoints':
        checkTracepoint(hook.data, kernel, report);
        break;
      case 'uprobes':
      case 'usdts':
        break; // host.ts checks these
    }
    checkSource(hook.data, kernel, report);
  }
  checkEnforcers(policy, hooks, kernel, report);
}

/** True if there are filters on the argument, and each of them selects values instead of excluding some. */
function hasOnlyPositiveFilters(hook: Hook, arg: ArgData): boolean {
  const filters = hook.selectors.flatMap(({ matchArgs = [], matchData = [] }) => [
    ...matchArgs.map((filter) => ({ filter, list: 'matchArgs' as const })),
    ...matchData.map((filter) => ({ filter, list: 'matchData' as const })),
  ]);
  const own = filters.filter(({ filter, list }) =>
    findFilteredSlots(hook, list, filter).some((slot) => slot?.arg === arg),
  );
  return (
    own.length > 0 && own.every(({ filter }) => filter.operator !== undefined && !isNegatedOperator(filter.operator))
  );
}

function checkEnforcers(policy: PolicyData, hooks: readonly Hook[], kernel: KernelInfo, report: Report): void {
  const mayOverride = canEnforcersOverride(hooks);
  for (const { calls = [] } of policy.spec?.enforcers ?? []) {
    calls.forEach((call, i) => {
      const span = report.positions.value(calls, i);
      for (const { name } of expandCall(policy, call, false)) {
        const found = findSyscall(name, kernel) ?? findFunction(name, kernel);
        if (found === undefined) {
          report.add('FUNCTION_UNKNOWN', span, `${name} is not in ${kernel.name}`, 'the function may be inlined, or part of a module'); // prettier-ignore
        } else if (mayOverride && kernel.overridable(found.name) === false) {
          const message = `${found.name} cannot be overridden: ${kernel.name} does not allow it for this function`;
          report.add(
            'OVERRIDE_NOT_POSSIBLE',
            span,
            message,
            'use argSig instead of argError, or name a security_ function',
          );
        }
      }
    });
  }
}

function checkFunctionHook(policy: PolicyData, hook: Hook, kernel: KernelInfo, report: Report): void {
  const { data } = hook;
  const { call } = data;
  if (call === undefined) return;
  const list = findList(policy, listName(call) ?? '');
  const calls = expandCall(policy, call, data.syscall ?? true, kernel);
  if (list === undefined || !isGeneratedList(list)) {
    for (const each of calls) checkFunction(policy, hook, each, kernel, report);
    return;
  }
  if (calls.length === 0 && compileRegExp(list.pattern ?? '') instanceof RegExp) {
    const message = `no function of ${kernel.name} matches the list ${quote(list.name)}`;
    const hint = '/sys/kernel/tracing/available_filter_functions lists the functions that can be probed';
    report.add(
      'LIST_NOT_FILLED',
      report.positions.value(list, list.pattern === undefined ? 'type' : 'pattern'),
      message,
      hint,
    );
  }
  const first = new FirstOfEachCode(report);
  for (const each of calls) checkFunction(policy, hook, each, kernel, first);
}

function checkFunction(
  policy: PolicyData,
  hook: Hook,
  { name, syscall }: CalledFunction,
  kernel: KernelInfo,
  report: Report,
): void {
  const { data } = hook;
  const found = syscall ? findSyscall(name, kernel) : findFunction(name, kernel);
  if (found === undefined) {
    // A function without BTF can still be in the kernel's list of functions that can be traced.
    const names = syscall ? syscallFunctionNames(name) : [name];
    if (!names.some((each) => kernel.attachable(each) === true))
      reportMissingFunction(name, syscall, data, kernel, report);
    else noteMissingTypes(hook, name, kernel, report);
    return;
  }
  if (kernel.attachable(found.name) === false) {
    const message = `${found.name} is in ${kernel.name}, but it cannot be probed`;
    const hint = 'use a function that calls it, or one that it calls';
    report.add('FUNCTION_NOT_ATTACHABLE', report.positions.value(data, 'call'), message, hint);
  }
  if (kernel.overridable(found.name) === false) reportOverrides(hook, found.name, kernel, report);
  if (found.prototype === undefined) {
    noteMissingTypes(hook, name, kernel, report);
    return;
  }
  const values = [...(data.args ?? []), ...(data.data ?? [])];
  checkParameters(values, found.prototype, found.name, kernel, report, (arg) => hasOnlyPositiveFilters(hook, arg));
  if (!syscall) checkReturnType(data, found.prototype, found.name, kernel, report);
  const broader = findBroaderFunction(name, kernel);
  if (broader !== undefined && !isHooked(policy, broader.name)) {
    const message = `${name} does not see all operations on ${kernel.name}: ${broader.misses}`;
    report.add('FUNCTION_SEES_LESS', report.positions.value(data, 'call'), message, `add a hook on ${broader.name}`);
  }
}

/** Notes that the values of the hook were not checked, because the kernel has the function but not its types. */
function noteMissingTypes({ data }: Hook, name: string, kernel: KernelInfo, report: Report): void {
  if (!hookArgs(data).some(({ type, source }) => type !== 'nop' && source === undefined)) return;
  const message = `the values of ${name} were not checked: ${kernel.name} has no types for it`;
  report.add(
    'NOT_CHECKED',
    report.positions.value(data, 'call'),
    message,
    'compare them with the source of the kernel',
  );
}

/** True if another hook of the policy is on this function. */
function isHooked({ spec = {} }: PolicyData, name: string): boolean {
  return [...(spec.kprobes ?? []), ...(spec.fentries ?? [])].some((hook) => hook.call === name);
}

function reportOverrides(hook: Hook, name: string, kernel: KernelInfo, report: Report): void {
  for (const action of hook.selectors.flatMap((selector) => selector.matchActions ?? [])) {
    if (action.action !== 'Override') continue;
    const message = `${name} cannot be overridden: ${kernel.name} does not allow it for this function`;
    const hint = 'override a system call or a security_ function instead';
    report.add('OVERRIDE_NOT_POSSIBLE', report.positions.value(action, 'action'), message, hint);
  }
}

/** Returns true and reports a note if the policy allows the target to be missing. */
function noteIfOptional(data: HookData, span: Span, name: string, kernel: KernelInfo, report: Report): boolean {
  if (data.ignore?.callNotFound !== true && data.optional !== true) return false;
  const message = `${name} is not in ${kernel.name}: the hook is skipped there`;
  report.add('FUNCTION_MISSING_IGNORED', span, message, 'the policy allows this by ignore.callNotFound or optional');
  return true;
}

function reportMissingFunction(
  name: string,
  syscall: boolean,
  data: HookData,
  kernel: KernelInfo,
  report: Report,
): void {
  const span = report.positions.value(data, 'call');
  if (noteIfOptional(data, span, name, kernel, report)) return;
  if (syscall && listName(data.call ?? '') !== undefined && isNamedCall(name)) {
    const message = `${name} is not in ${kernel.name}: the list goes without it there`;
    report.add(
      'FUNCTION_MISSING_IGNORED',
      span,
      message,
      'no process can make a system call that the kernel does not have',
    );
    return;
  }
  const isFunction = syscall && (kernel.function(name) !== undefined || kernel.attachable(name) === true);
  const message = isFunction ? `${quote(name)} is a function, not a system call` : `${name} is not in ${kernel.name}`;
  const similar = report.countSearch() ? suggestFunction(name, syscall, kernel) : undefined;
  report.add('FUNCTION_UNKNOWN', span, message, similar ?? 'the function may be inlined, or part of a module');
}

/** Checks an LSM hook. The kernel has a function bpf_lsm_NAME for each hook that BPF programs can attach to. */
function checkLsmHook(data: HookData, kernel: KernelInfo, report: Report): void {
  const { hook } = data;
  if (hook === undefined) return;
  const prototype = kernel.function(`bpf_lsm_${hook}`);
  if (prototype !== undefined) {
    checkParameters(data.args ?? [], prototype, hook, kernel, report);
    return;
  }
  if (noteIfOptional(data, report.positions.value(data, 'hook'), hook, kernel, report)) return;
  const prefix = 'bpf_lsm_';
  const names = kernel.functionNames().flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  const hint = nearestHint(
    hook.replace(/^security_/, ''),
    names,
    'lsm_hook_defs.h in the kernel source lists all hooks',
  );
  report.add(
    'LSM_HOOK_UNKNOWN',
    report.positions.value(data, 'hook'),
    `${kernel.name} has no LSM hook ${quote(hook)}`,
    hint,
  );
}

function checkTracepoint(data: HookData, kernel: KernelInfo, report: Report): void {
  const { subsystem, event, args = [] } = data;
  if (subsystem === undefined || event === undefined) return;
  const span = report.positions.value(data, 'event');
  if (data.raw === true) {
    const prototype = kernel.rawTracepoint(event);
    if (prototype === undefined) {
      if (noteIfOptional(data, span, event, kernel, report)) return;
      const hint = nearestHint(
        event,
        kernel.rawTracepointNames(),
        'raw tracepoints have the names that the kernel source uses',
      );
      report.add('TRACEPOINT_UNKNOWN', span, `${kernel.name} has no raw tracepoint ${quote(event)}`, hint);
    } else {
      checkParameters(args, prototype, event, kernel, report);
    }
    return;
  }
  const found = kernel.tracepoint(subsystem, event);
  if (found === null) {
    if (noteIfOptional(data, span, `${subsystem}/${event}`, kernel, report)) return;
    const groups = kernel.tracepointNames();
    const [name, names] = groups.includes(subsystem) ? [event, kernel.tracepointNames(subsystem)] : [subsystem, groups];
    const close = findNearestName(name, names);
    const at = name === event ? span : report.positions.value(data, 'subsystem');
    const hint =
      close === undefined ? 'the events folder of tracefs lists all tracepoints' : `did you mean ${quote(close)}?`;
    report.add('TRACEPOINT_UNKNOWN', at, `${kernel.name} has no tracepoint ${subsystem}/${event}`, hint);
  }
  if (found === undefined) {
    const message = `the tracepoint ${subsystem}/${event} and its fields were not checked: its format cannot be read`;
    const hint = 'check on the machine that runs the policy, with tracefs mounted; a BTF file has no formats';
    report.add('NOT_CHECKED', span, message, hint);
  }
  if (!found) return;
  for (const arg of args) checkField(arg, found, `${subsystem}/${event}`, kernel, report);
}

function checkField(arg: ArgData, { fields }: TracepointInfo, name: string, kernel: KernelInfo, report: Report): void {
  if (arg.index === undefined || arg.source !== undefined) return;
  const field = fields[arg.index];
  if (field === undefined) {
    const message = `${name} has no field ${arg.index}`;
    const hint = fields.map((each, i) => `${i} ${each.name}`).join(', ');
    report.add('TRACEPOINT_FIELD_UNKNOWN', report.positions.value(arg, 'index'), message, hint);
  } else if (arg.resolve) {
    checkResolvedField(arg, field, name, kernel, report);
  } else if (arg.type !== undefined && arg.type !== 'auto' && findFieldAccess(field, arg.type) === undefined) {
    const message = `${field.name} of ${name} has the type ${field.type}, which cannot be read as ${arg.type}`;
    report.add('ARG_TYPE_MISMATCH', report.positions.value(arg, 'type'), message, fieldHint(field));
  }
  const size = arg.sizeArgIndex ? fields[arg.sizeArgIndex - 1] : undefined;
  if (arg.sizeArgIndex && (size === undefined || findFieldAccess(size, 'uint64') === undefined)) {
    const message = `${name} has no number in field ${arg.sizeArgIndex - 1}, which sizeArgIndex ${arg.sizeArgIndex} means`;
    const hint = fields.map((each, i) => `${i + 1} ${each.name}`).join(', ');
    report.add('TRACEPOINT_FIELD_UNKNOWN', report.positions.value(arg, 'sizeArgIndex'), message, hint);
  }
}
