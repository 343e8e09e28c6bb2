/** Formats diagnostics as SARIF 2.1.0, which code hosting sites show beside the lines of a file. */
import { relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Diagnostic } from '../../types/index.js';
import type { FileResult } from './file-result.js';
import { formatJson } from '../output/terminal-text.js';

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

export function formatSarif(results: readonly FileResult[]): string {
  const diagnostics = results.flatMap((result) => result.diagnostics);
  const codes = [...new Set(diagnostics.map((diagnostic) => diagnostic.code))].sort();
  const help = { text: 'docs/diagnostics.md of the package polytrace explains cause and remedy of each code.' };
  const rules = codes.map((id) => ({ id, help }));
  const run = {
    tool: { driver: { name: 'polytrace', rules } },
    columnKind: 'utf16CodeUnits',
    results: diagnostics.map((diagnostic) => sarifResult(diagnostic, codes)),
  };
  return formatJson({ $schema: SCHEMA, version: '2.1.0', runs: [run] });
}

function sarifResult(diagnostic: Diagnostic, codes: readonly string[]): object {
  const { code, severity, message, hint, file, line, column, text } = diagnostic;
  return {
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level: severity,
    message: { text: hint === '' ? message : `${message} (${hint})` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: fileUri(file) },
          region: { startLine: line, startColumn: column, ...(text === '' ? {} : { snippet: { text } }) },
        },
      },
    ],
  };
}

/** Returns a relative URI for a file below the current folder, and else a file: URL. */
function fileUri(file: string): string {
  const below = relative(process.cwd(), file);
  if (below.startsWith('..') || below.startsWith(sep)) return pathToFileURL(file).href;
  return below.split(sep).map(encodeURIComponent).join('/');
}
