/** Writes a policy that reports each call of a hook. */
import type { AvailableHook, HookParameter, HookPolicyOptions } from '../../../types/hooks.js';
import { HOOK_ARGS_MAX } from '../language/limits.js';

/** System calls that end the thread: they never return, so a hook at their return would report nothing. */
const ENDS_THREAD = /^sys_exit(_group)?$/;

export function hookPolicy(
  hook: AvailableHook,
  { name = policyName(hook.name), report = true }: HookPolicyOptions = {},
): string {
  const { policies } = hook;
  const used = policies.length === 0 ? [] : [`# In the package, these policies use it: ${policies.join(', ')}.`];
  return [
    `# ${report ? 'Reports' : 'Counts'} each call of ${formatHook(hook)}`,
    ...used,
    'apiVersion: cilium.io/v1alpha1',
    'kind: TracingPolicy',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    ...hookLines(report ? hook : withoutValues(hook)).map((line) => `  ${line}`),
    ...(report ? [REPORT_ALL] : COUNT_ALL),
    '',
  ].join('\n');
}

const REPORT_ALL = '      # Without `selectors`, every call is reported.';
const COUNT_ALL = ['      selectors:', '        - matchActions:', '            - action: NoPost'];

function withoutValues({ kind, name, file, group, policies }: AvailableHook): AvailableHook {
  return { kind, name, policies, ...(file !== undefined && { file }), ...(group !== undefined && { group }) };
}

/** At most 63 lower-case letters, digits and hyphens, with a letter or digit at both ends. */
function policyName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63);
  return plain.replace(/^-+|-+$/g, '') || 'hook';
}

/** With `width`, the last parameters are left out if the line is longer. The name is always complete. */
export function formatHook({ kind, name, parameters, returns }: AvailableHook, width = Infinity): string {
  if (parameters === undefined) return name;
  const hasResult = kind === 'function' || kind === 'lsm' || kind === 'syscall';
  const result = hasResult ? (returns?.cType ?? 'void') : '';
  const start = result === '' || result.endsWith('*') ? result + name : `${result} ${name}`;
  const list = parameters.map(formatDeclaration);
  let text = `${start}(${list.join(', ')})`;
  for (let count = list.length - 1; count >= 0 && text.length > width; count--) {
    text = `${start}(${[...list.slice(0, count), '…'].join(', ')})`;
  }
  return text.length > width ? name : text;
}

function formatDeclaration({ cType, name }: Pick<HookParameter, 'cType' | 'name'>): string {
  const array = /^(.*?) ?(\[.*\])$/.exec(cType);
  if (array !== null && name !== '') return `${array[1]} ${name}${array[2]}`;
  return name === '' || cType.endsWith('*') ? cType + name : `${cType} ${name}`;
}

function hookLines(hook: AvailableHook): string[] {
  const { kind, name, file = '', group } = hook;
  const [first = '', second = ''] = name.split(/[/:]/);
  switch (kind) {
    case 'syscall':
      return ['kprobes:', `  - call: ${name}`, ...valueLines(hook), ...(ENDS_THREAD.test(name) ? [] : returnLines(hook))]; // prettier-ignore
    case 'function':
      return ['kprobes:', `  - call: ${name}`, '    syscall: false', ...valueLines(hook), ...returnLines(hook)];
    case 'lsm':
      return ['lsmhooks:', `  - hook: ${name}`, ...valueLines(hook)];
    case 'tracepoint':
      return ['tracepoints:', `  - subsystem: ${first}`, `    event: ${second}`, ...valueLines(hook)];
    case 'raw_tracepoint':
      return [
        'tracepoints:',
        // the kernel finds a raw tracepoint by its name alone
        `  - subsystem: ${group ?? name.replace(/_.*/, '')}`,
        `    event: ${name}`,
        '    raw: true',
        ...valueLines(hook),
      ];
    case 'usdt':
      return ['usdts:', `  - path: ${quote(file)}`, `    provider: ${quote(first)}`, `    name: ${quote(second)}`, ...valueLines(hook)]; // prettier-ignore
    case 'uprobe':
      return ['uprobes:', `  - path: ${quote(file)}`, '    symbols:', `      - ${quote(name)}`];
  }
}

/** The values that a policy can read, with their labels. A comment names each other value. */
function valueLines({ parameters = [] }: AvailableHook): string[] {
  const readable = parameters.filter(({ type }) => type !== undefined).slice(0, HOOK_ARGS_MAX);
  const lines = parameters.flatMap((parameter) => {
    const { index, name, type } = parameter;
    if (!readable.includes(parameter)) return [`      # ${index}: ${formatDeclaration(parameter)}`];
    const label = name === '' ? [] : [`        label: ${name}`];
    return [`      - index: ${index}`, `        type: ${type}`, ...label];
  });
  return readable.length === 0 ? lines.map((line) => line.slice(2)) : ['    args:', ...lines];
}

function returnLines({ returns }: AvailableHook): string[] {
  if (returns?.type === undefined) return [];
  return ['    return: true', '    returnArg:', '      index: 0', `      type: ${returns.type}`];
}

/** A string of YAML. */
function quote(text: string): string {
  return /^[\w./+-]+$/.test(text) && !/^[\d.+-]/.test(text) ? text : JSON.stringify(text);
}
