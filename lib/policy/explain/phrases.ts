/** Describes filters, arguments and actions of a policy in English phrases. */
import type {
  ActionData,
  ArgData,
  BinaryFilter,
  CmdArgFilter,
  DurationFilter,
  MarkFilter,
  PidFilter,
  SelectorData,
  SetFilter,
  ValueFilter,
} from '../model/model.js';
import { positiveOperator, type PositiveOperator } from '../language/vocabulary.js';

/** Maximum number of values that are written of a long list. */
const VALUES_MAX = 4;

const VERBS: Readonly<Record<PositiveOperator, string>> = {
  Equal: 'is',
  Prefix: 'begins with',
  Postfix: 'ends with',
  GreaterThan: 'is greater than',
  GT: 'is greater than',
  LessThan: 'is less than',
  LT: 'is less than',
  Mask: 'has any bit of',
  SPort: 'has source port',
  SPortPriv: 'has a source port below 1024',
  DPort: 'has destination port',
  DPortPriv: 'has a destination port below 1024',
  SAddr: 'has source address',
  DAddr: 'has destination address',
  Protocol: 'has protocol',
  Family: 'has address family',
  State: 'has TCP state',
  InMap: 'is one of',
  InRange: 'is between',
  SubString: 'contains',
  SubStringIgnCase: 'contains (ignoring case)',
  FileType: 'is a file of type',
  CapabilitiesGained: 'gains a capability of',
  CelExpr: 'satisfies',
};

export function describeArg(arg: ArgData | undefined, fallback: string): string {
  if (arg === undefined) return fallback;
  const name = arg.label === undefined ? '' : ` "${arg.label}"`;
  return `argument ${arg.index ?? 0}${name} (${describeType(arg)})`;
}

/** The type, with a note if the kernel decides it. */
export function describeType({ type, inferred }: ArgData): string {
  if (type === undefined || type === 'auto') return 'a type that the kernel says';
  return inferred === true ? `${type}, as the kernel says` : type;
}

/** `subject` is the phrase for the value, or for all values of an expression. */
export function describeFilter(subject: string, { operator, values = [], inode }: ValueFilter): string {
  if (operator === undefined) return subject;
  const base = positiveOperator(operator);
  const verb = base === 'Equal' && inode === true ? 'is (or has the same inode as)' : VERBS[base];
  const phrase = values.length === 0 ? `${subject} ${verb}` : `${subject} ${verb} ${formatValues(values)}`;
  return base === operator ? phrase : `not (${phrase})`;
}

export function formatValues(values: readonly (string | number)[]): string {
  const listed = values
    .slice(0, VALUES_MAX)
    .map((value) => (typeof value === 'number' ? String(value) : JSON.stringify(value)));
  const more = values.length - listed.length;
  return `${listed.join(' or ')}${more > 0 ? ` or ${more} more` : ''}`;
}

export function describeBinaries(
  whose: string,
  { operator = 'In', values = [], followChildren }: BinaryFilter,
): string {
  const base = operator.replace(/^Not/, '');
  const verb = base === 'In' ? 'is' : base === 'Prefix' ? 'begins with' : 'ends with';
  const phrase = `${whose} ${verb} ${formatValues(values)}${followChildren === true ? ', or that of an ancestor' : ''}`;
  return operator.startsWith('Not') ? `not (${phrase})` : phrase;
}

export function describeCmdArgs({ index, operator = 'Equal', values = [] }: CmdArgFilter): string {
  const base = operator.replace(/^Not/, '');
  const verb = base === 'Equal' ? 'is' : base === 'Prefix' ? 'begins with' : 'ends with';
  const subject = index === undefined ? 'an argument' : `argument ${index}`;
  const phrase = `${subject} of the command ${verb} ${formatValues(values)}`;
  return operator.startsWith('Not') ? `not (${phrase})` : phrase;
}

export function describePids({ operator, values = [], followForks, isNamespacePID }: PidFilter): string {
  const whose = isNamespacePID === true ? 'process id in its own namespace' : 'process id';
  const phrase = `${whose} is ${formatValues(values)}${followForks === true ? ', or that of an ancestor' : ''}`;
  return operator === 'NotIn' ? `not (${phrase})` : phrase;
}

