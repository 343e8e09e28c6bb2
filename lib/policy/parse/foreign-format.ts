/** Recognises texts that are written for another tool. One message then replaces many. */
import type { Document } from 'yaml';
import { isMap, isScalar, isSeq } from './yaml-package.js';
import { API_VERSION, POLICY_KINDS } from '../language/policy.js';
import { findNearestName } from './nearest-name.js';
import type { Span } from './positions.js';
import { quote, type Report } from './report.js';

interface ForeignFormat {
  readonly span: Span;
  readonly what: string;
  readonly hint: string;
}

const TUTORIAL_HINT = 'docs/tutorial.md shows a first one';

/** Formats that are not YAML. Each pattern is anchored at a line and has no nested repetition. */
const FOREIGN_FORMATS: readonly (readonly [RegExp, string, string])[] = [
  [
    /^(BEGIN|END|(k|kret|u|uret)probe:\S+|(tracepoint|rawtracepoint|fentry|fexit|kfunc|kretfunc|usdt|profile|interval|iter):\S+)[ \t]*(\{|\/|,?[ \t]*$)/m,
    'a bpftrace program',
    `a probe kprobe:NAME becomes an item of \`kprobes\`, and its predicate a selector: ${TUTORIAL_HINT}`,
  ],
  [
    /^-[aA] (always|never|exit|task)\b|^-w \//m,
    'a list of audit rules',
    `a rule on a system call becomes an item of \`kprobes\`, and its fields selectors: ${TUTORIAL_HINT}`,
  ],
];

/** The hint for a template. */
export const RENDER_HINT = 'render it first, for example with `helm template`';

/** Matches `{{ .Values.name }}`: a Helm chart that has not been rendered. */
const TEMPLATE = /\{\{-? ?[.$a-z]/;

/**
 * Reports the text if it is written for another tool, and returns true then. Call it only for a text that is not a
 * policy.
 */
export function reportForeignFormat(report: Report, document?: Document.Parsed): boolean {
  const found = detectForeignDocument(document) ?? detectForeignText(report.positions.text);
  if (found === undefined) return false;
  report.add('NOT_A_POLICY', found.span, `this is ${found.what}, not a TracingPolicy`, found.hint);
  return true;
}

function detectForeignText(text: string): ForeignFormat | undefined {
  for (const [pattern, what, hint] of FOREIGN_FORMATS) {
    const found = pattern.exec(text);
    if (found !== null) return { span: matchSpan(found), what, hint };
  }
  const found = TEMPLATE.exec(text);
  if (found === null) return undefined;
  return { span: matchSpan(found), what: 'a template', hint: RENDER_HINT };
}

function matchSpan({ index, 0: { length } }: RegExpExecArray): Span {
  return { start: index, end: index + length };
}

/** Each item of a Falco rules file has one of these fields. */
const FALCO_FIELDS = ['rule', 'macro', 'list'] as const;

function detectForeignDocument(document: Document.Parsed | undefined): ForeignFormat | undefined {
  const root = document?.contents;
  if (isSeq(root)) {
    const first = root.items.slice(0, 16).find((item) => isMap(item) && FALCO_FIELDS.some((key) => item.has(key)));
    if (first === undefined) return undefined;
    const hint = `the condition of a rule becomes a hook with selectors, and its output the event: ${TUTORIAL_HINT}`;
    return { span: { start: first.range[0], end: first.range[1] }, what: 'a list of Falco rules', hint };
  }
  if (!isMap(root)) return undefined;
  const kind: unknown = root.get('kind', true);
  const version: unknown = root.get('apiVersion');
  if (!isScalar(kind) || typeof kind.value !== 'string') return undefined;
  const near = findNearestName(kind.value, POLICY_KINDS) !== undefined || version === API_VERSION;
  if (near || kind.range === undefined || kind.range === null) return undefined;
  return {
    span: { start: kind.range[0], end: kind.range[1] },
    what: `a resource of kind ${quote(kind.value)}`,
    hint:
      kind.value === 'List'
        ? 'move each policy of the list into a file of its own'
        : `a policy begins with apiVersion: ${API_VERSION} and kind: ${POLICY_KINDS[0]}`,
  };
}
