/** The parameters `allow.…`, which every policy has: exceptions that are selectors without an event in each hook. */
import type { YAMLMap, Document } from 'yaml';
import { isMap, isSeq } from '../parse/yaml-package.js';

/** A selector of the exception. `values` are those of the parameter. */
type Selector = (values: readonly string[], uid: number) => object;

const inValues = (values: readonly string[], more: object = {}): object[] => [{ operator: 'In', ...more, values }];

/** The exceptions by their names. `allow.users` compares a value that is added to the hook. */
const EXCEPTIONS: Readonly<Record<string, Selector>> = {
  'allow.ancestors': (values) => ({ matchBinaries: inValues(values, { followChildren: true }) }),
  'allow.arguments': (values) => ({ matchCmdArgs: [{ operator: 'Equal', values }] }),
  'allow.binaries': (values) => ({ matchBinaries: inValues(values) }),
  'allow.images': (values) => ({
    matchWorkloads: { containerSelector: { matchExpressions: [{ key: 'repo', ...inValues(values)[0] }] } },
  }),
  'allow.parents': (values) => ({ matchParentBinaries: inValues(values) }),
  'allow.users': (values, uid) => ({ matchArgs: [{ args: [uid], operator: 'Equal', values }] }),
};

export const EXCEPTION_NAMES: readonly string[] = Object.keys(EXCEPTIONS);

const KINDS = ['kprobes', 'fentries', 'tracepoints', 'lsmhooks', 'uprobes', 'usdts'];
/** Kinds whose `args` can be values of the current thread. The others have `data` for them. */
const UID = { index: 0, source: 'current_task', resolve: 'cred.uid.val', type: 'uint32' };

/** Adds the exception to each hook of the policy, before its own selectors. */
export function addException(document: Document, name: string, values: readonly string[]): void {
  const toSelector = EXCEPTIONS[name];
  if (toSelector === undefined) return;
  for (const kind of KINDS) {
    const hooks = document.getIn(['spec', kind]);
    if (!isSeq(hooks)) continue;
    for (const hook of hooks.items) if (isMap(hook)) addToHook(document, hook, kind, toSelector, values);
  }
}

function addToHook(
  document: Document,
  hook: YAMLMap,
  kind: string,
  toSelector: Selector,
  values: readonly string[],
): void {
  const isUser = toSelector === EXCEPTIONS['allow.users'];
  const list = kind === 'tracepoints' ? 'args' : 'data';
  const position = isUser ? append(document, hook, list, UID) : 0;
  const found = toSelector(values, position);
  // a hook with `data` compares its values by matchData
  const selector = isUser && list === 'data' ? { matchData: [{ index: position, operator: 'Equal', values }] } : found;
  const exception = document.createNode({ ...selector, matchActions: [{ action: 'NoPost' }] });
  const selectors = hook.get('selectors');
  if (isSeq(selectors)) selectors.items.unshift(exception);
  // a hook without selectors reports every call
  else hook.set('selectors', document.createNode([exception.toJSON(), { matchActions: [{ action: 'Post' }] }]));
}

/** Appends a value to a list of the hook. Returns its position. */
function append(document: Document, hook: YAMLMap, list: string, value: object): number {
  const present = hook.get(list);
  if (!isSeq(present)) {
    hook.set(list, document.createNode([value]));
    return 0;
  }
  present.items.push(document.createNode(value));
  return present.items.length - 1;
}
