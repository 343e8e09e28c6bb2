/** Checks the actions of a selector: against their hook, their fields, and each other. */
import { ACTION_TABLE, canHaveField, UPROBE_ONLY_FIELDS, type ActionField } from '../language/actions.js';
import { actionShape } from '../language/selectors.js';
import { ERROR_MAX } from '../language/limits.js';
import { isSocket, isSocketType } from '../model/arguments.js';
import { parseAssignment } from '../model/assignments.js';
import type { ActionData, ArgData, Hook, PolicyData, SelectorData } from '../model/model.js';
import { SIGNALS_MAX } from '../../names/signals.js';
import { quote, type Report } from '../parse/report.js';

export function checkActions(policy: PolicyData, hook: Hook, selector: SelectorData, report: Report): void {
  const actions = selector.matchActions ?? [];
  const onReturn = selector.matchReturnActions ?? [];
  for (const action of [...actions, ...onReturn]) {
    checkAction(hook, action, report);
    checkEnforcer(policy, action, report);
    checkSocketArg(hook, action, report);
    checkRequestTarget(action, report);
  }
  for (const action of actions) {
    checkOverride(hook, action, report);
    if (hook.kind === 'uprobes') checkProgramOverride(hook, action, report);
    checkImaHash(hook, action, report);
  }
  for (const action of onReturn) checkReturnAction(hook, action, report);
  warnContradiction(actions, report);
  warnContradiction(onReturn, report);
  warnSigkill(hook, selector, report);
  if (onReturn.length > 0 && hook.data.return !== true) {
    const span = report.positions.key(selector, 'matchReturnActions');
    report.add(
      'RETURN_FILTER_WITHOUT_RETURN',
      span,
      'matchReturnActions needs the return value, which this hook does not read',
      'add `return: true` and a returnArg to the hook',
    );
  }
}

function checkAction(hook: Hook, action: ActionData, report: Report): void {
  const { positions } = report;
  const name = action.action;
  if (name === undefined) return;
  const facts = ACTION_TABLE[name];
  if (!facts.hooks.includes(hook.kind)) {
    report.add(
      'ACTION_NOT_FOR_HOOK',
      positions.value(action, 'action'),
      `${name} is not supported under ${hook.kind}`,
      `it is supported under ${facts.hooks.join(', ')}`,
    );
    return;
  }
  const isWritten = (field: ActionField): boolean => positions.hasField(action, field);
  for (const field of facts.needs) {
    if (isWritten(field)) continue;
    report.add(
      'ACTION_ARGUMENT_MISSING',
      positions.value(action, 'action'),
      `${name} needs ${field}`,
      `add ${describeField(field)}`,
    );
  }
  const possible = facts.needsAny.filter((field) => canHaveField(hook.kind, field));
  if (possible.length > 0 && !possible.some(isWritten)) {
    report.add(
      'ACTION_ARGUMENT_MISSING',
      positions.value(action, 'action'),
      `${name} needs one of ${possible.join(', ')}`,
      `add ${possible.slice(0, 1).map(describeField).join('')}`,
    );
  }
  warnUnusedFields(hook, action, report);
  checkActionFields(action, report);
}

/** The field with its meaning, which begins with the names of its actions. */
function describeField(field: ActionField): string {
  return `${field}, ${actionShape.fields[field]?.doc.replace(/^For .*?: /, '').replace(/\.$/, '') ?? ''}`;
}

function warnUnusedFields(hook: Hook, action: ActionData, report: Report): void {
  const { action: name, ...rest } = action;
  if (name === undefined) return;
  const { needs, needsAny, may } = ACTION_TABLE[name];
  const used: readonly string[] = [...needs, ...needsAny, ...may];
  for (const [field, value] of Object.entries(rest)) {
    // Programs in Go write a 0 for each number that is not set.
    if (value === false || value === 0) continue;
    if (used.includes(field) && canHaveField(hook.kind, field as ActionField)) continue;
    const message = `${field} has no effect on ${name} under ${hook.kind}`;
    report.add('ACTION_ARGUMENT_UNUSED', report.positions.key(action, field), message, 'remove it');
  }
}

