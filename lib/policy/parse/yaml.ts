/** Parses text into one YAML document in limited time and memory. Every syntax mistake becomes a diagnostic. */
import type { Document, Node } from 'yaml';
import type { Steps } from '../../cooperative.js';
import { FILE_BYTES_MAX, YAML_DEPTH_MAX, YAML_TOKENS_MAX } from '../language/limits.js';
import { API_VERSION } from '../language/policy.js';
import { reportForeign } from './foreign.js';
import { Places, type Span } from './places.js';
import { quote, Report } from './report.js';
import { addSyntaxErrors } from './syntax-errors.js';
import { isAlias, isMap, isNode, isScalar, yamlPackage } from './yaml-package.js';

export interface ParsedText {
  readonly report: Report;
  /** Absent if the text cannot be read as YAML. */
  readonly document?: Document.Parsed;
}

/**
 * Reads the text token by token, so that its depth and size are known before the composer runs. The composer is
 * recursive, and its own check for duplicate keys takes quadratic time. The walker finds duplicate keys instead.
 */
export function* parseYaml(text: string, file: string, what: 'policy' | 'test' = 'policy'): Steps<ParsedText> {
  const report = new Report(new Places(file, text));
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    report.add(
      'FILE_TOO_LARGE',
      start,
      `the ${what} is larger than ${FILE_BYTES_MAX} bytes`,
      'split it into several files',
    );
    return { report };
  }
  const documents = yield* compose(text, report);
  yield;
  const [document, second] = documents;
  if (report.hasErrors) return { report };
  if (second !== undefined) {
    report.add(
      'YAML_MULTIPLE_DOCUMENTS',
      { start: second.range[0], end: second.range[1] },
      'a second document begins here',
      'a file contains one policy: move the text after `---` into another file',
    );
  }
  addSyntaxErrors(document?.errors ?? [], report);
  if (report.hasErrors) return { report };
  if (document === undefined || isNothing(document)) {
    report.add(
      'YAML_EMPTY',
      start,
      `the text contains no ${what}`,
      what === 'policy'
        ? 'a policy begins with apiVersion, kind, metadata and spec'
        : 'a test begins with apiVersion, kind, policies and scenarios',
    );
    return { report };
  }
  if (what === 'policy' && isForeign(document) && reportForeign(report, document)) return { report };
  refuseBeyondPlainData(document, report);
  return { report, document };
}

function isNothing({ contents }: Document.Parsed): boolean {
  return contents === null || (isScalar(contents) && contents.value === null && contents.tag === undefined);
}

const TOKENS_PER_STEP = 32;

const start: Span = { start: 0, end: 0 };

/** Tokens are read in steps. The composer makes nodes of a whole document in one step. */
function* compose(text: string, report: Report): Steps<Document.Parsed[]> {
  const { Composer, Lexer, Parser } = yamlPackage();
  const parser = new Parser();
  // This is the core schema of YAML 1.2. Errors keep offsets; Places computes lines and columns.
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
        `the text has more than ${YAML_DEPTH_MAX} levels of nesting`,
        'a policy needs at most 9 levels',
      );
      return documents;
    }
    if (++tokens > YAML_TOKENS_MAX) {
      const span = { start: parser.offset, end: parser.offset };
      report.add(
        'FILE_TOO_LARGE',
        span,
        `the text has more than ${YAML_TOKENS_MAX} words and signs`,
        'split it into several policies',
      );
      return documents;
    }
    if (documents.length > 1) return documents;
    if (tokens % TOKENS_PER_STEP === 0) yield;
  }
  yield;
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end());
  if (documents.length === 0) {
    addSyntaxErrors(composer.streamInfo().errors, report);
  }
  return documents;
}

/** True if the document is not a policy, whatever its fields are. */
function isForeign({ contents }: Document.Parsed): boolean {
  if (!isMap(contents)) return true;
  const version: unknown = contents.get('apiVersion');
  return version !== API_VERSION;
}

const CORE_TAG = 'tag:yaml.org,2002:';

/** True for anchors, aliases and custom tags: they are part of YAML but not of the policy format. */
export function isBeyondPlainData(node: Node): boolean {
  return isAlias(node) || node.anchor !== undefined || (node.tag !== undefined && !node.tag.startsWith(CORE_TAG));
}

function refuseBeyondPlainData(document: Document.Parsed, report: Report): void {
  yamlPackage().visit(document, (_, node) => {
    if (!isNode(node) || !isBeyondPlainData(node)) return;
    const own = { start: node.range?.[0] ?? 0, end: node.range?.[1] ?? 0 };
    // The range of a node begins after its anchor and tag.
    const from = (sign: string): Span => ({
      start: Math.max(report.places.text.lastIndexOf(sign, own.start), 0),
      end: own.end,
    });
    if (isAlias(node) || node.anchor !== undefined) {
      const [what, span] = isAlias(node)
        ? [`*${node.source}`, own]
        : [`&${String(node.anchor)}`, from(`&${String(node.anchor)}`)];
      const hint = 'write the value in full where it is needed; use selectorsMacros to share filters between selectors';
      report.add('YAML_ALIAS', span, `${what}: anchors and aliases are not part of the format`, hint);
    } else {
      report.add('YAML_TAG', from('!'), `the tag ${quote(node.tag)} is not part of the format`, 'remove it');
    }
  });
}
