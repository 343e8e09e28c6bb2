/** Turns a subject of the matrix into a policy and into actions. The names of the actions identify its rows. */
import type { Mechanism } from './support.js';
import { subjectRows, type Action, type Hook, type Row, type Subject, type Expected, type Value } from './matrix.js';

/** A row with its hook and its selector in that hook. */
export interface Case {
  readonly row: Row;
  readonly title: string;
  readonly message: string;
  readonly selector: number;
  readonly matchName: string;
  readonly missName: string;
}

export interface NamedAction {
  readonly name: string;
  readonly action: Action;
}

export interface Plan {
  readonly subject: Subject;
  readonly policyName: string;
  /** The message of the subject's own hook. */
  readonly message: string;
  readonly cases: readonly Case[];
  readonly expected: readonly (Expected & { readonly name: string })[];
  readonly actions: readonly NamedAction[];
  readonly yaml: string;
}

/** The names of the subject's actions begin with its prefix. Names of threads have at most 15 bytes. */
export function planSubject(subject: Subject, number: number, kernel: string): Plan {
  const prefix = `p${number}.`;
  const hooks: Hook[] = [subject.hook];
  const counts: number[] = [0];
  const cases = subjectRows(subject).map((row, i): Case => {
    const hook = row.hook ?? subject.hook;
    if (!hooks.includes(hook)) hooks.push(hook);
    const at = hooks.indexOf(hook);
    const selector = counts[at] ?? 0;
    counts[at] = selector + 1;
    const title = `${row.operator}${row.values === undefined ? '' : ` ${row.values.join(', ').replaceAll('\0', '\\0')}`}`;
    return { row, title, message: `${prefix}${at}`, selector, matchName: `${prefix}${i}+`, missName: `${prefix}${i}-` };
  });
  const expected = subject.expected.map((each, i) => ({ ...each, name: `${prefix}value${i}` }));
  const policyName = `matrix-${number}`;
  const kprobes = hooks.map((hook, at) => {
    const own = cases.filter(({ message }) => message === `${prefix}${at}`);
    return makeHook(hook, subject, own, `${prefix}${at}`, prefix, kernel);
  });
  const yaml = {
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: policyName },
    spec: { kprobes },
  };
  const actions = [
    ...cases.map(({ row, matchName }) => ({ name: matchName, action: row.match })),
    ...cases.map(({ row, missName }) => ({ name: missName, action: row.miss })),
    ...expected,
  ];
  return { subject, policyName, message: `${prefix}0`, cases, expected: expected, actions, yaml: JSON.stringify(yaml) };
}

export const NAME: Value = { index: 0, type: 'string', source: 'current_task', resolve: 'comm' };

function makeHook(
  hook: Hook,
  subject: Subject,
  cases: readonly Case[],
  message: string,
  prefix: string,
  kernel: string,
): object {
  const call = typeof hook.call === 'string' ? hook.call : hook.call[kernel];
  return {
    call,
    syscall: hook.syscall === true,
    message,
    ...(hook.args.length === 0 ? {} : { args: hook.args }),
    data: hook.data === undefined ? [NAME] : [NAME, hook.data],
    ...(hook.returnArg === undefined ? {} : { return: true, returnArg: hook.returnArg }),
    selectors: [
      ...cases.map((each) => makeSelector(each, hook, subject)),
      // This selector shows that the hook was called at all.
      { matchData: [{ args: [0], operator: 'Prefix', values: [prefix] }] },
    ],
  };
}

function makeSelector({ row, matchName, missName }: Case, hook: Hook, subject: Subject): object {
  const values = row.values === undefined ? {} : { values: row.values };
  const own = { args: [0], operator: 'Equal', values: [matchName, missName] };
  switch (subject.source) {
    case 'args': {
      const where = row.args === undefined ? { index: hook.args[0]?.index } : { args: row.args };
      return { matchArgs: [{ ...where, operator: row.operator, ...values }], matchData: [own] };
    }
    case 'data': {
      // The name of the thread is at position 0, so the value is at position 1.
      const moved =
        row.operator === 'CelExpr' ? { values: row.values?.map((text) => text.replaceAll('arg0', 'arg1')) } : values;
      return { matchData: [own, { args: [1], operator: row.operator, ...moved }] };
    }
    case 'return':
      return { matchReturnArgs: [{ index: 0, operator: row.operator, ...values }], matchData: [own] };
  }
}

/** The input lines for `workload batch`. */
export function batchInput(actions: readonly NamedAction[]): string {
  return actions.map(({ name, action }) => `${[name, ...action].join('\t')}\n`).join('');
}

/** True if the kernel or the mechanism does not support the subject. */
export function isUnsupported(subject: Subject, kernel: string, attach: Mechanism): boolean {
  const elsewhere = subject.kernels !== undefined && !subject.kernels.includes(kernel);
  return elsewhere || (subject.attach !== undefined && subject.attach !== attach);
}
