/** The part of the language table for a selector. It is the same under every hook and under selectorsMacros. */
import { labelSelectorShape } from './labels.js';
import {
  suggestAction,
  suggestBinaryOperator,
  suggestCmdArgOperator,
  suggestComparison,
  suggestErrorNumber,
  suggestNamespace,
  suggestSetOperator,
  suggestSignalNumber,
} from './suggestions.js';
import {
  booleanShape,
  index32Shape,
  int32Shape,
  int64Shape,
  listShape,
  objectShape,
  enumShape,
  optionalField,
  requiredField,
  type Field,
  type IntegerShape,
  textShape,
  filterValueShape,
} from './shape.js';
import { ARGUMENT_INDEX_MAX, COUNT_FOLDERS_MAX, COUNT_KEYS_MAX, COUNT_LABELS_MAX } from './limits.js';
import { NAMESPACES } from '../../names/namespaces.js';
import type { ActionData } from '../model/model.js';
import {
  POLICY_ACTIONS,
  BINARY_OPERATORS,
  CAPABILITY_SET_NAMES,
  CMD_ARG_OPERATORS,
  MARK_SCOPES,
  COUNT_KINDS,
  DURATION_OPERATORS,
  OPERATORS,
  RATE_LIMIT_SCOPES,
  SET_OPERATORS,
} from './vocabulary.js';

export const valueFilterShape = objectShape({
  index: optionalField(index32Shape, 'Parameter whose value is compared: the `index` of an argument in args.'),
  args: optionalField(listShape(index32Shape), 'Positions in the list of args, for operators that use several values.'),
  operator: requiredField(enumShape(OPERATORS, suggestComparison), 'How the value is compared.'),
  values: optionalField(listShape(filterValueShape), 'Values to compare with. One that matches is enough.'),
  inode: optionalField(
    booleanShape,
    'polytrace only, for Equal and NotEqual on paths: other paths to the same inode match too, such as a hard link.',
    false,
  ),
});

const binaryFilterShape = objectShape({
  operator: requiredField(
    enumShape(BINARY_OPERATORS, suggestBinaryOperator),
    'How the path of the executable is compared.',
  ),
  values: requiredField(listShape(textShape, { minItems: 1 }), 'Paths. One that matches is enough.'),
  followChildren: optionalField(booleanShape, 'Whether children of a matching process match too.', false),
});

const cmdArgFilterShape = objectShape({
  index: optionalField(
    { ...index32Shape, maximum: BigInt(ARGUMENT_INDEX_MAX) },
    'Position of the argument; 0 is the name of the program. Without it, one of the arguments after the name must match.',
  ),
  operator: requiredField(enumShape(CMD_ARG_OPERATORS, suggestCmdArgOperator), 'How the argument is compared.'),
  values: requiredField(listShape(filterValueShape, { minItems: 1 }), 'Texts. One that matches is enough.'),
});

const capabilityFilterShape = objectShape({
  type: optionalField(enumShape(CAPABILITY_SET_NAMES), 'Set of capabilities that is compared.', 'Effective'),
  operator: requiredField(
    enumShape(SET_OPERATORS, suggestSetOperator),
    'Whether one of the capabilities must be in the set.',
  ),
  isNamespaceCapability: optionalField(
    booleanShape,
    'Match only processes outside of the initial user namespace.',
    false,
  ),
  values: requiredField(listShape(textShape, { minItems: 1 }), 'Capabilities, such as CAP_SYS_ADMIN.'),
});

/** No program continues at 0. */
const addressShape: IntegerShape = { ...int64Shape, zeroIsAbsent: true };
const namespaceNamesShape = listShape(textShape, { minItems: 1 });