function checkActionFields(action: ActionData, report: Report): void {
  const { positions } = report;
  const { argSig, rateLimit, rateLimitScope } = action;
  if (action.action === 'NotifyEnforcer') checkNotification(action, report);
  if (argSig !== undefined && (argSig < 1 || argSig > SIGNALS_MAX)) {
    report.add(
      'SIGNAL_INVALID',
      positions.value(action, 'argSig'),
      `${argSig} is not a signal number`,
      `signals are numbered from 1 to ${SIGNALS_MAX}`,
    );
  }
  if (rateLimit !== undefined && !/^[1-9][0-9]{0,8}[smh]?$/.test(rateLimit)) {
    report.add(
      'RATE_LIMIT_INVALID',
      positions.value(action, 'rateLimit'),
      `${quote(rateLimit)} is not a valid time`,
      'write "5" or "5s" for five seconds, "1m" for a minute, "1h" for an hour',
    );
  }
  if (rateLimitScope !== undefined && rateLimit === undefined && !positions.hasField(action, 'rateLimit')) {
    report.add(
      'ACTION_ARGUMENT_UNUSED',
      positions.key(action, 'rateLimitScope'),
      'rateLimitScope has no effect without rateLimit',
      'add rateLimit, or remove it',
    );
  }
}

/** As in Tetragon, an `argError` of 0 returns no error. */
function checkNotification(action: ActionData, report: Report): void {
  const { positions } = report;
  if (action.argError === 0 && !positions.hasField(action, 'argSig')) {
    report.add(
      'ACTION_ARGUMENT_MISSING',
      positions.value(action, 'action'),
      'NotifyEnforcer without argSig and with an argError of 0 does nothing',
      'add argSig, or use another argError',
    );
  }
  if (positions.hasField(action, 'argIndex') && action.argIndex !== 0) {
    report.add(
      'ACTION_ARGUMENT_UNUSED',
      positions.key(action, 'argIndex'),
      'argIndex has no effect: the event of the notification contains all arguments',
      'remove it',
    );
  }
}

const SOCKET_HINT = 'use the position of an argument of type sock, socket or skb; positions count from 0';

function checkSocketArg(hook: Hook, action: ActionData, report: Report): void {
  const { action: name, argSock = 0 } = action;
  if (name === undefined || ACTION_TABLE[name].effect !== 'socket' || !ACTION_TABLE[name].hooks.includes(hook.kind))
    return;
  const arg = hook.data.args?.[argSock];
  if (arg !== undefined && isSocket(arg)) return;
  const what = arg === undefined ? 'does not exist' : `is of type ${arg.type ?? ''}`;
  const span = report.positions.value(action, report.positions.hasField(action, 'argSock') ? 'argSock' : 'action');
  report.add('SOCKET_INVALID', span, `${name} needs a socket, but number ${argSock} of args ${what}`, SOCKET_HINT);
}

export function checkReturnedSocket({ data }: Hook, report: Report): void {
  const { returnArgAction: name, return: returns, returnArg } = data;
  if (name === undefined || (returns === true && returnArg !== undefined && isSocketType(returnArg.type))) return;
  const what = returns === true && returnArg !== undefined ? `is of type ${returnArg.type ?? ''}` : 'is not read';
  const span = report.positions.value(data, 'returnArgAction');
  const hint = 'add `return: true` and a returnArg of type sock';
  report.add('SOCKET_INVALID', span, `${name} needs a socket, but the return value ${what}`, hint);
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/** Checks the address in GetUrl or DnsLookup. */
function checkRequestTarget(action: ActionData, report: Report): void {
  const { action: name, argUrl, argFqdn } = action;
  if (name === 'GetUrl' && argUrl !== undefined && !isUrl(argUrl)) {
    const hint = 'write it like http://127.0.0.1:8080/path or https://example.com/';
    report.add('REQUEST_INVALID', report.positions.value(action, 'argUrl'), `${quote(argUrl)} is not an http or https address`, hint); // prettier-ignore
  }
  if (name === 'DnsLookup' && argFqdn !== undefined && !HOST_NAME.test(argFqdn)) {
    const hint = 'write only the name, such as example.com, without http:// and without a port';
    report.add(
      'REQUEST_INVALID',
      report.positions.value(action, 'argFqdn'),
      `${quote(argFqdn)} is not a host name`,
      hint,
    );
  }
}

function isUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text)) return false;
  try {
    return new URL(text).hostname !== '';
  } catch {
    return false;
  }
}

