/** Parses text into one YAML document in limited time and memory. Every syntax error becomes a diagnostic. */
import type { Document, Node } from 'yaml';
import type { Steps } from '../../cooperative.js';
import { POLICY_BYTES_MAX, YAML_DEPTH_MAX, YAML_TOKENS_MAX } from '../language/limits.js';
import { API_VERSION } from '../language/policy.js';
import { reportForeignFormat } from './foreign-format.js';
import { parsePlainJson } from './json.js';
import { Positions, type Span } from './positions.js';
import { quote, Report } from './report.js';
import { addSyntaxErrors } from './syntax-errors.js';
import { isAlias, isMap, isNode, isScalar, loadYaml } from './yaml-package.js';

export interface ParsedYaml {
  readonly report: Report;
  /** Absent if the text cannot be read as YAML. */
  readonly document?: Document.Parsed;
}

/**
 * Reads the text token by token, so that its depth and size are checked before the composer runs. The composer is
 * recursive, and its check for duplicate keys takes quadratic time. The walker finds duplicate keys instead.
 */
export function* parseYaml(
  text: string,
  file: string,
  what: 'policy' | 'test' = 'policy',
  isFromObject = false,
): Steps<ParsedYaml> {
  const report = new Report(new Positions(file, text, isFromObject));
  if (Buffer.byteLength(text) > POLICY_BYTES_MAX) {
    report.add(
      'FILE_TOO_LARGE',
      FILE_START,
      `the ${what} is larger than ${POLICY_BYTES_MAX} bytes`,
      'split it into several files',
    );
    return { report };
  }
  const plain = parsePlainJson(text);
  const documents = plain === undefined ? yield* composeDocuments(text, report) : [plain];
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
  if (document === undefined || isEmptyDocument(document)) {
    report.add(
      'YAML_EMPTY',
      FILE_START,
      `the text contains no ${what}`,
      what === 'policy'
        ? 'a policy begins with apiVersion, kind, metadata and spec'
        : 'a test begins with apiVersion, kind, policies and scenarios',
    );
    return { report };
  }
  if (what === 'policy' && hasOtherApiVersion(document) && reportForeignFormat(report, document)) return { report };
  if (plain === undefined) reportUnsupportedNodes(document, report);
  return { report, document };
}

function isEmptyDocument({ contents }: Document.Parsed): boolean {
  return contents === null || (isScalar(contents) && contents.value === null && contents.tag === undefined);
}

const TOKENS_PER_STEP = 32;

const FILE_START: Span = { start: 0, end: 0 };

/** Reads the tokens in steps. The composer makes the nodes of a whole document in one step. */
function* composeDocuments(text: string, report: Report): Steps<Document.Parsed[]> {
  const { Composer, Lexer, Parser } = loadYaml();
  const parser = new Parser();
  // This is the core schema of YAML 1.2. Errors keep offsets; class Positions computes lines and columns.
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

/** True if the document has not the apiVersion of a policy. */
function hasOtherApiVersion({ contents }: Document.Parsed): boolean {
  if (!isMap(contents)) return true;
  const version: unknown = contents.get('apiVersion');
  return version !== API_VERSION;
}

const CORE_TAG = 'tag:yaml.org,2002:';

/** True for anchors, aliases and custom tags: they are part of YAML, but not of the policy format. */
export function isUnsupportedNode(node: Node): boolean {
  return isAlias(node) || node.anchor !== undefined || (node.tag !== undefined && !node.tag.startsWith(CORE_TAG));
}

function reportUnsupportedNodes(document: Document.Parsed, report: Report): void {
  loadYaml().visit(document, (_, node) => {
    if (!isNode(node) || !isUnsupportedNode(node)) return;
    const own = { start: node.range?.[0] ?? 0, end: node.range?.[1] ?? 0 };
    // The range of a node begins after its anchor and tag.
    const from = (sign: string): Span => ({
      start: Math.max(report.positions.text.lastIndexOf(sign, own.start), 0),
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
