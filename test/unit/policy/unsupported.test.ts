/** What the format has and the kernel side has not yet: understood, checked, and refused at load with its place. */
import assert from 'node:assert/strict';
import { compilePolicy, parsePolicy } from '../../../lib/policy/index.js';
import { PolicyError } from '../../../lib/errors.js';
import { checkMarked, kprobe, marked, policy, selectors } from './marked.js';

const cases: readonly (readonly [string, string])[] = [
  [
    'a namespaced policy',
    policy('kprobes: [{call: f}]').replace('kind: TracingPolicy', '⟦UNSUPPORTED_SCOPE⟧kind: TracingPolicyNamespaced'),
  ],
  ['podSelector', policy('⟦UNSUPPORTED_SCOPE⟧podSelector: {matchLabels: {}}\nkprobes: [{call: f}]')],
  ['containerSelector', policy('⟦UNSUPPORTED_SCOPE⟧containerSelector: {matchLabels: {name: a}}\nkprobes: [{call: f}]')],
  ['hostSelector', policy('⟦UNSUPPORTED_SCOPE⟧hostSelector: {}\nkprobes: [{call: f}]')],
  [
    'nodeSelector',
    policy('⟦UNSUPPORTED_SCOPE⟧nodeSelector: {matchExpressions: [{key: a, operator: Exists}]}\nkprobes: [{call: f}]'),
  ],
  ['fentries', policy('⟦UNSUPPORTED_HOOK⟧fentries: [{call: f}]')],
  ['tracepoints', policy('⟦UNSUPPORTED_HOOK⟧tracepoints: [{subsystem: sched, event: sched_switch}]')],
  ['uprobes', policy('⟦UNSUPPORTED_HOOK⟧uprobes: [{path: /bin/bash, symbols: [readline]}]')],
  ['usdts', policy('⟦UNSUPPORTED_HOOK⟧usdts: [{path: /bin/bash, provider: a, name: b}]')],
  ['lsmhooks', policy('⟦UNSUPPORTED_HOOK⟧lsmhooks: [{hook: file_open}]')],
  ['loader', policy('⟦UNSUPPORTED_LOADER⟧loader: true')],
  ['enforcers', policy('⟦UNSUPPORTED_ENFORCER⟧enforcers: [{calls: [sys_dup]}]\nkprobes: [{call: f}]')],
  [
    'a generated list',
    policy('lists: [{name: a, ⟦UNSUPPORTED_LIST⟧type: generated_syscalls}]\nkprobes: [{call: "list:a"}]'),
  ],
  [
    'an option',
    policy('options: [{⟦UNSUPPORTED_OPTION⟧name: disable-uprobe-multi, value: "1"}]\nkprobes: [{call: f}]'),
  ],
  ['another type', kprobe('call: f\nsyscall: false\nargs: [{index: 0, ⟦UNSUPPORTED_ARG_TYPE⟧type: sock}]')],
  [
    'a type found out by itself',
    kprobe('call: f\nsyscall: false\nargs: [{index: 0, ⟦UNSUPPORTED_ARG_TYPE⟧type: auto}]'),
  ],
  [
    'a text as return value',
    kprobe('call: f\nsyscall: false\nreturn: true\nreturnArg: {index: 0, ⟦UNSUPPORTED_ARG_TYPE⟧type: string}'),
  ],
  ['resolve', kprobe('call: f\nsyscall: false\nargs: [{index: 0, type: int, ⟦UNSUPPORTED_ARG_FIELD⟧resolve: a.b}]')],
  [
    'sizeArgIndex',
    kprobe(
      'call: f\nargs: [{index: 0, ⟦UNSUPPORTED_ARG_TYPE⟧type: char_buf, ⟦UNSUPPORTED_ARG_FIELD⟧sizeArgIndex: 2}, {index: 1, type: size_t}]',
    ),
  ],
  ['source', kprobe('call: f\nargs: [{index: 0, type: int, ⟦UNSUPPORTED_ARG_FIELD⟧source: current_task}]')],
  ['data', kprobe('call: f\n⟦UNSUPPORTED_FIELD⟧data: [{index: 0, type: int}]')],
  [
    'tracked sockets',
    kprobe('call: f\nreturn: true\nreturnArg: {index: 0, type: int}\n⟦UNSUPPORTED_ACTION⟧returnArgAction: TrackSock'),
  ],
  ['InMap', selectors('matchArgs: [{index: 1, ⟦UNSUPPORTED_OPERATOR⟧operator: InMap, values: ["1"]}]')],
  ['SubString', selectors('matchArgs: [{index: 0, ⟦UNSUPPORTED_OPERATOR⟧operator: SubString, values: [a]}]')],
  [
    'matchNamespaces',
    selectors('⟦UNSUPPORTED_FILTER⟧matchNamespaces: [{namespace: Pid, operator: In, values: [host_ns]}]'),
  ],
  ['matchCapabilities', selectors('⟦UNSUPPORTED_FILTER⟧matchCapabilities: [{operator: In, values: [CAP_SYS_ADMIN]}]')],
  ['matchParentBinaries', selectors('⟦UNSUPPORTED_FILTER⟧matchParentBinaries: [{operator: In, values: [/bin/sh]}]')],
  ['followForks', selectors('matchPIDs: [{operator: In, values: [1], ⟦UNSUPPORTED_FILTER⟧followForks: true}]')],
  ['isNamespacePID', selectors('matchPIDs: [{operator: In, values: [1], ⟦UNSUPPORTED_FILTER⟧isNamespacePID: true}]')],
  [
    'followChildren',
    selectors('matchBinaries: [{operator: In, values: [/bin/sh], ⟦UNSUPPORTED_FILTER⟧followChildren: true}]'),
  ],
  ['Sigkill', selectors('matchActions: [{⟦UNSUPPORTED_ACTION⟧action: ⟦SIGKILL_TOO_LATE⟧Sigkill}]')],
  ['a rate limit', selectors('matchActions: [{action: Post, ⟦UNSUPPORTED_ACTION⟧rateLimit: 1m}]')],
  [
    'stack traces',
    selectors('matchActions: [{action: Post, ⟦UNSUPPORTED_ACTION⟧kernelStackTrace: true, userStackTrace: false}]'),
  ],
];

describe('policy: not supported yet', () => {
  for (const [name, text] of cases) {
    it(name, () => {
      checkMarked(text);
      const { yaml, expected } = marked(text);
      const parsed = parsePolicy(yaml);
      assert.throws(
        () => compilePolicy(parsed),
        (error) => error instanceof PolicyError && error.code === expected[0]?.code,
      );
    });
  }

  it('accepts what has no effect here', () => {
    checkMarked(
      policy(`
        options: [{name: disable-kprobe-multi, value: "1"}, {name: policy-mode, value: monitor}]
        kprobes:
        - call: f
          syscall: false
          args: [{index: 0, type: int, resolve: "", maxData: false, returnCopy: false}]
          selectors: [{matchActions: [{action: Post, imaHash: false}], matchNamespaces: []}]`),
    );
  });
});
