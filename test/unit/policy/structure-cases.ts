/** Policies with mistakes of YAML and structure, with the marks of marked-policies.ts. */
import { kprobeYaml, policyYaml, selectorsYaml } from './marked-policies.js';

const head = 'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: test\n';

export const STRUCTURE: readonly (readonly [string, string])[] = [
  // YAML
  ['an empty file', '⟦YAML_EMPTY⟧'],
  ['only a comment', '⟦YAML_EMPTY⟧# nothing here\n'],
  ['a lone null', '⟦YAML_EMPTY⟧~\n'],
  ['a tab as indentation', `${head}spec:\n⟦YAML_TAB⟧\tkprobes: []\n`],
  ['an unclosed quote', `${head}spec:\n  loader: "yes\n⟦YAML_SYNTAX⟧`],
  ['an unclosed list', 'a: [1, 2⟦YAML_SYNTAX⟧'],
  ['a stray bracket', `${head}spec: {}\n⟦YAML_SYNTAX⟧]\n`],
  ['a second document', `${head}spec: {loader: true}\n⟦YAML_MULTIPLE_DOCUMENTS⟧---\na: 1\n`],
  ['an alias without its anchor', `${head}spec:\n  loader: ⟦YAML_ALIAS⟧*x\n`],
  [
    'an anchor',
    `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ⟦YAML_ALIAS⟧&n test}\nspec: {loader: true}\n`,
  ],
  ['an alias', `${head}  labels: {a: ⟦YAML_ALIAS⟧&l x, b: ⟦YAML_ALIAS⟧*l}\nspec: {loader: true}\n`],
  [
    'a merge key',
    `${head}  labels: ⟦YAML_ALIAS⟧&l {a: b}\n  annotations:\n    <<: ⟦YAML_ALIAS⟧*l\nspec: {loader: true}\n`,
  ],
  ['a tag of its own', `${head}spec: ⟦YAML_TAG⟧!mine {loader: true}\n`],
  ['a key twice', kprobeYaml('call: fd_install\nsyscall: false\n⟦YAML_DUPLICATE_KEY⟧syscall: true')],
  ['a field twice at the top', `${head}spec: {loader: true}\n⟦YAML_DUPLICATE_KEY⟧kind: TracingPolicy\n`],
  ['a number as a key', `${head}  ⟦YAML_KEY⟧7: x\nspec: {loader: true}\n`],
  ['a list as a key', `${head}  ? ⟦YAML_KEY⟧[a]\n  : x\nspec: {loader: true}\n`],
  // Top level
  ['a list at the top', '⟦WRONG_TYPE⟧- a\n'],
  ['a string at the top', '⟦WRONG_TYPE⟧hello\n'],
  ['no apiVersion', '⟦MISSING_FIELD⟧kind: TracingPolicy\nmetadata: {name: a}\nspec: {loader: true}\n'],
  ['no kind', '⟦MISSING_FIELD⟧apiVersion: cilium.io/v1alpha1\nmetadata: {name: a}\nspec: {loader: true}\n'],
  ['no metadata', '⟦MISSING_FIELD⟧apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nspec: {loader: true}\n'],
  ['no spec', `⟦MISSING_FIELD⟧${head}`],
  ['an empty policy', '⟦MISSING_FIELD⟧⟦MISSING_FIELD⟧⟦MISSING_FIELD⟧⟦MISSING_FIELD⟧{}\n'],
  [
    'another apiVersion',
    'apiVersion: ⟦UNKNOWN_VALUE⟧v1\nkind: TracingPolicy\nmetadata: {name: a}\nspec: {loader: true}\n',
  ],
  [
    'another kind',
    'apiVersion: cilium.io/v1alpha1\nkind: ⟦UNKNOWN_VALUE⟧Policy\nmetadata: {name: a}\nspec: {loader: true}\n',
  ],
  ['an unknown field', `${head}spec: {loader: true}\n⟦UNKNOWN_FIELD⟧state: {}\n`],
  ['hooks outside of spec', `${head}spec: {loader: true, lists: []}\n⟦UNKNOWN_FIELD⟧kprobes: []\n`],
  [
    'no name',
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: ⟦MISSING_FIELD⟧{}\nspec: {loader: true}\n',
  ],
  [
    'an empty name',
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ⟦EMPTY_TEXT⟧""}\nspec: {loader: true}\n',
  ],
  [
    'a number as name',
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ⟦WRONG_TYPE⟧7}\nspec: {loader: true}\n',
  ],
  [
    'a name with a slash',
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ⟦BAD_NAME⟧a/b}\nspec: {loader: true}\n',
  ],
  [
    'a name with a newline',
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ⟦BAD_NAME⟧"a\\nb"}\nspec: {loader: true}\n',
  ],
  [
    'a name in capitals',
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: ⟦NAME_NOT_PORTABLE⟧My_Policy}\nspec: {loader: true}\n',
  ],
  [
    'a misspelt field of metadata',
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: a, ⟦UNKNOWN_FIELD⟧lables: {}}\nspec: {loader: true}\n',
  ],
  ['an annotation that is a list', `${head}  annotations: {a: ⟦WRONG_TYPE⟧[]}\nspec: {loader: true}\n`],
  ['an annotation without a value', `${head}  annotations: {⟦WRONG_TYPE⟧a: }\nspec: {loader: true}\n`],
  [
    'a misspelt severity',
    `${head}  annotations: {polytrace.io/severity: ⟦SEVERITY_UNKNOWN⟧hihg}\nspec: {loader: true}\n`,
  ],
  [
    'each severity, maturity and runbook',
    `${head}  annotations: {polytrace.io/severity: info, polytrace.io/maturity: sandbox, polytrace.io/runbook: "https://x/y"}\nspec: {loader: true}\n`,
  ],
  ['another maturity', `${head}  annotations: {polytrace.io/maturity: ⟦ANNOTATION_VALUE⟧beta}\nspec: {loader: true}\n`],
  [
    'a runbook that is no URL',
    `${head}  annotations: {polytrace.io/runbook: ⟦ANNOTATION_VALUE⟧"javascript:x"}\nspec: {loader: true}\n`,
  ],
  [
    'an unknown annotation of polytrace',
    `${head}  annotations: {⟦ANNOTATION_VALUE⟧polytrace.io/severty: high, else/severty: x}\nspec: {loader: true}\n`,
  ],
  [
    'a tag with a severity, and one with none',
    kprobeYaml('call: fd_install\nsyscall: false\ntags: [severity.low, ⟦SEVERITY_UNKNOWN⟧severity.lwo, severity]'),
  ],
  // Spec and hooks
  ['a policy without hooks', `${head}spec: ⟦POLICY_WITHOUT_HOOKS⟧{}\n`],
  ['a misspelt hook kind', policyYaml('loader: true\n⟦UNKNOWN_FIELD⟧kprobe: []')],
  ['kprobes that are not a list', policyYaml('kprobes: ⟦WRONG_TYPE⟧{call: a}')],
  ['kprobes without a value', policyYaml('⟦FIELD_WITHOUT_VALUE⟧⟦POLICY_WITHOUT_HOOKS⟧kprobes:')],
  ['kprobes without a hook', policyYaml('lists: []\n⟦POLICY_WITHOUT_HOOKS⟧kprobes: []')],
  ['a null, as programs write it', policyYaml('loader: true\nkprobes: null')],
  ['an absent field twice', policyYaml('loader: true\nlists: []\n⟦YAML_DUPLICATE_KEY⟧lists: []')],
  ['a hook that is a string', policyYaml('kprobes:\n- ⟦WRONG_TYPE⟧fd_install')],
  ['an empty item', policyYaml('kprobes:\n- call: a\n-⟦WRONG_TYPE⟧')],
  ['a hook without call', kprobeYaml('⟦MISSING_FIELD⟧syscall: false')],
  ['an empty call', kprobeYaml('call: ⟦EMPTY_TEXT⟧""')],
  ['a misspelt syscall', kprobeYaml('call: fd_install\n⟦UNKNOWN_FIELD⟧sycall: false')],
  ['syscall as a string', kprobeYaml('call: fd_install\nsyscall: ⟦WRONG_TYPE⟧"false"')],
  ['yes is a string in YAML 1.2', kprobeYaml('call: fd_install\nreturn: ⟦WRONG_TYPE⟧yes')],
  ['a message that is a number', kprobeYaml('call: fd_install\nmessage: ⟦WRONG_TYPE⟧5')],
  [
    'an empty label, as programs in Go write it',
    kprobeYaml('call: fd_install\nargs: [{index: 0, type: int, label: ""}]'),
  ],
  ['tags that are a string', kprobeYaml('call: fd_install\ntags: ⟦WRONG_TYPE⟧a, b')],
  [
    '17 tags',
    kprobeYaml(
      `call: fd_install\ntags: [${Array.from({ length: 16 }, (_, i) => `t${i}`).join(', ')}, ⟦TOO_MANY_ITEMS⟧t16]`,
    ),
  ],
  ['an arg without index', kprobeYaml('call: fd_install\nargs:\n- ⟦MISSING_FIELD⟧type: int')],
  ['a label without a value for the index', kprobeYaml('call: fd_install\nargs:\n- ⟦MISSING_FIELD⟧label: a')],
  ['a misspelt type', kprobeYaml('call: fd_install\nargs:\n- index: 0\n  type: ⟦UNKNOWN_VALUE⟧strnig')],
  ['a type in capitals', kprobeYaml('call: fd_install\nargs:\n- index: 0\n  type: ⟦UNKNOWN_VALUE⟧INT')],
  ['an index as a string', kprobeYaml('call: fd_install\nargs:\n- index: ⟦WRONG_TYPE⟧"0"\n  type: int')],
  ['a negative index', kprobeYaml('call: fd_install\nargs:\n- index: ⟦NUMBER_OUT_OF_RANGE⟧-1\n  type: int')],
  ['a broken index', kprobeYaml('call: fd_install\nargs:\n- index: ⟦WRONG_TYPE⟧1.5\n  type: int')],
  [
    'a huge index',
    kprobeYaml('call: fd_install\nargs:\n- index: ⟦NUMBER_OUT_OF_RANGE⟧99999999999999999999\n  type: int'),
  ],
  ['ignore misspelt', kprobeYaml('call: fd_install\nignore: {⟦UNKNOWN_FIELD⟧callnotfound_: true}')],
  // Selectors
  ['a misspelt filter', selectorsYaml('⟦UNKNOWN_FIELD⟧matchArg: []')],
  ['a filter that is not a list', selectorsYaml('matchArgs: ⟦WRONG_TYPE⟧{index: 0, operator: Equal}')],
  ['no operator', selectorsYaml('matchArgs:\n- ⟦MISSING_FIELD⟧index: 1\n  values: ["4"]')],
  ['a misspelt operator', selectorsYaml('matchArgs:\n- index: 1\n  operator: ⟦UNKNOWN_VALUE⟧Equals\n  values: ["4"]')],
  ['an unknown operator', selectorsYaml('matchArgs:\n- index: 1\n  operator: ⟦UNKNOWN_VALUE⟧Regex\n  values: ["4"]')],
  ['values that are not a list', selectorsYaml('matchArgs:\n- index: 1\n  operator: Equal\n  values: ⟦WRONG_TYPE⟧"4"')],
  [
    'a value without quotes',
    selectorsYaml('matchArgs:\n- index: 1\n  operator: Equal\n  values: [⟦VALUE_NOT_QUOTED⟧4]'),
  ],
  ['a value that is a list', selectorsYaml('matchArgs:\n- index: 1\n  operator: Equal\n  values: [⟦WRONG_TYPE⟧[]]')],
  ['a pid as a string', selectorsYaml('matchPIDs:\n- operator: In\n  values: [⟦WRONG_TYPE⟧"1"]')],
  ['no pids', selectorsYaml('matchPIDs:\n- operator: In\n  values: ⟦EMPTY_LIST⟧[]')],
  ['pids without values', selectorsYaml('matchPIDs:\n- ⟦MISSING_FIELD⟧operator: In')],
  ['an operator of another filter', selectorsYaml('matchPIDs:\n- operator: ⟦UNKNOWN_VALUE⟧Equal\n  values: [1]')],
  [
    'two matchBinaries',
    selectorsYaml('matchBinaries:\n- {operator: In, values: [/a]}\n- ⟦TOO_MANY_ITEMS⟧{operator: In, values: [/b]}'),
  ],
  ['an empty binary', selectorsYaml('matchBinaries:\n- {operator: In, values: [⟦EMPTY_TEXT⟧""]}')],
  ['an unknown action', selectorsYaml('matchActions:\n- action: ⟦UNKNOWN_VALUE⟧Kill')],
  ['an action without a name', selectorsYaml('matchActions:\n- ⟦MISSING_FIELD⟧argError: 1')],
  [
    'an argument of an action as a string',
    selectorsYaml('matchActions:\n- action: Post\n  kernelStackTrace: ⟦WRONG_TYPE⟧"no"'),
  ],
];
