/** Policies with one mistake each, and what kubectl has to say: the field and the cure. */

export interface WrongPolicy {
  readonly title: string;
  readonly spec: unknown;
  readonly says: RegExp;
}

const filter = (more: object): object => ({ index: 0, operator: 'Equal', values: ['1'], ...more });
const selector = (more: object, hook: object = { call: 'f' }): object => ({ ...hook, selectors: [more] });
const kprobe = (more: object): object => ({ kprobes: [{ call: 'f', ...more }] });
const withSelector = (more: object): object => ({ kprobes: [selector(more)] });
const withFilter = (more: object): object => withSelector({ matchArgs: [filter(more)] });
const withAction = (action: object, kind = 'kprobes', hook: object = { call: 'f' }): object => ({
  [kind]: [selector({ matchActions: [action] }, hook)],
});
const unknown = (name: string): RegExp => new RegExp(`unknown field "${name}"`);
const uprobe = { path: '/usr/bin/bash', symbols: ['main'] };
const compares = { index: 0, operator: 'Equal' };

/** The schema refuses these, in every version of Kubernetes. */
export const WRONG_SCHEMA: readonly WrongPolicy[] = [
  { title: 'a misspelt kind of hook', spec: { kprobe: [{ call: 'f' }] }, says: unknown('kprobe') },
  { title: 'a misspelt field of a hook', spec: kprobe({ sysCall: false }), says: unknown('sysCall') },
  { title: 'a misspelt filter', spec: withSelector({ matchArg: [filter({})] }), says: unknown('matchArg') },
  { title: 'a misspelt field of a filter', spec: withFilter({ value: ['1'] }), says: unknown('value') },
  { title: 'a misspelt field of an action', spec: withAction({ action: 'Post', ratelimit: '1m' }), says: unknown('ratelimit') },
  { title: 'a misspelt field of a selector of pods', spec: { podSelector: { matchlabels: {} } }, says: unknown('matchlabels') },
  { title: 'a misspelt field of an argument', spec: kprobe({ args: [{ index: 0, typ: 'int' }] }), says: unknown('typ') },
  { title: 'a missing function', spec: { kprobes: [{ syscall: false }] }, says: /missing required field "call"/ },
  { title: 'a missing event', spec: { tracepoints: [{ subsystem: 'sched' }] }, says: /missing required field "event"/ },
  { title: 'a missing path', spec: { uprobes: [{ symbols: ['main'] }] }, says: /missing required field "path"/ },
  { title: 'a missing operator', spec: withSelector({ matchArgs: [{ index: 0 }] }), says: /missing required field "operator"/ },
  { title: 'a missing name of a list', spec: { lists: [{ values: ['a'] }] }, says: /missing required field "name"/ },
  { title: 'a number as function', spec: { kprobes: [{ call: 1 }] }, says: /call in body must be of type string: "integer"/ },
  { title: 'a text as condition', spec: kprobe({ syscall: 'yes' }), says: /syscall.*got "string", expected "boolean"/ },
  { title: 'a hook that is not in a list', spec: { kprobes: { call: 'f' } }, says: /kprobes.*got "map", expected "array"/ },
  { title: 'a text as index', spec: kprobe({ args: [{ index: 'one' }] }), says: /index.*got "string", expected "integer"/ },
  { title: 'a negative index', spec: withFilter({ index: -1 }), says: /matchArgs\S*\.index.*greater than or equal to 0/ },
  { title: 'a function without a name', spec: { kprobes: [{ call: '' }] }, says: /call.*at least 1 chars long/ },
  { title: 'an unknown operator', spec: withFilter({ operator: 'Same' }), says: /operator: Unsupported value: "Same": supported values: .*"Equal"/ },
  { title: 'an unknown action', spec: withAction({ action: 'Kill' }), says: /action: Unsupported value: "Kill": supported values: .*"Sigkill"/ },
  { title: 'an unknown type', spec: kprobe({ args: [{ index: 0, type: 'text' }] }), says: /type: Unsupported value: "text": supported values: .*"string"/ },
  { title: 'an unknown namespace', spec: withSelector({ matchNamespaces: [{ namespace: 'Disk', operator: 'In', values: ['1'] }] }), says: /namespace: Unsupported value: "Disk"/ },
  { title: 'an action of another hook', spec: withAction({ action: 'Override', argError: -1 }, 'tracepoints', { subsystem: 'a', event: 'b' }), says: /action: Unsupported value: "Override": supported values: .*"Sigkill"/ },
  { title: 'an operator without values', spec: withSelector({ matchArgs: [compares] }), says: /matchArgs\S*\.values: Required value/ },
  { title: 'an operator with an empty list', spec: withFilter({ values: [] }), says: /matchArgs\S*\.values.*at least 1 items/ },
  { title: 'a filter on programs without values', spec: withSelector({ matchBinaries: [{ operator: 'In', values: [] }] }), says: /matchBinaries\S*\.values.*at least 1 items/ },
  { title: 'two filters on programs', spec: withSelector({ matchBinaries: [{ operator: 'In', values: ['/a'] }, { operator: 'NotIn', values: ['/b'] }] }), says: /matchBinaries.*at most 1 items/ },
  { title: 'a label without values', spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }, says: /matchExpressions\S*\.values: Required value/ },
  { title: 'too many tags', spec: kprobe({ tags: Array.from({ length: 17 }, (_, i) => `t${i}`) }), says: /tags.*at most 16 items/ },
  { title: 'too many selectors', spec: kprobe({ selectors: Array.from({ length: 65 }, () => ({})) }), says: /selectors.*at most 64 items/ },
  { title: 'a macro with an action', spec: { ...kprobe({}), selectorsMacros: { a: { matchActions: [{ action: 'Post' }] } } }, says: /matchActions.*at most 0 items/ },
]; // prettier-ignore

