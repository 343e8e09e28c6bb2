/** The part of the language table for a selector. It is the same under every hook and under selectorsMacros. */
import { labelSelector } from './labels.js';
import {
  actionInstead,
  binaryInstead,
  comparisonInstead,
  errorInstead,
  namespaceInstead,
  setInstead,
  signalInstead,
} from './instead.js';
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
  index: optional(index32, 'Parameter whose value is compared: the `index` of an argument in args.'),
  args: optional(list(index32), 'Positions in the list of args, for operators that use several values.'),
  operator: required(oneOf(OPERATORS, comparisonInstead), 'How the value is compared.'),
  values: optional(list(valueText), 'Values to compare with. One that matches is enough.'),
  inode: optional(
    boolean,
    'polytrace only, for Equal and NotEqual on paths: other paths to the same inode match too, such as a hard link.',
    false,
  ),
});

const binaryFilter = object({
  operator: required(oneOf(BINARY_OPERATORS, binaryInstead), 'How the path of the executable is compared.'),
  values: required(list(text, { minItems: 1 }), 'Paths. One that matches is enough.'),
  followChildren: optional(boolean, 'Whether children of a matching process match too.', false),
});

const capabilityFilter = object({
  type: optional(oneOf(CAPABILITY_SETS), 'Set of capabilities that is compared.', 'Effective'),
  operator: required(oneOf(SET_OPERATORS, setInstead), 'Whether one of the capabilities must be in the set.'),
  isNamespaceCapability: optional(boolean, 'Match only processes outside of the initial user namespace.', false),
  values: required(list(text, { minItems: 1 }), 'Capabilities, such as CAP_SYS_ADMIN.'),
});

const namespaceNames = list(text, { minItems: 1 });

export const actionShape = object({
  action: required(oneOf(ACTIONS, actionInstead), 'Name of the action.'),
  argError: optional(
    { ...int32, instead: errorInstead },
    'For Override and NotifyEnforcer: the value that is returned instead.',
  ),
  argSig: optional({ ...int32, instead: signalInstead }, 'For Signal and NotifyEnforcer: the number of the signal.'),
  argFqdn: optional(text, 'For DnsLookup: the host name.'),
  argUrl: optional(text, 'For GetUrl: the URL.'),
  argSock: optional(int32, 'For TrackSock and UntrackSock: the index of the socket.'),
  argIndex: optional(int32, 'For Set: the index of the value that is written.'),
  argValue: optional(int32, 'For Set: the new value.'),
  argRegs: optional(list(text), 'For Override of a uprobe: registers to set, written as `NAME=VALUE`.'),
  argNewAddr: optional(int64, 'For Override of a uprobe: address where the program continues.'),
  argNewOffset: optional(int64, 'For Override of a uprobe: offset in the file where the program continues.'),
  argNewSymbol: optional(text, 'For Override of a uprobe: symbol where the program continues.'),
  rateLimit: optional(
    valueText,
    'For Post: time in which equal events are reported only once, such as `5`, `30s`, `1m` or `1h`.',
  ),
  rateLimitScope: optional(oneOf(RATE_LIMIT_SCOPES), 'For Post: scope of rateLimit: `thread`, `process` or `global`.'),
  imaHash: optional(boolean, 'For Post on LSM hooks: add the digest of the file that IMA computes.', false),
  kernelStackTrace: optional(boolean, 'For Post: add the kernel stack trace.', false),
  userStackTrace: optional(boolean, 'For Post: add the stack trace of the program.', false),
});

const filters = {
  matchArgs: optional(list(valueFilter), 'Filters on arguments.'),
  matchReturnArgs: optional(list(valueFilter), 'Filters on the return value.'),
  matchData: optional(list(valueFilter), 'Filters on `data`.'),
  matchPIDs: optional(
    list(
      object({
        operator: required(oneOf(SET_OPERATORS, setInstead), 'Whether the process must be one of these.'),
        values: required(list(index32, { minItems: 1 }), 'Process ids.'),
        followForks: optional(boolean, 'Whether children match too.', false),
        isNamespacePID: optional(boolean, "Whether the ids belong to the process's own pid namespace.", false),
      }),
    ),
    'Filters on the process id.',
  ),
  matchBinaries: optional(list(binaryFilter, { maxItems: 1 }), 'Filter on the path of the executable.'),
  matchParentBinaries: optional(
    list(binaryFilter, { maxItems: 1 }),
    'Filter on the path of the executable of the parent.',
  ),
  matchNamespaces: optional(
    list(
      object({
        namespace: required(oneOf(NAMESPACES, namespaceInstead), 'Kind of namespace.'),
        operator: required(oneOf(SET_OPERATORS, setInstead), 'Whether the namespace must be one of these.'),
        values: required(namespaceNames, 'Inode numbers, or `host_ns`.'),
      }),
    ),
    'Filters on the namespaces of the process.',
  ),
  matchNamespaceChanges: optional(
    list(
      object({
        operator: required(oneOf(SET_OPERATORS, setInstead), 'Whether one of these must have changed.'),
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
      hostSelector: optional(labelSelector, 'Labels of the nodes on which processes in no container match.'),
    }),
    'Filters on the pod and container of the process.',
  ),
};

export const selector = object({
  label: optional(text, 'Name of the selector.'),
  macros: optional(list(text), 'Names in selectorsMacros. Their filters are added to the selector.'),
  ...filters,
  matchActions: optional(list(actionShape), 'Actions when the selector matches. The default is Post.'),
  matchReturnActions: optional(list(actionShape), 'Actions when the function returns, if the selector has matched.'),
});
