/** Describes filters, arguments and actions of a policy in words. */
import type {
  ActionData,
  ArgData,
  BinaryFilter,
  PidFilter,
  SelectorData,
  SetFilter,
  ValueFilter,
} from '../model/model.js';
import { NEGATED, type Operator } from '../language/vocabulary.js';

/** The number of values that are shown of a long list. */
const VALUES_SHOWN = 4;

const VERBS: Readonly<Partial<Record<Operator, string>>> = {
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

export function argWords(arg: ArgData | undefined, fallback: string): string {
  if (arg === undefined) return fallback;
  const name = arg.label === undefined ? '' : ` "${arg.label}"`;
  return `argument ${arg.index ?? 0}${name} (${typeWords(arg)})`;
}

/** The type, and who says it. */
export function typeWords({ type, inferred }: ArgData): string {
  if (type === undefined || type === 'auto') return 'a type that the kernel says';
  return inferred === true ? `${type}, as the kernel says` : type;
}

/** `subject` names the value; for an expression, all of its values. */
export function filterWords(subject: string, { operator, values = [], inode }: ValueFilter): string {
  if (operator === undefined) return subject;
  const base = NEGATED[operator] ?? operator;
  const verb = base === 'Equal' && inode === true ? 'is (or has the same inode as)' : (VERBS[base] ?? base);
  const words = values.length === 0 ? `${subject} ${verb}` : `${subject} ${verb} ${listValues(values)}`;
  return base === operator ? words : `not (${words})`;
}

export function listValues(values: readonly (string | number)[]): string {
  const shown = values
    .slice(0, VALUES_SHOWN)
    .map((value) => (typeof value === 'number' ? String(value) : JSON.stringify(value)));
  const more = values.length - shown.length;
  return `${shown.join(' or ')}${more > 0 ? ` or ${more} more` : ''}`;
}

export function binaryWords(whose: string, { operator = 'In', values = [], followChildren }: BinaryFilter): string {
  const base = operator.replace(/^Not/, '');
  const verb = base === 'In' ? 'is' : base === 'Prefix' ? 'begins with' : 'ends with';
  const words = `${whose} ${verb} ${listValues(values)}${followChildren === true ? ', or that of an ancestor' : ''}`;
  return operator.startsWith('Not') ? `not (${words})` : words;
}

export function pidWords({ operator, values = [], followForks, isNamespacePID }: PidFilter): string {
  const whose = isNamespacePID === true ? 'process id in its own namespace' : 'process id';
  const words = `${whose} is ${listValues(values)}${followForks === true ? ', or that of an ancestor' : ''}`;
  return operator === 'NotIn' ? `not (${words})` : words;
}

/** Describes how a value is read, if it is not a plain parameter. */
export function readingWords({ resolve, btfType, sizeArgIndex, returnCopy, maxData }: ArgData): string {
  return [
    ...(resolve ? [`its ${resolve}`] : []),
    ...(btfType === undefined ? [] : [`as a struct ${btfType}`]),
    ...(sizeArgIndex ? [`as long as parameter ${sizeArgIndex - 1} says`] : []),
    ...(maxData === true ? ['as much as fits into the event'] : []),
    ...(returnCopy === true ? ['when the function returns'] : []),
  ]
    .map((words) => `, ${words}`)
    .join('');
}

/** Describes a value that is not a parameter. */
export function dataWords(arg: ArgData | undefined): string {
  if (arg === undefined) return 'a value of data';
  const name = arg.label === undefined ? '' : ` "${arg.label}"`;
  const where =
    arg.source === 'current_task'
      ? `the task's ${arg.resolve ?? ''}`
      : arg.source === 'pt_regs'
        ? `register ${arg.resolve ?? ''}`
        : `parameter ${arg.index ?? 0}${arg.resolve ? `'s ${arg.resolve}` : ''}`;
  return `${where}${name} (${typeWords(arg)})`;
}

function setWords(what: string, filter: SetFilter): string {
  const words = `${what} ${listValues(filter.values ?? [])}`;
  return filter.operator === 'NotIn' ? `not (${words})` : words;
}

const capabilities = ({ type = 'Effective' }: SetFilter): string => `${type.toLowerCase()} capabilities`;
const outside = ({ isNamespaceCapability }: SetFilter): string[] =>
  isNamespaceCapability === true ? ['its user namespace is not the initial one'] : [];

/** Describes the filters on the state of the process: namespaces and capabilities. */
export function stateWords({ matchNamespaces = [], matchCapabilities = [] }: SelectorData): string[] {
  return [
    ...matchNamespaces.map((filter) => setWords(`${filter.namespace ?? ''} namespace is`, filter)),
    ...matchCapabilities.flatMap((filter) => [setWords(`${capabilities(filter)} have`, filter), ...outside(filter)]),
  ];
}

/** Describes the filters on changes of the process. */
export function changeWords({ matchNamespaceChanges = [], matchCapabilityChanges = [] }: SelectorData): string[] {
  const since = 'changed since exec or the last event:';
  return [
    ...matchNamespaceChanges.map((filter) => setWords(`namespaces ${since}`, filter)),
    ...matchCapabilityChanges.flatMap((filter) => [
      setWords(`${capabilities(filter)} ${since}`, filter),
      ...outside(filter),
    ]),
  ];
}

export function actionWords({ action, ...rest }: ActionData): string {
  const details = Object.entries(rest).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join(' ') : String(value)}`,
  );
  return `${action ?? ''}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}