/** A rule refuses these, since Kubernetes 1.25. */
export const WRONG_RULES: readonly WrongPolicy[] = [
  { title: 'a signal without a number', spec: withAction({ action: 'Signal' }), says: /^Signal needs argSig: add it, a number from 1 to 64$/ },
  { title: 'a signal that does not exist', spec: withAction({ action: 'Signal', argSig: 65 }), says: /^Signal needs argSig/ },
  { title: 'a request without an address', spec: withAction({ action: 'GetUrl', argUrl: '' }), says: /^GetUrl needs argUrl: add it$/ },
  { title: 'a request without a name', spec: withAction({ action: 'DnsLookup' }), says: /^DnsLookup needs argFqdn: add it$/ },
  { title: 'an override without a value', spec: withAction({ action: 'Override' }), says: /^Override needs one of argError: add argError$/ },
  { title: 'an override of registers of the kernel', spec: withAction({ action: 'Override', argRegs: ['rax=1'] }), says: /^Override needs one of argError/ },
  { title: 'an override of a program without a value', spec: withAction({ action: 'Override', argRegs: [] }, 'uprobes', uprobe), says: /^Override needs one of argError, argRegs, .*: add argError$/ },
  { title: 'a notification without an effect', spec: withAction({ action: 'NotifyEnforcer' }), says: /^NotifyEnforcer needs one of argError, argSig/ },
  { title: 'an assignment without a value', spec: withAction({ action: 'Set', argIndex: 0 }, 'usdts', { path: '/a', provider: 'a', name: 'b' }), says: /^Set needs argValue: add it$/ },
  { title: 'a return value that nothing describes', spec: kprobe({ return: true }), says: /^`return: true` needs a returnArg: add one/ },
  { title: 'a filter on a return value that is not read', spec: withSelector({ matchReturnArgs: [filter({})] }), says: /need the return value: add `return: true`/ },
  { title: 'an action at a return that is not read', spec: { lsmhooks: [selector({ matchReturnActions: [{ action: 'Post' }] }, { hook: 'a' })] }, says: /lsmhooks do not read it/ },
  { title: 'a uprobe without a place', spec: { uprobes: [{ path: '/bin/a', symbols: [] }] }, says: /add symbols, offsets or addrs$/ },
  { title: 'a generated list without a pattern', spec: { lists: [{ name: 'a', type: 'generated_ftrace' }] }, says: /add `pattern`/ },
]; // prettier-ignore