function checkEnforcer(policy: PolicyData, action: ActionData, report: Report): void {
  if (action.action === undefined || ACTION_TABLE[action.action].effect !== 'enforcer') return;
  const { spec } = policy;
  if (spec !== undefined && report.positions.hasField(spec, 'enforcers') && spec.enforcers?.length !== 0) return;
  report.add(
    'ENFORCER_MISSING',
    report.positions.value(action, 'action'),
    `${action.action} needs an enforcer`,
    'list the functions under `enforcers`',
  );
}

/** The kernel accepts only negative error numbers from an LSM hook. */
function checkLsmError(action: ActionData, report: Report): void {
  const { argError } = action;
  if (argError === undefined || (argError < 0 && argError >= -ERROR_MAX)) return;
  const message = `an LSM hook cannot return ${argError}`;
  const hint = `use the negative number of an error, from -1 to -${ERROR_MAX}`;
  report.add('OVERRIDE_NOT_POSSIBLE', report.positions.value(action, 'argError'), message, hint);
}

function checkOverride(hook: Hook, action: ActionData, report: Report): void {
  if (action.action === 'Override' && hook.kind === 'lsmhooks') checkLsmError(action, report);
  if (action.action !== 'Override' || isOverridable(hook)) return;
  if (hook.kind !== 'kprobes' && hook.kind !== 'fentries') return;
  const message = `the kernel may not allow programs to override ${hook.data.call ?? ''}`;
  const hint = 'override a system call or a security_ function instead';
  report.add('OVERRIDE_UNCERTAIN', report.positions.value(action, 'action'), message, hint);
}

/** IMA reads the file to hash it, so the file must be open. */
function checkImaHash(hook: Hook, action: ActionData, report: Report): void {
  if (action.action !== 'Post' || action.imaHash !== true) return;
  const span = report.positions.key(action, 'imaHash');
  const isFileArg = ({ type, resolve = '' }: ArgData): boolean =>
    (type === 'file' || type === 'linux_binprm') && resolve === '';
  if (hook.kind !== 'lsmhooks') {
    const message = `imaHash is not supported under ${hook.kind}`;
    report.add('IMA_HASH_NOT_POSSIBLE', span, message, 'use a hook under lsmhooks, such as bprm_check_security');
  } else if (hook.data.hook === 'file_open') {
    const message = 'imaHash is not supported on file_open: the file cannot be read before it is open';
    report.add('IMA_HASH_NOT_POSSIBLE', span, message, 'use bprm_check_security or mmap_file');
  } else if (!(hook.data.args ?? []).some(isFileArg)) {
    const message = 'imaHash needs a file, but this hook reads no file';
    report.add('IMA_HASH_NOT_POSSIBLE', span, message, 'add an argument of type file or linux_binprm');
  }
}

const OVERRIDE_FIELDS: readonly ActionField[] = ['argError', ...UPROBE_ONLY_FIELDS];

