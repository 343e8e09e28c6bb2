/**
 * Finds the parts of a policy that are valid but not supported by this version. Each is an error at load with a hint what
 * to use instead, so that no part of a policy is ignored silently.
 */
import { isDeepStrictEqual } from 'node:util';
import { expandCall } from '../model/lists.js';
import type { ActionData, ArgData, Hook, HookData, PolicyData, SelectorData } from '../model/model.js';
import type { Report } from '../parse/report.js';
import type { DiagnosticCode } from '../parse/codes.js';
import { ACTION_TABLE } from '../language/actions.js';
import { trackedSlots } from './actions.js';
import { ARG_TYPES, isProgramHook, type ActionName, type HookKind } from '../language/vocabulary.js';

type AddDiagnostic = (code: DiagnosticCode, container: object, key: string, message: string, hint: string) => void;

export function findUnsupported(policy: PolicyData, hooks: readonly Hook[], report: Report): void {
  const add: AddDiagnostic = (code, container, key, message, hint) => {
    report.add(code, report.positions.key(container, key), message, hint);
  };
  for (const hook of hooks) {
    findInHook(hook, policy, add);
    findSecondTrackedSocket(hook, add);
    for (const selector of hook.selectors) findInSelector(selector, add);
  }
}

function findInHook({ kind, data }: Hook, policy: PolicyData, add: AddDiagnostic): void {
  const hasFields = kind === 'tracepoints' && data.raw !== true;
  const returned = data.return === true && data.returnArg !== undefined ? [data.returnArg] : [];
  const isIa32 = expandCall(policy, data.call ?? '', true).some(({ name }) => /^(i386\/|__ia32_)/.test(name));
  for (const arg of [...(data.args ?? []), ...(data.data ?? []), ...returned]) {
    findInArg(arg, hasFields, add);
    if (isIa32 && arg.type === 'char_iovec') {
      const message = 'char_iovec of 32-bit programs is not supported yet, because its layout differs';
      add('UNSUPPORTED_ARG_TYPE', arg, 'type', message, 'read the number of pieces as int');
    }
    if (isProgramHook(kind)) findKernelObject(arg, add);
    else if (kind !== 'kprobes' && !hasCallRegisters(data)) findRegisterSource(arg, kind, add);
  }
}

function findInArg(arg: ArgData, isField: boolean, add: AddDiagnostic): void {
  if (arg.type === 'data_loc' && !isField) {
    const message = 'data_loc is a field of tracepoints; functions have no such fields';
    add('UNSUPPORTED_ARG_TYPE', arg, 'type', message, 'read the parameter as string or char_buf');
  }
}

function findKernelObject(arg: ArgData, add: AddDiagnostic): void {
  const { type, source } = arg;
  if (type === undefined || source === 'current_task') return;
  if (ARG_TYPES[type].receivers === 'programs') return;
  const message = `${type} is an object of the kernel; functions of programs never receive one`;
  add('UNSUPPORTED_ARG_TYPE', arg, 'type', message, 'use string, char_buf or a number');
}

/** True for the raw tracepoints whose first parameter has the registers with which a program makes a system call. */
function hasCallRegisters({ subsystem, event, raw }: HookData): boolean {
  return raw === true && subsystem === 'raw_syscalls' && (event === 'sys_enter' || event === 'sys_exit');
}

function findRegisterSource(arg: ArgData, kind: HookKind, add: AddDiagnostic): void {
  if (arg.source !== 'pt_regs') return;
  add(
    'UNSUPPORTED_ARG_TYPE',
    arg,
    'source',
    `${kind} do not give access to registers`,
    'use a kprobe, or the raw tracepoint raw_syscalls/sys_exit',
  );
}

function findInSelector(selector: SelectorData, add: AddDiagnostic): void {
  findInActions(selector.matchActions ?? [], add);
  findInActions(selector.matchReturnActions ?? [], add);
}

/** The kind of action for messages, if a selector can have only one of the kind. */
const SINGLE_ACTIONS: Readonly<Record<ActionName, string | undefined>> = {
  Signal: 'signal',
  Sigkill: 'signal',
  Override: 'Override',
  NotifyEnforcer: 'NotifyEnforcer',
  Set: 'Set',
  Post: 'Post',
  TrackSock: 'TrackSock or UntrackSock',
  UntrackSock: 'TrackSock or UntrackSock',
  Mark: undefined,
  Unmark: undefined,
  NoPost: undefined,
  GetUrl: undefined,
  DnsLookup: undefined,
  Count: undefined,
  CleanupEnforcerNotification: undefined,
};

/** Reports actions that track a second argument: the BPF programs track only one argument for each hook. */
function findSecondTrackedSocket({ selectors }: Hook, add: AddDiagnostic): void {
  const first = selectors.flatMap(trackedSlots)[0];
  for (const { matchActions = [], matchReturnActions = [] } of selectors) {
    for (const action of [...matchActions, ...matchReturnActions]) {
      const { action: name, argSock = 0 } = action;
      if (name === undefined || ACTION_TABLE[name].effect !== 'socket' || argSock === first) continue;
      const message = `${name} must use the same argument as the first action of this hook that tracks a socket`;
      add('UNSUPPORTED_ACTION', action, 'argSock', message, 'make a second hook on the same function');
    }
  }
}

function findInActions(actions: readonly ActionData[], add: AddDiagnostic): void {
  const seen = new Map<string, ActionData>();
  for (const action of actions) {
    const { action: name } = action;
    if (name === undefined) continue;
    const kind = SINGLE_ACTIONS[name];
    const before = seen.get(kind ?? '');
    if (kind === undefined) continue;
    seen.set(kind, action);
    if (before === undefined || isDeepStrictEqual(before, action)) continue;
    const message = `a selector cannot have a second ${kind} that differs from the first`;
    add('UNSUPPORTED_ACTION', action, 'action', message, 'keep one of the two');
  }
}
