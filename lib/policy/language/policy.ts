/**
 * The policy format in one table: every field of the TracingPolicy resource (cilium.io/v1alpha1), its shape and its
 * meaning. The walker checks the structure of a policy against this table. The JSON Schema and the definitions for
 * Kubernetes are generated from it.
 */
import { TAGS_MAX } from './limits.js';
import {
  anyShape,
  booleanShape,
  index32Shape,
  listShape,
  mapShape,
  objectShape,
  enumShape,
  optionalField,
  requiredField,
  textShape,
  textOrEmptyShape,
  uint64Shape,
} from './shape.js';
import type { Field, ObjectShape } from './shape.js';
import { suggestType } from './suggestions.js';
import { labelSelectorShape } from './labels.js';
import { selectorShape } from './selectors.js';
import { ARG_TYPE_NAMES, LIST_TYPES, RETURN_ARG_ACTIONS, type HookKind } from './vocabulary.js';

export const API_VERSION = 'cilium.io/v1alpha1';
export const POLICY_KINDS = ['TracingPolicy', 'TracingPolicyNamespaced'] as const;

export const argumentShape = objectShape({
  index: requiredField(index32Shape, 'Position of the parameter in the function, from 0.'),
  type: optionalField(
    enumShape(ARG_TYPE_NAMES, suggestType),
    'Type of the value: how it is read and shown. With `auto`, the types of the kernel say it.',
    'auto',
  ),
  label: optionalField(textShape, 'Name of the value in the event.'),
  maxData: optionalField(booleanShape, 'Read as much of the buffer as fits into the event.', false),
  resolve: optionalField(textOrEmptyShape, 'Members to follow from the parameter, such as `mm.owner.comm`.', ''),
  returnCopy: optionalField(booleanShape, 'Read the value when the function returns.', false),
  sizeArgIndex: optionalField(
    { ...index32Shape, zeroIsAbsent: true },
    'Parameter, or field of a tracepoint, that holds the size of the buffer, from 1.',
  ),
  btfType: optionalField(textShape, "Kernel type of the parameter, if the function's prototype does not say it."),
  btfTypeModule: optionalField(textShape, 'Kernel module whose types contain btfType.'),
  source: optionalField(textShape, 'Where the value comes from, instead of a parameter.'),
});

const COMMON_HOOK_FIELDS: Record<string, Field> = {
  message: optionalField(textOrEmptyShape, 'Text for readers, added to each event of this hook.'),
  tags: optionalField(
    listShape(textShape, { maxItems: TAGS_MAX }),
    'Labels for programs, added to each event of this hook.',
  ),
  selectors: optionalField(
    listShape(selectorShape),
    'Filters. The first selector whose filters all match decides. Without selectors, everything matches.',
  ),
  args: optionalField(listShape(argumentShape), 'Parameters to read.'),
  optional: optionalField(booleanShape, 'polytrace only: skip the hook if its target does not exist.', false),
};

const dataField = optionalField(listShape(argumentShape), 'Values to read that do not come from parameters.');
const RETURN_FIELDS: Record<string, Field> = {
  return: optionalField(booleanShape, 'Report the return value, which returnArg describes.', false),
  returnArg: optionalField(argumentShape, 'How the return value is read and shown.'),
};

const functionHookShape = objectShape({
  call: requiredField(textShape, 'Function of the kernel, `sys_NAME` for a system call, or `list:NAME`.'),
  syscall: optionalField(booleanShape, 'Whether the function is a system call.', true),
  ...RETURN_FIELDS,
  returnArgAction: optionalField(
    enumShape(RETURN_ARG_ACTIONS),
    'Action on the returned socket: TrackSock or UntrackSock.',
  ),
  data: dataField,
  ignore: optionalField(
    objectShape({ callNotFound: optionalField(booleanShape, 'Skip the hook if the kernel has no such function.') }),
    'Mistakes to ignore.',
  ),
  ...COMMON_HOOK_FIELDS,
});

const tracepointShape = objectShape({
  subsystem: requiredField(textShape, 'Group of the tracepoint, such as `sched`.'),
  event: requiredField(textShape, 'Name of the tracepoint in its group.'),
  raw: optionalField(booleanShape, "Read the tracepoint's parameters instead of its formatted fields.", false),
  ...COMMON_HOOK_FIELDS,
});

