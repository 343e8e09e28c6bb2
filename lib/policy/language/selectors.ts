/** The part of the table that is the same under every hook and under selectorsMacros: a selector. */
import { labelSelector } from './labels.js';
import { boolean, index32, int32, int64, list, object, oneOf, optional, required, text, valueText } from './shape.js';
import { NAMESPACES } from '../../names/namespaces.js';
import {
  ACTIONS,
  BINARY_OPERATORS,
  CAPABILITY_SETS,
  OPERATORS,
  RATE_LIMIT_SCOPES,
  SET_OPERATORS,
} from './vocabulary.js';

export const valueFilter = object({
  index: optional(index32, 'Parameter whose value is compared: the `index` of one of the args.'),
  args: optional(list(index32), 'Positions in the list of args, for operators on several values.'),
  operator: required(oneOf(OPERATORS), 'How the value is compared.'),
  values: optional(list(valueText), 'What it is compared with; one that fits is enough.'),
  inode: optional(
    boolean,
    'polytrace only, for Equal and NotEqual on paths: whatever leads to the same inode fits too, such as a hard link.',
    false,
  ),
});

const binaryFilter = object({
  operator: required(oneOf(BINARY_OPERATORS), 'How the path of the executable is compared.'),
  values: required(list(text, { minItems: 1 }), 'Paths; one that fits is enough.'),
  followChildren: optional(boolean, 'Whether children of a process that fits fit too.', false),
});

const capabilityFilter = object({
  type: optional(oneOf(CAPABILITY_SETS), "Which of the process's sets is looked at.", 'Effective'),
  operator: required(oneOf(SET_OPERATORS), 'Whether one of the capabilities must be in the set.'),
  isNamespaceCapability: optional(boolean, 'Only processes outside of the initial user namespace.', false),
  values: required(list(text, { minItems: 1 }), 'Capabilities, such as CAP_SYS_ADMIN.'),
});

const namespaceNames = list(text, { minItems: 1 });

export const actionShape = object({
  action: required(oneOf(ACTIONS), 'What is done.'),
  argError: optional(int32, 'For Override and NotifyEnforcer: the value that is returned instead.'),
  argSig: optional(int32, 'For Signal and NotifyEnforcer: the number of the signal.'),
  argFqdn: optional(text, 'For DnsLookup: the name.'),
  argUrl: optional(text, 'For GetUrl: the address.'),
  argSock: optional(int32, 'For TrackSock and UntrackSock: the index of the socket.'),
  argIndex: optional(int32, 'For Set: the index of the value that is written.'),
  argValue: optional(int32, 'For Set: the value.'),
  argRegs: optional(list(text), 'For Override of a uprobe: registers that are set, `NAME=VALUE`.'),
  argNewAddr: optional(int64, 'For Override of a uprobe: where the program goes on.'),
  argNewOffset: optional(int64, 'For Override of a uprobe: the same, as an offset in the file.'),
  argNewSymbol: optional(text, 'For Override of a uprobe: the same, as a symbol.'),
  rateLimit: optional(
    valueText,
    'For Post: the time in which equal events are reported once, such as `5`, `30s`, `1m` or `1h`.',
  ),
  rateLimitScope: optional(oneOf(RATE_LIMIT_SCOPES), 'For Post: `thread`, `process` or `global`.'),
  imaHash: optional(boolean, 'For Post on LSM hooks: add the digest that IMA has of the file.', false),
  kernelStackTrace: optional(boolean, "For Post: add the kernel's stack.", false),
  userStackTrace: optional(boolean, "For Post: add the program's stack.", false),
});

const filters = {
  matchArgs: optional(list(valueFilter), 'Filters on arguments.'),
  matchReturnArgs: optional(list(valueFilter), 'Filters on the return value.'),
  matchData: optional(list(valueFilter), 'Filters on `data`.'),
  matchPIDs: optional(
    list(
      object({
        operator: required(oneOf(SET_OPERATORS), 'Whether the process must be one of these.'),
        values: required(list(index32, { minItems: 1 }), 'Process ids.'),
        followForks: optional(boolean, 'Whether children are meant too.', false),
        isNamespacePID: optional(boolean, "Whether the ids are those of the process's own pid namespace.", false),
      }),
    ),
    'Filters on the process id.',
  ),
  matchBinaries: optional(list(binaryFilter, { maxItems: 1 }), 'Filter on the path of the executable.'),
  matchParentBinaries: optional(list(binaryFilter, { maxItems: 1 }), "Filter on the path of the parent's executable."),
  matchNamespaces: optional(
    list(
      object({
        namespace: required(oneOf(NAMESPACES), 'Kind of namespace.'),
        operator: required(oneOf(SET_OPERATORS), 'Whether the namespace must be one of these.'),
        values: required(namespaceNames, 'Inode numbers, or `host_ns`.'),
      }),
    ),
    'Filters on the namespaces of the process.',
  ),
  matchNamespaceChanges: optional(
    list(
      object({
        operator: required(oneOf(SET_OPERATORS), 'Whether one of these must have changed.'),
        values: required(namespaceNames, 'Kinds of namespace.'),
      }),
    ),
    'Filters on changes of namespaces.',
  ),
  matchCapabilities: optional(list(capabilityFilter), 'Filters on the capabilities of the process.'),
  matchCapabilityChanges: optional(list(capabilityFilter), 'Filters on changes of capabilities.'),
  matchWorkloads: optional(
    object({
      podSelector: optional(labelSelector, 'Labels of the pod.'),
      containerSelector: optional(labelSelector, 'Fields of the container.'),
      hostSelector: optional(labelSelector, 'Whether processes outside of pods are meant.'),
    }),
    'Filters on the pod and container of the process.',
  ),
};

export const selector = object({
  label: optional(text, 'Name of the selector.'),
  macros: optional(list(text), 'Names in selectorsMacros whose filters are added.'),
  ...filters,
  matchActions: optional(list(actionShape), 'What is done when the selector matches; without any, Post.'),
  matchReturnActions: optional(
    list(actionShape),
    'What is done when the function returns and the selector has matched.',
  ),
});
