/** Puts exceptions into the YAML of a policy, in front of the selectors of their hooks, with comments for whoever reviews them. */
import type * as Yaml from 'yaml';
import type { Document, YAMLMap, YAMLSeq } from 'yaml';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { PolytraceError } from '../errors.js';
import { describeEvidence, describeHidden, describeHook, describeNote } from './describe.js';
import { quoteForComment } from '../generalize/policy-text.js';
import { REFUSALS } from './identity.js';
import type { Exception } from './exceptions.js';
import type { Remaining } from './collector.js';

/** The package takes longer to load than the rest of the library. */
function loadYaml(): typeof Yaml {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require('yaml') as typeof Yaml;
}

/** Selectors of a hook, see bpf/abi.h. */
const SELECTORS_MAX = 64;
const REMAINING_LISTED = 40;
const LINE_MAX = 110;

export interface Introduction {
  /** Where it was learned. */
  readonly sources: readonly string[];
  readonly events: number;
  readonly remaining: readonly Remaining[];
  /** Sentences about what was cut. */
  readonly cut: readonly string[];
}

/** Free selectors of each hook. A hook without selectors needs one that matches everything. */
export function countFreeSelectors(policy: CompiledPolicy): number[] {
  return policy.hooks.map(({ selectors }) => SELECTORS_MAX - Math.max(selectors, 1));
}

export function writePolicy(
  text: string,
  policy: CompiledPolicy,
  exceptions: readonly Exception[],
  introduction: Introduction,
): string {
  const { parseDocument, isMap } = loadYaml();
  const document = parseDocument(text, { keepSourceTokens: false, maxAliasCount: 0 } as object);
  if (!isMap(document.contents)) throw notWritable(policy.name);
  const hooks = listHookNodes(document);
  for (const [index, compiled] of policy.hooks.entries()) {
    const own = exceptions.filter(({ hook }) => hook === index);
    if (own.length === 0) continue;
    const node = findHookNode(hooks, text, compiled.position);
    if (node === undefined) throw notWritable(policy.name);
    insertSelectors(document, node, own);
  }
  const comments = wrapAll(introduce(policy, exceptions, introduction)).join('\n');
  const before = document.commentBefore ?? '';
  document.commentBefore = before === '' ? comments : `${comments}\n\n${before}`;
  return document.toString({ lineWidth: 0 });
}

function notWritable(name: string): PolytraceError {
  return new PolytraceError(
    'LEARN_POLICY',
    `exceptions cannot be written into the policy ${JSON.stringify(name)}: its hooks are not where its text says`,
    'write its hooks without aliases, one after the other',
  );
}

const KINDS = ['kprobes', 'fentries', 'tracepoints', 'lsmhooks', 'uprobes', 'usdts'];

function listHookNodes(document: Document): YAMLMap[] {
  const { isMap, isSeq } = loadYaml();
  return KINDS.flatMap((kind) => {
    const list = document.getIn(['spec', kind], true);
    return isSeq(list) ? list.items.filter((item) => isMap(item)) : [];
  });
}

/** The position of a hook is that of its function, which is inside of its node. */
function findHookNode(
  nodes: readonly YAMLMap[],
  text: string,
  position: { line: number; column: number },
): YAMLMap | undefined {
  const lines = text.split('\n').slice(0, position.line - 1);
  const offset = lines.reduce((sum, line) => sum + line.length + 1, 0) + position.column - 1;
  return nodes.find(({ range }) => range !== null && range !== undefined && range[0] <= offset && offset <= range[1]);
}

function insertSelectors(document: Document, node: YAMLMap, exceptions: readonly Exception[]): void {
  const { isSeq } = loadYaml();
  const learned = exceptions.map((exception) => {
    const selector = document.createNode(formSelector(exception)) as YAMLMap;
    selector.commentBefore = wrapAll(explainException(exception)).join('\n');
    return selector;
  });
  const list = node.get('selectors', true);
  if (isSeq(list) && list.items.length > 0) {
    list.flow = false;
    // comments of the first selector stay with it
    const [first] = list.items as YAMLMap[];
    if (typeof list.commentBefore === 'string' && first !== undefined) {
      first.commentBefore = [list.commentBefore, first.commentBefore].filter(Boolean).join('\n');
      delete list.commentBefore;
    }
    list.items.unshift(...learned);
    return;
  }
  const all = document.createNode([]) as YAMLSeq;
  const everything = document.createNode({}) as YAMLMap;
  everything.commentBefore = ' every other call';
  everything.flow = true;
  all.items.push(...learned, everything);
  node.set('selectors', all);
}

function formSelector({ identity, filters }: Exception): object {
  const { programs, script, ancestor, container } = identity;
  return {
    ...(programs.length === 0 ? {} : { matchBinaries: [{ operator: 'In', values: [...programs] }] }),
    ...(ancestor === undefined
      ? {}
      : { matchParentBinaries: [{ operator: 'In', followChildren: true, values: [ancestor] }] }),
    ...(script === undefined ? {} : { matchCmdArgs: [{ index: 1, operator: 'Equal', values: [script] }] }),
    ...(container === undefined
      ? {}
      : {
          matchWorkloads: {
            containerSelector: {
              matchExpressions: [{ key: container.key, operator: 'In', values: [container.value] }],
            },
          },
        }),
    ...(filters.length === 0
      ? {}
      : {
          matchArgs: filters.map(({ position, operator, values }) => ({
            args: [position],
            operator,
            values: [...values],
          })),
        }),
    matchActions: [{ action: 'NoPost' }],
  };
}

function explainException(exception: Exception): string[] {
  const { evidence, notes } = exception;
  return [
    `Learned: ${describeEvidence(evidence)}.`,
    `  Example: ${quoteForComment(evidence.example)}`,
    `  Hides: ${describeHidden(exception)}.`,
    ...notes.map((note) => `  Look: ${describeNote(note)}.`),
  ];
}

function introduce(
  policy: CompiledPolicy,
  exceptions: readonly Exception[],
  { sources, events, remaining, cut }: Introduction,
): string[] {
  const listed = remaining.slice(0, REMAINING_LISTED);
  return [
    `The policy ${quoteForComment(policy.name)} with ${exceptions.length} learned exceptions: selectors with NoPost, in front of the others.`,
    'Review each of them: delete those that hide too much. `polytrace learn` has written them from',
    `${sources.map(quoteForComment).join(', ')}, of ${events} alerts. An attacker may have been among them.`,
    ...(remaining.length === 0 ? [] : ['Alerts of which nothing was learned, so that they stay:']),
    ...listed.map(
      ({ hook, program, reason, evidence }) =>
        `  ${describeHook(policy, hook)} of ${quoteForComment(program)}: ${describeEvidence(evidence)}: ${describeReason(reason)}. Example: ${quoteForComment(evidence.example)}`,
    ),
    ...(remaining.length > listed.length ? [`  and ${remaining.length - listed.length} more kinds`] : []),
    ...cut,
  ];
}

export function describeReason(reason: Remaining['reason']): string {
  return reason === 'limit' ? 'there was no room for more' : REFUSALS[reason];
}

/** Breaks lines at spaces. A further line is indented more than its first one. */
function wrapAll(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const indent = /^ */.exec(line)?.[0] ?? '';
    const result: string[] = [];
    let current = ` ${indent}`;
    for (const word of line.trim().split(' ')) {
      if (current.trim() !== '' && current.length + word.length + 1 > LINE_MAX) {
        result.push(current);
        current = ` ${indent}  `;
      }
      current += current.trim() === '' ? word : ` ${word}`;
    }
    return [...result, current];
  });
}
