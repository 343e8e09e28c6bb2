/**
 * The policy format in one table: every field of the TracingPolicy resource (cilium.io/v1alpha1), its shape and its
 * meaning. The walker checks the structure of a policy against this table. The JSON Schema is generated from it.
 */
import { TAGS_MAX } from './limits.js';
import {
  any,
  boolean,
  index32,
  list,
  map,
  object,
  oneOf,
  optional,
  required,
  text,
  textOrEmpty,
  uint64,
} from './shape.js';
import type { Field, ObjectShape } from './shape.js';
import { typeInstead } from './instead.js';
import { labelSelector } from './labels.js';
import { selector } from './selectors.js';
import { ARG_TYPE_NAMES, LIST_TYPES, RETURN_ARG_ACTIONS } from './vocabulary.js';

export const API_VERSION = 'cilium.io/v1alpha1';
export const KINDS = ['TracingPolicy', 'TracingPolicyNamespaced'] as const;

export const argument = object({
  index: required(index32, 'Position of the parameter in the function, from 0.'),
  type: optional(
    oneOf(ARG_TYPE_NAMES, typeInstead),
    'Type of the value: how it is read and shown. With `auto`, the types of the kernel say it.',
    'auto',
  ),
  label: optional(text, 'Name of the value in the event.'),
  maxData: optional(boolean, 'Read as much of the buffer as fits into the event.', false),
  resolve: optional(textOrEmpty, 'Members to follow from the parameter, such as `mm.owner.comm`.', ''),
  returnCopy: optional(boolean, 'Read the value when the function returns.', false),
  sizeArgIndex: optional(index32, 'Parameter, or field of a tracepoint, that holds the size of the buffer, from 1.'),
  btfType: optional(text, "Kernel type of the parameter, if the function's prototype does not say it."),
  btfTypeModule: optional(text, 'Kernel module whose types contain btfType.'),
  source: optional(text, 'Where the value comes from, instead of a parameter.'),
});

const common: Record<string, Field> = {
  message: optional(textOrEmpty, 'Text for readers, added to each event of this hook.'),
  tags: optional(list(text, { maxItems: TAGS_MAX }), 'Labels for programs, added to each event of this hook.'),
  selectors: optional(
    list(selector),
    'Filters. The first selector whose filters all match decides. Without selectors, everything matches.',
  ),
  args: optional(list(argument), 'Parameters to read.'),
  optional: optional(boolean, 'polytrace only: skip the hook if its target does not exist.', false),
};

const data = optional(list(argument), 'Values to read that do not come from parameters.');
const returns: Record<string, Field> = {
  return: optional(boolean, 'Report the return value, which returnArg describes.', false),
  returnArg: optional(argument, 'How the return value is read and shown.'),
};

const functionHook = object({
  call: required(text, 'Function of the kernel, `sys_NAME` for a system call, or `list:NAME`.'),
  syscall: optional(boolean, 'Whether the function is a system call.', true),
  ...returns,
  returnArgAction: optional(oneOf(RETURN_ARG_ACTIONS), 'Action on the returned socket: TrackSock or UntrackSock.'),
  data,
  ignore: optional(
    object({ callNotFound: optional(boolean, 'Skip the hook if the kernel has no such function.') }),
    'Mistakes to ignore.',
  ),
  ...common,
});

const tracepoint = object({
  subsystem: required(text, 'Group of the tracepoint, such as `sched`.'),
  event: required(text, 'Name of the tracepoint in its group.'),
  raw: optional(boolean, "Read the tracepoint's parameters instead of its formatted fields.", false),
  ...common,
});

