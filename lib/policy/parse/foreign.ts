/** Recognises texts that are written for another tool, so that one message says so in place of many. */
import type { Document } from 'yaml';
import { isMap, isScalar, isSeq } from './yaml-package.js';
import { API_VERSION, KINDS } from '../language/policy.js';
import { nearest } from './nearest.js';
import type { Span } from './places.js';
import { quote, type Report } from './report.js';

interface Foreign {
  readonly span: Span;
  readonly what: string;
  readonly hint: string;
}

const BEGIN = 'docs/tutorial.md shows a first one';

/** Texts that are not YAML, or only by chance. Each pattern is anchored at a line and has no nested repetition. */
const LANGUAGES: readonly (readonly [RegExp, string, string])[] = [
  [
    /^(BEGIN|END|(k|kret|u|uret)probe:\S+|(tracepoint|rawtracepoint|fentry|fexit|kfunc|kretfunc|usdt|profile|interval|iter):\S+)[ \t]*(\{|\/|,?[ \t]*$)/m,
    'a bpftrace program',
    `a probe kprobe:NAME becomes an item of \`kprobes\`, and its predicate a selector: ${BEGIN}`,
  ],
  [
    /^-[aA] (always|never|exit|task)\b|^-w \//m,
    'a list of audit rules',
    `a rule on a system call becomes an item of \`kprobes\`, and its fields selectors: ${BEGIN}`,
  ],
];

/** What to do with a template. */
export const RENDER = 'render it first, for example with `helm template`';

/** `{{ .Values.name }}`: a chart that has not been rendered. */
const TEMPLATE = /\{\{-? ?[.$a-z]/;

/** Reports the text if it is written for another tool. Call it only for a text that is not a policy. */
export function reportForeign(report: Report, document?: Document.Parsed): boolean {
  const found = foreignDocument(document) ?? foreignText(report.places.text);
  if (found === undefined) return false;
  report.add('NOT_A_POLICY', found.span, `this is ${found.what}, not a TracingPolicy`, found.hint);
  return true;
}

function foreignText(text: string): Foreign | undefined {
  for (const [pattern, what, hint] of LANGUAGES) {
    const found = pattern.exec(text);
    if (found !== null) return { span: spanOf(found), what, hint };
  }
  const found = TEMPLATE.exec(text);
  if (found === null) return undefined;
  return { span: spanOf(found), what: 'a template', hint: RENDER };
}

function spanOf({ index, 0: { length } }: RegExpExecArray): Span {
  return { start: index, end: index + length };
}

/** Each item of a file of Falco has one of these fields. */
const FALCO = ['rule', 'macro', 'list'] as const;

function foreignDocument(document: Document.Parsed | undefined): Foreign | undefined {
  const root = document?.contents;
  if (isSeq(root)) {
    const first = root.items.slice(0, 16).find((item) => isMap(item) && FALCO.some((key) => item.has(key)));
    if (first === undefined) return undefined;
    const hint = `the condition of a rule becomes a hook with selectors, and its output the event: ${BEGIN}`;
    return { span: { start: first.range[0], end: first.range[1] }, what: 'a list of Falco rules', hint };
  }
  if (!isMap(root)) return undefined;
  const kind: unknown = root.get('kind', true);
  const version: unknown = root.get('apiVersion');
  if (!isScalar(kind) || typeof kind.value !== 'string') return undefined;
  const near = nearest(kind.value, KINDS) !== undefined || version === API_VERSION;
  if (near || kind.range === undefined || kind.range === null) return undefined;
  return {
    span: { start: kind.range[0], end: kind.range[1] },
    what: `a resource of kind ${quote(kind.value)}`,
    hint:
      kind.value === 'List'
        ? 'move each policy of the list into a file of its own'
        : `a policy begins with apiVersion: ${API_VERSION} and kind: ${KINDS[0]}`,
  };
}