export const actionShape = objectShape({
  action: requiredField(enumShape(POLICY_ACTIONS, suggestAction), 'Name of the action.'),
  argError: optionalField(
    { ...int32Shape, suggest: suggestErrorNumber },
    'For Override and NotifyEnforcer: the value that is returned instead.',
  ),
  argSig: optionalField(
    { ...int32Shape, zeroIsAbsent: true, suggest: suggestSignalNumber },
    'For Signal and NotifyEnforcer: the number of the signal.',
  ),
  argFqdn: optionalField(textShape, 'For DnsLookup: the host name.'),
  argUrl: optionalField(textShape, 'For GetUrl: the URL.'),
  argSock: optionalField(int32Shape, 'For TrackSock and UntrackSock: the index of the socket.'),
  argIndex: optionalField(int32Shape, 'For Set: the index of the value that is written.'),
  argValue: optionalField(int32Shape, 'For Set: the new value.'),
  argRegs: optionalField(listShape(textShape), 'For Override of a uprobe: registers to set, written as `NAME=VALUE`.'),
  argNewAddr: optionalField(addressShape, 'For Override of a uprobe: address where the program continues.'),
  argNewOffset: optionalField(
    addressShape,
    'For Override of a uprobe: offset in the file where the program continues.',
  ),
  argNewSymbol: optionalField(textShape, 'For Override of a uprobe: symbol where the program continues.'),
  rateLimit: optionalField(
    filterValueShape,
    'For Post: time in which equal events are reported only once, such as `5`, `30s`, `1m` or `1h`.',
  ),
  rateLimitScope: optionalField(
    enumShape(RATE_LIMIT_SCOPES),
    'For Post: scope of rateLimit: `thread`, `process` or `global`.',
  ),
  imaHash: optionalField(booleanShape, 'For Post on LSM hooks: add the digest of the file that IMA computes.', false),
  kernelStackTrace: optionalField(booleanShape, 'For Post: add the kernel stack trace.', false),
  userStackTrace: optionalField(booleanShape, 'For Post: add the stack trace of the program.', false),
  mark: optionalField(textShape, 'polytrace only, for Mark and Unmark: the name of the mark.'),
  ttl: optionalField(
    filterValueShape,
    'For Mark: time after which the mark ends, such as `500ms`, `30s`, `5m` or `1h`. The default is the end of the process.',
  ),
  inherit: optionalField(
    booleanShape,
    'For Mark: whether children of the process have the mark, and whether it stays when the process executes another program.',
    true,
  ),
  scope: optionalField(
    enumShape(MARK_SCOPES),
    'For Mark and Unmark: whether the mark belongs to the process, or to its whole container.',
    'process',
  ),
  shared: optionalField(
    booleanShape,
    'For Mark and Unmark: whether other policies see the mark, if they say `shared: true` as well.',
    false,
  ),
  metric: optionalField(textShape, 'For Count: the name of the metric.'),
  by: optionalField(
    listShape(textShape, { maxItems: COUNT_LABELS_MAX }),
    'For Count: labels. Each is binary, parentBinary, container, pod, namespace, uid, errno, return, argN or dataN.',
  ),
  folders: optionalField(
    { ...index32Shape, maximum: BigInt(COUNT_FOLDERS_MAX), zeroIsAbsent: true },
    'For Count: paths in labels are cut after this many folders.',
  ),
  value: optionalField(filterValueShape, 'For Count: the value that is added up: argN, dataN, return or duration.'),
  kind: optionalField(enumShape(COUNT_KINDS), 'For Count: `counter`, `sum` or `histogram`.', 'counter'),
  maxKeys: optionalField(
    { ...index32Shape, maximum: BigInt(COUNT_KEYS_MAX), zeroIsAbsent: true },
    'For Count: most combinations of labels. The others are added up as `other`. Default 1024.',
  ),
} satisfies Readonly<Record<keyof ActionData, Field>>);