/** `scopeOf` is the scope of a mark that the filter gives none. */
export function describeMarks(
  { operator, values = [], scope, shared }: MarkFilter,
  scopeOf: (mark: string) => MarkFilter['scope'] = () => undefined,
): string {
  const isOfContainer = (mark: string): boolean => (scope ?? scopeOf(mark)) === 'container';
  const phrases = [false, true].flatMap((ofContainer) => {
    const own = values.filter((mark) => isOfContainer(mark) === ofContainer);
    return own.length === 0 ? [] : [`${ofContainer ? 'the container' : 'the process'} is marked ${formatValues(own)}`];
  });
  const phrase = `${phrases.join(' or ')}${shared === true ? ' by any policy' : ''}`;
  return operator === 'NotIn' ? `not (${phrase})` : phrase;
}

export function describeDuration({ operator, values = [] }: DurationFilter): string {
  return `the call takes ${operator === 'LT' ? 'less' : 'more'} than ${values.join(' or ')}`;
}

/** Describes how a value is read, if it is not a plain parameter. */
export function describeRead({ resolve, btfType, sizeArgIndex, returnCopy, maxData }: ArgData): string {
  return [
    ...(resolve ? [`its ${resolve}`] : []),
    ...(btfType === undefined ? [] : [`as a struct ${btfType}`]),
    ...(sizeArgIndex ? [`as long as parameter ${sizeArgIndex - 1} says`] : []),
    ...(maxData === true ? ['as much as fits into the event'] : []),
    ...(returnCopy === true ? ['when the function returns'] : []),
  ]
    .map((phrase) => `, ${phrase}`)
    .join('');
}

/** Describes a value that is not a parameter. */
export function describeData(arg: ArgData | undefined): string {
  if (arg === undefined) return 'a value of data';
  const name = arg.label === undefined ? '' : ` "${arg.label}"`;
  const where =
    arg.source === 'current_task'
      ? `the task's ${arg.resolve ?? ''}`
      : arg.source === 'pt_regs'
        ? `register ${arg.resolve ?? ''}`
        : arg.source === 'duration'
          ? 'the nanoseconds from entry to return'
          : `parameter ${arg.index ?? 0}${arg.resolve ? `'s ${arg.resolve}` : ''}`;
  return `${where}${name} (${describeType(arg)})`;
}

function describeSetFilter(what: string, filter: SetFilter): string {
  const phrase = `${what} ${formatValues(filter.values ?? [])}`;
  return filter.operator === 'NotIn' ? `not (${phrase})` : phrase;
}

const describeCapabilitySet = ({ type = 'Effective' }: SetFilter): string => `${type.toLowerCase()} capabilities`;
const describeNamespaceCondition = ({ isNamespaceCapability }: SetFilter): string[] =>
  isNamespaceCapability === true ? ['its user namespace is not the initial one'] : [];

/** Describes the filters on the state of the process: namespaces and capabilities. */
export function describeProcessState({ matchNamespaces = [], matchCapabilities = [] }: SelectorData): string[] {
  return [
    ...matchNamespaces.map((filter) => describeSetFilter(`${filter.namespace ?? ''} namespace is`, filter)),
    ...matchCapabilities.flatMap((filter) => [
      describeSetFilter(`${describeCapabilitySet(filter)} have`, filter),
      ...describeNamespaceCondition(filter),
    ]),
  ];
}

/** Describes the filters on changes of the process. */
export function describeChanges({ matchNamespaceChanges = [], matchCapabilityChanges = [] }: SelectorData): string[] {
  const since = 'changed since exec or the last event:';
  return [
    ...matchNamespaceChanges.map((filter) => describeSetFilter(`namespaces ${since}`, filter)),
    ...matchCapabilityChanges.flatMap((filter) => [
      describeSetFilter(`${describeCapabilitySet(filter)} ${since}`, filter),
      ...describeNamespaceCondition(filter),
    ]),
  ];
}

export function describeAction(data: ActionData): string {
  const { action, ...rest } = data;
  const details = Object.entries(rest).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join(' ') : String(value)}`,
  );
  return `${action ?? ''}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}