const uprobe = object({
  path: required(text, 'File of the program or library.'),
  symbols: optional(list(text), 'Functions in the file.'),
  offsets: optional(list(uint64), 'Offsets in the file.'),
  addrs: optional(list(uint64), 'Virtual addresses in the file.'),
  refCtrOffsets: optional(list(uint64), 'Offsets of the reference counters, one for each symbol or offset.'),
  binaryDigests: optional(
    list(text),
    'Digests, written as `sha256:HEX`, with sha1, sha256, sha384, sha512 or build-id. The file must have one of them.',
  ),
  btfPath: optional(text, 'File with the types of the program.'),
  ignore: optional(
    object({ digestVerificationFailure: optional(boolean, 'Skip the hook if no digest matches.') }),
    'Mistakes to ignore.',
  ),
  ...returns,
  data,
  ...common,
});

const usdt = object({
  path: required(text, 'File of the program or library.'),
  provider: required(text, 'Provider of the probe.'),
  name: required(text, 'Name of the probe.'),
  btfPath: optional(text, 'File with the types of the program.'),
  ...common,
});

const lsmHook = object({
  hook: required(text, 'Name of the LSM hook, such as `file_open`.'),
  ...common,
});

const spec: ObjectShape = object({
  kprobes: optional(list(functionHook), 'Functions of the kernel.'),
  fentries: optional(list(functionHook), 'Functions of the kernel, attached by trampoline (fentry, fexit) only.'),
  tracepoints: optional(list(tracepoint), 'Tracepoints of the kernel.'),
  uprobes: optional(list(uprobe), 'Functions of programs and libraries.'),
  usdts: optional(list(usdt), 'Static probes of programs and libraries.'),
  lsmhooks: optional(list(lsmHook), 'Hooks of the Linux security modules.'),
  loader: optional(boolean, 'Report the executable mappings of programs and libraries.'),
  lists: optional(
    list(
      object({
        name: required(text, 'Name, for `list:NAME`.'),
        type: optional(oneOf(LIST_TYPES), 'Kind of the values, or the source that fills the list.'),
        values: optional(list(text), 'Functions, or system calls.'),
        pattern: optional(text, 'Regular expression for generated_ftrace.'),
        validated: optional(boolean, 'Whether the functions were checked to exist.'),
      }),
    ),
    'Named lists of functions.',
  ),
  enforcers: optional(
    list(object({ calls: required(list(text), 'Functions, or `list:NAME`.') }), { maxItems: 1 }),
    'Functions that NotifyEnforcer can stop.',
  ),
  options: optional(
    list(
      object({
        name: required(text, 'Name of the option.'),
        value: optional(textOrEmpty, 'Its value.'),
      }),
    ),
    'Settings of the policy.',
  ),
  selectorsMacros: optional(map(selector), 'Named filters that selectors include with `macros`.'),
  podSelector: optional(labelSelector, 'Labels of the pods that the policy applies to.'),
  containerSelector: optional(labelSelector, 'Fields of the containers that the policy applies to.'),
  hostSelector: optional(
    labelSelector,
    'Labels of the nodes on which the policy applies to processes in no container.',
  ),
  nodeSelector: optional(labelSelector, 'Labels of the nodes that the policy is for.'),
});

const metadata = object({
  name: required(text, 'Name of the policy.'),
  namespace: optional(
    textOrEmpty,
    'Namespace of a TracingPolicyNamespaced. An empty one stands for the processes in no container.',
  ),
  labels: optional(map(textOrEmpty), 'Labels of the resource.'),
  annotations: optional(map(textOrEmpty), 'Notes on the resource.'),
  ...Object.fromEntries(
    [
      'uid',
      'resourceVersion',
      'generation',
      'creationTimestamp',
      'managedFields',
      'ownerReferences',
      'finalizers',
      'generateName',
      'selfLink',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
    ].map((name) => [name, optional(any, 'Set by the cluster; ignored.')]),
  ),
});

export const policyShape: ObjectShape = object({
  apiVersion: required(oneOf([API_VERSION]), 'Version of the format.'),
  kind: required(oneOf(KINDS), 'TracingPolicy, or TracingPolicyNamespaced for the pods of one namespace.'),
  metadata: required(metadata, 'Name of the policy, and notes on it.'),
  spec: required(spec, 'The hooks of the policy and its settings.'),
  status: optional(any, 'Set by the cluster; ignored.'),
});