const FILTER_FIELDS = {
  matchArgs: optionalField(listShape(valueFilterShape), 'Filters on arguments.'),
  matchReturnArgs: optionalField(listShape(valueFilterShape), 'Filters on the return value.'),
  matchData: optionalField(listShape(valueFilterShape), 'Filters on `data`.'),
  matchCEL: optionalField(
    objectShape({
      expr: requiredField(
        textShape,
        'Expression over arg0, arg1, … (positions in args) and data0, data1, … (in data).',
      ),
    }),
    'Filter with an expression on args and data.',
  ),
  matchDuration: optionalField(
    objectShape({
      operator: requiredField(enumShape(DURATION_OPERATORS), 'Whether the call must be longer or shorter.'),
      values: requiredField(
        listShape(textShape, { minItems: 1 }),
        'Times, such as `10ms`. One that matches is enough.',
      ),
    }),
    'Filter on the time from the entry of the function to its return.',
  ),
  matchPIDs: optionalField(
    listShape(
      objectShape({
        operator: requiredField(
          enumShape(SET_OPERATORS, suggestSetOperator),
          'Whether the process must be one of these.',
        ),
        values: requiredField(listShape(index32Shape, { minItems: 1 }), 'Process ids.'),
        followForks: optionalField(booleanShape, 'Whether children match too.', false),
        isNamespacePID: optionalField(
          booleanShape,
          "Whether the ids belong to the process's own pid namespace.",
          false,
        ),
      }),
    ),
    'Filters on the process id.',
  ),
  matchBinaries: optionalField(listShape(binaryFilterShape, { maxItems: 1 }), 'Filter on the path of the executable.'),
  matchParentBinaries: optionalField(
    listShape(binaryFilterShape, { maxItems: 1 }),
    'Filter on the path of the executable of the parent.',
  ),
  matchCmdArgs: optionalField(
    listShape(cmdArgFilterShape),
    'Filters on the arguments with which the process was executed.',
  ),
  matchNamespaces: optionalField(
    listShape(
      objectShape({
        namespace: requiredField(enumShape(NAMESPACES, suggestNamespace), 'Kind of namespace.'),
        operator: requiredField(
          enumShape(SET_OPERATORS, suggestSetOperator),
          'Whether the namespace must be one of these.',
        ),
        values: requiredField(namespaceNamesShape, 'Inode numbers, or `host_ns`.'),
      }),
    ),
    'Filters on the namespaces of the process.',
  ),
  matchNamespaceChanges: optionalField(
    listShape(
      objectShape({
        operator: requiredField(
          enumShape(SET_OPERATORS, suggestSetOperator),
          'Whether one of these must have changed.',
        ),
        values: requiredField(namespaceNamesShape, 'Kinds of namespace.'),
      }),
    ),
    'Filters on changes of namespaces.',
  ),
  matchCapabilities: optionalField(listShape(capabilityFilterShape), 'Filters on the capabilities of the process.'),
  matchCapabilityChanges: optionalField(listShape(capabilityFilterShape), 'Filters on changes of capabilities.'),
  matchMarks: optionalField(
    listShape(
      objectShape({
        operator: requiredField(enumShape(SET_OPERATORS, suggestSetOperator), 'Whether one of the marks must be set.'),
        values: requiredField(listShape(textShape, { minItems: 1 }), 'Names of marks.'),
        scope: optionalField(
          enumShape(MARK_SCOPES),
          'The owner of the marks. The default is the scope with which this policy sets them.',
        ),
        shared: optionalField(booleanShape, 'Whether these are the marks that policies share.', false),
      }),
    ),
    'polytrace only: filters on the marks of the process, which the action Mark has set.',
  ),
  matchWorkloads: optionalField(
    objectShape({
      podSelector: optionalField(labelSelectorShape, 'Labels of the pod.'),
      containerSelector: optionalField(labelSelectorShape, 'Fields of the container.'),
      hostSelector: optionalField(labelSelectorShape, 'Labels of the nodes on which processes in no container match.'),
    }),
    'Filters on the pod and container of the process.',
  ),
};

export const selectorShape = objectShape({
  label: optionalField(textShape, 'Name of the selector.'),
  macros: optionalField(listShape(textShape), 'Names in selectorsMacros. Their filters are added to the selector.'),
  ...FILTER_FIELDS,
  matchActions: optionalField(listShape(actionShape), 'Actions when the selector matches. The default is Post.'),
  matchReturnActions: optionalField(
    listShape(actionShape),
    'Actions when the function returns, if the selector has matched.',
  ),
});