const uprobeShape = objectShape({
  path: requiredField(textShape, 'File of the program or library.'),
  resolvePathInContainer: optionalField(
    booleanShape,
    'The path is below the root of each container that the policy applies to. Default: below the root of the host.',
  ),
  symbols: optionalField(listShape(textShape), 'Functions in the file.'),
  offsets: optionalField(listShape(uint64Shape), 'Offsets in the file.'),
  addrs: optionalField(listShape(uint64Shape), 'Virtual addresses in the file.'),
  refCtrOffsets: optionalField(
    listShape(uint64Shape),
    'Offsets of the reference counters, one for each symbol or offset.',
  ),
  binaryDigests: optionalField(
    listShape(textShape),
    'Digests, written as `sha256:HEX`, with sha1, sha256, sha384, sha512 or build-id. The file must have one of them.',
  ),
  btfPath: optionalField(textShape, 'File with the types of the program.'),
  ignore: optionalField(
    objectShape({ digestVerificationFailure: optionalField(booleanShape, 'Skip the hook if no digest matches.') }),
    'Mistakes to ignore.',
  ),
  ...RETURN_FIELDS,
  data: dataField,
  ...COMMON_HOOK_FIELDS,
});

const usdtShape = objectShape({
  path: requiredField(textShape, 'File of the program or library.'),
  provider: requiredField(textShape, 'Provider of the probe.'),
  name: requiredField(textShape, 'Name of the probe.'),
  btfPath: optionalField(textShape, 'File with the types of the program.'),
  ...COMMON_HOOK_FIELDS,
});

const lsmHookShape = objectShape({
  hook: requiredField(textShape, 'Name of the LSM hook, such as `file_open`.'),
  ...COMMON_HOOK_FIELDS,
});

const HOOK_FIELDS: Readonly<Record<HookKind, Field>> = {
  kprobes: optionalField(listShape(functionHookShape), 'Functions of the kernel.'),
  fentries: optionalField(
    listShape(functionHookShape),
    'Functions of the kernel, attached by trampoline (fentry, fexit) only.',
  ),
  tracepoints: optionalField(listShape(tracepointShape), 'Tracepoints of the kernel.'),
  uprobes: optionalField(listShape(uprobeShape), 'Functions of programs and libraries.'),
  usdts: optionalField(listShape(usdtShape), 'Static probes of programs and libraries.'),
  lsmhooks: optionalField(listShape(lsmHookShape), 'Hooks of the Linux security modules.'),
};

const specShape: ObjectShape = objectShape({
  ...HOOK_FIELDS,
  loader: optionalField(booleanShape, 'Report the executable mappings of programs and libraries.'),
  lists: optionalField(
    listShape(
      objectShape({
        name: requiredField(textShape, 'Name, for `list:NAME`.'),
        type: optionalField(enumShape(LIST_TYPES), 'Kind of the values, or the source that fills the list.'),
        values: optionalField(listShape(textShape), 'Functions, or system calls.'),
        pattern: optionalField(textShape, 'Regular expression for generated_ftrace.'),
        validated: optionalField(booleanShape, 'Whether the functions were checked to exist.'),
      }),
    ),
    'Named lists of functions.',
  ),
  enforcers: optionalField(
    listShape(objectShape({ calls: requiredField(listShape(textShape), 'Functions, or `list:NAME`.') }), {
      maxItems: 1,
    }),
    'Functions that NotifyEnforcer can stop.',
  ),
  options: optionalField(
    listShape(
      objectShape({
        name: requiredField(textShape, 'Name of the option.'),
        value: optionalField(textOrEmptyShape, 'Its value.'),
      }),
    ),
    'Settings of the policy.',
  ),
  selectorsMacros: optionalField(mapShape(selectorShape), 'Named filters that selectors include with `macros`.'),
  podSelector: optionalField(labelSelectorShape, 'Labels of the pods that the policy applies to.'),
  containerSelector: optionalField(labelSelectorShape, 'Fields of the containers that the policy applies to.'),
  hostSelector: optionalField(
    labelSelectorShape,
    'Labels of the nodes on which the policy applies to processes in no container.',
  ),
  nodeSelector: optionalField(labelSelectorShape, 'Labels of the nodes that the policy is for.'),
});

const metadataShape = objectShape({
  name: requiredField(textShape, 'Name of the policy.'),
  namespace: {
    ...optionalField(
      textOrEmptyShape,
      'Namespace of a TracingPolicyNamespaced. An empty one stands for the processes in no container.',
    ),
    keepsEmpty: true,
  },
  labels: optionalField(mapShape(textOrEmptyShape), 'Labels of the resource.'),
  annotations: optionalField(
    mapShape(textOrEmptyShape),
    'Notes on the resource. `polytrace.io/severity`, `polytrace.io/maturity` and `polytrace.io/runbook` are for alerts.',
  ),
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
    ].map((name) => [name, optionalField(anyShape, 'Set by the cluster; ignored.')]),
  ),
});

export const policyShape: ObjectShape = objectShape({
  apiVersion: requiredField(enumShape([API_VERSION]), 'Version of the format.'),
  kind: requiredField(
    enumShape(POLICY_KINDS),
    'TracingPolicy, or TracingPolicyNamespaced for the pods of one namespace.',
  ),
  metadata: requiredField(metadataShape, 'Name of the policy, and notes on it.'),
  spec: requiredField(specShape, 'The hooks of the policy and its settings.'),
  status: optionalField(anyShape, 'Set by the cluster; ignored.'),
});
