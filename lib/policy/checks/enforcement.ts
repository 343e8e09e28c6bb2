/** Warns about actions that do more than their author probably means: signals to everybody, and errors that are none. */
import { ERROR_MAX } from '../language/limits.js';
import { isProgramHook } from '../language/vocabulary.js';
import { FILTER_LISTS, type ActionData, type Hook, type PolicyData, type SelectorData } from '../model/model.js';
import { errorName } from '../../names/errors.js';
import { SIGKILL } from '../../names/signals.js';
import { quote, type Report } from '../parse/report.js';

export function warnEnforcement(policy: PolicyData, hook: Hook, selector: SelectorData, report: Report): void {
  const actions = [...(selector.matchActions ?? []), ...(selector.matchReturnActions ?? [])];
  for (const action of actions) warnPositiveError(hook, action, report);
  const kill = actions.find(endsProcess);
  if (kill !== undefined && isUnfiltered(policy, hook, selector)) warnUnfilteredKill(hook, kill, report);
}

function endsProcess({ action, argSig }: ActionData): boolean {
  return action === 'Sigkill' || (argSig === SIGKILL && action === 'Signal');
}

/** True if the selector concerns every process. A hook on a program or library concerns those that execute it. */
function isUnfiltered({ kind, spec }: PolicyData, hook: Hook, selector: SelectorData): boolean {
  const isScoped =
    kind === 'TracingPolicyNamespaced' ||
    [spec?.podSelector, spec?.containerSelector, spec?.hostSelector].some((scope) => scope !== undefined);
  if (isScoped || isProgramHook(hook.kind) || selector.matchWorkloads !== undefined) return false;
  return FILTER_LISTS.every((list) => (selector[list] ?? []).length === 0);
}

function warnUnfilteredKill({ data }: Hook, action: ActionData, report: Report): void {
  const name = data.call ?? data.hook ?? data.event;
  if (name === undefined) return; // The walker has reported that.
  report.add(
    'SIGNAL_UNFILTERED',
    report.positions.value(action, 'action'),
    `the selector has no filter: every process that reaches ${quote(name)} is killed, the shell and systemd as well`,
    'add a filter such as matchBinaries or matchArgs, or a podSelector; try it with policy-mode monitor first',
  );
}

/** Functions of the kernel return an error as a negative number. */
function warnPositiveError({ kind, data }: Hook, written: ActionData, report: Report): void {
  const { action, argError = 0 } = written;
  const isError = argError > 0 && argError <= ERROR_MAX;
  if (!isError || (action !== 'Override' && action !== 'NotifyEnforcer')) return;
  // An LSM hook refuses it, and a function of a program can return any number.
  if (kind === 'lsmhooks' || kind === 'uprobes') return;
  const name = errorName(argError);
  report.add(
    'ERROR_NOT_NEGATIVE',
    report.positions.value(written, 'argError'),
    `${quote(data.call ?? 'the call')} would return ${argError}, which is no error`,
    `write -${argError}: ${name === undefined ? 'functions return an error' : `${name} is returned`} as a negative number`,
  );
}
