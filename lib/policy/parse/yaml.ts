/** Text to one YAML document, in bounded time and memory, with every syntax mistake as a diagnostic. */
import {
  Composer,
  isAlias,
  isNode,
  isScalar,
  Lexer,
  Parser,
  visit,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import type { DiagnosticCode } from './codes.js';
import { FILE_BYTES_MAX, YAML_DEPTH_MAX, YAML_TOKENS_MAX } from '../language/limits.js';
import { Places, type Span } from './places.js';
import { quote, Report } from './report.js';

export interface ParsedText {
  readonly report: Report;
  /** Absent when the text is not YAML that can be looked into. */
  readonly document?: Document.Parsed;
}

/**
 * The lexer is driven token by token so that depth and size are known before anything is composed: the composer is
 * recursive, and its own check for duplicate keys takes quadratic time (the walker looks for them instead).
 */
export function parseYaml(text: string, file: string): ParsedText {
  const report = new Report(new Places(file, text));
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    report.add(
      'FILE_TOO_LARGE',
      start,
      `the policy is larger than ${FILE_BYTES_MAX} bytes`,
      'split it into several policies',
    );
    return { report };
  }
  const documents = compose(text, report);
  const [document, second] = documents;
  if (report.hasErrors) return { report };
  if (second !== undefined) {
    report.add(
      'YAML_MULTIPLE_DOCUMENTS',
      { start: second.range[0], end: second.range[1] },
      'a second document begins here',
      'one policy a file: move what follows `---` into a file of its own',
    );
  }
  if (document === undefined || isNothing(document)) {
    report.add(
      'YAML_EMPTY',
      start,
      'there is no policy in this text',
      'a policy begins with apiVersion, kind, metadata and spec',
    );
    return { report };
  }
  for (const error of document.errors) addSyntaxError(error, report);
  if (report.hasErrors) return { report };
  refuseBeyondPlainData(document, report);
  return { report, document };
}

function isNothing({ contents }: Document.Parsed): boolean {
  return contents === null || (isScalar(contents) && contents.value === null && contents.tag === undefined);
}

const start: Span = { start: 0, end: 0 };

function compose(text: string, report: Report): Document.Parsed[] {
  const parser = new Parser();
  // Core schema of YAML 1.2; errors keep offsets, positions are worked out by Places.
  const composer = new Composer({
    version: '1.2',
    uniqueKeys: false,
    prettyErrors: false,
    merge: false,
    intAsBigInt: true,
  });
  const documents: Document.Parsed[] = [];
  let tokens = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    if (parser.stack.length > YAML_DEPTH_MAX) {
      const span = { start: parser.offset - lexeme.length, end: parser.offset };
      report.add(
        'YAML_TOO_DEEP',
        span,
        `more than ${YAML_DEPTH_MAX} levels of nesting`,
        'a policy needs no more than 9',
      );
      return documents;
    }
    if (++tokens > YAML_TOKENS_MAX) {
      const span = { start: parser.offset, end: parser.offset };
      report.add(
        'FILE_TOO_LARGE',
        span,
        `more than ${YAML_TOKENS_MAX} words and signs`,
        'split it into several policies',
      );
      return documents;
    }
    if (documents.length > 1) return documents;
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end());
  if (documents.length === 0) {
    for (const error of composer.streamInfo().errors) addSyntaxError(error, report);
  }
  return documents;
}

function addSyntaxError(error: YAMLError, report: Report): void {
  const span = { start: error.pos[0], end: error.pos[1] };
  const [code, hint]: [DiagnosticCode, string] =
    error.code === 'TAB_AS_INDENT'
      ? ['YAML_TAB', 'indent with spaces']
      : error.code === 'BAD_ALIAS' || error.code === 'ALIAS_PROPS'
        ? ['YAML_ALIAS', 'write the value out; selectorsMacros shares filters between selectors']
        : error.code === 'TAG_RESOLVE_FAILED'
          ? ['YAML_TAG', 'remove the tag']
          : ['YAML_SYNTAX', 'correct the YAML first; the rest is checked after that'];
  report.add(code, span, error.message.split('\n', 1)[0] ?? error.message, hint);
}

const CORE_TAG = 'tag:yaml.org,2002:';

/** Anchors, aliases and tags of one's own: what YAML has and the format has not. */
export function isBeyondPlainData(node: Node): boolean {
  return isAlias(node) || node.anchor !== undefined || (node.tag !== undefined && !node.tag.startsWith(CORE_TAG));
}

function refuseBeyondPlainData(document: Document.Parsed, report: Report): void {
  visit(document, (_, node) => {
    if (!isNode(node) || !isBeyondPlainData(node)) return;
    const own = { start: node.range?.[0] ?? 0, end: node.range?.[1] ?? 0 };
    // A node's own range begins after its anchor and tag.
    const from = (sign: string): Span => ({
      start: Math.max(report.places.text.lastIndexOf(sign, own.start), 0),
      end: own.end,
    });
    if (isAlias(node) || node.anchor !== undefined) {
      const [what, span] = isAlias(node)
        ? [`*${node.source}`, own]
        : [`&${String(node.anchor)}`, from(`&${String(node.anchor)}`)];
      const hint = 'write the value out where it is needed; selectorsMacros shares filters between selectors';
      report.add('YAML_ALIAS', span, `${what}: anchors and aliases are not part of the format`, hint);
    } else {
      report.add('YAML_TAG', from('!'), `the tag ${quote(node.tag)} has no meaning here`, 'remove it');
    }
  });
}