function checkProgramOverride(hook: Hook, action: ActionData, report: Report): void {
  if (action.action !== 'Override') return;
  const { positions } = report;
  const written = OVERRIDE_FIELDS.filter((field) => positions.hasField(action, field));
  // An error of 0 beside another field is one that is not set.
  const [first, second] = written.length > 1 && action.argError === 0 ? written.slice(1) : written;
  if (second !== undefined) {
    const message = `${first} and ${second} both say how the call is overridden`;
    report.add('OVERRIDE_AMBIGUOUS', positions.key(action, second), message, 'keep one of the two');
  }
  const { argRegs = [] } = action;
  argRegs.forEach((text, i) => {
    if (parseAssignment(text) !== undefined) return;
    const message = `${quote(text)} is not an assignment to a register`;
    const hint =
      'write it like rax=11, rbp=%rsp, rsp=8%rsp, rip=(%rsp) or rdi=-8(%rbp); registers are rax to r15, rsp and rip';
    report.add('REGISTER_ASSIGNMENT', positions.value(argRegs, i), message, hint);
  });
  const within = (hook.data.symbols ?? []).find((symbol) => /\+[0-9]/.test(symbol));
  if (first === 'argError' && within !== undefined) {
    const message = `${within} may not be the start of a function; the return address is on top of the stack only at the start`;
    report.add(
      'OVERRIDE_UNCERTAIN',
      positions.value(action, 'action'),
      message,
      'put the hook on the start of the function, or use argRegs',
    );
  }
}

/**
 * System calls can be overridden, and security_ functions too (by fmod_ret). For other functions, the kernel decides.
 */
function isOverridable({ kind, data }: Hook): boolean {
  if (kind === 'lsmhooks') return true;
  if (kind !== 'kprobes' && kind !== 'fentries') return false;
  const { call = '', syscall = true } = data;
  return syscall || call === '' || /^(security_|list:|(__(x64|arm64|ia32)_)?sys_)/.test(call);
}

function checkReturnAction(hook: Hook, action: ActionData, report: Report): void {
  if (action.action !== 'Override') return;
  const what = hook.data.call ?? hook.data.symbols?.[0] ?? 'the function';
  report.add(
    'OVERRIDE_NOT_POSSIBLE',
    report.positions.value(action, 'action'),
    `${what} has already run when matchReturnActions take effect`,
    'use Override under matchActions',
  );
}

/** A selector can have several actions with these effects. */
const REPEATABLE: readonly string[] = ['request', 'count', 'mark'];

function warnContradiction(actions: readonly ActionData[], report: Report): void {
  const seen = new Map<string, ActionData>();
  for (const action of actions) {
    const { action: name } = action;
    if (name === undefined) continue;
    const span = report.positions.value(action, 'action');
    const opposite = name === 'Post' ? 'NoPost' : name === 'NoPost' ? 'Post' : undefined;
    if (opposite !== undefined && seen.has(opposite)) {
      report.add(
        'ACTION_CONTRADICTS',
        span,
        `${name} contradicts ${opposite}: no event is reported`,
        'keep one of the two',
      );
    } else if (seen.has(name) && !REPEATABLE.includes(ACTION_TABLE[name].effect)) {
      report.add('ACTION_CONTRADICTS', span, `${name} is listed twice`, 'keep one of the two');
    }
    seen.set(name, action);
  }
}

/** A signal ends the process when it returns to user mode. The hooked function runs before that. */
function warnSigkill(hook: Hook, selector: SelectorData, report: Report): void {
  const actions = selector.matchActions ?? [];
  const isOverridden = actions.some((action) => action.action === 'Override');
  for (const action of [...actions, ...(selector.matchReturnActions ?? [])]) {
    if (action.action !== 'Sigkill') continue;
    if (isOverridden && actions.includes(action)) continue;
    const hint = isOverridable(hook)
      ? 'add Override to prevent the operation as well'
      : 'use a hook that supports Override to prevent the operation';
    report.add(
      'SIGKILL_TOO_LATE',
      report.positions.value(action, 'action'),
      'Sigkill ends the process, but does not prevent the operation that is being hooked',
      hint,
    );
  }
}
